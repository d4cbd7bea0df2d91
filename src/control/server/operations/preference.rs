//! What a client prefers: `Prefer: respond-async, wait=SECONDS` (RFC 7240). Pure.

use std::time::Duration;

use axum::http::{HeaderMap, header::HeaderName};

/// The header that says what a client prefers.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Whether a client prefers not to wait, and how long it waits before: `None` means that it wants the answer itself.
pub(super) fn respond_async(headers: &HeaderMap) -> Option<Duration> {
    let texts = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let (mut is_async, mut wait) = (false, Duration::ZERO);
    for preference in texts.flat_map(|text| text.split(',')) {
        // Parameters of a preference come behind a semicolon; none of ours has any.
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
            ("respond-async", "") => is_async = true,
            ("wait", seconds) => wait = seconds.parse().map_or(wait, Duration::from_secs),
            // What is not understood is passed over, as the standard asks.
            _ => {}
        }
    }
    is_async.then_some(wait)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_preference_is_found_however_it_is_written() {
        for (lines, expected) in [
            (&[][..], None),
            (&["wait=10"], None),
            (&["return=minimal"], None),
            (&["respond-async=no"], None),
            (&["respond-async"], Some(0)),
            (&["Respond-Async"], Some(0)),
            (&["return=minimal, respond-async;x=1, wait=10"], Some(10)),
            (&["wait=5", "respond-async"], Some(5)),
            (&["respond-async, wait=soon"], Some(0)),
        ] {
            let headers: HeaderMap = lines.iter().map(|line| (PREFER, HeaderValue::from_static(line))).collect();
            assert_eq!(respond_async(&headers), expected.map(Duration::from_secs), "{lines:?}");
        }
    }
}
