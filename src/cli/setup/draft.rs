//! What is there, and what is to be there.

use super::{Arguments, Ending, Failure, fragment, host::Host, keeping, tunnel::FirstTunnel};
use crate::{
    config::{Config, Problems, Source, TokenSource},
    config_files,
    control::api::Problem,
    id::AccountId,
    name::AccountName,
};

/// The configuration as it is found.
pub(super) struct Ground {
    main: std::path::PathBuf,
    there: Vec<Source>,
    /// The main file, where it has to be made.
    pub(super) missing_main: Option<Source>,
    /// What the files mean.
    pub(super) now: Config,
}

impl Ground {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or have mistakes: nothing is put on top of those.
    pub(super) fn look(host: &Host) -> Result<Self, Failure> {
        let main = host.main.clone();
        let is_missing = main.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let missing_main = is_missing.then(|| Source { path: main.clone(), text: fragment::EMPTY_MAIN.to_owned() });
        let there = if is_missing { config_files::read_beside(&main) } else { config_files::read(&main) };
        let there = there.map_err(Failure::of)?;
        let now = fragment::together(&main, &there, &[]).map_err(|problems| {
            let failure = unusable("cannot add to the configuration: it has mistakes", problems);
            failure.with_hint("\"adit config check\" shows them; nothing was changed")
        })?;
        Ok(Self { main, there, missing_main, now })
    }

    /// What the files would mean with these.
    ///
    /// # Errors
    ///
    /// Everything that would be wrong.
    pub(super) fn with(&self, files: &[Source]) -> Result<Config, Failure> {
        fragment::together(&self.main, &self.there, files)
            .map_err(|problems| unusable("cannot make this configuration: it would have mistakes", problems))
    }
}

fn unusable(message: &str, problems: Problems) -> Failure {
    let details = problems.0.iter().map(|problem| Problem { at: None, problem: problem.to_string() });
    Failure::new(Ending::Failed, message).with_more(details)
}

/// What is to be there.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    main: std::path::PathBuf,
    drop_ins: std::path::PathBuf,
    account: AccountName,
    /// Whether the account is in the configuration already, so that its file is left alone.
    is_known: bool,
    /// Whether its token has to be asked for.
    pub(super) wants_token: bool,
    /// The account at Cloudflare, as soon as it is known.
    pub(super) account_id: Option<AccountId>,
    /// Where its token is.
    pub(super) source: TokenSource,
    api_base: Option<String>,
    pub(super) tunnel: Option<FirstTunnel>,
}

impl Draft {
    /// What the arguments say, on the ground of what is there.
    ///
    /// # Errors
    ///
    /// When they contradict it.
    pub(super) fn begin(arguments: &Arguments, host: &Host, ground: &Ground) -> Result<Self, Failure> {
        let name = &arguments.name;
        let known = ground.now.accounts.get(name);
        let given_id = arguments.account_id.clone();
        if let Some(known) = known {
            let other_id = given_id.as_ref().is_some_and(|given| known.account_id.as_ref().is_some_and(|known| known != given));
            let other_base =
                arguments.api_base.as_ref().is_some_and(|base| base.trim_end_matches('/') != known.api_base.as_str());
            if other_id || other_base {
                let what = if other_id { "account_id" } else { "api_base" };
                let message = format!("cannot change {what} of account \"{name}\": it is configured already");
                let hint = "change it in its file, which \"adit config show\" names, or give the new account another --name";
                return Err(Failure::new(Ending::Conflict, message).with_hint(hint));
            }
        }
        let tunnel = match (&arguments.tunnel, arguments.rule.value()) {
            (Some(name), Some(rule)) => Some(FirstTunnel { name: name.clone(), rule }),
            (Some(_) | None, _) => None,
        };
        // Until it is decided, the name of a file stands for it.
        let unplaced = || TokenSource::File(host.tokens.join(name.as_str()));
        Ok(Self {
            main: host.main.clone(),
            drop_ins: host.drop_ins.clone(),
            account: name.clone(),
            is_known: known.is_some(),
            wants_token: known.is_none_or(|known| arguments.replace || !keeping::is_kept(host, &known.api_token)),
            account_id: given_id.or_else(|| known.and_then(|known| known.account_id.clone())),
            source: known.map_or_else(unplaced, |known| known.api_token.clone()),
            api_base: arguments.api_base.clone(),
            tunnel,
        })
    }

    /// The files that make it so. Of an account that is there already nothing is written but its tunnel.
    ///
    /// # Errors
    ///
    /// When a rule has no form in TOML.
    pub(super) fn files(&self) -> Result<Vec<Source>, Failure> {
        let Self { main, account, source, .. } = self;
        let mut files = Vec::new();
        if !self.is_known {
            let text = fragment::account_text(account, self.account_id.as_ref(), source, self.api_base.as_deref());
            files.push(Source { path: fragment::account_path(main, account), text });
        }
        if let Some(FirstTunnel { name, rule }) = &self.tunnel {
            let text = fragment::tunnel_text(name, account, rule).map_err(Failure::of)?;
            files.push(Source { path: fragment::tunnel_path(main, name), text });
        }
        Ok(files)
    }

    /// What the unit has to be told of the account's token, if it does not know it by itself.
    pub(super) fn drop_in(&self) -> Option<Source> {
        let TokenSource::Credential(name) = &self.source else { return None };
        let path = fragment::drop_in_path(&self.drop_ins, &self.account);
        let text = fragment::drop_in_text(&self.account, name);
        (!self.is_known && fragment::needs_drop_in(name)).then_some(Source { path, text })
    }
}
