//! `/accounts/{account_id}/access/apps` and `…/access/policies`. Unlike the rest, they answer 201 on create and 202 on delete.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    call::{Call, time},
    failure::Failure,
    query::Query,
    resource::{Deletion, Ids, Paging, Resource, shown},
};
use crate::sandbox::world::{
    document::{Collection, Document},
    state::State,
};

use crate::hexadecimal::hexadecimal;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    #[serde(rename = "type")]
    kind: AppKind,
    domain: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<Vec<Destination>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_launcher_visible: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_idps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_redirect_to_identity: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_only_cookie_attribute: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_site_cookie_attribute: Option<String>,
    #[serde(default)]
    policies: Vec<PolicyReference>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AppKind {
    SelfHosted,
}

#[derive(Serialize, Deserialize)]
struct Destination {
    #[serde(rename = "type")]
    kind: DestinationKind,
    uri: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DestinationKind {
    Public,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum PolicyReference {
    Id(String),
    Placed {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        precedence: Option<i64>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    name: String,
    decision: Decision,
    include: Vec<Map<String, Value>>,
    #[serde(default)]
    exclude: Vec<Map<String, Value>>,
    #[serde(default)]
    require: Vec<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_duration: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
    NonIdentity,
    Bypass,
}

impl Resource for App {
    const COLLECTION: Collection = Collection::AccessApps;
    const IDS: Ids = Ids::Uuid;
    const DELETION: Deletion = Deletion::Forgotten;
    const PAGING: Paging = Paging::Pages;
    const CREATED: StatusCode = StatusCode::CREATED;
    const DELETED: StatusCode = StatusCode::ACCEPTED;

    fn check(&mut self, state: &mut State, call: &Call, _: Option<&str>) -> Result<(), Failure> {
        if self.domain.is_empty() || self.name.chars().count() > 350 {
            return Err(Failure::invalid("domain must not be empty, name at most 350 characters"));
        }
        let exists = |reference: &PolicyReference| {
            let (PolicyReference::Id(id) | PolicyReference::Placed { id, .. }) = reference;
            state.documents.get(Collection::AccessPolicies, call.owner(), id).is_some()
        };
        if self.policies.iter().all(exists) { Ok(()) } else { Err(Failure::invalid("policies must be ids of policies")) }
    }

    fn matches(document: &Document, query: &Query) -> Result<bool, Failure> {
        let exact = query.flag("exact")? == Some(true);
        let fits = |field: &str| {
            query.text(field).is_none_or(|wanted| {
                document.text(field).is_some_and(|text| if exact { text == wanted } else { text.contains(wanted) })
            })
        };
        let found =
            |text: &str| ["name", "domain"].iter().any(|field| document.text(field).is_some_and(|own| own.contains(text)));
        let audience = query.text("aud").is_none_or(|wanted| audience(document) == wanted);
        Ok(fits("name") && fits("domain") && audience && query.text("search").is_none_or(found))
    }

    fn render(_: &State, _: &Call, document: &Document) -> Value {
        shown(
            document,
            json!({
                "id": document.id,
                "aud": audience(document),
                "created_at": time(document.created),
                "updated_at": time(document.modified),
            }),
        )
    }
}

impl Resource for Policy {
    const COLLECTION: Collection = Collection::AccessPolicies;
    const IDS: Ids = Ids::Uuid;
    const DELETION: Deletion = Deletion::Forgotten;
    const PAGING: Paging = Paging::Pages;
    const CREATED: StatusCode = StatusCode::CREATED;
    const DELETED: StatusCode = StatusCode::ACCEPTED;

    fn check(&mut self, _: &mut State, _: &Call, _: Option<&str>) -> Result<(), Failure> {
        let mut rules = self.include.iter().chain(&self.exclude).chain(&self.require);
        if self.name.is_empty() || self.include.is_empty() || rules.any(|rule| rule.len() != 1) {
            return Err(Failure::invalid("a policy has a name and includes at least one rule; a rule has exactly one key"));
        }
        Ok(())
    }

    fn matches(_: &Document, _: &Query) -> Result<bool, Failure> {
        Ok(true)
    }

    fn render(state: &State, call: &Call, document: &Document) -> Value {
        let uses = |app: &&&Document| {
            let policies = app.body.get("policies").and_then(Value::as_array);
            let is_this = |reference: &Value| reference == &document.id || reference["id"] == document.id;
            policies.is_some_and(|policies| policies.iter().any(is_this))
        };
        let apps = state.documents.live(Collection::AccessApps, call.owner());
        shown(
            document,
            json!({
                "id": document.id,
                "reusable": true,
                "app_count": apps.iter().filter(uses).count(),
                "created_at": time(document.created),
                "updated_at": time(document.modified),
            }),
        )
    }
}

/// What connectors check Access tokens against: 64 hexadecimal digits that belong to the application for ever.
fn audience(document: &Document) -> String {
    hexadecimal(&Sha256::digest(document.id.as_bytes()))
}
