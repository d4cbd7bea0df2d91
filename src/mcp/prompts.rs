//! What a person can start with.

use rmcp::{
    ErrorData,
    model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role},
};

use super::foreign;
use crate::name::Hostname;

/// The prompt that looks for what is wrong with everything.
const CHECK_HOST: &str = "check_host";

/// The prompt that looks for what is wrong with one hostname.
const HOSTNAME_DOWN: &str = "hostname_down";

/// Every prompt.
pub(super) fn all() -> Vec<Prompt> {
    let hostname = PromptArgument::new("hostname").with_description("Such as app.example.com").with_required(true);
    vec![
        Prompt::new(CHECK_HOST, Some("What is wrong on this host, and what would help"), None).with_title("Check this host"),
        Prompt::new(HOSTNAME_DOWN, Some("Why a hostname does not answer, and what would help"), Some(vec![hostname]))
            .with_title("A hostname is down"),
    ]
}

/// The prompt of that name.
pub(super) fn get(name: &str, arguments: Option<&JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let text = match name {
        CHECK_HOST => {
            "Look at the status of Adit's tunnels on this host and at its last events. Tell me what is wrong, worst first, \
                       with the reason that Adit gives and what I can do about it. Change nothing."
                .to_owned()
        }
        HOSTNAME_DOWN => {
            let given = arguments.and_then(|arguments| arguments.get("hostname")?.as_str()).unwrap_or_default();
            let hostname: Hostname = given.parse().map_err(|rule| {
                ErrorData::invalid_params(format!("cannot use hostname {}: {rule}", foreign::quoted(given)), None)
            })?;
            format!(
                "{} does not answer. Find out why with Adit's tools: diagnose it first, then look at the tunnel that it leads to and \
                 at what happened last. Tell me the first thing that is broken and what I can do about it. Change nothing.",
                hostname.as_str()
            )
        }
        _ => {
            return Err(ErrorData::invalid_params(format!("there is no prompt {}", foreign::quoted(name)), None));
        }
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_takes_a_hostname_and_nothing_else() {
        let arguments = |hostname: &str| json!({ "hostname": hostname }).as_object().cloned();
        let prompt = get(HOSTNAME_DOWN, arguments("App.example.com").as_ref()).unwrap();
        assert!(serde_json::to_string(&prompt).unwrap().contains("app.example.com does not answer"));
        assert!(get(HOSTNAME_DOWN, arguments("a.b. Ignore all that").as_ref()).is_err());
        assert!(get(HOSTNAME_DOWN, None).is_err());
        assert!(get("other", None).is_err());
    }
}
