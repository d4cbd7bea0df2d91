//! `adit sandbox`: an embedded Cloudflare by itself, for measuring and for trying a daemon against it.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{Context, Ending, Failure};
use crate::{
    sandbox::{
        edge::EdgeSwitches,
        faults::{Fault, Matching, Times},
        stage::Stage,
        switchboard::Switches,
        world::{RateLimit, TokenKind, TokenSpec, World},
    },
    screen::Ends,
};

/// Run an embedded Cloudflare on loopback, until SIGTERM or Ctrl-C
///
/// The folder gets a `cloudflared`, an API token of a user, one of the account and one that expires in twelve hours (`token`, `account-token`, `expiring-token`), and `sandbox.toml`, the part of a configuration that leads a daemon here. It serves
/// zones example.com and example.net, and visitors ask at the address that it prints. Words on its standard input, one a line, break
/// something and mend it: "edge down", "edge up" (no connection stands), "udp blocked", "udp open", "registrations refused",
/// "registrations open" (as with a tunnel's token that is not valid any more), "starts stuck", "starts free" (whoever is started gets no
/// connection), "api failing", "api well" (each call is answered with 503), and "requests N" for a rate limit of N in 5 minutes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder; it must exist and have none of these files.
    #[arg(long, value_name = "PATH")]
    directory: PathBuf,
    /// Do not count requests against Cloudflare's rate limit.
    #[arg(long)]
    no_rate_limit: bool,
}

/// Runs until a signal ends it.
pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut ends = Ends::new()?;
    let stage = start(&arguments).await.map_err(Failure::of)?;
    context.terminal.print(&format!("front http://{}\n", stage.front()))?;
    let mut words = words_of_standard_input();
    loop {
        // Cancel-safe: a signal that came and a word that was read are kept until they are received.
        tokio::select! {
            () = ends.next() => return Ok(Ending::Fine),
            Some(word) = words.recv() => {
                if !switch(&stage, &word) {
                    context.terminal.tell(&format!("cannot do {word:?} (known: {WORDS})"));
                }
            }
        }
    }
}

/// How long the token that expires is good: so short that a daemon says so, and loudly.
const EXPIRING_IN: SignedDuration = SignedDuration::from_hours(12);

/// How many words may wait: they are taken at once.
const WORDS_MAX: usize = 8;

/// What is written to this process, line by line. It ends with the input, which may have ended before it began.
fn words_of_standard_input() -> mpsc::Receiver<String> {
    let (sender, words) = mpsc::channel(WORDS_MAX);
    // A thread of its own, because nothing can take back a read that waits; it goes with the process.
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.blocking_send(line).is_ok()) {}
    });
    words
}

/// What can be written to it.
const WORDS: &str = "edge down, edge up, udp blocked, udp open, registrations refused, registrations open, starts stuck, starts free, \
                     api failing, api well, requests N";

/// Breaks or mends something. Whether the word was understood.
fn switch(stage: &Stage, word: &str) -> bool {
    let edge = |change: fn(&mut EdgeSwitches)| stage.edge.switch(change);
    match word.trim() {
        "edge down" => edge(|switches| switches.down = true),
        "edge up" => edge(|switches| switches.down = false),
        "udp blocked" => edge(|switches| switches.udp_blocked = true),
        "udp open" => edge(|switches| switches.udp_blocked = false),
        "registrations refused" => {
            edge(|switches| switches.refuse_registrations = Some("Unauthorized: Invalid tunnel secret".to_owned()));
        }
        "registrations open" => edge(|switches| switches.refuse_registrations = None),
        "starts stuck" => stage.switchboard.set(None, Switches { never_ready: true, ..Switches::default() }),
        "starts free" => stage.switchboard.set(None, Switches::default()),
        "api failing" => stage.world.faults().add(Fault::ServerError(503), Matching::everything(), Times::UntilCleared),
        "api well" => stage.world.faults().clear(),
        other => match other.strip_prefix("requests ").map(str::parse) {
            Some(Ok(requests)) => stage.world.set_rate_limit(Some(RateLimit { requests, ..RateLimit::default() })),
            Some(Err(_)) | None => return false,
        },
    }
    true
}

async fn start(arguments: &Arguments) -> anyhow::Result<Stage> {
    let world = World::new();
    if arguments.no_rate_limit {
        world.set_rate_limit(None);
    }
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let directory =
        arguments.directory.canonicalize().with_context(|| format!("cannot use the folder {:?}", arguments.directory))?;
    let stage = Stage::start(&directory, &program, world).await.context("cannot start the sandbox")?;
    let owned = stage.world.add_token(TokenSpec { kind: TokenKind::Account, ..TokenSpec::full(&stage.world.account_id()) });
    write_private(&directory.join("account-token"), owned.expose()).context("cannot write account-token")?;
    let expires = Timestamp::now().checked_add(EXPIRING_IN).context("cannot tell the time")?;
    let expiring = stage.world.add_token(TokenSpec { expires: Some(expires), ..TokenSpec::full(&stage.world.account_id()) });
    write_private(&directory.join("expiring-token"), expiring.expose()).context("cannot write expiring-token")?;
    std::fs::write(directory.join("sandbox.toml"), stage.configuration()).context("cannot write sandbox.toml")?;
    Ok(stage)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        net::TcpStream,
        time::{sleep, timeout},
    };

    use super::*;

    #[tokio::test]
    async fn words_break_the_edge_and_mend_it() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::start(directory.path(), Path::new("/bin/true"), World::new()).await.unwrap();
        for (word, up) in [("edge up", true), ("edge down", false), (" edge up\n", true)] {
            assert!(switch(&stage, word));
            let changed = async {
                while TcpStream::connect(stage.edge.addr()).await.is_ok() != up {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(Duration::from_secs(10), changed).await.unwrap();
        }
        for word in ["edge sideways", "requests", "requests many", ""] {
            assert!(!switch(&stage, word), "{word}");
        }
    }

    #[tokio::test]
    async fn every_word_that_is_told_of_is_understood() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::start(directory.path(), Path::new("/bin/true"), World::new()).await.unwrap();
        for word in WORDS.split(", ") {
            assert!(switch(&stage, &word.replace('N', "100")), "{word}");
        }
        assert_eq!(stage.world.faults().remaining(), 0);
    }
}
