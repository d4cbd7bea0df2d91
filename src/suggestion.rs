//! What may have been meant by a word that is unknown.

/// How alike two words must be for the one to be taken for the other, by Jaro and Winkler, from 0 to 1: of less alike ones a question
/// would be a guess.
const ALIKE_MIN: f64 = 0.8;

/// The longest word that is compared, in bytes: nothing of ours is as long, and a path of 60 KiB would be compared with the names of
/// a thousand tunnels.
const WORD_MAX: usize = 256;

/// More than a word can have slips: what is only alike comes behind.
const WORD_MAX_SLIPS: f64 = 256.0;

/// How many words are listed before the rest is only counted.
const LISTED_MAX: usize = 24;

/// What stands between the parts of a name: of a hostname, a path, a kind of event, a key.
const SEPARATORS: [char; 4] = ['.', '-', '/', '_'];

/// The one of `known` that `word` is most likely meant to be, if any is like it. Case counts for nothing, nor do parts that both
/// have in their places: two hostnames of one zone are not alike for that.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let ranked = known.into_iter().filter_map(|known| Some((rank(&word, &known.to_lowercase())?, known)));
    ranked.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(other.1))).map(|(_, known)| known)
}

/// How far `known` is from `word`, when it is near enough to be meant.
fn rank(word: &str, known: &str) -> Option<f64> {
    let (word, known): (Vec<&str>, Vec<&str>) = (word.split(SEPARATORS).collect(), known.split(SEPARATORS).collect());
    if word.len() == known.len() {
        return word.iter().zip(&known).map(|(word, known)| rank_part(word, known)).sum();
    }
    // A separator is missing, or there is one too many: what is the same at both ends says nothing.
    let (word, known) = without_shared_ends(&word, &known);
    let (word, known) = (word.join("-"), known.join("-"));
    slips(&word, &known)
}

/// The same for a part between two separators: slips count before what is only alike.
fn rank_part(word: &str, known: &str) -> Option<f64> {
    let alike = || Some(strsim::jaro_winkler(word, known)).filter(|alike| *alike >= ALIKE_MIN);
    slips(word, known).or_else(|| Some(WORD_MAX_SLIPS + 1.0 - alike()?))
}

/// How many letters differ or changed places, when that is a letter in three at most: in a short word little else is left to be alike,
/// and of a single letter nothing.
#[expect(clippy::cast_precision_loss, reason = "a word has far fewer letters than a float counts exactly")]
fn slips(word: &str, known: &str) -> Option<f64> {
    let length = word.chars().count();
    let slips = strsim::damerau_levenshtein(word, known);
    (slips <= (length / 3).max(1).min(length.saturating_sub(1))).then_some(slips as f64)
}

/// The parts of two names without those at both ends that they share.
fn without_shared_ends<'a, 'b>(word: &'a [&'a str], known: &'b [&'b str]) -> (&'a [&'a str], &'b [&'b str]) {
    let shared = word.iter().zip(known).take_while(|(word, known)| word == known).count();
    let (word, known) = (&word[shared..], &known[shared..]);
    let shared = word.iter().rev().zip(known.iter().rev()).take_while(|(word, known)| word == known).count();
    (&word[..word.len() - shared], &known[..known.len() - shared])
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
    fn parts_that_names_share_make_them_no_more_alike() {
        let hostnames = ["*.example.com", "api.example.com", "docs.example.com"];
        let kinds = [
            "connector-held",
            "connector-hung",
            "connector-lost-connections",
            "daemon-started",
            "daemon-stopping",
            "tunnel-gone",
        ];
        let paths = ["/v1/config", "/v1/plan", "/v1/tunnels", "/v1/tunnels/{name}/routes"];
        for (word, known, near) in [
            ("web.example.com", &hostnames[..], None),
            ("blog.example.com", &hostnames, None),
            ("dosc.example.com", &hostnames, Some("docs.example.com")),
            ("docs.exmaple.com", &hostnames, Some("docs.example.com")),
            ("connector-up", &kinds, None),
            ("connector", &kinds, None),
            ("conector-hung", &kinds, Some("connector-hung")),
            ("connector_hung", &kinds, Some("connector-hung")),
            ("daemon-stopped", &kinds, Some("daemon-stopping")),
            ("tunnel-created", &kinds, None),
            ("/v1/logs", &paths, None),
            ("/v1", &paths, None),
            ("/v1/tunnel", &paths, Some("/v1/tunnels")),
            ("/v1/tunnels/web/metrics", &paths, None),
        ] {
            assert_eq!(nearest(word, known.iter().copied()), near, "{word}");
        }
    }

    #[test]
    fn fewer_slips_count_before_what_is_only_alike() {
        assert_eq!(nearest("shopping", ["shopping2024", "shoppong"]), Some("shoppong"));
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
