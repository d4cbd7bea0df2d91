//! What is looked at when something does not work.

use super::{Client, Trouble, query};
use crate::control::api::{Diagnosis, DoctorReport};

impl Client {
    /// Has the daemon look at its host and at itself; with `online` at Cloudflare as well.
    pub async fn doctor(&self, online: bool) -> Result<DoctorReport, Trouble> {
        let query = query([("online", online.to_string())]);
        self.get_slow(&format!("/v1/doctor{query}")).await
    }

    /// Walks from a hostname to its origin. With `fresh` Cloudflare is asked anew, with `outside` the public hostname is.
    pub async fn diagnose(&self, hostname: &str, path: &str, fresh: bool, outside: bool) -> Result<Diagnosis, Trouble> {
        let asked = [
            ("hostname", hostname.to_owned()),
            ("path", path.to_owned()),
            ("fresh", fresh.to_string()),
            ("outside", outside.to_string()),
        ];
        self.get(&format!("/v1/diagnose{}", query(asked))).await
    }
}
