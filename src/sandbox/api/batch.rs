//! `/zones/{zone_id}/dns_records/batch`: many changes as one transaction.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    call::{Call, parse},
    failure::Failure,
    records::render,
};
use crate::{
    id::RecordId,
    sandbox::world::{Error, Record, RecordBody, state::State},
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Batch {
    deletes: Vec<Delete>,
    patches: Vec<Map<String, Value>>,
    puts: Vec<Map<String, Value>>,
    posts: Vec<RecordBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    id: RecordId,
}

/// Runs deletes, patches, puts and posts in this order on a copy of the zone, which replaces the zone only when all of them
/// succeeded. The first error is the answer; it does not say which operation it came from.
pub(super) fn run(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let batch: Batch = call.body()?;
    let mut zone = state.zone(&call.zone())?.clone();
    let size = batch.deletes.len() + batch.patches.len() + batch.puts.len() + batch.posts.len();
    if size == 0 {
        return Err(Failure::invalid("a batch must have at least one operation"));
    }
    if size > zone.plan.batch_max() {
        return Err(Error::BatchTooLarge(zone.plan.batch_max()).into());
    }
    let (mut deletes, mut patches, mut puts, mut posts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for delete in batch.deletes {
        deletes.push(zone.delete_record(&delete.id)?);
    }
    for mut patch in batch.patches {
        let id = take_id(&mut patch)?;
        patches.push(zone.patch_record(&id, patch, call.now)?);
    }
    for mut put in batch.puts {
        let id = take_id(&mut put)?;
        puts.push(zone.overwrite_record(&id, parse(Value::Object(put))?, call.now)?);
    }
    for post in batch.posts {
        posts.push(zone.create_record(post, call.now)?);
    }
    let render = |records: Vec<Record>| records.iter().map(render).collect::<Vec<_>>();
    let result = json!({
        "deletes": render(deletes),
        "patches": render(patches),
        "puts": render(puts),
        "posts": render(posts),
    });
    *state.zone_mut(&call.zone())? = zone;
    state.touch();
    Ok(Answer::one(result))
}

fn take_id(operation: &mut Map<String, Value>) -> Result<RecordId, Failure> {
    let id = operation.remove("id").ok_or_else(|| Failure::invalid("missing field `id`"))?;
    parse(id)
}
