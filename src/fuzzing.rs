//! What is fuzzed: every reader of bytes that others write, each with the laws that it has to keep.
//!
//! A target takes any bytes and panics where a law is broken. The laws stand in a module `fuzzing` of each part, where they see what
//! is private. `tests/fuzz` searches for bytes that break them; the corpora that it keeps there are tried by the tests as well.
//! Nothing of this is in a build of the program.

use crate::{
    cloudflare, config, control, daemon, dns_lookup, exposition, import, mcp, name, notify, output, plan, probe, process,
    recorder, store, supervisor,
};

/// Something that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called; its corpus is the folder of that name.
    pub name: &'static str,
    /// Tries these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "answers", run: cloudflare::fuzzing::answers },
    Target { name: "budget", run: cloudflare::fuzzing::budget },
    Target { name: "configuration", run: config::fuzzing::configuration },
    Target { name: "control", run: control::fuzzing::requests },
    Target { name: "definition", run: config::fuzzing::definition },
    Target { name: "dns", run: dns_lookup::fuzzing::answers },
    Target { name: "edit", run: control::fuzzing::edits },
    Target { name: "events", run: recorder::fuzzing::feed },
    Target { name: "generation", run: process::fuzzing::generation },
    Target { name: "import", run: import::fuzzing::import },
    Target { name: "kernel", run: process::fuzzing::kernel },
    Target { name: "ledger", run: output::fuzzing::ledger },
    Target { name: "lines", run: output::fuzzing::lines },
    Target { name: "mcp", run: mcp::fuzzing::messages },
    Target { name: "memory", run: supervisor::fuzzing::memory },
    Target { name: "metrics", run: exposition::fuzzing::pages },
    Target { name: "names", run: name::fuzzing::names },
    Target { name: "notify", run: notify::fuzzing::messages },
    Target { name: "plan", run: plan::fuzzing::plans },
    Target { name: "probe", run: probe::fuzzing::answers },
    Target { name: "state", run: store::fuzzing::state },
    Target { name: "systemd", run: daemon::fuzzing::systemd },
    Target { name: "values", run: config::fuzzing::values },
];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_corpus_keeps_the_laws_of_its_target() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        for target in TARGETS {
            let corpus = corpora.join(target.name);
            let files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(!files.is_empty(), "{corpus:?} is empty");
            for file in files {
                // Its name is in the panic of a law that does not hold.
                let kept = std::panic::catch_unwind(|| (target.run)(&fs::read(&file).unwrap()));
                assert!(kept.is_ok(), "{file:?}");
            }
        }
        let folders = fs::read_dir(&corpora).unwrap().map(|folder| folder.unwrap().file_name());
        let unknown: Vec<_> = folders.filter(|folder| !TARGETS.iter().any(|target| folder == target.name)).collect();
        assert!(unknown.is_empty(), "no target has these corpora: {unknown:?}");
    }
}
