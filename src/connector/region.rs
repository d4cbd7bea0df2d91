//! The region of Cloudflare's edge that a connector connects to, where it is not the whole of it.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::Deserialize;

use super::Launch;

/// What of a connector token says where the tunnel may be served from.
#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    e: Option<String>,
}

impl Launch {
    /// The region, such as `us`: that of the token, of `--region`, or of `TUNNEL_REGION`, in cloudflared's order.
    pub fn edge_region(&self) -> Option<String> {
        let given = self.region_of_token().or_else(|| self.region_of_arguments());
        given.or_else(|| self.env.get("TUNNEL_REGION").cloned()).filter(|region| is_label(region))
    }

    fn region_of_token(&self) -> Option<String> {
        let json = STANDARD_NO_PAD.decode(self.token.expose().trim().trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Endpoint>(&json).ok()?.e.filter(|region| !region.is_empty())
    }

    fn region_of_arguments(&self) -> Option<String> {
        let mut arguments = self.extra_args.iter();
        while let Some(argument) = arguments.next() {
            match argument.trim_start_matches('-').split_once('=') {
                Some(("region", value)) => return Some(value.to_owned()),
                None if argument.starts_with('-') && argument.trim_start_matches('-') == "region" => {
                    return arguments.next().cloned();
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

/// Whether it can be a part of a host's name: it will be asked for.
fn is_label(region: &str) -> bool {
    const LENGTH_MAX: usize = 32;
    !region.is_empty() && region.len() <= LENGTH_MAX && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::{connector::testing::launch, secret::Secret};

    fn token(json: &str) -> Launch {
        Launch { token: Secret::new(STANDARD.encode(json)), ..launch() }
    }

    fn arguments(arguments: &[&str]) -> Launch {
        Launch { extra_args: arguments.iter().map(|argument| (*argument).to_owned()).collect(), ..launch() }
    }

    #[test]
    fn the_region_is_that_of_the_token_the_arguments_or_the_environment() {
        let mut everything = token(r#"{"a":"x","t":"y","s":"z","e":"fed"}"#);
        everything.extra_args = ["--region".into(), "us".into()].into();
        let mut environment = launch();
        Arc::make_mut(&mut environment.env).insert("TUNNEL_REGION".into(), "us".into());
        for (launch, region) in [
            (everything, Some("fed")),
            (token(r#"{"a":"x","t":"y","s":"z"}"#), None),
            (launch(), None),
            (arguments(&["--retries", "9", "--region", "us"]), Some("us")),
            (arguments(&["--region=us"]), Some("us")),
            (arguments(&["--region"]), None),
            (arguments(&["--region", "us.example.com"]), None),
            (environment, Some("us")),
        ] {
            assert_eq!(launch.edge_region().as_deref(), region, "{:?}", launch.extra_args);
        }
    }
}
