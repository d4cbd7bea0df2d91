//! The laws of what the kernel tells of processes, and of the records by which they are known again.

use std::path::Path;

use super::{
    cgroup::{Mount, mount, name_of, parse_name, parse_stem, path_of},
    command_line::{FACTS, INSTANCE},
    credentials,
    generation_record::Content,
    identity::{Evidence, Home, Seen, Verdict, argument, is_born_from, judge, parse_stat, parse_user, variable},
    lineage::names_instance,
    out_of_memory::kills,
};
use crate::{connector::LaunchFacts, secret::Secret};

/// Any bytes as each of the kernel's files: `stat`, `status`, `cgroup`, `environ`, `cmdline`, `mountinfo`, `memory.events`, and as a
/// leaf's name and an instance id.
pub fn kernel(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Some(stat) = parse_stat(text) {
        // A name can hold anything, and nothing behind it can be taken for it.
        let (_, behind) = text.rsplit_once(')').expect("it was found");
        assert_eq!(parse_stat(&format!("1 (9) S 1 2 3) {text}")), Some(stat));
        assert!(behind.split_ascii_whitespace().count() >= 20);
    }
    let _ = parse_user(text);
    assert!(path_of(text).is_none_or(|path| text.contains(path) && !path.contains('\n')));
    assert!(kills(text).is_none() || text.contains("oom_kill "));
    for name in [INSTANCE, FACTS] {
        let found = variable(bytes, name);
        assert!(found.is_none_or(|value| !value.contains(&0)));
        assert_eq!(found.is_some() && name == INSTANCE, names_instance(bytes) && name == INSTANCE);
    }
    let _ = serde_json::from_str::<LaunchFacts>(text);
    assert!(argument(bytes, "--metrics").is_none_or(|word| !word.contains('\0')));
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(mount) = mount(line) {
            check_mount(&mount, line.len());
        }
    }
    names(text);
}

fn check_mount(mount: &Mount, length: usize) {
    assert!(mount.root.as_os_str().len() + mount.point.as_os_str().len() <= length);
    let below = mount.root.join("adit.service");
    let Some(path) = below.to_str() else { return };
    let directory = mount.directory_of(path).expect("it is below what is mounted");
    assert!(directory.starts_with(&mount.point));
    assert_eq!(mount.path_of(&directory).as_deref(), Some(path));
}

fn names(text: &str) {
    let stem = parse_stem(text);
    assert!(stem.is_none_or(|(slot, generation)| format!("{}.{}.{generation}", slot.tunnel, slot.replica) == text));
    let leaf = parse_name(text);
    assert!(leaf.is_none_or(|(slot, generation)| name_of(&slot, generation) == text));
    let home = Home::of(Path::new("/run/adit/private"));
    let ours = home.instance(
        &crate::connector::SlotId::new("web".parse().expect("it is a name"), 0),
        crate::connector::Generation(1),
        5,
    );
    let (own, _) = ours.split_once(':').expect("an instance id has parts");
    for instance in [text, &format!("{own}:{text}")] {
        if let Some(parsed) = home.parse(instance) {
            assert!(home.is_in(instance.as_bytes()));
            let _ = is_born_from(parsed.begun, u64::MAX) | is_born_from(parsed.begun, 0);
            let written = format!("{own}:{}.{}.{}:", parsed.slot.tunnel, parsed.slot.replica, parsed.generation);
            assert!(instance.starts_with(&written), "{instance:?} is {parsed:?}");
        }
    }
    if let Some(credentials) = credentials::from_token(&Secret::new(text)) {
        assert!(serde_json::from_str::<serde_json::Value>(credentials.expose()).is_ok_and(|value| value.is_object()));
    }
}

/// Any bytes as a generation's record.
pub fn generation(bytes: &[u8]) {
    let Ok(content) = Content::parse(bytes) else { return };
    let written = serde_json::to_vec(&content).expect("it is made of texts and numbers");
    assert_eq!(Content::parse(&written).as_ref(), Ok(&content));
    if let Some(slot) = content.slot() {
        assert_eq!(parse_stem(&Content::stem(&slot, content.generation)), Some((slot, content.generation)));
    }
    let _ = content.told();
    let stranger = Seen {
        pid: 1,
        start_time: 0,
        inode: None,
        leads_session: true,
        user: 1,
        is_near: true,
        cgroup: None,
        instance: None,
        facts: None,
    };
    if content.process.is_none() {
        assert_eq!(judge(&content, &stranger, 1), Verdict::Stranger, "nothing speaks for it");
    }
    let of_another_user = Seen { instance: Some(content.instance.clone()), cgroup: content.leaf.clone(), ..stranger };
    assert_ne!(judge(&content, &of_another_user, 2), Verdict::Proved);
    assert_eq!(Evidence::default().verdict(true), Verdict::Stranger);
}
