//! Rates from readings: pure arithmetic over two of them.

use std::collections::BTreeMap;

use crate::control::api::{ConnectorTraffic, TrafficReading};

/// The longest time between two readings that a rate is made from, in seconds: over a longer one it would say nothing of this moment.
const INTERVAL_MAX: f64 = 30.0;

/// A reading that is older says nothing of this moment, in milliseconds.
const AGE_MILLIS_MAX: u64 = 5_000;

/// What all connectors carry, kept from one reading to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    connectors: BTreeMap<(String, u8), Connector>,
}

/// What one connector carries.
#[derive(Debug, Clone)]
struct Connector {
    latest: ConnectorTraffic,
    rates: Rates,
}

/// How fast counters grow. `None`: not known at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rates {
    requests: Option<f64>,
    errors: Option<f64>,
}

/// Figures of a connector, or of all connectors of a tunnel. `None`: none of them tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Figures {
    /// Requests a second.
    pub(super) requests: Option<f64>,
    /// Requests a second that did not get to their origin.
    pub(super) errors: Option<f64>,
    /// Requests that are open.
    pub(super) open: Option<u64>,
    /// The median of the round trips to the edge, in milliseconds.
    pub(super) round_trip: Option<f64>,
    /// How many connectors could not be read.
    pub(super) unread: usize,
}

impl Traffic {
    /// Takes the next readings in. What is not among them is gone.
    pub(super) fn take(&mut self, readings: Vec<ConnectorTraffic>) {
        let mut former = std::mem::take(&mut self.connectors);
        for latest in readings {
            let key = (latest.tunnel.clone(), latest.replica);
            let rates = former.remove(&key).map(|former| rates(&former, &latest)).unwrap_or_default();
            self.connectors.insert(key, Connector { latest, rates });
        }
    }

    /// What one connector carries, and why it could not be read, if it could not.
    pub(super) fn of_connector(&self, tunnel: &str, replica: u8) -> (Figures, Option<&str>) {
        let connector = self.connectors.get(&(tunnel.to_owned(), replica));
        (sum(connector), connector.and_then(|connector| connector.latest.unread.as_deref()))
    }

    /// What all connectors of a tunnel carry.
    pub(super) fn of_tunnel(&self, tunnel: &str) -> Figures {
        let first = (tunnel.to_owned(), 0);
        let last = (tunnel.to_owned(), u8::MAX);
        sum(self.connectors.range(first..=last).map(|(_, connector)| connector))
    }
}

/// Its rates, from what was known before and what is known at this moment.
fn rates(former: &Connector, latest: &ConnectorTraffic) -> Rates {
    // The counters of another process begin at 0, and how long ago is not known.
    if (former.latest.generation, former.latest.pid) != (latest.generation, latest.pid) {
        return Rates::default();
    }
    let (Some(before), Some(after)) = (&former.latest.reading, &latest.reading) else { return Rates::default() };
    if after.age_millis > AGE_MILLIS_MAX {
        return Rates::default();
    }
    if after.read_at == before.read_at {
        return former.rates;
    }
    let seconds = after.read_at.duration_since(before.read_at).as_secs_f64();
    // A clock that was set makes it negative or long.
    if !(seconds > 0.0 && seconds <= INTERVAL_MAX) {
        return Rates::default();
    }
    let rate = |count: fn(&TrafficReading) -> Option<u64>| Some(count(after)?.checked_sub(count(before)?)? as f64 / seconds);
    Rates { requests: rate(|reading| reading.requests_total), errors: rate(|reading| reading.request_errors_total) }
}

fn sum<'a>(connectors: impl IntoIterator<Item = &'a Connector>) -> Figures {
    fn add<T: std::ops::Add<Output = T>>(total: Option<T>, more: Option<T>) -> Option<T> {
        match (total, more) {
            (Some(total), Some(more)) => Some(total + more),
            (total, more) => total.or(more),
        }
    }
    let mut round_trips = Vec::new();
    let mut figures = connectors.into_iter().fold(Figures::default(), |figures, Connector { latest, rates }| {
        let reading = latest.reading.as_ref().filter(|reading| reading.age_millis <= AGE_MILLIS_MAX);
        round_trips.extend(reading.into_iter().flat_map(|reading| &reading.edges).map(|edge| edge.round_trip_millis));
        Figures {
            requests: add(figures.requests, rates.requests),
            errors: add(figures.errors, rates.errors),
            open: add(figures.open, reading.and_then(|reading| reading.open_requests)),
            round_trip: None,
            unread: figures.unread + usize::from(latest.unread.is_some()),
        }
    });
    figures.round_trip = median(round_trips);
    figures
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::control::api::{EdgeConnection, Responses};

    fn reading(millis: i64, generation: u64, requests: u64, errors: u64) -> ConnectorTraffic {
        ConnectorTraffic {
            tunnel: "web".to_owned(),
            replica: 0,
            generation,
            pid: 1,
            reading: Some(TrafficReading {
                read_at: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis),
                age_millis: 0,
                requests_total: Some(requests),
                request_errors_total: Some(errors),
                open_requests: Some(3),
                responses_total: Responses::default(),
                edges: Vec::new(),
            }),
            unread: None,
        }
    }

    fn after(readings: &[ConnectorTraffic]) -> Figures {
        let mut traffic = Traffic::default();
        readings.iter().for_each(|reading| traffic.take(vec![reading.clone()]));
        traffic.of_tunnel("web")
    }

    #[test]
    fn a_rate_is_the_difference_of_two_readings() {
        for (readings, requests, errors) in [
            (vec![reading(0, 1, 100, 0)], None, None),
            (vec![reading(0, 1, 100, 0), reading(2_000, 1, 110, 4)], Some(5.0), Some(2.0)),
            // The same reading again says nothing, and unsays nothing.
            (vec![reading(0, 1, 100, 0), reading(2_000, 1, 110, 4), reading(2_000, 1, 110, 4)], Some(5.0), Some(2.0)),
            // Another process counts from 0.
            (vec![reading(0, 1, 100, 0), reading(1_000, 2, 110, 4)], None, None),
            (vec![reading(0, 1, 100, 0), reading(1_000, 2, 3, 0), reading(2_000, 2, 10, 0)], Some(7.0), Some(0.0)),
            // Counters that went back.
            (vec![reading(0, 1, 100, 9), reading(1_000, 1, 3, 9)], None, Some(0.0)),
            // A clock that was set.
            (vec![reading(5_000, 1, 100, 0), reading(1_000, 1, 110, 4)], None, None),
            (vec![reading(0, 1, 100, 0), reading(3_600_000, 1, 110, 4)], None, None),
        ] {
            let figures = after(&readings);
            assert_eq!((figures.requests, figures.errors), (requests, errors), "{readings:?}");
        }
    }

    #[test]
    fn a_tunnel_is_the_sum_of_its_connectors_and_one_that_is_unread_takes_nothing_away() {
        let edge = |connection, round_trip_millis| EdgeConnection { connection, round_trip_millis };
        let second = |millis, requests| {
            let mut second = ConnectorTraffic { replica: 1, ..reading(millis, 1, requests, 0) };
            second.reading.as_mut().unwrap().edges = vec![edge(0, 10.0), edge(1, 30.0), edge(2, 20.0)];
            second
        };
        let hung = || ConnectorTraffic { replica: 2, reading: None, unread: Some("no answer".to_owned()), ..reading(0, 1, 0, 0) };
        let other = ConnectorTraffic { tunnel: "web-shop".to_owned(), ..reading(0, 1, 0, 0) };
        let mut traffic = Traffic::default();
        traffic.take(vec![reading(0, 1, 0, 0), second(0, 0), hung(), other.clone()]);
        traffic.take(vec![reading(1_000, 1, 10, 1), second(1_000, 5), hung(), other]);
        let expected = Figures { requests: Some(15.0), errors: Some(1.0), open: Some(6), round_trip: Some(20.0), unread: 1 };
        assert_eq!(traffic.of_tunnel("web"), expected);
        assert_eq!(traffic.of_connector("web", 2), (Figures { unread: 1, ..Figures::default() }, Some("no answer")));
        assert_eq!(traffic.of_tunnel("gone"), Figures::default());
    }

    #[test]
    fn an_old_reading_says_nothing_of_this_moment() {
        let mut old = reading(1_000, 1, 110, 4);
        old.reading.as_mut().unwrap().age_millis = AGE_MILLIS_MAX + 1;
        let figures = after(&[reading(0, 1, 100, 0), old]);
        assert_eq!((figures.requests, figures.open), (None, None));
    }

    proptest! {
        #[test]
        fn no_rate_is_ever_negative_or_infinite(
            readings in prop::collection::vec((-90_000_i64..90_000, 0_u64..3, any::<u64>(), any::<u64>()), 0..6),
        ) {
            let readings: Vec<_> = readings.into_iter().map(|(at, generation, requests, errors)| reading(at, generation, requests, errors)).collect();
            let figures = after(&readings);
            for rate in [figures.requests, figures.errors].into_iter().flatten() {
                prop_assert!(rate >= 0.0 && rate.is_finite());
            }
        }
    }
}
