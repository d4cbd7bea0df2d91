//! Which configuration is in force. Pure.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::{ApplyMode, Config, Origin},
    name::TunnelName,
    plan::is_mass,
};

/// The configuration that is in force once `proposed` is what people want, and why it is not that one, if so. `in_force` is the
/// one before; `None` when there was none.
pub(super) fn in_force(in_force: Option<&Arc<Config>>, proposed: &Arc<Config>) -> (Arc<Config>, Option<String>) {
    let asks = match proposed.daemon.apply {
        ApplyMode::Auto | ApplyMode::Observe => None,
        ApplyMode::Ask => Some("the configuration waits for `adit apply` (apply = \"ask\")".to_owned()),
    };
    let reason = match in_force {
        None => asks,
        Some(in_force) => asks.or_else(|| stops_a_mass(in_force, proposed)),
    };
    let Some(reason) = reason else { return (proposed.clone(), None) };
    let kept = match in_force {
        Some(in_force) => with_made_by_hand(in_force, proposed),
        None => with_made_by_hand(&Config { tunnels: BTreeMap::new(), ..(**proposed).clone() }, proposed),
    };
    // Of what was only looked at nothing was applied, so that the same tunnels wait too.
    let was_observed = in_force.is_some_and(|in_force| in_force.daemon.apply == ApplyMode::Observe);
    if kept.tunnels == proposed.tunnels && !was_observed {
        return (proposed.clone(), None);
    }
    // The same value for the same configuration, so that nobody takes it for a change.
    let unchanged = in_force.filter(|in_force| ***in_force == kept);
    (unchanged.cloned().unwrap_or_else(|| Arc::new(kept)), Some(reason))
}

/// Why so many tunnels would stop that a person has to confirm it.
fn stops_a_mass(in_force: &Config, proposed: &Config) -> Option<String> {
    let renamed = |name: &TunnelName| proposed.tunnels.values().any(|tunnel| tunnel.renamed_from.as_ref() == Some(name));
    // A tunnel that was made over the socket went away because somebody deleted it there.
    let by_files = in_force.tunnels.values().filter(|tunnel| tunnel.origin != Origin::Api);
    let stopping = by_files.filter(|tunnel| !proposed.tunnels.contains_key(&tunnel.name) && !renamed(&tunnel.name)).count();
    let total = in_force.tunnels.len();
    is_mass(stopping, total)
        .then(|| format!("the configuration would stop {stopping} of {total} tunnels; it waits for `adit apply` with its plan"))
}

/// What was in force, with the tunnels made over the socket as they are: who made them there asked for it.
fn with_made_by_hand(in_force: &Config, proposed: &Config) -> Config {
    let mut config = in_force.clone();
    config.tunnels.retain(|_, tunnel| tunnel.origin != Origin::Api);
    let by_hand = proposed.tunnels.values().filter(|tunnel| tunnel.origin == Origin::Api);
    let possible = by_hand.filter(|tunnel| in_force.accounts.contains_key(&tunnel.account));
    for tunnel in possible {
        config.tunnels.entry(tunnel.name.clone()).or_insert_with(|| tunnel.clone());
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, parse};

    fn config(mode: &str, tunnels: &[&str]) -> Arc<Config> {
        let mut text =
            format!("[daemon]\napply = \"{mode}\"\n[accounts.default]\napi_token = {{ file = \"/etc/token\" }}\n[tunnels]\n");
        for tunnel in tunnels {
            text.push_str(&format!("{tunnel} = {{ account = \"default\", ingress = [] }}\n"));
        }
        Arc::new(parse(&[Source { path: "adit.toml".into(), text }]).unwrap())
    }

    fn names(config: &Config) -> Vec<&str> {
        config.tunnels.keys().map(TunnelName::as_str).collect()
    }

    #[test]
    fn what_people_want_is_in_force_at_once() {
        let (old, wanted) = (config("auto", &["a", "b"]), config("auto", &["b", "c"]));
        let (result, waits) = in_force(Some(&old), &wanted);
        assert!(Arc::ptr_eq(&result, &wanted));
        assert_eq!(waits, None);
        assert!(Arc::ptr_eq(&in_force(None, &wanted).0, &wanted));
    }

    #[test]
    fn with_ask_it_waits_and_what_was_in_force_stays() {
        let (old, wanted) = (config("ask", &["a", "b"]), config("ask", &["b", "c"]));
        let (result, waits) = in_force(Some(&old), &wanted);
        assert_eq!(names(&result), ["a", "b"]);
        assert!(waits.unwrap().contains("adit apply"));
        assert_eq!(names(&in_force(None, &wanted).0), [""; 0]);
        assert_eq!(in_force(Some(&old), &old).1, None);
    }

    #[test]
    fn with_ask_it_waits_also_when_the_same_was_only_observed_before() {
        let (observed, wanted) = (config("observe", &["a"]), config("ask", &["a"]));
        let (result, waits) = in_force(Some(&observed), &wanted);
        assert!(Arc::ptr_eq(&result, &observed));
        assert!(waits.unwrap().contains("adit apply"));
        assert_eq!(in_force(Some(&observed), &config("auto", &["a"])).1, None);
    }

    #[test]
    fn stopping_a_mass_of_tunnels_waits() {
        let (old, wanted) = (config("auto", &["a", "b"]), config("auto", &[]));
        let (result, waits) = in_force(Some(&old), &wanted);
        assert_eq!(names(&result), ["a", "b"]);
        assert!(waits.unwrap().contains("would stop 2 of 2 tunnels"));
        assert_eq!(in_force(Some(&config("auto", &["a"])), &wanted).1, None);
    }
}
