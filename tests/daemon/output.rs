//! What connectors write, whatever happens to the daemon that follows it.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt};

use adit::{
    control::api::{Followed, LogLine},
    sandbox::switchboard::Command,
};
use nix::sys::signal::Signal;
use tokio::time::{Instant, timeout};

use crate::{
    disk::SmallDisk,
    host::{Host, PATIENCE},
    processes,
};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// How often the daemon is killed while a connector writes.
const KILLS: u32 = 10;

/// How often at most, while none of the kills came in the middle of a flood.
const KILLS_MAX: u32 = 60;

/// How many lines a connector writes for each kill: less than half of what is kept of its stderr.
const LINES_A_KILL: u32 = 12_000;

/// How long each is at least, in bytes.
const LINE_LENGTH: u64 = 70;

/// Lines of a flood: their number within it, by the number that the ledger gave them.
#[derive(Default)]
struct Flood(BTreeMap<u64, u32>);

impl Flood {
    fn take(&mut self, line: &LogLine) {
        let Some(rest) = line.text.split("flood line ").nth(1) else { return };
        let number = rest.split(' ').next().unwrap().parse().unwrap();
        assert!(rest.ends_with("the quick brown fox jumps over the lazy dog"), "torn: {line:?}");
        if let Some(before) = self.0.insert(line.id, number) {
            assert_eq!(before, number, "one number for two lines");
        }
    }

    fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(id, _)| *id)
    }
}

/// Reads what comes until the last line of the flood, and gives how many lines were said to be left out.
async fn follow(host: &Host, flood: &mut Flood, last: u32) -> u64 {
    let since = flood.last().map_or_else(Vec::new, |id| vec![("since", id.to_string())]);
    let query = since.into_iter().chain([("lines", "1".to_owned())]).collect::<Vec<_>>();
    let mut missed = 0;
    let Ok(mut stream) = host.client.follow_logs("web", &query).await else { return 0 };
    // A daemon that is killed ends the stream.
    while let Ok(Some(next)) = timeout(PATIENCE, stream.next()).await.expect("lines come") {
        match next {
            Followed::Item(line) => flood.take(&line),
            Followed::Missed(count) => missed += count,
        }
        if flood.0.values().next_back() == Some(&last) {
            break;
        }
    }
    missed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_comes_back_misses_no_line_and_sees_none_twice_however_often_the_daemon_is_killed() {
    let host = Host::serving(ONE_TUNNEL).await;
    let connector = host.connector("web").await.pid.unwrap();
    let written = || fs::metadata(host.path("state/logs/web/0-1.err")).unwrap();
    let mut flood = Flood::default();
    let mut interrupted = 0;
    let mut missed = 0;
    // The first number is known before the flood begins.
    assert!(host.stage.switchboard.command(connector, Command::FloodStderr(1)));
    missed += follow(&host, &mut flood, 1).await;
    let first = flood.last().unwrap();
    let mut rounds = 0;
    // A busy machine may look away until a flood is over; another round then.
    while rounds < KILLS || (interrupted == 0 && rounds < KILLS_MAX) {
        let round = rounds % KILLS;
        rounds += 1;
        let before = written().len();
        assert!(host.stage.switchboard.command(connector, Command::FloodStderr(LINES_A_KILL)));
        // It is killed in the first half of the flood, at a place that differs from round to round.
        let flood_length = u64::from(LINES_A_KILL) * LINE_LENGTH;
        let deadline = Instant::now() + PATIENCE;
        while written().len() < before + flood_length / 2 * u64::from(round + 1) / u64::from(KILLS) {
            assert!(Instant::now() < deadline, "the connector writes");
            tokio::task::yield_now().await;
        }
        // Looked at before the kill: until the daemon is reaped, the connector goes on.
        interrupted += u32::from(written().len() < before + flood_length);
        host.kill();
        host.start().await;
        missed += follow(&host, &mut flood, LINES_A_KILL).await;
        assert_eq!(host.connector_pids(), [connector], "the connector is still the same");
    }

    assert!(interrupted > 0, "the daemon was killed in the middle of no flood");
    assert_eq!(missed, 0);
    let numbers: Vec<u32> = flood.0.range(first + 1..).map(|(_, number)| *number).collect();
    assert_eq!(numbers.len() as u32, rounds * LINES_A_KILL);
    assert!(numbers.chunks(LINES_A_KILL as usize).all(|round| round.iter().copied().eq(1..=LINES_A_KILL)));
    let file = written();
    assert!(file.len() > 5 << 20 && file.blocks() * 512 < 4 << 20, "{} bytes, {} blocks", file.len(), file.blocks());
}

#[tokio::test]
async fn a_reader_who_follows_goes_on_with_the_next_generation() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut stream = host.client.follow_logs("web", &[("lines", "1000".to_owned())]).await.unwrap();
    let killed = host.connector("web").await.pid.unwrap();
    assert!(host.stage.switchboard.command(killed, Command::FloodStderr(1)));

    let (mut texts, mut ids) = (Vec::new(), Vec::new());
    while texts.iter().filter(|text: &&String| text.contains("Starting tunnel")).count() < 2 {
        match timeout(PATIENCE, stream.next()).await.expect("lines come").unwrap().expect("it goes on") {
            Followed::Item(line) => {
                // Of two files that were both written to since the last look, nobody knows which line was first.
                if line.text.contains("flood line 1 of 1") {
                    processes::signal(killed, Signal::SIGTERM);
                }
                texts.push(line.text);
                ids.push(line.id);
            }
            Followed::Missed(count) => panic!("{count} lines are missing"),
        }
    }
    let at = |text: &str| texts.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {texts:#?}"));
    assert!(at("Starting tunnel") < at("flood line 1 of 1") && at("flood line 1 of 1") < at("Metrics server stopped"));
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn a_full_disk_takes_lines_to_the_spare_folder_and_stops_nothing() {
    let host = Host::prepare().await;
    let Some(disk) = SmallDisk::mount(&host.path("state")) else { return };
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;
    let starts = async || {
        let lines = host.client.logs("web", &[("lines", "1000".to_owned())]).await.unwrap();
        lines.iter().filter(|line| line.text.contains("Starting tunnel")).map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(starts().await.len(), 1);
    // A file that is replaced leaves room for a moment: that may be when the next connector is started.
    for _ in 0..5 {
        host.until("nothing more fits", async |_| disk.fill() == 0).await;
        let killed = *starts().await.last().unwrap();
        host.kill_connector("web").await;
        if host.client.events(&[]).await.unwrap().iter().any(|event| event.kind == "connector-log-unavailable") {
            // Generations before the last one may have made room.
            let left: Vec<u64> = starts().await.into_iter().filter(|start| *start >= killed).collect();
            assert!(matches!(left[..], [first, _] if first == killed), "{killed}: {left:?}");
            return;
        }
    }
    panic!("each connector found room on a full disk");
}

#[tokio::test]
async fn the_command_that_follows_goes_on_when_the_daemon_is_started_again() {
    let host = Host::serving(ONE_TUNNEL).await;
    let shown = host.path("shown");
    let mut follower = tokio::process::Command::new(processes::PROGRAM)
        .args(["logs", "-f", "web", "-n", "1"])
        .env_clear()
        .env("ADIT_SOCKET", host.path("run/adit.sock"))
        .stdout(fs::File::create(&shown).unwrap())
        .stderr(fs::File::create(host.path("told")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let connector = host.connector("web").await.pid.unwrap();
    let count = |part: &str| fs::read_to_string(&shown).unwrap().lines().filter(|line| line.contains(part)).count();
    host.until("the follower shows what there is", async |_| count("") > 0).await;

    assert!(host.stage.switchboard.command(connector, Command::FloodStderr(100)));
    host.kill();
    assert!(host.stage.switchboard.command(connector, Command::FloodStderr(50)));
    host.start().await;
    assert!(host.stage.switchboard.command(connector, Command::FloodStderr(25)));

    host.until("the follower shows the last line", async |_| count("flood line 25 of 25") == 1).await;
    assert_eq!((count(" of 100"), count(" of 50"), count(" of 25")), (100, 50, 25), "each line once");
    assert!(fs::read_to_string(host.path("told")).unwrap().contains("waiting for the next one"));
    follower.kill().await.unwrap();
}
