//! `adit credential check`: tries what the daemon needs of a token, without changing anything.
//!
//! What may be changed is tried on objects that cannot exist: a token that lacks the permission is refused, one that has it is told
//! that there is no such thing.

mod beside;

use std::collections::BTreeSet;

use crate::{
    cloudflare::{Client, Error, RecordPatch, TokenKind, TokenState, TokenStatus, Zone},
    config::{Account, Config},
    control::api::Check,
    counted::counted,
    id::{AccountId, RecordId, TunnelId},
    name::{AccountName, Hostname},
};

use beside::Beside;

/// How many zones are tried at most; each costs two calls.
const ZONES_MAX: usize = 10;

/// Tries everything that the account's tunnels in `config` would need of the client's token, without changing anything. An account that
/// is not in it has nothing to try.
pub async fn try_token(client: &Client, name: &AccountName, config: &Config) -> Vec<Check> {
    match config.accounts.get(name) {
        Some(account) => of_account(client, name, account, config).await.0,
        None => Vec::new(),
    }
}

/// Tries everything that the account's tunnels in `config` want. Gives also what Cloudflare said of the token itself.
pub(super) async fn of_account(
    client: &Client,
    name: &AccountName,
    account: &Account,
    config: &Config,
) -> (Vec<Check>, Option<TokenStatus>) {
    let own = || config.tunnels.values().filter(|tunnel| tunnel.account == *name);
    // Those that want a record.
    let hostnames: Vec<Hostname> = own().flat_map(|tunnel| tunnel.public_hostnames().into_iter().cloned()).collect();
    check(client, account, &hostnames, &Beside::of(own())).await
}

/// Tries everything with `client`. `hostnames` are those that the account's tunnels want records for, `beside` is what else they want.
/// Gives also what Cloudflare said of the token itself.
async fn check(client: &Client, account: &Account, hostnames: &[Hostname], beside: &Beside) -> (Vec<Check>, Option<TokenStatus>) {
    let mut checks = Vec::new();
    let zones = client.zones().await;
    let account_id = match (&account.account_id, &zones) {
        (Some(id), _) => Some(id.clone()),
        (None, Ok(zones)) => only_account(zones),
        (None, Err(_)) => None,
    };
    let (verified, status) = verify(client, account_id.as_ref()).await;
    checks.push(verified);
    match &account_id {
        Some(id) => checks.extend(tunnels(client, id).await),
        None => checks.push(failed(
            "find the account",
            "the zones that the token sees belong to no account or to several (write account_id into the configuration)"
                .to_owned(),
        )),
    }
    match zones {
        Ok(zones) => {
            checks.push(passed("list zones", format!("{} zones", zones.len())));
            checks.extend(records(client, &zones, hostnames).await);
            if let Some(id) = &account_id {
                checks.extend(beside.check(client, id, &zones).await);
            }
        }
        Err(error) => checks.push(failed("list zones", error.to_string())),
    }
    (checks, status)
}

/// The only check there is of a token that cannot be read.
pub(super) fn unreadable(why: String) -> Check {
    failed("read the token", why)
}

async fn verify(client: &Client, account: Option<&AccountId>) -> (Check, Option<TokenStatus>) {
    let what = "verify the token";
    let kind = match client.token_kind() {
        Some(TokenKind::User) => "a user's token (cfut_)",
        Some(TokenKind::Account) => "an account's token (cfat_)",
        Some(TokenKind::GlobalKey) => "a Global API Key",
        Some(TokenKind::Unmarked) | None => "a token",
    };
    let status = match client.verify_token(account).await {
        Ok(status) => status,
        Err(error) => return (failed(what, error.to_string()), None),
    };
    let check = match status.status {
        TokenState::Active => passed(
            what,
            match status.expires_on {
                Some(expires_on) => format!("{kind}, active, it expires on {expires_on}"),
                None => format!("{kind}, active, it does not expire"),
            },
        ),
        TokenState::Disabled => failed(what, format!("{kind}, disabled: somebody switched it off")),
        TokenState::Expired => failed(what, format!("{kind}, expired: make a new one")),
    };
    (check, Some(status))
}

async fn tunnels(client: &Client, account: &AccountId) -> [Check; 2] {
    let nobody: TunnelId = "00000000-0000-0000-0000-000000000000".parse().expect("it has the form of an identifier");
    let listed = match client.tunnels(account).await {
        Ok(tunnels) => passed("list tunnels", counted(tunnels.len(), "tunnel")),
        Err(error) => failed("list tunnels", error.to_string()),
    };
    // Reading a connector token needs the permission to edit (cloudflare-api.md, "Surprises first", 4).
    [listed, attempted("change tunnels", client.tunnel_token(account, &nobody).await.map(drop))]
}

/// Tries the zones of the hostnames that are wanted, or the first zone when none is.
async fn records(client: &Client, zones: &[Zone], hostnames: &[Hostname]) -> Vec<Check> {
    let (wanted, mut checks) = zones_of(zones, hostnames);
    let tried = if wanted.is_empty() { zones.iter().take(1).collect() } else { wanted };
    let nobody: RecordId = "00000000000000000000000000000000".parse().expect("it has the form of an identifier");
    // A change of nothing is refused for that reason before anybody looks for the record.
    let change = RecordPatch { proxied: Some(true), ..RecordPatch::default() };
    for zone in tried {
        let name = &zone.name;
        checks.push(match client.tunnel_records(&zone.id).await {
            Ok(records) => passed(&format!("read DNS records of {name}"), format!("{} lead to tunnels", records.len())),
            Err(error) => failed(&format!("read DNS records of {name}"), error.to_string()),
        });
        let changed = client.patch_record(&zone.id, &nobody, &change).await.map(drop);
        checks.push(attempted(&format!("change DNS records of {name}"), changed));
    }
    checks
}

/// The zones that the hostnames stand in, each once and not too many, and what is to be said of hostnames that stand in none.
fn zones_of<'a>(zones: &'a [Zone], hostnames: &[Hostname]) -> (Vec<&'a Zone>, Vec<Check>) {
    let mut ids = BTreeSet::new();
    let mut homeless = Vec::new();
    for hostname in hostnames {
        match Zone::of(zones, hostname) {
            Some(zone) => {
                ids.insert(&zone.id);
            }
            None => homeless.push(failed("find the zone", format!("no zone that the token sees has {hostname}"))),
        }
    }
    (zones.iter().filter(|zone| ids.contains(&zone.id)).take(ZONES_MAX).collect(), homeless)
}

fn only_account(zones: &[Zone]) -> Option<AccountId> {
    let accounts: BTreeSet<&AccountId> = zones.iter().map(|zone| &zone.account_id).collect();
    match accounts.len() {
        1 => accounts.into_iter().next().cloned(),
        _ => None,
    }
}

/// What came of trying to change something that does not exist: that it does not exist is what a permitted caller hears.
fn attempted(what: &str, outcome: Result<(), Error>) -> Check {
    match outcome {
        Ok(()) => passed(what, "permitted".to_owned()),
        Err(error) if error.is_gone() => passed(what, "permitted".to_owned()),
        Err(error) => failed(what, error.to_string()),
    }
}

fn passed(what: &str, sentence: String) -> Check {
    Check { what: what.to_owned(), passed: true, sentence }
}

fn failed(what: &str, sentence: String) -> Check {
    Check { what: what.to_owned(), passed: false, sentence }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_zone_is_tried_once_and_a_hostname_without_one_is_told() {
        let zone = |id: &str, name: &str| -> Zone {
            serde_json::from_value(json!({ "id": id, "name": name, "account": { "id": "a" } })).unwrap()
        };
        let zones = [zone("z1", "example.com"), zone("z2", "example.org"), zone("z3", "example.net")];
        let hostnames = ["a.example.org", "b.example.com", "c.example.org", "d.example"].map(|name| name.parse().unwrap());
        let (wanted, homeless) = zones_of(&zones, &hostnames);
        assert_eq!(wanted, [&zones[0], &zones[1]]);
        assert_eq!(homeless, [failed("find the zone", "no zone that the token sees has d.example".to_owned())]);
    }
}
