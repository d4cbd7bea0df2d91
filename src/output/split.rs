//! From bytes to lines.

/// No line is longer, in bytes; the rest of a longer one is thrown away.
pub(super) const LINE_MAX: usize = 16 * 1024;

/// Cuts what is read of a file, in whatever pieces, into lines.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of a line whose end has not been read yet.
    partial: Vec<u8>,
    /// The rest of the present line is to be thrown away.
    skipping: bool,
}

impl Splitter {
    /// A splitter that begins in the middle of a line, which it throws away.
    pub(super) fn in_a_line() -> Self {
        Self { partial: Vec::new(), skipping: true }
    }

    /// Takes in `bytes` and gives out each line that they complete, without its end and cut at [`LINE_MAX`].
    pub(super) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if !self.skipping {
                let room = LINE_MAX - self.partial.len();
                self.partial.extend_from_slice(&text[..text.len().min(room)]);
                if ended {
                    line(&self.partial);
                } else if text.len() > room {
                    line(&self.partial);
                    self.skipping = true;
                    self.partial.clear();
                }
            }
            if ended {
                self.skipping = false;
                self.partial.clear();
                // A long line must not hold its memory for as long as the connector runs.
                self.partial.shrink_to(256);
            }
        }
    }

    /// Gives out the last line, whose end was never written.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            line(&self.partial);
            self.partial.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        splitter.finish(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        lines
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        assert_eq!(lines(&[b"on", b"e\ntw", b"o", b"\n\nthree"]), ["one", "two", "", "three"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; LINE_MAX + 10];
        let read = lines(&[&long, &long, b"\nnext\n"]);
        assert_eq!((read.len(), read[0].len(), read[1].as_str()), (2, LINE_MAX, "next"));
        let exact = vec![b'x'; LINE_MAX];
        assert_eq!(lines(&[&exact, b"\nnext\n"])[1], "next");
    }

    #[test]
    fn the_rest_of_a_line_whose_beginning_is_unknown_is_thrown_away() {
        let mut splitter = Splitter::in_a_line();
        let mut lines = Vec::new();
        splitter.push(b"rest\nwhole\n", |line| lines.push(line.to_vec()));
        assert_eq!(lines, [b"whole"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces), lines(&[text.as_bytes()]));
        }
    }
}
