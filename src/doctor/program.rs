//! The `cloudflared` binary: where it is, whether it can be run, how old it is.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::civil::Date;

use super::{Advised, check};
use crate::{
    control::api::{
        DoctorCheck,
        DoctorGroup::Cloudflared,
        DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
    },
    error_text,
    process::{self, Version},
};

/// How old a version may be, in months: Cloudflare supports those of the last year.
const MONTHS_SUPPORTED: i64 = 12;

/// From how many months on it is told that the end is near.
const MONTHS_OLD: i64 = 10;

/// What is known of the binary.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where it is looked for.
    pub path: PathBuf,
    /// The version that it says, or why it cannot be used.
    pub version: Result<Version, String>,
    /// The processor that it is made for, by its ELF header; `None` for a script.
    pub made_for: Option<u16>,
    /// The processor of this host, in the same numbers; `None` for one that is not known here.
    pub runs_on: Option<u16>,
    /// The day of the look.
    pub today: Date,
}

/// Looks at the binary, and runs it to ask for its version. It blocks, for ten seconds at most.
pub fn look(path: &Path, today: Date) -> Facts {
    let version = process::check_binary(path).map_err(|error| error_text::with_causes(&error));
    Facts { path: path.to_owned(), version, made_for: machine(path).ok().flatten(), runs_on: own_machine(), today }
}

/// `e_machine` of an ELF file.
fn machine(path: &Path) -> io::Result<Option<u16>> {
    let mut header = [0; 20];
    File::open(path)?.read_exact(&mut header)?;
    let number = if header[5] == 2 { u16::from_be_bytes } else { u16::from_le_bytes };
    Ok(header.starts_with(b"\x7fELF").then(|| number([header[18], header[19]])))
}

/// `e_machine` of the host's own programs.
fn own_machine() -> Option<u16> {
    Some(match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "arm" => 40,
        "x86" => 3,
        "riscv64" => 243,
        "s390x" => 22,
        _ => return None,
    })
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let path = facts.path.display();
    if let (Some(made_for), Some(runs_on)) = (facts.made_for, facts.runs_on)
        && made_for != runs_on
        && facts.version.is_err()
    {
        let sentence = format!("{path} is made for another processor (ELF machine {made_for}, and this host is {runs_on})");
        return vec![check(Cloudflared, "binary", Failure, sentence).advised("install the cloudflared of this architecture")];
    }
    let version = match &facts.version {
        Ok(version) => version,
        Err(why) => {
            let check = check(Cloudflared, "binary", Failure, why.clone());
            return vec![check.advised("install a current cloudflared, or name it under [cloudflared] binary")];
        }
    };
    vec![check(Cloudflared, "binary", Fine, format!("{path} is cloudflared {version}")), age(facts, *version)]
}

fn age(facts: &Facts, version: Version) -> DoctorCheck {
    if !(1..=12).contains(&version.month) {
        return check(Cloudflared, "version", Unknown, format!("{version} tells no month, so its age is not known"));
    }
    let months = |year: i64, month: i64| year * 12 + month;
    let today = months(i64::from(facts.today.year()), i64::from(facts.today.month()));
    let age = today - months(i64::from(version.year), i64::from(version.month));
    let update = "update cloudflared: connectors go over to it one by one, and back when it does not get ready";
    match age {
        ..0 => check(Cloudflared, "version", Note, format!("{version} is of a month to come, by this host's clock"))
            .advised("look at the clock"),
        0..MONTHS_OLD => {
            check(Cloudflared, "version", Fine, format!("{version} is {age} months old, of {MONTHS_SUPPORTED} supported"))
        }
        MONTHS_OLD..=MONTHS_SUPPORTED => {
            let sentence = format!("{version} is {age} months old, and Cloudflare supports versions of the last year");
            check(Cloudflared, "version", Note, sentence).advised(update)
        }
        _ => {
            let sentence = format!("{version} is {age} months old, and Cloudflare supports only versions of the last year");
            check(Cloudflared, "version", Warning, sentence).advised(update)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::control::api::DoctorResult;

    fn facts(version: &str) -> Facts {
        let version = version.parse().map_err(|()| "cannot find the cloudflared binary".to_owned());
        Facts { path: "/usr/bin/cloudflared".into(), version, made_for: Some(62), runs_on: Some(62), today: date(2026, 8, 20) }
    }

    #[test]
    fn a_version_is_supported_for_a_year() {
        for (version, result) in [
            ("2026.8.0", Fine),
            ("2025.11.1", Fine),
            ("2025.10.0", Note),
            ("2025.8.1", Note),
            ("2025.7.0", Warning),
            ("2026.9.0", Note),
            ("2026.13.0", Unknown),
        ] {
            let checks = judge(&facts(version));
            assert_eq!((checks[0].result, checks[1].result), (Fine, result), "{version}: {checks:?}");
        }
    }

    #[test]
    fn a_binary_that_cannot_be_used_says_why() {
        let named = |facts: &Facts| -> (DoctorResult, String) {
            let check = judge(facts).remove(0);
            (check.result, check.sentence)
        };
        let (result, sentence) = named(&facts("none"));
        assert!(result == Failure && sentence.contains("cannot find"), "{sentence}");
        let (result, sentence) = named(&Facts { made_for: Some(183), ..facts("none") });
        assert!(result == Failure && sentence.contains("another processor"), "{sentence}");
        assert_eq!(named(&Facts { made_for: Some(183), ..facts("2026.8.0") }).0, Fine, "it runs, so it can be run");
    }

    #[test]
    fn this_test_is_made_for_this_host() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(machine(&own).unwrap(), own_machine());
    }
}
