//! Which configurations are written.

use super::{HoldCode, Planner, PutReason, Question, Scope, Standing, Step};
use crate::{
    config::{OnDrift, Ownership},
    desired::{DesiredTunnel, fingerprint},
    id::TunnelId,
    name::TunnelName,
    observed::Part,
    record::{ConfigurationSource, WrittenConfiguration},
};

impl<'a> Planner<'a> {
    /// Decides which configurations are written. A tunnel keeps its rule for a hostname that another one takes over.
    pub(super) fn plan_configurations(&mut self) {
        for (name, want) in &self.input.desired.tunnels {
            self.note_document(name, want);
            if want.source == ConfigurationSource::Local {
                continue;
            }
            if want.ownership == Ownership::Shared {
                self.plan_rules(name, want);
                continue;
            }
            match self.standing.get(name).cloned() {
                None | Some(Standing::Held) => {}
                Some(Standing::Coming) => self.put(name, want, PutReason::First),
                Some(Standing::Live(id)) => match self.records.get(name).and_then(|record| record.written.clone()) {
                    None => self.put(name, want, PutReason::First),
                    Some(written) => {
                        self.compare(name, &id, want, &written);
                        self.check_applied(name, &id, written.version);
                    }
                },
            }
        }
    }

    /// The version that the connectors run tells of edits at no cost; only an unknown one is read.
    fn compare(&mut self, name: &TunnelName, id: &TunnelId, want: &'a DesiredTunnel, written: &WrittenConfiguration) {
        let input = self.input;
        let in_force = self.in_force(name, want);
        let changed = written.sha256 != in_force.sha256;
        let unknown = self.reported.get(name).is_some_and(|version| *version > written.version);
        let answer = input.observed.answers.configurations.get(name).filter(|_| unknown);
        match answer {
            None => {
                if unknown {
                    self.questions.insert(Question::Configuration { tunnel: name.clone(), id: id.clone() });
                }
                if changed {
                    self.put(name, want, PutReason::Changed);
                }
            }
            Some(Part::Gap(gap)) => self.hold_gap(Scope::Tunnel { tunnel: name.clone() }, gap),
            Some(Part::Complete(found)) => {
                let sha256 = fingerprint(&found.document);
                let version = found.version;
                if sha256 == in_force.sha256 {
                    self.note(name, want, written, version, sha256);
                } else if sha256 == written.stored_sha256 {
                    if changed {
                        self.put(name, want, PutReason::Changed);
                    } else {
                        self.note(name, want, written, version, sha256);
                    }
                } else {
                    match want.on_drift {
                        OnDrift::Repair => self.put(name, want, PutReason::Edited { version }),
                        OnDrift::Report => {
                            let why =
                                format!("somebody else wrote version {version} of its configuration, which is left as it is");
                            self.hold_tunnel(name, HoldCode::Edited, why);
                        }
                    }
                }
            }
        }
    }

    /// What stands at Cloudflare is what was written, or what is wanted: only its version is news.
    fn note(&mut self, name: &TunnelName, want: &'a DesiredTunnel, written: &WrittenConfiguration, version: i64, stored: String) {
        let sha256 = self.in_force(name, want).sha256.into_owned();
        let seen = WrittenConfiguration { version, sha256, stored_sha256: stored };
        if *written != seen {
            self.steps.push(Step::NoteVersion { tunnel: name.clone(), written: seen });
        }
    }

    fn put(&mut self, name: &TunnelName, want: &'a DesiredTunnel, why: PutReason) {
        let in_force = self.in_force(name, want);
        self.steps.push(Step::PutConfiguration {
            tunnel: name.clone(),
            why,
            over_edits: want.on_drift == OnDrift::Repair,
            document: in_force.document.into_owned(),
            sha256: in_force.sha256.into_owned(),
        });
    }
}
