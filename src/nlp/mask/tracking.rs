//! Tracking numbers of parcels: by the carriers' forms and check digits, or behind the word for
//! them. Needed to answer, so looked for only when asked for.

use std::ops::Range;

use super::candidate::Candidate;
use super::label::{Label, Link, Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

pub(super) struct TrackingNumber;

impl Recognizer for TrackingNumber {
    fn entity(&self) -> &Entity {
        const { &Entity::TRACKING_NUMBER }
    }

    fn only_if_asked(&self) -> bool {
        true
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= 6
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for (at, word) in words(text) {
            let Some((len, score, check)) = by_form(&text[at..], word) else { continue };
            let range = at..at + len;
            if source.stands_alone(&range)
                && !source.before(at).is_some_and(|c| matches!(c, '-' | '/' | '.' | '+'))
            {
                out.push(
                    Candidate::new(range, Entity::TRACKING_NUMBER, score, "tracking/form")
                        .checked(check),
                );
            }
        }
        for label in source.labels().iter().filter(|l| l.topic == Topic::Tracking) {
            if let Some((range, score)) = labelled(source, label) {
                out.push(
                    Candidate::new(range, Entity::TRACKING_NUMBER, score, "tracking/label")
                        .checked("label"),
                );
            }
        }
    }
}

/// Alphanumeric runs with a digit, or of two capitals, by where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(move |word| {
        let start = at;
        at += word.len();
        // The separator's own width.
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        // `RB 123 456 785 GB` begins with letters alone.
        let begins = word.len() == 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        (begins || word.bytes().any(|b| b.is_ascii_digit())).then_some((start, word))
    })
}

/// A carrier's number at the head of `rest`, whose first word is `word`: its length, score, check.
fn by_form(rest: &str, word: &str) -> Option<(usize, f32, &'static str)> {
    if word.len() >= 2 && word[..2].eq_ignore_ascii_case("1Z") {
        let (code, len) = joined(rest, 18);
        return (code.len() == 18 && is_ups(&code)).then_some((len, 0.95, "ups check digit"));
    }
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 2 {
        let (code, len) = joined(rest, 13);
        return (code.len() == 13 && is_postal(&code)).then_some((len, 0.9, "s10 check digit"));
    }
    if let Some(digits) = word.strip_prefix("TBA") {
        let fits = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit());
        return fits.then_some((word.len(), 0.9, "form"));
    }
    if let Some(digits) = word
        .strip_prefix("JJD")
        .or_else(|| word.strip_prefix("JVGL"))
        .or_else(|| word.strip_prefix("JD"))
    {
        let fits = (14..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        return fits.then_some((word.len(), 0.9, "form"));
    }
    if letters == 0 && (word.starts_with('9') || word.starts_with("00")) {
        let (code, len) = joined(rest, 22);
        let service = ["92", "93", "94", "95", "96"].iter().any(|p| code.starts_with(p));
        if code.len() == 22 && service && is_weighted_three(&code) {
            return Some((len, 0.9, "mod 10"));
        }
        let (code, len) = joined(rest, 20);
        let known = code.starts_with("00") || code.starts_with("91") || service;
        if code.len() == 20 && known && is_weighted_three(&code) {
            return Some((len, 0.9, "mod 10"));
        }
    }
    None
}

/// The next `most` alphanumerics with single spaces between them, upper case, and how many bytes
/// they take; fewer if something else or a longer word comes.
fn joined(rest: &str, most: usize) -> (String, usize) {
    let mut code = String::with_capacity(most);
    let mut space = false;
    for (i, b) in rest.bytes().enumerate().take(most * 2) {
        match b {
            _ if b.is_ascii_alphanumeric() => {
                code.push(char::from(b.to_ascii_uppercase()));
                space = false;
                if code.len() == most {
                    return (code, i + 1);
                }
            }
            b' ' if !space => space = true,
            _ => break,
        }
    }
    (String::new(), 0)
}

/// `1Z`, an account of six, service of two, package of seven, check digit: letters count as
/// (ASCII − 63) mod 10, every second place twice.
fn is_ups(code: &str) -> bool {
    let body = &code[2..];
    let value =
        |b: u8| if b.is_ascii_digit() { u32::from(b - b'0') } else { (u32::from(b) - 63) % 10 };
    let Some((check, body)) = body.as_bytes().split_last() else { return false };
    let sum: u32 =
        body.iter().enumerate().map(|(i, &b)| value(b) * if i % 2 == 1 { 2 } else { 1 }).sum();
    check.is_ascii_digit() && (10 - sum % 10) % 10 == value(*check)
}

/// Two letters, eight digits, their check digit, a country (UPU S10).
fn is_postal(code: &str) -> bool {
    const WEIGHTS: [u32; 8] = [8, 6, 4, 2, 3, 5, 9, 7];
    let b = code.as_bytes();
    let form = b[..2].iter().all(u8::is_ascii_uppercase)
        && b[2..11].iter().all(u8::is_ascii_digit)
        && b[11..].iter().all(u8::is_ascii_uppercase);
    let sum: u32 =
        b[2..10].iter().zip(WEIGHTS).map(|(d, w)| u32::from(d.wrapping_sub(b'0')) * w).sum();
    let check = match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        n => n,
    };
    form && u32::from(b[10] - b'0') == check
}

/// Digits whose sum with weights three and one from the right is a multiple of ten (GS1).
fn is_weighted_three(digits: &str) -> bool {
    let all = digits.bytes().all(|b| b.is_ascii_digit());
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| u32::from(b.wrapping_sub(b'0')) * if i % 2 == 1 { 3 } else { 1 })
        .sum();
    all && sum.is_multiple_of(10)
}

/// What a word for it announces: eight or more letters and digits, mostly digits.
fn labelled(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    if value.words > 2 || value.link == Link::Bare && value.words > 0 {
        return None;
    }
    let range = code_at(text, value.at, 8..=34)?;
    source.stands_alone(&range).then_some((range, if value.link > Link::Bare { 0.8 } else { 0.6 }))
}

/// A code at `at`: letters and digits, in groups of digits if there are spaces, with hyphens
/// perhaps; at least a third digits and no small word.
pub(super) fn code_at(
    text: &str,
    at: usize,
    lengths: std::ops::RangeInclusive<usize>,
) -> Option<Range<usize>> {
    let bytes = text.as_bytes().get(at..)?;
    let mut end = 0;
    let mut digits = 0;
    let mut chars = 0;
    loop {
        let group = bytes[end..]
            .iter()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
            .count();
        let own = &bytes[end..end + group];
        digits += own.iter().filter(|b| b.is_ascii_digit()).count();
        chars += own.iter().filter(|b| b.is_ascii_alphanumeric()).count();
        end += group;
        let next = bytes
            .get(end + 1..)
            .map_or(0, |b| b.iter().take(12).take_while(|b| b.is_ascii_digit()).count());
        let closed = bytes.get(end + 1 + next).is_none_or(|b| !b.is_ascii_alphanumeric());
        let goes_on = group > 0
            && bytes.get(end) == Some(&b' ')
            && (2..=6).contains(&next)
            && closed
            && own.iter().any(u8::is_ascii_digit);
        if !goes_on || chars + next > *lengths.end() {
            break;
        }
        end += 1;
    }
    while end > 0 && !bytes[end - 1].is_ascii_alphanumeric() {
        end -= 1;
    }
    (lengths.contains(&chars) && digits * 3 >= chars).then_some(at..at + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&TrackingNumber, text)
    }

    #[test]
    fn finds_carriers_numbers() {
        for (text, number) in [
            ("where is 1Z999AA10123456784?", "1Z999AA10123456784"),
            ("RB 123 456 785 GB is late", "RB 123 456 785 GB"),
            ("see 9400 1000 0000 0000 0000 00", ""),
            ("Sendungsnummer: 00340434161094042557", "00340434161094042557"),
            ("tracking number 771234567890", "771234567890"),
            ("it is TBA123456789012", "TBA123456789012"),
        ] {
            let first = found(text).first().cloned().unwrap_or_default();
            assert_eq!(first, number, "{text}");
        }
        for text in
            ["1Z999AA10123456785", "RB123456780GB", "package of 12", "the parcel is 3 days late"]
        {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
