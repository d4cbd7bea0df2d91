//! Parts of queries that many panels share.

/// Fills in what the variables choose: `{host}` for the daemon alone, `{tunnel}`, `{account}` and, for what connectors export,
/// `{relayed}`, which has both. More may follow a comma: `{tunnel, state="ready"}`.
pub(crate) fn selectors(expr: &str) -> String {
    const HOST: &str = r#"job=~"$job", instance=~"$instance""#;
    const TUNNEL: &str = r#"tunnel=~"$tunnel""#;
    const ACCOUNT: &str = r#"account=~"$account""#;
    [
        ("{host", HOST.to_owned()),
        ("{tunnel", format!("{HOST}, {TUNNEL}")),
        ("{account", format!("{HOST}, {ACCOUNT}")),
        ("{relayed", format!("{HOST}, {ACCOUNT}, {TUNNEL}")),
    ]
    .iter()
    .fold(expr.to_owned(), |expr, (from, to)| {
        ['}', ','].iter().fold(expr, |expr, end| expr.replace(&format!("{from}{end}"), &format!("{{{to}{end}")))
    })
}

/// How much a counter grew in the time `over` before each point of a graph, exactly and each once: also one that came into being
/// meanwhile, which `increase` does not see, and one that began anew. The daemon has to have been scraped before that time, so that a
/// gap in what Prometheus has is no burst of everything ever counted.
pub(crate) fn grown(counter: &str, over: &str) -> String {
    format!(
        "({counter} - {counter} offset {over} >= 0 \
         or ({counter} and on (job, instance) adit_build_info{{host}} offset {over}))"
    )
}

/// The width of a bar: what a bar counts is counted in no other.
pub(crate) const BAR: &str = "$__interval";
