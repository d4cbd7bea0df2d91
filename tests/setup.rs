//! `adit setup` as somebody at a terminal meets it: the prompt, its mistakes, and the terminal afterwards.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/terminal.rs"]
mod terminal;

use std::{fs, path::Path, process::ExitStatus, time::Duration};

use adit::sandbox::{
    stage::Stage,
    world::{TokenSpec, World},
};
use terminal::Terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_adit");
const PROMPT: &str = "API token (it is not shown):";

/// How long anything may take. It is looked at again and again until then.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for a configuration, and a terminal with the program on it.
struct Bench {
    folder: tempfile::TempDir,
    terminal: Terminal,
}

impl Bench {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("adit.toml").display().to_string();
        let arguments: Vec<&str> = ["setup", "--config", &main].into_iter().chain(arguments.iter().copied()).collect();
        let terminal = Terminal::start(PROGRAM, &arguments, &[], 160, 60);
        Self { folder, terminal }
    }

    async fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Terminal) -> bool) {
        let coming_true = async {
            while !is_so(&mut self.terminal) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came_true = tokio::time::timeout(PATIENCE, coming_true).await.is_ok();
        assert!(came_true, "{what} does not come true; the terminal shows\n{}", self.terminal.text());
    }

    async fn until_shown(&mut self, words: &str) {
        self.until(words, |terminal| terminal.text().contains(words)).await;
    }

    /// Waits for the prompt whose answer is hidden: the program wants it to be typed only then.
    async fn until_asked(&mut self, times: usize) {
        self.until("the prompt", |terminal| terminal.text().matches(PROMPT).count() == times && !terminal.echoes()).await;
    }

    async fn end(&mut self) -> ExitStatus {
        self.until("the end", |terminal| terminal.ended().is_some()).await;
        assert!(self.terminal.is_as_before(), "the terminal is left in another state");
        self.terminal.ended().unwrap()
    }

    fn has_files(&self) -> bool {
        fs::read_dir(self.folder.path()).unwrap().next().is_some()
    }
}

#[tokio::test]
async fn a_pasted_token_is_kept_and_never_shown_and_the_rest_of_the_paste_goes_nowhere() {
    let mut bench = Bench::start(&["--offline"]);
    bench.until_asked(1).await;
    bench.until_shown("Zone > DNS > Edit").await;
    bench.terminal.press(" cfut_canary_one \rcfut_canary_two\r");
    bench.until_shown("Hostname of a first tunnel").await;
    bench.terminal.press("\r");
    assert!(bench.end().await.success(), "{}", bench.terminal.text());
    assert!(!bench.terminal.text().contains("canary"), "{}", bench.terminal.text());
    let kept = fs::read_to_string(bench.folder.path().join("credentials/default")).unwrap();
    assert_eq!(kept, "cfut_canary_one\n");
}

#[tokio::test]
async fn an_interruption_changes_nothing_and_leaves_the_terminal_as_it_was() {
    let mut bench = Bench::start(&["--offline"]);
    bench.until_asked(1).await;
    bench.terminal.press("cfut_canary\x03");
    assert_eq!(bench.end().await.code(), Some(1));
    bench.until_shown("interrupted").await;
    bench.until_shown("nothing was changed").await;
    assert!(!bench.has_files() && !bench.terminal.text().contains("canary"));
}

#[tokio::test]
async fn the_end_of_the_input_changes_nothing() {
    let mut bench = Bench::start(&["--offline"]);
    bench.until_asked(1).await;
    bench.terminal.press("\x04");
    assert_eq!(bench.end().await.code(), Some(1));
    bench.until_shown("the input ended").await;
    assert!(!bench.has_files());
}

#[tokio::test]
async fn what_is_no_token_may_be_tried_again_twice() {
    let mut bench = Bench::start(&["--offline"]);
    for (time, (given, told)) in
        [("\r", "it is empty"), ("cfk_canary\r", "Global API Key"), ("two words\r", "white space")].into_iter().enumerate()
    {
        bench.until_asked(time + 1).await;
        bench.terminal.press(given);
        bench.until_shown(told).await;
    }
    assert_eq!(bench.end().await.code(), Some(1));
    assert!(!bench.has_files() && !bench.terminal.text().contains("canary"));
}

#[tokio::test]
async fn an_account_is_chosen_and_a_tunnel_is_asked_for_until_it_can_be_used() {
    let sandbox = tempfile::tempdir().unwrap();
    let world = World::new();
    let other = world.add_account("Other");
    let accounts = vec![world.account_id(), other.clone()];
    let token = world.add_token(TokenSpec { accounts, ..TokenSpec::full(&world.account_id()) });
    let stage = Stage::start(sandbox.path(), Path::new(PROGRAM), world).await.unwrap();
    let configuration: toml::Table = stage.configuration().parse().unwrap();
    let api_base = configuration["accounts"]["sandbox"]["api_base"].as_str().unwrap();
    let mut bench = Bench::start(&["--api-base", api_base]);
    bench.until_asked(1).await;
    bench.terminal.press(&format!("{}\r", token.expose()));
    bench.until_shown("Which one? [1-2]").await;
    let text = bench.terminal.text();
    assert!(text.contains("Adit Sandbox") && text.contains("Other"), "{text}");
    let ours = format!("1  {}", stage.world.account_id());
    bench.terminal.press(if text.contains(&ours) { "1\r" } else { "2\r" });
    bench.until_shown("Hostname of a first tunnel").await;
    bench.terminal.press("nodot\r\r\r");
    bench.until_shown("a hostname needs a dot").await;
    bench.terminal.press("app.example.com\r\r\r");
    assert!(bench.end().await.success(), "{}", bench.terminal.text());
    let read = |name: &str| fs::read_to_string(bench.folder.path().join("conf.d").join(name)).unwrap();
    assert!(read("account-default.toml").contains(stage.world.account_id().as_str()));
    assert!(read("tunnel-web.toml").contains("app.example.com") && read("tunnel-web.toml").contains("http://localhost:8080"));
    assert!(!bench.terminal.text().contains(token.expose()));
}
