//! How far a request is that takes long: told by the backend, shown to whoever waits.

use std::{fmt, sync::Arc};

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// How many steps are done.
    pub done: u64,
    /// How many there are; 0 while that is not known.
    pub total: u64,
    /// What goes on, for a person.
    pub sentence: String,
}

/// Where a backend tells how far a request is. Cheap to clone, and telling never waits.
///
/// The first thing that is told says also that the request was found good and has begun: from then on it goes on to its end,
/// whether or not somebody waits.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Told) + Send + Sync>);

impl Progress {
    /// One that calls `listener` each time.
    pub fn new(listener: impl Fn(Told) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells how far it is.
    pub fn tell(&self, told: Told) {
        (self.0)(told);
    }

    /// Tells what goes on, while steps are not counted.
    pub fn say(&self, sentence: impl Into<String>) {
        self.tell(Told { sentence: sentence.into(), ..Told::default() });
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}
