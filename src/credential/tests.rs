//! The sources as an operator meets them: real files, real programs, and the words of every refusal.

use std::{
    error::Error as _,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::*;

const TOKEN: &str = "cfat_canary0123456789";

fn write(path: &Path, text: &str, mode: u32) -> PathBuf {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}

fn shell(script: &str) -> Source {
    Source::Command(["/bin/sh", "-c", script].map(str::to_owned).to_vec())
}

/// What the refusal says behind the source's name, after checking that it starts with it and shows no token.
async fn refusal(source: Source) -> String {
    let error = read(&source).await.unwrap_err();
    let text = error.to_string();
    assert!(!format!("{error:?} {text}").contains("canary"), "{text}");
    let start = format!("cannot read the API token from {source}: ");
    text.strip_prefix(&start).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test]
async fn a_private_file_is_read_through_links_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder.path().join("token"), &format!("{TOKEN}\n"), 0o600);
    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    for path in [file, link] {
        assert_eq!(read(&Source::File(path)).await.unwrap().expose(), TOKEN);
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder.path().join("token"), TOKEN, 0o644);
    let expected = format!("its mode is 0644, wider than 0600; run: chmod 600 {file:?}");
    assert_eq!(refusal(Source::File(file)).await, expected);
}

#[tokio::test]
async fn what_is_no_file_with_a_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), 0o600.into()).unwrap();
    for (path, part) in [
        (at("missing"), "it cannot be opened"),
        (at("pipe"), "not a regular file"),
        (folder.path().to_owned(), "not a regular file"),
        ("/dev/zero".into(), "not a regular file"),
        (write(&at("empty"), "\n", 0o600), "it is empty"),
        (write(&at("two"), "canary\ncanary\n", 0o600), "more than one line"),
        (write(&at("assignment"), "TOKEN=canary\n", 0o600), "characters that no API token has"),
        (write(&at("large"), &"a".repeat(1_000_000), 0o600), "larger than 4096 bytes"),
    ] {
        let text = refusal(Source::File(path)).await;
        assert!(text.contains(part), "{text}");
    }
    let missing = read(&Source::File(at("missing"))).await.unwrap_err();
    assert_eq!(missing.source().unwrap().to_string(), "No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_systemd_credential_is_read_whatever_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("api-token"), TOKEN, 0o440);
    let source = Source::Credential { directory: Some(folder.path().to_owned()), name: "api-token".to_owned() };
    assert_eq!(read(&source).await.unwrap().expose(), TOKEN);
}

#[tokio::test]
async fn a_missing_credential_says_what_the_unit_needs() {
    let source = Source::Credential { directory: None, name: "api-token".to_owned() };
    let text = refusal(source).await;
    assert!(text.contains("LoadCredential=api-token:PATH"), "{text}");
    for name in ["", "..", "../shadow", "/etc/shadow", "a/b"] {
        let source = Source::Credential { directory: Some("/etc".into()), name: name.to_owned() };
        assert_eq!(refusal(source).await, "a credential's name is a file's name, without slashes", "{name}");
    }
}

#[tokio::test]
async fn a_command_gives_what_it_prints() {
    assert_eq!(read(&shell(&format!("echo {TOKEN}"))).await.unwrap().expose(), TOKEN);
}

#[tokio::test]
async fn a_command_sees_no_environment_no_input_and_no_terminal() {
    let script =
        "test \"$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=)\" = \"PATH=$PATH\" && ! read line && test \"$PWD\" = / && echo fine";
    assert_eq!(read(&shell(script)).await.unwrap().expose(), "fine");
}

#[tokio::test]
async fn a_failing_command_is_told_by_its_last_complaint_and_never_by_its_output() {
    for (script, expected) in [
        ("echo canary; echo one >&2; printf '\\033[31mdenied\\n\\n' >&2; exit 2", "it exited with status 2: [31mdenied"),
        ("exit 3", "it exited with status 3 and no complaint"),
        ("kill -9 $$", "it was ended by signal 9 and no complaint"),
        ("exit 0", "it is empty"),
        ("yes canary", "it prints more than 65536 bytes; it must print the secret alone"),
    ] {
        assert_eq!(refusal(shell(script)).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_signing_secret_may_have_more_characters_than_a_token_and_a_shortest_length() {
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| Source::File(write(&folder.path().join("secret"), text, 0o600));
    let secret = "c2VjcmV0+canary/0123456789==";
    assert_eq!(read_signing_secret(&file(&format!("{secret}\n"))).await.unwrap().expose(), secret);
    for (text, part) in [
        ("", "it is empty"),
        ("canary", "shorter than 16 characters"),
        ("canary canary canary", "white space"),
        ("canary\ncanary", "more than one line"),
        ("canarycanarycanaryä", "ASCII"),
    ] {
        let error = read_signing_secret(&file(text)).await.unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("cannot read the signing secret from the file") && told.contains(part), "{told}");
        assert!(!format!("{error:?} {told}").contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn what_a_command_started_dies_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    refusal(shell(&format!("sleep 1000 & echo $! > {}; yes", pid_file.display()))).await;
    let pid: u32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    // Gone, or dead and not yet reaped by whoever inherited it.
    let is_dead = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']),
        Err(_) => true,
    };
    tokio::time::timeout(Duration::from_secs(10), async {
        while !is_dead() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the background program dies");
}

#[tokio::test]
async fn only_programs_that_nobody_can_replace_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let writable = write(&folder.path().join("tool"), "#!/bin/sh\necho canary\n", 0o777);
    for (argv, part) in [
        (vec![], "it is empty"),
        (vec!["sh"], "absolute path"),
        (vec!["./sh"], "absolute path"),
        (vec!["/no/such/program"], "no such program"),
        (vec!["/etc"], "not a regular file"),
        (vec!["/etc/passwd"], "it cannot be executed"),
        (vec![writable.to_str().unwrap()], "the program"),
    ] {
        let text = refusal(Source::Command(argv.iter().map(|&word| word.to_owned()).collect())).await;
        assert!(text.contains(part), "{argv:?}: {text}");
    }
}

#[tokio::test]
async fn the_environment_is_a_source_only_outside_of_systemd() {
    let source = |value: Option<&str>, under_systemd| Source::Environment {
        name: "CLOUDFLARE_API_TOKEN".to_owned(),
        value: value.map(Secret::new),
        under_systemd,
    };
    assert_eq!(read(&source(Some(TOKEN), false)).await.unwrap().expose(), TOKEN);
    assert_eq!(refusal(source(None, false)).await, "it is not set");
    assert!(!format!("{:?}", source(Some(TOKEN), false)).contains("canary"));
    assert!(refusal(source(Some(TOKEN), true)).await.contains("use a credential, a file or a command"));
}
