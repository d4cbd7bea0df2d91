//! The laws of taking over what people have from cloudflared.

use serde_json::Value;

use super::{InstalledService, ServiceTunnel, installed_service, token_in, translate, tunnel_name};
use crate::{
    config::{Config, Source, parse, parse_tunnel, tunnel_toml},
    name::TunnelName,
};

/// Any text as a configuration of cloudflared's, as its unit, as a file of variables and as a tunnel's name.
pub fn import(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let lines = text.split(['\n', '\r']).count() + 1;
    match translate(text) {
        Ok(translation) => {
            assert!(translation.left_out.iter().all(|remark| (1..=lines).contains(&remark.line) && !remark.why.is_empty()));
            assert!(translation.left_out.is_sorted_by_key(|remark| remark.line));
            let name: TunnelName = "web".parse().expect("it is a name");
            let toml = tunnel_toml(&name, &translation.definition).expect("what is translated has a form in TOML");
            let _ = parse_tunnel(&Source { path: "web.toml".into(), text: toml }, &name, &nothing());
            let dns = |rule: &Value| rule.get("hostname").is_none() || rule.get("dns") == Some(&Value::Bool(false));
            let rules = translation.definition.get("ingress").and_then(Value::as_array);
            assert!(rules.into_iter().flatten().all(dns), "what leads to a rule is to stay as it is");
        }
        Err(refusal) => {
            assert!(!refusal.0.is_empty() && refusal.0.iter().all(|remark| !remark.why.is_empty()), "{refusal:?}");
            assert!(refusal.0.iter().all(|remark| (1..=lines).contains(&remark.line)), "{refusal} of {lines} lines");
        }
    }
    if let Ok(InstalledService { tunnel: ServiceTunnel::Token(token), .. }) = installed_service(text) {
        assert!(!token.is_empty());
        assert_eq!(format!("{:?}", ServiceTunnel::Token(token)), "Token(Secret(…))");
    }
    assert!(token_in(text).is_none_or(|token| !token.is_empty()));
    assert!(tunnel_name(text).is_none_or(|name| !name.is_derived() && tunnel_name(name.as_str()) == Some(name)));
}

fn nothing() -> Config {
    parse(&[]).expect("no file at all is a configuration")
}
