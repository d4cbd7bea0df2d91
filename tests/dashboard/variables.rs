//! What can be chosen above the panels, and what is marked in all of them.

use serde_json::{Value, json};

use super::query::{grown, selectors};

/// The source that all panels ask: the one that was chosen.
pub(crate) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// The variables, each narrowed by those before it.
pub(crate) fn variables() -> Vec<Value> {
    vec![
        json!({
            "name": "datasource",
            "label": "Data source",
            "description": "The Prometheus that scrapes the hosts.",
            "type": "datasource",
            "query": "prometheus",
            "regex": "",
            "refresh": 1,
            "hide": 0,
            "includeAll": false,
            "multi": false,
            "options": [],
        }),
        labels("job", "Job", "The scrape jobs that scrape Adit.", "adit_build_info"),
        labels("instance", "Host", "The hosts, by the address that is scraped.", r#"adit_build_info{job=~"$job"}"#),
        labels(
            "account",
            "Account",
            "Narrows what is about an account, and what connectors of its tunnels export.",
            r#"adit_conflicts{job=~"$job", instance=~"$instance"}"#,
        ),
        labels("tunnel", "Tunnel", "Narrows what is about a tunnel.", r#"adit_tunnel_state{job=~"$job", instance=~"$instance"}"#),
    ]
}

/// The values of the label `name`. All is everything, whatever was there when the page was opened: a tunnel that is made later, or one
/// among a thousand, is shown without a list of names in each query.
fn labels(name: &str, label: &str, description: &str, series: &str) -> Value {
    let query = format!("label_values({series}, {name})");
    json!({
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": { "qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery" },
        "regex": "",
        // Whenever the time range changes, so that a host that is down now can be chosen in a range when it was up.
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "includeAll": true,
        "allValue": ".*",
        "multi": true,
        "options": [],
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
    })
}

/// What is marked in every graph.
struct Mark {
    name: &'static str,
    color: &'static str,
    text: &'static str,
    expr: String,
    /// Whether a value is when it was, in milliseconds since 1970.
    is_time: bool,
    /// Whether it shows from the start; it can be turned on and off above the panels.
    shown: bool,
}

fn marks() -> [Mark; 5] {
    let grown = |counter| format!("sum by (instance, tunnel) ({}) > 0", grown(counter, STEP));
    [
        Mark {
            name: "Daemon starts",
            color: "blue",
            text: "adit started on {{instance}}",
            expr: "adit_start_time_seconds{host} * 1000".to_owned(),
            is_time: true,
            shown: true,
        },
        Mark {
            name: "Daemon deaths",
            color: "red",
            text: "an earlier adit on {{instance}} died instead of ending",
            expr: grown("adit_unclean_ends_total{host}"),
            is_time: false,
            shown: true,
        },
        Mark {
            name: "Alerts",
            color: "dark-red",
            text: "{{alertname}} {{tunnel}} {{account}}",
            expr: r#"ALERTS{job=~"$job|", instance=~"$instance|", alertname=~"Adit.+", alertstate="firing"}"#.to_owned(),
            is_time: false,
            shown: false,
        },
        Mark {
            name: "Connector restarts",
            color: "orange",
            text: "a connector of {{tunnel}} on {{instance}} was started again",
            expr: grown("adit_connector_restarts_total{tunnel}"),
            is_time: false,
            shown: false,
        },
        Mark {
            name: "Configurations",
            color: "purple",
            text: "another configuration of {{tunnel}} was written",
            expr: grown("adit_tunnel_desired_config_version{tunnel}"),
            is_time: false,
            shown: false,
        },
    ]
}

/// How far apart the moments are at which marks are looked for.
const STEP: &str = "1m";

/// The queries of the annotations.
pub(crate) fn mark_queries() -> Vec<String> {
    marks().iter().map(|mark| selectors(&mark.expr)).collect()
}

/// The annotations in Grafana's JSON.
pub(crate) fn annotations() -> Vec<Value> {
    let json = |mark: &Mark| {
        json!({
            "name": mark.name,
            "datasource": datasource(),
            "enable": mark.shown,
            "hide": false,
            "iconColor": mark.color,
            "expr": selectors(&mark.expr),
            "step": STEP,
            "titleFormat": mark.name,
            "textFormat": mark.text,
            "tagKeys": "instance",
            "useValueForTime": mark.is_time,
        })
    };
    marks().iter().map(json).collect()
}
