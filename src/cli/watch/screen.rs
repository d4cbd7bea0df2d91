//! A screen that is drawn over and over, and given back as it was.

use std::io::{self, Write};

/// Enters the alternate screen, where nothing scrolls away, without a cursor and without wrapping.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";

/// Gives everything back.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal's alternate screen, from its making until it is dropped, however that comes.
pub(super) struct Screen;

impl Screen {
    /// Takes the screen.
    pub(super) fn enter() -> io::Result<Self> {
        write(ENTER)?;
        Ok(Self)
    }

    /// Shows `text` and nothing else; `foot` stands in the last of `height` lines.
    pub(super) fn draw(&self, text: &str, foot: &str, height: usize) -> io::Result<()> {
        write(&frame(text, foot, height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Without a terminal there is nothing to give back.
        let _ = write(LEAVE);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
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
