//! cloudflared's log: JSON lines to `--logfile`, and JSON or console lines to standard error.
//!
//! A thread of its own writes, so that a full pipe stalls what must be logged (a graceful stop, above all) and not `/ready`. When
//! the reader of standard error is gone the next line ends the process by SIGPIPE, as Go's runtime does.

mod format;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use serde_json::Value;
use tokio::sync::oneshot;

use super::{arguments::Values, go, raw};

/// How many lines may wait for a slow reader; then the whole process waits.
const LINES_MAX: usize = 4096;

/// The writer's stack in bytes: it only moves lines.
const STACK_BYTES: usize = 64 * 1024;

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// What standard error gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Console,
    Json,
}

/// A handle to the log.
#[derive(Clone)]
pub(super) struct Log {
    level: Level,
    output: Output,
    sender: SyncSender<Message>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
    torn: Arc<AtomicBool>,
}

enum Message {
    Event { stderr: Vec<u8>, file: Option<Vec<u8>> },
    Flush(oneshot::Sender<()>),
    Close,
}

impl Log {
    /// Opens the log as the flags say. What is wrong with them is logged.
    pub(super) fn open(values: &Values) -> Self {
        let wanted = if values.is_set("loglevel") { values.text("loglevel") } else { "info" };
        let level = match wanted {
            "debug" => Some(Level::Debug),
            "info" => Some(Level::Info),
            "warn" => Some(Level::Warn),
            "error" => Some(Level::Error),
            "fatal" => Some(Level::Fatal),
            _ => None,
        };
        let output = if values.text("output") == "json" { Output::Json } else { Output::Console };
        let (file, file_error) = match values.text("logfile") {
            "" => (None, None),
            path => match OpenOptions::new().append(true).create(true).open(path) {
                Ok(file) => (Some(file), None),
                Err(error) => (None, Some(format!("unable to create a new logfile: open {path}: {}", go::error_text(&error)))),
            },
        };
        if let Some(error) = file_error {
            // cloudflared falls back to its most talkative logger.
            let log = Self::start(Level::Debug, Output::Json, None);
            log.error(&format!("Falling back to a default logger due to logger setup failure: {error}"));
            return log;
        }
        let log = Self::start(level.unwrap_or(Level::Info), output, file);
        if level.is_none() {
            log.error(&format!("Failed to parse log level {wanted:?}, using \"info\" instead"));
        }
        log
    }

    fn start(level: Level, output: Output, file: Option<File>) -> Self {
        let (sender, receiver) = sync_channel(LINES_MAX);
        let torn = Arc::new(AtomicBool::new(false));
        let writer = Writer { file, torn: Arc::clone(&torn), held_back: Vec::new() };
        let thread = std::thread::Builder::new().name("log".to_owned()).stack_size(STACK_BYTES);
        let handle = thread.spawn(move || writer.run(&receiver)).expect("a thread of 64 KiB can be started");
        Self { level, output, sender, writer: Arc::new(Mutex::new(Some(handle))), torn }
    }

    pub(super) fn info(&self, message: &str) {
        self.event(Level::Info).write(message);
    }

    pub(super) fn error(&self, message: &str) {
        self.event(Level::Error).write(message);
    }

    /// Begins an event with fields.
    pub(super) fn event(&self, level: Level) -> Event<'_> {
        Event { log: self, level, fields: Vec::new() }
    }

    /// Writes a line that is no event, to standard error alone.
    pub(super) fn plain(&self, text: &str) {
        self.send(Message::Event { stderr: format!("{text}\n").into_bytes(), file: None });
    }

    /// Lets the lines on standard error interleave, or not.
    pub(super) fn set_torn(&self, torn: bool) {
        self.torn.store(torn && self.output == Output::Json, Ordering::Relaxed);
    }

    /// Waits until everything is written, however long the reader takes.
    pub(super) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        self.send(Message::Flush(done));
        // The writer only goes away with the process.
        wait.await.ok();
    }

    /// Writes what waits and ends the writer.
    pub(super) fn close(&self) {
        self.send(Message::Close);
        let handle = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            // A writer that panicked has nothing more to write.
            handle.join().ok();
        }
    }

    fn send(&self, message: Message) {
        // After `close` nobody listens, and nothing is left to say.
        self.sender.send(message).ok();
    }
}

/// An event that is being described.
pub(super) struct Event<'a> {
    log: &'a Log,
    level: Level,
    fields: Vec<(&'static str, Value)>,
}

impl Event<'_> {
    /// Adds a field.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Writes the event. Some events have no message.
    pub(super) fn write(self, message: &str) {
        if self.level < self.log.level {
            return;
        }
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let line = format::Line { level: self.level, time: &time, fields: &self.fields, message };
        let stderr = match self.log.output {
            Output::Console => line.console(),
            Output::Json => line.json_sorted(),
        };
        self.log.send(Message::Event { stderr, file: Some(line.json_as_written()) });
    }
}

/// What the log's thread owns.
struct Writer {
    file: Option<File>,
    torn: Arc<AtomicBool>,
    /// The end of a torn line, which follows the next line.
    held_back: Vec<u8>,
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Event { stderr, file } => {
                    self.write_stderr(stderr);
                    if let (Some(target), Some(line)) = (&mut self.file, file) {
                        // A log file that cannot be written, or a FIFO without a reader, stops nothing.
                        target.write_all(&line).ok();
                    }
                }
                Message::Flush(done) => {
                    self.release();
                    // Whoever asked may have given up.
                    done.send(()).ok();
                }
                Message::Close => {
                    self.release();
                    return;
                }
            }
        }
    }

    fn write_stderr(&mut self, mut line: Vec<u8>) {
        if self.held_back.is_empty() && self.torn.load(Ordering::Relaxed) {
            self.held_back = line.split_off(line.len() / 2);
            write_or_die(&line);
        } else {
            write_or_die(&line);
            self.release();
        }
    }

    fn release(&mut self) {
        write_or_die(&std::mem::take(&mut self.held_back));
    }
}

fn write_or_die(bytes: &[u8]) {
    match io::stderr().write_all(bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => raw::die_of_a_broken_pipe(),
        // Anything else (a full disk behind a redirection) loses the line only.
        Ok(()) | Err(_) => {}
    }
}
