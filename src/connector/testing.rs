//! What the machine's tests share.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Answer, Ending, Exit, Launch, LaunchConfiguration, Probe, Transport, VersionReading};
use crate::secret::Secret;

#[expect(clippy::disallowed_methods, reason = "the one place where these tests get an instant to count from")]
pub(crate) fn start_of_time() -> Instant {
    Instant::now()
}

pub(crate) fn launch() -> Launch {
    Launch {
        account_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        tunnel_id: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        token: Secret::new("token"),
        binary: Path::new("/usr/bin/cloudflared").into(),
        extra_args: Arc::default(),
        env: Arc::default(),
        protocol: "auto".to_owned(),
        grace_period: Duration::from_secs(30),
        configuration: LaunchConfiguration::Remote,
        transport: Transport::AsConfigured,
    }
}

pub(crate) fn answer(connector: &str, connections: u8, version: VersionReading) -> Probe {
    Probe::Answered(Answer { connections, connector_id: connector.parse().unwrap(), version })
}

pub(crate) fn killed() -> Exit {
    Exit { ending: Ending::Signal(9), out_of_memory: false, last_lines: Vec::new() }
}

pub(crate) fn exited(code: i32, last_line: &str) -> Exit {
    Exit { ending: Ending::Code(code), out_of_memory: false, last_lines: vec![last_line.to_owned()] }
}
