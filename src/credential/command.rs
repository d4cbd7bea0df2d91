//! A token from a program, such as the client of a secrets manager. What it prints is never shown; of its complaints the last line
//! is.

use super::{Bytes, Refusal};
use crate::command::{self, Failure, Output};

/// Runs the program and returns what it printed.
pub(super) async fn run(argv: &[String]) -> Result<Bytes, Refusal> {
    command::run(argv, &[], Output::Whole).await.map_err(|Failure { reason, source, .. }| Refusal { reason, source })
}
