//! Whatever is written, read, ended and crashed, in whatever order: each line is given out once, whole and in the order of its file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::mpsc::{self, Receiver},
};

use proptest::prelude::*;

use super::super::{Output, Sinks, line::Stream};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

#[derive(Debug, Clone)]
enum Step {
    /// A replica's connector writes lines, and the beginning of another.
    Write { replica: u8, is_log: bool, lines: u8, begins: bool },
    /// It ends and another takes its place.
    Replace { replica: u8 },
    /// The daemon ends at once, and the next one adopts what runs.
    Crash,
    /// The ledger lost its last bytes in the crash.
    CrashInTheLedger { bytes: u8 },
    /// A reader reads what there is for it.
    Read,
}

fn any_step() -> impl Strategy<Value = Step> {
    let replica = 0u8..3;
    prop_oneof![
        6 => (replica.clone(), any::<bool>(), 0u8..9, any::<bool>())
            .prop_map(|(replica, is_log, lines, begins)| Step::Write { replica, is_log, lines, begins }),
        1 => replica.prop_map(|replica| Step::Replace { replica }),
        1 => Just(Step::Crash),
        1 => (1u8..60).prop_map(|bytes| Step::CrashInTheLedger { bytes }),
        3 => Just(Step::Read),
    ]
}

struct Connector {
    generation: u64,
    log: File,
    stderr: File,
    /// The files in which a line was begun: its log, its stderr.
    begun: BTreeSet<bool>,
}

struct Host {
    directory: tempfile::TempDir,
    daemon: Option<(Output, Receiver<()>)>,
    connectors: BTreeMap<u8, Connector>,
    /// How many lines were written, for each file; each line is its number.
    written: BTreeMap<(u8, u64, bool), u64>,
    /// What the reader has got, for each file.
    read: BTreeMap<(u8, u64, bool), Vec<u64>>,
    last: u64,
}

fn tunnel() -> TunnelName {
    "web".parse().unwrap()
}

fn slot(replica: u8) -> SlotId {
    SlotId::new(tunnel(), replica)
}

/// A daemon's part in it. Its thread is over when nobody can send to the receiver any more.
fn start(directory: &Path) -> (Output, Receiver<()>) {
    let (alive, ended) = mpsc::channel();
    let hint = move |_| alive.send(()).unwrap();
    let sinks = Sinks { hint: Box::new(hint), journal: None, shown: Box::new(TunnelName::clone) };
    (Output::start(directory.join("logs"), directory.join("spare"), sinks).unwrap(), ended)
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let daemon = Some(start(directory.path()));
        let mut host =
            Self { directory, daemon, connectors: BTreeMap::new(), written: BTreeMap::new(), read: BTreeMap::new(), last: 0 };
        for replica in 0..3 {
            host.open(replica, 1);
        }
        host
    }

    fn output(&self) -> &Output {
        &self.daemon.as_ref().expect("a daemon runs").0
    }

    fn open(&mut self, replica: u8, generation: u64) {
        let opened = self.output().open(&slot(replica), Generation(generation)).unwrap();
        let log = OpenOptions::new().append(true).open(opened.logfile).unwrap();
        self.connectors.insert(replica, Connector { generation, log, stderr: opened.stderr.into(), begun: BTreeSet::new() });
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write { replica, is_log, lines, begins } => self.write(*replica, *is_log, *lines, *begins),
            Step::Replace { replica } => {
                let generation = self.connectors[replica].generation;
                self.output().finish(&slot(*replica), Generation(generation));
                self.open(*replica, generation + 1);
            }
            Step::Crash => self.crash(0),
            Step::CrashInTheLedger { bytes } => self.crash(u64::from(*bytes)),
            Step::Read => self.read(),
        }
    }

    fn write(&mut self, replica: u8, is_log: bool, lines: u8, begins: bool) {
        let connector = self.connectors.get_mut(&replica).unwrap();
        let written = self.written.entry((replica, connector.generation, is_log)).or_default();
        let mut text = String::new();
        if connector.begun.remove(&is_log) {
            text.push_str(" ends\n");
        }
        for _ in 0..lines {
            text.push_str(&format!("line {written} ends\n"));
            *written += 1;
        }
        if begins {
            text.push_str(&format!("line {written}"));
            connector.begun.insert(is_log);
            *written += 1;
        }
        let mut file = if is_log { &connector.log } else { &connector.stderr };
        file.write_all(text.as_bytes()).unwrap();
    }

    fn crash(&mut self, torn: u64) {
        let (output, ended) = self.daemon.take().expect("a daemon runs");
        drop(output);
        assert!(ended.recv().is_err(), "the thread ends");
        if torn > 0 {
            let ledger = OpenOptions::new().append(true).open(self.directory.path().join("spare/.numbers/web")).unwrap();
            (&ledger)
                .write_all(&b"1766431200000000 23 0 44100 0-17.logxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[..torn as usize])
                .unwrap();
        }
        self.daemon = Some(start(self.directory.path()));
        for (replica, connector) in &self.connectors {
            self.output().follow(&slot(*replica), Generation(connector.generation));
        }
    }

    fn read(&mut self) {
        loop {
            let batch = self.output().behind(&tunnel(), self.last, 7);
            assert_eq!(batch.missed, 0);
            for line in &batch.lines {
                assert!(line.id > self.last);
                self.last = line.id;
                let line = &line.line;
                let number = line.message.strip_prefix("line ").unwrap_or_else(|| panic!("torn: {line:?}"));
                let number = number.strip_suffix(" ends").unwrap_or(number).parse().unwrap();
                let file = (line.replica, line.generation.0, line.stream == Stream::Log);
                self.read.entry(file).or_default().push(number);
            }
            match batch.last {
                Some(last) if last > self.last => self.last = last,
                Some(_) | None if batch.lines.is_empty() => return,
                Some(_) | None => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn each_line_is_given_out_once_and_whole(steps in prop::collection::vec(any_step(), 1..40)) {
        let mut host = Host::new();
        for step in &steps {
            host.step(step);
        }
        for (replica, connector) in &host.connectors {
            host.output().finish(&slot(*replica), Generation(connector.generation));
        }
        host.read();
        for (file, count) in host.written.iter().filter(|(_, count)| **count > 0) {
            let read = host.read.get(file).cloned().unwrap_or_default();
            prop_assert_eq!(read, (0..*count).collect::<Vec<_>>(), "{:?}", file);
        }
    }
}
