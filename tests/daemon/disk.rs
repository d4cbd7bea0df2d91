//! A state directory that is no directory, full, or can only be read.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    iter,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{host::Host, host_has};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn a_file_in_the_place_of_the_state_directory_is_said_and_left() {
    let host = Host::prepare().await;
    host.configure(TWO_TUNNELS);
    fs::write(host.path("state"), "precious").unwrap();

    let ended = host.start_in_vain().await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("state"), "{ended:?}");
    assert_eq!(fs::read_to_string(host.path("state")).unwrap(), "precious");
}

#[tokio::test]
async fn a_full_state_directory_refuses_changes_and_stops_no_tunnel() {
    let host = Host::prepare().await;
    let Some(disk) = SmallDisk::mount(&host.path("state")) else { return };
    host.configure(TWO_TUNNELS);
    host.start().await;
    host.until_all_serve().await;
    let there = host.snapshot();
    disk.fill();

    let service = host.origin.url();
    let created = host.adit(&["tunnel", "create", "docs", "--hostname", "docs.example.com", "--service", &service]).await;
    assert_ne!(created.code, Some(0), "{created:?}");
    assert!(created.stderr.contains("space"), "{created:?}");
    host.kill_connector("web").await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.snapshot(), there);

    disk.free();
    let created =
        host.adit(&["tunnel", "create", "docs", "--hostname", "docs.example.com", "--service", &service, "--wait"]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
}

#[tokio::test]
async fn a_state_directory_that_can_only_be_read_runs_what_is_on_record() {
    let host = Host::prepare().await;
    let Some(disk) = SmallDisk::mount(&host.path("state")) else { return };
    host.configure(TWO_TUNNELS);
    host.start().await;
    host.until_all_serve().await;
    assert_eq!(host.terminate().await, Some(0));
    let there = host.snapshot();
    disk.forbid_writing();

    host.start().await;
    host.until("visitors get through", async |host| {
        host.visit("app.example.com").await.reached("here") && host.visit("api.example.com").await.reached("here")
    })
    .await;
    let stopped = host.adit(&["tunnel", "stop", "web", "--yes"]).await;
    assert_ne!(stopped.code, Some(0), "a stop that would not last is refused: {stopped:?}");
    assert_eq!(host.snapshot(), there);
    assert_eq!(host.terminate().await, Some(0));
}

/// A file system of one mebibyte of its own.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it, where that is allowed: as root, outside a container that forbids it.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "adit-test"]).arg(at).output();
        let is_mounted = mounted.is_ok_and(|mount| mount.status.success());
        host_has("file system that a test may mount", is_mounted).then(|| Self(at.to_owned()))
    }

    /// Fills it to the last byte, and says how many there were left.
    pub(crate) fn fill(&self) -> usize {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.0.join("filler")).unwrap();
        iter::from_fn(|| filler.write(&[0; 4096]).ok()).sum()
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn forbid_writing(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the daemon of a test that failed may still run.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
