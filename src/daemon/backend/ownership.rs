//! What becomes ours and what is given up, as the daemon does it: the reconciler's part, with the tunnel's definition around it.

use std::time::Duration;

use serde_json::Value;

use super::{
    DaemonBackend, REQUEST_TIME_MAX,
    refusals::{not_asked, refused, slow},
    tunnels::{change, object},
};
use crate::{
    config::{Origin, Tunnel},
    control::{
        Backend, Principal, Progress,
        api::{
            AdoptRoute, AdoptTunnel, Change, Error, ErrorKind, Forgotten, FoundConnector, FoundRecord, RouteAdopted,
            RouteAdoption, TunnelAdopted, TunnelAdoption,
        },
    },
    desired::desired_tunnel,
    intent::{ChangeError, Changed},
    name::{AccountName, Hostname, TunnelName, is_uuid_shaped},
    observed::ObservedRecord,
    plan::{OfferedRecord, PlanHash, RecordFate, Refusal, RefusalKind, RouteOffer, TunnelOffer, definition_of},
    reconciler::{OwnershipError, Taking, Which, Wish},
};

impl DaemonBackend {
    pub(super) async fn show_tunnel(&self, name: &TunnelName, asked: &AdoptTunnel) -> Result<TunnelAdoption, Error> {
        let (account, wish) = self.wish(name, asked)?;
        let which = which(asked)?;
        let looking = self.reconciler.look_at_tunnel(&account, name, which, wish.clone());
        let offer = in_time(looking).await?;
        let definition = match &wish {
            Wish::Defined(_) | Wish::Later => None,
            Wish::AsItIs => Some(self.definition_from(name, &offer).await?),
        };
        Ok(shown(offer, definition))
    }

    pub(super) async fn take_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        asked: &AdoptTunnel,
        progress: &Progress,
    ) -> Result<TunnelAdopted, Error> {
        let (account, wish) = self.wish(name, asked)?;
        let hash = hash(asked.hash.as_deref())?;
        let Which::Id(id) = which(asked)? else {
            return Err(Error::new(ErrorKind::Invalid, format!("cannot adopt tunnel {name}: its id is missing"))
                .with_hint("GET on the same path shows what there is, with its id and hash"));
        };
        progress.say(format!("Adit looks at tunnel {id}"));
        let mut definition = None;
        if matches!(wish, Wish::AsItIs) {
            // Its definition is judged before anything is changed: one that cannot be used would leave the tunnel without any.
            let looking = self.reconciler.look_at_tunnel(&account, name, Which::Id(id.clone()), wish.clone());
            definition = Some(self.definition_from(name, &in_time(looking).await?).await?);
        }
        let taking = Taking { id, wish, hash, from_install: asked.from_install.clone() };
        let adopting = self.reconciler.adopt_tunnel(&account, name, taking);
        let adopted = in_time(adopting).await?;
        let mut result = if adopted.offer.is_ours { Change::Unchanged } else { Change::Accepted };
        if let Some(definition) = definition {
            let made = self.intent.create(name.clone(), object(definition)?).await.map_err(refused)?;
            if made != Changed::Unchanged {
                result = change(made);
            }
        }
        if result == Change::Accepted {
            self.acted(by, "adopt", name);
            self.look_again("adoption").await;
        }
        Ok(TunnelAdopted {
            tunnel: name.to_string(),
            change: result,
            id: adopted.offer.id.to_string(),
            kept: adopted.kept.iter().map(|path| path.display().to_string()).collect(),
            left: adopted.left,
        })
    }

    pub(super) async fn show_route(&self, asked: &AdoptRoute) -> Result<RouteAdoption, Error> {
        let (account, tunnel, hostname) = self.route_asked(asked)?;
        let offer = in_time(self.reconciler.look_at_route(&account, &tunnel, &hostname)).await?;
        let serves = self.tunnel(&tunnel).is_some_and(|tunnel| tunnel.connectors.iter().any(|connector| connector.serving));
        Ok(shown_route(offer, serves))
    }

    pub(super) async fn take_route(
        &self,
        by: &Principal,
        asked: &AdoptRoute,
        progress: &Progress,
    ) -> Result<RouteAdopted, Error> {
        let (account, tunnel, hostname) = self.route_asked(asked)?;
        let hash = hash(asked.hash.as_deref())?;
        progress.say(format!("Adit looks at {hostname}"));
        let taking = self.reconciler.adopt_route(&account, (&tunnel, &hostname), hash, asked.from_install.clone());
        let taken = in_time(taking).await?;
        let change = if taken.offer.is_ours { Change::Unchanged } else { Change::Accepted };
        if change == Change::Accepted {
            self.acted(by, "adopt route", &tunnel);
            self.look_again("adoption").await;
        }
        let kept = taken.kept.map(|path| path.display().to_string());
        Ok(RouteAdopted { hostname: hostname.to_string(), tunnel: tunnel.to_string(), change, kept })
    }

    /// Gives a tunnel up. First its definition goes, so that its connectors finish their requests and stop; a crash behind that
    /// leaves a tunnel that the same request finishes with.
    pub(super) async fn give_up(&self, by: &Principal, name: &TunnelName, progress: &Progress) -> Result<Forgotten, Error> {
        let gone = || Error::no_such_tunnel(name.as_str());
        self.reconciler.check_writes().map_err(not_asked)?;
        match self.intended().config.tunnels.get(name) {
            Some(Tunnel { origin: origin @ Origin::File(_), .. }) => {
                let message = format!("cannot forget tunnel {name}: {origin} wants it");
                return Err(
                    Error::new(ErrorKind::Conflict, message).with_hint("remove it there and run `adit config reload` first")
                );
            }
            Some(_) => match self.intent.remove(name.clone(), None).await {
                Ok(_) | Err(ChangeError::NotFound(_)) => {}
                Err(error) => return Err(refused(error)),
            },
            None if self.tunnel(name).is_none() => {
                let forgotten = self.reconciler.forgotten(name).await.ok_or_else(gone)?;
                return Ok(given_up(name, &forgotten, Change::Unchanged));
            }
            None => {}
        }
        progress.say(format!("the connectors of tunnel {name} finish their requests"));
        let forgetting = async {
            self.until_drained(name).await;
            self.reconciler.forget_tunnel(name).await
        };
        let forgotten = in_time(forgetting).await?.ok_or_else(gone)?;
        self.acted(by, "forget", name);
        self.look_again("forget").await;
        Ok(given_up(name, &forgotten, Change::Accepted))
    }

    /// The account in which the tunnel is looked for, and what it is to be here.
    fn wish(&self, name: &TunnelName, asked: &AdoptTunnel) -> Result<(AccountName, Wish), Error> {
        let intended = self.intended();
        if let Some(why) = intended.held.get(name) {
            return Err(Error::new(ErrorKind::Hold, format!("cannot adopt tunnel {name}: {why}"))
                .with_hint("\"adit status\" shows what it waits for"));
        }
        if let Some(tunnel) = intended.config.tunnels.get(name) {
            let is_known = self.tunnel(name).is_some_and(|tunnel| tunnel.id.is_some());
            if asked.from_cloudflare && !is_known {
                let message = format!("cannot make a definition for tunnel {name}: {} defines it", tunnel.origin);
                return Err(
                    Error::new(ErrorKind::Conflict, message).with_hint("leave out --from-cloudflare; its definition counts")
                );
            }
            return Ok((tunnel.account.clone(), Wish::Defined(Box::new(desired_tunnel(tunnel)))));
        }
        if !asked.from_cloudflare && !asked.define_later {
            let message = format!("cannot adopt tunnel {name}: the configuration does not have it");
            let hint = format!(
                "--from-cloudflare makes its definition from what Cloudflare has stored; with --define-later you add \
                 [tunnels.{name}] to the configuration when it is ours"
            );
            return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
        }
        let accounts: Vec<&AccountName> = intended.config.accounts.keys().collect();
        let account = match (&asked.account, accounts.as_slice()) {
            (Some(asked), known) => known.iter().find(|known| known.as_str() == asked).copied().cloned(),
            (None, [only]) => Some((*only).clone()),
            (None, _) => None,
        };
        let account = account.ok_or_else(|| {
            let names: Vec<&str> = accounts.iter().map(|account| account.as_str()).collect();
            let message = match &asked.account {
                Some(asked) => format!("cannot adopt tunnel {name}: there is no account {asked:?}"),
                None => format!("cannot adopt tunnel {name}: it may be in any of {} accounts", names.len()),
            };
            Error::new(ErrorKind::Invalid, message).with_hint(format!("--account says which: {}", names.join(", ")))
        })?;
        Ok((account, if asked.from_cloudflare { Wish::AsItIs } else { Wish::Later }))
    }

    /// The definition that is made from what is stored, if it can be used.
    async fn definition_from(&self, name: &TunnelName, offer: &TunnelOffer) -> Result<Value, Error> {
        let mut definition = definition_of(&offer.document, &offer.records);
        if let Some(definition) = definition.as_object_mut() {
            definition.insert("account".to_owned(), Value::String(offer.account.to_string()));
        }
        self.intent.check(name.clone(), object(definition.clone())?).await.map_err(|error| {
            let error = refused(error);
            let hint = format!("write [tunnels.{name}] by hand, and adopt it without --from-cloudflare");
            Error { message: format!("cannot make a definition from what is stored: {}", error.message), ..error }.with_hint(hint)
        })?;
        Ok(definition)
    }

    /// The tunnel that has a route for a hostname.
    fn route_asked(&self, asked: &AdoptRoute) -> Result<(AccountName, TunnelName, Hostname), Error> {
        let hostname: Hostname = asked
            .hostname
            .parse()
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot take over {:?}: {error}", asked.hostname)))?;
        let intended = self.intended();
        let wants = |tunnel: &Tunnel| tunnel.public_hostnames().contains(&&hostname);
        let wanting = intended.config.tunnels.values().find(|tunnel| wants(tunnel));
        let Some(tunnel) = wanting else {
            let message = format!("cannot take over {hostname}: no tunnel has a route for it with a DNS record");
            return Err(Error::new(ErrorKind::NotFound, message).with_hint("add the route first, as with `adit route add`"));
        };
        if let Some(asked) = asked.tunnel.as_ref().filter(|asked| *asked != tunnel.name.as_str()) {
            let message = format!("cannot take over {hostname} for tunnel {asked}: its route is one of tunnel {}", tunnel.name);
            return Err(
                Error::new(ErrorKind::Conflict, message).with_hint("\"adit route list\" shows which tunnel has which route")
            );
        }
        Ok((tunnel.account.clone(), tunnel.name.clone(), hostname))
    }

    /// Has the reconciler go on from what is ours now. Whatever that finds shows in the status.
    async fn look_again(&self, why: &'static str) {
        let _ = tokio::time::timeout(LOOK_AGAIN_MAX, self.reconciler.reconcile_now(why)).await;
    }
}

/// How long an answer waits for the pass that follows; it goes on by itself.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(30);

async fn in_time<T>(asking: impl Future<Output = Result<T, OwnershipError>>) -> Result<T, Error> {
    let answer = tokio::time::timeout(REQUEST_TIME_MAX, asking).await.map_err(|_| slow())?;
    answer.map_err(|error| match error {
        OwnershipError::NotAsked(error) => not_asked(error),
        OwnershipError::Refused(refusal) => told(refusal),
    })
}

fn told(refusal: Refusal) -> Error {
    let kind = match refusal.kind {
        RefusalKind::NotFound => ErrorKind::NotFound,
        RefusalKind::Conflict => ErrorKind::Conflict,
        RefusalKind::Hold => ErrorKind::Hold,
        RefusalKind::Unavailable => ErrorKind::Unavailable,
    };
    Error { hint: refusal.hint, ..Error::new(kind, refusal.message) }
}

fn which(asked: &AdoptTunnel) -> Result<Which, Error> {
    match (&asked.id, &asked.cloudflare_name) {
        (Some(_), Some(_)) => Err(Error::new(ErrorKind::Invalid, "cannot look for a tunnel by its id and its name at once")
            .with_hint("leave one of them out")),
        (Some(id), None) => match id.parse() {
            Ok(parsed) if is_uuid_shaped(id) => Ok(Which::Id(parsed)),
            Ok(_) | Err(_) => {
                let message = format!("cannot look for tunnel {id:?}: a tunnel's id is a UUID");
                Err(Error::new(ErrorKind::Invalid, message).with_hint("a name at Cloudflare is looked for by --cloudflare-name"))
            }
        },
        (None, Some(name)) => Ok(Which::Named(name.clone())),
        (None, None) => Ok(Which::Likeliest),
    }
}

fn hash(asked: Option<&str>) -> Result<PlanHash, Error> {
    let asked = asked.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "cannot take over what was not looked at: the hash of what was shown is missing")
            .with_hint("GET on the same path shows it, with its hash")
    })?;
    Ok(PlanHash::new(asked))
}

fn shown(offer: TunnelOffer, definition: Option<Value>) -> TunnelAdoption {
    let record = |record: &OfferedRecord| FoundRecord {
        name: record.name.clone(),
        kind: "CNAME".to_owned(),
        content: offer.id.dns_target(),
        proxied: record.proxied,
        comment: record.comment.clone(),
        fate: fate(&record.fate).to_owned(),
    };
    let records = offer.records.iter().map(record).collect();
    let connectors = offer.connectors.iter().map(|connector| FoundConnector {
        id: connector.id.clone(),
        version: connector.version.clone(),
        addresses: connector.addresses.iter().cloned().collect(),
    });
    TunnelAdoption {
        hash: offer.hash().to_string(),
        connectors: connectors.collect(),
        records,
        tunnel: offer.tunnel.to_string(),
        account: offer.account.to_string(),
        id: offer.id.to_string(),
        cloudflare_name: offer.cloudflare_name,
        cloudflare_status: offer.status,
        configuration: offer.source.to_string(),
        ownership: offer.ownership.to_string(),
        version: offer.version,
        document: offer.document,
        changes: offer.changes,
        install: offer.install,
        notes: offer.notes,
        definition,
        is_ours: offer.is_ours,
    }
}

fn fate(fate: &RecordFate) -> &'static str {
    match fate {
        RecordFate::Taken => "taken",
        RecordFate::Ours => "ours",
        RecordFate::Unwanted => "unwanted",
        RecordFate::OtherInstall(_) => "other-install",
    }
}

fn shown_route(offer: RouteOffer, serves: bool) -> RouteAdoption {
    let found = |fate: &'static str| {
        move |record: &ObservedRecord| FoundRecord {
            name: record.name.clone(),
            kind: record.kind.clone(),
            content: record.content.clone(),
            proxied: record.proxied,
            comment: record.comment.clone(),
            fate: fate.to_owned(),
        }
    };
    let gives_way = if offer.is_ours { "ours" } else { "replaced" };
    let records = offer.records.iter().map(found(gives_way)).chain(offer.beside.iter().map(found("stays")));
    RouteAdoption {
        hash: offer.hash().to_string(),
        records: records.collect(),
        hostname: offer.hostname.to_string(),
        tunnel: offer.tunnel.to_string(),
        zone: offer.zone.name,
        target: offer.target,
        installs: offer.installs.into_iter().collect(),
        serves,
        is_ours: offer.is_ours,
    }
}

fn given_up(name: &TunnelName, forgotten: &crate::record::Forgotten, change: Change) -> Forgotten {
    Forgotten {
        tunnel: name.to_string(),
        change,
        id: forgotten.id.as_ref().map(ToString::to_string),
        cloudflare_name: forgotten.cloudflare_name.clone(),
        configuration: forgotten.source.to_string(),
        records: forgotten.dns.keys().cloned().collect(),
        rules: forgotten.rules.iter().map(ToString::to_string).collect(),
    }
}
