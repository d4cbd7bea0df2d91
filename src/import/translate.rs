//! `config.yml` to a tunnel's definition.

use serde_json::{Map, Value as Json, json};

use super::{
    Refusal, Translation,
    keys::why_left_out,
    origin_request::{Findings, Scope, origin_request},
    yaml::{self, Node, Value},
};

/// Translates the text of a cloudflared configuration file. Rules get `dns = false`: what leads to them stays as it is.
///
/// # Errors
///
/// Everything that cannot be carried over although leaving it out would change who reaches what, and what is no YAML.
pub fn translate(text: &str) -> Result<Translation, Refusal> {
    let root = yaml::read(text)?;
    let Value::Table(entries) = &root.value else {
        let mut findings = Findings::default();
        findings.refuse(root.line, "", "the file is no table of keys, such as tunnel: and ingress:");
        return Err(Refusal(findings.refused));
    };
    let mut file = File { findings: Findings::default(), tunnel: None, credentials_file: None, definition: Map::new() };
    let has_ingress = entries.iter().any(|(key, node)| key == "ingress" && !node.is_null());
    file.definition.insert("configuration".to_owned(), json!("local"));
    for (key, node) in entries.iter().filter(|(_, node)| !node.is_null()) {
        file.key(key, node, has_ingress);
    }
    if !has_ingress {
        file.single_origin(entries);
    }
    let File { mut findings, tunnel, credentials_file, definition } = file;
    if !findings.refused.is_empty() {
        findings.refused.sort_by_key(|remark| remark.line);
        return Err(Refusal(findings.refused));
    }
    findings.left_out.sort_by_key(|remark| remark.line);
    Ok(Translation { tunnel, credentials_file, definition, left_out: findings.left_out })
}

/// The making of a translation.
struct File {
    findings: Findings,
    tunnel: Option<String>,
    credentials_file: Option<String>,
    definition: Map<String, Json>,
}

/// What a file without `ingress` says of its only origin.
const SINGLE_ORIGIN: &[&str] = &["url", "hostname", "unix-socket", "hello-world", "bastion"];

impl File {
    fn key(&mut self, key: &str, node: &Node, has_ingress: bool) {
        match key {
            "tunnel" => self.tunnel = self.text(key, node),
            "credentials-file" => self.credentials_file = self.text(key, node),
            "protocol" => match node.text() {
                Some("auto") => {}
                Some(protocol @ ("quic" | "http2")) => drop(self.definition.insert(key.to_owned(), json!(protocol))),
                Some("h2mux") => self.findings.leave_out(node.line, key, "cloudflared has no h2mux any more"),
                Some(_) | None => self.findings.refuse(node.line, key, "it must be auto, quic or http2"),
            },
            "ingress" => self.ingress(node),
            "originRequest" => {
                let all = origin_request(node, key, Scope::All, &mut self.findings);
                if !all.is_empty() {
                    self.definition.insert(key.to_owned(), Json::Object(all));
                }
            }
            key if SINGLE_ORIGIN.contains(&key) => {
                if has_ingress {
                    self.findings.leave_out(node.line, key, "cloudflared ignores it beside ingress");
                }
            }
            key => self.findings.leave_out(node.line, key, why_left_out(key, node.text().unwrap_or_default())),
        }
    }

    fn text(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = node.text().map(str::to_owned);
        if text.is_none() {
            self.findings.refuse(node.line, key, "it must be a text");
        }
        text
    }

    fn ingress(&mut self, node: &Node) {
        let Value::List(items) = &node.value else {
            return self.findings.refuse(node.line, "ingress", "it must be a list of rules");
        };
        let rules: Vec<Json> = items.iter().enumerate().filter_map(|(index, item)| self.rule(index, item)).collect();
        self.definition.insert("ingress".to_owned(), Json::Array(rules));
    }

    fn rule(&mut self, index: usize, node: &Node) -> Option<Json> {
        let place = format!("ingress[{index}]");
        let Value::Table(entries) = &node.value else {
            self.findings.refuse(node.line, place, "a rule must be a table with hostname and service");
            return None;
        };
        let mut rule = Map::new();
        for (key, node) in entries.iter().filter(|(_, node)| !node.is_null()) {
            let full = format!("{place}.{key}");
            match key.as_str() {
                "hostname" | "path" | "service" => {
                    let text = self.text(&full, node)?;
                    // cloudflared reads an empty one as one that was left out.
                    if !text.is_empty() {
                        rule.insert(key.clone(), Json::from(text));
                    }
                }
                "originRequest" => {
                    let own = origin_request(node, &full, Scope::Rule, &mut self.findings);
                    if !own.is_empty() {
                        rule.insert(key.clone(), Json::Object(own));
                    }
                }
                _ => self.findings.leave_out(node.line, full, "neither cloudflared nor Adit knows it"),
            }
        }
        if !rule.contains_key("service") {
            self.findings.refuse(node.line, place, "the rule has no service");
            return None;
        }
        Some(own_dns(rule))
    }

    /// The form without `ingress`: everything goes to one origin.
    fn single_origin(&mut self, entries: &[(String, Node)]) {
        let find = |name: &str| entries.iter().find(|(key, node)| key == name && !node.is_null()).map(|(_, node)| node);
        let is_on = |name: &str| find(name).and_then(Node::boolean) == Some(true);
        let service = if is_on("hello-world") {
            "hello_world".to_owned()
        } else if is_on("bastion") {
            "bastion".to_owned()
        } else if let Some(socket) = find("unix-socket").and_then(Node::text) {
            format!("unix:{socket}")
        } else if let Some(url) = find("url").and_then(Node::text) {
            url.trim_end_matches('/').to_owned()
        } else {
            let line = entries.first().map_or(1, |(_, node)| node.line);
            return self.findings.refuse(
                line,
                "",
                "the file has neither ingress nor url, so that cloudflared serves nothing with it",
            );
        };
        // cloudflared's hostname leads to the tunnel, but every request is served, whatever its host.
        if let Some(node) = find("hostname") {
            self.findings.leave_out(
                node.line,
                "hostname",
                "without ingress cloudflared serves every hostname with the one origin",
            );
        }
        self.definition.insert("ingress".to_owned(), json!([{ "service": service }]));
    }
}

fn own_dns(mut rule: Map<String, Json>) -> Json {
    if rule.get("hostname").is_some_and(|hostname| hostname != "*") {
        rule.insert("dns".to_owned(), json!(false));
    }
    Json::Object(rule)
}
