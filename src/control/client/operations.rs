//! What takes long: begun without waiting for its end, and looked at until then.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ANSWER_TIME_MAX, Client, Follow, Trouble, chosen_orphans, encoded, query, read, tunnel_path, value};
use crate::control::api::{Applied, Changed, DeletedOrphans, Operation, Rotate};

/// What became of a request whose client prefers not to wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun<T> {
    /// It was done at once.
    Answered(T),
    /// It goes on.
    Operation(Box<Operation>),
}

impl Client {
    /// What goes on, and what ended of late: the newest first. `asked` may have `state` and `tunnel`.
    pub async fn operations(&self, asked: &[(&str, String)]) -> Result<Vec<Operation>, Trouble> {
        self.get(&format!("/v1/operations{}", query(asked.iter().cloned()))).await
    }

    /// One operation; with `wait`, when it has ended or that time is over: at most a minute.
    pub async fn operation(&self, id: &str, wait: Option<Duration>) -> Result<Operation, Trouble> {
        let asked = query(wait.map(|wait| ("wait", format!("{}s", wait.as_secs()))));
        let time_max = ANSWER_TIME_MAX + wait.unwrap_or_default();
        self.exchange(Method::GET, &format!("{}{asked}", operation_path(id)), None, time_max).await
    }

    /// One operation each time it changes, until it has ended.
    pub async fn follow_operation(&self, id: &str) -> Result<Follow<Operation>, Trouble> {
        self.follow(&format!("{}?follow=true", operation_path(id))).await
    }

    /// Begins to make everything as wanted, if `hash` is the plan still.
    pub async fn begin_apply(&self, hash: &str) -> Result<Begun<Applied>, Trouble> {
        self.begin(Method::POST, "/v1/apply", Some(&serde_json::json!({ "hash": hash }))).await
    }

    /// Begins to delete a tunnel; it ends when nothing of it is left.
    pub async fn begin_delete_tunnel(&self, name: &str) -> Result<Begun<Changed>, Trouble> {
        self.begin(Method::DELETE, &tunnel_path(name, ""), None).await
    }

    /// Begins to replace a tunnel's connectors; it ends when fresh ones serve.
    pub async fn begin_restart_tunnel(&self, name: &str) -> Result<Begun<Changed>, Trouble> {
        self.begin(Method::POST, &tunnel_path(name, "/restart"), None).await
    }

    /// Begins to give a tunnel another secret; it ends when its connectors have it.
    pub async fn begin_rotate_tunnel(&self, name: &str, emergency: bool) -> Result<Begun<Changed>, Trouble> {
        self.begin(Method::POST, &tunnel_path(name, "/rotate"), Some(&value(&Rotate { emergency }))).await
    }

    /// Begins to delete what is left over, as [`Client::delete_orphans`] does.
    pub async fn begin_delete_orphans(&self, hash: &str, items: &[String]) -> Result<Begun<DeletedOrphans>, Trouble> {
        self.begin(Method::POST, "/v1/orphans", Some(&chosen_orphans(hash, items))).await
    }

    async fn begin<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Begun<T>, Trouble> {
        let exchange = async {
            let response = self.ask(method, path, body, Some("respond-async")).await?;
            let status = response.status();
            let bytes = read(path, response).await?;
            let broken = |error| Trouble::broken(path, error);
            if status == StatusCode::ACCEPTED {
                serde_json::from_slice(&bytes).map(Begun::Operation).map_err(broken)
            } else {
                serde_json::from_slice(&bytes).map(Begun::Answered).map_err(broken)
            }
        };
        tokio::time::timeout(ANSWER_TIME_MAX, exchange).await.map_err(|_| Trouble::slow(path, ANSWER_TIME_MAX))?
    }
}

fn operation_path(id: &str) -> String {
    format!("/v1/operations/{}", encoded(id))
}
