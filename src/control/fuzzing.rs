//! The laws of what is asked over the control socket.

use serde_json::Value;

use super::edit::{PrivateRoute, add_route, merge, remove_route};
pub use super::server::fuzzing::requests;

/// Any JSON list as a definition, a patch of it and a route: changes that are made twice are made once.
pub fn edits(bytes: &[u8]) {
    let Ok([definition, patch, route]) = serde_json::from_slice::<[Value; 3]>(bytes) else { return };
    let mut merged = definition.clone();
    merge(&mut merged, patch.clone());
    let once = merged.clone();
    merge(&mut merged, patch.clone());
    assert_eq!(merged, once, "a patch that is made twice is made once");
    let Some(patched) = patch.as_object() else { return };
    for (key, value) in patched {
        assert!(!value.is_null() || once.get(key).is_none(), "{key} was to go");
    }
    let untouched = |(key, _): &(&String, &Value)| !patched.contains_key(*key);
    let kept = definition.as_object().into_iter().flatten().filter(untouched);
    kept.for_each(|(key, value)| assert_eq!(once.get(key), Some(value), "nobody named {key}"));

    let mut with_route = definition.clone();
    if route.is_object() && add_route(&mut with_route, route.clone()).is_ok() {
        let once = with_route.clone();
        assert!(add_route(&mut with_route, route.clone()).is_ok() && with_route == once);
        let rules = |definition: &Value| definition.get("ingress").and_then(Value::as_array).cloned().unwrap_or_default();
        assert!(rules(&with_route).contains(&route) && rules(&with_route).len() <= rules(&definition).len() + 1);
        if let Some(hostname) = route.get("hostname").and_then(Value::as_str) {
            let path = route.get("path").and_then(Value::as_str);
            remove_route(&mut with_route, hostname, path).expect("it was just added");
            assert!(remove_route(&mut with_route, hostname, path).is_err() && !rules(&with_route).contains(&route));
        }
    }
    if let Some(private) = PrivateRoute::of_body(&route) {
        let mut with_route = definition.clone();
        if private.add_to(&mut with_route).is_ok() {
            let once = with_route.clone();
            assert!(private.add_to(&mut with_route).is_ok() && with_route == once);
            private.remove_from(&mut with_route).expect("it was just added");
            assert!(private.remove_from(&mut with_route).is_err());
        }
    }
}
