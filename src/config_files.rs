//! Reading the configuration's files from disk.
