//! Devices: IMEI and ICCID by their check digit, serial numbers behind the word for them.

use std::ops::Range;

use super::candidate::Candidate;
use super::label::{Label, Link, Topic, announced, token};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::checksum::passes_luhn;
use crate::domain::masking::Entity;

pub(super) struct DeviceId;

impl Recognizer for DeviceId {
    fn entity(&self) -> &Entity {
        const { &Entity::DEVICE_ID }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= 2
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        for label in source.labels() {
            let found = match label.topic {
                Topic::Imei => imei(source, label),
                Topic::Serial => iccid(source, label).or_else(|| serial(source, label)),
                _ => None,
            };
            if let Some((range, score, check)) = found {
                out.push(Candidate::new(range, Entity::DEVICE_ID, score, "device").checked(check));
            }
        }
    }
}

type Found = (Range<usize>, f32, &'static str);

/// Digits at `at` with single spaces, hyphens, slashes or dots between them: where they end.
fn digits_at(text: &str, at: usize, most: usize) -> (String, usize) {
    let mut digits = String::new();
    let mut end = at;
    for (i, b) in text.as_bytes()[at..].iter().take(most + 8).enumerate() {
        match b {
            b'0'..=b'9' => {
                digits.push(char::from(*b));
                end = at + i + 1;
            }
            b' ' | b'-' | b'/' | b'.' if end == at + i && i > 0 => {}
            _ => break,
        }
    }
    (digits, end)
}

/// Fifteen digits with Luhn's check, or sixteen where the last two count the software's versions.
fn imei(source: &Source<'_>, label: &Label) -> Option<Found> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let (digits, end) = digits_at(text, value.at, 18);
    let range = value.at..end;
    let checked = digits.len() == 15 && passes_luhn(digits.as_bytes());
    let fits = value.words <= 2 && (14..=16).contains(&digits.len()) && source.stands_alone(&range);
    fits.then_some(if checked { (range, 0.95, "luhn") } else { (range, 0.6, "label") })
}

/// Nineteen or twenty digits that begin with 89, the industry's number for telecommunications
/// (ITU-T E.118).
fn iccid(source: &Source<'_>, label: &Label) -> Option<Found> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let (digits, end) = digits_at(text, value.at, 22);
    let fits = (18..=20).contains(&digits.len())
        && digits.starts_with("89")
        && source.stands_alone(&(value.at..end));
    fits.then_some((value.at..end, 0.9, "label"))
}

/// Five to forty letters, digits and hyphens with two digits or more.
fn serial(source: &Source<'_>, label: &Label) -> Option<Found> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    if value.words > 2 || value.link == Link::Bare && value.words > 0 {
        return None;
    }
    let range = token(text, &value);
    let written = text.get(range.clone())?;
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'_' | b':' | b'.');
    // A small word before the digits is a sentence: "serial killer", "serial port 2".
    let code = written.bytes().all(part) && (5..=40).contains(&written.len());
    let dense = digits >= 2 && digits * 6 >= written.len();
    let strong = value.link > Link::Bare
        || written.bytes().any(|b| b.is_ascii_uppercase())
        || digits == written.len();
    (code && dense && strong).then_some((
        range,
        if value.link > Link::Bare { 0.8 } else { 0.6 },
        "label",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&DeviceId, text)
    }

    #[test]
    fn finds_devices() {
        for (text, id) in [
            ("IMEI 490154203237518.", "490154203237518"),
            ("imei: 49-015420-323751-8", "49-015420-323751-8"),
            ("Serial number: C02XK1ZZJGH5", "C02XK1ZZJGH5"),
            ("Seriennummer SN-44210-AX, bitte", "SN-44210-AX"),
            ("S/N: 8841-2230-11", "8841-2230-11"),
            ("ICCID 8944 1100 0000 0000 007", "8944 1100 0000 0000 007"),
        ] {
            assert_eq!(found(text), [id], "{text}");
        }
        for text in [
            "serial killer",
            "my serial number is not readable",
            "serial port 2",
            "490154203237518",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
