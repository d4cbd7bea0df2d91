//! Why a call failed, in the terms that its caller decides by.

use std::{fmt, time::Duration};

use super::{Permission, call::Call, envelope::Problem};

/// Why a call of the API failed.
///
/// The text names what was attempted, the method and path, the HTTP status, Cloudflare's code and message and the `cf-ray`
/// that Cloudflare's support asks for, and for a refused token the permission group and the object. It never holds a token;
/// Cloudflare's words in it are one bounded line without control characters.
pub struct Error(Box<Inner>);

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no API token yet; nothing was sent.
    NoToken,
    /// The API token is bad, or may not do this. Cloudflare does not say which.
    Auth {
        /// The permission group that the call needs; `None` when it needs none but a good token.
        permission: Option<Permission>,
    },
    /// The object is not there, or not visible to this token: an answer of the API itself, never a proxy's page.
    NotFound,
    /// Something that exists stands against it.
    Conflict(Conflict),
    /// The rate limit of the credential is used up; nothing more is sent on it for [`Error::retry_after`].
    RateLimited,
    /// As many of them exist as the plan allows: DNS records of the zone, or objects of load balancing.
    Quota,
    /// Cloudflare refuses the request as it stands: our mistake, or a configuration that it does not take.
    Invalid,
    /// Cloudflare failed.
    Server,
    /// No whole answer arrived.
    Transport,
    /// An answer that is not the API's: HTML, cut off, or of another shape.
    Malformed,
    /// A list of which a part is missing. It proves nothing about what it does not hold.
    Incomplete,
}

/// What stands against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// A live tunnel has this name (1013).
    TunnelName,
    /// The tunnel has live connections (1022).
    Connections,
    /// Private routes lead to the tunnel (1023).
    PrivateRoutes,
    /// A record of this name stands in the way (81053, 81054, 81057). The codes are not exact: read the name back.
    Record,
    /// The very same record exists (81058).
    IdenticalRecord,
    /// Some other HTTP 409.
    Other,
    /// This exact network, or this hostname, has a private route already (1014).
    PrivateRoute,
}

#[derive(Debug)]
struct Inner {
    kind: Kind,
    task: String,
    object: Option<String>,
    line: Option<String>,
    detail: Option<String>,
    status: Option<u16>,
    problem: Option<Problem>,
    cf_ray: Option<String>,
    retry_after: Option<Duration>,
    may_have_happened: bool,
    source: Option<reqwest::Error>,
}

impl Error {
    /// What kind of failure it was.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// How long the credential must rest before another call makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the change may have been made although the call failed: its answer was lost, or says nothing. Read the object
    /// back before repeating it.
    pub fn may_have_happened(&self) -> bool {
        self.0.may_have_happened
    }

    /// Whether nothing helps until a person acts: on the token, the plan or the configuration.
    pub fn needs_operator(&self) -> bool {
        match self.0.kind {
            Kind::Auth { .. } | Kind::Quota | Kind::Invalid => true,
            // Whoever reads the token reports why there is none.
            Kind::NoToken => false,
            // What a conflict asks for depends on whose the other object is.
            Kind::Conflict(_) => false,
            Kind::NotFound | Kind::RateLimited | Kind::Server | Kind::Transport | Kind::Malformed | Kind::Incomplete => false,
        }
    }

    /// Whether the API itself said that the object is not there. For a deletion that is success; for a read it means gone
    /// only while other objects of the account can be read.
    pub fn is_gone(&self) -> bool {
        self.0.kind == Kind::NotFound
    }

    pub(super) fn of(kind: Kind, call: &Call) -> Self {
        let mut error = Self::bare(kind, call.task.clone());
        error.0.object = call.permission.as_ref().map(|(_, object)| object.clone());
        error.0.line = Some(call.line());
        error
    }

    /// A client that cannot be made.
    pub(super) fn settings(task: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::bare(Kind::Invalid, task.into()).detail(detail)
    }

    fn bare(kind: Kind, task: String) -> Self {
        Self(Box::new(Inner {
            kind,
            task,
            object: None,
            line: None,
            detail: None,
            status: None,
            problem: None,
            cf_ray: None,
            retry_after: None,
            may_have_happened: false,
            source: None,
        }))
    }

    /// What was wrong, in our words; they take the place of the kind's own sentence, or follow it.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub(super) fn answered(mut self, status: u16, cf_ray: Option<String>) -> Self {
        self.0.status = Some(status);
        self.0.cf_ray = cf_ray;
        self
    }

    pub(super) fn problem(mut self, problem: Problem) -> Self {
        self.0.problem = Some(problem);
        self
    }

    pub(super) fn resting(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(super) fn perhaps_done(mut self, may_have_happened: bool) -> Self {
        self.0.may_have_happened = may_have_happened;
        self
    }

    pub(super) fn caused_by(mut self, source: reqwest::Error) -> Self {
        self.0.source = Some(source.without_url());
        self
    }

    fn reason(&self) -> String {
        let Inner { kind, object, detail, retry_after, .. } = &*self.0;
        let detailed = |sentence: &str| detail.as_ref().map_or(sentence.to_owned(), |detail| format!("{sentence}: {detail}"));
        match kind {
            Kind::NoToken => "no API token has been read yet".to_owned(),
            Kind::Auth { .. } if detail.is_some() => detail.clone().unwrap_or_default(),
            Kind::Auth { permission: None } => "the API token is refused".to_owned(),
            Kind::Auth { permission: Some(permission) } => {
                let object = object.as_ref().map_or(String::new(), |object| format!(" on {object}"));
                format!("the API token is refused, or lacks the permission {permission}{object}")
            }
            Kind::NotFound => "it does not exist, or the API token may not see it".to_owned(),
            Kind::Conflict(conflict) => conflict.to_string(),
            Kind::RateLimited => match retry_after {
                Some(pause) => {
                    format!("the rate limit is reached, the credential rests for {} s", pause.as_secs_f64().ceil())
                }
                None => "the rate limit is reached".to_owned(),
            },
            Kind::Quota => "as many of them exist as the plan allows".to_owned(),
            Kind::Invalid => match (detail, self.0.status) {
                (Some(detail), None) => detail.clone(),
                _ => detailed("Cloudflare refuses the request"),
            },
            Kind::Server => "Cloudflare failed".to_owned(),
            Kind::Transport => detail.clone().unwrap_or_else(|| "no answer came".to_owned()),
            Kind::Malformed => detailed("the answer is not the API's"),
            Kind::Incomplete => detailed("the list is incomplete"),
        }
    }
}

impl Kind {
    /// A short word that never changes, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Auth { .. } => "auth",
            Self::NotFound => "not_found",
            Self::Conflict(_) => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
            Self::Server => "server",
            Self::Transport => "transport",
            Self::Malformed => "malformed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TunnelName => "a live tunnel of this name exists",
            Self::Connections => "the tunnel has live connections",
            Self::PrivateRoutes => "private routes lead to the tunnel",
            Self::Record => "a DNS record of this name exists",
            Self::IdenticalRecord => "this very DNS record exists",
            Self::Other => "it conflicts with what is there",
            Self::PrivateRoute => "a private route of this very network or hostname exists",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot {}: {}", self.0.task, self.reason())?;
        let mut facts: Vec<String> = self.0.line.clone().into_iter().collect();
        facts.extend(self.0.status.map(|status| format!("HTTP {status}")));
        facts.extend(self.0.problem.as_ref().map(Problem::to_string));
        facts.extend(self.0.cf_ray.as_ref().map(|ray| format!("cf-ray {ray}")));
        if facts.is_empty() { Ok(()) } else { write!(formatter, " ({})", facts.join(", ")) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}
