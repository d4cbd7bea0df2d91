//! One event as text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Level;

/// An event with everything that belongs on its line.
pub(super) struct Line<'a> {
    pub(super) level: Level,
    pub(super) time: &'a str,
    pub(super) fields: &'a [(&'static str, Value)],
    /// Empty when the event has none.
    pub(super) message: &'a str,
}

impl Line<'_> {
    /// JSON as `--logfile` gets it: in the order in which it was written.
    pub(super) fn json_as_written(&self) -> Vec<u8> {
        let mut text = format!("{{\"level\":{}", Value::from(self.level_name()));
        for (name, value) in self.fields {
            text.push_str(&format!(",\"{name}\":{value}"));
        }
        text.push_str(&format!(",\"time\":{}", Value::from(self.time)));
        if !self.message.is_empty() {
            text.push_str(&format!(",\"message\":{}", Value::from(self.message)));
        }
        text.push_str("}\n");
        text.into_bytes()
    }

    /// JSON as `--output json` puts it on standard error: sorted by key.
    pub(super) fn json_sorted(&self) -> Vec<u8> {
        let mut object: BTreeMap<&str, Value> = self.fields.iter().map(|(name, value)| (*name, value.clone())).collect();
        object.insert("level", self.level_name().into());
        object.insert("time", self.time.into());
        if !self.message.is_empty() {
            object.insert("message", self.message.into());
        }
        let mut line = serde_json::to_vec(&object).expect("a map with text keys can be written as JSON");
        line.push(b'\n');
        line
    }

    /// The default form, for people.
    pub(super) fn console(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}", self.time, self.level_mark(), self.message);
        // `error` stands first, the others by name.
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by_key(|(name, _)| (*name != "error", *name));
        for (name, value) in fields {
            let value = match value {
                Value::String(plain) if !plain.contains([' ', '"', '=']) => plain.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            text.push_str(&format!(" {name}={value}"));
        }
        text.push('\n');
        text.into_bytes()
    }

    fn level_name(&self) -> &'static str {
        match self.level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }

    fn level_mark(&self) -> &'static str {
        match self.level {
            Level::Debug => "DBG",
            Level::Info => "INF",
            Level::Warn => "WRN",
            Level::Error => "ERR",
            Level::Fatal => "FTL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_three_forms() {
        let fields =
            [("event", Value::from(0)), ("connIndex", Value::from(2)), ("error", Value::from("connection with edge closed"))];
        let line = Line { level: Level::Warn, time: "2026-08-20T10:00:00Z", fields: &fields, message: "Serve tunnel error" };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();

        assert_eq!(
            text(line.json_as_written()),
            "{\"level\":\"warn\",\"event\":0,\"connIndex\":2,\"error\":\"connection with edge closed\",\
             \"time\":\"2026-08-20T10:00:00Z\",\"message\":\"Serve tunnel error\"}\n"
        );
        assert_eq!(
            text(line.json_sorted()),
            "{\"connIndex\":2,\"error\":\"connection with edge closed\",\"event\":0,\"level\":\"warn\",\
             \"message\":\"Serve tunnel error\",\"time\":\"2026-08-20T10:00:00Z\"}\n"
        );
        assert_eq!(
            text(line.console()),
            "2026-08-20T10:00:00Z WRN Serve tunnel error error=\"connection with edge closed\" connIndex=2 event=0\n"
        );
    }
}
