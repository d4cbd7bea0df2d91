//! `/zones`: those of the accounts that the token reaches.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
    query::{PageSizes, Query},
};
use crate::sandbox::world::{Zone, state::State};

pub(super) fn list(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let page = call.query.page(PageSizes::FEW)?;
    let reached = |zone: &&Zone| call.token.spec.accounts.contains(&zone.account);
    let mut zones: Vec<&Zone> = state.zones.values().filter(reached).filter(|zone| matches(state, zone, &call.query)).collect();
    zones.sort_by(|left, right| left.name.cmp(&right.name));
    if call.query.text("direction") == Some("desc") {
        zones.reverse();
    }
    Ok(page.cut(&zones, |zone| render(state, zone)))
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::one(render(state, state.zone(&call.zone())?)))
}

/// Every filter that is given, or with `match=any` at least one of them.
fn matches(state: &State, zone: &Zone, query: &Query) -> bool {
    let account = state.accounts.get(&zone.account).map_or("", |account| account.name.as_str());
    let tests = [
        query.text("name").map(|wanted| compare(&zone.name, wanted)),
        query.text("status").map(|wanted| zone.status.as_str() == wanted),
        query.text("account.id").map(|wanted| zone.account.as_str() == wanted),
        query.text("account.name").map(|wanted| compare(account, wanted)),
        query.text("type").map(|wanted| wanted.split(',').any(|kind| kind == "full")),
    ];
    let mut tests = tests.into_iter().flatten().peekable();
    match query.text("match") {
        Some("any") => tests.peek().is_none() || tests.any(|passed| passed),
        Some(_) | None => tests.all(|passed| passed),
    }
}

/// `value` for equal, or `operator:value`; letters' case counts only with `_case_sensitive` behind the operator.
fn compare(text: &str, wanted: &str) -> bool {
    let (operator, value) = wanted.split_once(':').unwrap_or(("equal", wanted));
    let (operator, text, value) = match operator.strip_suffix("_case_sensitive") {
        Some(operator) => (operator, text.to_owned(), value.to_owned()),
        None => (operator, text.to_lowercase(), value.to_lowercase()),
    };
    match operator {
        "not_equal" => text != value,
        "starts_with" => text.starts_with(&value),
        "ends_with" => text.ends_with(&value),
        "contains" => text.contains(&value),
        _ => text == value,
    }
}

fn render(state: &State, zone: &Zone) -> Value {
    let account = state.accounts.get(&zone.account).map_or("", |account| account.name.as_str());
    json!({
        "id": zone.id,
        "name": zone.name,
        "account": { "id": zone.account, "name": account },
        "status": zone.status.as_str(),
        "type": "full",
        "paused": false,
        "name_servers": ["ada.ns.cloudflare.com", "lee.ns.cloudflare.com"],
        "created_on": time(zone.created),
        "modified_on": time(zone.created),
        "activated_on": time(zone.created),
        "development_mode": 0,
        "meta": { "page_rule_quota": 3 },
        "owner": { "id": null, "type": "user" },
        "plan": { "id": zone.plan.legacy_id(), "name": zone.plan.legacy_id(), "legacy_id": zone.plan.legacy_id() },
        "permissions": ["#dns_records:read", "#dns_records:edit", "#zone:read"],
    })
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn names_are_compared_by_the_operator_in_front_of_them() {
        for (wanted, passes) in [
            ("example.com", true),
            ("EXAMPLE.com", true),
            ("equal_case_sensitive:EXAMPLE.com", false),
            ("not_equal:example.com", false),
            ("starts_with:exam", true),
            ("ends_with:.net", false),
            ("contains:AMPLE", true),
        ] {
            assert_eq!(compare("example.com", wanted), passes, "{wanted}");
        }
    }
}
