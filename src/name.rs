//! Names that people give: tunnels, accounts, hostnames. Each is checked when it is made and then trusted. Clones share the text:
//! most of what the daemon knows of a tunnel is kept under its name.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a name of its kind. The text reads after `cannot use "…": `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

impl NameError {
    fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

/// The name of a tunnel in Adit: `[a-z0-9][a-z0-9-]{0,39}`, not shaped like a UUID.
///
/// A tunnel that another of the same name takes the place of is called `NAME~NUMBER` until it is gone. Nobody can give such a name:
/// it is read from Adit's own files and answers alone (by [`TryFrom`] and serde), and refused wherever people write (by [`FromStr`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TunnelName(Arc<str>);

/// The name of a Cloudflare account in the configuration: `[a-z0-9][a-z0-9-]{0,39}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(Arc<str>);

/// A hostname as DNS knows it: lower case, Punycode, at least two labels, `*` only as the whole first label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(Arc<str>);

impl TunnelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that people gave: without what Adit put behind it.
    pub fn given(&self) -> Self {
        let given = self.0.split_once(DERIVED).map_or(&*self.0, |(given, _)| given);
        Self(given.into())
    }

    /// Whether Adit made it from a name that people gave.
    pub fn is_derived(&self) -> bool {
        self.0.contains(DERIVED)
    }

    /// The first of `NAME~1`, `NAME~2`, … that is not taken.
    pub fn derive(&self, is_taken: impl Fn(&Self) -> bool) -> Self {
        let given = self.given();
        let derived = (1_u64..).map(|number| Self(format!("{given}{DERIVED}{number}").into()));
        derived.into_iter().find(|name| !is_taken(name)).expect("there are more numbers than tunnels")
    }
}

/// Stands between a name that people gave and Adit's number. It is no character of a name, of a record's file or of a cgroup that
/// separates anything else.
const DERIVED: char = '~';

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Hostname {
    /// The hostname as text, without a final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the first label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether this hostname stands in `zone`: equal to it, or ending in `.zone` (whole labels only).
    pub fn is_in_zone(&self, zone: &str) -> bool {
        &*self.0 == zone || self.0.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Whether a request for `host` would match this hostname: equal, or a wildcard over exactly the labels behind the `*`.
    /// cloudflared lets `*.example.com` match any depth below it (`ingress/rule.go`).
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => &*self.0 == host,
        }
    }
}

impl FromStr for TunnelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_short_name(text)?;
        if is_uuid_shaped(text) {
            return Err(NameError::new("a tunnel's name must not look like a UUID"));
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for AccountName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_short_name(text)?;
        Ok(Self(text.into()))
    }
}

impl FromStr for Hostname {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::new("a hostname must not be empty"));
        }
        if text.contains('/') {
            return Err(NameError::new("a hostname must not contain a path or a scheme"));
        }
        if text.contains(':') {
            return Err(NameError::new("a hostname must not contain a port"));
        }
        let (prefix, rest) = match text.strip_prefix("*.") {
            Some(rest) => ("*.", rest),
            None => ("", text),
        };
        if rest.contains('*') {
            return Err(NameError::new("a wildcard must be the whole first label, as in *.example.com"));
        }
        let ascii =
            idna::domain_to_ascii(rest).map_err(|_| NameError::new("a hostname must be made of letters, digits, - and dots"))?;
        if !ascii.contains('.') {
            return Err(NameError::new("a hostname needs a dot, as in app.example.com"));
        }
        if prefix.len() + ascii.len() > 253 {
            return Err(NameError::new("a hostname must not be longer than 253 characters"));
        }
        for label in ascii.split('.') {
            check_label(label)?;
        }
        Ok(Self(format!("{prefix}{ascii}").into()))
    }
}

macro_rules! text_conversions {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    )*};
}

text_conversions! { AccountName Hostname }

impl TryFrom<String> for TunnelName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let Some((given, number)) = text.split_once(DERIVED) else { return text.parse() };
        given.parse::<Self>()?;
        // Numbers have one spelling: `+1` and `01` are nobody's.
        if number.parse::<u64>().ok().filter(|number| *number > 0).map(|number| number.to_string()).as_deref() != Some(number) {
            return Err(NameError::new("what follows the ~ of a derived name is a number from 1 on"));
        }
        Ok(Self(text.into()))
    }
}

impl From<TunnelName> for String {
    fn from(name: TunnelName) -> String {
        name.as_str().to_owned()
    }
}

impl fmt::Display for TunnelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Whether `text` has the shape of a UUID (8-4-4-4-12 hexadecimal digits).
pub fn is_uuid_shaped(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The longest name of a tunnel or an account, in characters. With `.adit-` and an install id it stays below 64.
const SHORT_NAME_MAX: usize = 40;

fn check_short_name(text: &str) -> Result<(), NameError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > SHORT_NAME_MAX || text.starts_with('-') || !text.bytes().all(allowed) {
        return Err(NameError::new(format!("a name is 1 to {SHORT_NAME_MAX} of a-z, 0-9 and -, and does not start with -")));
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::new("a hostname must not have an empty label (two dots in a row, or a dot first)"));
    }
    if label.len() > 63 {
        return Err(NameError::new("a label of a hostname must not be longer than 63 characters"));
    }
    // `_` is not a hostname's character but a DNS name's, and Cloudflare takes it.
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if label.starts_with('-') || label.ends_with('-') || !label.bytes().all(allowed) {
        return Err(NameError::new("a label of a hostname is made of letters, digits and -, and neither starts nor ends with -"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnel_names_are_short_lowercase_and_no_uuid() {
        for good in ["web", "0", "a-b-c", &"a".repeat(40)] {
            assert!(good.parse::<TunnelName>().is_ok(), "{good}");
        }
        for bad in ["", "-web", "Web", "web.example", &"a".repeat(41), "11111111-2222-3333-4444-555555555555"] {
            assert!(bad.parse::<TunnelName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_derived_name_is_read_from_our_own_files_and_given_by_nobody() {
        let web: TunnelName = "web".parse().unwrap();
        let first = web.derive(|_| false);
        assert_eq!(first.as_str(), "web~1");
        assert_eq!(first.derive(|name| *name == first).as_str(), "web~2");
        assert_eq!((first.given(), first.is_derived(), web.is_derived()), (web, true, false));
        assert!("web~1".parse::<TunnelName>().is_err());
        assert_eq!(TunnelName::try_from("web~1".to_owned()), Ok(first));
        for bad in ["web~", "web~0", "web~01", "web~+1", "web~1~2", "~1", "Web~1"] {
            assert!(TunnelName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn hostnames_are_lowered_and_put_in_punycode() {
        let hostname: Hostname = "Bücher.Example.COM.".parse().unwrap();
        assert_eq!(hostname.as_str(), "xn--bcher-kva.example.com");
    }

    #[test]
    fn a_wildcard_is_only_the_whole_first_label() {
        assert!("*.example.com".parse::<Hostname>().unwrap().is_wildcard());
        for bad in ["*", "a.*.example.com", "*a.example.com", "**.example.com"] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_hostname_is_refused() {
        for bad in
            ["", "app", "app.example.com:8080", "http://app.example.com", "a..example.com", "-a.example.com", ".example.com"]
        {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn zones_match_on_label_boundaries() {
        let hostname: Hostname = "app.example.com".parse().unwrap();
        assert!(hostname.is_in_zone("example.com"));
        assert!(hostname.is_in_zone("app.example.com"));
        assert!(!hostname.is_in_zone("ple.com"));
        assert!(!"notexample.com".parse::<Hostname>().unwrap().is_in_zone("example.com"));
    }
}
