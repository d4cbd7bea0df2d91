//! Which boot of the host this is, and for how long it lasts: what lies on a tmpfs is only of one, and so are the times in it.

use std::{fs, io, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A file for the next daemon of this boot: its content, and what tells whether that counts.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    boot_id: String,
    #[serde(flatten)]
    content: T,
}

/// The kernel's name for the present boot.
///
/// # Errors
///
/// Where the kernel does not say it.
pub fn id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// For how long the host runs, sleep included: a clock that nobody sets, and that every daemon of this boot shares.
pub fn age() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// A file with this `content`, a table, in this `version` of its form, which counts within the boot `boot_id`.
pub fn render(version: u32, boot_id: &str, content: impl Serialize) -> Vec<u8> {
    let envelope = Envelope { version, boot_id: boot_id.to_owned(), content };
    serde_json::to_vec(&envelope).expect("it is made of strings, numbers and maps with strings for keys")
}

/// The content of such a file; `None` of another boot.
///
/// # Errors
///
/// Why it cannot be read, in one sentence: it is torn, or of another version.
pub fn parse<T: DeserializeOwned>(version: u32, boot_id: &str, bytes: &[u8]) -> Result<Option<T>, String> {
    let envelope: Envelope<T> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if envelope.version != version {
        return Err(format!("its version {} is not {version}", envelope.version));
    }
    Ok((envelope.boot_id == boot_id).then_some(envelope.content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_boot_has_one_name_and_gets_older() {
        assert!(!id().unwrap().is_empty());
        assert_eq!(id().unwrap(), id().unwrap());
        let before = age();
        assert!(before > Duration::ZERO && age() >= before);
    }
    #[test]
    fn a_file_counts_within_its_boot_and_in_its_version() {
        let content = BTreeMap::from([("ends".to_owned(), 3)]);
        let bytes = render(1, "this", &content);
        assert_eq!(bytes, br#"{"version":1,"boot_id":"this","ends":3}"#);
        assert_eq!(parse(1, "this", &bytes), Ok(Some(content)));
        assert_eq!(parse::<BTreeMap<String, u32>>(1, "another", &bytes), Ok(None));
        assert_eq!(parse::<BTreeMap<String, u32>>(2, "this", &bytes), Err("its version 1 is not 2".to_owned()));
        assert!(parse::<BTreeMap<String, u32>>(1, "this", &bytes[1..]).is_err());
    }
}
