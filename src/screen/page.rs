//! Lines on a screen of their own, for who looks and presses no keys.

use std::io::{self, Write, stdout};

use super::{give_back, give_back_on_panic, stop_here, take_for_lines};

/// The terminal's alternate screen, where nothing scrolls away, without a cursor and without wrapping, until this is dropped. Keys stay
/// with the terminal.
pub struct Page(());

impl Page {
    /// Takes the screen.
    ///
    /// # Errors
    ///
    /// When standard output is no terminal any more.
    pub fn open() -> io::Result<Self> {
        give_back_on_panic();
        take_for_lines()?;
        Ok(Self(()))
    }

    /// Shows `text` and nothing else; `foot` stands in the last of `height` lines.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn draw(&self, text: &str, foot: &str, height: usize) -> io::Result<()> {
        let mut out = stdout().lock();
        out.write_all(frame(text, foot, height).as_bytes())?;
        out.flush()
    }

    /// Gives the terminal back, stops this process until somebody continues it, and takes the screen again.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn stop(&self) -> io::Result<()> {
        give_back();
        stop_here()?;
        take_for_lines()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        give_back();
    }
}

/// What draws `text` over whatever is there, without flicker: each line clears its own rest, and the last one what is below.
fn frame(text: &str, foot: &str, height: usize) -> String {
    let room = height.saturating_sub(1).max(1);
    let lines: Vec<&str> = text.lines().collect();
    let hidden = lines.len().saturating_sub(room);
    let shown = if hidden > 0 { &lines[..room - 1] } else { &lines[..] };
    let more = (hidden > 0).then(|| format!("… {} more lines", hidden + 1));
    let body = shown.iter().copied().chain(more.as_deref()).map(|line| format!("{line}\x1b[K\r\n"));
    format!("\x1b[H{}\x1b[J{foot}\x1b[K", body.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_the_screen_and_says_what_it_leaves_out() {
        assert_eq!(frame("a\nb\n", "foot", 10), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[Jfoot\x1b[K");
        assert_eq!(frame("a\nb\nc\nd\n", "foot", 4), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n… 2 more lines\x1b[K\r\n\x1b[Jfoot\x1b[K");
        assert_eq!(frame("a\n", "foot", 0).matches("\r\n").count(), 1);
    }
}
