//! API tokens and the clients that use them: one of each for every account.
//!
//! No source delays anything: an account without a token has the reason why in its place. Each account has a task that reads the
//! token, tries again while that fails, and reads it again when its file changes, when it is about to expire, when Cloudflare refuses it
//! and when an operator asks. A systemd credential is a copy that systemd makes when the unit starts: it changes with a restart, which
//! drops no tunnel.

mod changes;
mod expiry;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

use self::changes::FileChanges;
pub(super) use self::expiry::{Nearness, nearness};
use super::options::Environment;
use crate::{
    cloudflare::{Client, Exchange, Kind, Settings, TokenKind},
    config::{Account, Config, TokenSource},
    credential::{self, Source},
    event::{DaemonEvent, Sink},
    metrics::{ApiRequest, Metrics},
    name::AccountName,
    reconciler::Clients,
    secret::Secret,
};

/// How soon after a reading the next one may follow, when Cloudflare refuses the token: a command may be slow and costly.
const REREAD_AFTER: Duration = Duration::from_secs(60);

/// How the client calls the question whether a token works.
const VERIFY: &str = "verify";

/// How long a file that was touched is left alone before it is read: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(250);

/// How long to wait after a source failed, at first and at most.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What is known of an account's token. The token itself is nowhere but in its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenState {
    /// It is being read for the first time.
    Unknown,
    /// It was read, and Cloudflare does not refuse it.
    Usable,
    /// It was read, and Cloudflare refuses it, or something that it is needed for.
    Refused,
    /// It cannot be read: why.
    Unreadable(String),
}

/// All that is known of an account's token.
#[derive(Debug, Clone)]
pub(super) struct KnownToken {
    pub(super) state: TokenState,
    /// What its form says that it is, once it was read.
    pub(super) kind: Option<TokenKind>,
    /// When it stops working, if that is known.
    pub(super) expires_at: Option<Timestamp>,
}

/// The tokens of every account. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Inner>);

struct Inner {
    environment: Environment,
    /// Where is kept what each credential has spent.
    books: PathBuf,
    events: Sink,
    metrics: Metrics,
    clients: watch::Sender<Arc<Clients>>,
    accounts: Mutex<BTreeMap<AccountName, Keeper>>,
}

/// One account's task and what it shares.
struct Keeper {
    account: Account,
    /// The client, or why the account's settings allow none.
    client: Result<Client, String>,
    shared: Arc<Shared>,
    _tasks: Option<[AbortOnDropHandle<()>; 2]>,
}

struct Shared {
    token: watch::Sender<Option<Secret>>,
    state: Mutex<TokenState>,
    refused: Notify,
    asked: Notify,
    /// When the token stops working, if that is known.
    expiry: watch::Sender<Option<Timestamp>>,
    /// How near that was when it was told last.
    nearness: Mutex<Nearness>,
    /// What the calls so far took.
    spent: Mutex<Spent>,
}

/// What an account's calls have taken since the daemon started.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// How many there were.
    pub(super) calls: u64,
    /// How many of them were answered.
    pub(super) answered: u64,
    /// How long the last one took that was answered.
    pub(super) latency: Option<Duration>,
    /// How far Cloudflare's clock was ahead of this host's then.
    pub(super) clock_ahead: Option<SignedDuration>,
}

impl Tokens {
    /// No tokens yet: [`Self::follow`] brings them.
    pub(super) fn new(environment: Environment, books: PathBuf, events: Sink, metrics: Metrics) -> Self {
        let clients = watch::Sender::new(Arc::new(Clients::new()));
        Self(Arc::new(Inner { environment, books, events, metrics, clients, accounts: Mutex::default() }))
    }

    /// The clients of the accounts whose tokens were read, and for the others why they were not.
    pub(super) fn clients(&self) -> watch::Receiver<Arc<Clients>> {
        self.0.clients.subscribe()
    }

    /// An account's client.
    pub(super) fn client(&self, account: &AccountName) -> Option<Result<Client, String>> {
        self.0.clients.borrow().get(account).cloned()
    }

    /// What is known of each account's token.
    pub(super) fn known(&self) -> BTreeMap<AccountName, KnownToken> {
        let known = |shared: &Shared| KnownToken {
            state: lock(&shared.state).clone(),
            kind: shared.token.borrow().as_ref().map(TokenKind::of),
            expires_at: *shared.expiry.borrow(),
        };
        lock(&self.0.accounts).iter().map(|(name, keeper)| (name.clone(), known(&keeper.shared))).collect()
    }

    /// What an account's calls have taken.
    pub(super) fn spent(&self, account: &AccountName) -> Spent {
        lock(&self.0.accounts).get(account).map(|keeper| *lock(&keeper.shared.spent)).unwrap_or_default()
    }

    /// Takes over the accounts of `config`: one that is new or changed gets a client and a token, one that is gone loses them.
    pub(super) fn follow(&self, config: &Config) {
        let mut accounts = lock(&self.0.accounts);
        accounts.retain(|name, keeper| {
            let stays = config.accounts.get(name) == Some(&keeper.account);
            if !stays {
                self.0.metrics.set_credential_expiry(name, None);
            }
            stays
        });
        for (name, account) in &config.accounts {
            if !accounts.contains_key(name) {
                accounts.insert(name.clone(), self.keep(name, account));
            }
        }
        drop(accounts);
        self.publish();
    }

    /// Has every token read again, as after an operator's reload. Whoever waits for the clients looks again in any case: the token
    /// may be the same and be allowed more by now.
    pub(super) fn read_again(&self) {
        for keeper in lock(&self.0.accounts).values() {
            keeper.shared.asked.notify_one();
        }
        self.publish();
    }

    fn keep(&self, name: &AccountName, account: &Account) -> Keeper {
        let shared = Arc::new(Shared {
            token: watch::Sender::new(None),
            state: Mutex::new(TokenState::Unknown),
            refused: Notify::new(),
            asked: Notify::new(),
            expiry: watch::Sender::new(None),
            nearness: Mutex::new(Nearness::Far),
            spent: Mutex::default(),
        });
        let client = Client::new(Settings {
            api_base: account.api_base.clone(),
            budget_per_second: account.budget.per_second(),
            user_agent: concat!("adit/", env!("CARGO_PKG_VERSION")).to_owned(),
            token: shared.token.subscribe(),
            observer: Arc::new(self.observer(name, &shared)),
            book: Some(self.0.books.join(format!("{name}.json"))),
        });
        let client = client.map_err(|error| error.to_string());
        let tasks = client.as_ref().ok().map(|client| {
            let source = source(&account.api_token, &self.0.environment);
            let reading = self.clone().keep_reading(source, name.clone(), shared.clone());
            let asking = self.clone().keep_asking(name.clone(), account.clone(), client.clone(), shared.clone());
            [AbortOnDropHandle::new(tokio::spawn(reading)), AbortOnDropHandle::new(tokio::spawn(asking))]
        });
        if let Err(error) = &client {
            *lock(&shared.state) = TokenState::Unreadable(error.clone());
            self.0.events.tell(DaemonEvent::CredentialFailed { account: name.clone(), error: error.clone() });
        }
        Keeper { account: account.clone(), client, shared, _tasks: tasks }
    }

    /// Counts each exchange, and has the token read again when it was refused.
    fn observer(&self, name: &AccountName, shared: &Arc<Shared>) -> impl Fn(&Exchange) + Send + Sync + 'static {
        let (name, shared, metrics) = (name.clone(), shared.clone(), self.0.metrics.clone());
        move |exchange| {
            let Exchange { method, resource, status, rate_limit_remaining: remaining, failure, .. } = *exchange;
            metrics.count_api_request(&name, ApiRequest { method, resource, status, remaining });
            lock(&shared.spent).add(exchange);
            if resource == VERIFY {
                // A token of an account is asked at the user as well, where it is refused as if it were a bad one.
                return;
            }
            let mut state = lock(&shared.state);
            match (failure, &*state) {
                // The one before is used meanwhile; why there is no other is what helps.
                (Some(Kind::Auth { .. }), TokenState::Unreadable(_)) => {}
                (Some(Kind::Auth { .. }), TokenState::Unknown | TokenState::Usable | TokenState::Refused) => {
                    *state = TokenState::Refused;
                    shared.refused.notify_one();
                }
                (None, TokenState::Refused) => *state = TokenState::Usable,
                (None, TokenState::Unknown | TokenState::Usable | TokenState::Unreadable(_)) | (Some(_), _) => {}
            }
        }
    }

    /// Publishes the clients anew; whoever waits for them looks again.
    fn publish(&self) {
        let accounts = lock(&self.0.accounts);
        let clients = accounts.iter().map(|(name, keeper)| {
            let client = match (&keeper.client, keeper.shared.token.borrow().is_some()) {
                (Ok(client), true) => Ok(client.clone()),
                (Err(error), _) => Err(error.clone()),
                (Ok(_), false) => Err(match &*lock(&keeper.shared.state) {
                    TokenState::Unreadable(error) => error.clone(),
                    TokenState::Unknown | TokenState::Usable | TokenState::Refused => "its API token is being read".to_owned(),
                }),
            };
            (name.clone(), client)
        });
        // Under the lock: of two who publish at once the later one has the later state.
        self.0.clients.send_replace(Arc::new(clients.collect()));
    }

    async fn keep_reading(self, source: Source, account: AccountName, shared: Arc<Shared>) {
        let mut retry = RETRY_MIN;
        loop {
            // Watched first: what changes while it is read comes as an event.
            let changes = match &source {
                Source::File(path) => FileChanges::of(path).ok(),
                Source::Credential { .. } | Source::Command(_) | Source::Environment { .. } => None,
            };
            let wait = match credential::read(&source).await {
                Ok(token) => {
                    retry = RETRY_MIN;
                    self.take(&account, &shared, token);
                    None
                }
                Err(error) => {
                    self.complain(&account, &shared, error.to_string());
                    let wait = retry;
                    retry = (retry * 2).min(RETRY_MAX);
                    Some(wait)
                }
            };
            // Each arm is cancel-safe: a notification that is not consumed stays for the next turn.
            tokio::select! {
                () = shared.asked.notified() => {}
                () = async { sleep(REREAD_AFTER).await; shared.refused.notified().await }, if wait.is_none() => {}
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                () = Self::until_it_ends(&shared), if wait.is_none() && source.may_change() => {}
                () = changed(changes.as_ref()) => {}
            }
        }
    }

    fn take(&self, account: &AccountName, shared: &Shared, token: Secret) {
        let is_another = shared.token.borrow().as_ref() != Some(&token);
        if is_another {
            shared.token.send_replace(Some(token));
            // Of this one nothing is known yet.
            shared.expiry.send_replace(None);
            *lock(&shared.nearness) = Nearness::Far;
            self.0.metrics.set_credential_expiry(account, None);
        }
        let was_unreadable = matches!(*lock(&shared.state), TokenState::Unreadable(_));
        if is_another || was_unreadable {
            *lock(&shared.state) = TokenState::Usable;
            self.0.events.tell(DaemonEvent::CredentialRead { account: account.clone() });
            self.publish();
        }
    }

    /// Says once, not at every try, why there is no token. A token that was read before stays in use.
    fn complain(&self, account: &AccountName, shared: &Shared, error: String) {
        let state = TokenState::Unreadable(error.clone());
        if std::mem::replace(&mut *lock(&shared.state), state.clone()) != state {
            self.0.events.tell(DaemonEvent::CredentialFailed { account: account.clone(), error });
            self.publish();
        }
    }
}

/// Waits until the token's file has changed and is left alone for a moment; for ever without a watch.
async fn changed(changes: Option<&FileChanges>) {
    let Some(changes) = changes else { return std::future::pending().await };
    changes.next().await;
    sleep(QUIET).await;
}

impl Spent {
    fn add(&mut self, exchange: &Exchange) {
        self.calls += 1;
        if exchange.status.is_some() {
            self.answered += 1;
            self.latency = Some(exchange.elapsed);
            self.clock_ahead = exchange.clock_ahead.or(self.clock_ahead);
        }
    }
}

/// Where a token is, with what the environment says of that.
pub(super) fn source(source: &TokenSource, environment: &Environment) -> Source {
    match source {
        TokenSource::Credential(name) => {
            Source::Credential { directory: environment.credentials_directory.clone(), name: name.clone() }
        }
        TokenSource::File(path) => Source::File(path.clone()),
        TokenSource::Command(argv) => Source::Command(argv.clone()),
        TokenSource::Env(name) => Source::Environment {
            name: name.clone(),
            value: environment.variable(name),
            under_systemd: environment.under_systemd,
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
