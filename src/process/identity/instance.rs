//! The instance id: what a connector carries in its environment, so that it can be known when nothing else is left.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    connector::{Generation, SlotId},
    hexadecimal::hexadecimal,
    process::cgroup::parse_stem,
};

/// How many hexadecimal digits tell one home from another on the same host.
const HOME_LENGTH: usize = 16;

/// How many ticks pass at most between making an instance id and its process: a millisecond's work, on a host that is busy.
const BIRTH_TICKS_MAX: u64 = 60 * super::TICKS;

/// Whose connectors they are: a private folder, in so many digits. Daemons with different runtime directories on one host never
/// take each other's connectors for their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::process) struct Home(String);

/// `HOME:TUNNEL.REPLICA.GENERATION:BEGUN:UUID`. All but the last part say what a record says, for when there is none; the last
/// makes it unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::process) struct Instance {
    pub(in crate::process) slot: SlotId,
    pub(in crate::process) generation: Generation,
    /// When it was made, in ticks since boot.
    pub(in crate::process) begun: u64,
}

impl Home {
    /// The home of those who keep their records in `private`, whether it exists or not.
    pub(in crate::process) fn of(private: &Path) -> Self {
        let digest = Sha256::digest(resolved(private).as_os_str().as_encoded_bytes());
        Self(hexadecimal(&digest[..HOME_LENGTH / 2]))
    }

    /// The id of a generation that is about to be started.
    pub(in crate::process) fn instance(&self, slot: &SlotId, generation: Generation, begun: u64) -> String {
        let Self(home) = self;
        format!("{home}:{}.{}.{generation}:{begun}:{}", slot.tunnel, slot.replica, uuid::Uuid::new_v4())
    }

    /// Whether an environment variable's value begins as this home's instance ids do.
    pub(in crate::process) fn is_in(&self, value: &[u8]) -> bool {
        value.strip_prefix(self.0.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    }

    /// What an instance id of this home says; `None` for one of another home or form.
    pub(in crate::process) fn parse(&self, instance: &str) -> Option<Instance> {
        let mut parts = instance.split(':');
        let (home, stem, begun, unique) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (slot, generation) = parse_stem(stem)?;
        let whole = home == self.0 && !unique.is_empty() && parts.next().is_none();
        // Numbers have one spelling: `+1` and `01` are somebody else's.
        let begun = begun.parse().ok().filter(|number: &u64| number.to_string() == begun)?;
        whole.then_some(Instance { slot, generation, begun })
    }
}

/// Whether a process that was started at `start_time` can be the one for which an instance id was made at `begun`. One that it
/// started later, which has the same environment, cannot.
pub(in crate::process) fn is_born_from(begun: u64, start_time: u64) -> bool {
    // Both are rounded down, from two readings of the clock.
    start_time.saturating_add(1) >= begun && start_time <= begun.saturating_add(BIRTH_TICKS_MAX)
}

/// The path without links, as far as it exists.
pub(in crate::process) fn resolved(path: &Path) -> PathBuf {
    let absolute = env::current_dir().map(|directory| directory.join(path)).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find_map(|ancestor| Some((ancestor, fs::canonicalize(ancestor).ok()?)));
    match existing {
        Some((ancestor, real)) => match absolute.strip_prefix(ancestor) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            Ok(_) | Err(_) => real,
        },
        None => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_says_what_it_was_made_of_to_its_own_home_only() {
        let (home, other) = (Home::of(Path::new("/run/adit/private")), Home::of(Path::new("/run/other/private")));
        let slot = SlotId::new("my-web".parse().unwrap(), 2);
        let instance = home.instance(&slot, Generation(9), 1234);
        assert_eq!(home.parse(&instance), Some(Instance { slot: slot.clone(), generation: Generation(9), begun: 1234 }));
        assert!(home.is_in(instance.as_bytes()));
        assert_eq!((other.parse(&instance), other.is_in(instance.as_bytes())), (None, false));
        assert_ne!(home.instance(&slot, Generation(9), 1234), instance, "each is unique");
    }

    #[test]
    fn anything_else_is_no_instance() {
        let home = Home::of(Path::new("/run/adit/private"));
        let Home(own) = &home;
        for text in [
            "",
            "a-b-c",
            "web.0.1:5:u",
            &format!("{own}:web.0.1:5"),
            &format!("{own}:web.0.1:5:"),
            &format!("{own}:web.0.1:x:u"),
            &format!("{own}:web.0.1:+5:u"),
            &format!("{own}:web.0:5:u"),
            &format!("{own}:web.0.1:5:u:more"),
        ] {
            assert_eq!(home.parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_home_is_the_same_by_every_path_and_without_its_folder() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::create_dir_all(real.join("private")).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let home = Home::of(&real.join("private"));
        assert_eq!(Home::of(&link.join("private")), home);
        fs::remove_dir_all(real.join("private")).unwrap();
        assert_eq!((Home::of(&link.join("private")), Home::of(&real.join("private"))), (home.clone(), home));
    }

    #[test]
    fn only_what_starts_right_after_an_instance_was_made_is_born_from_it() {
        for (begun, start_time, born) in [
            (1000, 1000, true),
            (1000, 999, true),
            (1000, 998, false),
            (1000, 1050, true),
            (1000, 7000, true),
            (1000, 7001, false),
            (u64::MAX, 5, false),
        ] {
            assert_eq!(is_born_from(begun, start_time), born, "{begun} {start_time}");
        }
    }
}
