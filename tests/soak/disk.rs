//! The disks of the state and the runtime directory: small ones of their own that can be full, read-only or hang.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs, statvfs};

/// The size of the state directory's file system: the logs' bound of 512 MiB, and as much again. It takes what is written to it.
const STATE_BYTES: u64 = 1024 * 1024 * 1024;

/// The same where it is kept in memory.
const STATE_BYTES_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// The size of the runtime directory's.
const RUNTIME_BYTES: u64 = 64 * 1024 * 1024;

/// What is filled up in steps of, in bytes: the last of them leaves no room for a single block.
const STEPS: [u64; 4] = [16 << 20, 1 << 20, 64 << 10, 4 << 10];

/// A mounted disk. Dropping it lets whoever waits for it go on, and unmounts it.
pub(crate) struct Disk {
    path: PathBuf,
    ballast: PathBuf,
    frozen: bool,
}

impl Disk {
    /// A disk on a loop device, which can hang.
    pub(crate) fn on_loop_device(path: &Path, image: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        File::create_new(image)?.set_len(STATE_BYTES)?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", text(image)])?;
        run("mount", &["-o", "loop", text(image), text(path)])?;
        fs::remove_dir(path.join("lost+found"))?;
        Ok(Self::of(path))
    }

    /// The state's disk in memory, where there is no loop device. It cannot hang.
    pub(crate) fn in_memory(path: &Path) -> io::Result<Self> {
        Self::tmpfs(path, STATE_BYTES_IN_MEMORY, "0700")
    }

    /// The runtime directory's.
    pub(crate) fn for_runtime(path: &Path) -> io::Result<Self> {
        Self::tmpfs(path, RUNTIME_BYTES, "0755")
    }

    fn tmpfs(path: &Path, bytes: u64, mode: &str) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes},mode={mode}"), "tmpfs", text(path)])?;
        Ok(Self::of(path))
    }

    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), ballast: path.join(".ballast"), frozen: false }
    }

    /// Leaves no room on it.
    pub(crate) fn fill(&self) -> io::Result<()> {
        let ballast = OpenOptions::new().create(true).append(true).open(&self.ballast)?;
        for step in STEPS {
            while fstatvfs(&ballast)?.f_bfree > 0
                && fallocate(&ballast, FallocateFlags::empty(), ballast.metadata()?.len(), step).is_ok()
            {}
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) -> io::Result<()> {
        match fs::remove_file(&self.ballast) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Whoever opens something on it to write is refused. Files that are open for it stay so, as the kernel makes no disk read-only
    /// before they are closed.
    pub(crate) fn make_read_only(&self) -> io::Result<()> {
        // Made aside and moved: in its place nobody has opened anything by it before it is read-only.
        let aside = self.path.with_extension("aside");
        fs::create_dir_all(&aside)?;
        run("mount", &["--bind", text(&self.path), text(&aside)])?;
        run("mount", &["-o", "remount,bind,ro", text(&aside)])?;
        run("mount", &["--move", text(&aside), text(&self.path)])
    }

    pub(crate) fn make_writable(&self) -> io::Result<()> {
        run("mount", &["-o", "remount,bind,rw", text(&self.path)])
    }

    /// Whoever writes to it waits.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        self.frozen = true;
        run("fsfreeze", &["-f", text(&self.path)])
    }

    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        self.frozen = false;
        run("fsfreeze", &["-u", text(&self.path)])
    }

    /// What it holds, in bytes.
    pub(crate) fn used(&self) -> u64 {
        let room = statvfs(&self.path).unwrap();
        (room.f_blocks - room.f_bfree) * room.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.frozen {
            let _ = self.thaw();
        }
        while run("umount", &["-l", text(&self.path)]).is_ok() {}
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = || io::Error::other(format!("{program} {arguments:?}: {}", said.trim()));
    if output.status.success() { Ok(()) } else { Err(failed()) }
}
