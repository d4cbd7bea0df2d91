//! Reading lines back, by the ledger: the newest, or those behind a number.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use jiff::Timestamp;

use super::{
    Batch, NumberedLine,
    files::Folders,
    ledger::{Ledger, Stretch},
    line::{Stream, parse_log, parse_stderr},
    split::Splitter,
};
use crate::{connector::SlotId, name::TunnelName};

/// The newest `count` lines of a tunnel, oldest first.
pub(super) fn newest(folders: &Folders, tunnel: &TunnelName, ledger: &Ledger, count: usize) -> Batch {
    let mut newest_first = Vec::new();
    for stretch in ledger.stretches.iter().rev() {
        if newest_first.len() >= count {
            break;
        }
        // A file that went while it was read was the oldest.
        newest_first.extend(lines(folders, tunnel, stretch).unwrap_or_default().parsed.into_iter().rev());
    }
    newest_first.truncate(count);
    newest_first.reverse();
    Batch { missed: 0, lines: newest_first, last: ledger.next().checked_sub(1) }
}

/// At least `count` lines of a tunnel behind the number `after`, if there are so many, and at most a stretch more.
pub(super) fn behind(folders: &Folders, tunnel: &TunnelName, ledger: &Ledger, after: u64, count: usize) -> Batch {
    let mut batch = Batch { missed: 0, lines: Vec::new(), last: Some(after) };
    let mut expected = after.saturating_add(1);
    // What came before this boot has lost its numbers, so it cannot be said how much of it is missing.
    let mut is_counting = after >= ledger.base;
    let unseen = ledger.stretches.partition_point(|stretch| stretch.next() <= expected);
    for stretch in &ledger.stretches[unseen..] {
        if batch.lines.len() >= count {
            break;
        }
        let read = lines(folders, tunnel, stretch).unwrap_or_else(|_| Lines { gone: stretch.lines, parsed: Vec::new() });
        let first_there = stretch.first + read.gone;
        if is_counting {
            batch.missed += first_there.saturating_sub(expected);
        }
        is_counting = true;
        batch.lines.extend(read.parsed.into_iter().filter(|line| line.id >= expected));
        expected = stretch.next();
        batch.last = expected.checked_sub(1);
    }
    batch
}

/// The lines of a stretch.
#[derive(Default)]
struct Lines {
    /// How many of them the disk has been given back.
    gone: u64,
    /// The others, without those that say nothing.
    parsed: Vec<NumberedLine>,
}

fn lines(folders: &Folders, tunnel: &TunnelName, stretch: &Stretch) -> io::Result<Lines> {
    let slot = SlotId::new(tunnel.clone(), stretch.file.replica);
    let (generation, stream) = (stretch.file.generation, stretch.file.stream);
    let path = folders.find(&slot, generation, stream).ok_or(io::ErrorKind::NotFound)?;
    let mut file = File::open(path)?;
    let found = file.metadata()?.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    file.seek(SeekFrom::Start(stretch.start))?;
    let mut bytes = Vec::new();
    file.take(stretch.end - stretch.start).read_to_end(&mut bytes)?;

    // A hole that was punched behind the follower reads as zeros; the line that it cut is gone with it.
    let hole = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut splitter = if hole > 0 { Splitter::in_a_line() } else { Splitter::default() };
    let mut raw = Vec::new();
    splitter.push(&bytes[hole..], |line| raw.push(line.to_vec()));
    splitter.finish(|line| raw.push(line.to_vec()));
    let gone = stretch.lines.saturating_sub(raw.len() as u64);
    let parse = match stream {
        Stream::Log => parse_log,
        Stream::Stderr => parse_stderr,
    };
    let numbered = raw.iter().zip(stretch.first + gone..);
    let parsed = numbered.filter_map(|(raw, id)| Some(NumberedLine { id, line: parse(&slot, generation, raw, found)? }));
    Ok(Lines { gone, parsed: parsed.collect() })
}
