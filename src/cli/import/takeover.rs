//! The change of hands, with a way back at every point.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Arguments, Import, service};
use crate::{
    cli::{Context, Ending, Failure},
    control::api::Tunnel,
    name::TunnelName,
};

/// How often the daemon is asked: cheap, as it asks nobody further.
const PAUSE: Duration = Duration::from_millis(250);

/// Adopts the tunnel, waits until Adit's connector serves, and stops the old service.
pub(super) async fn run(arguments: &Arguments, import: Import, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Import { name, asked, definition } = import;
    context.client.adopt_tunnel(name.as_str(), &asked).await?;
    context.terminal.tell(&format!("{name}: adopted; Adit's connector is started beside the old one"));
    let mut stopped = false;
    let outcome = take(arguments, &name, Value::Object(definition), &mut stopped, context).await;
    let Err(failure) = outcome else {
        context.terminal.tell(&format!("{name}: imported"));
        return Ok(Ending::Fine);
    };
    context.terminal.tell("it failed; everything is put back as it was before");
    go_back(arguments, &name, stopped, context).await;
    Err(failure)
}

async fn take(
    arguments: &Arguments,
    name: &TunnelName,
    definition: Value,
    stopped: &mut bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    context.client.create_tunnel(name.as_str(), definition).await?;
    until_serving(arguments, name, context).await?;
    context.terminal.tell(&format!("{name}: Adit's connector serves"));
    let Some(unit) = arguments.service.as_ref().filter(|_| !arguments.keep_service) else {
        context.terminal.tell("whatever ran the tunnel before still does: stop it when you are content");
        return Ok(());
    };
    if !nix::unistd::geteuid().is_root() {
        context.terminal.tell(&format!("only root can stop the old service: systemctl disable --now {unit}"));
        return Ok(());
    }
    // A stop that failed half-way may have stopped it.
    *stopped = true;
    service::stop(unit)?;
    context.terminal.tell(&format!("{unit} is stopped and disabled"));
    until_serving(arguments, name, context).await
}

async fn until_serving(arguments: &Arguments, name: &TunnelName, context: &mut Context<'_>) -> Result<(), Failure> {
    let deadline = Instant::now() + arguments.timeout;
    loop {
        let tunnel = context.client.tunnel(name.as_str()).await?.tunnel;
        if tunnel.connectors.iter().any(|connector| connector.serving) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let why = described(&tunnel);
            let message = format!("tunnel {:?} does not serve after {} s: {why}", name.as_str(), arguments.timeout.as_secs());
            return Err(Failure::new(Ending::Failed, message));
        }
        sleep(PAUSE).await;
    }
}

fn described(tunnel: &Tunnel) -> String {
    let why = tunnel.reason.as_ref().map(|reason| format!(" ({})", reason.sentence)).unwrap_or_default();
    format!("{}{why}", tunnel.state.word())
}

/// First the old service serves again, then ours ends: nothing is deleted at Cloudflare.
async fn go_back(arguments: &Arguments, name: &TunnelName, stopped: bool, context: &mut Context<'_>) {
    if let Some(unit) = arguments.service.as_ref().filter(|_| stopped) {
        match service::start(unit) {
            Ok(()) => context.terminal.tell(&format!("{unit} runs again")),
            Err(failure) => context.terminal.tell(&format!("start the old service by hand: {}", failure.report())),
        }
    }
    match context.client.forget_tunnel(name.as_str()).await {
        Ok(_) => context.terminal.tell(&format!("{name}: forgotten; nothing was deleted at Cloudflare")),
        Err(trouble) => {
            let failure = Failure::from(trouble);
            context.terminal.tell(&format!("`adit tunnel forget {name}` is still to be done: {}", failure.report()));
        }
    }
}
