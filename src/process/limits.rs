//! How much the daemon itself may hold open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The limit of open descriptors that the daemon was started with, for its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    soft: u64,
    hard: u64,
}

impl DescriptorLimit {
    /// The soft and the hard limit of a child.
    pub(super) fn for_children(self) -> [u64; 2] {
        [self.soft, self.hard]
    }
}

/// Lets the daemon open as many descriptors as it is allowed to at all. Each connector takes one as long as it runs and a few
/// while something is done with it, and the usual limit is 1,024. Gives the limit as it was before: a program that still uses
/// `select` breaks under a high one.
pub fn raise_descriptor_limit() -> std::io::Result<DescriptorLimit> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(DescriptorLimit { soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_is_allowed_at_all() {
        let before = raise_descriptor_limit().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((soft, hard), (before.hard, before.hard));
    }
}
