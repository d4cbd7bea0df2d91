//! The laws of answers from name servers.

use super::message::{Code, Family, answer, question};
use crate::name::Hostname;

/// The number and the name of the question that every answer is taken for.
const ID: u16 = 7;
const HOSTNAME: &str = "app.example.com";

/// Any bytes as an answer, and behind the head that makes them an answer to our question.
pub fn answers(bytes: &[u8]) {
    let hostname: Hostname = HOSTNAME.parse().expect("it is one");
    for family in [Family::V4, Family::V6] {
        let mut ours = question(ID, &hostname, family, 512);
        // Without the record behind the question, and as an answer.
        ours.truncate(ours.len() - 11);
        ours[2..4].copy_from_slice(&[0x81, 0x80]);
        if let Some((counts, records)) = bytes.split_at_checked(2) {
            ours[6..8].copy_from_slice(counts);
            ours[10..12].fill(0);
            ours.extend(records);
        }
        for message in [bytes, &ours] {
            let Some(answer) = answer(message, ID, &hostname, family) else { continue };
            assert!(message.starts_with(&ID.to_be_bytes()));
            assert!(answer.addresses.len() * 14 <= message.len(), "more addresses than there is room for");
            assert!(answer.addresses.iter().all(|address| address.is_ipv4() == (family == Family::V4)));
            assert!(!matches!(answer.code, Code::Other(0 | 3)));
            // Whoever did not write our question back did not answer it.
            assert!(super::message::answer(message, ID + 1, &hostname, family).is_none());
            assert!(super::message::answer(message, ID, &"evil.example.com".parse().expect("it is one"), family).is_none());
        }
    }
}
