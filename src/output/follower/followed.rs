//! One file that is followed: where its next line begins, and which part of it is on disk.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
};

use super::room;
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
    output::ledger::FileName,
};

/// How much of the end of a file is numbered of which nothing is known, in bytes: after a reboot there are many.
const TAIL: u64 = 256 * 1024;

/// It is opened for each reading: the connectors of a large host would use up the descriptors.
pub(super) struct Followed {
    pub(super) path: PathBuf,
    pub(super) tunnel: TunnelName,
    pub(super) file: FileName,
    /// Up to where its lines have numbers. A line begins here.
    pub(super) offset: u64,
    /// Before this it says nothing new: an earlier daemon has read it.
    news_from: u64,
    /// Up to where it has been emptied.
    hole: u64,
    /// Up to where there is room for sure.
    ahead: u64,
}

/// How much of a file has numbers.
pub(super) enum Known {
    /// It was made a moment ago.
    New,
    /// Its lines up to here.
    UpTo(u64),
    /// Nobody knows: the ledger is lost.
    Nothing,
}

/// Whole lines, at the beginning of the buffer.
pub(super) struct Chunk {
    pub(super) bytes: usize,
    pub(super) lines: u64,
    /// The file's end was reached.
    pub(super) is_last: bool,
}

impl Followed {
    pub(super) fn begin(path: PathBuf, tunnel: TunnelName, file: FileName, known: Known) -> Self {
        let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let (offset, news_from) = match known {
            Known::New => (0, 0),
            Known::UpTo(end) if end <= length => (end, end),
            // Of another file with this name, or without a ledger.
            Known::UpTo(_) | Known::Nothing => (start_of_tail(&path, length), length),
        };
        Self { path, tunnel, file, offset, news_from, hole: 0, ahead: 0 }
    }

    pub(super) fn slot(&self) -> SlotId {
        SlotId::new(self.tunnel.clone(), self.file.replica)
    }

    pub(super) fn is_of(&self, slot: &SlotId, generation: Generation) -> bool {
        self.tunnel == slot.tunnel && self.file.replica == slot.replica && self.file.generation == generation
    }

    /// Whether what was read last was written after any earlier daemon had read it.
    pub(super) fn is_news(&self) -> bool {
        self.offset > self.news_from
    }

    pub(super) fn hole(&self) -> u64 {
        self.hole
    }

    /// Reads the next whole lines; `None` when there are none yet.
    pub(super) fn next_chunk(&mut self, buffer: &mut [u8]) -> Option<Chunk> {
        // A file that somebody removed or shut off has nothing to be read.
        let file = File::open(&self.path).ok()?;
        let mut length = file.read_at(buffer, self.offset).ok()?;
        if length == 0 && file.metadata().is_ok_and(|metadata| metadata.len() < self.offset) {
            // Somebody has emptied it.
            (self.offset, self.news_from, self.hole, self.ahead) = (0, 0, 0, 0);
            length = file.read_at(buffer, 0).ok()?;
        }
        let read = &buffer[..length];
        let is_last = length < buffer.len();
        match read.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => {
                let lines = read[..=last].iter().filter(|byte| **byte == b'\n').count() as u64;
                Some(Chunk { bytes: last + 1, lines, is_last })
            }
            // Its end is still to be written.
            None if is_last => None,
            None => Some(Chunk { bytes: length, lines: 1, is_last }),
        }
    }

    /// The length of what follows the last whole line, if there is anything.
    pub(super) fn rest(&self, buffer: &mut [u8]) -> Option<usize> {
        let length = File::open(&self.path).and_then(|file| file.read_at(buffer, self.offset)).ok()?;
        (length > 0).then_some(length)
    }

    /// Gives back to the disk what has numbers and is not among the last `kept` bytes.
    pub(super) fn punch(&mut self, kept: u64) {
        let end = self.offset.saturating_sub(kept) / room::HOLE_STEP * room::HOLE_STEP;
        if end <= self.hole {
            return;
        }
        // A file that was made by an older version on a file system that cannot do it grows until its generation ends.
        let punched = self.open().and_then(|file| room::punch(&file, end));
        if punched.is_ok() {
            self.hole = end;
        }
    }

    /// Sees to it that there is room for what is written next.
    ///
    /// # Errors
    ///
    /// When the disk has none.
    pub(super) fn keep_ahead(&mut self) -> io::Result<()> {
        if self.offset + room::AHEAD / 2 <= self.ahead {
            return Ok(());
        }
        room::keep_ahead(&self.open()?, self.offset)?;
        self.ahead = self.offset + room::AHEAD;
        Ok(())
    }

    /// Gives back what was kept ahead, when nobody writes any more.
    pub(super) fn give_back_ahead(&self) {
        // Where it fails it goes with the file.
        let _ = self.open().and_then(|file| room::give_back_ahead(&file));
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.path)
    }
}

/// Where the first whole line of a file's end begins.
fn start_of_tail(path: &std::path::Path, length: u64) -> u64 {
    let from = length.saturating_sub(TAIL);
    if from == 0 {
        return 0;
    }
    let mut buffer = [0; 4096];
    let read = File::open(path).and_then(|file| file.read_at(&mut buffer, from)).unwrap_or(0);
    // In a longer line, or a hole, it begins where it begins.
    buffer[..read].iter().position(|byte| *byte == b'\n').map_or(from, |end| from + end as u64 + 1)
}
