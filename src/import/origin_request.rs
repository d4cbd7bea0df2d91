//! `originRequest`: cloudflared's file and Adit share the keys; a few differ in form.

use serde_json::{Map, Value as Json};

use super::{
    Remark,
    duration::whole_seconds,
    yaml::{Node, Value},
};

const TIMES: &[&str] = &["connectTimeout", "keepAliveTimeout", "tcpKeepAlive", "tlsTimeout"];

const BOOLEANS: &[&str] = &["disableChunkedEncoding", "http2Origin", "matchSNItoHost", "noHappyEyeballs", "noTLSVerify"];

const TEXTS: &[&str] = &["caPool", "httpHostHeader", "originServerName", "proxyType"];

/// What came of a translation besides its result.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) left_out: Vec<Remark>,
    pub(super) refused: Vec<Remark>,
}

impl Findings {
    pub(super) fn leave_out(&mut self, line: usize, key: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(Remark { line, key: key.into(), why: why.into() });
    }

    pub(super) fn refuse(&mut self, line: usize, key: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Remark { line, key: key.into(), why: why.into() });
    }
}

/// Whether it is that of all rules, or of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Rule,
}

/// An `originRequest`; `place` is its key.
pub(super) fn origin_request(node: &Node, place: &str, scope: Scope, findings: &mut Findings) -> Map<String, Json> {
    let mut result = Map::new();
    let Value::Table(entries) = &node.value else {
        if !node.is_null() {
            findings.refuse(node.line, place, "it must be a table");
        }
        return result;
    };
    for (name, node) in entries {
        let key = format!("{place}.{name}");
        if node.is_null() {
            continue;
        }
        let value = match name.as_str() {
            "access" if scope == Scope::All => {
                findings.leave_out(node.line, key, "cloudflared reads it only in a rule: here it protects nothing");
                continue;
            }
            "access" => access(node, &key, findings),
            "keepAliveConnections" => node.integer().map(Json::from),
            // Without them more would be let through than before.
            "ipRules" => {
                let why =
                    "Adit cannot keep them, and without them more would be let through: let the origin or a firewall refuse";
                findings.refuse(node.line, key, why);
                continue;
            }
            "bastionMode" if node.boolean() == Some(false) => continue,
            "bastionMode" => {
                findings.refuse(node.line, key, "write service: bastion in the rule");
                continue;
            }
            "proxyAddress" | "proxyPort" => {
                findings.leave_out(node.line, key, "cloudflared does not use it any more");
                continue;
            }
            known if TIMES.contains(&known) => {
                let seconds = time(node);
                if seconds.is_none() {
                    findings.leave_out(
                        node.line,
                        key,
                        "Cloudflare and Adit take whole seconds, as in 30s; cloudflared's default holds",
                    );
                    continue;
                }
                seconds.map(Json::from)
            }
            known if BOOLEANS.contains(&known) => node.boolean().map(Json::from),
            known if TEXTS.contains(&known) => node.text().map(Json::from),
            _ => {
                findings.leave_out(node.line, key, "neither cloudflared nor Adit knows it");
                continue;
            }
        };
        match value {
            Some(value) => drop(result.insert(name.clone(), value)),
            None => findings.refuse(node.line, key, "its value is not of the kind that cloudflared takes"),
        }
    }
    result
}

/// Seconds. cloudflared reads a bare number in a file as nanoseconds (`config/configuration.go`, `CustomDuration`).
fn time(node: &Node) -> Option<u64> {
    match node.integer() {
        Some(nanoseconds) => whole_seconds(&format!("{nanoseconds}ns")),
        None => whole_seconds(node.text()?),
    }
}

fn access(node: &Node, place: &str, findings: &mut Findings) -> Option<Json> {
    let Value::Table(entries) = &node.value else { return None };
    let mut result = Map::new();
    for (name, node) in entries {
        let value = match (name.as_str(), &node.value) {
            ("required", _) => node.boolean().map(Json::from),
            ("teamName", _) => node.text().map(Json::from),
            ("audTag", Value::List(items)) => {
                items.iter().map(|item| item.text().map(Json::from)).collect::<Option<Vec<_>>>().map(Json::Array)
            }
            // It decides who gets in, so that nothing of it may get lost.
            _ => None,
        };
        match value {
            Some(value) => drop(result.insert(name.clone(), value)),
            None => findings.refuse(node.line, format!("{place}.{name}"), "Adit cannot read it, and it decides who is let in"),
        }
    }
    Some(Json::Object(result))
}
