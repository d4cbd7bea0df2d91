//! What a scraper gets: own families, then the connectors', in pieces that are made as they are taken.

use std::{
    io::{self, Write},
    sync::Arc,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, stream};

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

/// Makes pages.
pub(super) struct Exporter {
    pub(super) metrics: Metrics,
    pub(super) recorder: Recorder,
    pub(super) supervisor: Supervisor,
    pub(super) intent: Intent,
    pub(super) relay: Relay,
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
    /// A page of now. Connectors are read first, so that what came of it is in the page.
    pub(super) async fn page(self: Arc<Self>, format: Format) -> Pieces {
        let relayed = self.relay.read().await;
        // A thousand tunnels take milliseconds of pure computing; the loops go on meanwhile.
        let own = tokio::task::spawn_blocking(move || {
            let losses = self.supervisor.log_losses();
            self.metrics.set_log_losses(losses.journal_lines(), losses.full_disks());
            self.metrics.set_config_refused(!self.intent.files().problems.is_empty());
            self.metrics.render_as(&self.recorder.status(), format)
        });
        Pieces { own: own.await.unwrap_or_default().into(), relayed, place: Place::default(), format, is_complete: false }
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
        let mut piece = String::new();
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
