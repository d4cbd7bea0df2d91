//! What the headers of an answer say about the rate limit.
//!
//! `Ratelimit: "default";r=50;t=30` and `Ratelimit-Policy: "burst";q=100;w=60` are lists of structured-field items (RFC 9651):
//! a name, then parameters. Older answers carry `x-ratelimit-limit`, `-remaining` and `-reset` instead. What cannot be read
//! is skipped: these headers only ever slow us down, and the absence of one is no error.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Requests in a window that Cloudflare grants to one user or account token ("Rate limits" in its documentation). Taken as the
/// quota when the headers name none.
pub(super) const WINDOW_REQUESTS: u64 = 1_200;

/// The window of [`WINDOW_REQUESTS`], and how long everything is blocked once the limit is passed.
pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// The longest `Retry-After` that is believed. Cloudflare's pauses are minutes; a day already means that a person must look.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One limit and how much of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// Requests left until the reset.
    pub(super) remaining: u64,
    /// Requests in a whole window.
    pub(super) quota: u64,
    /// Time until the reset, at most [`WINDOW`].
    pub(super) resets_in: Duration,
}

/// Every limit that the headers name.
pub(super) fn limits(headers: &HeaderMap) -> Vec<RateLimit> {
    let policies = items(&joined(headers, "ratelimit-policy"));
    let limits: Vec<RateLimit> = items(&joined(headers, "ratelimit"))
        .iter()
        .filter_map(|item| {
            Some(RateLimit {
                remaining: item.parameter("r")?,
                quota: quota_of(item, &policies),
                resets_in: seconds_until_reset(item.parameter("t")),
            })
        })
        .collect();
    if limits.is_empty() { older_limit(headers).into_iter().collect() } else { limits }
}

/// `Retry-After` in whole seconds, at least one: a pause of nothing would be no pause.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.max(1)).min(RETRY_AFTER_MAX))
}

/// The quota of the policy with the item's name. The documentation's own example has two different names, so that a single
/// policy is taken for the item's whatever it is called.
fn quota_of(item: &Item, policies: &[Item]) -> u64 {
    let named = policies.iter().find(|policy| policy.name == item.name);
    let policy = named.or(if let [only] = policies { Some(only) } else { None });
    policy.and_then(|policy| policy.parameter("q")).unwrap_or(WINDOW_REQUESTS)
}

fn older_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let number = |name: &str| joined(headers, name).trim().parse::<u64>().ok();
    Some(RateLimit {
        remaining: number("x-ratelimit-remaining")?,
        quota: number("x-ratelimit-limit").unwrap_or(WINDOW_REQUESTS),
        resets_in: seconds_until_reset(number("x-ratelimit-reset")),
    })
}

fn seconds_until_reset(seconds: Option<u64>) -> Duration {
    seconds.map_or(WINDOW, Duration::from_secs).min(WINDOW)
}

/// One item of a structured-field list, as far as it matters here: integer parameters.
struct Item {
    name: String,
    parameters: Vec<(String, u64)>,
}

impl Item {
    fn parameter(&self, name: &str) -> Option<u64> {
        self.parameters.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }
}

fn joined(headers: &HeaderMap, name: &str) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

fn items(text: &str) -> Vec<Item> {
    split_outside_quotes(text, ',')
        .into_iter()
        .filter_map(|item| {
            let mut parts = split_outside_quotes(item, ';').into_iter();
            let name = parts.next()?.trim().trim_matches('"').to_owned();
            let parameters = parts
                .filter_map(|part| {
                    let (key, value) = part.split_once('=')?;
                    Some((key.trim().to_owned(), value.trim().parse().ok()?))
                })
                .collect();
            (!name.is_empty()).then_some(Item { name, parameters })
        })
        .collect()
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        let literal = std::mem::take(&mut escaped);
        match character {
            '\\' if quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        character == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_both_generations_of_headers() {
        let limit = |remaining, quota, seconds| RateLimit { remaining, quota, resets_in: Duration::from_secs(seconds) };
        for (headers, expected) in [
            (vec![], vec![]),
            (vec![("ratelimit", r#""default";r=50;t=30"#)], vec![limit(50, 1_200, 30)]),
            (
                vec![("ratelimit", r#""default";r=50;t=30"#), ("ratelimit-policy", r#""burst";q=100;w=60"#)],
                vec![limit(50, 100, 30)],
            ),
            (
                vec![
                    ("ratelimit", r#""burst";r=5;t=2, "default";r=900;t=100"#),
                    ("ratelimit-policy", r#""default";q=1200;w=300,"burst";q=100;w=60"#),
                ],
                vec![limit(5, 100, 2), limit(900, 1_200, 100)],
            ),
            (
                vec![("ratelimit", r#""a";r=1;t=1"#), ("ratelimit", r#""b";r=2;t=2"#)],
                vec![limit(1, 1_200, 1), limit(2, 1_200, 2)],
            ),
            (vec![("ratelimit", r#""a,b;r=9\"";r=7;t=8"#)], vec![limit(7, 1_200, 8)]),
            (vec![("ratelimit", "default; r=7 ; t=8")], vec![limit(7, 1_200, 8)]),
            (vec![("ratelimit", r#""no reset";r=7"#)], vec![limit(7, 1_200, 300)]),
            (vec![("ratelimit", r#""far";r=7;t=999999999999"#)], vec![limit(7, 1_200, 300)]),
            (vec![("ratelimit", r#""nothing left said";t=8"#)], vec![]),
            (vec![("ratelimit", r#";;,,="#)], vec![]),
            (
                vec![("x-ratelimit-limit", "1200"), ("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "20")],
                vec![limit(3, 1_200, 20)],
            ),
            (vec![("x-ratelimit-remaining", "many")], vec![]),
        ] {
            assert_eq!(limits(&header_map(&headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_and_never_nothing() {
        for (value, expected) in [
            ("287", Some(287)),
            ("0", Some(1)),
            (" 5 ", Some(5)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("-1", None),
            ("99999999999", Some(86_400)),
        ] {
            let headers = header_map(&[("retry-after", value)]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        map
    }
}
