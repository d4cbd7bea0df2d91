//! A tunnel's ledger as a file on the tmpfs: read once, added to, and written anew when most of it is about lines that are gone.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::ledger::{Ledger, Stretch};
use crate::whole_file::{self, Keep};

/// Up to this size a ledger is not looked at, in bytes: some 1,500 stretches.
const REWRITE_MIN: u64 = 64 * 1024;
/// No ledger gets larger by much, in bytes. Beyond it the oldest half is dropped, and with it the way to those lines.
const LEDGER_BYTES_MAX: u64 = 512 * 1024;
/// How many stretches are remembered while the ledger cannot be written.
const PENDING_MAX: usize = 4096;

/// The ledger of a tunnel, as far as the follower has to know it.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    base: u64,
    /// The next line's number.
    next: u64,
    /// How large the file is, in bytes.
    bytes: u64,
    /// At this size it is written anew.
    rewrite_at: u64,
    /// What could not be written yet: the tmpfs is full.
    pending: Vec<Stretch>,
}

impl Book {
    /// Opens the ledger at `path`; without one, numbers begin at `base`. What was torn or is about lines for which `is_there`
    /// says no is thrown out.
    pub(super) fn open(path: PathBuf, base: u64, is_there: impl Fn(&Stretch) -> bool) -> Self {
        let ledger = read(&path).unwrap_or_else(|| Ledger::new(base));
        let (base, next) = (ledger.base, ledger.next());
        let mut book = Self { path, base, next, bytes: 0, rewrite_at: REWRITE_MIN, pending: Vec::new() };
        // What cannot be written now is written when the first line comes.
        let _ = book.rewrite(ledger, is_there);
        book
    }

    /// The number that the next line gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Writes down what was numbered. A ledger that cannot be written is kept in memory for as long.
    pub(super) fn add(&mut self, stretch: Stretch) {
        self.next = stretch.next();
        if !self.pending.last_mut().is_some_and(|last| last.join(&stretch)) {
            self.pending.push(stretch);
        }
        match self.write_pending() {
            Ok(()) => self.pending.clear(),
            Err(_) if self.pending.len() > PENDING_MAX => drop(self.pending.drain(..PENDING_MAX / 2)),
            Err(_) => {}
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let text: String = self.pending.iter().map(ToString::to_string).collect();
        match append(&self.path, text.as_bytes()) {
            // There was no room even for the first one, or somebody tidied up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.bytes = 0;
                whole_file::replace(&self.path, format!("base {}\n{text}", self.base).as_bytes(), Keep::ThisBoot)?;
            }
            result => result?,
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Whether it has grown so much since it was tidied that it may be worth it again.
    pub(super) fn is_untidy(&self) -> bool {
        self.bytes >= self.rewrite_at && self.pending.is_empty()
    }

    /// Throws out what is about lines for which `is_there` says no.
    pub(super) fn tidy(&mut self, is_there: impl Fn(&Stretch) -> bool) {
        if let Some(ledger) = read(&self.path) {
            // A ledger that could not be written anew is the old one.
            let _ = self.rewrite(ledger, is_there);
        }
    }

    /// What a reader has to know beside the file.
    pub(super) fn pending(&self) -> Vec<Stretch> {
        self.pending.clone()
    }

    fn rewrite(&mut self, mut ledger: Ledger, is_there: impl Fn(&Stretch) -> bool) -> io::Result<()> {
        let end = ledger.stretches.pop();
        ledger.stretches.retain(is_there);
        // The last one says which number is the next.
        ledger.stretches.extend(end);
        let mut text = ledger.render();
        if text.len() as u64 > LEDGER_BYTES_MAX {
            ledger.stretches.drain(..ledger.stretches.len() / 2);
            text = ledger.render();
        }
        whole_file::replace(&self.path, text.as_bytes(), Keep::ThisBoot)?;
        self.bytes = text.len() as u64;
        self.rewrite_at = (self.bytes * 2).max(REWRITE_MIN);
        Ok(())
    }
}

/// The ledger at `path`, if there is one that can be read.
pub(super) fn read(path: &Path) -> Option<Ledger> {
    Ledger::parse(&fs::read_to_string(path).ok()?)
}

/// Adds to the end, all or nothing: what is torn by a full disk is cut off again.
fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Only a file with its base is one: it is made whole.
    let mut file = OpenOptions::new().append(true).open(path)?;
    let before = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        // Where even this fails the torn line is left out by who reads it.
        let _ = file.set_len(before);
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ledger::FileName, line::Stream},
        *,
    };
    use crate::connector::Generation;

    fn stretch(first: u64, start: u64, generation: u64) -> Stretch {
        let file = FileName { replica: 0, generation: Generation(generation), stream: Stream::Log };
        Stretch { first, lines: 1, start, end: start + 10, file }
    }

    #[test]
    fn numbers_go_on_behind_those_of_the_last_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers/web");
        let mut book = Book::open(path.clone(), 100, |_| true);
        book.add(stretch(100, 0, 1));
        book.add(stretch(101, 10, 1));
        // A crash in the middle of writing.
        append(&path, b"102 1 2").unwrap();

        let book = Book::open(path.clone(), 7, |_| true);

        let ledger = read(&path).unwrap();
        assert_eq!((book.next(), ledger.base, ledger.stretches.len()), (102, 100, 1));
        assert_eq!(fs::read_to_string(&path).unwrap(), ledger.render(), "the torn line is gone");
    }

    #[test]
    fn what_is_gone_is_thrown_out_and_the_next_number_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web");
        let mut book = Book::open(path.clone(), 0, |_| true);
        for index in 0..6_000 {
            book.add(stretch(index, index * 20, 1));
            if book.is_untidy() {
                book.tidy(|stretch| stretch.start >= 20 * 5_990);
            }
        }
        assert!(fs::metadata(&path).unwrap().len() < REWRITE_MIN + 100);
        let book = Book::open(path.clone(), 0, |_| false);
        assert_eq!((book.next(), read(&path).unwrap().stretches.len()), (6_000, 1));
    }

    #[test]
    fn a_ledger_without_end_loses_its_oldest_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web");
        let mut book = Book::open(path.clone(), 0, |_| true);
        for index in 0..40_000 {
            book.add(stretch(index, index * 20, 1));
            if book.is_untidy() {
                book.tidy(|_| true);
            }
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * LEDGER_BYTES_MAX);
        let ledger = read(&path).unwrap();
        assert_eq!(ledger.next(), 40_000);
        assert!(ledger.stretches.len() > 5_000);
    }

    #[test]
    fn what_cannot_be_written_is_remembered_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        fs::write(&path, "no folder").unwrap();
        let ledger_path = path.join("web");
        let mut book = Book::open(ledger_path.clone(), 5, |_| true);
        book.add(stretch(5, 0, 1));
        assert_eq!((book.next(), book.pending().len(), read(&ledger_path)), (6, 1, None));

        fs::remove_file(&path).unwrap();
        book.add(stretch(6, 20, 1));
        assert_eq!((book.pending().len(), read(&ledger_path).unwrap().stretches.len()), (0, 2));
    }
}
