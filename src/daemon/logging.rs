//! Where log lines go: the journal when systemd gives one, stderr otherwise.

use std::{
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
};

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged when `ADIT_LOG` says nothing: Adit's own lines from INFO up, and warnings of the libraries.
const DEFAULT_FILTER: &str = "warn,adit=info";

/// What the levels are to the journal: the same as connectors' lines, and as `journalctl -p info` calls them.
const PRIORITIES: PriorityMappings = PriorityMappings {
    error: Priority::Error,
    warn: Priority::Warning,
    info: Priority::Informational,
    debug: Priority::Debug,
    trace: Priority::Debug,
};

/// What of the environment decides about logging.
#[derive(Debug, Clone, Default)]
pub struct LogSettings {
    /// `ADIT_LOG`: a filter such as `debug` or `warn,adit::reconciler=trace`.
    pub filter: Option<String>,
    /// `JOURNAL_STREAM`: `DEVICE:INODE` of the stream that systemd gave as stderr.
    pub journal_stream: Option<String>,
}

/// Installs the log for the whole process.
///
/// # Errors
///
/// When the filter cannot be understood. A journal that cannot be reached falls back to stderr.
pub(super) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = settings.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        anyhow::anyhow!("cannot use ADIT_LOG={filter:?}: {error} (expected a filter such as info or adit=debug)")
    })?;
    let journal = stderr_is_the_journal(settings).then(tracing_journald::layer).and_then(Result::ok);
    let target: Box<dyn Layer<Registry> + Send + Sync> = match journal {
        Some(journal) => Box::new(
            journal
                // ADIT_TUNNEL=, ADIT_CONNECTOR=, ADIT_EVENT=, …: `journalctl ADIT_TUNNEL=web` finds them.
                .with_field_prefix(Some("ADIT".to_owned()))
                .with_syslog_identifier("adit".to_owned())
                .with_priority_mappings(PRIORITIES),
        ),
        None => Box::new(fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(io::stderr().is_terminal())),
    };
    tracing_subscriber::registry().with(target.with_filter(filter)).init();
    Ok(())
}

/// Whether stderr is the stream that systemd connected to the journal: the device and inode must agree, because a child may inherit
/// the variable with its stderr sent elsewhere (`systemd.exec(5)`, `$JOURNAL_STREAM`).
fn stderr_is_the_journal(settings: &LogSettings) -> bool {
    let Some((device, inode)) = settings.journal_stream.as_deref().and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let stderr = std::fs::metadata("/dev/fd/2");
    stderr.is_ok_and(|stderr| stderr.dev().to_string() == device && stderr.ino().to_string() == inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaked_journal_stream_is_not_the_journal() {
        let settings = LogSettings { filter: None, journal_stream: Some("1:1".to_owned()) };
        assert!(!stderr_is_the_journal(&settings));
        assert!(!stderr_is_the_journal(&LogSettings::default()));
    }
}
