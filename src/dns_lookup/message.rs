//! The few messages of DNS (RFC 1035) that looking up an address takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::name::Hostname;

/// The bytes before the question.
const HEADER: usize = 12;

/// The class of everything on the internet.
const INTERNET: u16 = 1;

/// The type of the record that says how large an answer may be (RFC 6891).
const OPT: u16 = 41;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `A` records.
    V4,
    /// `AAAA` records.
    V6,
}

impl Family {
    /// The type of its records.
    pub fn record_type(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub code: Code,
    /// The addresses, in the server's order.
    pub addresses: Vec<IpAddr>,
    /// There is more than fits, and TCP has room for it.
    pub is_cut_short: bool,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Well.
    Fine,
    /// There is no such name.
    NoSuchName,
    /// Something else, as the server numbers it.
    Other(u8),
}

/// A question for the addresses of `hostname`, to be answered in at most `answer_max` bytes by UDP.
pub fn question(id: u16, hostname: &Hostname, family: Family, answer_max: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + hostname.as_str().len() + 18);
    message.extend(id.to_be_bytes());
    // Recursion is desired.
    message.extend([0x01, 0x00]);
    // One question, and in the additional section the largest answer.
    for count in [1_u16, 0, 0, 1] {
        message.extend(count.to_be_bytes());
    }
    name(&mut message, hostname.as_str());
    message.extend(family.record_type().to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    message.push(0);
    message.extend(OPT.to_be_bytes());
    message.extend(u16::try_from(answer_max).unwrap_or(u16::MAX).to_be_bytes());
    message.extend([0; 6]);
    message
}

/// Appends a name, label by label.
fn name(message: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        message.extend(label.as_bytes());
    }
    message.push(0);
}

/// What `message` answers to the question of this number; `None` when it is no answer to it, or none that can be read.
pub fn answer(message: &[u8], id: u16, hostname: &Hostname, family: Family) -> Option<Answer> {
    let mut reader = Reader { message, at: 0 };
    let (answered, flags) = (reader.number()?, reader.number()?);
    let [questions, answers, _, _] = [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
    let is_answer = flags & 0x8000 != 0 && flags & 0x7800 == 0;
    if answered != id || !is_answer || questions != 1 {
        return None;
    }
    let mut asked = Vec::new();
    name(&mut asked, hostname.as_str());
    let repeated = reader.bytes(asked.len())?;
    if !repeated.eq_ignore_ascii_case(&asked) || reader.number()? != family.record_type() || reader.number()? != INTERNET {
        return None;
    }
    let code = match u8::try_from(flags & 0x000f).ok()? {
        0 => Code::Fine,
        3 => Code::NoSuchName,
        code => Code::Other(code),
    };
    let mut result = Answer { code, addresses: Vec::new(), is_cut_short: flags & 0x0200 != 0 };
    for _ in 0..answers {
        // What was cut off is asked for again.
        match reader.record() {
            Some(Record { record_type, class: INTERNET, data }) if record_type == family.record_type() => {
                result.addresses.extend(address(data, family));
            }
            Some(_) => {}
            None if result.is_cut_short => break,
            None => return None,
        }
    }
    Some(result)
}

fn address(data: &[u8], family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => <[u8; 4]>::try_from(data).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        Family::V6 => <[u8; 16]>::try_from(data).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

struct Record<'a> {
    record_type: u16,
    class: u16,
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// Goes behind a name. Where it points is not followed: whose record it is follows from the question, along its aliases.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            match self.bytes(1)?[0] {
                0 => return Some(()),
                length if length & 0xc0 == 0xc0 => return self.bytes(1).map(drop),
                length if length & 0xc0 == 0 => drop(self.bytes(usize::from(length))?),
                _ => return None,
            }
        }
    }

    fn record(&mut self) -> Option<Record<'a>> {
        self.skip_name()?;
        let (record_type, class) = (self.number()?, self.number()?);
        // How long it may be kept.
        self.bytes(4)?;
        let length = usize::from(self.number()?);
        Some(Record { record_type, class, data: self.bytes(length)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn app() -> Hostname {
        "app.example.com".parse().unwrap()
    }

    /// As a public resolver answers: an alias, and two addresses behind it, all names but the first by reference.
    fn answered(flags: u16) -> Vec<u8> {
        let mut message = question(7, &app(), Family::V4, 512);
        // Without the question's additional record.
        message.truncate(message.len() - 11);
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        message[6..12].copy_from_slice(&[0, 3, 0, 0, 0, 0]);
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 44, 0, 2, 0xc0, 16]);
        for last in [1, 2] {
            message.extend([0xc0, 16, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 104, 16, 0, last]);
        }
        message
    }

    #[test]
    fn a_question_is_what_the_standard_says() {
        let asked = question(0x1234, &"a.example".parse().unwrap(), Family::V6, 1_232);
        let expected = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x07example\x00\x00\x1c\x00\x01\
                         \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
        assert_eq!(asked, expected);
    }

    #[test]
    fn an_answer_has_the_addresses_behind_its_aliases() {
        let read = answer(&answered(0x8180), 7, &app(), Family::V4).unwrap();
        let addresses = ["104.16.0.1".parse().unwrap(), "104.16.0.2".parse().unwrap()].to_vec();
        assert_eq!(read, Answer { code: Code::Fine, addresses, is_cut_short: false });
        assert_eq!(answer(&answered(0x8183), 7, &app(), Family::V4).unwrap().code, Code::NoSuchName);
        assert_eq!(answer(&answered(0x8185), 7, &app(), Family::V4).unwrap().code, Code::Other(5));
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_none() {
        let read = |id, name: &str, family, flags| answer(&answered(flags), id, &name.parse().unwrap(), family);
        assert!(read(7, "APP.example.com", Family::V4, 0x8180).is_some());
        for (id, name, family, flags) in [
            (8, "app.example.com", Family::V4, 0x8180),
            (7, "evil.example.com", Family::V4, 0x8180),
            (7, "app.example.com", Family::V6, 0x8180),
            // A question, and an answer to another kind of request.
            (7, "app.example.com", Family::V4, 0x0100),
            (7, "app.example.com", Family::V4, 0xa180),
        ] {
            assert_eq!(read(id, name, family, flags), None, "{id} {name} {family:?} {flags:x}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_says_so_or_is_none() {
        let whole = answered(0x8380);
        let cut = &whole[..whole.len() - 3];
        let read = answer(cut, 7, &app(), Family::V4).unwrap();
        assert!(read.is_cut_short && read.addresses.len() == 1);
        let whole = answered(0x8180);
        assert_eq!(answer(&whole[..whole.len() - 3], 7, &app(), Family::V4), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..128), flags in any::<u16>(), cut in 0_usize..100) {
            let mut message = answered(flags);
            message.truncate(message.len().saturating_sub(cut));
            message.extend(bytes);
            let _ = answer(&message, 7, &app(), Family::V4);
        }
    }
}
