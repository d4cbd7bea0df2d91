//! A terminal: a program on a pseudo-terminal of its own, and what it shows.
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize},
};

/// A terminal with a program on it. Dropping it ends the program.
pub(crate) struct Terminal {
    master: File,
    /// Kept open, so that its settings can be read when the program has ended.
    slave: OwnedFd,
    child: Child,
    screen: Arc<Mutex<Screen>>,
    /// The settings before the program came.
    before: Termios,
}

/// What a terminal shows, as far as our program uses it.
struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Bytes of a sequence or a character that is not complete yet.
    pending: Vec<u8>,
    /// Whether it is the alternate screen.
    alternate: bool,
    cursor_shown: bool,
}

impl Terminal {
    /// Starts the program on a terminal of that size, as the leader of a session whose terminal it is.
    pub(crate) fn start(program: &str, arguments: &[&str], variables: &[(&str, &Path)], columns: u16, lines: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let flags = OFlags::NOCTTY.bits().cast_signed();
        let slave: OwnedFd = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name).unwrap().into();
        set_size(&master, columns, lines);
        let before = tcgetattr(&slave).unwrap();
        // `setsid` becomes the program, so that its number is the program's.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program).args(arguments).env_clear().env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH")).envs(variables.iter().copied());
        let stdio = || std::process::Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let screen = Arc::new(Mutex::new(Screen::new(columns, lines)));
        let (master, shown) = (File::from(master), Arc::clone(&screen));
        let mut reader = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = reader.read(&mut bytes) {
                shown.lock().unwrap().take(&bytes[..length]);
            }
        });
        Self { master, slave, child, screen, before }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives it another size; the kernel tells the program.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        // Before the program learns of it, so that nothing that it draws in that size is lost.
        self.screen.lock().unwrap().resize(columns, lines);
        set_size(&self.master, columns, lines);
    }

    /// What it shows, line by line.
    pub(crate) fn text(&self) -> String {
        let screen = self.screen.lock().unwrap();
        screen.cells.iter().map(|line| format!("{}\n", line.iter().collect::<String>().trim_end())).collect()
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Whether the program draws on the whole of it.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.lock().unwrap().alternate
    }

    /// Whether it shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Whether it is as it was before the program came: screen, cursor and settings.
    pub(crate) fn is_as_before(&self) -> bool {
        let screen = self.screen.lock().unwrap();
        let (is, was) = (tcgetattr(&self.slave).unwrap(), &self.before);
        let same = is.input_modes == was.input_modes
            && is.output_modes == was.output_modes
            && is.control_modes == was.control_modes
            && is.local_modes == was.local_modes;
        same && !screen.alternate && screen.cursor_shown
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(terminal: &impl AsFd, columns: u16, lines: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

impl Screen {
    fn new(columns: u16, lines: u16) -> Self {
        let cells = vec![vec![' '; usize::from(columns)]; usize::from(lines)];
        Self { cells, row: 0, column: 0, pending: Vec::new(), alternate: false, cursor_shown: true }
    }

    fn resize(&mut self, columns: u16, lines: u16) {
        self.cells.resize(usize::from(lines), Vec::new());
        self.cells.iter_mut().for_each(|line| line.resize(usize::from(columns), ' '));
    }

    fn take(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(used) = self.take_one() {
            self.pending.drain(..used);
        }
    }

    /// Takes one sequence or character, and says how long it was; `None` while it is not complete.
    fn take_one(&mut self) -> Option<usize> {
        match *self.pending.first()? {
            0x1b if *self.pending.get(1)? == b'[' => {
                let end = 2 + self.pending[2..].iter().position(|byte| matches!(byte, 0x40..=0x7e))?;
                let parameters = String::from_utf8(self.pending[2..end].to_vec()).unwrap();
                self.control(&parameters, self.pending[end]);
                Some(end + 1)
            }
            0x1b => Some(2),
            b'\r' => {
                self.column = 0;
                Some(1)
            }
            b'\n' => {
                self.row += 1;
                Some(1)
            }
            first => {
                let length = match first {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    0xc0.. => 2,
                    _ => 1,
                };
                let char = std::str::from_utf8(self.pending.get(..length)?).unwrap().chars().next().unwrap();
                if let Some(cell) = self.cells.get_mut(self.row).and_then(|line| line.get_mut(self.column)) {
                    *cell = char;
                }
                self.column += 1;
                Some(length)
            }
        }
    }

    fn clear_rest_of_line(&mut self) {
        let line = self.cells.get_mut(self.row).into_iter().flatten();
        line.skip(self.column).for_each(|cell| *cell = ' ');
    }

    fn control(&mut self, parameters: &str, command: u8) {
        let mut numbers = parameters.split(';').map(|number| number.parse::<usize>().unwrap_or(1));
        match (parameters, command) {
            (_, b'H') => {
                self.row = numbers.next().unwrap_or(1) - 1;
                self.column = numbers.next().unwrap_or(1) - 1;
            }
            ("" | "0", b'K') => self.clear_rest_of_line(),
            ("" | "0", b'J') => {
                self.clear_rest_of_line();
                self.cells.iter_mut().skip(self.row + 1).for_each(|line| line.fill(' '));
            }
            (_, b'J') => self.cells.iter_mut().for_each(|line| line.fill(' ')),
            ("?1049", b'h' | b'l') => self.alternate = command == b'h',
            ("?25", b'h' | b'l') => self.cursor_shown = command == b'h',
            _ => {}
        }
    }
}
