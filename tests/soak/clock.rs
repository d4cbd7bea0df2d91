//! The daemon's wall clock, which can be set for it alone: libfaketime, preloaded into it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rand::{RngExt, rngs::SmallRng};

/// Where Debian has it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// How far it jumps, at most: some hours or some years.
const HOURS_MAX: i64 = 72;
const YEARS_MAX: i64 = 8;
const HOURS_OF_YEAR: i64 = 8_766;

/// The clock of the daemons to come, and of the one that runs.
pub(crate) struct WallClock {
    library: PathBuf,
    file: PathBuf,
    /// How far it is from the host's, in hours.
    hours: i64,
}

impl WallClock {
    /// The library, where the host has it.
    pub(crate) fn library() -> Option<PathBuf> {
        LIBRARIES.iter().map(PathBuf::from).find(|path| path.exists())
    }

    /// A clock that is right.
    pub(crate) fn new(library: PathBuf, file: PathBuf) -> io::Result<Self> {
        let clock = Self { library, file, hours: 0 };
        clock.write()?;
        Ok(clock)
    }

    /// What a daemon needs in its environment to go by this clock. Time that passes is the host's.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &Path)> {
        vec![
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file),
            ("FAKETIME_CACHE_DURATION", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            ("NO_FAKE_STAT", Path::new("1")),
        ]
    }

    /// Sets it forward or back, by hours or years. It never leaves the century.
    pub(crate) fn jump(&mut self, forward: bool, rng: &mut SmallRng) -> io::Result<()> {
        let years = rng.random::<bool>();
        let far = if years { rng.random_range(1..=YEARS_MAX) * HOURS_OF_YEAR } else { rng.random_range(1..=HOURS_MAX) };
        let hours = self.hours + if forward { far } else { -far };
        self.hours = hours.clamp(-2 * YEARS_MAX * HOURS_OF_YEAR, 2 * YEARS_MAX * HOURS_OF_YEAR);
        self.write()
    }

    /// Sets it right.
    pub(crate) fn set_right(&mut self) -> io::Result<()> {
        self.hours = 0;
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{:+}h\n", self.hours))?;
        fs::rename(next, &self.file)
    }
}
