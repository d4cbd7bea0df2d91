//! How sure it is that a process is the one that was started.

use super::{Seen, instance::is_born_from};
use crate::process::generation_record::{Content, RecordedProcess};

/// What speaks for a process being a certain generation's. Two of three prove it: each of them alone can deceive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::process) struct Evidence {
    /// It was born when that generation was: the same boot, start time and, where the kernel has it, inode.
    pub(in crate::process) birth: bool,
    /// It is in that generation's leaf.
    pub(in crate::process) leaf: bool,
    /// It carries that generation's instance id.
    pub(in crate::process) instance: bool,
}

/// What is to be done about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::process) enum Verdict {
    /// It has nothing to do with the generation.
    Stranger,
    /// It may be the generation's: watched and never signalled.
    Unproved,
    /// It is the generation's.
    Proved,
}

/// Holds a process of the present boot against a record of it. `user` is who connectors run as.
pub(in crate::process) fn judge(content: &Content, seen: &Seen, user: u32) -> Verdict {
    let recorded = content.process.is_some_and(|process| is_recorded(&process, seen));
    let leaf = content.leaf.is_some() && content.leaf == seen.cgroup;
    let instance = seen.instance.as_ref() == Some(&content.instance);
    // Where the record does not name it (the daemon died around the spawn, or the record is damaged), it began right after the
    // record was. That says something only of a process that something else speaks for.
    let named = content.process.is_some();
    let began = content.begun.is_some_and(|begun| is_born_from(begun, seen.start_time));
    let evidence = Evidence { birth: recorded || (began && (instance || (leaf && !named))), leaf, instance };
    // What a connector starts is in its leaf and has its environment, but is not the one that the record is about.
    if !recorded && !seen.leads_session { Verdict::Stranger } else { evidence.verdict(seen.user == user) }
}

impl Evidence {
    /// The verdict over what is no other user's process.
    pub(in crate::process) fn verdict(self, is_our_users: bool) -> Verdict {
        match [self.birth, self.leaf, self.instance].into_iter().filter(|speaks| *speaks).count() {
            0 => Verdict::Stranger,
            1 => Verdict::Unproved,
            _ if is_our_users => Verdict::Proved,
            _ => Verdict::Unproved,
        }
    }
}

fn is_recorded(process: &RecordedProcess, seen: &Seen) -> bool {
    let same_inode = match (process.inode, seen.inode) {
        (Some(recorded), Some(seen)) => recorded == seen,
        (None, _) | (_, None) => true,
    };
    process.pid == seen.pid && process.start_time == seen.start_time && same_inode
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::{Generation, SlotId, testing::launch};

    const USER: u32 = 997;

    fn content() -> Content {
        let slot = SlotId::new("web".parse().unwrap(), 0);
        let metrics = "127.0.0.1:4000".parse().unwrap();
        let mut content = Content::new(&slot, Generation(1), "boot".into(), "instance".into(), launch().facts(), metrics);
        content.leaf = Some("/adit.service/c-web.0.1".into());
        content.begun = Some(1000);
        content.process = Some(RecordedProcess { pid: 77, start_time: 1001, inode: Some(5) });
        content
    }

    fn seen() -> Seen {
        Seen {
            pid: 77,
            start_time: 1001,
            inode: Some(5),
            leads_session: true,
            user: USER,
            is_near: true,
            cgroup: Some("/adit.service/c-web.0.1".into()),
            instance: Some("instance".into()),
            facts: None,
        }
    }

    #[test]
    fn two_of_three_prove_it_and_one_does_not() {
        for (birth, leaf, instance) in (0..8).map(|bits: u8| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
            let mut seen = seen();
            if !birth {
                seen.start_time = 100_000;
            }
            if !leaf {
                seen.cgroup = Some("/adit.service/daemon".into());
            }
            if !instance {
                seen.instance = Some("another".into());
            }
            let expected = match u8::from(birth) + u8::from(leaf) + u8::from(instance) {
                0 => Verdict::Stranger,
                1 => Verdict::Unproved,
                _ => Verdict::Proved,
            };
            assert_eq!(judge(&content(), &seen, USER), expected, "{birth} {leaf} {instance}");
        }
    }

    #[test]
    fn a_recycled_number_is_a_stranger_even_within_one_tick() {
        let stranger = Seen { instance: None, cgroup: Some("/user.slice".into()), ..seen() };
        assert_eq!(judge(&content(), &Seen { inode: Some(6), ..stranger.clone() }, USER), Verdict::Stranger);
        assert_eq!(judge(&content(), &Seen { start_time: 2000, ..stranger.clone() }, USER), Verdict::Stranger);
        // An older kernel has no inode to tell the two apart: then one of three is left.
        assert_eq!(judge(&content(), &Seen { inode: None, ..stranger }, USER), Verdict::Unproved);
    }

    #[test]
    fn without_a_leaf_or_an_inode_birth_and_instance_do() {
        let mut content = content();
        content.leaf = None;
        content.process = Some(RecordedProcess { pid: 77, start_time: 1001, inode: None });
        assert_eq!(judge(&content, &Seen { cgroup: None, ..seen() }, USER), Verdict::Proved);
        assert_eq!(judge(&content, &Seen { cgroup: None, instance: None, ..seen() }, USER), Verdict::Unproved);
    }

    #[test]
    fn a_process_that_was_never_recorded_is_known_by_when_it_began() {
        let mut content = content();
        content.process = None;
        content.leaf = None;
        assert_eq!(judge(&content, &seen(), USER), Verdict::Proved);
        let later = Seen { start_time: 100_000, ..seen() };
        assert_eq!(judge(&content, &later, USER), Verdict::Unproved);
        content.begun = None;
        assert_eq!(judge(&content, &seen(), USER), Verdict::Unproved);
    }

    #[test]
    fn a_process_that_the_record_gives_another_number_is_known_by_its_instance_and_when_it_began() {
        let mut content = content();
        content.leaf = None;
        content.process = Some(RecordedProcess { pid: 5, start_time: 3, inode: None });
        assert_eq!(judge(&content, &seen(), USER), Verdict::Proved);
        assert_eq!(judge(&content, &Seen { instance: None, ..seen() }, USER), Verdict::Stranger);
        content.leaf = seen().cgroup;
        assert_eq!(judge(&content, &Seen { instance: None, ..seen() }, USER), Verdict::Unproved);
    }

    #[test]
    fn what_a_connector_started_is_not_taken_for_it() {
        let mut content = content();
        let child = Seen { pid: 78, leads_session: false, ..seen() };
        assert_eq!(judge(&content, &child, USER), Verdict::Stranger);
        content.process = None;
        assert_eq!(judge(&content, &child, USER), Verdict::Stranger);
    }

    #[test]
    fn another_users_process_is_never_proved() {
        assert_eq!(judge(&content(), &Seen { user: USER + 1, ..seen() }, USER), Verdict::Unproved);
    }
}
