//! `/accounts`: those that the token reaches.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
    query::PageSizes,
};
use crate::sandbox::world::{
    Error,
    state::{Account, State},
};

pub(super) fn list(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let page = call.query.page(PageSizes::FEW)?;
    let name = call.query.text("name");
    let mut accounts: Vec<&Account> = call.token.spec.accounts.iter().filter_map(|id| state.accounts.get(id)).collect();
    accounts.retain(|account| name.is_none_or(|name| account.name == name));
    accounts.sort_by_key(|account| account.number);
    if call.query.text("direction") == Some("desc") {
        accounts.reverse();
    }
    Ok(page.cut(&accounts, |account| render(account)))
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let account = state.accounts.get(&call.account()).ok_or(Error::DocumentNotFound)?;
    Ok(Answer::one(render(account)))
}

fn render(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "type": "standard",
        "created_on": time(account.created),
        "settings": { "enforce_twofactor": false },
    })
}
