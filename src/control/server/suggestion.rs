//! What may have been meant by a word that is unknown. Pure.

/// How alike two words must be for the one to be taken for a slip of the other, from 0 to 1.
const ALIKE_MIN: f64 = 0.7;

/// The longest word that is compared, in bytes: nothing of ours is as long, and a path of 60 KiB would be compared with the names of
/// a thousand tunnels.
const WORD_MAX: usize = 256;

/// The question whether that of `known` was meant which is most like `word`, if any is like it.
pub(super) fn of_word<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    meant(word, known).map(|known| format!("did you mean {known:?}?"))
}

/// The same, or else what is known, if anything is.
pub(super) fn among(word: &str, known: &[&str]) -> Option<String> {
    let listed = || (!known.is_empty()).then(|| format!("known are {}", known.join(", ")));
    of_word(word, known.iter().copied()).or_else(listed)
}

fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let alike = known.into_iter().map(|known| (strsim::jaro_winkler(known, word), known));
    let alike = alike.map(|(alike, known)| (if is_slip(known, word) { 1.0 } else { alike }, known));
    let best = alike.filter(|(alike, _)| *alike >= ALIKE_MIN).max_by(|one, other| one.0.total_cmp(&other.0));
    best.map(|(_, known)| known)
}

/// Whether a letter in three at most differs, or two changed places: in a short word little else is left to be alike.
fn is_slip(known: &str, word: &str) -> bool {
    strsim::damerau_levenshtein(known, word) <= (word.chars().count() / 3).max(1)
}

/// What may have been meant by the unknown word of which a parser complains: "unknown field `nmae`, expected `name` or …".
pub(super) fn of_complaint(complaint: &str) -> Option<String> {
    let behind = |what: &str| complaint.split_once(what).map(|(_, rest)| rest);
    let rest = behind("unknown field `").or_else(|| behind("unknown variant `"))?;
    let mut quoted = rest.split('`');
    let word = quoted.next()?;
    // Between two quoted words stands what joins them.
    let known: Vec<&str> = quoted.skip(1).step_by(2).collect();
    among(word, &known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_end_is_not_compared() {
        assert_eq!(meant("webb", ["web"]), Some("web"));
        assert_eq!(meant(&format!("web{}", "b".repeat(WORD_MAX)), ["web"]), None);
    }

    #[test]
    fn a_complaint_about_a_slip_names_what_was_meant() {
        for (complaint, hint) in [
            ("unknown field `nmae`, expected `name` or `definition` at line 1", Some("did you mean \"name\"?")),
            ("unknown field `folow`, expected one of `follow`, `limit`, `since`", Some("did you mean \"follow\"?")),
            ("unknown field `zzz`, expected `hash`", Some("known are hash")),
            ("unknown field `zzz`, there are no fields", None),
            ("unknown variant `runing`, expected one of `running`, `done`", Some("did you mean \"running\"?")),
            ("missing field `name`", None),
        ] {
            assert_eq!(of_complaint(complaint).as_deref(), hint, "{complaint}");
        }
    }

    #[test]
    fn letters_that_changed_places_are_a_slip_also_in_a_short_word() {
        for (word, known) in [("wbe", Some("web")), ("ap", Some("api")), ("webshp", Some("webshop")), ("database", None)] {
            assert_eq!(meant(word, ["api", "web", "webshop"]), known, "{word}");
        }
    }
}
