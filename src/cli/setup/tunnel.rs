//! A first tunnel: from the arguments, or asked for at a terminal.

use serde_json::{Value, json};

use super::{Context, Failure};
use crate::name::TunnelName;

/// What an origin is when nobody says another one.
const SERVICE: &str = "http://localhost:8080";

/// What a tunnel is called when nobody says another name.
const NAME: &str = "web";

/// A tunnel with one rule.
#[derive(Debug, Clone)]
pub(super) struct FirstTunnel {
    pub(super) name: TunnelName,
    /// The rule in the configuration's grammar.
    pub(super) rule: Value,
}

/// Asks for one. `None` when none is wanted, or nobody is there to be asked.
pub(super) fn ask(context: &mut Context<'_>) -> Result<Option<FirstTunnel>, Failure> {
    let question = "Hostname of a first tunnel, such as app.example.com (nothing for none): ";
    let Some(hostname) = context.terminal.ask(question)?.filter(|hostname| !hostname.is_empty()) else { return Ok(None) };
    let service = answer(context, &format!("What answers there? [{SERVICE}] "), SERVICE)?;
    let name = loop {
        let name = answer(context, &format!("What is the tunnel called? [{NAME}] "), NAME)?;
        match name.parse::<TunnelName>() {
            Ok(name) => break name,
            Err(error) => context.terminal.tell(&format!("cannot use {name:?}: {error}")),
        }
    };
    Ok(Some(FirstTunnel { name, rule: json!({ "hostname": hostname, "service": service }) }))
}

fn answer(context: &mut Context<'_>, question: &str, default: &str) -> Result<String, Failure> {
    let answer = context.terminal.ask(question)?.unwrap_or_default();
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
}
