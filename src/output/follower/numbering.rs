//! Reading files as they grow, and giving their lines numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use nix::sys::inotify::WatchDescriptor;

use super::{
    Follower, TunnelBook,
    followed::{Chunk, Followed, Known},
};
use crate::{
    name::TunnelName,
    output::{
        book::{self, Book},
        hint::{Hint, SAID_MAX, said},
        ledger::{FileName, Stretch},
        line::Stream,
        room,
    },
};

/// How many chunks are read of one file before the others have their turn.
const CHUNKS_A_TURN: usize = 16;

impl Follower {
    /// Reads what a file has got, for one turn, and says whether there is more.
    pub(super) fn read(&mut self, watch: WatchDescriptor) -> bool {
        let Some(mut followed) = self.files.remove(&watch) else { return false };
        let more = (0..CHUNKS_A_TURN).all(|_| self.number_chunk(&mut followed));
        let files = 1 + self.files.values().filter(|other| other.tunnel == followed.tunnel).count();
        followed.punch(room::kept_of_each(self.share(), files));
        let is_full = followed.keep_ahead().is_err_and(|error| room::is_full(&error));
        self.files.insert(watch, followed);
        if more {
            self.unread.insert(watch);
        }
        if is_full {
            self.make_room();
        }
        more
    }

    /// Numbers the whole lines of the next chunk, and says whether there may be another.
    fn number_chunk(&mut self, followed: &mut Followed) -> bool {
        let Some(Chunk { bytes, lines, is_last }) = followed.next_chunk(&mut self.buffer) else { return false };
        self.number(followed, bytes, lines);
        if followed.file.stream == Stream::Log && followed.is_news() {
            self.hear(followed, &self.buffer[..bytes]);
        }
        !is_last
    }

    /// Passes on what the supervisor wants to know at once of whole lines of a log.
    fn hear(&self, followed: &Followed, lines: &[u8]) {
        let heard: Vec<_> = lines.split(|byte| *byte == b'\n').filter_map(said).take(SAID_MAX).collect();
        if !heard.is_empty() {
            (self.hint)(Hint { slot: followed.slot(), generation: followed.file.generation, said: heard });
        }
    }

    /// Numbers the last line of a file to which nobody writes any more, though it has no end.
    pub(super) fn number_last_line(&mut self, followed: &mut Followed) {
        if let Some(bytes) = followed.rest(&mut self.buffer) {
            self.number(followed, bytes, 1);
        }
    }

    /// Numbers, once, what a tunnel's files hold that ended before this daemon began to follow.
    pub(super) fn number_unfollowed(&mut self, tunnel: &TunnelName) {
        if std::mem::replace(&mut self.book(tunnel).is_caught_up, true) {
            return;
        }
        for file in self.folders.list(tunnel) {
            let is_followed = self.files.values().any(|followed| followed.path == file.path);
            if is_followed || self.coming.lock().contains(&(file.slot.clone(), file.generation)) {
                continue;
            }
            let known = self.known(tunnel, file.name());
            let mut followed = Followed::begin(file.path.clone(), tunnel.clone(), file.name(), known);
            while self.number_chunk(&mut followed) {}
            self.number_last_line(&mut followed);
        }
    }

    /// Gives numbers to the next `bytes` of a file, which hold so many lines.
    fn number(&mut self, followed: &mut Followed, bytes: usize, lines: u64) {
        let start = followed.offset;
        followed.offset += bytes as u64;
        let book = &mut self.book(&followed.tunnel).book;
        book.add(Stretch { first: book.next(), lines, start, end: followed.offset, file: followed.file });
        let (first, next) = (book.next() - lines, book.next());
        if book.is_untidy() {
            self.tidy(followed);
        }
        // Told after it is written down: who looks finds it.
        self.watchers.tell(&followed.tunnel, first, next);
    }

    /// Throws out of a tunnel's ledger what is about lines that are gone.
    fn tidy(&mut self, reading: &Followed) {
        let (folders, tunnel) = (&self.folders, &reading.tunnel);
        let others = self.files.values().filter(|followed| followed.tunnel == *tunnel);
        let holes: BTreeMap<FileName, u64> = others.chain([reading]).map(|followed| (followed.file, followed.hole())).collect();
        let is_there = |stretch: &Stretch| match holes.get(&stretch.file) {
            Some(hole) => stretch.end > *hole,
            None => folders.has(tunnel, stretch.file),
        };
        if let Some(TunnelBook { book, .. }) = self.books.get_mut(tunnel) {
            book.tidy(is_there);
        }
    }

    /// The ledger of a tunnel, opened if it was not yet.
    pub(super) fn book(&mut self, tunnel: &TunnelName) -> &mut TunnelBook {
        self.books.entry(tunnel.clone()).or_insert_with(|| {
            let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
            let is_there = |stretch: &Stretch| self.folders.has(tunnel, stretch.file);
            TunnelBook { book: Book::open(self.folders.ledger(tunnel), now, is_there), is_caught_up: false }
        })
    }

    /// How much of a file has been numbered, by this daemon or an earlier one.
    pub(super) fn known(&self, tunnel: &TunnelName, file: FileName) -> Known {
        let ledger = book::read(&self.folders.ledger(tunnel));
        ledger.and_then(|ledger| ledger.end_of(file)).map_or(Known::Nothing, Known::UpTo)
    }
}
