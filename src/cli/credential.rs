//! `adit credential …`

use clap::{Args, Subcommand};

use super::{
    Context, Ending, Failure, Output, completion,
    render::{Cell, Table, Tone},
};
use crate::control::{
    Trouble,
    api::{Credential, CredentialCheck, CredentialState, ErrorKind},
};

use crate::suggestion::question_or_list;

/// Look at the accounts' API tokens; the tokens themselves are never shown
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
    Check(Check),
}

/// List where each account's API token comes from, and whether it can be used
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit credential list\n  adit credential list -o json | jq -r '.[].state'")]
pub(super) struct List {}

/// Try what is needed with the API tokens, and name each permission that is missing
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit credential check\n  adit credential check default")]
pub(super) struct Check {
    /// Only the token of this account, by its name in the configuration.
    #[arg(add = completion::accounts())]
    account: Option<String>,
}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::List(_) => list(context).await,
        Command::Check(arguments) => check(arguments, context).await,
    }
}

async fn list(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let credentials = context.client.credentials().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&credentials)?,
        Output::Table => {
            let text = list_table(&credentials).render(context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    let unusable = credentials.iter().any(|credential| credential.state == CredentialState::Unusable);
    Ok(if unusable { Ending::Attention } else { Ending::Fine })
}

fn list_table(credentials: &[Credential]) -> Table<6> {
    let mut table = Table::new(["ACCOUNT", "SOURCE", "KIND", "STATE", "EXPIRES", "WHY"]).expending(&["KIND", "SOURCE"]);
    for credential in credentials {
        let (state, tone) = match credential.state {
            CredentialState::Unknown => ("not tried", Tone::Notice),
            CredentialState::Usable => ("usable", Tone::Good),
            CredentialState::Unusable => ("unusable", Tone::Bad),
        };
        table.row([
            Cell::new(&credential.account),
            Cell::new(&credential.source),
            Cell::maybe(credential.kind.as_ref()),
            Cell::toned(state, tone),
            Cell::maybe(credential.expires_at),
            Cell::maybe(credential.reason.as_ref().map(|reason| &reason.sentence)),
        ]);
    }
    table
}

async fn check(arguments: Check, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let checks = match context.client.check_credentials(arguments.account.as_deref()).await {
        Ok(checks) => checks,
        Err(trouble) => return Err(with_suggestion(trouble, arguments.account.as_deref(), context).await),
    };
    match context.output {
        Output::Json => context.terminal.print_json(&checks)?,
        Output::Table => {
            let text = check_table(&checks).render(context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    let passed = checks.iter().flat_map(|account| &account.checks).all(|check| check.passed);
    Ok(if passed { Ending::Fine } else { Ending::Failed })
}

/// The failure, with the account that may be meant when there is none of that name.
async fn with_suggestion(trouble: Trouble, account: Option<&str>, context: &Context<'_>) -> Failure {
    let is_unknown = trouble.kind() == Some(ErrorKind::NotFound);
    let failure = Failure::from(trouble);
    let (Some(account), true) = (account, is_unknown) else { return failure };
    let known = context.client.credentials().await.unwrap_or_default();
    failure.maybe_hint(question_or_list(account, known.iter().map(|credential| credential.account.as_str())))
}

/// What was tried with the accounts' tokens.
pub(super) fn check_table(accounts: &[CredentialCheck]) -> Table<4> {
    let mut table = Table::new(["ACCOUNT", "TRIED", "RESULT", "WHAT CAME OF IT"]);
    for CredentialCheck { account, checks } in accounts {
        for check in checks {
            let (result, tone) = if check.passed { ("passed", Tone::Good) } else { ("failed", Tone::Bad) };
            table.row([Cell::new(account), Cell::new(&check.what), Cell::toned(result, tone), Cell::new(&check.sentence)]);
        }
    }
    table
}
