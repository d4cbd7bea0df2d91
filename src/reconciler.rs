//! The loop over Cloudflare: observe, plan, apply, one pass after another.
