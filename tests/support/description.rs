//! The control socket's own description (`adit api schema`), and the check of single answers against it.
//!
//! [`check`] checks one exchange. [`Listener`] stands between a client and a daemon and checks everything that passes.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a description that cannot be read fails every test")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use super::openapi::Document;

/// The most that is kept of what one side says, in bytes: the answers of tests are far smaller.
const KEPT_MAX: usize = 4 * 1024 * 1024;

/// Checks the first answer to a request against the description. What is incomplete, because one side went away, is no answer.
pub(crate) fn check(request: &[u8], answer: &[u8]) -> Result<(), String> {
    let Some((head, body)) = split(answer) else { return Ok(()) };
    let request_line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
    let mut words = request_line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    if header("content-length").and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() < length) {
        return Ok(());
    }
    let judged = judge(method, path, status, header("content-type").as_deref(), body);
    judged
        .map_err(|why| format!("{request_line} → {status}: {why}\n  {}", String::from_utf8_lossy(&body[..body.len().min(2_000)])))
}

fn judge(method: &str, path: &str, status: &str, media_type: Option<&str>, body: &[u8]) -> Result<(), String> {
    let document = document();
    let Some(operation) = document.at(path).and_then(|(_, item)| item.get(method.to_lowercase())) else {
        // Whoever asks for what is not there is told so, or that they may nothing.
        let is_refusal = ["403", "404", "405", "503"].contains(&status);
        return if is_refusal {
            document.check_json(&json!({ "$ref": "#/components/schemas/ErrorBody" }), body)
        } else {
            Err("unknown".into())
        };
    };
    let response = operation["responses"].get(status).ok_or("the description does not have that status")?;
    let response = document.followed(response);
    match (response.get("content"), media_type) {
        (None, None) if body.is_empty() => Ok(()),
        (None, _) => Err("the description has no body".into()),
        (Some(_), None) => Err("it has no content-type".into()),
        (Some(content), Some(media_type)) => {
            let media_type = media_type.split(';').next().unwrap_or_default();
            let form = content.get(media_type).ok_or_else(|| format!("the description does not have {media_type}"))?;
            // A stream is read by its readers; how it begins is enough here.
            if media_type == "application/json" { document.check_json(&form["schema"], body) } else { Ok(()) }
        }
    }
}

fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::new(adit::control::openapi().clone()))
}

fn split(message: &[u8]) -> Option<(String, &[u8])> {
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&message[..end]).into_owned(), &message[end + 4..]))
}

/// Stands between clients and a daemon's socket. The test fails when it is dropped and the description was broken.
pub(crate) struct Listener {
    socket: PathBuf,
    broken: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `socket` and passes on what comes to `daemon`, which need not be there yet.
    pub(crate) fn start(socket: PathBuf, daemon: PathBuf) -> Self {
        let broken = Arc::<Mutex<Vec<String>>>::default();
        let listener = UnixListener::bind(&socket).unwrap();
        let found = Arc::clone(&broken);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (daemon, found) = (daemon.clone(), Arc::clone(&found));
                tokio::spawn(async move {
                    // Nobody there: the client's connection closes.
                    let Ok(daemon) = UnixStream::connect(daemon).await else { return };
                    let (request, answer) = pass_on(client, daemon).await;
                    if let Err(why) = check(&request, &answer) {
                        found.lock().unwrap().push(why);
                    }
                });
            }
        });
        Self { socket, broken, task }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        let broken = self.broken.lock().unwrap();
        if !broken.is_empty() && !std::thread::panicking() {
            let first: Vec<&str> = broken.iter().take(5).map(String::as_str).collect();
            panic!("{} answers are not as the description says:\n{}", broken.len(), first.join("\n"));
        }
    }
}

/// Passes bytes on until the daemon closes, and tells what both said.
async fn pass_on(client: UnixStream, daemon: UnixStream) -> (Vec<u8>, Vec<u8>) {
    let ((client_reader, client_writer), (daemon_reader, daemon_writer)) = (client.into_split(), daemon.into_split());
    let (request, answer) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
    let asking = tokio::spawn(copy(client_reader, daemon_writer, Arc::clone(&request)));
    copy(daemon_reader, client_writer, Arc::clone(&answer)).await;
    asking.abort();
    let said = |kept: Arc<Mutex<Vec<u8>>>| std::mem::take(&mut *kept.lock().unwrap());
    (said(request), said(answer))
}

async fn copy(mut reader: impl AsyncRead + Unpin, mut writer: impl AsyncWrite + Unpin, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        {
            let mut kept = kept.lock().unwrap();
            if kept.len() < KEPT_MAX {
                kept.extend_from_slice(&buffer[..count]);
            }
        }
        if writer.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await;
}
