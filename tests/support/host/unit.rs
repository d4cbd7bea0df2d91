//! A cgroup like that of a systemd unit with `Delegate=`, where the host lets a test make one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::fs::{XattrFlags, setxattr};

use super::processes::PROGRAM;

/// How often and how long it is tried to remove what was just emptied.
const REMOVALS_MAX: u32 = 2_000;
const REMOVE_EVERY: Duration = Duration::from_millis(10);

/// A delegated cgroup. Dropping it ends whatever is in it.
pub(crate) struct Unit {
    directory: PathBuf,
}

impl Unit {
    /// A cgroup in the test's own, marked as systemd marks one; `None` where the host does not let the test make it.
    pub(crate) fn make() -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let name = format!("adit-test-unit-{}", uuid::Uuid::new_v4());
        let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let mount = mounts.into_iter().find(|mount| mount.join("cgroup.procs").exists())?;
        let directory = mount.join(own).join(name);
        fs::create_dir(&directory).ok()?;
        let unit = Self { directory };
        setxattr(&unit.directory, "user.delegate", b"1", XattrFlags::empty()).ok()?;
        Some(unit)
    }

    /// The program, to be started in this cgroup.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.directory).arg(PROGRAM);
        command
    }

    /// The cgroups in it that are there, each with the processes in it, both in order. What is directly in it stands under "".
    pub(crate) fn members(&self) -> Vec<(String, Vec<u32>)> {
        let processes = |folder: &Path| {
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            let mut pids: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
            pids.sort_unstable();
            pids
        };
        let inner = self.folders().into_iter().map(|folder| {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (name, processes(&folder))
        });
        let mut members: Vec<_> = inner.chain([(String::new(), processes(&self.directory))]).collect();
        members.sort();
        members
    }

    /// Moves a process into one of them.
    pub(crate) fn add(&self, folder: &str, pid: u32) {
        fs::write(self.directory.join(folder).join("cgroup.procs"), pid.to_string()).unwrap();
    }

    fn folders(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = fs::write(self.directory.join("cgroup.kill"), "1");
        for _ in 0..REMOVALS_MAX {
            let emptied = self.folders().iter().all(|folder| fs::remove_dir(folder).is_ok());
            if emptied && fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "the kernel does not tell when it lets go of a cgroup")]
            std::thread::sleep(REMOVE_EVERY);
        }
    }
}
