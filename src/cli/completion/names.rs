//! Names that are completed: those of this host from the daemon, and kinds of events from their table.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, sync::OnceLock, time::Duration};

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use tokio::time::timeout;

use crate::{
    control::{Client, Trouble},
    event_kind::EventKind,
};

/// How long the daemon is asked: nobody waits longer for the tab key.
const TIME_MAX: Duration = Duration::from_millis(200);

/// The socket to ask at. The candidates of an argument are asked for without anything but the argument, hence a place of its own.
static SOCKET: OnceLock<PathBuf> = OnceLock::new();

/// Has names asked for at `socket`, or at the default one.
pub(super) fn ask_at(socket: Option<OsString>) {
    // A process completes once.
    let _ = SOCKET.set(socket.map_or_else(|| crate::cli::DEFAULT_SOCKET.into(), PathBuf::from));
}

/// The socket that is named among words, the first of which are not the typed ones.
pub(super) fn socket_of(words: &[OsString]) -> Option<OsString> {
    let typed = words.iter().position(|word| word == "--").map(|at| &words[at + 1..])?;
    let apart = typed.iter().zip(typed.iter().skip(1)).find(|(flag, _)| *flag == "--socket").map(|(_, value)| value.clone());
    apart.or_else(|| typed.iter().find_map(|word| Some(word.to_str()?.strip_prefix("--socket=")?.into())))
}

/// Tunnels, by name.
pub(in crate::cli) fn tunnels() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let tunnels = asked(|client| async move { client.tunnels().await });
        tunnels.into_iter().flatten().map(|tunnel| candidate(tunnel.name, tunnel.state.word().to_owned())).collect()
    })
}

/// Accounts, by their names in the configuration.
pub(in crate::cli) fn accounts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let credentials = asked(|client| async move { client.credentials().await });
        credentials.into_iter().flatten().map(|credential| candidate(credential.account, credential.source)).collect()
    })
}

/// Hostnames that lead to a tunnel.
pub(in crate::cli) fn hostnames() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let routes = asked(|client| async move { client.routes().await });
        let hostnames = routes.into_iter().flatten().filter_map(|route| Some((route.route.hostname?, route.tunnel)));
        hostnames.collect::<BTreeSet<_>>().into_iter().map(|(hostname, tunnel)| candidate(hostname, tunnel)).collect()
    })
}

/// Kinds of events.
pub(in crate::cli) fn kinds() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let told = EventKind::ALL.iter().filter(|kind| kind.is_told());
        told.map(|kind| candidate(kind.as_str().to_owned(), kind.meaning().to_owned())).collect()
    })
}

fn candidate(name: String, help: String) -> CompletionCandidate {
    CompletionCandidate::new(name).help(Some(help.into()))
}

/// What the daemon answers in time; nothing when it is away, slow, or will not tell.
fn asked<T, F: Future<Output = Result<T, Trouble>>>(ask: impl FnOnce(Client) -> F) -> Option<T> {
    let client = Client::new(SOCKET.get()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let answer = runtime.block_on(async { timeout(TIME_MAX, ask(client)).await });
    answer.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_the_typed_words_is_asked() {
        let of = |words: &[&str]| socket_of(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["adit", "--", "adit", "--socket", "/a", "logs", ""]), Some("/a".into()));
        assert_eq!(of(&["adit", "--", "adit", "--socket=/b", "logs", ""]), Some("/b".into()));
        assert_eq!(of(&["adit", "--", "adit", "logs", "--socket"]), None);
        assert_eq!(of(&["adit"]), None);
    }
}
