//! What may have been meant by a word that is unknown.

/// How alike two words must be for the one to be taken for the other, by Jaro and Winkler, from 0 to 1: of less alike ones a question
/// would be a guess.
const ALIKE_MIN: f64 = 0.8;

/// The longest word that is compared, in bytes: nothing of ours is as long, and a path of 60 KiB would be compared with the names of
/// a thousand tunnels.
const WORD_MAX: usize = 256;

/// How many words are listed before the rest is only counted.
const LISTED_MAX: usize = 24;

/// The one of `known` that `word` is most likely meant to be, if any is like it. Case counts for nothing.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let ranked = known.into_iter().filter_map(|known| Some((rank(&word, &known.to_lowercase())?, known)));
    ranked.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(other.1))).map(|(_, known)| known)
}

/// How far `known` is from `word`, when it is near enough to be meant: slips count before what is only alike.
#[expect(clippy::cast_precision_loss, reason = "a word has far fewer letters than a float counts exactly")]
fn rank(word: &str, known: &str) -> Option<f64> {
    let slips = strsim::damerau_levenshtein(word, known);
    // A letter in three at most differs, or two changed places: in a short word little else is left to be alike, and of a single
    // letter nothing.
    let length = word.chars().count();
    let slips_max = (length / 3).max(1).min(length.saturating_sub(1));
    if slips <= slips_max {
        return Some(slips as f64);
    }
    let alike = strsim::jaro_winkler(word, known);
    (alike >= ALIKE_MIN).then_some(slips_max as f64 + 2.0 - alike)
}

/// The question whether the nearest of `known` was meant, if one is near.
pub fn question<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean {known:?}?"))
}

/// The same, or else what is known, if anything is.
pub fn question_or_list<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    question(word, known.iter().copied()).or_else(|| {
        let (listed, rest) = known.split_at(known.len().min(LISTED_MAX));
        let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        (!listed.is_empty()).then(|| format!("known are {}{rest}", listed.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_in_any_case_and_another_word_is_not() {
        let known = ["a", "api", "web", "webshop"];
        for (word, near) in [
            ("wbe", Some("web")),
            ("apu", Some("api")),
            ("webb", Some("web")),
            ("webshp", Some("webshop")),
            ("WebShop", Some("webshop")),
            ("webshopping", Some("webshop")),
            ("database", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn fewer_slips_count_before_what_is_only_alike() {
        assert_eq!(nearest("tunnel-b", ["tunnel-before-last", "tunnel-a"]), Some("tunnel-a"));
        assert_eq!(nearest("cat", ["car", "bat"]), Some("bat"), "of two that are as near the first in the alphabet");
    }

    #[test]
    fn a_word_without_end_is_not_compared() {
        assert_eq!(nearest(&format!("web{}", "b".repeat(WORD_MAX)), ["web"]), None);
    }

    #[test]
    fn what_is_known_is_listed_and_of_very_many_the_rest_is_counted() {
        let many: Vec<String> = (0..LISTED_MAX + 7).map(|number| format!("tunnel-{number}")).collect();
        let many = question_or_list("zzz", many.iter().map(String::as_str)).unwrap();
        assert!(many.starts_with("known are tunnel-0, tunnel-1, ") && many.ends_with(", tunnel-23 and 7 more"), "{many}");
        assert_eq!(question_or_list("wbe", ["api", "web"]).as_deref(), Some("did you mean \"web\"?"));
        assert_eq!(question_or_list("database", ["api", "web"]).as_deref(), Some("known are api, web"));
        assert_eq!(question_or_list("zzz", []), None);
    }
}
