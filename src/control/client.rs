//! The client's end of the control socket: typed calls over one connection each.

mod diagnosis;
mod audit;
mod follow;
mod messages;
mod operations;
mod ownership;
mod traffic;
mod trouble;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{net::UnixStream, time::timeout};

use super::api;
pub use follow::Follow;
pub use operations::Begun;
pub use trouble::Trouble;

/// How long a daemon may take to accept a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take that needs nothing but the daemon.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// How long an answer may take for which the daemon asks Cloudflare: a pass over a thousand tunnels waits for the rate limit.
const SLOW_ANSWER_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// The largest answer that is read, in bytes: tens of thousands of tunnels.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of the daemon at one socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    /// The version that a definition must still have when it is written.
    expected: Option<HeaderValue>,
}

impl Client {
    /// A client of the daemon at `socket`. It connects with each call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), expected: None }
    }

    /// The same client, whose writes are refused as `changed` unless the definition that they are about has this version still:
    /// that of [`api::TunnelDetail`].
    pub fn expecting(&self, version: &str) -> Self {
        // What cannot be a version is none, and no header either.
        let version: String = version.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '-').collect();
        let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("letters, digits and dashes may stand in a header");
        Self { expected: Some(tag), ..self.clone() }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Who the daemon takes the caller for.
    pub async fn who_am_i(&self) -> Result<api::WhoAmI, Trouble> {
        self.get("/v1/whoami").await
    }

    /// The daemon's version.
    pub async fn version(&self) -> Result<api::Version, Trouble> {
        self.get("/v1/version").await
    }

    /// Everything at one look.
    pub async fn status(&self) -> Result<api::Status, Trouble> {
        self.get("/v1/status").await
    }

    /// Every tunnel.
    pub async fn tunnels(&self) -> Result<Vec<api::Tunnel>, Trouble> {
        self.get("/v1/tunnels").await
    }

    /// One tunnel, with its definition.
    pub async fn tunnel(&self, name: &str) -> Result<api::TunnelDetail, Trouble> {
        self.get(&tunnel_path(name, "")).await
    }

    /// Makes a tunnel. The same one again is fine.
    pub async fn create_tunnel(&self, name: &str, definition: Value) -> Result<api::Changed, Trouble> {
        let body = serde_json::json!({ "name": name, "definition": definition });
        self.send(Method::POST, "/v1/tunnels", Some(&body)).await
    }

    /// Replaces a tunnel's definition.
    pub async fn replace_tunnel(&self, name: &str, definition: &Value) -> Result<api::Changed, Trouble> {
        self.send(Method::PUT, &tunnel_path(name, ""), Some(definition)).await
    }

    /// Changes parts of a tunnel's definition, by a JSON merge patch.
    pub async fn patch_tunnel(&self, name: &str, patch: &Value) -> Result<api::Changed, Trouble> {
        self.send(Method::PATCH, &tunnel_path(name, ""), Some(patch)).await
    }

    /// Deletes a tunnel.
    pub async fn delete_tunnel(&self, name: &str) -> Result<api::Changed, Trouble> {
        self.send_slow(Method::DELETE, &tunnel_path(name, ""), None).await
    }

    /// Ends an operator's stop.
    pub async fn start_tunnel(&self, name: &str) -> Result<api::Changed, Trouble> {
        self.send(Method::POST, &tunnel_path(name, "/start"), None).await
    }

    /// Stops a tunnel's connectors.
    pub async fn stop_tunnel(&self, name: &str) -> Result<api::Changed, Trouble> {
        self.send(Method::POST, &tunnel_path(name, "/stop"), None).await
    }

    /// Replaces a tunnel's connectors by fresh ones.
    pub async fn restart_tunnel(&self, name: &str) -> Result<api::Changed, Trouble> {
        self.send(Method::POST, &tunnel_path(name, "/restart"), None).await
    }

    /// Gives a tunnel another secret.
    pub async fn rotate_tunnel(&self, name: &str, emergency: bool) -> Result<api::Changed, Trouble> {
        self.send_slow(Method::POST, &tunnel_path(name, "/rotate"), Some(&value(&api::Rotate { emergency }))).await
    }

    /// What a restart of a tunnel would do.
    pub async fn plan_restart(&self, name: &str) -> Result<api::RestartPlan, Trouble> {
        self.get(&tunnel_path(name, "/restart")).await
    }

    /// Every route of every tunnel.
    pub async fn routes(&self) -> Result<Vec<api::TunnelRoute>, Trouble> {
        self.get("/v1/routes").await
    }

    /// Adds a route to a tunnel: an ingress rule, `{"network": …, "virtual_network": …}` or `{"private_hostname": …}`.
    pub async fn add_route(&self, tunnel: &str, rule: &Value) -> Result<api::Changed, Trouble> {
        self.send(Method::POST, &tunnel_path(tunnel, "/routes"), Some(rule)).await
    }

    /// Removes an ingress rule from a tunnel.
    pub async fn remove_route(&self, tunnel: &str, hostname: &str, path: Option<&str>) -> Result<api::Changed, Trouble> {
        let path = path.map(|path| ("path", path.to_owned()));
        let route: Vec<_> = [("hostname", hostname.to_owned())].into_iter().chain(path).collect();
        self.remove_named_route(tunnel, &route).await
    }

    /// Removes a route from a tunnel, whichever it is: named by `hostname` and perhaps `path`, or in the keys that a private route has
    /// in [`Client::add_route`].
    pub async fn remove_named_route(&self, tunnel: &str, route: &[(&str, String)]) -> Result<api::Changed, Trouble> {
        let query = query(route.iter().cloned());
        self.send(Method::DELETE, &format!("{}{query}", tunnel_path(tunnel, "/routes")), None).await
    }

    /// What would change.
    pub async fn plan(&self) -> Result<api::Plan, Trouble> {
        self.get_slow("/v1/plan").await
    }

    /// Makes everything as wanted; with `hash`, only if that is the plan still.
    pub async fn apply(&self, hash: Option<&str>) -> Result<api::Applied, Trouble> {
        self.send_slow(Method::POST, "/v1/apply", Some(&serde_json::json!({ "hash": hash }))).await
    }

    /// The last lines that a tunnel's connectors wrote.
    pub async fn logs(&self, tunnel: &str, query: &[(&str, String)]) -> Result<Vec<api::LogLine>, Trouble> {
        self.get(&format!("{}{}", tunnel_path(tunnel, "/logs"), self::query(query.iter().cloned()))).await
    }

    /// The same, and then every line as it is written.
    pub async fn follow_logs(&self, tunnel: &str, query: &[(&str, String)]) -> Result<Follow<api::LogLine>, Trouble> {
        let query = self::query(query.iter().cloned().chain([("follow", "true".to_owned())]));
        self.follow(&format!("{}{query}", tunnel_path(tunnel, "/logs"))).await
    }

    /// What happened.
    pub async fn events(&self, query: &[(&str, String)]) -> Result<Vec<api::Event>, Trouble> {
        self.get(&format!("/v1/events{}", self::query(query.iter().cloned()))).await
    }

    /// The same, and then every event as it happens.
    pub async fn follow_events(&self, query: &[(&str, String)]) -> Result<Follow<api::Event>, Trouble> {
        let query = self::query(query.iter().cloned().chain([("follow", "true".to_owned())]));
        self.follow(&format!("/v1/events{query}")).await
    }

    /// The configuration in force.
    pub async fn configuration(&self) -> Result<api::Configuration, Trouble> {
        self.get("/v1/config").await
    }

    /// Has the configuration's files read again.
    pub async fn reload_configuration(&self) -> Result<api::Reloaded, Trouble> {
        self.send(Method::POST, "/v1/config/reload", None).await
    }

    /// The accounts' tokens, without the tokens.
    pub async fn credentials(&self) -> Result<Vec<api::Credential>, Trouble> {
        self.get("/v1/credentials").await
    }

    /// Tries what the tokens are able to do.
    pub async fn check_credentials(&self, account: Option<&str>) -> Result<Vec<api::CredentialCheck>, Trouble> {
        let query = query(account.map(|account| ("account", account.to_owned())));
        self.send_slow(Method::POST, &format!("/v1/credentials/check{query}"), None).await
    }

    /// Has the daemon try whether origins answer it.
    pub async fn check_origins(&self, request: &api::CheckOrigins) -> Result<Vec<api::OriginCheck>, Trouble> {
        self.send(Method::POST, "/v1/origins/check", Some(&value(request))).await
    }

    /// Which installation the daemon's state is of.
    pub async fn identity(&self) -> Result<api::Identity, Trouble> {
        self.get("/v1/identity").await
    }

    /// Has the daemon go on with state of another machine.
    pub async fn take_over_identity(&self) -> Result<api::Identity, Trouble> {
        self.send(Method::POST, "/v1/identity/take-over", None).await
    }

    /// Has the daemon begin as a new installation.
    pub async fn new_identity(&self) -> Result<api::Identity, Trouble> {
        self.send(Method::POST, "/v1/identity/new", None).await
    }

    /// What is left over at Cloudflare.
    pub async fn orphans(&self) -> Result<api::Orphans, Trouble> {
        self.get_slow("/v1/orphans").await
    }

    /// Deletes what is left over: these items, or with none all that can be, if the list has this hash still.
    pub async fn delete_orphans(&self, hash: &str, items: &[String]) -> Result<api::DeletedOrphans, Trouble> {
        self.send_slow(Method::POST, "/v1/orphans", Some(&chosen_orphans(hash, items))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.exchange(Method::GET, path, None, ANSWER_TIME_MAX).await
    }

    async fn get_slow<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.exchange(Method::GET, path, None, SLOW_ANSWER_TIME_MAX).await
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T, Trouble> {
        self.exchange(method, path, body, ANSWER_TIME_MAX).await
    }

    async fn send_slow<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T, Trouble> {
        self.exchange(method, path, body, SLOW_ANSWER_TIME_MAX).await
    }

    async fn follow<T: DeserializeOwned>(&self, path: &str) -> Result<Follow<T>, Trouble> {
        let response = timeout(ANSWER_TIME_MAX, self.ask(Method::GET, path, None, None)).await;
        Ok(Follow::new(response.map_err(|_| Trouble::slow(path, ANSWER_TIME_MAX))??.into_body()))
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        time_max: Duration,
    ) -> Result<T, Trouble> {
        let exchange = async {
            let bytes = read(path, self.ask(method, path, body, None).await?).await?;
            serde_json::from_slice(&bytes).map_err(|error| Trouble::broken(path, error))
        };
        timeout(time_max, exchange).await.map_err(|_| Trouble::slow(path, time_max))?
    }

    /// The answer to a request, if that is a success. With what the client prefers (RFC 7240), if it does.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        prefers: Option<&'static str>,
    ) -> Result<Response<Incoming>, Trouble> {
        let response = self.request(method, path, body, prefers).await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(path, response).await) }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        prefers: Option<&'static str>,
    ) -> Result<Response<Incoming>, Trouble> {
        let unreachable = |source| Trouble::NotReachable { socket: self.socket.clone(), source };
        let stream = match timeout(CONNECT_TIME_MAX, UnixStream::connect(&self.socket)).await {
            Ok(stream) => stream.map_err(unreachable)?,
            Err(_) => return Err(unreachable(io::Error::from(io::ErrorKind::TimedOut))),
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| Trouble::broken(path, error))?;
        // It ends with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "adit");
        if let Some(expected) = &self.expected {
            request = request.header(header::IF_MATCH, expected);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(prefers) = prefers {
            request = request.header("prefer", prefers);
        }
        let request = request.body(Full::new(bytes)).expect("the path is encoded and the headers are what the daemon gave");
        sender.send_request(request).await.map_err(|error| Trouble::broken(path, error))
    }
}

/// What the daemon says instead of what was asked for.
async fn refusal(path: &str, response: Response<Incoming>) -> Trouble {
    let status = response.status();
    let bytes = match read(path, response).await {
        Ok(bytes) => bytes,
        Err(trouble) => return trouble,
    };
    match serde_json::from_slice::<api::ErrorBody>(&bytes) {
        Ok(body) => Trouble::Refused(Box::new(body.error)),
        Err(_) => Trouble::broken(path, format!("status {status} without an error that can be read")),
    }
}

async fn read(path: &str, response: Response<Incoming>) -> Result<Bytes, Trouble> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok(body.map_err(|error| Trouble::broken(path, error))?.to_bytes())
}

fn tunnel_path(name: &str, rest: &str) -> String {
    format!("/v1/tunnels/{}{rest}", encoded(name))
}

/// A name or an id within a path: so a slip in it is an unknown one and never another path.
fn encoded(text: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20").replace('.', "%2E")
}

fn value(asked: &impl Serialize) -> Value {
    serde_json::to_value(asked).expect("the API's types are JSON")
}

fn chosen_orphans(hash: &str, items: &[String]) -> Value {
    value(&api::DeleteOrphans { hash: hash.to_owned(), items: items.to_owned() })
}

fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    let query = serializer.extend_pairs(pairs).finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_becomes_another_path() {
        for (name, path) in [
            ("web", "/v1/tunnels/web/stop"),
            ("../config/reload?", "/v1/tunnels/%2E%2E%2Fconfig%2Freload%3F/stop"),
            ("a b", "/v1/tunnels/a%20b/stop"),
        ] {
            assert_eq!(tunnel_path(name, "/stop"), path);
        }
    }

    #[test]
    fn an_empty_query_is_left_out() {
        assert_eq!(query([]), "");
        assert_eq!(query([("hostname", "*.a b".to_owned())]), "?hostname=*.a+b");
    }
}
