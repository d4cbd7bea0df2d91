//! The change of hands, with a way back at every point.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{Arguments, Import, service};
use crate::{
    cli::{Context, Ending, Failure, follow::may_pass, programs::Programs},
    control::api::Tunnel,
    name::TunnelName,
    screen::Ends,
};

/// How often the daemon is asked: cheap, as it asks nobody further.
const PAUSE: Duration = Duration::from_millis(250);

/// Adopts the tunnel, waits until Adit's connector serves, and stops the old service. Ctrl-C puts everything back, as a failure does,
/// and so does a terminal that is closed.
pub(super) async fn run(
    arguments: &Arguments,
    import: Import,
    programs: &Programs,
    context: &mut Context<'_>,
) -> Result<Ending, Failure> {
    let Import { name, asked, definition } = import;
    let ends = Ends::new()?;
    context.client.adopt_tunnel(name.as_str(), &asked).await?;
    let mut takeover = Takeover { arguments, name, programs, ends, stopped: false };
    let Err(failure) = takeover.take(Value::Object(definition), context).await else {
        context.terminal.tell(&format!("{}: imported", takeover.name));
        return Ok(Ending::Fine);
    };
    context.terminal.tell("it is not imported; everything is put back as it was before");
    takeover.go_back(context).await;
    Err(failure)
}

/// A tunnel that changes hands.
struct Takeover<'a> {
    arguments: &'a Arguments,
    name: TunnelName,
    programs: &'a Programs,
    /// They are heard only while it is waited: what was asked of the daemon or of systemd is to be answered before it is taken back.
    ends: Ends,
    /// Whether the old service was to be stopped.
    stopped: bool,
}

impl Takeover<'_> {
    async fn take(&mut self, definition: Value, context: &mut Context<'_>) -> Result<(), Failure> {
        let name = self.name.clone();
        context.terminal.tell(&format!("{name}: adopted; Adit's connector is started beside the old one"));
        context.client.create_tunnel(name.as_str(), definition).await?;
        self.until_serving(context).await?;
        context.terminal.tell(&format!("{name}: Adit's connector serves"));
        let Some(unit) = self.arguments.service.as_ref().filter(|_| !self.arguments.keep_service) else {
            context.terminal.tell("whatever ran the tunnel before still does: stop it when you are content");
            return Ok(());
        };
        if !nix::unistd::geteuid().is_root() {
            context.terminal.tell(&format!("only root can stop the old service: systemctl disable --now {unit}"));
            return Ok(());
        }
        // A stop that failed half-way may have stopped it.
        self.stopped = true;
        service::stop(unit, self.programs).await?;
        context.terminal.tell(&format!("{unit} is stopped and disabled"));
        self.until_serving(context).await
    }

    async fn until_serving(&mut self, context: &Context<'_>) -> Result<(), Failure> {
        let (name, time_max) = (self.name.as_str(), self.arguments.timeout);
        let deadline = Instant::now() + time_max;
        loop {
            match context.client.tunnel(name).await {
                Ok(detail) if detail.tunnel.connectors.iter().any(|connector| connector.serving) => return Ok(()),
                Ok(detail) if Instant::now() >= deadline => {
                    let why = described(&detail.tunnel);
                    let message = format!("tunnel {name:?} does not serve after {} s: {why}", time_max.as_secs());
                    return Err(Failure::new(Ending::Failed, message));
                }
                Ok(_) => {}
                // The daemon is being restarted.
                Err(trouble) if may_pass(&trouble) && Instant::now() < deadline => {}
                Err(trouble) => return Err(trouble.into()),
            }
            if timeout(PAUSE, self.ends.next()).await.is_ok() {
                return Err(Failure::new(Ending::Failed, "interrupted"));
            }
        }
    }

    /// First the old service serves again, then ours ends: nothing is deleted at Cloudflare.
    async fn go_back(&self, context: &mut Context<'_>) {
        let name = &self.name;
        if let Some(unit) = self.arguments.service.as_ref().filter(|_| self.stopped) {
            match service::start(unit, self.programs).await {
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
}

fn described(tunnel: &Tunnel) -> String {
    let why = tunnel.reason.as_ref().map(|reason| format!(" ({})", reason.sentence)).unwrap_or_default();
    format!("{}{why}", tunnel.state.word())
}
