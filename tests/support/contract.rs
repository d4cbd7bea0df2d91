//! The contract of the Cloudflare API, and the check of single exchanges against it.
//!
//! `cloudflare-api.json` is an OpenAPI 3.1 document: request bodies are closed, the required lists of answers are what the
//! sandbox must send. [`watch`] checks every exchange of a world; [`Contract::check`] checks one.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a contract that cannot be read fails every test")]

use std::sync::{Arc, Mutex, OnceLock};

use adit::sandbox::world::{Exchange, World};
use serde_json::{Value, json};

use super::openapi::Document;

/// The contract.
pub(crate) struct Contract(Document);

/// What the sender of a request is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// It knows the contract: every request is in the contract, whatever the answer.
    Client,
    /// It tries things out: only a request that was accepted has to be in the contract.
    Prober,
}

/// What an exchange broke.
#[derive(Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Vec<String>>>);

/// Checks every exchange of `world` from here on. The test fails when the watch is dropped and something was broken.
pub(crate) fn watch(world: &World, sender: Sender) -> Watch {
    let watch = Watch::default();
    let broken = Arc::clone(&watch.0);
    world.on_exchange(Arc::new(move |exchange| {
        if let Err(reason) = Contract::get().check(exchange, sender) {
            broken.lock().unwrap().push(reason);
        }
    }));
    watch
}

impl Drop for Watch {
    fn drop(&mut self) {
        let broken = self.0.lock().unwrap();
        if !broken.is_empty() && !std::thread::panicking() {
            let first: Vec<&str> = broken.iter().take(5).map(String::as_str).collect();
            panic!("the contract is broken by {} exchanges:\n{}", broken.len(), first.join("\n"));
        }
    }
}

impl Contract {
    /// The contract of this repository.
    pub(crate) fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| Self(Document::new(serde_json::from_str(include_str!("../cloudflare-api.json")).unwrap())))
    }

    /// Every operation: its method in upper case, its path, its definition.
    pub(crate) fn operations(&self) -> Vec<(String, &str, &Value)> {
        let paths = self.0.value()["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
            methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        });
        operations.collect()
    }

    /// The name of the operation behind a method and a path.
    pub(crate) fn operation_id(&self, method: &str, path: &str) -> Option<&str> {
        self.operation(method, path).ok()?["operationId"].as_str()
    }

    /// Checks path, query, request body, status and answer of one exchange. Answers that were damaged on purpose are left out.
    pub(crate) fn check(&self, exchange: &Exchange, sender: Sender) -> Result<(), String> {
        let accepted = (200..300).contains(&exchange.status);
        let found = self.operation(exchange.method.as_str(), &exchange.path);
        let request = match found {
            Ok(operation) => self.check_request(operation, exchange),
            Err(ref reason) => Err(reason.clone()),
        };
        let answer = match found {
            _ if exchange.damaged => Ok(()),
            Ok(operation) => self.check_answer(&operation["responses"], exchange),
            Err(_) => self.0.check_json(&json!({ "$ref": "#/components/schemas/Failure" }), &exchange.response_body),
        };
        let request = if accepted || sender == Sender::Client { request } else { Ok(()) };
        let broken: Vec<String> = [request, answer].into_iter().filter_map(Result::err).collect();
        if broken.is_empty() {
            return Ok(());
        }
        let body = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(2_000).collect::<String>();
        Err(format!(
            "{} {} {:?} → {}: {}\n  sent {}\n  got {}",
            exchange.method,
            exchange.path,
            exchange.query,
            exchange.status,
            broken.join("; "),
            body(&exchange.request_body),
            body(&exchange.response_body),
        ))
    }

    /// The operation of a path whose parameters have the right form.
    fn operation(&self, method: &str, path: &str) -> Result<&Value, String> {
        let (template, item) = self.0.at(path).ok_or("unknown path")?;
        let operation = item.get(method.to_lowercase()).ok_or("unknown operation")?;
        for (name, value) in template.split('/').zip(path.split('/')).filter(|(name, _)| name.starts_with('{')) {
            let name = name.trim_matches(['{', '}']);
            self.0
                .check(&self.0.value()["components"]["parameters"][name]["schema"], &json!(value))
                .map_err(|reason| format!("path parameter {name}: {reason}"))?;
        }
        Ok(operation)
    }

    fn check_request(&self, operation: &Value, exchange: &Exchange) -> Result<(), String> {
        let parameters = operation["parameters"].as_array();
        for (name, value) in &exchange.query {
            let parameter =
                parameters.into_iter().flatten().find(|parameter| parameter["name"] == **name && parameter["in"] == "query");
            let schema = &parameter.ok_or_else(|| format!("unknown query parameter {name}"))?["schema"];
            // A query is text. Where the contract has a number, a boolean or a list, it is meant as such.
            let list: Vec<&str> = value.split(',').collect();
            let meanings = [Some(json!(value)), value.parse().ok(), Some(json!(list))];
            if !meanings.iter().flatten().any(|meaning| self.0.check(schema, meaning).is_ok()) {
                return Err(format!("query parameter {name}: {value:?} does not fit {schema}"));
            }
        }
        match operation.pointer("/requestBody/content/application~1json/schema") {
            Some(schema) => self.0.check_json(schema, &exchange.request_body).map_err(|reason| format!("request: {reason}")),
            None if exchange.request_body.is_empty() => Ok(()),
            None => Err("request: a body where none is expected".to_owned()),
        }
    }

    fn check_answer(&self, responses: &Value, exchange: &Exchange) -> Result<(), String> {
        let status = exchange.status.to_string();
        let class = format!("{}XX", &status[..1]);
        let response = responses.get(&status).or_else(|| responses.get(&class));
        let response = self.0.followed(response.ok_or_else(|| format!("status {status} is not in the contract"))?);
        let schema = response.pointer("/content/application~1json/schema").ok_or("an answer without a schema")?;
        self.0.check_json(schema, &exchange.response_body).map_err(|reason| format!("answer: {reason}"))
    }
}
