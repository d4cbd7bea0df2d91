//! Which number each line has: the ledger of a tunnel.
//!
//! Lines are numbered in the order in which they were found, over all files of a tunnel, and keep their numbers: a reader that was
//! cut off goes on behind the number that it saw last, also after a crash of the daemon in between. Nothing is copied for it: the
//! ledger says which numbers the lines of which stretch of which file have, one stretch a line:
//!
//! ```text
//! base 1766431200000000
//! 1766431200000000 23 0 4410 0-17.log
//! 1766431200000023 2 0 130 0-17.err
//! ```
//!
//! It is written before anybody is told of the lines, without waiting for a disk: a reboot may take it, which only means that
//! every line that is left gets a new and higher number.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use super::line::Stream;
use crate::connector::Generation;

/// No line has a larger number: what reads JSON has the numbers up to here exactly. A ledger that says otherwise is damaged, and the
/// lines behind that would have no numbers.
const NUMBER_MAX: u64 = (1 << f64::MANTISSA_DIGITS) - 1;

/// No stretch grows beyond this by joining, in bytes: a reader who wants its last line reads all of it.
pub(super) const STRETCH_BYTES_MAX: u64 = 256 * 1024;

/// A file of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    pub(super) replica: u8,
    pub(super) generation: Generation,
    pub(super) stream: Stream,
}

/// Whole lines of a file, with numbers that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The first line's number.
    pub(super) first: u64,
    /// How many lines it has.
    pub(super) lines: u64,
    /// Where it begins in its file.
    pub(super) start: u64,
    /// Where it ends.
    pub(super) end: u64,
    pub(super) file: FileName,
}

/// What is known of a tunnel's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// No line that was numbered since the host was started has a lower number.
    pub(super) base: u64,
    /// In the order of their numbers.
    pub(super) stretches: Vec<Stretch>,
}

impl Stretch {
    /// The number behind the last line's.
    pub(super) fn next(&self) -> u64 {
        self.first + self.lines
    }

    /// Takes in `next`, if that goes on where this one ends, in number and place.
    pub(super) fn join(&mut self, next: &Self) -> bool {
        let follows = self.file == next.file && self.end == next.start && self.next() == next.first;
        let joins = follows && next.end - self.start <= STRETCH_BYTES_MAX;
        if joins {
            self.lines += next.lines;
            self.end = next.end;
        }
        joins
    }
}

impl Ledger {
    /// An empty one, whose numbers begin at `base`.
    pub(super) fn new(base: u64) -> Self {
        Self { base, stretches: Vec::new() }
    }

    /// Reads a ledger. What was torn by a crash, or makes no sense, is left out; `None` without a base.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once('\n')?;
        let mut ledger = Self::new(head.strip_prefix("base ")?.parse().ok().filter(|base| *base <= NUMBER_MAX)?);
        // The last line is whole only with its end.
        let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
        for stretch in whole.lines().filter_map(|line| line.parse::<Stretch>().ok()) {
            if stretch.first >= ledger.next() {
                ledger.push(stretch);
            }
        }
        Some(ledger)
    }

    /// The whole ledger as it is written.
    pub(super) fn render(&self) -> String {
        let mut text = format!("base {}\n", self.base);
        for stretch in &self.stretches {
            write!(text, "{stretch}").expect("writing to a String never fails");
        }
        text
    }

    /// The number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.stretches.last().map_or(self.base, Stretch::next)
    }

    /// Up to where a file has been numbered, if any of it was.
    pub(super) fn end_of(&self, file: FileName) -> Option<u64> {
        self.stretches.iter().filter(|stretch| stretch.file == file).map(|stretch| stretch.end).max()
    }

    /// Adds what was numbered last.
    pub(super) fn push(&mut self, stretch: Stretch) {
        if !self.stretches.last_mut().is_some_and(|last| last.join(&stretch)) {
            self.stretches.push(stretch);
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extension = match self.stream {
            Stream::Log => "log",
            Stream::Stderr => "err",
        };
        write!(f, "{}-{}.{extension}", self.replica, self.generation)
    }
}

/// It is no name of a file of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotOurs;

impl FromStr for FileName {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let (stem, extension) = text.rsplit_once('.').ok_or(NotOurs)?;
        let stream = match extension {
            "log" => Stream::Log,
            "err" => Stream::Stderr,
            _ => return Err(NotOurs),
        };
        let (replica, generation) = stem.split_once('-').ok_or(NotOurs)?;
        let replica = replica.parse().map_err(|_| NotOurs)?;
        let generation = Generation(generation.parse().map_err(|_| NotOurs)?);
        let name = Self { replica, generation, stream };
        // Numbers have one spelling: `+1` and `01` are somebody else's.
        if name.to_string() == text { Ok(name) } else { Err(NotOurs) }
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} {} {} {}", self.first, self.lines, self.start, self.end, self.file)
    }
}

impl FromStr for Stretch {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).ok_or(NotOurs);
        let (first, lines, start, end) = (number()?, number()?, number()?, number()?);
        let file = words.next().ok_or(NotOurs)?.parse()?;
        let is_numbered = first.checked_add(lines).is_some_and(|next| next <= NUMBER_MAX);
        let is_sound = lines > 0 && start < end && is_numbered && words.next().is_none();
        if is_sound { Ok(Self { first, lines, start, end, file }) } else { Err(NotOurs) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(replica: u8, generation: u64) -> FileName {
        FileName { replica, generation: Generation(generation), stream: Stream::Log }
    }

    fn stretch(first: u64, lines: u64, start: u64, end: u64, file: FileName) -> Stretch {
        Stretch { first, lines, start, end, file }
    }

    #[test]
    fn stretches_that_follow_one_another_become_one() {
        let mut ledger = Ledger::new(10);
        ledger.push(stretch(10, 2, 0, 50, file(0, 1)));
        ledger.push(stretch(12, 1, 50, 70, file(0, 1)));
        ledger.push(stretch(13, 1, 0, 9, file(1, 1)));
        ledger.push(stretch(14, 1, 70, 90, file(0, 1)));
        assert_eq!(ledger.stretches.len(), 3);
        assert_eq!(ledger.stretches[0], stretch(10, 3, 0, 70, file(0, 1)));
        assert_eq!((ledger.next(), ledger.end_of(file(0, 1)), ledger.end_of(file(7, 1))), (15, Some(90), None));
    }

    #[test]
    fn a_long_stretch_does_not_grow_without_end() {
        let mut ledger = Ledger::new(0);
        ledger.push(stretch(0, 1, 0, STRETCH_BYTES_MAX, file(0, 1)));
        ledger.push(stretch(1, 1, STRETCH_BYTES_MAX, STRETCH_BYTES_MAX + 1, file(0, 1)));
        assert_eq!(ledger.stretches.len(), 2);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let text = "base 5\n5 1 0 10 0-1.log\n3 1 0 10 1-1.log\n6 0 0 10 0-1.log\n6 1 10 10 0-1.log\nx\n6 1 0 4 0-1.txt\n\
                    6 1 0 4 0-1.err more\n6 2 0 4 0-1.err\n";
        let ledger = Ledger::parse(text).unwrap();
        assert_eq!(ledger.stretches.len(), 2);
        assert_eq!(ledger.next(), 8);
        assert_eq!(Ledger::parse("5 1 0 10 0-1.log\n"), None);
        assert_eq!(Ledger::parse(""), None);
    }

    prop_compose! {
        fn any_ledger()(base in 0u64..1000, steps in prop::collection::vec((0u8..3, any::<bool>(), 1u64..9, 1u64..90), 0..40)) -> Ledger {
            let mut ledger = Ledger::new(base);
            let mut ends = std::collections::BTreeMap::new();
            for (replica, is_log, lines, bytes) in steps {
                let stream = if is_log { Stream::Log } else { Stream::Stderr };
                let file = FileName { replica, generation: Generation(1), stream };
                let end = ends.entry(file).or_insert(0u64);
                ledger.push(Stretch { first: ledger.next(), lines, start: *end, end: *end + bytes, file });
                *end += bytes;
            }
            ledger
        }
    }

    proptest! {
        #[test]
        fn a_ledger_that_is_read_back_is_the_same(ledger in any_ledger()) {
            prop_assert_eq!(Ledger::parse(&ledger.render()), Some(ledger));
        }

        /// A crash tears the ledger anywhere: what is left numbers a beginning of the same lines in the same way.
        #[test]
        fn a_torn_ledger_is_a_beginning_of_the_whole_one(ledger in any_ledger(), cut in 0usize..4000) {
            let text = ledger.render();
            let Some(torn) = Ledger::parse(&text[..cut.min(text.len())]) else { return Ok(()) };
            prop_assert_eq!(torn.base, ledger.base);
            prop_assert_eq!(&torn.stretches[..], &ledger.stretches[..torn.stretches.len()]);
        }
    }
}
