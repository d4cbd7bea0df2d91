//! The tunnel at Cloudflare, and the configuration that its connectors run.

use super::{Case, FreshTunnel, broken, find::matched_path, fine, not_checked, unknown, way};
use crate::{
    control::api::{DiagnosisLink, Link},
    event::CredentialState,
    plan::{HoldCode, ProvisionedTunnel},
    record::{ConfigurationSource, Fate},
    status::ConnectorStatus,
};

/// The code of a connector whose registration the edge refuses.
const REFUSED: &str = "registration-refused";

impl Case<'_> {
    /// The tunnel: whether it is there, and whether it is meant to serve.
    pub(super) fn tunnel(&self) -> DiagnosisLink {
        let (name, read_at) = (self.name(), self.read_at());
        if let Some(stop) = self.facts.intended.stops.get(name) {
            let sentence = format!("{} stopped tunnel {name} at {}", stop.by, stop.at);
            return broken(Link::Tunnel, sentence, format!("`adit tunnel start {name}`"), Some(self.facts.at));
        }
        let Some((known, id)) = self.made() else { return self.not_made() };
        if let Some(Ok(FreshTunnel::Gone)) = self.facts.fresh.and_then(|fresh| fresh.tunnel.as_ref()) {
            let sentence = format!("Cloudflare has no tunnel {id} any more: somebody deleted it");
            return broken(Link::Tunnel, sentence, "`adit apply` makes it again", Some(self.facts.at));
        }
        match known.fate {
            Fate::Keep => {}
            Fate::Orphaned | Fate::Delete | Fate::Retiring => {
                let sentence = format!("tunnel {name} is being taken down");
                return broken(Link::Tunnel, sentence, "`adit status` says what becomes of it", read_at);
            }
        }
        let connectors = self.connectors_known();
        let refused = |connector: &&ConnectorStatus| connector.reason.code == REFUSED && !connector.serving;
        if let Some(first) = connectors.iter().find(|connector| refused(connector))
            && connectors.iter().all(refused)
        {
            let sentence = format!("Cloudflare's edge refuses the tunnel's connectors: {}", first.reason.sentence);
            let action = "`adit apply` looks whether the tunnel was deleted or its secret changed, and repairs it";
            return broken(Link::Tunnel, sentence, action, Some(self.facts.at));
        }
        self.there(known, id)
    }

    fn there(&self, known: &ProvisionedTunnel, id: &str) -> DiagnosisLink {
        let (health, seen_at) = match self.facts.fresh.and_then(|fresh| fresh.tunnel.as_ref()) {
            Some(Ok(FreshTunnel::There(health))) => (Some(health.as_str()), Some(self.facts.at)),
            Some(Err(why)) => {
                let sentence = format!("tunnel {id} is on record, and Cloudflare does not say whether it is there: {why}");
                return unknown(Link::Tunnel, sentence, Some("`adit credential check` names what is missing".to_owned()), None);
            }
            Some(Ok(FreshTunnel::Gone)) | None => (known.cloudflare_status.as_deref(), self.read_at()),
        };
        let health = health
            .filter(|health| !health.is_empty())
            .map(|health| format!(", {health} by Cloudflare's word"))
            .unwrap_or_default();
        let holds: Vec<&str> =
            known.holds.iter().filter(|hold| !hold.code.ends_by_itself()).map(|hold| hold.why.as_str()).collect();
        let holds = match holds.first() {
            Some(first) => format!("; changes of it wait: {first}"),
            None => String::new(),
        };
        let credential = match self.account.map(|account| &account.view.credential) {
            Some(CredentialState::Refused { reason } | CredentialState::Missing { reason }) => {
                format!("; it is not watched at Cloudflare: {reason}")
            }
            Some(CredentialState::Unknown | CredentialState::Usable) | None => String::new(),
        };
        fine(Link::Tunnel, format!("tunnel {} ({id}) is there{health}{holds}{credential}", known.cloudflare_name), seen_at)
    }

    /// A tunnel that is not made at Cloudflare yet, and what keeps it from that.
    fn not_made(&self) -> DiagnosisLink {
        let (name, read_at) = (self.name(), self.read_at());
        let known = self.known.and_then(|known| known.provisioned.as_deref());
        if let Some(conflict) = known.and_then(|known| known.conflict.as_ref()) {
            return broken(Link::Tunnel, conflict.to_string(), format!("`adit tunnel adopt {name}` shows it"), read_at);
        }
        let account_holds = self.account.map(|account| account.view.holds.as_slice()).unwrap_or_default();
        let hold = known.and_then(|known| known.holds.first()).or(account_holds.iter().find(|hold| hold.tunnel().is_none()));
        if let Some(hold) = hold {
            let sentence = format!("tunnel {name} is not made at Cloudflare yet: {}", hold.why);
            return broken(Link::Tunnel, sentence, way::remedy(hold), read_at);
        }
        let failed = self.account.and_then(|account| account.last_pass.as_ref()).and_then(|pass| pass.error.as_deref());
        let credential = match self.account.map(|account| &account.view.credential) {
            Some(CredentialState::Missing { reason } | CredentialState::Refused { reason }) => Some(reason.as_str()),
            Some(CredentialState::Unknown | CredentialState::Usable) | None => None,
        };
        match credential.or(failed) {
            Some(why) => {
                let sentence = format!("tunnel {name} is not made at Cloudflare yet: {why}");
                broken(Link::Tunnel, sentence, "`adit credential check` names what is missing", read_at)
            }
            None => {
                let sentence = format!("tunnel {name} is not made at Cloudflare yet");
                broken(Link::Tunnel, sentence, "wait for the first pass; `adit status` says what it waits for", read_at)
            }
        }
    }

    /// The configuration that the connectors run.
    pub(super) fn version(&self) -> DiagnosisLink {
        let Some((known, _)) = self.made() else { return not_checked(Link::ConfigurationVersion, "there is no tunnel yet") };
        let at = Some(self.facts.at);
        if let Some(Ok(stored)) = self.facts.fresh.and_then(|fresh| fresh.configuration.as_ref())
            && !stored.has_rule
        {
            let sentence =
                format!("version {} of the configuration at Cloudflare has no rule for {}", stored.version, self.facts.hostname);
            return broken(Link::ConfigurationVersion, sentence, self.rewrite(), at);
        }
        if let Some(hold) = known.holds.iter().find(|hold| hold.code == HoldCode::Edited) {
            let sentence = format!("somebody else's configuration is in force: {}", hold.why);
            return broken(Link::ConfigurationVersion, sentence, self.rewrite(), self.read_at());
        }
        let serving = || self.connectors_known().into_iter().filter(|connector| connector.serving);
        if let Some(connector) = self.connectors_known().iter().find(|connector| connector.reason.code == "no-configuration") {
            let sentence = format!("connector {}/{} has none: {}", self.name(), connector.replica, connector.reason.sentence);
            let action = "it comes within seconds; when it does not, `adit logs` shows what the connector says";
            return broken(Link::ConfigurationVersion, sentence, action, at);
        }
        if serving().next().is_none() {
            return not_checked(Link::ConfigurationVersion, "no connector serves that could run one");
        }
        match (known.source, known.written_version) {
            (ConfigurationSource::Local, _) => self.local_version(at),
            (ConfigurationSource::Remote, None) => {
                let why = known.holds.first().map(|hold| format!(": {}", hold.why)).unwrap_or_default();
                let sentence = format!("the configuration was not written to Cloudflare yet{why}");
                broken(Link::ConfigurationVersion, sentence, "`adit apply` writes it at once", self.read_at())
            }
            (ConfigurationSource::Remote, Some(written)) => {
                let versions =
                    || serving().filter_map(|connector| connector.config_version.and_then(|it| i64::try_from(it).ok()));
                match (versions().min(), versions().max()) {
                    (Some(oldest), _) if oldest < written => {
                        let sentence =
                            format!("a connector runs version {oldest} of the configuration, and {written} is written");
                        let action = format!("it follows within seconds; `adit tunnel restart {}` when it does not", self.name());
                        broken(Link::ConfigurationVersion, sentence, action, at)
                    }
                    (_, Some(newest)) if newest > written => {
                        let sentence =
                            format!("a connector runs version {newest} of the configuration, and Adit wrote {written}");
                        broken(Link::ConfigurationVersion, sentence, self.rewrite(), at)
                    }
                    (Some(_), _) => {
                        fine(Link::ConfigurationVersion, format!("every connector runs version {written}, as written"), at)
                    }
                    (None, _) => unknown(Link::ConfigurationVersion, "no connector says which version it runs", None, at),
                }
            }
        }
    }

    /// Whether a configuration that Adit hands to the connectors is in force.
    fn local_version(&self, at: Option<jiff::Timestamp>) -> DiagnosisLink {
        let routes = self.known.and_then(|known| known.provisioned.as_deref()).map(|known| known.routes.as_slice());
        let path = matched_path(self.facts.path);
        let own = self.tunnel.ingress.iter().find(|rule| rule.takes(self.facts.hostname) && rule.takes_path(&path));
        let is_own =
            |route: &&crate::plan::RouteStatus| own.is_some_and(|own| own.hostname == route.hostname && own.path == route.path);
        match routes.unwrap_or_default().iter().find(is_own).and_then(|route| route.reason.as_deref()) {
            Some(why) => broken(Link::ConfigurationVersion, why, "`adit status` shows how far the connectors are", at),
            None => fine(Link::ConfigurationVersion, "the connectors run the file that Adit made for them", at),
        }
    }

    /// How what we want gets into force again.
    fn rewrite(&self) -> String {
        let name = self.name();
        match self.tunnel.on_drift {
            crate::config::OnDrift::Repair => "`adit apply` writes Adit's configuration again at once".to_owned(),
            crate::config::OnDrift::Report => format!(
                "`adit plan` shows the difference; take it over into tunnel {name}'s definition, or set on_drift = \"repair\""
            ),
        }
    }

    /// What is known of the tunnel at Cloudflare, with its id there, once it has one.
    fn made(&self) -> Option<(&ProvisionedTunnel, &str)> {
        let known = self.known?.provisioned.as_deref()?;
        Some((known, known.id.as_ref()?.as_str()))
    }

    pub(super) fn connectors_known(&self) -> Vec<&ConnectorStatus> {
        self.known.map(|known| known.connectors.values().map(Box::as_ref).collect()).unwrap_or_default()
    }
}
