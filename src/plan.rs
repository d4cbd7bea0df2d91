//! What to change at Cloudflare: from what is wanted and what is there to steps, holds and conflicts.
