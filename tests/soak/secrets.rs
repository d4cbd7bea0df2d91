//! The last look for secrets, everywhere that the daemon writes or answers.

use std::{path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use crate::{canary::Canary, watch::Watch};

/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// What anybody may ask.
const QUESTIONS: [&str; 12] = [
    "/v1/status",
    "/v1/tunnels",
    "/v1/routes",
    "/v1/config",
    "/v1/events",
    "/v1/audit",
    "/v1/plan",
    "/v1/credentials",
    "/v1/identity",
    "/v1/orphans",
    "/v1/tunnels/t0/logs",
    "/v1/doctor",
];

/// Looks everywhere; how much was looked at.
pub(crate) async fn look(watch: &mut Watch<'_>) -> String {
    let host = watch.host;
    let canary = Canary::new(host.stage.world.api_token().expose(), &host.path("state/records"));
    let mut leaks = Vec::new();
    let processes = host.processes();
    for process in &processes {
        let words = [process.arguments.join("\0"), process.environment.join("\0")].join("\0");
        leaks.extend(
            canary.found_in(words.as_bytes()).map(|secret| format!("{secret} is in the words of process {}", process.pid)),
        );
    }
    let mut questions = vec![("metrics.sock", "/metrics")];
    questions.extend(QUESTIONS.map(|question| ("run/adit.sock", question)));
    let mut bytes = 0;
    for (socket, question) in questions {
        match timeout(ANSWER_TIME, ask(&host.path(socket), question)).await {
            Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.1 200 ") => {
                bytes += answer.len();
                leaks.extend(canary.found_in(&answer).map(|secret| format!("{secret} is in the answer of {question}")));
            }
            // Where nothing is, no secret can be found.
            other => watch.book.violated(format!("no good answer of {question}: {other:?}")),
        }
    }
    // The token's own file, and where the records of tunnels and of their connectors are kept.
    let may = |path: &Path| path == Path::new("token") || path.starts_with("state/records") || path == Path::new("state.image");
    leaks.extend(canary.leaks_below(&host.path(""), may));
    for leak in leaks {
        watch.book.violated(leak);
    }
    format!(
        "{} secrets were looked for in every file, the words of {} processes and answers of {bytes} bytes",
        canary.count(),
        processes.len()
    )
}

async fn ask(socket: &Path, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
