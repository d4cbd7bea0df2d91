//! `adit tunnel create --interactive`: what the tunnel should be, question by question.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use crate::{
    cli::{Context, Ending, Failure, confirm::confirm, render::plain},
    config::{Service, tunnel_toml},
    control::api::{Tunnel, TunnelRoute},
    name::{Hostname, TunnelName},
};

/// How often one question is asked before it is given up: also what ends it when nothing comes any more.
const ATTEMPTS_MAX: usize = 5;

/// The most replicas that the configuration takes.
const REPLICAS_MAX: u8 = 25;

/// What was answered.
pub(super) struct Answers {
    /// The tunnel's name.
    pub(super) name: String,
    /// Its definition.
    pub(super) definition: Value,
}

/// What there is already, so that an answer can be judged at once.
struct There {
    tunnels: Vec<Tunnel>,
    routes: Vec<TunnelRoute>,
    accounts: Vec<String>,
}

/// Asks for everything, shows what it comes to, and asks for consent. `name` is the one that was typed with the command.
pub(super) async fn interview(name: Option<String>, context: &mut Context<'_>) -> Result<Answers, Failure> {
    if !context.terminal.is_interactive() {
        let failure = Failure::new(Ending::Usage, "cannot ask what the tunnel should be: nobody is there to be asked");
        return Err(failure.with_hint(
            "without --interactive the flags say it: NAME --hostname app.example.com --service http://localhost:8080",
        ));
    }
    let there = There {
        tunnels: context.client.tunnels().await?,
        routes: context.client.routes().await?,
        // Who may not see accounts is not asked for one; the daemon takes the only one.
        accounts: context
            .client
            .credentials()
            .await
            .map_or_else(|_| Vec::new(), |all| all.into_iter().map(|one| one.account).collect()),
    };
    let name = match name {
        Some(name) => {
            there.name(&name).map_err(|why| Failure::new(Ending::Usage, format!("cannot create tunnel {name:?}: {why}")))?
        }
        None => ask(context, "Name of the tunnel (a-z, 0-9 and -)", None, |text| there.name(text))?,
    };
    let mut definition = Map::new();
    if there.accounts.len() > 1 {
        let question = format!("Cloudflare account ({})", there.accounts.join(", "));
        let account = ask(context, &question, there.accounts.first().map(String::as_str), |text| there.account(text))?;
        definition.insert("account".to_owned(), account.into());
    }
    let hostname = ask(context, "Hostname that leads to it (empty: none yet)", Some(""), |text| there.hostname(text))?;
    if let Some(hostname) = hostname {
        let service = ask(context, "Where requests go, such as http://localhost:8080", None, service)?;
        definition.insert("ingress".to_owned(), json!([{ "hostname": hostname, "service": service }]));
    }
    let replicas = ask(context, "How many connectors on this host", Some("1"), replicas)?;
    if replicas != 1 {
        definition.insert("replicas".to_owned(), replicas.into());
    }
    let toml = tunnel_toml(&name, &definition).map_err(Failure::of)?;
    let shown: String = toml.lines().map(|line| format!("  {}\n", plain(line))).collect();
    context.terminal.show(&format!("\nThis will be made, with a DNS record for each hostname:\n\n{shown}\n"));
    confirm(context.terminal, false, &format!("Make tunnel {:?}", name.as_str()))?;
    Ok(Answers { name: name.to_string(), definition: definition.into() })
}

/// Asks until the answer is one, and says what is wrong with each that is none.
fn ask<T, E: Display>(
    context: &mut Context<'_>,
    question: &str,
    default: Option<&str>,
    judge: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Failure> {
    let preset = default.filter(|default| !default.is_empty()).map(|default| format!(" [{default}]")).unwrap_or_default();
    for _ in 0..ATTEMPTS_MAX {
        let Some(answer) = context.terminal.ask(&format!("{question}{preset}: "))? else { break };
        let answer = if answer.is_empty() { default.unwrap_or_default() } else { &answer };
        match judge(answer) {
            Ok(value) => return Ok(value),
            Err(why) => context.terminal.tell(&format!("  {answer:?} cannot be used: {why}")),
        }
    }
    Err(Failure::new(Ending::Failed, "nothing was made: no answer could be used"))
}

impl There {
    fn name(&self, text: &str) -> Result<TunnelName, String> {
        let name: TunnelName = text.parse().map_err(|error: crate::name::NameError| error.to_string())?;
        match self.tunnels.iter().any(|tunnel| tunnel.name == text) {
            true => Err("there is a tunnel of that name; \"adit tunnel update\" changes it".to_owned()),
            false => Ok(name),
        }
    }

    fn account(&self, text: &str) -> Result<String, String> {
        if self.accounts.iter().any(|account| account == text) {
            return Ok(text.to_owned());
        }
        Err(format!("there is {}", self.accounts.join(", ")))
    }

    /// `None`: no hostname yet.
    fn hostname(&self, text: &str) -> Result<Option<String>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let hostname: Hostname = text.parse().map_err(|error: crate::name::NameError| error.to_string())?;
        let taken = self.routes.iter().find(|route| route.route.hostname.as_deref() == Some(hostname.as_str()));
        match taken {
            Some(route) => Err(format!("it leads to tunnel {} already", route.tunnel)),
            None => Ok(Some(hostname.to_string())),
        }
    }
}

fn service(text: &str) -> Result<String, String> {
    text.parse::<Service>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn replicas(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| (1..=REPLICAS_MAX).contains(number));
    number.ok_or_else(|| format!("it must be a number from 1 to {REPLICAS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_as_they_come() {
        let there = There { tunnels: Vec::new(), routes: Vec::new(), accounts: vec!["default".to_owned()] };
        assert_eq!(there.name("web").unwrap().as_str(), "web");
        assert!(there.name("Web!").is_err() && there.name("").is_err());
        assert_eq!(there.hostname(""), Ok(None));
        assert_eq!(there.hostname("app.example.com"), Ok(Some("app.example.com".to_owned())));
        assert!(there.hostname("no dots").is_err());
        assert!(there.account("defualt").unwrap_err().contains("default"));
        assert!(service("http://localhost:8080").is_ok() && service("localhost").is_err());
        assert_eq!((replicas("2"), replicas("0").is_err(), replicas("26").is_err()), (Ok(2), true, true));
    }
}
