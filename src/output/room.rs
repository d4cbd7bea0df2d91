//! Room on the disk: what the output may take, what it gives back, and what it keeps for itself.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

/// What all output may take on disk, in bytes; of a thousand tunnels each has its 256 KiB.
const TOTAL_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// What a tunnel's running generations, and as much again what its old ones, may take at most, in bytes.
const TUNNEL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What each file of a running generation may keep at least, in bytes.
pub(super) const KEPT_MIN: u64 = 64 * 1024;
/// Holes are punched in steps of this many bytes, so that it is not done for each line.
pub(super) const HOLE_STEP: u64 = 64 * 1024;
/// How much room is kept ahead of what a running generation has written, in bytes: a start without the prechecks three times over.
/// A disk that others fill takes these lines still.
pub(super) const AHEAD: u64 = 16 * 1024;

/// What the running generations of each tunnel may take, and as much again the old ones.
pub(super) fn share(tunnels: usize) -> u64 {
    (TOTAL_BYTES_MAX / 2 / tunnels.max(1) as u64).clamp(2 * KEPT_MIN, TUNNEL_BYTES_MAX)
}

/// What each of so many files of a tunnel's running generations may keep.
pub(super) fn kept_of_each(share: u64, files: usize) -> u64 {
    (share / files.max(1) as u64).max(KEPT_MIN)
}

/// Makes sure that `AHEAD` bytes behind `end` can be written. A file system that cannot promise it promises nothing, which is no
/// error.
pub(super) fn keep_ahead(file: &File, end: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, end, AHEAD) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => Ok(result?),
    }
}

/// Gives back what was kept ahead of the end. Nobody may write any more: what came in this moment would be cut off.
pub(super) fn give_back_ahead(file: &File) -> io::Result<()> {
    file.set_len(file.metadata()?.len())
}

/// Gives back everything before `end`. The length stays.
pub(super) fn punch(file: &File, end: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, end)?)
}

/// Whether this error says that a disk, or a quota, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the file system of `folder` has no room for one more file. One that cannot be asked has.
pub(super) fn is_out_of_room(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) < 2 * AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tunnels_share_what_there_is_and_few_do_not_take_it_all() {
        assert_eq!((share(0), share(1), share(64)), (TUNNEL_BYTES_MAX, TUNNEL_BYTES_MAX, TUNNEL_BYTES_MAX));
        assert_eq!(share(1024), 256 * 1024);
        assert_eq!(share(1_000_000), 2 * KEPT_MIN);
        assert_eq!((kept_of_each(share(1), 2), kept_of_each(share(1), 1_000)), (2 * 1024 * 1024, KEPT_MIN));
    }
}
