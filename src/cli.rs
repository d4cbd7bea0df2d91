//! The command line: one file for each command, and rendering of values into tables or JSON.
