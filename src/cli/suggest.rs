//! What may have been meant by a mistyped name.

/// The known name that is nearest to what was typed, if one is near enough to be meant.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips_max = (typed.chars().count() / 3).max(1);
    let slips = |name: &str| strsim::damerau_levenshtein(typed, name);
    known.into_iter().map(|name| (slips(name), name)).filter(|(slips, _)| *slips <= slips_max).min().map(|(_, name)| name)
}

/// The same as a hint, and else all that there is, as far as it is few.
pub(super) fn hint<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(typed, known.iter().copied()) {
        Some(near) => Some(format!("did you mean {near:?}?")),
        None if known.is_empty() => None,
        None if known.len() <= LISTED_MAX => Some(format!("known are {}", known.join(", "))),
        None => None,
    }
}

/// More names than these are no help.
const LISTED_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["webshop", "web", "api"];
        for (typed, near) in [("webshp", Some("webshop")), ("wbe", Some("web")), ("database", None)] {
            assert_eq!(nearest(typed, known), near, "{typed}");
        }
        assert_eq!(hint("database", known).as_deref(), Some("known are webshop, web, api"));
        assert_eq!(hint("database", []), None);
    }
}
