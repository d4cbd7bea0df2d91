//! What hooks are told: events as the feed has them, and where they happened. Nothing else, above all no secret.

use jiff::Timestamp;
use serde::Serialize;

use super::outbox::Repeated;
use crate::event::Entry;

/// Where events happened.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The host's name.
    pub(super) host: String,
    /// The installation's id.
    pub(super) install: String,
}

/// What the command gets for an event.
#[derive(Serialize)]
struct Told<'a> {
    host: &'a str,
    install: &'a str,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// What the webhook gets.
#[derive(Serialize)]
struct Delivery<'a> {
    delivery: &'a str,
    host: &'a str,
    install: &'a str,
    version: &'a str,
    missed: u64,
    events: Vec<Counted<'a>>,
}

#[derive(Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    count: u64,
    first_at: Timestamp,
}

/// One line of JSON for the command.
pub(super) fn of_one(place: &Place, entry: &Entry) -> Vec<u8> {
    let mut line = json(&Told { host: &place.host, install: &place.install, entry });
    line.push(b'\n');
    line
}

/// The body of a delivery, which says also how many events were `missed` since the one before.
pub(super) fn of_several(place: &Place, delivery: &str, missed: u64, events: &[Repeated]) -> Vec<u8> {
    let events =
        events.iter().map(|Repeated { entry, count, first_at, .. }| Counted { entry, count: *count, first_at: *first_at });
    json(&Delivery {
        delivery,
        host: &place.host,
        install: &place.install,
        version: env!("CARGO_PKG_VERSION"),
        missed,
        events: events.collect(),
    })
}

fn json(told: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(told).expect("an event is made of strings, numbers and times")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::testing::entry;

    #[test]
    fn an_event_is_told_as_the_feed_has_it_and_from_where() {
        let place = Place { host: "web-1".to_owned(), install: "abcd1234".to_owned() };
        let entry = entry(7, "uplink-lost");
        assert_eq!(
            String::from_utf8(of_one(&place, &entry)).unwrap(),
            "{\"host\":\"web-1\",\"install\":\"abcd1234\",\"id\":7,\"at\":\"1970-01-01T00:00:07Z\",\"kind\":\"uplink-lost\",\
             \"level\":\"warn\",\"tunnel\":\"web\",\"replica\":0,\"generation\":7,\"sentence\":\"it is so\"}\n"
        );
        let repeated = Repeated { count: 3, first_id: 5, first_at: Timestamp::UNIX_EPOCH, entry };
        let body = String::from_utf8(of_several(&place, "d", 2, &[repeated])).unwrap();
        assert_eq!(
            body.replace(env!("CARGO_PKG_VERSION"), "0"),
            "{\"delivery\":\"d\",\"host\":\"web-1\",\"install\":\"abcd1234\",\"version\":\"0\",\"missed\":2,\"events\":[{\"id\":7,\
             \"at\":\"1970-01-01T00:00:07Z\",\"kind\":\"uplink-lost\",\"level\":\"warn\",\"tunnel\":\"web\",\"replica\":0,\
             \"generation\":7,\"sentence\":\"it is so\",\"count\":3,\"first_at\":\"1970-01-01T00:00:00Z\"}]}"
        );
    }
}
