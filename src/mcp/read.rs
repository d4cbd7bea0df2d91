//! The tools that only look.

use super::{
    answer::Answer,
    arguments::{Diagnose, Events, ListRoutes, ListTunnels, Logs},
    failure::Failure,
    foreign::fitting,
    offer::Limits,
    view::{
        Happened, HostStatus, LIST_BYTES_MAX, Lines, Planned, Routes, ShownTunnel, TunnelBrief, Tunnels, event_line, is_troubled,
        log_line, route_line,
    },
};
use crate::{
    config::Pattern,
    control::{
        Client,
        api::{Error, ErrorKind, Event, Tunnel},
    },
    counted::counted,
};

/// How many events the daemon is asked for where only some of them are shown.
const SEARCHED: u16 = 10_000;

/// Whoever looks: a client of the daemon, within limits.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// The daemon.
    pub(super) client: Client,
    /// What is shown.
    pub(super) limits: Limits,
}

impl Reader {
    /// The tunnels within the limits, by name.
    pub(super) async fn tunnels(&self) -> Result<Vec<Tunnel>, Failure> {
        let mut tunnels = self.client.tunnels().await?;
        tunnels.retain(|tunnel| self.limits.covers(&tunnel.name));
        Ok(tunnels)
    }

    pub(super) async fn status(&self) -> Result<Answer, Failure> {
        let mut status = self.client.status().await?;
        status.tunnels.retain(|tunnel| self.limits.covers(&tunnel.name));
        let within = |tunnel: &Option<String>| tunnel.as_ref().is_none_or(|tunnel| self.limits.covers(tunnel));
        let mut overview = status.overview;
        overview.health.retain(|finding| within(&finding.tunnel));
        let findings = overview.health.reasons.len();
        overview.health.reasons.truncate(fitting(&overview.health.reasons, LIST_BYTES_MAX));
        overview.last_change = overview.last_change.filter(|event| within(&event.subject.tunnel));
        let total = status.tunnels.len();
        let mut troubled: Vec<_> = status.tunnels.iter().filter(|tunnel| is_troubled(tunnel)).map(TunnelBrief::of).collect();
        let found = troubled.len();
        troubled.truncate(fitting(&troubled, LIST_BYTES_MAX));
        let is_short = troubled.len() < found || overview.health.reasons.len() < findings;
        let left_out = is_short.then(|| "more that is wrong; list_tunnels with only_troubled shows every tunnel".to_owned());
        let heading = format!("Ready: {} of {}.", total - found, counted(total, "tunnel"));
        let verdict = format!("{:?}", overview.health.verdict).to_lowercase();
        let findings = overview.health.reasons.iter().map(|finding| format!("{}: {}", finding.code, finding.sentence));
        let mut lines: Vec<String> = [format!("health: {verdict}")].into_iter().chain(findings).collect();
        lines.extend(troubled.iter().map(TunnelBrief::line));
        let data = HostStatus { overview, tunnels: total, tunnels_ready: total - found, troubled };
        Ok(Answer::with_left_out(heading, data, left_out).with_lines(lines))
    }

    pub(super) async fn list_tunnels(&self, asked: &ListTunnels) -> Result<Answer, Failure> {
        let pattern: Option<Pattern> = match &asked.pattern {
            Some(pattern) => Some(pattern.parse().map_err(|rule: &str| Error::new(ErrorKind::Invalid, rule))?),
            None => None,
        };
        let only_troubled = asked.only_troubled.unwrap_or(false);
        let mut tunnels = self.tunnels().await?;
        tunnels.retain(|tunnel| pattern.as_ref().is_none_or(|pattern| pattern.matches(&tunnel.name)));
        tunnels.retain(|tunnel| !only_troubled || is_troubled(tunnel));
        let total = tunnels.len();
        tunnels.retain(|tunnel| asked.after.as_ref().is_none_or(|after| tunnel.name > *after));
        let behind = tunnels.len();
        let mut shown: Vec<_> = tunnels.iter().take(asked.limit()).map(TunnelBrief::of).collect();
        shown.truncate(fitting(&shown, LIST_BYTES_MAX));
        let left_out = shown
            .last()
            .filter(|_| shown.len() < behind)
            .map(|last| format!("{} more tunnels; call again with after: {:?}", behind - shown.len(), last.name));
        let lines = shown.iter().map(TunnelBrief::line).collect();
        let heading = format!("{} of {}.", shown.len(), counted(total, "tunnel"));
        Ok(Answer::with_left_out(heading, Tunnels { total, tunnels: shown }, left_out).with_lines(lines))
    }

    pub(super) async fn show_tunnel(&self, name: &str) -> Result<Answer, Failure> {
        self.limits.check_tunnel(name)?;
        let mut shown = ShownTunnel::of(self.client.tunnel(name).await?);
        let routes = shown.tunnel.routes.len();
        shown.tunnel.routes.truncate(fitting(&shown.tunnel.routes, LIST_BYTES_MAX));
        let left = routes - shown.tunnel.routes.len();
        let left_out = (left > 0).then(|| format!("{left} more routes; list_routes shows them, with the tunnel's name and skip"));
        let lines = shown.lines();
        Ok(Answer::with_left_out(format!("Tunnel {name}."), shown, left_out).with_lines(lines))
    }

    pub(super) async fn list_routes(&self, asked: &ListRoutes) -> Result<Answer, Failure> {
        if let Some(tunnel) = &asked.tunnel {
            self.limits.check_tunnel(tunnel)?;
        }
        let mut routes = self.client.routes().await?;
        routes.retain(|route| self.limits.covers(&route.tunnel));
        routes.retain(|route| asked.tunnel.as_ref().is_none_or(|tunnel| route.tunnel == *tunnel));
        let total = routes.len();
        let skip = usize::try_from(asked.skip.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut routes: Vec<_> = routes.into_iter().skip(skip).take(asked.limit()).collect();
        routes.truncate(fitting(&routes, LIST_BYTES_MAX));
        let next = skip.saturating_add(routes.len());
        let left_out = (next < total).then(|| format!("{} more routes; call again with skip: {next}", total - next));
        let lines = routes.iter().map(|route| format!("{}: {}", route.tunnel, route_line(&route.route))).collect();
        let heading = format!("{} of {}.", routes.len(), counted(total, "route"));
        Ok(Answer::with_left_out(heading, Routes { total, routes }, left_out).with_lines(lines))
    }

    pub(super) async fn diagnose(&self, asked: &Diagnose) -> Result<Answer, Failure> {
        // What is known already is enough, and asks nobody on the internet in the name of a model.
        let diagnosis = self.client.diagnose(&asked.hostname, asked.path.as_deref().unwrap_or("/"), false, false).await?;
        self.limits.check_hostname(&asked.hostname, diagnosis.tunnel.as_deref())?;
        let verdict = &diagnosis.verdict;
        let action = |action: &Option<String>| action.as_ref().map(|action| format!("; {action}")).unwrap_or_default();
        let links = diagnosis
            .links
            .iter()
            .map(|link| format!("{}: {}: {}{}", link.link.word(), link.state.word(), link.sentence, action(&link.action)));
        let lines = [format!("{}{}", verdict.sentence, action(&verdict.action))].into_iter().chain(links).collect();
        let heading = match verdict.link {
            Some(link) => format!("{}: {}.", link.word(), verdict.state.word()),
            None => format!("The whole way: {}.", verdict.state.word()),
        };
        Ok(Answer::new(heading, diagnosis).with_lines(lines))
    }

    pub(super) async fn logs(&self, asked: &Logs) -> Result<Answer, Failure> {
        self.limits.check_tunnel(&asked.tunnel)?;
        let mut query = vec![("lines", asked.lines().to_string())];
        query.extend(asked.since.map(|since| ("since", since.to_string())));
        query.extend(asked.replica.map(|replica| ("replica", replica.to_string())));
        let lines = self.client.logs(&asked.tunnel, &query).await?;
        let (lines, older) = newest(lines);
        let left_out = (older > 0).then(|| format!("{older} older lines; ask for fewer lines, or for those of one replica"));
        let heading = format!("{} of {}'s connectors.", counted(lines.len(), "line"), asked.tunnel);
        let texts = lines.iter().map(log_line).collect();
        Ok(Answer::with_left_out(heading, Lines { tunnel: asked.tunnel.clone(), lines }, left_out).with_latest_lines(texts))
    }

    pub(super) async fn events(&self, asked: &Events) -> Result<Answer, Failure> {
        if let Some(tunnel) = &asked.tunnel {
            self.limits.check_tunnel(tunnel)?;
        }
        // The limit counts what is shown.
        let searched = if self.limits.tunnels.is_some() { SEARCHED } else { asked.limit() };
        let mut query = vec![("limit", searched.to_string())];
        query.extend(asked.tunnel.clone().map(|tunnel| ("tunnel", tunnel)));
        query.extend(asked.since.map(|since| ("since", since.to_string())));
        query.extend(asked.from.map(|from| ("from", from.to_string())));
        let mut events = self.client.events(&query).await?;
        events.retain(|event| self.shows_event(event));
        events.drain(..events.len().saturating_sub(usize::from(asked.limit())));
        let (events, older) = newest(events);
        let left_out = (older > 0).then(|| format!("{older} older events; ask for fewer events, or for those of one tunnel"));
        let lines = events.iter().map(event_line).collect();
        Ok(Answer::with_left_out(format!("{}.", counted(events.len(), "event")), Happened { events }, left_out)
            .with_latest_lines(lines))
    }

    /// Whether an event is within the limits. One that is about no tunnel tells of the host, and is.
    pub(super) fn shows_event(&self, event: &Event) -> bool {
        event.subject.tunnel.as_ref().is_none_or(|tunnel| self.limits.covers(tunnel))
    }

    pub(super) async fn plan(&self) -> Result<Answer, Failure> {
        let mut plan = self.client.plan().await?;
        let mut lines: Vec<String> = plan.text.lines().map(str::to_owned).collect();
        let connectors = plan.connectors.len();
        let written = lines.len();
        lines.truncate(fitting(&lines, LIST_BYTES_MAX));
        plan.connectors.truncate(fitting(&plan.connectors, LIST_BYTES_MAX));
        let is_short = lines.len() < written || plan.connectors.len() < connectors;
        let left_out = is_short.then(|| "the end of the plan; \"adit plan\" shows all of it".to_owned());
        let heading = match plan.changes {
            0 => "Nothing would change.".to_owned(),
            changes => format!("{}. To carry out exactly these: apply with plan_hash {}.", counted(changes, "change"), plan.hash),
        };
        let shown = lines.clone();
        Ok(Answer::with_left_out(heading, Planned::of(plan, lines), left_out).with_lines(shown))
    }
}

/// The last of `items` that fit into an answer, and how many do not.
fn newest<T: serde::Serialize>(mut items: Vec<T>) -> (Vec<T>, usize) {
    items.reverse();
    let count = items.len();
    items.truncate(fitting(&items, LIST_BYTES_MAX));
    items.reverse();
    let older = count - items.len();
    (items, older)
}
