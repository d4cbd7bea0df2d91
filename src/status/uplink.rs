//! The status of the uplink that all connectors share.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    connector::{FleetNotice, Reason},
    event::UplinkEvent,
};

/// Whether the host reaches Cloudflare's edge, as far as its connectors show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UplinkStatus {
    /// What is known.
    pub state: UplinkState,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
    /// Since when most connectors have trouble at the same time, while they do.
    pub braked_since: Option<Timestamp>,
}

/// Whether the host reaches Cloudflare's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UplinkState {
    /// Nothing speaks against it.
    Up,
    /// No connector has a connection, and the edge does not answer.
    Lost,
}

impl UplinkStatus {
    /// The status before anything is known.
    pub fn new(now: Timestamp) -> Self {
        Self { state: UplinkState::Up, since: now, reason: Self::up(), braked_since: None }
    }

    /// Takes in what happened at `at`.
    pub fn fold(&mut self, event: &UplinkEvent, at: Timestamp) {
        match &event.0 {
            FleetNotice::UplinkLost { .. } => {
                self.turn(UplinkState::Lost, at);
                self.reason = Reason::new("no-uplink", event.sentence());
            }
            FleetNotice::UplinkBack { .. } => {
                self.turn(UplinkState::Up, at);
                self.reason = Self::up();
            }
            FleetNotice::ClockStepped { .. } => {}
            FleetNotice::BrakeOn { .. } => self.braked_since = Some(at),
            FleetNotice::BrakeOff(_) => self.braked_since = None,
        }
    }

    fn turn(&mut self, state: UplinkState, at: Timestamp) {
        if self.state != state {
            (self.state, self.since) = (state, at);
        }
    }

    fn up() -> Reason {
        Reason::new("up", "nothing shows that Cloudflare's edge cannot be reached")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::{BrakeEnd, UplinkEnd};

    #[test]
    fn the_uplink_is_lost_from_the_notice_to_the_end_of_the_outage_and_the_brake_stands_beside_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut uplink = UplinkStatus::new(at(0));
        let back = FleetNotice::UplinkBack { how: UplinkEnd::EdgeAnswers, lasted: Duration::from_secs(9), restarting: 2 };
        for (second, notice, state, since, braked_since) in [
            (1, FleetNotice::BrakeOn { stumbled: 4, of: 4 }, UplinkState::Up, 0, Some(1)),
            (2, FleetNotice::UplinkLost { connectors: 4, silence: None }, UplinkState::Lost, 2, Some(1)),
            (3, FleetNotice::ClockStepped { restarting: 4 }, UplinkState::Lost, 2, Some(1)),
            (4, back.clone(), UplinkState::Up, 4, Some(1)),
            (5, FleetNotice::BrakeOff(BrakeEnd::Recovered), UplinkState::Up, 4, None),
            // Told again without a loss in between, when the outage was short: nothing turns.
            (6, back, UplinkState::Up, 4, None),
        ] {
            uplink.fold(&UplinkEvent(notice), at(second));
            let expected = (state, at(since), braked_since.map(at));
            assert_eq!((uplink.state, uplink.since, uplink.braked_since), expected, "at {second}");
        }
        assert_eq!(uplink.reason.code, "up");
    }
}
