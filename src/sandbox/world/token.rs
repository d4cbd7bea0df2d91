//! API tokens: their kinds, what they permit, and whether they still count.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rand::RngExt;
use sha2::{Digest, Sha256};

use crate::{hexadecimal::hexadecimal, id::AccountId, secret::Secret};

/// Who owns a token, and whether its text says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `cfut_…`: verified at `/user/tokens/verify`.
    User,
    /// `cfat_…`: verified at `/accounts/{id}/tokens/verify`.
    Account,
    /// A user's token from before the prefixes.
    LegacyUser,
    /// An account's token from before the prefixes.
    LegacyAccount,
}

/// What a token's verification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// It counts.
    Active,
    /// Somebody switched it off.
    Disabled,
    /// Its time is over.
    Expired,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A permission group of a token, as the dashboard's API names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &[Permission] = &[$(Permission::$name,)*];

            /// The name of the group, such as `Cloudflare Tunnel Write`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

permissions! {
    /// Read tunnels and private networks.
    TunnelRead = "Cloudflare Tunnel Read";
    /// Change tunnels and private networks.
    TunnelWrite = "Cloudflare Tunnel Write";
    /// Read tunnels.
    ConnectorsRead = "Cloudflare One Connectors Read";
    /// Change tunnels.
    ConnectorsWrite = "Cloudflare One Connectors Write";
    /// Read tunnels.
    CloudflaredRead = "Cloudflare One Connector: cloudflared Read";
    /// Change tunnels.
    CloudflaredWrite = "Cloudflare One Connector: cloudflared Write";
    /// Read private networks.
    NetworksRead = "Cloudflare One Networks Read";
    /// Change private networks.
    NetworksWrite = "Cloudflare One Networks Write";
    /// List zones.
    ZoneRead = "Zone Read";
    /// Change zones; read one zone.
    ZoneWrite = "Zone Write";
    /// Read DNS records.
    DnsRead = "DNS Read";
    /// Change DNS records.
    DnsWrite = "DNS Write";
    /// Read load balancers.
    LoadBalancersRead = "Load Balancers Read";
    /// Change load balancers.
    LoadBalancersWrite = "Load Balancers Write";
    /// Read pools and monitors.
    PoolsRead = "Load Balancing: Monitors and Pools Read";
    /// Change pools and monitors.
    PoolsWrite = "Load Balancing: Monitors and Pools Write";
    /// Read Access applications and policies.
    AccessRead = "Access: Apps and Policies Read";
    /// Change Access applications and policies.
    AccessWrite = "Access: Apps and Policies Write";
}

/// A token to make: start from [`TokenSpec::full`] and take away.
#[derive(Debug, Clone)]
pub struct TokenSpec {
    /// Who owns it.
    pub kind: TokenKind,
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// The accounts (with their zones) that it reaches. An account-owned token belongs to the first.
    pub accounts: Vec<AccountId>,
    /// Whether it counts.
    pub status: TokenStatus,
    /// When it stops counting.
    pub expires: Option<Timestamp>,
}

impl TokenSpec {
    /// A user's active token with every permission on one account.
    pub fn full(account: &AccountId) -> Self {
        Self {
            kind: TokenKind::User,
            permissions: Permission::ALL.iter().copied().collect(),
            accounts: vec![account.clone()],
            status: TokenStatus::Active,
            expires: None,
        }
    }
}

/// A token that was made.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What the verification shows; 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) text: Secret,
    pub(crate) spec: TokenSpec,
}

impl Token {
    pub(crate) fn new(id: String, spec: TokenSpec) -> Self {
        let text = match spec.kind {
            TokenKind::User => prefixed("cfut_"),
            TokenKind::Account => prefixed("cfat_"),
            TokenKind::LegacyUser | TokenKind::LegacyAccount => random_text(),
        };
        Self { id, text: Secret::new(text), spec }
    }

    /// What the token's verification says at `now`.
    pub(crate) fn status(&self, now: Timestamp) -> TokenStatus {
        match self.spec.expires {
            Some(expires) if expires <= now => TokenStatus::Expired,
            Some(_) | None => self.spec.status,
        }
    }

    pub(crate) fn is_account_owned(&self) -> bool {
        match self.spec.kind {
            TokenKind::Account | TokenKind::LegacyAccount => true,
            TokenKind::User | TokenKind::LegacyUser => false,
        }
    }

    /// Whose share of the rate limit a request uses: the tokens of a user share one, each account-owned token has its own.
    pub(crate) fn budget(&self) -> &str {
        if self.is_account_owned() { &self.id } else { "user" }
    }
}

/// `prefix`, 40 characters, checksum: the form of the scannable tokens.
fn prefixed(prefix: &str) -> String {
    let text = random_text();
    let checksum = hexadecimal(&Sha256::digest(text.as_bytes())[..4]);
    format!("{prefix}{text}{checksum}")
}

/// 40 random letters and digits.
fn random_text() -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(40).map(char::from).collect()
}
