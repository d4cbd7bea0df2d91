//! Events of the host's uplink, which all connectors share.

use super::{EventKind, Level, Subject};
use crate::connector::{BrakeEnd, FleetNotice, UplinkEnd, in_words};

/// Something that happened to the host's connectors as a whole.
#[derive(Debug, Clone)]
pub struct UplinkEvent(pub FleetNotice);

impl UplinkEvent {
    pub(super) fn kind(&self) -> EventKind {
        match &self.0 {
            FleetNotice::UplinkLost { .. } => EventKind::UplinkLost,
            FleetNotice::UplinkBack { .. } => EventKind::UplinkBack,
            FleetNotice::ClockStepped { .. } => EventKind::ClockStepped,
            FleetNotice::BrakeOn { .. } => EventKind::BrakeOn,
            FleetNotice::BrakeOff(_) => EventKind::BrakeOff,
        }
    }

    pub(super) fn level(&self) -> Level {
        match &self.0 {
            FleetNotice::UplinkLost { .. } => Level::Error,
            FleetNotice::BrakeOn { .. } => Level::Warn,
            FleetNotice::UplinkBack { .. } | FleetNotice::ClockStepped { .. } | FleetNotice::BrakeOff(_) => Level::Info,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::default()
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match &self.0 {
            FleetNotice::UplinkLost { .. } => Some("no-uplink"),
            FleetNotice::UplinkBack { how, .. } => Some(match how {
                UplinkEnd::EdgeAnswers => "edge-answers",
                UplinkEnd::Connected(_) => "connected",
                UplinkEnd::NotNeeded => "not-needed",
            }),
            FleetNotice::ClockStepped { .. } => None,
            FleetNotice::BrakeOn { .. } => Some("common-cause"),
            FleetNotice::BrakeOff(end) => Some(match end {
                BrakeEnd::Recovered => "recovered",
                BrakeEnd::CanaryReady => "canary-ready",
                BrakeEnd::TimeOver => "time-over",
            }),
        }
    }

    /// One sentence for a person, without a full stop.
    pub fn sentence(&self) -> String {
        match &self.0 {
            FleetNotice::UplinkLost { connectors, silence } => {
                let who = match connectors {
                    1 => "the only connector that should have a connection to Cloudflare's edge has none".to_owned(),
                    count => format!("none of {count} connectors has a connection to Cloudflare's edge"),
                };
                let edge = match silence {
                    Some(why) => format!(", and the edge does not answer ({why})"),
                    None => String::new(),
                };
                format!("{who}{edge}: none is restarted for it, and of those that exit again and again one is tried every minute")
            }
            FleetNotice::UplinkBack { how, lasted, restarting } => {
                let how = match how {
                    UplinkEnd::EdgeAnswers => "Cloudflare's edge answers again".to_owned(),
                    UplinkEnd::Connected(slot) => format!("connector {slot} has a connection to Cloudflare's edge again"),
                    UplinkEnd::NotNeeded => "no connector needs Cloudflare's edge any more".to_owned(),
                };
                format!("{how} after {}{}", in_words(*lasted), restarts(*restarting))
            }
            FleetNotice::ClockStepped { restarting } => {
                format!("the host's clock was set, or the host slept{}", restarts(*restarting))
            }
            FleetNotice::BrakeOn { stumbled, of } => format!(
                "{stumbled} of {of} connectors lost their connections or stopped answering at the same time: the cause is none of \
                 theirs, so none that lives is replaced for it, except one at a time"
            ),
            FleetNotice::BrakeOff(end) => {
                let why = match end {
                    BrakeEnd::Recovered => "half of the connectors or more are well again",
                    BrakeEnd::CanaryReady => "the connector that was tried got through",
                    BrakeEnd::TimeOver => "the trouble that they had at the same time lasts too long to wait for its end",
                };
                format!("every connector goes by its own rules again: {why}")
            }
        }
    }
}

fn restarts(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ": 1 connector without a connection starts anew".to_owned(),
        count => format!(": {count} connectors without a connection start anew"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::SlotId;

    #[test]
    fn sentences_say_what_happened_and_what_follows() {
        let silence = Some("edge.example:7844: connection refused".to_owned());
        let slot = SlotId::new("web".parse().unwrap(), 1);
        let lasted = Duration::from_secs(90);
        for (notice, sentence) in [
            (
                FleetNotice::UplinkLost { connectors: 30, silence },
                "none of 30 connectors has a connection to Cloudflare's edge, and the edge does not answer \
                 (edge.example:7844: connection refused): none is restarted for it, and of those that exit again and again one is \
                 tried every minute",
            ),
            (
                FleetNotice::UplinkLost { connectors: 1, silence: None },
                "the only connector that should have a connection to Cloudflare's edge has none: none is restarted for it, and of \
                 those that exit again and again one is tried every minute",
            ),
            (
                FleetNotice::UplinkBack { how: UplinkEnd::EdgeAnswers, lasted, restarting: 29 },
                "Cloudflare's edge answers again after 90 s: 29 connectors without a connection start anew",
            ),
            (
                FleetNotice::UplinkBack { how: UplinkEnd::Connected(slot), lasted, restarting: 1 },
                "connector web/1 has a connection to Cloudflare's edge again after 90 s: 1 connector without a connection starts anew",
            ),
            (FleetNotice::ClockStepped { restarting: 0 }, "the host's clock was set, or the host slept"),
            (
                FleetNotice::BrakeOff(BrakeEnd::CanaryReady),
                "every connector goes by its own rules again: the connector that was tried got through",
            ),
        ] {
            assert_eq!(UplinkEvent(notice).sentence(), sentence);
        }
    }
}
