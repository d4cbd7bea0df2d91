//! The configuration: TOML text to typed values, with every mistake reported at once.
