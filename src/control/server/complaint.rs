//! What a parser complains of. Pure.

use crate::suggestion::question_or_list;

/// What may have been meant by the unknown word of which a parser complains: "unknown field `nmae`, expected `name` or …".
pub(super) fn suggested(complaint: &str) -> Option<String> {
    let behind = |what: &str| complaint.split_once(what).map(|(_, rest)| rest);
    let rest = behind("unknown field `").or_else(|| behind("unknown variant `"))?;
    let mut quoted = rest.split('`');
    let word = quoted.next()?;
    // Between two quoted words stands what joins them.
    let known: Vec<&str> = quoted.skip(1).step_by(2).collect();
    question_or_list(word, known)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(suggested(complaint).as_deref(), hint, "{complaint}");
        }
    }
}
