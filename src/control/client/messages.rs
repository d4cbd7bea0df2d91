//! Server-Sent Events, as far as the daemon sends them: pure parsing of bytes as they come.

/// One message of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// What it is: `item` or `missed`.
    pub(super) event: String,
    /// What it says, as JSON.
    pub(super) data: String,
}

/// The longest line that is taken, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Turns bytes into messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// What came of the line that is not complete yet.
    line: Vec<u8>,
    /// What came of the message that is not complete yet.
    message: Message,
}

impl Messages {
    /// Takes `bytes` in and gives the messages that they complete. `None`: this is no such stream.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Vec<Message>> {
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > LINE_BYTES_MAX {
                return None;
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = std::str::from_utf8(&line).ok()?.trim_end_matches(['\n', '\r']);
                complete.extend(self.take_line(line));
            }
        }
        Some(complete)
    }

    fn take_line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.data.is_empty()).then_some(message);
        }
        // A line that begins with a colon is a comment: it shows that the stream lives.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" => self.message.data.push_str(value),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": alive\n\nevent: item\nid: 7\ndata: {\"a\":1}\n\nevent: missed\ndata: 3\n\n";

    #[test]
    fn messages_are_the_same_however_the_bytes_are_cut() {
        let item = Message { event: "item".to_owned(), data: "{\"a\":1}".to_owned() };
        let missed = Message { event: "missed".to_owned(), data: "3".to_owned() };
        for cut in 0..STREAM.len() {
            let mut messages = Messages::default();
            let mut all = messages.take(&STREAM[..cut]).unwrap();
            all.extend(messages.take(&STREAM[cut..]).unwrap());
            assert_eq!(all, [item.clone(), missed.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut messages = Messages::default();
        assert_eq!(messages.take(&vec![b'a'; LINE_BYTES_MAX + 1]), None);
    }
}
