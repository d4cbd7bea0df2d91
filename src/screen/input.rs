//! What the person at the terminal does.

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;

/// What the person at the terminal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Pressed a key.
    Key(KeyEvent),
    /// Gave the terminal this many columns and lines.
    Resized(u16, u16),
}

/// How many may wait; a person is slower.
const INPUTS_MAX: usize = 16;

/// Everything that is done from here on, read on a thread of its own because the terminal has no other way. It ends with the terminal.
pub fn inputs() -> mpsc::Receiver<Input> {
    let (sender, inputs) = mpsc::channel(INPUTS_MAX);
    std::thread::spawn(move || {
        while let Ok(read) = event::read() {
            let input = match read {
                Event::Key(key) if key.kind == KeyEventKind::Press => Input::Key(key),
                Event::Resize(columns, lines) => Input::Resized(columns, lines),
                Event::Key(_) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => continue,
            };
            if sender.blocking_send(input).is_err() {
                return;
            }
        }
    });
    inputs
}
