//! Where a command prints to and reads from.

mod hidden;

use std::{
    io::{self, BufRead, IsTerminal, Read, Write},
    os::fd::AsFd,
};

use jiff::Timestamp;
use zeroize::Zeroizing;

use self::hidden::Hidden;
use super::{
    Ending, Failure,
    render::{Look, json, plain, plain_lines},
};

/// What the environment says about terminals.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// `NO_COLOR`: there are to be no colours.
    pub no_color: bool,
    /// `TERM=dumb`: the terminal does nothing but print.
    pub dumb: bool,
}

/// Where a command prints to and reads from.
pub struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn BufRead>,
    /// How stdout looks.
    pub(super) look: Look,
    /// How stderr looks.
    pub(super) words_look: Look,
    /// Whether stdin is a terminal, which shows what is typed unless it is told not to.
    shows_typing: bool,
    /// Whether a terminal's cursor cannot be moved.
    dumb: bool,
    /// Gives the time that ages are counted to.
    now: fn() -> Timestamp,
}

impl Terminal {
    /// The process's own.
    pub fn of_process(wishes: Wishes) -> Self {
        let colours = !wishes.no_color && !wishes.dumb;
        let look = |is_terminal: bool| Look { colour: is_terminal && colours, width: is_terminal.then(width) };
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            look: look(io::stdout().is_terminal()),
            words_look: look(io::stderr().is_terminal()),
            shows_typing: io::stdin().is_terminal(),
            dumb: wishes.dumb,
            now: Timestamp::now,
        }
    }

    /// One without a terminal, for tests: it reads `input` and writes to these two.
    #[cfg(test)]
    pub(super) fn of_test(input: &[u8], out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        let look = Look { colour: false, width: None };
        let input = Box::new(io::Cursor::new(input.to_vec()));
        Self { out, err, input, look, words_look: look, shows_typing: false, dumb: false, now: Timestamp::now }
    }

    /// Shows colours always or never, whatever the environment asks for.
    pub(super) fn force_colour(&mut self, colour: bool) {
        self.look.colour = colour;
        self.words_look.colour = colour;
    }

    /// Looks again how wide stdout is, if it is a terminal.
    pub(super) fn measure(&mut self) {
        self.look.width = self.look.width.map(|_| width());
    }

    /// Whether stdout is a terminal that can be drawn over.
    pub(super) fn can_redraw(&self) -> bool {
        self.look.width.is_some() && !self.dumb
    }

    /// Whether stderr is a terminal that can be drawn over.
    pub(super) fn can_redraw_words(&self) -> bool {
        self.words_look.width.is_some() && !self.dumb
    }

    /// Looks whether stdin and stdout are a terminal that can be taken over by `view`; `instead` says what there is besides.
    ///
    /// # Errors
    ///
    /// When they are not.
    pub(super) fn check_takeable(&self, view: &str, instead: &str) -> Result<(), Failure> {
        let why = match (self.shows_typing && self.look.width.is_some(), self.dumb) {
            (true, false) => return Ok(()),
            (true, true) => "on a terminal of TERM=\"dumb\": it cannot be drawn on",
            (false, _) => "without a terminal",
        };
        Err(Failure::new(Ending::Usage, format!("cannot show {view} {why}")).with_hint(instead))
    }

    /// The terminal's height in lines.
    pub(super) fn height(&self) -> usize {
        let told = ratatui::crossterm::terminal::size().ok().map(|(_, height)| usize::from(height));
        told.filter(|height| *height > 0).unwrap_or(HEIGHT_UNTOLD)
    }

    /// Whether somebody is there who can be asked.
    pub(super) fn is_interactive(&self) -> bool {
        self.shows_typing && self.words_look.width.is_some()
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Prints data.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Prints a file's text: as it is, but harmless where that is a terminal.
    pub(super) fn print_file(&mut self, text: &str) -> Result<(), Failure> {
        match self.look.width {
            Some(_) => self.print(&plain_lines(text)),
            None => self.print(text),
        }
    }

    /// Prints `value` as JSON for programs.
    pub(super) fn print_json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        self.print(&json(value))
    }

    /// Tells people something. Nobody may be there to read it.
    pub(super) fn tell(&mut self, text: &str) {
        let _ = writeln!(self.err, "{}", plain(text));
    }

    /// Tells people something that was rendered for them.
    pub(super) fn show(&mut self, rendered: &str) {
        let _ = write!(self.err, "{rendered}");
    }

    /// Asks; the answer is one line. `None`: nobody is there to be asked.
    pub(super) fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        if !self.is_interactive() {
            return Ok(None);
        }
        write!(self.err, "{question}")?;
        self.err.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// Asks for a secret: one line of a terminal, which does not show it, or all of stdin, `bytes_max` at most.
    pub(super) fn ask_secret(&mut self, question: &str, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if !self.shows_typing {
            let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
            (&mut self.input).take(bytes_max as u64).read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        write!(self.err, "{question}")?;
        self.err.flush()?;
        let answer = hidden::read(io::stdin().as_fd());
        // The line's end was not shown either.
        let _ = writeln!(self.err);
        match answer? {
            Hidden::Line(line) => Ok(line),
            Hidden::Interrupted => Err(Failure::new(Ending::Failed, "interrupted")),
            Hidden::Ended => Err(Failure::new(Ending::Failed, "nothing was given: the input ended")),
        }
    }

    /// Reads all of stdin, as a program's file.
    pub(super) fn read_input(&mut self, bytes_max: u64) -> io::Result<String> {
        let mut text = String::new();
        (&mut self.input).take(bytes_max).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The width of the terminal in columns.
fn width() -> usize {
    let told = ratatui::crossterm::terminal::size().ok().map(|(width, _)| usize::from(width));
    told.filter(|width| *width > 0).unwrap_or(WIDTH_UNTOLD)
}

/// The width of a terminal that does not tell it, such as a serial line.
const WIDTH_UNTOLD: usize = 80;

/// The height of a terminal that does not tell it.
const HEIGHT_UNTOLD: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_printed_as_it_is_and_harmless_to_a_terminal() {
        for (width, printed) in [(None, "a\u{202e}b\x1b[2J\nc\n"), (Some(80), "ab[2J\nc\n")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out");
            let out = Box::new(std::fs::File::create(&path).unwrap());
            let mut terminal = Terminal::of_test(b"", out, Box::new(io::sink()));
            terminal.look.width = width;
            terminal.print_file("a\u{202e}b\x1b[2J\nc\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
        }
    }
}
