//! `/user/tokens/verify` and `/accounts/{account_id}/tokens/verify`.

use hyper::StatusCode;
use serde_json::json;

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
};
use crate::sandbox::world::{TokenStatus, state::State};

/// Says whether a user's token counts. A token of an account is no token here, whatever it may do.
pub(super) fn verify_user(_: &mut State, call: &Call) -> Result<Answer, Failure> {
    if call.token.is_account_owned() { Err(wrong_kind()) } else { Ok(verified(call)) }
}

/// Says whether an account's token counts.
pub(super) fn verify_account(_: &mut State, call: &Call) -> Result<Answer, Failure> {
    let owner = call.token.spec.accounts.first();
    if call.token.is_account_owned() && owner == Some(&call.account()) { Ok(verified(call)) } else { Err(wrong_kind()) }
}

fn verified(call: &Call) -> Answer {
    let status = match call.token.status(call.now) {
        TokenStatus::Active => "active",
        TokenStatus::Disabled => "disabled",
        TokenStatus::Expired => "expired",
    };
    let mut result = json!({ "id": call.token.id, "status": status });
    if let Some(expires) = call.token.spec.expires {
        result["expires_on"] = time(expires);
    }
    Answer::one(result)
}

fn wrong_kind() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, 1000, "Invalid API Token")
}
