//! Files as they grow, end and go: which lines are found, and with what numbers.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::mpsc::Receiver,
    time::Duration,
};

use super::{
    super::{Batch, Output, Sinks, mounted::Mounted},
    *,
};
use crate::connector::Said;

struct Bench {
    directory: tempfile::TempDir,
    output: Output,
    hints: Receiver<Hint>,
}

/// Longer than any of these tests takes; only a broken one waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn bench() -> Bench {
    bench_in(tempfile::tempdir().unwrap())
}

fn bench_in(directory: tempfile::TempDir) -> Bench {
    let (sender, hints) = mpsc::channel();
    let hint = move |hint| drop(sender.send(hint));
    let sinks = Sinks { hint: Box::new(hint), journal: None, shown: Box::new(TunnelName::clone) };
    let output = Output::start(directory.path().join("logs"), directory.path().join("spare"), sinks).unwrap();
    Bench { directory, output, hints }
}

impl Bench {
    /// Another daemon on the same files.
    fn restart(self) -> Self {
        drop(self.output);
        // The thread is over when it can send no hint any more.
        while self.hints.recv().is_ok() {}
        bench_in(self.directory)
    }

    fn open(&self, replica: u8, generation: u64) -> (File, File) {
        let opened = self.output.open(&slot(replica), Generation(generation)).unwrap();
        let log = OpenOptions::new().append(true).open(opened.logfile).unwrap();
        (log, opened.stderr.into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("logs/web").join(name)
    }

    fn newest(&self, count: usize) -> Batch {
        self.output.newest(&tunnel(), count)
    }
}

fn tunnel() -> TunnelName {
    "web".parse().unwrap()
}

fn slot(replica: u8) -> SlotId {
    SlotId::new(tunnel(), replica)
}

fn messages(batch: &Batch) -> Vec<&str> {
    batch.lines.iter().map(|line| line.line.message.as_str()).collect()
}

fn ids(batch: &Batch) -> Vec<u64> {
    batch.lines.iter().map(|line| line.id).collect()
}

fn entry(message: &str) -> String {
    format!("{{\"level\":\"info\",\"message\":\"{message}\"}}\n")
}

#[test]
fn lines_of_all_replicas_are_numbered_as_they_come_and_last_words_without_an_end_count() {
    let bench = bench();
    let ((mut one, _), (mut two, mut stderr)) = (bench.open(0, 1), bench.open(1, 1));
    one.write_all(entry("a").as_bytes()).unwrap();
    assert_eq!(messages(&bench.newest(9)), ["a"]);
    two.write_all(entry("b").as_bytes()).unwrap();
    assert_eq!(messages(&bench.newest(9)), ["a", "b"]);
    one.write_all((entry("c") + "{\"mess").as_bytes()).unwrap();
    stderr.write_all(b"a last reason").unwrap();
    assert_eq!(messages(&bench.newest(9)), ["a", "b", "c"], "half lines are none");
    one.write_all(b"age\":\"d\"}\n").unwrap();
    bench.output.finish(&slot(1), Generation(1));

    let all = bench.newest(9);
    assert!(messages(&all).starts_with(&["a", "b", "c"]) && all.lines.len() == 5, "{all:?}");
    assert!(messages(&all).contains(&"d") && messages(&all).contains(&"a last reason"), "{all:?}");
    assert!(ids(&all).windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(messages(&bench.newest(2)), messages(&all)[3..]);
    assert_eq!(messages(&bench.output.behind(&tunnel(), all.lines[1].id, 9)), messages(&all)[2..]);
    assert_eq!(bench.output.behind(&tunnel(), all.last.unwrap(), 9).lines, []);
}

#[tokio::test]
async fn a_watcher_is_told_of_a_line_and_finds_it() {
    let bench = bench();
    let mut changes = bench.output.subscribe(&tunnel());
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all(entry("one").as_bytes()).unwrap();
    tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    assert_eq!(messages(&bench.newest(9)), ["one"]);
}

#[test]
fn the_next_daemon_goes_on_with_the_same_numbers() {
    let bench = bench();
    let ((mut one, _one), (mut two, mut panics)) = (bench.open(0, 1), bench.open(1, 1));
    one.write_all((entry("a") + &entry("b") + "{\"message\":").as_bytes()).unwrap();
    let before = bench.newest(9);

    let bench = bench.restart();
    // Nobody follows; one connector goes on, the other ends.
    one.write_all(("\"c\"}\n".to_owned() + &entry("d")).as_bytes()).unwrap();
    two.write_all(entry("e").as_bytes()).unwrap();
    panics.write_all(b"panic: f").unwrap();
    bench.output.follow(&slot(0), Generation(1));

    let after = bench.newest(9);
    assert_eq!(messages(&before), ["a", "b"]);
    assert_eq!(ids(&after)[..2], ids(&before)[..]);
    let mut all = messages(&after);
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "panic: f"]);
    let behind = bench.output.behind(&tunnel(), before.last.unwrap(), 9);
    assert_eq!((behind.lines.len(), behind.missed), (4, 0));
    assert_eq!(bench.hints.try_recv().ok(), None);
}

#[test]
fn a_lost_ledger_numbers_everything_anew_and_higher_and_tells_no_old_news() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all((entry("a") + &entry("Updated to new configuration")).as_bytes()).unwrap();
    let before = bench.newest(9);
    bench.hints.recv_timeout(PATIENCE).unwrap();
    std::fs::remove_dir_all(bench.directory.path().join("spare/.numbers")).unwrap();

    let bench = bench.restart();
    bench.output.follow(&slot(0), Generation(1));

    let again = bench.output.behind(&tunnel(), before.last.unwrap(), 9);
    assert_eq!((messages(&again), again.missed), (messages(&before), 0));
    assert!(again.lines[0].id > before.last.unwrap());
    assert_eq!(bench.hints.try_recv().ok(), None);
}

#[test]
fn a_configuration_that_was_taken_in_is_told_at_once() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all(b"{\"version\":3,\"message\":\"Updated to new configuration\"}\n").unwrap();
    let hint = bench.hints.recv_timeout(PATIENCE).unwrap();
    assert_eq!(hint, Hint { slot: slot(0), generation: Generation(1), said: vec![Said::Configured] });
}

#[test]
fn a_flood_is_given_back_to_the_disk_and_what_is_kept_is_whole_and_counted() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    let first = {
        log.write_all(entry("first").as_bytes()).unwrap();
        bench.newest(1).lines[0].id
    };
    for number in 0..20_000 {
        log.write_all(entry(&format!("{number:0>1000}")).as_bytes()).unwrap();
    }
    bench.output.finish(&slot(0), Generation(1));
    let last = format!("{:0>1000}", 19_999);
    // A reader waits for the follower only so long; on a busy machine it has to come again.
    (0..10).find(|_| messages(&bench.newest(1)) == [last.as_str()]).expect("the last line is numbered");

    let mut batch = bench.output.behind(&tunnel(), first, 500);
    let (missed, mut numbers) = (batch.missed, Vec::new());
    while !batch.lines.is_empty() {
        numbers.extend(batch.lines.iter().map(|line| (line.id, line.line.message.parse::<u64>().unwrap())));
        batch = bench.output.behind(&tunnel(), batch.last.unwrap(), 500);
        assert_eq!(batch.missed, 0);
    }
    let on_disk = log.metadata().unwrap().blocks() * 512;
    assert!(on_disk <= room::share(1) / 2 + 2 * room::HOLE_STEP, "{on_disk} bytes");
    assert!(numbers.len() as u64 * 1000 >= on_disk / 2, "{} lines", numbers.len());
    assert_eq!(missed, numbers[0].1, "those that are gone are counted");
    assert_eq!(numbers.last().unwrap().1, 19_999);
    assert!(numbers.windows(2).all(|pair| pair[1] == (pair[0].0 + 1, pair[0].1 + 1)), "each line once, in its order");
}

#[test]
fn a_line_without_end_does_not_stop_anything() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all(&vec![b'x'; 3 * CHUNK]).unwrap();
    log.write_all(("\n".to_owned() + &entry("next")).as_bytes()).unwrap();
    let batch = bench.newest(9);
    assert_eq!(messages(&batch).last(), Some(&"next"));
}

#[test]
fn a_file_that_somebody_has_emptied_is_read_from_its_beginning() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all((entry("a long line that is gone") + &entry("another")).as_bytes()).unwrap();
    assert_eq!(bench.newest(9).lines.len(), 2);
    log.set_len(0).unwrap();
    log.write_all(entry("new").as_bytes()).unwrap();
    assert_eq!(messages(&bench.newest(1)), ["new"]);
}

#[test]
fn a_finished_generation_keeps_no_room_ahead() {
    let bench = bench();
    let (mut log, _stderr) = bench.open(0, 1);
    log.write_all(entry("x").as_bytes()).unwrap();
    bench.newest(1);
    let ahead = log.metadata().unwrap().blocks() * 512;
    bench.output.finish(&slot(0), Generation(1));
    bench.newest(1);
    let after = log.metadata().unwrap().blocks() * 512;
    assert!(after <= 4096 && (ahead >= room::AHEAD || ahead == after), "{ahead} became {after}");
    assert!(bench.file("0-1.log").exists());
}

#[test]
fn a_full_disk_gives_up_older_output_for_newer() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::at(&directory.path().join("logs"), "tmpfs", "size=1m,mode=0700") else { return };
    let bench = bench_in(directory);
    for generation in [1, 2] {
        let (mut log, _stderr) = bench.open(0, generation);
        log.write_all(entry("x").repeat(4_000).as_bytes()).unwrap();
        bench.output.finish(&slot(0), Generation(generation));
    }
    let (mut log, _stderr) = bench.open(0, 3);
    bench.newest(1);
    // It ends with an error, when nothing more fits.
    let _ = std::fs::write(bench.directory.path().join("logs/filler"), vec![0; 2 << 20]);

    // More than was kept ahead, a little less than the oldest generation has left.
    for number in 0..100 {
        log.write_all(entry(&format!("{number:0>1000}")).as_bytes()).unwrap();
        bench.newest(1);
    }
    assert_eq!(bench.newest(100).lines[0].line.message.parse::<u32>().unwrap(), 0, "none of them was lost");
    assert!(
        !bench.file("0-1.log").exists() && bench.file("0-2.log").exists(),
        "the generation before tells why there is another"
    );
}

#[test]
fn a_full_disk_with_nothing_to_give_up_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::at(&directory.path().join("logs"), "tmpfs", "size=1m,mode=0700") else { return };
    let bench = bench_in(directory);
    let (mut log, _stderr) = bench.open(0, 1);
    bench.newest(1);
    let begun = Instant::now();
    let _ = std::fs::write(bench.directory.path().join("logs/filler"), vec![0; 2 << 20]);
    assert_eq!(bench.output.losses().full_disks(), 0);
    while log.write_all(entry("x").as_bytes()).is_ok() {
        bench.newest(1);
    }
    let pauses = begun.elapsed().as_secs() / ROOM_PAUSE.as_secs();
    let counted = bench.output.losses().full_disks();
    assert!((1..=1 + pauses).contains(&counted), "{counted} times, with {pauses} pauses");
}
