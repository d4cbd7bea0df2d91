//! `/zones/{zone_id}/dns_records`, one record at a time, and the zone's usage.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
    query::PageSizes,
    record_filter::{RecordFilter, sort},
};
use crate::sandbox::world::{Record, RecordBody, state::State};

pub(super) fn list(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let page = call.query.page(PageSizes::RECORDS)?;
    let filter = RecordFilter::parse(&call.query)?;
    let zone = state.zone(&call.zone())?;
    let mut records = zone.records();
    records.retain(|record| filter.matches(record));
    sort(&mut records, &call.query);
    let mut answer = page.cut(&records, |record| render(record));
    if let Some(info) = &mut answer.info {
        info.total_pages = Some(info.total_count.div_ceil(info.per_page));
    }
    Ok(answer)
}

pub(super) fn create(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let body: RecordBody = call.body()?;
    let zone = state.zone_mut(&call.zone())?;
    let record = zone.create_record(body, call.now)?;
    let answer = Answer::one(render(&record));
    state.touch();
    Ok(answer)
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let zone = state.zone(&call.zone())?;
    Ok(Answer::one(render(zone.record(&call.record())?)))
}

/// Overwrites: what is left out returns to its default.
pub(super) fn put(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let body: RecordBody = call.body()?;
    let zone = state.zone_mut(&call.zone())?;
    let record = zone.overwrite_record(&call.record(), body, call.now)?;
    let answer = Answer::one(render(&record));
    state.touch();
    Ok(answer)
}

pub(super) fn patch(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let patch = call.patch()?;
    let zone = state.zone_mut(&call.zone())?;
    let record = zone.patch_record(&call.record(), patch, call.now)?;
    let answer = Answer::one(render(&record));
    state.touch();
    Ok(answer)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let record = state.zone_mut(&call.zone())?.delete_record(&call.record())?;
    state.touch();
    Ok(Answer::one(json!({ "id": record.id })))
}

pub(super) fn usage(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let zone = state.zone(&call.zone())?;
    Ok(Answer::one(json!({ "record_quota": zone.plan.records_max(), "record_usage": zone.record_count() })))
}

pub(super) fn render(record: &Record) -> Value {
    let body = &record.body;
    let mut result = json!({
        "id": record.id,
        "type": body.kind.as_str(),
        "name": body.name,
        "content": body.content,
        "ttl": body.ttl,
        "proxied": body.proxied,
        "proxiable": body.kind.is_proxiable(),
        "comment": body.comment,
        "tags": body.tags,
        "settings": body.settings,
        "meta": {},
        "created_on": time(record.created),
        "modified_on": time(record.modified),
    });
    for (field, at) in [("comment_modified_on", record.comment_modified), ("tags_modified_on", record.tags_modified)] {
        if let Some(at) = at {
            result[field] = time(at);
        }
    }
    result
}
