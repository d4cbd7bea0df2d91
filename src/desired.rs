//! What is wanted: at Cloudflare and on this host.
