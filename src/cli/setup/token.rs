//! The API token: asked for, and told from what people paste by mistake.

use zeroize::Zeroizing;

use super::{Context, Ending, Failure};
use crate::{
    cloudflare::{Permission, TokenKind},
    credential::{api_token, parse_connector_token},
    secret::Secret,
};

/// More is no token, whatever it is, in bytes.
const INPUT_MAX: usize = 4 * 1024;

/// How often somebody at a terminal may try.
const TRIES_MAX: usize = 3;

/// The length of a Global API Key in hexadecimal digits. API tokens have 40 and more characters of a larger alphabet.
const GLOBAL_KEY_LENGTH: usize = 37;

/// Where API tokens are made.
pub(super) const DASHBOARD: &str = "https://dash.cloudflare.com/profile/api-tokens";

/// What a token must be allowed to do for tunnels and their hostnames.
const NEEDED: [Permission; 3] = [Permission::TunnelEdit, Permission::DnsEdit, Permission::ZoneRead];

/// Asks for a token. Somebody at a terminal is told what it needs, and may try again.
pub(super) fn ask(context: &mut Context<'_>) -> Result<Secret, Failure> {
    let shown = context.terminal.is_interactive();
    if shown {
        for line in instructions() {
            context.terminal.tell(&line);
        }
    }
    let mut tries_left = TRIES_MAX;
    loop {
        tries_left -= 1;
        let given = context.terminal.ask_secret("API token (it is not shown): ", INPUT_MAX)?;
        match judge(&given) {
            Ok(token) => return Ok(token),
            Err(reason) if shown && tries_left > 0 => context.terminal.tell(&format!("that cannot be used: {reason}")),
            Err(reason) => {
                let failure = Failure::new(Ending::Failed, format!("cannot use what was given as the API token: {reason}"));
                return Err(failure.with_hint("adit setup < FILE, or paste it at the prompt; it is never an argument"));
            }
        }
    }
}

fn instructions() -> Vec<String> {
    let head = ["Adit needs an API token of Cloudflare. Make one, with \"Create Custom Token\":".to_owned()];
    let places = [
        format!("  {DASHBOARD}  (of your user)"),
        "  or, better for a server, in the dashboard: Manage Account > Account API Tokens  (of the account)".to_owned(),
        "with these permissions, for the account and the zones of your hostnames:".to_owned(),
    ];
    let needed = NEEDED.map(|permission| format!("  {permission}"));
    head.into_iter().chain(places).chain(needed).collect()
}

/// The token in what was given, or what it is instead.
fn judge(given: &Zeroizing<Vec<u8>>) -> Result<Secret, String> {
    if given.len() >= INPUT_MAX {
        return Err(format!("it has {INPUT_MAX} bytes or more; an API token is one short line"));
    }
    let text = std::str::from_utf8(given).unwrap_or_default();
    let connector_token = |word: &str| parse_connector_token(&Secret::new(word)).is_ok();
    if text.split_whitespace().any(connector_token) {
        return Err(
            "it is a tunnel's connector token (eyJ…), as in \"cloudflared service install\", and not an API token".to_owned()
        );
    }
    let token = api_token(given).map_err(str::to_owned)?;
    let looks_global = token.expose().len() == GLOBAL_KEY_LENGTH && token.expose().bytes().all(|byte| byte.is_ascii_hexdigit());
    if looks_global || TokenKind::of(&token) == TokenKind::GlobalKey {
        return Err("it is a Global API Key, which may do anything to your account; make an API token instead".to_owned());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::connector_token;

    fn judged(text: &str) -> Result<String, String> {
        judge(&Zeroizing::new(text.as_bytes().to_vec())).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_is_taken_from_what_people_paste() {
        for text in ["cfut_canary", "cfut_canary\n", "  cfut_canary \r\n", "\n\ncfut_canary\n\n"] {
            assert_eq!(judged(text), Ok("cfut_canary".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_pasted_by_mistake_is_told_without_showing_it() {
        let id = "11111111-2222-3333-4444-555555555555".parse().unwrap();
        let tunnel = connector_token(&"0a1b".parse().unwrap(), &id, &Secret::new("Y2FuYXJ5"));
        let install = format!("sudo cloudflared service install {}", tunnel.expose());
        for (text, part) in [
            ("", "it is empty"),
            ("\n", "it is empty"),
            (tunnel.expose(), "a tunnel's connector token"),
            (install.as_str(), "a tunnel's connector token"),
            ("canary canary", "white space"),
            ("canary\ncanary", "more than one line"),
            ("cfk_canary0123456789", "Global API Key"),
            ("0123456789abcdef0123456789abcdef01234", "Global API Key"),
            ("Bearer canary", "white space"),
            (&"a".repeat(INPUT_MAX), "one short line"),
        ] {
            let reason = judged(text).unwrap_err();
            assert!(reason.contains(part) && !reason.contains("canary"), "{text:?}: {reason}");
        }
        assert!(judge(&Zeroizing::new(vec![0xff, 0xfe])).is_err());
    }

    #[test]
    fn the_instructions_name_each_permission_as_the_dashboard_does() {
        let text = instructions().join("\n");
        for words in ["Account > Cloudflare Tunnel > Edit", "Zone > DNS > Edit", "Zone > Zone > Read", DASHBOARD] {
            assert!(text.contains(words), "{words}");
        }
    }
}
