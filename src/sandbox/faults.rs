//! Switches that make the API misbehave.
//!
//! A switch is a [`Fault`], the requests that it is for ([`Matching`]) and how often it acts ([`Times`]). The first switch
//! that matches a request acts on it; one that has acted as often as it should is gone.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use hyper::Method;

/// One way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429, with `Retry-After` when a duration is given. Nothing happens.
    TooManyRequests(Option<Duration>),
    /// This 5xx status with an error in the envelope. Nothing happens.
    ServerError(u16),
    /// This status with an HTML page, as proxies answer. Nothing happens.
    Html(u16),
    /// No answer, ever; the connection stays open. Nothing happens.
    Hang,
    /// The connection closes without an answer. Nothing happens.
    DropBefore,
    /// The call happens, then the connection closes without an answer.
    AnswerLost,
    /// The call happens, its answer comes this much later.
    Slow(Duration),
    /// The call happens; of a list only this many items come, while `total_count` tells of all.
    TruncatedPage(usize),
    /// The call happens; a list is empty and says that there is nothing.
    EmptyPage,
    /// The call happens; the answer is whole but not JSON.
    MalformedJson,
    /// The call happens; the connection closes in the middle of the answer.
    TruncatedBody,
    /// The call happens; the answer is JSON of a shape that nobody expects.
    WrongShape,
    /// The call happens; the answer never ends.
    EndlessBody,
    /// The answer says that it was done. Nothing happens.
    Unheeded,
}

/// The requests that a switch is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matching {
    method: Option<Method>,
    segment: Option<String>,
    prefix: Option<String>,
}

impl Matching {
    /// Every request.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Requests whose path has this segment, such as `cfd_tunnel`, `configurations`, `dns_records` or an id.
    pub fn resource(segment: &str) -> Self {
        Self { segment: Some(segment.to_owned()), ..Self::default() }
    }

    /// Requests whose path (behind `/client/v4`) starts like this, such as `/zones`.
    pub fn path_prefix(prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..Self::default() }
    }

    /// Of these requests, only those with this method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    fn covers(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.segment.as_ref().is_none_or(|segment| path.split('/').any(|part| part == segment))
            && self.prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
    }
}

/// How often a switch acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// On the first request that matches.
    Once,
    /// On so many requests.
    Times(u32),
    /// On every request that matches, until [`Faults::clear`].
    UntilCleared,
}

/// The switches that are on.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Switch>>);

#[derive(Debug)]
struct Switch {
    fault: Fault,
    matching: Matching,
    /// How many requests that match it lets pass before it acts.
    passing: u32,
    /// `None` is without end.
    left: Option<u32>,
}

impl Faults {
    /// Switches a fault on, behind those that are on already.
    pub fn add(&self, fault: Fault, matching: Matching, times: Times) {
        let left = match times {
            Times::Once => Some(1),
            Times::Times(times) => Some(times),
            Times::UntilCleared => None,
        };
        if left != Some(0) {
            self.switches().push(Switch { fault, matching, passing: 0, left });
        }
    }

    /// Switches a fault on that acts once, on the `nth` request that matches from here on, counted from 1.
    pub fn add_at(&self, fault: Fault, matching: Matching, nth: u32) {
        self.switches().push(Switch { fault, matching, passing: nth.saturating_sub(1), left: Some(1) });
    }

    /// Switches every fault off. A request that hangs keeps hanging.
    pub fn clear(&self) {
        self.switches().clear();
    }

    /// How many switches are still on; 0 once each acted as often as it should.
    pub fn remaining(&self) -> usize {
        self.switches().len()
    }

    /// Whether a switch with this fault is still on.
    pub fn is_on(&self, fault: &Fault) -> bool {
        self.switches().iter().any(|switch| switch.fault == *fault)
    }

    /// The fault that acts on this request, if any.
    pub(crate) fn take(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut switches = self.switches();
        let index = switches.iter_mut().position(|switch| {
            let covers = switch.matching.covers(method, path);
            let passes = covers && switch.passing > 0;
            switch.passing -= u32::from(passes);
            covers && !passes
        })?;
        let switch = &mut switches[index];
        let fault = switch.fault.clone();
        switch.left = switch.left.map(|left| left - 1);
        if switch.left == Some(0) {
            switches.remove(index);
        }
        Some(fault)
    }

    fn switches(&self) -> MutexGuard<'_, Vec<Switch>> {
        self.0.lock().expect("nothing panics while it holds the switches")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_acts_as_often_as_it_should_and_only_on_what_matches() {
        let faults = Faults::default();
        faults.add(Fault::Hang, Matching::resource("cfd_tunnel").method(Method::POST), Times::Times(2));
        let path = "/accounts/1/cfd_tunnel";
        assert_eq!(faults.take(&Method::GET, path), None);
        assert_eq!(faults.take(&Method::POST, "/accounts/1/cfd_tunnels"), None);
        assert_eq!(faults.take(&Method::POST, path), Some(Fault::Hang));
        assert_eq!(faults.take(&Method::POST, path), Some(Fault::Hang));
        assert_eq!(faults.take(&Method::POST, path), None);
        assert_eq!(faults.remaining(), 0);
    }

    #[test]
    fn a_switch_can_let_requests_pass_first() {
        let faults = Faults::default();
        faults.add_at(Fault::Hang, Matching::resource("zones").method(Method::GET), 3);
        let take = || faults.take(&Method::GET, "/zones/1");
        assert_eq!([take(), faults.take(&Method::POST, "/zones/1"), take()], [None, None, None]);
        assert_eq!([take(), take()], [Some(Fault::Hang), None]);
    }

    #[test]
    fn a_switch_without_end_acts_until_it_is_cleared() {
        let faults = Faults::default();
        faults.add(Fault::EmptyPage, Matching::path_prefix("/zones"), Times::UntilCleared);
        assert!((0..100).all(|_| faults.take(&Method::GET, "/zones/1/dns_records").is_some()));
        faults.clear();
        assert_eq!(faults.take(&Method::GET, "/zones"), None);
    }
}
