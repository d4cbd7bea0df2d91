//! What a test needs that not every host has.

/// Whether the host has what a test needs. Where everything must be looked at (`ADIT_TEST_EVERYTHING`), a host without it fails the
/// test; elsewhere the test says so, and passes.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a test has no main that reads the environment and prints")]
pub(crate) fn host_has(what: &str, is_there: bool) -> bool {
    let is_demanded = std::env::var_os("ADIT_TEST_EVERYTHING").is_some();
    assert!(is_there || !is_demanded, "this host has no {what}, and everything is to be looked at");
    if !is_there {
        println!("not looked at: this host has no {what}");
    }
    is_there
}
