//! Where a command prints to and reads from.

use std::{
    io::{self, BufRead, IsTerminal, Read, Write},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Failure,
    render::{Look, json, plain},
};

/// Where a command prints to and reads from.
pub struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn BufRead>,
    /// How stdout looks.
    pub(super) look: Look,
    /// Whether somebody is there who can be asked.
    interactive: bool,
    /// Gives the time that ages are counted to.
    now: fn() -> Timestamp,
}

impl Terminal {
    /// The process's own. `no_color` is whether its environment asks for no colours.
    pub fn of_process(no_color: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        // Asking for the width of what is no terminal would start other programs to find out.
        let width =
            if is_terminal { ratatui::crossterm::terminal::size().ok().map(|(width, _)| usize::from(width)) } else { None };
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            look: Look { colour: is_terminal && !no_color, width: width.filter(|width| *width > 0) },
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            now: Timestamp::now,
        }
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
        if !self.interactive {
            return Ok(None);
        }
        write!(self.err, "{question}")?;
        self.err.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// Reads all of stdin, as a program's file.
    pub(super) fn read_input(&mut self, bytes_max: u64) -> io::Result<String> {
        let mut text = String::new();
        (&mut self.input).take(bytes_max).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// A duration as people write it: `90s`, `10m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "it must be a duration, such as 90s, 10m or 1h30m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it must not be negative".to_owned())
}
