//! One line that is typed or pasted at a terminal and is not shown.
//!
//! The terminal does not edit the line, so that Ctrl-C comes as a character instead of a signal that would end the process before the
//! terminal is as it was.

use std::{io, os::fd::BorrowedFd};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The longest line that is kept, in bytes: longer than any secret that anybody types or pastes.
const LINE_MAX: usize = 4 * 1024;

/// What came of asking.
pub(super) enum Hidden {
    /// A line, without its end.
    Line(Zeroizing<Vec<u8>>),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the terminal is gone, before there was a line.
    Ended,
}

/// Reads one line from a terminal, past every buffer. What was typed before, and what is left of a paste of several lines, is thrown
/// away, so that nothing of a secret answers the next question or reaches the shell.
pub(super) fn read(terminal: BorrowedFd<'_>) -> io::Result<Hidden> {
    let _settings = Settings::hide(terminal)?;
    let mut line = Line::default();
    let mut byte = [0];
    loop {
        let byte = match rustix::io::read(terminal, &mut byte) {
            Ok(0) => None,
            Ok(_) => Some(byte[0]),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        match line.take(byte) {
            Typing::More => {}
            Typing::Done => return Ok(Hidden::Line(line.typed)),
            Typing::Interrupted => return Ok(Hidden::Interrupted),
            Typing::Ended => return Ok(Hidden::Ended),
        }
    }
}

/// Puts the terminal's settings back when dropped.
struct Settings<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Settings<'a> {
    fn hide(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// A line while it is typed.
struct Line {
    typed: Zeroizing<Vec<u8>>,
}

/// What a key means for the line.
#[derive(Debug, PartialEq, Eq)]
enum Typing {
    More,
    Done,
    Interrupted,
    Ended,
}

impl Default for Line {
    fn default() -> Self {
        // Room for everything from the start: a buffer that grows leaves copies behind.
        Self { typed: Zeroizing::new(Vec::with_capacity(LINE_MAX)) }
    }
}

impl Line {
    /// Takes the next byte; `None` for the end of the input.
    fn take(&mut self, byte: Option<u8>) -> Typing {
        match byte {
            Some(b'\r' | b'\n') => return Typing::Done,
            Some(CTRL_C) => return Typing::Interrupted,
            None | Some(CTRL_D) if self.typed.is_empty() => return Typing::Ended,
            None => return Typing::Done,
            Some(CTRL_D) => {}
            Some(BACKSPACE | DELETE) => drop(self.typed.pop()),
            Some(CTRL_U) => self.typed.clear(),
            Some(byte) if self.typed.len() < LINE_MAX => self.typed.push(byte),
            Some(_) => {}
        }
        Typing::More
    }
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the keys come to: the last meaning, and the line.
    fn typed(keys: &str) -> (Typing, String) {
        let mut line = Line::default();
        let meaning = keys.bytes().map(Some).chain([None]).map(|byte| line.take(byte)).find(|meaning| *meaning != Typing::More);
        (meaning.unwrap(), String::from_utf8(line.typed.to_vec()).unwrap())
    }

    #[test]
    fn a_line_ends_with_enter_and_can_be_corrected() {
        for (keys, line) in
            [("abc\r", "abc"), ("abc\nrest", "abc"), ("abx\x7fc\n", "abc"), ("xyz\x15abc\n", "abc"), ("a\x04bc\n", "abc")]
        {
            assert_eq!(typed(keys), (Typing::Done, line.to_owned()), "{keys:?}");
        }
    }

    #[test]
    fn the_end_and_an_interruption_are_told_apart() {
        assert_eq!(typed("abc\x03").0, Typing::Interrupted);
        assert_eq!(typed("\x04").0, Typing::Ended);
        assert_eq!(typed("").0, Typing::Ended);
        assert_eq!(typed("abc"), (Typing::Done, "abc".to_owned()));
    }

    #[test]
    fn a_line_without_end_is_not_kept_without_end() {
        assert_eq!(typed(&"a".repeat(2 * LINE_MAX)).1.len(), LINE_MAX);
    }
}
