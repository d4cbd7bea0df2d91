//! Changes of a tunnel's definition: pure functions over JSON in the configuration's grammar.

mod private;

use serde_json::{Map, Value};

pub(crate) use private::PrivateRoute;
pub(super) use private::{Network, PrivateHostname};

use super::api::{Error, ErrorKind};
use crate::name::Hostname;

/// Merges `patch` into `target` as a JSON merge patch (RFC 7396): `null` removes a key, lists are replaced as a whole.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().expect("it was made an object above");
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Adds `rule` to the ingress rules of `definition`: before the first rule that would hide it, else at the end. The same rule
/// again changes nothing.
///
/// # Errors
///
/// `conflict` when its hostname and path already lead elsewhere.
pub(crate) fn add_route(definition: &mut Value, rule: Value) -> Result<(), Error> {
    let rules = ingress(definition)?;
    if rules.contains(&rule) {
        return Ok(());
    }
    if let Some(former) = rules.iter().find(|former| place(former) == place(&rule)) {
        let leads_to = former.get("service").and_then(Value::as_str).unwrap_or("another service");
        let message = format!("cannot add the route {}: it already leads to {leads_to:?}", describe(&rule));
        return Err(Error::new(ErrorKind::Conflict, message).with_hint("remove that route first"));
    }
    let at = rules.iter().position(|former| hides(former, &rule)).unwrap_or(rules.len());
    rules.insert(at, rule);
    Ok(())
}

/// Removes the ingress rule for `hostname` and `path` from `definition`.
///
/// # Errors
///
/// `not_found` when there is none.
pub(crate) fn remove_route(definition: &mut Value, hostname: &str, path: Option<&str>) -> Result<(), Error> {
    let wanted = serde_json::json!({ "hostname": hostname, "path": path });
    let rules = ingress(definition)?;
    let before = rules.len();
    rules.retain(|rule| place(rule) != place(&wanted));
    if rules.len() == before {
        let message = format!("cannot remove the route {}: the tunnel has no such route", describe(&wanted));
        return Err(Error::new(ErrorKind::NotFound, message)
            .with_hint("\"adit route list\" shows hostnames and paths as they are written"));
    }
    Ok(())
}

fn ingress(definition: &mut Value) -> Result<&mut Vec<Value>, Error> {
    let wrong = || Error::new(ErrorKind::Invalid, "cannot change the routes: the definition's \"ingress\" is no list");
    let rules = definition.as_object_mut().ok_or_else(wrong)?.entry("ingress").or_insert_with(|| Value::Array(Vec::new()));
    rules.as_array_mut().ok_or_else(wrong)
}

/// The hostname and path that a rule takes, as they are compared.
fn place(rule: &Value) -> (Option<String>, Option<&str>) {
    let text = |key| rule.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let hostname = text("hostname").map(|hostname| match hostname.parse::<Hostname>() {
        Ok(hostname) => hostname.as_str().to_owned(),
        Err(_) => hostname.to_owned(),
    });
    (hostname, text("path"))
}

/// Whether no request would reach `rule` behind `former`.
fn hides(former: &Value, rule: &Value) -> bool {
    let (former_hostname, former_path) = place(former);
    let (hostname, _path) = place(rule);
    let takes_hostname = match (former_hostname.as_deref().map(str::parse::<Hostname>), hostname) {
        (None, _) => true,
        (Some(Ok(former)), Some(hostname)) => former.as_str() == hostname || former.matches(&hostname),
        (Some(Ok(_) | Err(_)), _) => false,
    };
    takes_hostname && former_path.is_none()
}

fn describe(rule: &Value) -> String {
    let (hostname, path) = place(rule);
    format!("\"{}{}\"", hostname.as_deref().unwrap_or("*"), path.map(|path| format!(" {path}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_changes_what_it_names_and_removes_what_is_null() {
        let mut definition = json!({ "replicas": 1, "protocol": "quic", "health": { "origin": "tcp" } });
        merge(&mut definition, json!({ "replicas": 2, "protocol": null, "health": { "origin": "off" } }));
        assert_eq!(definition, json!({ "replicas": 2, "health": { "origin": "off" } }));
    }

    #[test]
    fn a_route_is_added_before_the_first_rule_that_would_hide_it() {
        let rule = |hostname: &str| json!({ "hostname": hostname, "service": "http://localhost:1" });
        let catch_all = json!({ "service": "http_status:404" });
        let mut definition = json!({ "ingress": [rule("a.example.com"), rule("*.example.com"), catch_all] });
        add_route(&mut definition, rule("b.example.com")).unwrap();
        add_route(&mut definition, rule("c.example.net")).unwrap();
        let expected = [rule("a.example.com"), rule("b.example.com"), rule("*.example.com"), rule("c.example.net"), catch_all];
        assert_eq!(definition, json!({ "ingress": expected }));
    }

    #[test]
    fn a_path_of_a_hostname_goes_before_the_rest_of_it() {
        let all = json!({ "hostname": "a.example.com", "service": "http://localhost:1" });
        let api = json!({ "hostname": "a.example.com", "path": "/api", "service": "http://localhost:2" });
        let mut definition = json!({ "ingress": [all] });
        add_route(&mut definition, api.clone()).unwrap();
        assert_eq!(definition, json!({ "ingress": [api, all] }));
    }

    #[test]
    fn the_same_route_again_changes_nothing_and_another_service_is_a_conflict() {
        let mut definition = json!({});
        let rule = json!({ "hostname": "a.example.com", "service": "http://localhost:1" });
        add_route(&mut definition, rule.clone()).unwrap();
        add_route(&mut definition, rule.clone()).unwrap();
        assert_eq!(definition, json!({ "ingress": [rule] }));
        let other = json!({ "hostname": "A.example.com", "service": "http://localhost:2" });
        assert_eq!(add_route(&mut definition, other).unwrap_err().kind, ErrorKind::Conflict);
    }

    #[test]
    fn only_the_named_route_is_removed() {
        let keep = json!({ "hostname": "a.example.com", "path": "/api", "service": "http://localhost:2" });
        let mut definition = json!({ "ingress": [keep, { "hostname": "a.example.com", "service": "http://localhost:1" }] });
        remove_route(&mut definition, "A.example.com", None).unwrap();
        assert_eq!(definition, json!({ "ingress": [keep] }));
        assert_eq!(remove_route(&mut definition, "b.example.com", None).unwrap_err().kind, ErrorKind::NotFound);
    }
}
