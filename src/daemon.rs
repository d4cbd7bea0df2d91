//! The composition root: builds every part, wires the channels, owns start order and shutdown.
