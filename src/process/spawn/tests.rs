//! What a started process finds: a shell script, started by the real spawner, reports.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::{connector::Ending, process::raise_descriptor_limit, secret::Secret};

/// Longer than any of these scripts takes; only a broken one is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A place with a state directory, the private folder of a runtime directory, and a program.
struct Bench {
    directory: tempfile::TempDir,
    spawner: Spawner,
    secrets: watch::Sender<Vec<PathBuf>>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for folder in ["state/logs", "run/private", "elsewhere"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        let secrets = watch::Sender::new(Vec::new());
        let spawner = Spawner::new(SpawnerSettings {
            directory: path("run/private"),
            notify: Some(path("run/private/notify.sock")),
            closed: vec![path("state"), path("run")],
            secrets: secrets.subscribe(),
            descriptors: Some(raise_descriptor_limit().unwrap()),
            subtree: None,
        });
        Self { spawner: spawner.unwrap(), directory, secrets }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn launch(&self, script: &str) -> Launch {
        let mut launch = crate::connector::testing::launch();
        launch.token = Secret::new("hunter2");
        launch.binary = self.path("cloudflared").into();
        // Written by another process: a thread that forks while the file is open would keep everybody from executing it.
        let text = format!("#!/bin/sh\n[ \"$1\" = version ] && echo 2026.8.0 && exit\n{script}\n");
        let write = ["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"];
        let mut command = std::process::Command::new("/bin/sh");
        assert!(command.args(write).arg(&*launch.binary).arg(text).status().unwrap().success());
        launch
    }

    fn spawn(&self, launch: Launch) -> Result<Spawned, SpawnFailure> {
        let program = HeldBinary::inspect(&launch.binary).unwrap();
        self.spawn_program(launch, program)
    }

    fn spawn_program(&self, launch: Launch, program: HeldBinary) -> Result<Spawned, SpawnFailure> {
        let slot = SlotId::new("web".parse().unwrap(), 0);
        let request = SpawnRequest { slot, generation: Generation(1), launch: Arc::new(launch), program: Arc::new(program) };
        self.spawner.spawn(request, || {
            let (stderr, logfile) = (self.path("state/logs/err"), self.path("state/logs/log"));
            File::create(&logfile)?;
            Ok(ConnectorOutput { stderr: File::create(stderr)?.into(), logfile })
        })
    }

    /// Runs a script as a connector; what it wrote, and how it ended.
    async fn run(&self, script: &str) -> (String, Ending) {
        self.run_launch(self.launch(script)).await
    }

    async fn run_launch(&self, launch: Launch) -> (String, Ending) {
        let spawned = self.spawn(launch).unwrap();
        let end = tokio::time::timeout(PATIENCE, spawned.process.end()).await.expect("the script ends");
        (fs::read_to_string(self.path("state/logs/err")).unwrap(), end.ending)
    }

    /// The lines `NAME: VALUE` of a file about the process.
    async fn fields(&self, file: &str) -> BTreeMap<String, String> {
        let (text, _) = self.run(&format!("exec cat /proc/self/{file}")).await;
        let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        text.lines().filter_map(field).collect()
    }
}

#[tokio::test]
async fn the_environment_holds_what_a_connector_needs_and_nothing_else() {
    let bench = Bench::new();
    let mut launch = bench.launch("exec cat /proc/self/environ");
    Arc::make_mut(&mut launch.env).insert("GOMEMLIMIT".into(), "256MiB".into());
    let (text, _) = bench.run_launch(launch).await;
    assert!(!text.contains("hunter2"));
    let mut names: Vec<&str> = text.split_terminator('\0').map(|variable| variable.split_once('=').unwrap().0).collect();
    // The shell tells its child where it is and what it calls.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["ADIT_FACTS", "ADIT_INSTANCE", "GOMEMLIMIT", "HOME", "LISTEN_FDS", "NOTIFY_SOCKET", "PATH"]);
}

#[tokio::test]
async fn no_secret_stands_in_the_arguments_and_the_token_is_read_by_its_descriptor() {
    let bench = Bench::new();
    let (text, ending) = bench.run("tr '\\0' ' ' < /proc/self/cmdline; echo \"$*\"; cat /dev/fd/4").await;
    let (arguments, token) = text.rsplit_once('\n').unwrap();
    assert!(arguments.contains("--token-file /dev/fd/4") && !arguments.contains("hunter2"), "{arguments}");
    assert_eq!((token, ending), ("hunter2", Ending::Code(0)));
}

#[tokio::test]
async fn it_has_its_own_five_descriptors_whatever_the_daemon_has_open() {
    let bench = Bench::new();
    // Not marked to end with an exec, as a library might leave one.
    let leak = rustix::io::dup(File::open("/dev/null").unwrap()).unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let (text, _) = bench.run("for fd in 0 1 2 3 4; do readlink /proc/$$/fd/$fd; done; exec ls /proc/self/fd").await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "/dev/null");
    assert!(lines[1] == lines[2] && lines[1].ends_with("state/logs/err"), "{text}");
    assert!(lines[3].starts_with("socket:") && lines[4].starts_with("/memfd:adit-secret"), "{text}");
    // `ls` opens the folder that it lists, at the first free number.
    assert_eq!(lines[5..], ["0", "1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn signals_are_as_a_program_expects_them_but_for_the_hangup() {
    let bench = Bench::new();
    // This thread blocks one; and SIGPIPE is ignored in every Rust program.
    let mut blocked = nix::sys::signal::SigSet::empty();
    blocked.add(nix::sys::signal::Signal::SIGUSR2);
    blocked.thread_block().unwrap();
    let fields = bench.fields("status").await;
    let bits = |name: &str| u64::from_str_radix(&fields[name], 16).unwrap();
    assert_eq!((bits("SigBlk"), bits("SigCgt"), bits("SigIgn")), (0, 0, 1), "only SIGHUP, the first, is ignored");
}

#[tokio::test]
async fn it_is_limited_and_has_no_way_to_more_privileges() {
    let bench = Bench::new();
    let status = bench.fields("status").await;
    assert_eq!((status["NoNewPrivs"].as_str(), status["Umask"].as_str()), ("1", "0077"));
    let (limits, _) = bench.run("exec cat /proc/self/limits").await;
    let limit = |name: &str| -> Vec<&str> {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).collect()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    let [soft, hard] = bench.spawner.descriptors.unwrap().for_children().map(|limit| limit.to_string());
    assert_eq!(limit("Max open files"), [soft, hard]);
}

#[tokio::test]
async fn it_leads_a_session_of_its_own_in_the_private_folder() {
    let bench = Bench::new();
    let (text, _) = bench.run("cut -d' ' -f5,6 /proc/$$/stat; echo $$; readlink /proc/$$/cwd").await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{0} {0}", lines[1]), "its group and its session");
    assert_eq!(Path::new(lines[2]), fs::canonicalize(bench.path("run/private")).unwrap());
}

#[tokio::test]
async fn it_does_not_inherit_the_daemons_place_before_others() {
    const SCORE: &str = "/proc/self/oom_score_adj";
    let before = fs::read_to_string(SCORE).unwrap();
    // Only this thread gets another niceness. Only root may protect itself.
    if rustix::process::setpriority_process(None, -5).is_err() || fs::write(SCORE, "-1").is_err() {
        return;
    }
    let bench = Bench::new();
    let (text, _) = bench.run("cat /proc/self/oom_score_adj; cut -d' ' -f19 /proc/$$/stat").await;
    fs::write(SCORE, before).unwrap();
    assert_eq!(text, "0\n0\n");
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_exactly_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let mut launch = bench.launch("exit");
    let program = HeldBinary::inspect(&launch.binary).unwrap();
    // The verdict over the binary stands; what it needs has gone.
    let script = fs::read_to_string(&launch.binary).unwrap().replace("#!/bin/sh\n[", "#!/no/sh\n[");
    let modified = fs::metadata(&launch.binary).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&launch.binary).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, script.as_bytes(), 0).unwrap();
    file.set_modified(modified).unwrap();
    drop(file);
    launch.configuration = crate::connector::LaunchConfiguration::Remote;
    let Err(failure) = bench.spawn_program(launch, program) else { panic!("it was started") };
    assert_eq!((failure.reason.code.as_ref(), failure.lasting), ("cannot-execute", true));
    assert!(failure.reason.sentence.contains("No such file"), "{}", failure.reason.sentence);
    assert_eq!(fs::read_dir(bench.path("run/private/generations")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_boxed_connector_cannot_open_what_is_not_its_own_and_can_do_what_it_must() {
    let bench = Bench::new();
    if bench.spawner.landlock().is_none() {
        return; // This kernel has no Landlock.
    }
    for file in ["state/secret", "state/logs/other.log", "run/private/other.config", "elsewhere/ca.pem"] {
        fs::write(bench.path(file), "content").unwrap();
    }
    let directory = bench.directory.path().display();
    let refused = [
        format!("cat {directory}/state/secret"),
        format!("cat {directory}/state/logs/other.log"),
        format!("cat {directory}/run/private/other.config"),
        format!("echo x >> {directory}/state/logs/other.log"),
        format!("echo x > {directory}/state/new"),
        format!("rm {directory}/state/secret"),
        format!("ls {directory}/state"),
        format!("readlink /proc/{}/fd/0", std::process::id()),
        format!("kill -0 {}", std::process::id()),
        format!("ln {directory}/state/secret {directory}/elsewhere/mine"),
    ];
    let allowed = [
        format!("cat {directory}/elsewhere/ca.pem"),
        format!("echo x > {directory}/elsewhere/trace"),
        format!("echo x >> {directory}/state/logs/log"),
        "cat /dev/fd/4".to_owned(),
        "echo x > /dev/null".to_owned(),
        "cat /etc/passwd".to_owned(),
        "cat /proc/self/status".to_owned(),
        "kill -0 $$".to_owned(),
    ];
    for (commands, expected) in [(&refused[..], "no"), (&allowed[..], "yes")] {
        for command in commands {
            let (text, _) = bench.run(&format!("( {command} ) > /dev/null 2>&1 && echo yes || echo no")).await;
            assert_eq!(text.trim(), expected, "{command}");
        }
    }
    assert_eq!(
        fs::metadata(bench.path("state/secret")).unwrap().permissions().mode() & 0o200,
        0o200,
        "the box refused, not the mode"
    );
    assert!(fs::metadata(bench.path("elsewhere/trace")).unwrap().size() > 0);
}

#[tokio::test]
async fn a_secret_that_is_named_or_made_later_is_closed_to_the_connectors_that_start_then() {
    let bench = Bench::new();
    if bench.spawner.landlock().is_none() {
        return; // This kernel has no Landlock.
    }
    let token = bench.path("elsewhere/token");
    let read = format!("cat {} 2>/dev/null || echo refused", token.display());
    fs::write(&token, "hunter2").unwrap();
    assert_eq!(bench.run(&read).await.0, "hunter2");
    bench.secrets.send_replace(vec![token.clone()]);
    assert_eq!(bench.run(&read).await.0.trim(), "refused");
    fs::remove_file(&token).unwrap();
    let script = format!("echo hunter2 > {}; {read}", token.display());
    assert_eq!(bench.run(&script).await.0.trim_end().lines().last(), Some("refused"), "nor may it make one");
}

#[tokio::test]
async fn two_connectors_cannot_look_into_each_other() {
    let bench = Bench::new();
    if bench.spawner.landlock().is_none() {
        return; // This kernel has no Landlock.
    }
    let first = bench.spawn(bench.launch("exec sleep 60")).unwrap();
    let other = first.process.pid();
    let (text, _) = bench.run(&format!("cat /proc/{other}/fd/4 2>&1 || echo refused")).await;
    first.process.kill();
    first.process.end().await;
    assert!(text.trim_end().ends_with("refused") && !text.contains("hunter2"), "{text}");
}
