//! What one process has said of itself in its log, as far as something is decided by it.

use std::time::{Duration, Instant};

use super::flapping::Churn;
use crate::connector::{Protocol, Said};

/// So many registrations in a row must fail until it counts as a refusal where nobody says why. A connection that breaks while it is
/// registered looks the same; but it would be made again.
const SILENT_REFUSALS: u32 = 3;
/// So many dials over QUIC must fail until that tells of QUIC and not of one address. Three take 15 s and more.
const QUIC_DIALS: u32 = 3;

/// A refusal that comes again and again is told so often at most: each time it is looked whether the tunnel still exists.
const TOLD_APART: Duration = Duration::from_secs(300);

/// The signs of one process.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Over what it registered a connection last.
    pub(super) protocol: Option<Protocol>,
    /// How often it registers connections.
    pub(super) churn: Churn,
    /// It gave up QUIC by itself.
    pub(super) fell_back: bool,
    /// What its start-up checks suggest, once they have ended.
    prechecked: Option<Option<Protocol>>,
    /// Dials over QUIC that failed since it registered a connection last.
    quic_dials_failed: u32,
    /// Registrations that failed since then.
    registrations_failed: u32,
    refusal: Option<Refusal>,
    /// What was told of it last, and when.
    told: Option<(Refusal, Instant)>,
}

/// The edge does not register it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Cloudflare says why.
    InWords(String),
    /// It only fails again and again, as it does over QUIC.
    Silent,
}

impl Signs {
    /// Takes in a line.
    pub(super) fn hear(&mut self, said: &Said, now: Instant) {
        match said {
            Said::Registered { protocol } => {
                self.protocol = protocol.or(self.protocol);
                self.churn.count(now);
                self.connected();
            }
            Said::Prechecked { suggested } => self.prechecked = Some(*suggested),
            Said::QuicDialFailed => {
                self.quic_dials_failed = self.quic_dials_failed.saturating_add(1);
                // Who cannot be reached does not refuse.
                self.registrations_failed = 0;
            }
            Said::FellBack => self.fell_back = true,
            Said::Refused { why } => {
                self.refusal = Some(Refusal::InWords(why.clone()));
            }
            Said::RegistrationFailed => {
                self.registrations_failed = self.registrations_failed.saturating_add(1);
                if self.registrations_failed >= SILENT_REFUSALS {
                    self.refusal.get_or_insert(Refusal::Silent);
                }
            }
            Said::Configured | Said::ConfigurationRefused { .. } | Said::Lost => {} // nothing that lasts
        }
    }

    /// It is connected: what kept it from that is over.
    pub(super) fn connected(&mut self) {
        (self.quic_dials_failed, self.registrations_failed) = (0, 0);
        self.refusal = None;
    }

    /// The edge could not be reached at all until now: dials that failed by then say nothing about QUIC.
    pub(super) fn forget_dials(&mut self) {
        self.quic_dials_failed = 0;
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// The refusal, if it was not told yet or long ago. It counts as told from then on.
    pub(super) fn untold_refusal(&mut self, now: Instant) -> Option<Refusal> {
        let refusal = self.refusal.clone()?;
        let told = |(told, at): &(Refusal, Instant)| *told == refusal && now < *at + TOLD_APART;
        if self.told.as_ref().is_some_and(told) {
            return None;
        }
        self.told = Some((refusal.clone(), now));
        Some(refusal)
    }

    /// Whether QUIC has been seen to work in this process.
    pub(super) fn has_used_quic(&self) -> bool {
        self.protocol == Some(Protocol::Quic)
    }

    /// Why QUIC does not get through at its start, while HTTP/2 may. Its own checks know better than dials that fail: they have tried
    /// both.
    pub(super) fn blocked_at_start(&self) -> Option<&'static str> {
        match self.prechecked {
            _ if self.protocol.is_some() => None,
            Some(Some(Protocol::Http2)) => Some("its start-up checks found that only HTTP/2 gets through"),
            Some(Some(Protocol::Quic) | None) => None,
            None if self.is_dialling_in_vain() => Some("it could not reach the edge over QUIC again and again"),
            None => None,
        }
    }

    /// Whether QUIC dials fail again and again.
    pub(super) fn is_dialling_in_vain(&self) -> bool {
        self.quic_dials_failed >= QUIC_DIALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::testing::start_of_time;

    fn heard(said: &[Said]) -> Signs {
        let mut signs = Signs::default();
        said.iter().for_each(|said| signs.hear(said, start_of_time()));
        signs
    }

    const QUIC: Said = Said::Registered { protocol: Some(Protocol::Quic) };
    const ONLY_HTTP2: Said = Said::Prechecked { suggested: Some(Protocol::Http2) };

    #[test]
    fn what_tells_that_quic_is_blocked() {
        let dial = Said::QuicDialFailed;
        let both = Said::Prechecked { suggested: Some(Protocol::Quic) };
        let neither = Said::Prechecked { suggested: None };
        for (said, blocked) in [
            (vec![ONLY_HTTP2], true),
            (vec![dial.clone(), dial.clone()], false),
            (vec![dial.clone(), dial.clone(), dial.clone()], true),
            (vec![neither, dial.clone(), dial.clone(), dial.clone()], false),
            (vec![both, dial.clone(), dial.clone(), dial.clone()], false),
            (vec![QUIC, ONLY_HTTP2], false),
            (vec![], false),
        ] {
            assert_eq!(heard(&said).blocked_at_start().is_some(), blocked, "{said:?}");
        }
        assert!(heard(&[QUIC, dial.clone(), dial.clone(), dial]).is_dialling_in_vain());
    }

    #[test]
    fn what_counts_as_a_refusal() {
        let (fails, words) = (Said::RegistrationFailed, Said::Refused { why: "Unauthorized".into() });
        let in_words = Some(Refusal::InWords("Unauthorized".into()));
        for (said, refusal) in [
            (vec![words.clone()], in_words.clone()),
            (vec![fails.clone(), fails.clone()], None),
            (vec![fails.clone(), fails.clone(), fails.clone()], Some(Refusal::Silent)),
            (vec![fails.clone(), fails.clone(), Said::QuicDialFailed, fails.clone()], None),
            (vec![words.clone(), QUIC], None),
            (vec![fails.clone(), fails.clone(), fails.clone(), words], in_words),
        ] {
            assert_eq!(heard(&said).refusal(), refusal.as_ref(), "{said:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_once_and_again_when_its_words_are_known() {
        let mut signs = heard(&[Said::RegistrationFailed, Said::RegistrationFailed, Said::RegistrationFailed]);
        let now = start_of_time();
        assert_eq!((signs.untold_refusal(now), signs.untold_refusal(now)), (Some(Refusal::Silent), None));
        let (words, in_words) = (Said::Refused { why: "Unauthorized".into() }, Some(Refusal::InWords("Unauthorized".into())));
        signs.hear(&words, now);
        assert_eq!(signs.untold_refusal(now), in_words);
        // Connections that come and go in between do not make it news.
        signs.connected();
        signs.hear(&words, now);
        assert_eq!((signs.untold_refusal(now), signs.untold_refusal(now + TOLD_APART)), (None, in_words));
    }
}
