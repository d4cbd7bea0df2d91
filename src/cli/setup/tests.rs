//! The whole command against the embedded Cloudflare, with stand-ins for systemd's programs.

use std::{
    cell::RefCell,
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process,
    rc::Rc,
};

use clap::Parser as _;

use super::*;
use crate::{
    cli::{Terminal, programs::Programs},
    control,
    sandbox::{
        stage::Stage,
        world::{Permission, Plan as ZonePlan, TokenSpec, TokenStatus, World},
    },
};

/// What systemctl and systemd-creds are here: they note how they were called and what they were given to know.
const SYSTEMCTL: &str = r#"
here=$(dirname "$0")
{ echo "systemctl $*"; env; } >>"$here/log"
case $* in
    *LoadState*) echo loaded ;;
    *ActiveState*) cat "$here/state" ;;
    start*) if [ -e "$here/broken" ]; then echo 'Job for adit.service failed.' >&2; exit 1; fi; echo active >"$here/state" ;;
esac
"#;
const SYSTEMD_CREDS: &str = r#"
here=$(dirname "$0")
{ echo "systemd-creds $*"; env; } >>"$here/log"
if [ -e "$here/unable" ]; then cat >/dev/null; echo 'No TPM here.' >&2; exit 1; fi
echo "encrypted $(wc -c | tr -d ' ') bytes"
"#;

/// A host to set up, with an account at Cloudflare.
struct Bench {
    stage: Stage,
    directory: tempfile::TempDir,
    api_base: String,
}

/// What a call came to.
struct Ran {
    ending: Result<Ending, Ending>,
    /// What was printed, what was told, and the failure's report.
    out: String,
    words: String,
}

/// Text that is printed.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = directory.path().join("sandbox");
        let bin = directory.path().join("bin");
        for folder in [&sandbox, &bin] {
            fs::create_dir(folder).unwrap();
        }
        let stage = Stage::start(&sandbox, Path::new("/bin/true"), World::new()).await.unwrap();
        // What the sandbox keeps of its own token is none of this.
        fs::remove_file(sandbox.join("token")).unwrap();
        let configuration: toml::Table = stage.configuration().parse().unwrap();
        let api_base = configuration["accounts"]["sandbox"]["api_base"].as_str().unwrap().to_owned();
        for (name, script) in [("systemctl", SYSTEMCTL), ("systemd-creds", SYSTEMD_CREDS)] {
            program(&bin.join(name), script);
        }
        fs::write(bin.join("state"), "inactive\n").unwrap();
        Self { stage, directory, api_base }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn host(&self) -> Host {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        Host {
            kind: host::Kind::Service,
            main: self.path("etc/adit/adit.toml"),
            tokens: self.path("etc/adit/credentials"),
            encrypted: self.path("etc/credstore.encrypted"),
            drop_ins: self.path("etc/systemd/system/adit.service.d"),
            has_systemd: true,
            daemon: Some((nix::unistd::geteuid(), nix::unistd::getegid())),
            programs: Programs::on(Some(&path)),
            path: Some(path),
        }
    }

    /// Runs `adit setup` with these arguments, and this on its standard input.
    async fn setup(&self, arguments: &[&str], input: &str) -> Ran {
        self.setup_at(&self.api_base, arguments, input).await
    }

    async fn setup_at(&self, api_base: &str, arguments: &[&str], input: &str) -> Ran {
        let line = ["adit", "setup", "--api-base", api_base];
        let line = crate::cli::CommandLine::try_parse_from(line.iter().chain(arguments)).unwrap();
        let crate::cli::Command::Setup(arguments) = line.command else { panic!("it is another command") };
        let (out, err) = (Shared::default(), Shared::default());
        let mut terminal = Terminal::of_test(input.as_bytes(), Box::new(out.clone()), Box::new(err.clone()));
        let client = control::Client::new(self.path("adit.sock"));
        let mut context = Context { client, output: line.output, terminal: &mut terminal };
        let (ending, report) = match carry_out(&arguments, &self.host(), &mut context).await {
            Ok(ending) => (Ok(ending), String::new()),
            Err(failure) => (Err(failure.ending), failure.report()),
        };
        Ran { ending, out: out.text(), words: format!("{}{report}", err.text()) }
    }

    /// A token that may do everything but this.
    fn token_without(&self, missing: &[Permission]) -> Secret {
        let world = &self.stage.world;
        let mut spec = TokenSpec::full(&world.account_id());
        spec.permissions.retain(|permission| !missing.contains(permission));
        world.add_token(spec)
    }

    /// Every file below `etc`, by its path there.
    fn files(&self) -> Vec<String> {
        let etc = self.path("etc");
        let mut files: Vec<String> =
            all_files(&etc).iter().map(|path| path.strip_prefix(&etc).unwrap().display().to_string()).collect();
        files.sort();
        files
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// How systemd's programs were called, without what they were given to know.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("bin/log")).unwrap_or_default();
        let calls = log.lines().filter(|line| line.starts_with("systemctl ") || line.starts_with("systemd-creds "));
        calls.filter(|line| !line.contains("show")).map(str::to_owned).collect()
    }

    fn forget_calls(&self) {
        let _ = fs::remove_file(self.path("bin/log"));
    }

    /// Fails when the secret is in a file, in what a program was told, or in what was printed.
    fn expect_hidden(&self, secret: &Secret, ran: &Ran) {
        assert!(!format!("{}{}", ran.out, ran.words).contains(secret.expose()), "it is printed: {}{}", ran.out, ran.words);
        for path in all_files(self.directory.path()) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(secret.expose()), "it is in {path:?}");
        }
    }
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).filter(|path| path.is_file()).collect()
}

/// Writes a script by another process: the kernel might refuse to execute what this one has open.
fn program(path: &Path, script: &str) {
    let writing = "printf '#!/bin/sh\n%s\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
    let written = process::Command::new("/bin/sh").args(["-c", writing, "sh"]).arg(path).arg(script).status();
    assert!(written.unwrap().success());
}

const WEB: [&str; 6] = ["--tunnel", "web", "--hostname", "app.example.com", "--service", "http://localhost:8080"];
const UP: [&str; 3] = ["systemctl daemon-reload", "systemctl daemon-reload", "systemctl enable adit.service"];

#[tokio::test]
async fn the_first_call_keeps_the_token_encrypted_writes_the_files_and_starts_the_service() {
    let bench = Bench::new().await;
    let token = bench.stage.world.api_token();
    let ran = bench.setup(&WEB, &format!("  {}\n\n", token.expose())).await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    let files = ["adit/adit.toml", "adit/conf.d/account-default.toml", "adit/conf.d/tunnel-web.toml"];
    assert_eq!(bench.files(), files.into_iter().chain(["credstore.encrypted/cloudflare-api-token"]).collect::<Vec<_>>());
    let encrypted = format!("encrypted {} bytes\n", token.expose().len());
    assert_eq!(bench.read("etc/credstore.encrypted/cloudflare-api-token"), encrypted, "it came by standard input alone");
    let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("etc/credstore.encrypted/cloudflare-api-token"), 0o600);
    assert_eq!((mode("etc/credstore.encrypted"), mode("etc/adit/conf.d/account-default.toml")), (0o700, 0o644));
    let [reload, again, enable] = UP;
    let encrypt = "systemd-creds encrypt --name=cloudflare-api-token - -";
    assert_eq!(bench.calls(), [reload, encrypt, again, enable, "systemctl start adit.service"]);
    bench.expect_hidden(&token, &ran);
    let config = crate::config::parse(&crate::config_files::read(&bench.host().main).unwrap()).unwrap();
    assert_eq!(config.accounts.values().next().unwrap().account_id, Some(bench.stage.world.account_id()));
    assert_eq!(config.tunnels.len(), 1);
}

#[tokio::test]
async fn a_second_call_asks_for_nothing_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.setup(&WEB, bench.stage.world.api_token().expose()).await;
    let before = bench.files();
    bench.forget_calls();
    let ran = bench.setup(&WEB, "").await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    assert!(ran.words.contains("is configured already") && ran.words.contains("runs already"), "{}", ran.words);
    assert_eq!((bench.files(), bench.calls()), (before, UP.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_call_that_was_killed_after_any_file_is_gone_on_with() {
    let whole = Bench::new().await;
    whole.setup(&WEB, whole.stage.world.api_token().expose()).await;
    let order = [
        "credstore.encrypted/cloudflare-api-token",
        "adit/adit.toml",
        "adit/conf.d/account-default.toml",
        "adit/conf.d/tunnel-web.toml",
    ];
    for written in 0..=order.len() {
        let bench = Bench::new().await;
        let token = bench.stage.world.api_token();
        bench.setup(&WEB, token.expose()).await;
        for name in &order[written..] {
            fs::remove_file(bench.path("etc").join(name)).unwrap();
        }
        fs::write(bench.path("bin/state"), "inactive\n").unwrap();
        let ran = bench.setup(&WEB, token.expose()).await;
        assert_eq!(ran.ending, Ok(Ending::Fine), "{written}: {}", ran.words);
        assert_eq!(bench.files(), whole.files(), "{written}");
        assert_eq!(bench.read("bin/state"), "active\n", "{written}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_start_is_told_with_what_is_done_and_started_by_the_next_call() {
    let bench = Bench::new().await;
    fs::write(bench.path("bin/broken"), "").unwrap();
    let ran = bench.setup(&WEB, bench.stage.world.api_token().expose()).await;
    assert_eq!(ran.ending, Err(Ending::Failed));
    for words in ["Job for adit.service failed.", "done already: wrote ", "done already: enabled", "journalctl -u adit"] {
        assert!(ran.words.contains(words), "{words}: {}", ran.words);
    }
    fs::remove_file(bench.path("bin/broken")).unwrap();
    let ran = bench.setup(&WEB, "").await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    assert_eq!(bench.calls().last().unwrap(), "systemctl start adit.service");
}

#[tokio::test]
async fn each_missing_right_is_named_as_the_dashboard_does_and_nothing_is_kept() {
    use Permission::{
        CloudflaredRead, CloudflaredWrite, ConnectorsRead, ConnectorsWrite, DnsWrite, TunnelRead, TunnelWrite, ZoneRead,
    };
    for (missing, named) in [
        (vec![TunnelWrite, ConnectorsWrite, CloudflaredWrite], "Account > Cloudflare Tunnel > Edit"),
        (vec![DnsWrite], "Zone > DNS > Edit"),
        (vec![ZoneRead, Permission::ZoneWrite], "Zone > Zone > Read"),
        (
            vec![TunnelWrite, ConnectorsWrite, CloudflaredWrite, TunnelRead, ConnectorsRead, CloudflaredRead],
            "Account > Cloudflare Tunnel > Read",
        ),
    ] {
        let bench = Bench::new().await;
        let token = bench.token_without(&missing);
        let ran = bench.setup(&WEB, token.expose()).await;
        assert_eq!(ran.ending, Err(Ending::Failed), "{named}");
        assert!(ran.words.contains(named) && ran.words.contains("nothing was kept"), "{named}: {}", ran.words);
        assert_eq!(bench.files(), Vec::<String>::new(), "{named}");
        bench.expect_hidden(&token, &ran);
    }
}

#[tokio::test]
async fn a_token_that_does_not_work_and_a_cloudflare_that_does_not_answer_are_told_apart() {
    let bench = Bench::new().await;
    let token = bench.stage.world.api_token();
    let nobody = bench.setup_at("http://127.0.0.1:1/client/v4", &[], token.expose()).await;
    assert!(nobody.words.contains("Cloudflare could not be asked"), "{}", nobody.words);
    let unknown = bench.setup(&[], "cfut_0123456789012345678901234567890123456789abcdef01").await;
    assert!(unknown.words.contains("Cloudflare does not know it"), "{}", unknown.words);
    bench.stage.world.dashboard().set_token_status(&token, TokenStatus::Disabled).unwrap();
    let disabled = bench.setup(&[], token.expose()).await;
    for ran in [nobody, unknown, disabled] {
        assert_eq!(ran.ending, Err(Ending::Failed), "{}", ran.words);
        bench.expect_hidden(&token, &ran);
    }
    assert_eq!(bench.files(), Vec::<String>::new());
}

#[tokio::test]
async fn of_several_accounts_one_has_to_be_named() {
    let bench = Bench::new().await;
    let world = &bench.stage.world;
    let other = world.add_account("Other");
    world.add_zone(&other, "other.example", ZonePlan::Free);
    let accounts = vec![world.account_id(), other.clone()];
    let token = world.add_token(TokenSpec { accounts, ..TokenSpec::full(&world.account_id()) });
    let unnamed = bench.setup(&[], token.expose()).await;
    assert_eq!(unnamed.ending, Err(Ending::Usage));
    for words in ["sees 2", other.as_str(), "Other", "--account-id"] {
        assert!(unnamed.words.contains(words), "{words}: {}", unnamed.words);
    }
    assert_eq!(bench.files(), Vec::<String>::new());
    let strange = bench.setup(&["--account-id", "ffffffffffffffffffffffffffffffff"], token.expose()).await;
    assert!(strange.words.contains("does not see it") && strange.words.contains("Other"), "{}", strange.words);
    let named = bench.setup(&["--account-id", other.as_str()], token.expose()).await;
    assert_eq!(named.ending, Ok(Ending::Fine), "{}", named.words);
    assert!(bench.read("etc/adit/conf.d/account-default.toml").contains(other.as_str()));
}

#[tokio::test]
async fn a_second_account_gets_a_credential_and_a_drop_in_of_its_own() {
    let bench = Bench::new().await;
    let world = &bench.stage.world;
    bench.setup(&[], world.api_token().expose()).await;
    let same = bench.setup(&["--name", "second"], world.api_token().expose()).await;
    assert_eq!(same.ending, Err(Ending::Conflict));
    assert!(same.words.contains("it is configured already, as \"default\""), "{}", same.words);
    bench.forget_calls();
    let other = world.add_account("Other");
    world.add_zone(&other, "other.example", ZonePlan::Free);
    let token = world.add_token(TokenSpec::full(&other));
    let ran = bench.setup(&["--name", "second"], token.expose()).await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    assert!(bench.files().contains(&"credstore.encrypted/cloudflare-api-token-second".to_owned()), "{:?}", bench.files());
    let drop_in = bench.read("etc/systemd/system/adit.service.d/account-second.conf");
    assert!(drop_in.ends_with("[Service]\nLoadCredentialEncrypted=cloudflare-api-token-second\n"), "{drop_in}");
    assert_eq!(bench.calls().last().unwrap(), "systemctl restart adit.service", "the credential is copied at a start");
    bench.expect_hidden(&token, &ran);
}

#[tokio::test]
async fn where_systemd_cannot_encrypt_the_token_is_in_a_private_file_unless_that_was_ruled_out() {
    let bench = Bench::new().await;
    let token = bench.stage.world.api_token();
    fs::write(bench.path("bin/unable"), "").unwrap();
    let refused = bench.setup(&["--store", "systemd"], token.expose()).await;
    assert_eq!(refused.ending, Err(Ending::Failed));
    assert!(refused.words.contains("No TPM here.") && refused.words.contains("--store file"), "{}", refused.words);
    assert_eq!(bench.files(), Vec::<String>::new());
    let ran = bench.setup(&[], token.expose()).await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    assert!(ran.words.contains("in a file of mode 0600") && !ran.words.contains(token.expose()), "{}", ran.words);
    let path = bench.path("etc/adit/credentials/default");
    assert_eq!(
        (fs::read_to_string(&path).unwrap().trim(), fs::metadata(&path).unwrap().mode() & 0o7777),
        (token.expose(), 0o600)
    );
    let config = crate::config::parse(&crate::config_files::read(&bench.host().main).unwrap()).unwrap();
    assert_eq!(config.accounts.values().next().unwrap().api_token, crate::config::TokenSource::File(path));
}

#[tokio::test]
async fn another_token_takes_the_place_of_the_first_when_that_is_asked_for() {
    let bench = Bench::new().await;
    let world = &bench.stage.world;
    bench.setup(&["--store", "file"], world.api_token().expose()).await;
    let account = bench.read("etc/adit/conf.d/account-default.toml");
    let next = world.add_token(TokenSpec::full(&world.account_id()));
    let ran = bench.setup(&["--replace"], next.expose()).await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    assert!(ran.words.contains("in the place of the one that is there"), "{}", ran.words);
    assert_eq!(bench.read("etc/adit/credentials/default").trim(), next.expose());
    assert_eq!(bench.read("etc/adit/conf.d/account-default.toml"), account);
    assert_eq!(bench.calls().last().unwrap(), "systemctl restart adit.service");
}

#[tokio::test]
async fn a_dry_run_shows_everything_but_the_token_and_does_nothing() {
    let bench = Bench::new().await;
    let token = bench.stage.world.api_token();
    let ran = bench.setup(&[&WEB[..], &["--dry-run"]].concat(), token.expose()).await;
    assert_eq!(ran.ending, Ok(Ending::Fine), "{}", ran.words);
    for words in
        ["credstore.encrypted/cloudflare-api-token", "account_id = ", "hostname = \"app.example.com\"", "systemctl enable"]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    bench.expect_hidden(&token, &ran);
    let for_programs = bench.setup(&["--dry-run", "-o", "json"], token.expose()).await;
    let summary: serde_json::Value = serde_json::from_str(&for_programs.out).unwrap();
    assert!(summary["dry_run"] == true && for_programs.words.contains("would write"), "{}", for_programs.words);
    assert_eq!((bench.files(), bench.calls()), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_there_is_neither_written_over_nor_added_to_when_it_is_wrong() {
    let bench = Bench::new().await;
    let token = bench.stage.world.api_token();
    fs::create_dir_all(bench.path("etc/adit/conf.d")).unwrap();
    fs::set_permissions(bench.path("etc/adit/conf.d"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(bench.path("etc/adit/conf.d/tunnel-web.toml"), "# mine\n").unwrap();
    let conflict = bench.setup(&WEB, token.expose()).await;
    assert_eq!(conflict.ending, Err(Ending::Conflict), "{}", conflict.words);
    assert!(conflict.words.contains("something else stands there") && conflict.words.contains("app.example.com"));
    assert_eq!(bench.files(), ["adit/conf.d/tunnel-web.toml"]);
    fs::write(bench.path("etc/adit/adit.toml"), "nonsense = 1\n").unwrap();
    let asked = bench.stage.world.request_count();
    let wrong = bench.setup(&[], token.expose()).await;
    assert!(wrong.words.contains("nonsense") && wrong.words.contains("adit config check"), "{}", wrong.words);
    assert_eq!(bench.stage.world.request_count(), asked, "nobody is asked before that is mended");
}

#[tokio::test]
async fn programs_get_a_summary() {
    let bench = Bench::new().await;
    let ran = bench.setup(&["-o", "json"], bench.stage.world.api_token().expose()).await;
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.words));
    assert_eq!((summary["account"].as_str(), summary["service"].as_str()), (Some("default"), Some("started")));
    assert!(summary["done"].as_array().is_some_and(|done| done.len() == 4), "{summary}");
}

#[tokio::test]
async fn a_second_call_at_the_same_time_is_refused_before_it_looks() {
    let bench = Bench::new().await;
    let folder = bench.path("etc/adit");
    fs::create_dir_all(&folder).unwrap();
    let first = claim(&bench.host()).unwrap();
    assert!(first.is_some());
    let token = bench.stage.world.api_token();
    let ran = bench.setup(&WEB, token.expose()).await;
    assert_eq!(ran.ending, Err(Ending::Conflict));
    assert!(ran.words.contains("another \"adit setup\" is at work there"), "{}", ran.words);
    assert!(bench.files().is_empty() && bench.calls().is_empty(), "{:?}", bench.calls());
    assert_eq!(bench.setup(&["--dry-run"], token.expose()).await.ending, Ok(Ending::Fine), "it changes nothing");
    drop(first);
    assert_eq!(bench.setup(&WEB, token.expose()).await.ending, Ok(Ending::Fine));
}
