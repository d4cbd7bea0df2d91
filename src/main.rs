//! The `adit` program.

fn main() {}
