//! What a scraper gets: own families, then the connectors', in pieces that are made as they are taken.

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, stream};
use tokio::sync::{mpsc, oneshot};

use super::relay::{Relay, Relayed};
use crate::{
    exposition::{Format, Place, write_end},
    intent::Intent,
    metrics::Metrics,
    recorder::Recorder,
    supervisor::Supervisor,
};

/// How large a piece is, about, in bytes: making and compressing one takes about a millisecond.
const PIECE_BYTES: usize = 64 * 1024;

/// By how much a piece may be larger, if no line is longer than that.
const LINE_BYTES: usize = 1024;

/// How many scrapes may wait for own families: as many as are served at once.
const RENDERINGS_MAX: usize = 16;

/// Makes pages.
pub(super) struct Exporter {
    relay: Relay,
    renderings: mpsc::Sender<Rendering>,
}

/// A wish for own families as text.
struct Rendering {
    format: Format,
    done: oneshot::Sender<String>,
}

/// A page in pieces.
pub(super) struct Pieces {
    own: Bytes,
    relayed: Arc<Relayed>,
    place: Place,
    format: Format,
    /// Whether all families are written.
    is_complete: bool,
}

impl Exporter {
    /// Starts the thread that renders own families: a thousand tunnels take milliseconds of pure computing, and the loops go on
    /// meanwhile. It is always the same one, because the allocator keeps what a thread has used once, for each thread anew.
    ///
    /// # Errors
    ///
    /// When there can be no more threads.
    pub(super) fn start(
        metrics: Metrics,
        recorder: Recorder,
        supervisor: Supervisor,
        intent: Intent,
        relay: Relay,
    ) -> io::Result<Self> {
        let (renderings, mut wishes) = mpsc::channel::<Rendering>(RENDERINGS_MAX);
        let render = move || {
            while let Some(Rendering { format, done }) = wishes.blocking_recv() {
                let losses = supervisor.log_losses();
                metrics.set_log_losses(losses.journal_lines(), losses.full_disks());
                metrics.set_config_refused(!intent.files().problems.is_empty());
                // Whoever wished for it may be gone.
                let _ = done.send(metrics.render_as(|| recorder.status(), format));
            }
        };
        thread::Builder::new().name("metrics".to_owned()).spawn(render)?;
        Ok(Self { relay, renderings })
    }

    /// A page of now. Connectors are read first, so that what came of it is in the page.
    pub(super) async fn page(&self, format: Format) -> Pieces {
        let relayed = self.relay.read().await;
        let (done, own) = oneshot::channel();
        let wish = self.renderings.send(Rendering { format, done }).await;
        wish.expect("the thread lives as long as somebody can wish");
        let own = own.await.expect("the thread answers every wish");
        Pieces { own: own.into(), relayed, place: Place::default(), format, is_complete: false }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if !self.own.is_empty() {
            return Some(self.own.split_to(self.own.len().min(PIECE_BYTES)));
        }
        if self.is_complete {
            return None;
        }
        let mut piece = String::with_capacity(PIECE_BYTES + LINE_BYTES);
        self.is_complete = !self.relayed.merged.write(&mut self.place, self.format, &mut piece, PIECE_BYTES);
        if self.is_complete {
            write_end(&mut piece, self.format);
        }
        Some(piece.into()).filter(|piece: &Bytes| !piece.is_empty())
    }
}

/// The same pieces, compressed. One that grows into none is passed over.
pub(super) struct Gzip<Pieces> {
    pieces: Pieces,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<Pieces> Gzip<Pieces> {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self { pieces, encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())) }
    }
}

impl<Pieces: Iterator<Item = Bytes>> Iterator for Gzip<Pieces> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let encoder = self.encoder.as_mut()?;
            let Some(piece) = self.pieces.next() else {
                return Some(self.encoder.take()?.finish().map(Bytes::from));
            };
            if let Err(error) = encoder.write_all(&piece) {
                self.encoder = None;
                return Some(Err(error));
            }
            if !encoder.get_ref().is_empty() {
                return Some(Ok(std::mem::take(encoder.get_mut()).into()));
            }
        }
    }
}

/// A stream that lets others run after each piece, however fast they are taken.
pub(super) fn unhurried<T: Send + 'static>(pieces: impl Iterator<Item = T> + Send + 'static) -> impl Stream<Item = T> + Send {
    stream::unfold(pieces, async |mut pieces| {
        tokio::task::yield_now().await;
        pieces.next().map(|piece| (piece, pieces))
    })
}
