//! What a test needs that not every host has.

/// Whether the host has what a test needs. Where everything must be looked at (`ADIT_TEST_EVERYTHING`), a host without it fails the
/// test; elsewhere the test says so, and passes.
pub(crate) fn host_has(what: &str, is_there: bool) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no main that reads the environment")]
    let is_demanded = std::env::var_os("ADIT_TEST_EVERYTHING").is_some();
    assert!(is_there || !is_demanded, "this host has no {what}, and everything is to be looked at");
    if !is_there {
        #[expect(clippy::print_stdout, reason = "shown with what else the test prints")]
        println!("not looked at: this host has no {what}");
    }
    is_there
}
