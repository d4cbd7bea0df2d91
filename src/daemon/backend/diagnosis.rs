//! Walking from a hostname to its origin: what is known, and what a look just now finds.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};

use super::DaemonBackend;
use crate::{
    cloudflare::{self, Client},
    config::{ConfigurationMode, Tunnel},
    control::{
        DiagnoseQuery, Reach,
        api::{Diagnosis, Error, ErrorKind},
    },
    daemon::route_checks::vantage,
    diagnosis::{Facts, Fresh, FreshConfiguration, FreshRecord, FreshTunnel, Match, Way, diagnose, find},
    error_text::with_causes,
    id::{AccountId, TunnelId, ZoneId},
    name::Hostname,
    route_check::Asking,
    route_probe::{OriginFinding, Prober},
};

/// How many walk at once: each takes a few descriptors, and knocks at an origin.
const WALKS_MAX: usize = 8;

/// How long Cloudflare may take to say one thing, waiting for a turn included. Whoever diagnoses waits at a terminal.
const CALL_TIME_MAX: Duration = Duration::from_secs(5);

static WALKS: Semaphore = Semaphore::const_new(WALKS_MAX);

impl DaemonBackend {
    pub(super) async fn walk(&self, question: &DiagnoseQuery) -> Result<Diagnosis, Error> {
        let _walk = WALKS.try_acquire().map_err(|_| {
            let message = format!("cannot diagnose {}: {WALKS_MAX} others are being diagnosed", question.hostname);
            Error::new(ErrorKind::Busy, message).with_hint("ask again in a few seconds")
        })?;
        let intended = self.intended();
        let DiagnoseQuery { hostname, path, .. } = question;
        let seen = |name: &_| question.seen.has(name);
        let found = find(&intended, &self.recorder.status(), &seen, hostname, path);
        let may_ask = match &found {
            Match::Tunnel { tunnel, .. } => question.operated.has(&tunnel.name),
            Match::Left(_) | Match::Nothing { .. } => false,
        };
        if let (Match::Tunnel { tunnel, .. }, true, false) = (&found, question.fresh || question.outside, may_ask) {
            let message = format!("cannot look at {hostname} anew: that needs role \"operator\" for tunnel {}", tunnel.name);
            return Err(Error::new(ErrorKind::NotPermitted, message)
                .with_hint("without --fresh and --outside it is shown what is known, with its age"));
        }
        let (origin, fresh, public) = tokio::join!(
            // Whoever may only look gets nothing asked of an origin but its first page.
            try_origin(&self.prober, &found, hostname, if may_ask { path } else { "/" }),
            async {
                match &found {
                    Match::Tunnel { tunnel, way, .. } if question.fresh => Some(self.ask_cloudflare(tunnel, way, hostname).await),
                    Match::Tunnel { .. } | Match::Left(_) | Match::Nothing { .. } => None,
                }
            },
            async {
                match &found {
                    Match::Tunnel { way: Way::Private(_), .. } | Match::Left(_) | Match::Nothing { .. } => None,
                    Match::Tunnel { .. } if !question.outside => None,
                    Match::Tunnel { .. } => Some(self.prober.public(vantage(&intended), hostname, path).await),
                }
            },
        );
        let mistakes = match question.seen {
            Reach::All => self.intent.files().problems.len(),
            Reach::Only(_) => 0,
        };
        Ok(diagnose(Facts {
            hostname,
            path,
            at: Timestamp::now(),
            intended: &intended,
            status: &self.recorder.status(),
            mistakes,
            found: &found,
            origin: origin.as_ref(),
            fresh: fresh.as_ref(),
            public: public.as_ref(),
        }))
    }

    /// What Cloudflare says just now: three calls at most.
    async fn ask_cloudflare(&self, tunnel: &Tunnel, way: &Way, hostname: &Hostname) -> Fresh {
        let records = self.reconciler.ledger().records();
        let Some(record) = records.tunnels.get(&tunnel.name) else { return Fresh::default() };
        let Some(id) = record.id.as_ref() else { return Fresh::default() };
        let client = match self.tokens.client(&tunnel.account) {
            Some(Ok(client)) => client,
            Some(Err(why)) => return Fresh { tunnel: Some(Err(why)), ..Fresh::default() },
            None => return Fresh { tunnel: Some(Err("the account is being set up".to_owned())), ..Fresh::default() },
        };
        let zone = record.dns.get(way.hostname()).map(|dns| &dns.zone_id);
        let account = &record.account_id;
        let has_record = matches!(way, Way::Record(_) | Way::ForeignRecord(_));
        // The zone costs the call that the configuration would have had.
        let has_document = tunnel.configuration == ConfigurationMode::Remote && (zone.is_some() || !has_record);
        let (tunnel, records, configuration) = tokio::join!(
            in_time(tunnel_now(&client, account, id)),
            optional(has_record, in_time(records_now(&client, zone, way.hostname()))),
            optional(has_document, in_time(configuration_now(&client, account, id, hostname))),
        );
        Fresh { tunnel: Some(tunnel), records, configuration }
    }
}

async fn try_origin(prober: &Prober, found: &Match<'_>, hostname: &Hostname, path: &str) -> Option<OriginFinding> {
    match found {
        Match::Tunnel { tunnel, rule: Some((_, rule)), .. } => {
            let asking = Asking::of(tunnel.origin_request.as_ref(), rule.origin_request.as_ref());
            Some(prober.origin(&rule.service, &asking, hostname, path).await)
        }
        Match::Tunnel { rule: None, .. } | Match::Left(_) | Match::Nothing { .. } => None,
    }
}

async fn tunnel_now(client: &Client, account: &AccountId, id: &TunnelId) -> Result<FreshTunnel, cloudflare::Error> {
    match client.tunnel(account, id).await {
        Ok(tunnel) if tunnel.deleted_at.is_some() => Ok(FreshTunnel::Gone),
        Ok(tunnel) => Ok(FreshTunnel::There(tunnel.status.word().to_owned())),
        Err(error) if error.is_gone() => Ok(FreshTunnel::Gone),
        Err(error) => Err(error),
    }
}

/// The records of a name. Without its zone that is looked for first.
async fn records_now(client: &Client, zone: Option<&ZoneId>, name: &Hostname) -> Result<Vec<FreshRecord>, cloudflare::Error> {
    let zone = match zone {
        Some(zone) => zone.clone(),
        None => {
            let zones = client.zones().await?;
            match cloudflare::Zone::of(&zones, name) {
                Some(zone) => zone.id.clone(),
                None => return Ok(Vec::new()),
            }
        }
    };
    let records = client.records_named(&zone, name.as_str()).await?;
    let record =
        |record: cloudflare::DnsRecord| FreshRecord { kind: record.kind, content: record.content, proxied: record.proxied };
    Ok(records.into_iter().map(record).collect())
}

async fn configuration_now(
    client: &Client,
    account: &AccountId,
    id: &TunnelId,
    hostname: &Hostname,
) -> Result<FreshConfiguration, cloudflare::Error> {
    let stored = client.configuration(account, id).await?;
    let rules = stored.config.as_ref().and_then(|config| config.get("ingress")).and_then(Value::as_array);
    let has_rule = rules.is_some_and(|rules| rules.iter().any(|rule| takes(rule, hostname)));
    Ok(FreshConfiguration { version: stored.version, has_rule })
}

/// Whether a stored rule takes the hostname, and not only to say that there is nothing.
fn takes(rule: &Value, hostname: &Hostname) -> bool {
    match rule.get("hostname").and_then(Value::as_str) {
        None | Some("" | "*") => rule.get("service").and_then(Value::as_str) != Some("http_status:404"),
        Some(own) => own == hostname.as_str() || own.parse::<Hostname>().is_ok_and(|own| own.matches(hostname.as_str())),
    }
}

async fn in_time<T>(asking: impl Future<Output = Result<T, cloudflare::Error>>) -> Result<T, String> {
    match timeout(CALL_TIME_MAX, asking).await {
        Ok(answer) => answer.map_err(|error| with_causes(&error)),
        Err(_) => Err(format!("Cloudflare's API does not answer within {} s", CALL_TIME_MAX.as_secs())),
    }
}

async fn optional<T>(wanted: bool, asking: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(asking.await) } else { None }
}
