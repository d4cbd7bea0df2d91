//! How much the daemon itself may hold open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets the daemon open as many descriptors as it is allowed to at all. Each connector takes one as long as it runs and a few
/// while something is done with it, and the usual limit is 1,024.
pub fn raise_descriptor_limit() -> std::io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_is_allowed_at_all() {
        raise_descriptor_limit().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
