//! One daemon for each runtime directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{SocketError, make_private_folder};

/// The lock of a runtime directory, held as long as this value lives, and given back by the kernel however the process ends.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of `runtime_dir`, and makes its private folder if it is missing.
    ///
    /// # Errors
    ///
    /// [`SocketError::Locked`] when another process has it; else what the file system refuses, or when others can look into the
    /// private folder.
    pub fn take(runtime_dir: &Path) -> Result<Self, SocketError> {
        let folder = make_private_folder(runtime_dir)?;
        let path = folder.join("daemon.lock");
        let failed = |doing: &'static str| {
            let path = path.clone();
            move |source| SocketError::Failed { doing, path, source }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(failed("open the lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(SocketError::Locked { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // A courtesy to whoever finds the lock taken, and not worth failing for when the file system is full.
        let _ = write_holder(&mut file);
        Ok(Self { folder, _file: file })
    }

    /// The private folder that the lock guards.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The most that is read of a lock's file; a process number is shorter.
const HOLDER_BYTES_MAX: u64 = 32;

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
