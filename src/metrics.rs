//! Adit's own metric families.
//!
//! Counters are counted when something happens; gauges are read from the status when somebody asks (`metrics/gauges.rs`). Names
//! follow the Prometheus conventions: base units, `_total` on counters, labels bounded by the configuration. Never a raw `Host`.

mod families;
mod gauges;
mod reference;
mod registry;
mod relay;
mod render;
mod restarts;
mod routes;
mod series;

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use self::families::Families;
pub use self::{reference::reference, registry::Family, relay::RelayReading};
use crate::{
    connector::{FleetNotice, Happening, RestartReason, SlotId},
    event::{ConnectorEvent, Event, Hook, Level, ProvisioningEvent, UplinkEvent},
    exposition::Format,
    name::AccountName,
    plan::DriftKind,
    status::Status,
};

/// The registry and its families; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

/// One HTTP exchange with Cloudflare, in stable and few words.
#[derive(Debug, Clone, Copy)]
pub struct ApiRequest<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// What it was about, such as `tunnels` or `dns_records`.
    pub resource: &'a str,
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// Requests left in the scarcest rate-limit window, as far as Cloudflare has said.
    pub remaining: Option<u64>,
}

/// What became of one run of a hook's command, or of one sending to its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookResult {
    /// It was told.
    Delivered,
    /// It could not be told, and it is tried again.
    Retried,
    /// It could not be told, and it is not tried again.
    Failed,
}

impl HookResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Retried, Self::Failed];

    /// The stable word, as in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Failed => "failed",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every family.
    pub fn new() -> Self {
        Self(Arc::new(Families::register()))
    }

    /// Counts what happened.
    pub fn record(&self, event: &Event) {
        if event.level() != Level::Reading {
            self.0.events.with_label_values(&[event.kind().as_str(), event.level().as_str()]).inc();
        }
        match event {
            Event::Connector(event) => self.record_connector(event),
            Event::Provisioning(event) => self.record_provisioning(event),
            Event::Uplink(UplinkEvent(notice)) => self.record_uplink(notice),
            Event::Daemon(_) | Event::Program(_) | Event::RouteCheck(_) => {}
        }
    }

    fn record_connector(&self, event: &ConnectorEvent) {
        let tunnel = &event.slot.tunnel;
        if let Happening::Starting { restart: None, .. } | Happening::Adopted { .. } = &event.notice.happening {
            // A counter that begins with 1 hides its first increase.
            for restart in RestartReason::ALL.into_iter().filter(|restart| restart.is_trouble()) {
                self.0.restarts.add(tunnel, restart, 0);
            }
        }
        if let Happening::Remembered { past } = &event.notice.happening {
            for (restart, count) in &past.restarts {
                self.0.restarts.add(tunnel, *restart, *count);
            }
        }
        if let Some(restart) = event.notice.happening.restart() {
            self.0.restarts.add(tunnel, restart, 1);
        }
    }

    fn record_uplink(&self, notice: &FleetNotice) {
        match notice {
            FleetNotice::UplinkLost { .. } => self.0.uplink_losses.inc(),
            FleetNotice::UplinkBack { .. }
            | FleetNotice::ClockStepped { .. }
            | FleetNotice::BrakeOn { .. }
            | FleetNotice::BrakeOff(_) => {}
        }
    }

    fn record_provisioning(&self, event: &ProvisioningEvent) {
        if let ProvisioningEvent::PassFinished { account, result, duration, .. } = event {
            let labels = [account.as_str(), result.as_str()];
            self.0.reconcile_duration.with_label_values(&labels).observe(duration.as_secs_f64());
        }
        if let ProvisioningEvent::Seen { account, .. } = event {
            for kind in DriftKind::ALL {
                self.0.drift_repairs.with_label_values(&[account.as_str(), kind.as_str()]);
            }
        }
        if let ProvisioningEvent::AccountLeft { account } = event {
            // It fails when there is none, which is what is wanted.
            let _ = self.0.rate_limit_remaining.remove_label_values(&[account.as_str()]);
        }
        if let ProvisioningEvent::StepApplied { account, step } = event
            && let Some(kind) = step.drift()
        {
            self.0.drift_repairs.with_label_values(&[account.as_str(), kind.as_str()]).inc();
        }
    }

    /// Counts a request to Cloudflare's API.
    pub fn count_api_request(&self, account: &AccountName, request: ApiRequest<'_>) {
        let status = request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let labels = [account.as_str(), request.method, request.resource, &status];
        self.0.api_requests.with_label_values(&labels).inc();
        if let Some(remaining) = request.remaining {
            let remaining = i64::try_from(remaining).unwrap_or(i64::MAX);
            self.0.rate_limit_remaining.with_label_values(&[account.as_str()]).set(remaining);
        }
    }

    /// Sets when an account's API token stops working; `None` for never, or when it is not known.
    pub fn set_credential_expiry(&self, account: &AccountName, at: Option<Timestamp>) {
        match at {
            Some(at) => self.0.credential_expiry.with_label_values(&[account.as_str()]).set(at.as_second()),
            // It fails when there is none, which is what is wanted.
            None => drop(self.0.credential_expiry.remove_label_values(&[account.as_str()])),
        }
    }

    /// Counts earlier daemons that did not end by themselves. Called once, at the start.
    pub fn count_unclean_ends(&self, ends: u64) {
        self.0.unclean_ends.inc_by(ends);
    }

    /// Sets how often each account is read while nothing else asks for it.
    pub fn set_sync_interval(&self, interval: Duration) {
        self.0.sync_interval.set(interval.as_secs_f64());
    }

    /// Sets whether the configuration's files have mistakes, so that an earlier one is in force.
    pub fn set_config_refused(&self, refused: bool) {
        self.0.config_refused.set(i64::from(refused));
    }

    /// Counts something that a hook was told, or could not be told.
    pub fn count_hook_delivery(&self, hook: Hook, result: HookResult) {
        self.0.hook_deliveries.with_label_values(&[hook.as_str(), result.as_str()]).inc();
    }

    /// Counts events that a hook was not told of.
    pub fn count_hook_drops(&self, hook: Hook, events: u64) {
        self.0.hook_drops.with_label_values(&[hook.as_str()]).inc_by(events);
    }

    /// Counts a log line that found its queue full.
    pub fn log_line_dropped(&self) {
        self.0.log_lines_dropped.inc();
    }

    /// How many of connectors' lines the journal has not taken so far, and how often the disk had no room for any.
    pub fn set_log_losses(&self, journal_lines: u64, full_disks: u64) {
        for (counter, now) in [(&self.0.journal_lines_dropped, journal_lines), (&self.0.log_store_full, full_disks)] {
            counter.inc_by(now.saturating_sub(counter.get()));
        }
    }

    /// Every family that there is, by name, whether it has series or not.
    pub fn families(&self) -> Vec<Family> {
        self.0.registry.families()
    }

    /// Takes in what came of reading connectors' own metrics for a scrape; `known` are the places of all connectors that there are,
    /// running or not.
    pub fn record_relay(&self, known: &BTreeSet<SlotId>, readings: &[RelayReading]) {
        self.0.relay.lock().unwrap_or_else(PoisonError::into_inner).record(known, readings);
    }

    /// Everything, without the end that OpenMetrics wants. `status` is asked for by each family anew: where it is a lock, nobody waits
    /// for it until all of a thousand tunnels is written.
    pub fn render_as<S: Deref<Target = Status>>(&self, status: impl Fn() -> S, format: Format) -> String {
        let relay = self.0.relay.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        render::write(&mut text, &self.0.registry, status, format);
        drop(relay);
        text
    }

    /// Everything, in Prometheus' text format.
    #[cfg(test)]
    pub(crate) fn render(&self, status: &Status) -> String {
        self.render_as(|| status, Format::Text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        connector::{Generation, Happening, Notice, Reason, RestartReason, SlotId, State, Vitals},
        event::PassResult,
        status::ConnectorStatus,
    };

    fn connector(state: State, happening: Happening) -> Event {
        let notice = Notice {
            state,
            reason: Reason::new("because", "it is so"),
            serving: Generation(1),
            failures: 0,
            document: None,
            happening,
        };
        ConnectorEvent { slot: SlotId::new("web".parse().unwrap(), 0), notice }.into()
    }

    /// Everything but the version and the families that have no series yet, without the lines of explanation.
    fn series(metrics: &Metrics, status: &Status) -> Vec<String> {
        let text = metrics.render(status);
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.ends_with(" 0") && !line.starts_with("adit_build_info"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn what_happened_and_what_is_can_be_read() {
        let metrics = Metrics::new();
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        let generation = Generation(1);
        let vitals = Vitals { connections: 4, connector_id: None, version: Some(3) };
        let account: AccountName = "default".parse().unwrap();
        let finished = ProvisioningEvent::PassFinished {
            account: account.clone(),
            why: "interval",
            result: PassResult::Clean,
            began: tokio::time::Instant::now(),
            duration: Duration::from_millis(200),
            applied: 0,
            error: None,
        };
        let events = [
            connector(State::Starting, Happening::Starting { generation, restart: Some(RestartReason::Signal) }),
            connector(State::Ready, Happening::Ready { generation, vitals, after: Duration::from_secs(1) }),
            finished.into(),
        ];
        for event in &events {
            metrics.record(event);
            status.fold(event, Timestamp::from_second(1_000).unwrap());
        }
        let request = ApiRequest { method: "GET", resource: "tunnels", status: Some(200), remaining: Some(1_150) };
        metrics.count_api_request(&account, request);
        metrics.count_api_request(&account, ApiRequest { status: None, remaining: None, ..request });
        let expected = [
            r#"adit_cloudflare_api_requests_total{account="default",method="GET",resource="tunnels",status="200"} 1"#,
            r#"adit_cloudflare_api_requests_total{account="default",method="GET",resource="tunnels",status="none"} 1"#,
            r#"adit_cloudflare_rate_limit_remaining{account="default"} 1150"#,
            r#"adit_connector_config_version{replica="0",tunnel="web"} 3"#,
            r#"adit_connector_reason{reason="because",replica="0",tunnel="web"} 1"#,
            r#"adit_connector_restarts_total{reason="signal",tunnel="web"} 1"#,
            r#"adit_connector_up{replica="0",tunnel="web"} 1"#,
            r#"adit_connectors{state="ready"} 1"#,
            r#"adit_events_total{kind="connector-ready",level="info"} 1"#,
            r#"adit_events_total{kind="connector-starting",level="info"} 1"#,
            r#"adit_last_successful_sync_timestamp_seconds{account="default"} 1000"#,
        ];
        let series = series(&metrics, &status);
        assert_eq!(series[..expected.len()], expected);
        assert!(series.contains(&r#"adit_reconcile_duration_seconds_sum{account="default",result="clean"} 0.2"#.to_owned()));
        assert!(series.contains(&r#"adit_tunnel_state{state="ready",tunnel="web"} 1"#.to_owned()));
        assert!(series.contains(&r#"adit_tunnel_ready_connections{replica="0",tunnel="web"} 4"#.to_owned()));
    }

    #[test]
    fn the_uplink_and_the_brake_can_be_read() {
        let metrics = Metrics::new();
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        assert!(series(&metrics, &status).contains(&"adit_uplink_up 1".to_owned()));
        for notice in [FleetNotice::BrakeOn { stumbled: 3, of: 4 }, FleetNotice::UplinkLost { connectors: 4, silence: None }] {
            let event = UplinkEvent(notice).into();
            metrics.record(&event);
            status.fold(&event, Timestamp::UNIX_EPOCH);
        }
        let series = series(&metrics, &status);
        for line in
            ["adit_restarts_braked 1", "adit_uplink_losses_total 1", r#"adit_events_total{kind="uplink-lost",level="error"} 1"#]
        {
            assert!(series.contains(&line.to_owned()), "{line} in {series:?}");
        }
        assert!(metrics.render(&status).contains("\nadit_uplink_up 0\n"));
    }

    #[test]
    fn a_tunnel_that_two_accounts_know_has_its_series_once() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        for (account, rogues) in [("a", 1), ("b", 2)] {
            let account = status.accounts.entry(account.parse().unwrap()).or_default();
            account.view.rogue_connectors.insert("web".parse().unwrap(), rogues);
        }
        assert_eq!(Metrics::new().render(&status).matches("\nadit_rogue_connectors{").count(), 1);
    }

    #[test]
    fn each_series_is_there_once_and_stands_below_the_head_of_its_family() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        for number in 0..30 {
            let tunnel = status.tunnels.entry(format!("t{number}").parse().unwrap()).or_default();
            for replica in 0..3 {
                tunnel.connectors.insert(replica, Box::new(ConnectorStatus::new(replica, Timestamp::UNIX_EPOCH)));
            }
        }
        let metrics = Metrics::new();
        for format in [Format::Text, Format::OpenMetrics] {
            let text = metrics.render_as(|| &status, format);
            let (mut seen, mut family, mut families) = (BTreeSet::new(), "", Vec::new());
            for line in text.lines() {
                if let Some(head) = line.strip_prefix("# TYPE ") {
                    family = head.split(' ').next().unwrap();
                    families.push(family);
                } else if !line.starts_with("# HELP ") {
                    assert!(line.starts_with(family) && seen.insert(line.rsplit_once(' ').unwrap().0), "{line}");
                }
            }
            assert!(families.is_sorted() && families.iter().collect::<BTreeSet<_>>().len() == families.len(), "{families:?}");
            assert!(families.contains(&"adit_connector_up") && !families.contains(&"adit_orphans"), "{families:?}");
        }
    }

    #[test]
    fn series_of_what_is_gone_are_gone() {
        let metrics = Metrics::new();
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        status.tunnels.insert("web".parse().unwrap(), Default::default());
        assert!(metrics.render(&status).contains(r#"tunnel="web""#));
        status.tunnels.clear();
        assert!(!metrics.render(&status).contains(r#"tunnel="web""#));
    }
}
