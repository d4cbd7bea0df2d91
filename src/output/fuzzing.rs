//! The laws of connectors' output: lines, what they tell, and the ledger that numbers them.

use jiff::Timestamp;

use super::{
    NumberedLine,
    hint::said,
    journal,
    ledger::{FileName, Ledger, Stretch},
    line::{self, LogLine, parse_log, parse_stderr},
    split::{LINE_MAX, Splitter},
};
use crate::{
    connector::{Generation, Said, SlotId},
    name::TunnelName,
};

/// Any bytes as a connector's log and as its stderr.
pub fn lines(bytes: &[u8]) {
    let tunnel: TunnelName = "web".parse().expect("it is a name");
    let slot = SlotId::new(tunnel.clone(), 0);
    let split = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        pieces.for_each(|piece| splitter.push(piece, |line| lines.push(line.to_vec())));
        splitter.finish(|line| lines.push(line.to_vec()));
        lines
    };
    let lines = split(&mut [bytes].into_iter());
    assert_eq!(split(&mut bytes.chunks(3)), lines, "pieces do not matter");
    for raw in lines {
        assert!(raw.len() <= LINE_MAX);
        if let Some(said) = said(&raw) {
            let told = if let Said::ConfigurationRefused { why, .. } | Said::Refused { why } = &said { why.as_str() } else { "" };
            assert!(told.chars().count() <= 200 && is_harmless(told), "{told:?}");
            assert_eq!(super::hint::said(&raw), Some(said));
        }
        let found = Timestamp::UNIX_EPOCH;
        for line in [parse_log(&slot, Generation(1), &raw, found), parse_stderr(&slot, Generation(1), &raw, found)] {
            let Some(line) = line else { continue };
            check(&raw, &line);
            let message = journal::message(&tunnel, &NumberedLine { id: 7, line });
            assert!(message.len() <= 8 * raw.len() + 1024, "{} bytes for the journal of {}", message.len(), raw.len());
        }
    }
}

fn check(raw: &[u8], line: &LogLine) {
    let texts = line.fields.iter().flat_map(|(name, value)| [name, value]).chain([&line.message]);
    let mut length = 0;
    for text in texts {
        assert!(is_harmless(text), "{text:?}");
        assert_eq!(crate::foreign_text::plain(text), *text, "what is clean stays as it is");
        length += text.len();
    }
    // A byte that is no text becomes three, and `1e15` a number with all its digits.
    assert!(length <= 6 * raw.len(), "{length} bytes of {}", raw.len());
    serde_json::to_string(line).expect("a line has a JSON form");
}

fn is_harmless(text: &str) -> bool {
    !text.contains(|char: char| char.is_control() || ('\u{202a}'..='\u{202e}').contains(&char))
}

/// Any text as a ledger.
pub fn ledger(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(name) = text.parse::<FileName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(name.to_string(), text, "a file has one name");
    }
    let Some(mut ledger) = Ledger::parse(text) else { return };
    let mut next = ledger.base;
    for stretch in &ledger.stretches {
        assert!(stretch.first >= next, "a number is given twice");
        assert!(stretch.start < stretch.end && stretch.lines > 0);
        next = stretch.next();
    }
    assert_eq!(ledger.next(), next);
    assert_eq!(Ledger::parse(&ledger.render()).as_ref(), Some(&ledger));
    // The next line gets a number of its own, whatever was read.
    let file = FileName { replica: 0, generation: Generation(u64::MAX), stream: line::Stream::Log };
    let first = ledger.next();
    ledger.push(Stretch { first, lines: 1, start: 0, end: 1, file });
    assert!(ledger.next() > first, "numbers end at {first}");
}
