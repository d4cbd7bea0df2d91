//! The life of a tunnel's connectors, as a state machine.
