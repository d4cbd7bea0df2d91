//! The terminal as a screen: taken over, drawn on, and given back as it was, however the program ends.

mod adapt;
mod input;
mod page;
mod signals;

use std::{
    io::{self, stdout},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::{Hide, Show},
        execute,
        terminal::{
            DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
        },
    },
};

pub use adapt::{Ability, adapt};
pub use input::{Input, inputs};
pub use page::Page;
pub use signals::{Ends, Signal, Signals, stop_here};

/// Whether the terminal is ours at this moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over until this is dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    ability: Ability,
}

impl Screen {
    /// Takes the terminal over: raw, on its alternate screen. A panic gives it back before it says anything, in a program that ends
    /// without unwinding too.
    ///
    /// # Errors
    ///
    /// When standard output is no terminal, or does not take it.
    pub fn open(ability: Ability) -> io::Result<Self> {
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let screen = Self { terminal, ability };
        take()?;
        Ok(screen)
    }

    /// Draws one frame, within what the terminal is able to show.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let ability = self.ability;
        self.terminal.draw(|frame| {
            render(frame);
            adapt(frame.buffer_mut(), ability);
        })?;
        Ok(())
    }

    /// Its columns and lines.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Gives the terminal back for a while, as for a shell that the user goes to.
    pub fn leave(&mut self) {
        give_back();
    }

    /// Takes it again, and forgets what was drawn: everything is drawn anew.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn take_again(&mut self) -> io::Result<()> {
        // Whoever had it meanwhile has left it in another mode than we did.
        give_back();
        take()?;
        // Unlike `clear`, this asks the terminal nothing: the answer would come among the keys, which are being read elsewhere.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen)
}

/// Keys stay with the terminal.
fn take_for_lines() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, Hide, DisableLineWrap)
}

/// Nothing is left to do about an error: the terminal is gone.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), EnableLineWrap, LeaveAlternateScreen, Show);
    }
}

fn give_back_on_panic() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            next(panic);
        }));
    });
}
