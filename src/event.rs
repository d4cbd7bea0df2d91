//! Everything worth telling an operator.
