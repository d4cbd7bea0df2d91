//! Access applications: who may reach a hostname. Only read.

use serde::Deserialize;

use crate::id::{AccessAppId, AccountId};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
    pages::Identified,
};

/// A page of applications. The limits of a page are not published; an account has at most 500 of them.
const PAGE: u64 = 100;

/// An Access application.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccessApp {
    /// Its id.
    pub id: AccessAppId,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// `self_hosted`, `saas`, ….
    #[serde(default, rename = "type", deserialize_with = "lenient::or_default")]
    pub kind: String,
    /// The first hostname that it covers, with an optional path; empty when it has none.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub domain: String,
    /// The hostnames that it covers, in the older form.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub self_hosted_domains: Vec<String>,
    /// What it covers.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub destinations: Vec<Destination>,
}

/// Something that an application covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Destination {
    /// `public` for a hostname.
    #[serde(default, rename = "type", deserialize_with = "lenient::or_default")]
    pub kind: String,
    /// The hostname with an optional path.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub uri: String,
}

impl AccessApp {
    /// The public hostnames that it covers, each with an optional path. None of an application that is not a self-hosted one.
    pub fn covers(&self) -> Vec<String> {
        if self.kind != "self_hosted" {
            return Vec::new();
        }
        let public = self.destinations.iter().filter(|destination| destination.kind == "public");
        let listed = self.self_hosted_domains.iter().chain(public.map(|destination| &destination.uri));
        let mut covers: Vec<String> = [&self.domain].into_iter().chain(listed).filter(|uri| !uri.is_empty()).cloned().collect();
        covers.sort();
        covers.dedup();
        covers
    }
}

impl Identified for AccessApp {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Client {
    /// Every Access application of the account.
    pub async fn access_apps(&self, account: &AccountId) -> Result<Vec<AccessApp>, Error> {
        let call = Call::new(
            Method::Get,
            Resource::Access,
            ["accounts", account.as_str(), "access", "apps"],
            format!("list the Access applications of account {account}"),
        );
        self.transport.list(&call.needs(Permission::AccessRead, format!("account {account}")), PAGE).await
    }

    /// One Access application.
    pub async fn access_app(&self, account: &AccountId, id: &AccessAppId) -> Result<AccessApp, Error> {
        let path = ["accounts", account.as_str(), "access", "apps", id.as_str()];
        let call = Call::new(Method::Get, Resource::Access, path, format!("read Access application {id}"));
        Ok(self.transport.call(&call.needs(Permission::AccessRead, format!("account {account}"))).await?.value)
    }
}
