//! Who the table of behaviour is about: the stand-in, and the original where `ADIT_TEST_CLOUDFLARED` names one.
//!
//! The original runs in a network of its own, where there is only loopback and no DNS server answers: what it does there does not
//! depend on the machine. Descriptors that it inherits lead out of it, so its metrics server can be asked.

use std::{ffi::OsString, fs, path::PathBuf, process::Command};

use serde_json::json;

use crate::harness::{Launch, SECRET, TUNNEL, stand_in, token};

/// One of the two, with a folder that holds what the table's rows refer to.
pub(crate) struct Subject {
    name: &'static str,
    program: PathBuf,
    /// What stands before the program on a command line.
    wrapper: &'static [&'static str],
    folder: tempfile::TempDir,
}

/// Puts the rest of the command line into an empty network: as root, and as somebody who may have user namespaces.
const EMPTY_NETWORK: [&[&str]; 2] = [
    &["unshare", "--net", "--", "sh", "-c", r#"ip link set lo up; exec "$0" "$@""#],
    &["unshare", "--user", "--map-current-user", "--net", "--", "sh", "-c", r#"exec "$0" "$@""#],
];

impl Subject {
    /// The stand-in.
    pub(crate) fn stand_in() -> Self {
        let folder = folder_with_files();
        let program = stand_in(folder.path());
        Self { name: "stand-in", program, wrapper: &[], folder }
    }

    /// The original, if there is one to be compared with.
    pub(crate) fn original() -> Option<Self> {
        let program =
            std::env::vars_os().find(|(name, _)| name == "ADIT_TEST_CLOUDFLARED").map(|(_, path)| PathBuf::from(path))?;
        let works = |wrapper: &&[&str]| {
            let run = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output();
            run.is_ok_and(|output| output.status.success())
        };
        let wrapper = EMPTY_NETWORK.into_iter().find(works).expect("the original is compared where no network disturbs it");
        Some(Self { name: "original", program, wrapper, folder: folder_with_files() })
    }

    /// All that there are.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Self::stand_in()].into_iter().chain(Self::original())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run of it that is to go on.
    pub(crate) fn launch(&self) -> Launch {
        let words = self.wrapper.iter().map(OsString::from);
        let launch = Launch::wrapped(words.chain([self.program.clone().into_os_string()]).collect());
        launch.variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").variable("HOME", &self.fill("@/home"))
    }

    /// A command of it with only these variables, in an environment whose home is the folder.
    pub(crate) fn command(&self, line: &[&str], variables: &[(&str, &str)]) -> Command {
        let program = self.program.as_os_str();
        let mut command = match self.wrapper {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(line.iter().map(|argument| self.fill(argument)));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.path("home"));
        command.envs(variables.iter().map(|(name, value)| (*name, self.fill(value))));
        command
    }

    /// A row's text with its place-holders filled: `@` is the folder, `TOKEN` a token that is well-formed.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace('@', &self.folder.path().display().to_string()).replace("TOKEN", &token(SECRET))
    }
}

fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let rules = json!([{"hostname": "a.example", "service": "http://a:1"}, {"service": "http_status:404"}]);
    write("good.yml", &json!({"ingress": rules}).to_string());
    write("no-catch-all.yml", &json!({"ingress": [{"hostname": "a.example", "service": "http://a:1"}]}).to_string());
    write("bad-service.yml", &json!({"ingress": [{"service": "nope"}]}).to_string());
    let credentials = folder.path().join("missing.json");
    write("no-credentials.yml", &json!({"tunnel": TUNNEL, "credentials-file": credentials, "ingress": rules}).to_string());
    let credentials = folder.path().join("broken.json");
    write("broken-credentials.yml", &json!({"tunnel": TUNNEL, "credentials-file": credentials, "ingress": rules}).to_string());
    write("broken.json", "{");
    write("wrong-type.yml", &json!({"no-autoupdate": "yes"}).to_string());
    write("broken.yml", "ingress: [");
    write("empty.yml", "");
    write("token", &format!("  {}\n\n", token(SECRET)));
    write("token-of-nobody", "e30=\n");
    write("empty-token", "");
    // Found without being named, unless `--config` says otherwise.
    fs::create_dir_all(folder.path().join("home/.cloudflared")).unwrap();
    write("home/.cloudflared/config.yml", &json!({"protocol": "carrier-pigeon"}).to_string());
    folder
}
