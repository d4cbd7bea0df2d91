//! The typed client of Cloudflare's API.
