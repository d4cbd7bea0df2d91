//! Who changed what.

use super::{Client, Follow, Trouble, query};
use crate::control::api::AuditEntry;

impl Client {
    /// Who changed what, and who was refused to.
    pub async fn audited(&self, query: &[(&str, String)]) -> Result<Vec<AuditEntry>, Trouble> {
        self.get(&format!("/v1/audit{}", self::query(query.iter().cloned()))).await
    }

    /// The same, and then every entry as it is written.
    pub async fn follow_audited(&self, query: &[(&str, String)]) -> Result<Follow<AuditEntry>, Trouble> {
        let query = self::query(query.iter().cloned().chain([("follow", "true".to_owned())]));
        self.follow(&format!("/v1/audit{query}")).await
    }
}
