//! The laws of names.

use super::{AccountName, Hostname, TunnelName, is_uuid_shaped};

/// Any text as each kind of name.
pub fn names(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(name) = TunnelName::try_from(text.to_owned()) {
        assert_eq!(name.as_str(), text);
        assert!(!is_uuid_shaped(text) && !text.contains(['.', '/', '\0', ' ']), "{text:?} cannot be a part of a path");
        assert_eq!(name.is_derived(), text.parse::<TunnelName>().is_err());
        let derived = name.derive(|other| *other == name);
        assert!(derived != name && derived.given() == name.given());
        assert_eq!(TunnelName::try_from(derived.to_string()), Ok(derived));
    }
    if let Ok(name) = text.parse::<AccountName>() {
        assert!(name.as_str() == text && !text.contains(['.', '/', '\0', ' ']));
    }
    if let Ok(hostname) = text.parse::<Hostname>() {
        let written = hostname.as_str();
        assert_eq!(written.parse().as_ref(), Ok(&hostname), "{text:?} is {written:?}, which is another one");
        assert!(written.len() <= 253 && written.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
        assert!(hostname.is_in_zone(written) && (hostname.is_wildcard() || hostname.matches(written)));
        assert!(!hostname.is_wildcard() || hostname.matches(&written.replace('*', "a")));
    }
}
