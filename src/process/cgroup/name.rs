//! The name of a leaf: it says whose it is, so that it can be known without any record.

use crate::connector::{Generation, SlotId};

const PREFIX: &str = "c-";

/// The leaf of one generation, `c-TUNNEL.REPLICA.GENERATION`. A tunnel's name holds neither a slash nor a dot, and the beginning
/// keeps it apart from the kernel's own files.
pub(in crate::process) fn of(slot: &SlotId, generation: Generation) -> String {
    format!("{PREFIX}{}.{}.{generation}", slot.tunnel, slot.replica)
}

/// Whose leaf has this name; `None` when it is none of ours.
pub(in crate::process) fn parse(name: &str) -> Option<(SlotId, Generation)> {
    parse_stem(name.strip_prefix(PREFIX)?)
}

/// `TUNNEL.REPLICA.GENERATION`, exactly as it is written.
pub(in crate::process) fn parse_stem(stem: &str) -> Option<(SlotId, Generation)> {
    let (rest, generation) = stem.rsplit_once('.')?;
    let (tunnel, replica) = rest.rsplit_once('.')?;
    let (slot, generation) =
        (SlotId::new(tunnel.to_owned().try_into().ok()?, replica.parse().ok()?), Generation(generation.parse().ok()?));
    // Numbers have one spelling: `+1` and `01` are somebody else's.
    (format!("{}.{}.{generation}", slot.tunnel, slot.replica) == stem).then_some((slot, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_known_by_its_name_and_nothing_else_is() {
        let slot = SlotId::new("my-web".parse().unwrap(), 3);
        assert_eq!(of(&slot, Generation(12)), "c-my-web.3.12");
        assert_eq!(parse("c-my-web.3.12"), Some((slot, Generation(12))));
        for other in [
            "",
            "c-",
            "daemon",
            ".control",
            "c-web.0",
            "c-web.0.x",
            "c-web.0.1.2",
            "c-.0.1",
            "c-web.01.1",
            "c-web.0.+1",
            "web.0.1",
            "c-We b.0.1",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
