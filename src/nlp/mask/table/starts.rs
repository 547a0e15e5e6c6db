//! Where in a text a number can begin.

use std::ops::Range;

use super::super::source::{Source, joins};

/// Most bytes between the start of a match and its first digit: an identity card has eight letters.
pub(super) const REACH: usize = 8;

/// A place where patterns are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: usize,
    /// A letter or underscore stands in front.
    pub(super) touched: bool,
}

/// Calls `visit` for all starts of words and numbers with a digit near, in order. `groups` are the
/// runs of digits.
pub(super) fn each(source: &Source<'_>, groups: &[Range<usize>], mut visit: impl FnMut(Start)) {
    let bytes = source.text().as_bytes();
    let mut free = 0;
    for group in groups {
        for at in group.start.saturating_sub(REACH).max(free)..group.start {
            let begins = (at == 0 || !is_word(bytes[at - 1])) && !is_inside(bytes[at]);
            if begins && may_lead(&bytes[at..]) && !source.before(at).is_some_and(joins) {
                visit(Start { at, touched: false });
            }
        }
        if !is_lone(group.len(), bytes.get(group.end)) {
            let touched = source.before(group.start).is_some_and(joins);
            visit(Start { at: group.start, touched });
        }
        free = group.end;
    }
}

/// Whether letters can be the beginning of a number: up to eight before a digit, up to four before
/// a sign, up to three before a space. All other words are words.
fn may_lead(text: &[u8]) -> bool {
    // The umlauts of German number plates are of two bytes.
    let umlaut = usize::from(matches!(text, [0xC3, 0x84 | 0x96 | 0x9C | 0xA4 | 0xB6 | 0xBC, ..]));
    let text = &text[2 * umlaut..];
    let letters = text.iter().take(REACH + 1).take_while(|b| b.is_ascii_alphabetic()).count();
    let letters = letters + umlaut;
    match text.get(letters - umlaut) {
        Some(b'0'..=b'9') => (1..=REACH).contains(&letters),
        Some(b' ') => (1..=3).contains(&letters),
        _ => (1..=4).contains(&letters),
    }
}

/// Whether a few digits end here: no number has so few.
fn is_lone(digits: usize, next: Option<&u8>) -> bool {
    match next {
        None | Some(b',' | b';' | b'!' | b'?' | b')' | b'%' | b'\n') => digits <= 4,
        Some(b':') => digits <= 3,
        _ => false,
    }
}

/// Whether a byte goes on with a character that began before it.
fn is_inside(b: u8) -> bool {
    b & 0xC0 == 0x80
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_small_numbers_are_passed_over() {
        let at = |text: &str| {
            let source = Source::new(text, None);
            let mut starts = Vec::new();
            each(&source, source.groups(), |s| starts.push(s.at));
            starts
        };
        assert_eq!(at("my order 48213 at 10:15, or DE 123456789"), [9, 15, 25, 28, 31]);
        assert_eq!(at("HRB 123, MORGA657054"), [0, 9, 14]);
        assert!(at("digits? only 12, 7% since 2024").is_empty());
    }
}
