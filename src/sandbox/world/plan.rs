//! What a zone's plan allows ("Plans" of Cloudflare's DNS documentation).

/// The plan of a zone; it sets the limits of its DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 200 records, batches of 200, comments of 100 characters, no tags.
    Free,
    /// 3,500 records, batches of 3,500, comments of 500 characters, 20 tags a record.
    Pro,
    /// As [`Plan::Pro`].
    Business,
    /// As [`Plan::Pro`], with a TTL from 30 s on.
    Enterprise,
}

impl Plan {
    /// The name that `plan.legacy_id` of a zone shows.
    pub(crate) fn legacy_id(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Business => "business",
            Self::Enterprise => "enterprise",
        }
    }

    /// How many records a zone can hold. Free zones have 200 since 2024-09-01.
    pub(crate) fn records_max(self) -> usize {
        if self.is_free() { 200 } else { 3_500 }
    }

    /// How many operations one batch can have, over its four lists together.
    pub(crate) fn batch_max(self) -> usize {
        if self.is_free() { 200 } else { 3_500 }
    }

    /// The longest comment of a record, in characters.
    pub(crate) fn comment_max(self) -> usize {
        if self.is_free() { 100 } else { 500 }
    }

    /// How many tags a record can have.
    pub(crate) fn tags_max(self) -> usize {
        if self.is_free() { 0 } else { 20 }
    }

    /// The shortest TTL that is not "automatic", in seconds.
    pub(crate) fn ttl_min(self) -> u32 {
        match self {
            Self::Free | Self::Pro | Self::Business => 60,
            Self::Enterprise => 30,
        }
    }

    fn is_free(self) -> bool {
        match self {
            Self::Free => true,
            Self::Pro | Self::Business | Self::Enterprise => false,
        }
    }
}
