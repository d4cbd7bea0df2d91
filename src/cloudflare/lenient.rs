//! Reading fields that the schema promises and the API sometimes does not give: absent, null, of another type.
//!
//! One odd field of one object must not hide a whole list; a field that decides something (an id, a deletion) must be right.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

/// A field that may be null: then its type's default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A field that is only taken when it is what we know.
pub(super) fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// A time that is only told to people.
pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(|text| text.parse().ok()))
}

/// The time of a deletion: null, empty and the year 1 (how a Go program writes "never") mean that there was none. Anything
/// else must be a time, because it decides whether the object is there.
pub(super) fn deletion<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) if text.starts_with("0001-01-01T") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| D::Error::custom("deleted_at is no time")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deletion_is_certain_or_an_error() {
        for (value, expected) in [
            (json!(null), Some(None)),
            (json!(""), Some(None)),
            (json!("0001-01-01T00:00:00Z"), Some(None)),
            (json!("2026-01-02T03:04:05.678Z"), Some(Some("2026-01-02T03:04:05.678Z".parse().unwrap()))),
            (json!("yesterday"), None),
            (json!(17), None),
        ] {
            assert_eq!(deletion(value.clone()).ok(), expected, "{value}");
        }
    }

    #[test]
    fn odd_values_of_fields_that_decide_nothing_are_left_out() {
        for value in [json!(null), json!(7), json!("yesterday"), json!({})] {
            assert_eq!(timestamp(value.clone()).unwrap(), None, "{value}");
        }
        assert_eq!(known::<_, bool>(json!("yes")).unwrap(), None);
        assert_eq!(known::<_, bool>(json!(true)).unwrap(), Some(true));
        assert_eq!(or_default::<_, String>(json!(null)).unwrap(), "");
    }
}
