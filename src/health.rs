//! What a status means: a verdict with reasons.
