//! The laws of what a connector's metrics server answers.

use super::{ConfigBody, Head, ReadyBody, line, traffic};
use crate::exposition::{Exposition, Line, PageBuilder, RELAYED};

/// Any bytes as an answer: its head, its documents, and what it says of traffic.
pub fn answers(bytes: &[u8]) {
    if let Some(head) = Head::read(bytes) {
        assert!(head.end <= bytes.len() && bytes[..head.end].ends_with(b"\r\n\r\n"));
        let whole = Head::read(&bytes[..head.end]).expect("the head is all of it");
        assert_eq!((whole.status, whole.end, whole.length), (head.status, head.end, head.length));
        assert!(Head::read(&bytes[..head.end - 1]).is_none(), "an answer has no head before it is whole");
    }
    line::fuzzing::law(bytes);
    let body = Head::read(bytes).map_or(bytes, |head| &bytes[head.end..]);
    if let Ok(ready) = serde_json::from_slice::<ReadyBody>(body) {
        assert!((1..=64).contains(&ready.connector_id.as_str().len()));
    }
    let _ = serde_json::from_slice::<ConfigBody>(body).map(|config| config.version);
    traffic::fuzzing::law(body);
    // One reading for both says what each would say alone, but for what is not told again.
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    Exposition::default().take(body, &mut |line| {
        if is_told_again(&line) {
            alone.push(shown(&line));
        }
    });
    PageBuilder::new(100).take(body, &mut |line| together.push(shown(line)));
    assert_eq!(alone, together);
}

fn shown(line: &Line<'_>) -> String {
    format!("{line:?}")
}

fn is_told_again(line: &Line<'_>) -> bool {
    let name = match line {
        Line::Sample(sample) => sample.name,
        Line::Help { family, .. } | Line::Type { family, .. } => family,
    };
    RELAYED.iter().any(|prefix| name.starts_with(prefix))
}
