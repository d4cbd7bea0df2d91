//! A token from a program, such as the client of a secrets manager. What it prints is never shown; of its complaints the last line
//! is.

use super::{Bytes, Refusal};
use crate::command::{self, Failure, Output, Why};

/// The most that it may print, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// Runs the program and returns what it printed.
pub(super) async fn run(argv: &[String]) -> Result<Bytes, Refusal> {
    command::run(argv, &[], Output::UpTo(OUTPUT_MAX)).await.map_err(|Failure { why, mut reason, source }| {
        if why == Why::TooMuch {
            reason += "; it must print the secret alone";
        }
        Refusal { reason, source }
    })
}
