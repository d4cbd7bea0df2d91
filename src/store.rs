//! The state directory: versioned TOML files, written durably and read with suspicion.
