//! The grammar of the configuration file, as a table.
//!
//! The check for unknown keys and wrong types, the defaults, the JSON Schema and the reference are all made from it, so that
//! they cannot say different things.

use super::load_balancer::{SessionAffinity, SteeringPolicy};

/// A table with a fixed set of keys.
pub(super) struct Grammar {
    pub(super) keys: &'static [Key],
    /// Keys that cloudflared's own file has and Cloudflare's API does not, each with what to do instead.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

impl Grammar {
    /// The key with this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    /// One sentence for the reference and the schema.
    pub(super) doc: &'static str,
}

/// What happens when a key is left out.
#[derive(Clone, Copy)]
pub(super) enum Presence {
    /// It has to be there.
    Required,
    /// It means something that it is not there; the doc says what.
    Optional,
    /// It is as if this TOML value was written.
    Default(&'static str),
}

/// What a key's value may be.
pub(super) enum Kind {
    Text(&'static Form),
    Boolean,
    /// The boolean `false` alone: "off".
    Off,
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    /// One of these strings.
    Word(&'static [&'static str]),
    List(&'static Kind),
    /// A table whose keys are names that people give.
    Map {
        names: &'static Form,
        of: &'static Kind,
    },
    Table(&'static Grammar),
    /// Any of these, told apart by their TOML type.
    Either(&'static [Kind]),
}

/// What a string must look like. The pattern is for editors only and never stricter than what reads the string.
pub(super) struct Form {
    /// In words, as in "a duration such as \"30s\"".
    pub(super) words: &'static str,
    /// An ECMA regular expression.
    pub(super) pattern: Option<&'static str>,
}

const fn form(words: &'static str) -> Form {
    Form { words, pattern: None }
}

const fn form_matching(words: &'static str, pattern: &'static str) -> Form {
    Form { words, pattern: Some(pattern) }
}

static TEXT: Form = form("a string");
static PATH: Form = form_matching("an absolute path", "^/");
static BINARY: Form = form_matching("a program's name or absolute path", "^(/|[^/]+$)");
static MODE: Form = form_matching("an octal mode such as \"0666\"", "^0?[0-7]{3}$");
static LISTEN: Form = form("an address such as \"127.0.0.1:9738\" or \"unix:/run/adit/metrics.sock\"");
static DURATION: Form = form_matching("a duration such as \"30s\", \"1m30s\" or \"500ms\"", "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$");
static BYTES: Form = form_matching("an amount of memory such as \"256MiB\"", "^[0-9]+([KMG]i)?B$");
static HOST_PORT: Form = form_matching("HOST:PORT", "^.+:[0-9]+$");
static RESOLVER: Form =
    form_matching("an address with a port such as \"1.1.1.1:53\" or \"[2606:4700:4700::1111]:53\"", "^.+:[0-9]+$");
static FRONT: Form = form_matching("an address of this host such as \"http://127.0.0.1:8080\"", "^http://");
static ARGUMENT: Form = form("one argument");
static ENV_NAME: Form = form_matching("an environment variable's name", "^[A-Za-z_][A-Za-z0-9_]*$");
static NAME: Form = form_matching("1 to 40 of a-z, 0-9 and -", "^[a-z0-9][a-z0-9-]{0,39}$");
static ACCOUNT_ID: Form = form_matching("32 hexadecimal digits", "^[0-9a-f]{32}$");
static CREDENTIAL: Form = form_matching("a systemd credential's name", "^[^/:]+$");
static BUDGET: Form = form_matching("a rate such as \"3/s\" or \"180/m\"", "^[0-9.]+/(s|m)$");
static URL: Form = form("a URL such as \"https://api.cloudflare.com/client/v4\"");
static WEBHOOK_URL: Form = form("a URL such as \"https://hooks.example.com/adit\"");
static WHO: Form = form_matching("a Unix user (\"alice\") or group (\"@web-team\"), by name or number", "^@?[^@\\s:,]+$");
static PATTERN: Form = form("a pattern with * and ?");
static HOSTNAME: Form = form("a hostname such as \"app.example.com\" or \"*.example.com\"");
static REGEX: Form = form("a regular expression for the request's path");
static SERVICE: Form =
    form("a service such as \"http://localhost:8080\", \"unix:/run/app.sock\", \"http_status:404\" or \"hello_world\"");
static NETWORK: Form = form_matching("a network such as \"10.20.0.0/16\"", "^[0-9A-Fa-f.:]+/[0-9]+$");
static DAYS: Form = form_matching("days such as \"90d\"", "^[0-9]+d$");
static OBJECT_ID: Form = form_matching("32 hexadecimal digits", "^[0-9a-f]{32}$");
static STATUS_CODES: Form = form_matching("a status such as \"200\" or \"2xx\"", "^[1-5]([0-9][0-9]|xx)$");
static POOL: Form = form_matching("letters, digits, - and _", "^[A-Za-z0-9_-]+$");

use Presence::{Default, Optional, Required};

const fn key(name: &'static str, kind: Kind, presence: Presence, doc: &'static str) -> Key {
    Key { name, kind, presence, doc }
}

const fn table(keys: &'static [Key]) -> Grammar {
    Grammar { keys, refused: &[] }
}

/// A whole file.
pub(super) static FILE: Grammar = table(&[
    key("daemon", Kind::Table(&DAEMON), Default("{}"), "Where the daemon keeps things, and when it acts."),
    key("control", Kind::Table(&CONTROL), Default("{}"), "The socket over which the daemon is controlled."),
    key("metrics", Kind::Table(&METRICS), Default("{}"), "Prometheus metrics."),
    key("hooks", Kind::Table(&HOOKS), Default("{}"), "Who is told of events outside of Adit."),
    key(
        "health",
        Kind::Table(&HEALTH_CHECKS),
        Default("{}"),
        "How often origins and public hostnames are checked, and from where.",
    ),
    key("cloudflared", Kind::Table(&CLOUDFLARED), Default("{}"), "How connectors are run."),
    key("accounts", ACCOUNTS, Default("{}"), "One table per Cloudflare account."),
    key("access", Kind::Table(&ACCESS), Default("{}"), "Who may do what over the control socket; root is always admin."),
    key("tunnels", TUNNELS, Default("{}"), "One table per tunnel."),
]);

/// A file that holds nothing but tunnels made over the control socket.
pub(super) static TUNNEL_FILE: Grammar = table(&[key("tunnels", TUNNELS, Default("{}"), "The tunnel.")]);

const ACCOUNTS: Kind = Kind::Map { names: &NAME, of: &Kind::Table(&ACCOUNT) };
const TUNNELS: Kind = Kind::Map { names: &NAME, of: &Kind::Table(&TUNNEL) };

static DAEMON: Grammar = table(&[
    key("state_dir", Kind::Text(&PATH), Default("'/var/lib/adit'"), "Tunnels, ids, secrets, accepted configuration, logs."),
    key("runtime_dir", Kind::Text(&PATH), Default("'/run/adit'"), "Socket, records of running connectors; on tmpfs."),
    key(
        "apply",
        Kind::Word(&["auto", "ask", "observe"]),
        Default("'auto'"),
        "Whether a reload is applied at once or waits for `adit apply`, with repairs either way; \"observe\": nothing is written at Cloudflare.",
    ),
    key(
        "sync_interval",
        Kind::Text(&DURATION),
        Default("'60s'"),
        "How often Cloudflare is compared with what is wanted, between changes; 1s to 1h.",
    ),
]);

static CONTROL: Grammar = table(&[
    key("socket", Kind::Text(&PATH), Optional, "The socket; when left out, `adit.sock` in `runtime_dir`."),
    key("socket_mode", Kind::Text(&MODE), Default("'0666'"), "Its mode. Every request is decided by its peer, deny by default."),
]);

static METRICS: Grammar = table(&[
    key(
        "listen",
        Kind::Either(&[Kind::Text(&LISTEN), Kind::Off]),
        Default("'127.0.0.1:9738'"),
        "Where `/metrics` is served; `false` for nowhere.",
    ),
    key(
        "relay",
        Kind::Boolean,
        Default("true"),
        "Whether connectors' own `cloudflared_*` and `quic_client_*` are served there too.",
    ),
    key(
        "relay_series_max",
        Kind::Integer { min: 1, max: 10_000 },
        Default("1000"),
        "How many series of one connector are served at most; the rest is counted.",
    ),
]);

static HEALTH_CHECKS: Grammar = table(&[
    key("interval", Kind::Text(&DURATION), Default("'30s'"), "Between two checks of an origin; 1s to 1h."),
    key(
        "outside_interval",
        Kind::Text(&DURATION),
        Default("'60s'"),
        "Between two requests for a public hostname, where a tunnel's `health.outside` asks for them; 1s to 1h.",
    ),
    key(
        "resolver",
        Kind::Text(&RESOLVER),
        Default("'1.1.1.1:53'"),
        "The DNS server that is asked for public hostnames: this host's own may keep for minutes that one does not exist.",
    ),
    key(
        "front",
        Kind::Text(&FRONT),
        Optional,
        "Where requests for public hostnames go instead of to the address that the resolver gives; a loopback address with plain http, as of a sandbox.",
    ),
]);

static CLOUDFLARED: Grammar = table(&[
    key("binary", Kind::Text(&BINARY), Default("'cloudflared'"), "Looked up on PATH once when it is a bare name."),
    key("extra_args", Kind::List(&Kind::Text(&ARGUMENT)), Default("[]"), "Run as `tunnel EXTRA_ARGS run`."),
    key("env", Kind::Map { names: &ENV_NAME, of: &Kind::Text(&TEXT) }, Default("{}"), "Added to a connector's environment."),
    key("grace_period", Kind::Text(&DURATION), Default("'30s'"), "How long open requests may take at a stop; at most 3m."),
    key(
        "canary_period",
        Kind::Text(&DURATION),
        Default("'30s'"),
        "How long one connector must be well as another cloudflared before the others follow; at most 1h.",
    ),
    key(
        "journal",
        Kind::Word(&["off", "warn", "all"]),
        Default("'off'"),
        "Which of the connectors' lines go to the systemd journal as well; a change takes effect when the daemon starts.",
    ),
    key(
        "edge_probe",
        Kind::List(&Kind::Text(&HOST_PORT)),
        Default("['region1.v2.argotunnel.com:7844', 'region2.v2.argotunnel.com:7844']"),
        "Asked by TCP while a connector has no connection, to notice when Cloudflare's edge can be reached again; for a regional \
         tunnel its region's hosts. Empty: never.",
    ),
    key("rotate_every", Kind::Text(&DAYS), Optional, "As in a tunnel, for every tunnel that does not say so itself."),
]);

static ACCOUNT: Grammar = table(&[
    key("account_id", Kind::Text(&ACCOUNT_ID), Optional, "When left out, the one account that the token can see."),
    key("api_token", Kind::Table(&API_TOKEN), Required, "Where the API token comes from: exactly one of the keys."),
    key(
        "budget",
        Kind::Text(&BUDGET),
        Default("'3/s'"),
        "The most API requests; at most 4 a second, unless `api_base` is a loopback address.",
    ),
    key(
        "api_base",
        Kind::Text(&URL),
        Default("'https://api.cloudflare.com/client/v4'"),
        "The API; plain http only on a loopback address.",
    ),
]);

static API_TOKEN: Grammar = table(&[
    key("credential", Kind::Text(&CREDENTIAL), Optional, "The name of a systemd credential."),
    key("file", Kind::Text(&PATH), Optional, "A file with mode 0600."),
    key("command", Kind::List(&Kind::Text(&ARGUMENT)), Optional, "A command that prints it, as a list of arguments; no shell."),
    key("env", Kind::Text(&ENV_NAME), Optional, "An environment variable; only outside systemd."),
]);

static HOOKS: Grammar = table(&[
    key(
        "on_event",
        Kind::List(&Kind::Text(&ARGUMENT)),
        Default("[]"),
        "A program with its arguments, run for each event, which it gets as JSON on its stdin; no shell, 10s, root's file.",
    ),
    key("events", PATTERNS, Optional, "The kinds of events that hooks are told of, such as `connector-*`; when left out, all."),
    key(
        "level",
        Kind::Word(&["info", "warn", "error"]),
        Optional,
        "How loud an event must be at least; when left out, `warn`, or with `events` any of them.",
    ),
    key("webhook", Kind::Table(&WEBHOOK), Optional, "An address that events are sent to, as signed JSON."),
]);

static WEBHOOK: Grammar = table(&[
    key("url", Kind::Text(&WEBHOOK_URL), Required, "Where to; plain http only to a loopback address."),
    key(
        "secret",
        Kind::Table(&API_TOKEN),
        Required,
        "What deliveries are signed with: exactly one of the keys, as for an API token.",
    ),
]);

const WHOS: Kind = Kind::List(&Kind::Text(&WHO));
const PATTERNS: Kind = Kind::List(&Kind::Text(&PATTERN));

static ACCESS: Grammar = table(&[
    key("admin", WHOS, Default("['@adit-admin']"), "May do everything."),
    key("operator", WHOS, Default("['@adit-operator']"), "May also start, stop and restart, and read logs."),
    key("viewer", WHOS, Default("['@adit-viewer']"), "May read; never a secret."),
    key("grant", Kind::List(&Kind::Table(&GRANT)), Default("[]"), "Roles for some tunnels only."),
]);

static GRANT: Grammar = table(&[
    key("role", Kind::Word(&["viewer", "operator", "editor"]), Required, "An editor needs all four patterns."),
    key("who", WHOS, Required, "Users and groups."),
    key("accounts", Kind::List(&Kind::Text(&NAME)), Optional, "Accounts; when left out, all."),
    key("tunnels", PATTERNS, Optional, "Names of tunnels; when left out, all."),
    key("hostnames", PATTERNS, Optional, "Hostnames of routes; when left out, all."),
    key("origins", PATTERNS, Optional, "Services of routes; when left out, all."),
]);

pub(super) static TUNNEL: Grammar = table(&[
    key("account", Kind::Text(&NAME), Optional, "A key of `accounts`; when left out, the only one there is."),
    key("replicas", Kind::Integer { min: 1, max: 25 }, Default("1"), "Connectors on this host."),
    key(
        "configuration",
        Kind::Word(&["remote", "local"]),
        Default("'remote'"),
        "Whether Cloudflare keeps the routes, or each connector gets them as a file.",
    ),
    key(
        "ownership",
        Kind::Word(&["owned", "shared"]),
        Default("'owned'"),
        "Whether the whole configuration is Adit's, or others edit it too and Adit touches only its own rules.",
    ),
    key("on_drift", Kind::Word(&["repair", "report"]), Default("'repair'"), "What to do about an edit behind Adit's back."),
    key("protocol", Kind::Word(&["auto", "quic", "http2"]), Default("'auto'"), "What connectors speak to Cloudflare."),
    key("memory_limit", Kind::Text(&BYTES), Optional, "How much memory each connector is to use; when left out, no limit."),
    key("max_procs", Kind::Integer { min: 1, max: 1024 }, Optional, "Processors that each connector uses; when left out, all."),
    key("ingress", Kind::List(&Kind::Table(&RULE)), Default("[]"), "The routes, in order; the first that matches serves."),
    key("originRequest", Kind::Table(&ORIGIN_REQUEST), Optional, "How origins are asked, for all rules."),
    key("private_networks", Kind::List(&Kind::Table(&PRIVATE_NETWORK)), Default("[]"), "Networks reached through the tunnel."),
    key(
        "hostname_routes",
        Kind::List(&Kind::Text(&HOSTNAME)),
        Default("[]"),
        "Private hostnames that lead through the tunnel, for devices of the organisation; no DNS record is made.",
    ),
    key(
        "load_balancer",
        Kind::Table(&LOAD_BALANCER),
        Optional,
        "The load balancer that the tunnel is a part of; it costs money.",
    ),
    key("health", Kind::Table(&HEALTH), Default("{}"), "How origins are watched: reported, never a reason to restart."),
    key(
        "rotate_every",
        Kind::Text(&DAYS),
        Optional,
        "How old the tunnel's secret gets at most, 1d to 365d; it is replaced without a drop. When left out, any age.",
    ),
    key("access", ACCESS_DEMAND, Default("'off'"), "Whether the hostnames of all rules need an Access application to be public."),
    key("renamed_from", Kind::Text(&NAME), Optional, "The tunnel's earlier name: it keeps id, secret and connectors."),
]);

pub(super) static RULE: Grammar = table(&[
    key("hostname", Kind::Text(&HOSTNAME), Optional, "When left out, every hostname."),
    key("path", Kind::Text(&REGEX), Optional, "When left out, every path."),
    key("service", Kind::Text(&SERVICE), Required, "What answers, in cloudflared's spelling."),
    key("originRequest", Kind::Table(&ORIGIN_REQUEST), Optional, "How the origin is asked."),
    key(
        "dns",
        Kind::Boolean,
        Optional,
        "Whether a DNS record points the hostname to the tunnel; when left out, yes, but for a load balancer's.",
    ),
    key("access", ACCESS_DEMAND, Optional, "Whether an Access application must cover it; when left out, as the tunnel says."),
]);

const ACCESS_DEMAND: Kind = Kind::Word(&["off", "required"]);

const SECONDS: Kind = Kind::Either(&[Kind::Text(&DURATION), Kind::Integer { min: 0, max: 86_400 }]);

/// cloudflared's own keys (`config/configuration.go`), as far as Cloudflare's API takes them.
pub(super) static ORIGIN_REQUEST: Grammar = Grammar {
    keys: &[
        key("access", Kind::Table(&ORIGIN_ACCESS), Optional, "Requests must carry a Cloudflare Access token; in a rule only."),
        key("caPool", Kind::Text(&PATH), Optional, "The certificate authorities of the origin's certificate."),
        key("connectTimeout", SECONDS, Optional, "For a connection to the origin; whole seconds."),
        key("disableChunkedEncoding", Kind::Boolean, Optional, "For WSGI servers and the like."),
        key("http2Origin", Kind::Boolean, Optional, "Speak HTTP/2 to the origin."),
        key("httpHostHeader", Kind::Text(&TEXT), Optional, "The Host header that the origin gets."),
        key("keepAliveConnections", Kind::Integer { min: 0, max: 65_535 }, Optional, "Idle connections kept to the origin."),
        key("keepAliveTimeout", SECONDS, Optional, "How long an idle connection is kept; whole seconds."),
        key("matchSNItoHost", Kind::Boolean, Optional, "Ask the origin by TLS for the hostname of the request."),
        key("noHappyEyeballs", Kind::Boolean, Optional, "Do not try IPv4 and IPv6 at once."),
        key("noTLSVerify", Kind::Boolean, Optional, "Accept any certificate of the origin."),
        key("originServerName", Kind::Text(&TEXT), Optional, "The hostname on the origin's certificate."),
        key("proxyType", Kind::Word(&["", "socks"]), Optional, "`socks` for a SOCKS5 proxy."),
        key("tcpKeepAlive", SECONDS, Optional, "Between TCP keep-alives; whole seconds."),
        key("tlsTimeout", SECONDS, Optional, "For a TLS handshake with the origin; whole seconds."),
    ],
    refused: &[
        ("bastionMode", "write service = \"bastion\""),
        ("proxyAddress", "cloudflared does not use it any more"),
        ("proxyPort", "cloudflared does not use it any more"),
        ("ipRules", "let the origin or a firewall refuse"),
    ],
};

static ORIGIN_ACCESS: Grammar = table(&[
    key("required", Kind::Boolean, Optional, "Whether a request without a valid token is refused."),
    key("teamName", Kind::Text(&TEXT), Required, "The organisation's team name."),
    key("audTag", Kind::List(&Kind::Text(&TEXT)), Required, "The audience tags of the Access applications."),
]);

static PRIVATE_NETWORK: Grammar = table(&[
    key("network", Kind::Text(&NETWORK), Required, "The network."),
    key("virtual_network", Kind::Text(&TEXT), Optional, "When left out, the account's default virtual network."),
]);

static LOAD_BALANCER: Grammar = table(&[
    key(
        "hostname",
        Kind::Text(&HOSTNAME),
        Required,
        "The load balancer's hostname. Its requests come with it as Host or, when no rule is for it, with the first rule's hostname.",
    ),
    key("pool", Kind::Text(&POOL), Optional, "The name of the tunnel's own pool; when left out, TUNNEL-adit-INSTALL."),
    key("weight", Kind::Number { min: 0.0, max: 1.0 }, Default("1.0"), "The tunnel's weight in the pool."),
    key(
        "steering_policy",
        Kind::Word(SteeringPolicy::WORDS),
        Default("'random'"),
        "How a balancer that Adit makes chooses among pools.",
    ),
    key(
        "session_affinity",
        Kind::Word(SessionAffinity::WORDS),
        Default("'none'"),
        "How a balancer that Adit makes keeps a visitor at one pool.",
    ),
    key("join", Kind::Text(&OBJECT_ID), Optional, "The id of a balancer that Adit did not make and may add the pool to."),
    key("monitor", Kind::Table(&MONITOR), Default("{}"), "How Cloudflare checks the tunnel."),
]);

static MONITOR: Grammar = table(&[
    key("type", Kind::Word(&["https", "tcp"]), Default("'https'"), "Only https reaches a tunnel."),
    key("path", Kind::Text(&PATH), Default("'/'"), "The path to ask for."),
    key("expected_codes", Kind::Text(&STATUS_CODES), Default("'2xx'"), "The status of a healthy answer."),
    key("interval", Kind::Text(&DURATION), Default("'60s'"), "Between two checks: 15s to 1h."),
]);

static HEALTH: Grammar = table(&[
    key(
        "origin",
        Kind::Either(&[Kind::Word(&["tcp", "off"]), Kind::Table(&HTTP_CHECK)]),
        Default("'tcp'"),
        "Connect to each origin, ask it by HTTP, or leave it alone.",
    ),
    key(
        "outside",
        Kind::Either(&[Kind::Word(&["on", "off"]), Kind::Table(&HTTP_CHECK)]),
        Default("'off'"),
        "Ask for each public hostname as a visitor would, through Cloudflare: its first page, or a path that has to give a status.",
    ),
]);

static HTTP_CHECK: Grammar = table(&[
    key("http", Kind::Text(&PATH), Required, "The path to ask for."),
    key("expect", Kind::Integer { min: 100, max: 599 }, Default("200"), "The status that says that all is well."),
]);
