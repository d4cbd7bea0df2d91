//! What the token sees at Cloudflare: whether it works, which account is meant, and whether it may do what is needed.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use super::{Context, Ending, Failure, token::DASHBOARD};
use crate::{
    cli::credential::check_table,
    cloudflare::{Client, Error, Kind, Settings},
    config::{Account, Config},
    control::api::{CredentialCheck, Problem},
    daemon::try_token,
    id::AccountId,
    name::AccountName,
    secret::Secret,
};

/// How many of a token's accounts are listed.
const LISTED_MAX: usize = 30;

/// The accounts that a token sees, with their names where it may read them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    accounts: BTreeMap<AccountId, String>,
    /// Whether there may be more: the token may not list accounts.
    is_partial: bool,
}

/// A client for this token alone.
pub(super) fn client(account: &Account, token: &Secret) -> Result<Client, Failure> {
    let settings = Settings {
        api_base: account.api_base.clone(),
        budget_per_second: account.budget.per_second(),
        user_agent: concat!("adit/", env!("CARGO_PKG_VERSION")).to_owned(),
        token: watch::Sender::new(Some(token.clone())).subscribe(),
        observer: Arc::new(|_| {}),
        book: None,
    };
    Client::new(settings).map_err(Failure::of)
}

/// Asks which accounts the token sees.
///
/// # Errors
///
/// When Cloudflare cannot be asked, or refuses the token altogether.
pub(super) async fn look(client: &Client, given: Option<&AccountId>) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    match client.accounts().await {
        Ok(accounts) => seen.accounts.extend(accounts.into_iter().map(|account| (account.id, account.name))),
        Err(error) if is_refusal(&error) => seen.is_partial = true,
        Err(error) => return Err(unasked(error)),
    }
    // A zone tells its account, too.
    match client.zones().await {
        Ok(zones) => {
            for zone in zones {
                seen.accounts.entry(zone.account_id).or_default();
            }
        }
        Err(error) if is_refusal(&error) => {}
        Err(error) => return Err(unasked(error)),
    }
    if seen.accounts.is_empty() {
        // A token that may do nothing is told from one that does not work. One of an account is asked there.
        match client.verify_token(given).await {
            Err(error) if is_refusal(&error) => return Err(refused(error)),
            Err(error) if error.kind() != Kind::Invalid => return Err(unasked(error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(seen)
}

fn is_refusal(error: &Error) -> bool {
    match error.kind() {
        Kind::Auth { .. } => true,
        Kind::NoToken
        | Kind::NotFound
        | Kind::Conflict(_)
        | Kind::RateLimited
        | Kind::Quota
        | Kind::Invalid
        | Kind::Server
        | Kind::Transport
        | Kind::Malformed
        | Kind::Incomplete => false,
    }
}

fn unasked(error: Error) -> Failure {
    let failure = Failure::of(error).while_doing("cannot try the API token, because Cloudflare could not be asked");
    failure.with_hint("nothing was kept; \"--offline\" takes a token without trying it")
}

fn refused(error: Error) -> Failure {
    let failure = Failure::of(error).while_doing("cannot use the API token: Cloudflare does not know it, or it was switched off");
    failure.with_hint(format!("nothing was kept; look whether all of it was pasted, and at {DASHBOARD}"))
}

/// The account that is meant: the one that was given, the only one there is, or the one that is chosen at the terminal.
pub(super) fn choose(seen: &Seen, given: Option<&AccountId>, context: &mut Context<'_>) -> Result<AccountId, Failure> {
    let all: Vec<(&AccountId, &String)> = seen.accounts.iter().collect();
    match (given, &all[..]) {
        (Some(given), _) if seen.is_partial || seen.accounts.contains_key(given) => Ok(given.clone()),
        (Some(given), _) => {
            let message = format!("cannot use account {given}: the API token does not see it");
            Err(Failure::new(Ending::Failed, message).with_details(listed(&all)).with_hint("nothing was kept"))
        }
        (None, [(id, _)]) => Ok((*id).clone()),
        (None, []) => {
            let message = "cannot tell which account is meant: the API token sees neither an account nor a zone";
            let hint = "give the token Zone > Zone > Read for the zones of the hostnames, or name the account with --account-id";
            Err(Failure::new(Ending::Failed, message).with_hint(hint))
        }
        (None, several) => ask(several, context),
    }
}

fn ask(several: &[(&AccountId, &String)], context: &mut Context<'_>) -> Result<AccountId, Failure> {
    let unchosen = |message: String| {
        let failure = Failure::new(Ending::Usage, message).with_details(listed(several));
        failure.with_hint("nothing was kept; --account-id says which")
    };
    let count = several.len();
    if context.terminal.is_interactive() {
        context.terminal.tell(&format!("the API token sees {count} accounts:"));
        for (number, (id, name)) in several.iter().enumerate() {
            context.terminal.tell(&format!("  {}  {id}  {name}", number + 1));
        }
    }
    let Some(answer) = context.terminal.ask(&format!("Which one? [1-{count}] "))? else {
        return Err(unchosen(format!("cannot tell which account is meant: the API token sees {count}")));
    };
    let chosen = answer.parse::<usize>().ok().and_then(|number| several.get(number.checked_sub(1)?));
    chosen.map(|(id, _)| (*id).clone()).ok_or_else(|| unchosen(format!("cannot choose account {answer:?} of {count}")))
}

/// Whether the account is configured under another name already.
pub(super) fn check_new(id: &AccountId, name: &AccountName, now: &Config) -> Result<(), Failure> {
    let twice = now.accounts.iter().find(|(other, account)| *other != name && account.account_id.as_ref() == Some(id));
    let Some((other, _)) = twice else { return Ok(()) };
    let message = format!("cannot add account {id} as \"{name}\": it is configured already, as \"{other}\"");
    let hint = format!("\"adit setup --name {other} --replace\" gives that one another token; nothing was changed");
    Err(Failure::new(Ending::Conflict, message).with_hint(hint))
}

fn listed(accounts: &[(&AccountId, &String)]) -> Vec<Problem> {
    let one = |(id, name): &(&AccountId, &String)| Problem { at: Some(id.to_string()), problem: (*name).clone() };
    accounts.iter().take(LISTED_MAX).map(one).collect()
}

/// Tries everything that the account's tunnels in `config` need, and shows it.
///
/// # Errors
///
/// When something is missing; the failure names it.
pub(super) async fn check_rights(
    client: &Client,
    name: &AccountName,
    config: &Config,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let checks = try_token(client, name, config).await;
    let missing: Vec<Problem> = checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| Problem { at: Some(check.what.clone()), problem: check.sentence.clone() })
        .collect();
    if missing.is_empty() {
        let table = check_table(&[CredentialCheck { account: name.to_string(), checks }]).render(context.terminal.words_look);
        context.terminal.show(&table);
        return Ok(());
    }
    let message = format!("cannot use the API token: {} of {} things that are needed do not work", missing.len(), checks.len());
    let hint = format!("nothing was kept; change the token at {DASHBOARD} and run this again");
    Err(Failure::new(Ending::Failed, message).with_details(missing).with_hint(hint))
}
