//! A client that writes and reads the protocol's lines itself, so that nothing is hidden by a library.

use std::{
    collections::VecDeque,
    path::Path,
    process::{ExitStatus, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::host::{Host, PATIENCE, processes::PROGRAM};

/// Where no daemon answers.
const NOBODY: &str = "/nonexistent/adit.sock";

/// A client with its server.
pub(crate) struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    last_id: u64,
    notifications: VecDeque<Value>,
}

impl Session {
    /// Starts a server where no daemon answers, and begins with it: what is offered then is what the server's own role leaves.
    pub(crate) async fn alone(arguments: &[&str]) -> Self {
        Self::begin(Path::new(NOBODY), arguments).await
    }

    /// Starts a server and begins with it as the protocol says.
    pub(crate) async fn begin(socket: &Path, arguments: &[&str]) -> Self {
        let mut session = Self::start(socket, arguments);
        let begun = session.request("initialize", initialize()).await;
        assert_eq!(begun["result"]["serverInfo"]["name"], "adit", "{begun}");
        session.notify("notifications/initialized", json!({})).await;
        session
    }

    /// Starts a server where no daemon answers, and says nothing yet.
    pub(crate) fn silent() -> Self {
        Self::start(Path::new(NOBODY), &[])
    }

    fn start(socket: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("mcp").args(arguments).env_clear().env("ADIT_SOCKET", socket);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output, last_id: 0, notifications: VecDeque::new() }
    }

    /// Calls a tool, which answers well or not.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Called {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
        Called(answer["result"].clone())
    }

    /// Calls a tool that may not do that for whoever calls; the error.
    pub(crate) async fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let error = self.call(tool, arguments).await.error();
        assert_eq!(error["kind"], "not_permitted", "{tool}: {error}");
        error
    }

    /// Starts a server for a host's daemon, and begins with it.
    pub(crate) async fn with(host: &Host, arguments: &[&str]) -> Self {
        Self::begin(&host.path("run/adit.sock"), arguments).await
    }

    /// What is at an address.
    pub(crate) async fn read(&mut self, uri: &str) -> Value {
        let answer = self.request("resources/read", json!({ "uri": uri })).await;
        let text = answer["result"]["contents"][0]["text"].as_str().unwrap_or_else(|| panic!("{uri}: {answer}"));
        serde_json::from_str(text).unwrap()
    }

    /// The names of the tools that are offered.
    pub(crate) async fn tools(&mut self) -> Vec<String> {
        let answer = self.request("tools/list", json!({})).await;
        answer["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// Asks, and gives the question's id.
    pub(crate) async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()).await;
        id
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()).await;
    }

    /// Writes a line as it is.
    pub(crate) async fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the client has not closed it");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The answer to a question. What comes before it are notifications.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.message().await;
            if message["id"] == json!(id) {
                return message;
            }
            assert!(message.get("id").is_none(), "an answer that nobody waits for: {message}");
            self.notifications.push_back(message);
        }
    }

    /// The next message, whatever it is. Nothing but the protocol is ever written.
    pub(crate) async fn message(&mut self) -> Value {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("the server says nothing").unwrap();
        let line = line.expect("the server closed its output");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// The next notification of those that came before an answer.
    pub(crate) fn told(&mut self) -> Option<Value> {
        self.notifications.pop_front()
    }

    /// Waits for the next notification, while nothing is asked.
    pub(crate) async fn until_told(&mut self) -> Value {
        match self.told() {
            Some(told) => told,
            None => self.message().await,
        }
    }

    /// Closes the server's input.
    pub(crate) fn close(&mut self) {
        self.input.take();
    }

    /// Closes the server's input; how it ends, and what it said on stderr.
    pub(crate) async fn end(mut self) -> (ExitStatus, String) {
        self.input.take();
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the server does not end").unwrap();
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
        assert_eq!(self.output.next_line().await.unwrap(), None);
        (status, told)
    }
}

/// What a tool answered.
#[derive(Debug)]
pub(crate) struct Called(pub(crate) Value);

impl Called {
    /// The answer for programs, of a tool that did what was asked.
    pub(crate) fn value(&self) -> &Value {
        assert_eq!(self.0["isError"], json!(false), "{}", self.0);
        assert_eq!(self.0["structuredContent"]["untrusted"], json!(true), "{}", self.0);
        &self.0["structuredContent"]
    }

    /// The error, of a tool that did not.
    pub(crate) fn error(&self) -> Value {
        assert_eq!(self.0["isError"], json!(true), "{}", self.0);
        let text = self.0["content"][1]["text"].as_str().unwrap();
        serde_json::from_str::<Value>(text).unwrap()["error"].clone()
    }

    /// What people read.
    pub(crate) fn text(&self) -> &str {
        self.0["content"][0]["text"].as_str().unwrap()
    }

    /// The hash that the second step wants.
    pub(crate) fn hash(&self) -> String {
        assert_eq!(self.value()["step"], json!("planned"), "{}", self.0);
        self.value()["plan_hash"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn initialize() -> Value {
    json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } })
}
