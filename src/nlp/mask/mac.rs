//! Hardware addresses of network interfaces: `00:1a:2b:3c:4d:5e`, `00-1A-…`, `001a.2b3c.4d5e`.

use super::candidate::Candidate;
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use crate::domain::masking::Entity;

pub(super) struct MacAddress;

impl Recognizer for MacAddress {
    fn entity(&self) -> &Entity {
        const { &Entity::MAC_ADDRESS }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.colons >= 5 || clues.hyphens >= 5 || clues.dots >= 2
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let clues = source.clues();
        let forms = [
            (clues.colons >= 5, b':', 2),
            (clues.hyphens >= 5, b'-', 2),
            (clues.dots >= 2, b'.', 4),
        ];
        for (possible, separator, width) in forms {
            if possible {
                find_form(source, separator, width, out);
            }
        }
    }
}

/// Finds twelve hexadecimal digits in groups of `width`.
fn find_form(source: &Source<'_>, separator: u8, width: usize, out: &mut Vec<Candidate>) {
    let bytes = source.text().as_bytes();
    let len = 12 + 12 / width - 1;
    let mut at = 0;
    // From separator to separator: only the first one can be `width` bytes in.
    while let Some(next) = bytes[at..].iter().position(|&b| b == separator) {
        let first = at + next;
        at = first + 1;
        let Some(start) = first.checked_sub(width) else { continue };
        let Some(mac) = bytes.get(start..start + len) else { break };
        let formed = mac.iter().enumerate().all(|(i, &b)| match i % (width + 1) == width {
            true => b == separator,
            false => b.is_ascii_hexdigit(),
        });
        if !formed || is_nobody(mac) {
            continue;
        }
        let range = start..start + len;
        let touched = |c: char| joins(c) || c == char::from(separator);
        // A separator in front or behind makes it a part of something longer; a full stop does not.
        let longer = source.before(start).is_some_and(touched)
            || source
                .after(range.end)
                .is_some_and(|c| touched(c) && !is_sentence_end(source, range.end, c));
        if !longer {
            at = range.end;
            out.push(Candidate::new(range, Entity::MAC_ADDRESS, 0.8, "mac").checked("form"));
        }
    }
}

fn is_sentence_end(source: &Source<'_>, at: usize, c: char) -> bool {
    matches!(c, '.' | ':' | '-') && !source.after(at + 1).is_some_and(joins)
}

/// The null address and the broadcast address belong to no device.
fn is_nobody(mac: &[u8]) -> bool {
    let all =
        |digit: u8| mac.iter().all(|b| !b.is_ascii_hexdigit() || b.eq_ignore_ascii_case(&digit));
    all(b'0') || all(b'F')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_three_forms_and_nothing_longer() {
        let found = |text: &str| {
            let mut out = Vec::new();
            MacAddress.find(&Source::new(text, None), &mut out);
            out.into_iter().map(|c| text[c.range].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("MAC: 00:1a:2B:3c:4d:5e."), ["00:1a:2B:3c:4d:5e"]);
        assert_eq!(found("a-b 01-23-45-67-89-AB"), ["01-23-45-67-89-AB"]);
        assert_eq!(found("is 0012.3456.789a."), ["0012.3456.789a"]);
        for text in [
            "00:1a:2b:3c:4d:5e:6f:70",
            "00:1a:2b:3c:4d:5g",
            "00:1a:2b-3c-4d-5e",
            "ff:ff:ff:ff:ff:ff",
            "00-00-00-00-00-00",
            "x00:1a:2b:3c:4d:5e",
            "1.2.3.4",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
