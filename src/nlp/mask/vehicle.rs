//! Vehicles: identification numbers of seventeen characters, and licence plates behind a word for
//! them.

use std::ops::Range;

use super::candidate::Candidate;
use super::context::floor;
use super::label::{Label, Link, Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// Finds vehicle identification numbers (ISO 3779).
pub(super) struct VehicleId;

const VIN: usize = 17;
/// How far behind its label a number without check digit may stand, in bytes.
const MAX_WAY: usize = 60;

impl Recognizer for VehicleId {
    fn entity(&self) -> &Entity {
        const { &Entity::VEHICLE_ID }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= 3
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for token in source.tokens() {
            let written = text[token.clone()].trim_end_matches(['.', '-', '/']);
            // Behind `VIN=` as well.
            let start = written.rfind(['=', '/']).map_or(0, |n| n + 1);
            let range = token.start + start..token.start + written.len();
            let word = &text[range.clone()];
            if word.len() != VIN || !is_vin(word) || !source.stands_alone(&range) {
                continue;
            }
            let named =
                source.labels_before(range.start, MAX_WAY).any(|l| l.topic == Topic::Vehicle);
            // Makers outside North America and China may put any character where the check digit is.
            let checked = has_check_digit(word);
            let score = match (checked, named) {
                (true, true) => 0.95,
                (true, false) => 0.8,
                (false, true) => 0.8,
                (false, false) => continue,
            };
            let candidate = Candidate::new(range, Entity::VEHICLE_ID, score, "vehicle/vin");
            out.push(if checked {
                candidate.checked("check digit")
            } else {
                candidate.checked("label")
            });
        }
    }
}

/// Letters but I, O and Q, digits among the last four, and letters anywhere.
fn is_vin(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_alphanumeric() && !matches!(b.to_ascii_uppercase(), b'I' | b'O' | b'Q'))
        && word.bytes().any(|b| b.is_ascii_alphabetic())
        && word.as_bytes()[VIN - 3..].iter().all(u8::is_ascii_digit)
}

/// The ninth character is the weighted sum of the others modulo eleven, ten written as X
/// (49 CFR 565.15).
fn has_check_digit(word: &str) -> bool {
    const WEIGHTS: [u32; VIN] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |b: u8| match b.to_ascii_uppercase() {
        d @ b'0'..=b'9' => d - b'0',
        l @ b'A'..=b'H' => l - b'A' + 1,
        l @ b'J'..=b'R' => l - b'J' + 1,
        l => l - b'S' + 2,
    };
    let sum: u32 = word.bytes().zip(WEIGHTS).map(|(b, w)| u32::from(value(b)) * w).sum();
    let expected = match sum % 11 {
        10 => b'X',
        n => b"0123456789"[n as usize],
    };
    word.as_bytes()[8].to_ascii_uppercase() == expected
}

/// Finds licence plates behind a word for them.
pub(super) struct LicensePlate;

impl Recognizer for LicensePlate {
    fn entity(&self) -> &Entity {
        const { &Entity::LICENSE_PLATE }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        for label in source.labels().iter().filter(|l| l.topic == Topic::Plate) {
            if let Some((range, score)) = plate(source, label) {
                out.push(
                    Candidate::new(range, Entity::LICENSE_PLATE, score, "plate").checked("label"),
                );
            }
        }
    }
}

fn plate(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    if value.words > 3 || value.link == Link::Bare && value.words > 0 {
        return None;
    }
    let range = plate_at(text, value.at)?;
    source.stands_alone(&range).then_some((range, if value.link > Link::Bare { 0.8 } else { 0.6 }))
}

/// A plate at `at`: up to four groups of letters or digits, four to nine characters together with
/// at least one digit; letters that stand apart from the digits are capitals.
fn plate_at(text: &str, at: usize) -> Option<Range<usize>> {
    let limit = floor(text, (at + 24).min(text.len()));
    let window = text.get(at..limit)?;
    let (mut chars, mut digits, mut letters) = (0, 0, 0);
    let mut end = 0;
    let mut next = 0;
    for _ in 0..4 {
        let group: String = window[next..].chars().take_while(|c| c.is_alphanumeric()).collect();
        let own_digits = group.chars().filter(char::is_ascii_digit).count();
        let own = group.chars().count();
        let capitals = group.chars().all(|c| !c.is_lowercase());
        // "ab12 cde" is a plate, "ab12 was seen" is not all one: small letters alone must end the clause.
        let behind = &window[next + group.len()..];
        let ends = chars > 0
            && (behind.is_empty() || behind.starts_with(['.', ',', ';', '!', '?', '\n', ')']));
        let fits = own > 0
            && own <= 8
            && (own_digits > 0 || own <= 3 && (capitals || ends))
            && chars + own <= 9;
        if !fits {
            break;
        }
        chars += own;
        digits += own_digits;
        letters += own - own_digits;
        if own_digits > 0 || end > 0 || letters > 0 {
            end = next + group.len();
        }
        next += group.len();
        let gap = window[next..]
            .chars()
            .take(2)
            .take_while(|c| matches!(c, ' ' | '-' | '·' | '.' | ':'))
            .map(char::len_utf8)
            .sum::<usize>();
        let is_end = window[next..].starts_with(['.', ':'])
            && !window[next + 1..].starts_with(char::is_alphanumeric)
            || gap == 0;
        if is_end {
            break;
        }
        next += gap;
    }
    (digits > 0 && (4..=9).contains(&chars) && (letters > 0 || digits >= 5)).then_some(at..at + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces as found;

    #[test]
    fn finds_vehicles() {
        assert_eq!(found(&VehicleId, "my car 1M8GDM9AXKP042788."), ["1M8GDM9AXKP042788"]);
        assert_eq!(found(&VehicleId, "FIN: WVWZZZ1JZXW000001"), ["WVWZZZ1JZXW000001"]);
        for text in ["part 1M8GDM9A1KP042788", "12345678901234567", "WVWZZZ1JZXW000001"] {
            assert!(found(&VehicleId, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn finds_plates() {
        for (text, plate) in [
            ("license plate 7ABC123.", "7ABC123"),
            ("Kennzeichen: B-AB 1234", "B-AB 1234"),
            ("Mein Kennzeichen ist M AB 123, danke", "M AB 123"),
            ("targa AB 123 CD", "AB 123 CD"),
            ("matrícula 1234 BCD", "1234 BCD"),
            ("number plate is ab12 cde", "ab12 cde"),
            ("plate ab12 was seen", "ab12"),
            ("kenteken 12-ABC-3", "12-ABC-3"),
        ] {
            assert_eq!(found(&LicensePlate, text), [plate], "{text}");
        }
        for text in
            ["my plate was broken 2 times", "Kennzeichen fehlt seit 2019", "plates of 4 pieces"]
        {
            assert!(found(&LicensePlate, text).is_empty(), "{text}");
        }
    }
}
