//! The cloudflared of this host, as far as the caller can see it.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use rustix::process::geteuid;
use tokio::task::spawn_blocking;

use crate::{
    command,
    config::Cloudflared,
    control::api::{DoctorCheck, DoctorGroup, DoctorResult},
    doctor::{Advised, check, program},
};

/// What is to be said of the binary, which is run for its version. `path` is the `PATH` on which it is looked up.
pub(super) async fn checks(cloudflared: &Cloudflared, path: Option<&str>) -> Vec<DoctorCheck> {
    let binary = command::find(&cloudflared.binary, path);
    if geteuid().is_root()
        && let Some(check) = objection(&binary)
    {
        return vec![check];
    }
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let looking = spawn_blocking(move || program::judge(&program::look(&binary, today)));
    looking.await.expect("looking at a binary does not panic")
}

/// Why root does not run it: the daemon runs it as a user without rights, and somebody else could have put it there.
fn objection(binary: &Path) -> Option<DoctorCheck> {
    if !binary.exists() {
        return None;
    }
    let failure = command::check(binary).err()?;
    let sentence = format!("{} is not tried as root: {failure}", binary.display());
    Some(
        check(DoctorGroup::Cloudflared, "binary", DoctorResult::Unknown, sentence)
            .advised("the daemon looks at it when it runs; let it and its folders be root's, if that is to be trusted"),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn what_others_could_have_put_there_is_not_run_as_root() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("cloudflared");
        assert_eq!(objection(&binary), None, "that there is none is told otherwise");
        fs::write(&binary, "").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o777)).unwrap();
        let found = objection(&binary).unwrap();
        assert!(found.result == DoctorResult::Unknown && found.sentence.contains("is not tried as root"), "{found:?}");
        assert_eq!(objection(Path::new("/bin/sh")), None);
    }
}
