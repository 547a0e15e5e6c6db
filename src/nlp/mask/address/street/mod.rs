//! Streets with their numbers: number first as in English and French, name first as in most other
//! languages.

mod name_first;
mod number_first;

use std::ops::Range;

use self::name_first::name_first;
use self::number_first::number_first;
use super::words::{NEVER, PARTICLES, STREETS};
use crate::nlp::mask::date::is_month;

/// How sure a street is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Only the shape: capitals and a number.
    Vague,
    /// A word that streets are called, among other things.
    Likely,
    /// A word that only streets are called.
    Sure,
}

/// A street and its number, or what stands for them.
pub(super) struct Street {
    pub(super) range: Range<usize>,
    pub(super) strength: Strength,
    /// What spoke for it.
    pub(super) check: &'static str,
}

/// The check's name of a street in small letters, told by two numbers alone.
pub(super) const PLAIN: &str = "numbers";

/// Most words in a street's name.
const MAX_WORDS: usize = 6;

/// How far a name is read to either side, in bytes.
const MAX_NAME: usize = 90;

/// A word of a possible name.
struct Word {
    range: Range<usize>,
    /// In lower case, without a full stop.
    lower: String,
    /// It begins with a capital, a letter of a script without small ones, or a digit (`5th`).
    is_capital: bool,
}

impl Word {
    fn new(text: &str, range: Range<usize>) -> Self {
        let written = &text[range.clone()];
        let bare = written.trim_end_matches('.');
        // In `d'Italie` the second letter counts.
        let name = bare
            .split_once(['\'', '’'])
            .filter(|(p, n)| p.len() <= 2 && !n.is_empty())
            .map_or(bare, |(_, n)| n);
        let is_capital = name
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_digit() || c.is_alphabetic() && !c.is_lowercase());
        Self { lower: bare.to_lowercase(), range, is_capital }
    }

    /// Whether a full stop ends it.
    fn is_dotted(&self) -> bool {
        self.range.len() > self.lower.len() && self.lower.is_ascii()
    }

    fn is_particle(&self) -> bool {
        PARTICLES.contains(&self.lower)
    }

    fn is_name(&self) -> bool {
        let letters = self.lower.chars().next().is_some_and(char::is_alphabetic);
        letters && !NEVER.contains(&self.lower) && !is_month(&self.lower)
    }
}

/// The street that has `number`.
pub(super) fn street_at(text: &str, number: &Range<usize>) -> Option<Street> {
    let house = house_end(text, number);
    let street =
        number_first(text, number.start, house).or_else(|| name_first(text, number, house))?;
    let start = lead(text, street.range.start);
    Some(Street { range: start..street.range.end, ..street })
}

/// Where a house number ends: `12a`, `12-14`, `12/3`, `12 bis`.
fn house_end(text: &str, number: &Range<usize>) -> usize {
    let bytes = text.as_bytes();
    let alone = |at: usize| !text[at..].starts_with(char::is_alphanumeric);
    let letter = |at: usize| {
        let one = bytes.get(at).is_some_and(u8::is_ascii_alphabetic) && alone(at + 1);
        if one { at + 1 } else { at }
    };
    let mut end = letter(number.end);
    for _ in 0..2 {
        if !matches!(bytes.get(end), Some(b'-' | b'/')) {
            break;
        }
        let digits = bytes[end + 1..].iter().take(5).take_while(|b| b.is_ascii_digit()).count();
        let more = letter(end + 1 + digits);
        if more == end + 1 || !alone(more) {
            break;
        }
        end = more;
    }
    for word in [" bis", " ter", " quater", "bis", "ter"] {
        if text[end..].starts_with(word) && alone(end + word.len()) {
            return end + word.len();
        }
    }
    // `12 B 4`: stair and flat.
    if let Some(stair) = text[end..].strip_prefix(' ')
        && stair.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && stair[1..].starts_with(' ')
    {
        let digits = stair[2..].bytes().take(4).take_while(u8::is_ascii_digit).count();
        let whole = end + 3 + digits;
        if (1..=3).contains(&digits) && alone(whole) {
            return whole;
        }
    }
    // `12 B,` but not `12 a week`.
    let spaced = text[end..].strip_prefix(' ').map_or(end, |_| letter(end + 1));
    let closed = spaced > end + 1
        && text[spaced..].starts_with([',', '\n', '\r'])
        && bytes[spaced - 1].is_ascii_uppercase();
    if closed { spaced } else { end }
}

/// The word at `at`, with the full stop of an abbreviation.
fn word_at(text: &str, at: usize) -> Option<Word> {
    let rest = text.get(at..)?;
    let part = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-');
    let len: usize = rest.chars().take(28).take_while(|&c| part(c)).map(char::len_utf8).sum();
    if len == 0 {
        return None;
    }
    let dotted = rest[len..].starts_with('.') && len <= 5;
    // `V.le`, `C.so`, `P.zza`
    let inner = if dotted && len == 1 {
        rest[2..].chars().take(4).take_while(|c| c.is_lowercase()).map(char::len_utf8).sum()
    } else {
        0
    };
    Some(Word::new(text, at..at + len + usize::from(dotted) + inner))
}

fn starts_with_digit(word: &Word) -> bool {
    word.lower.starts_with(|c: char| c.is_ascii_digit())
        && word.lower.ends_with(|c: char| c.is_ascii_alphabetic())
}

/// Where the building's or second number begins that stands right in front of a street at `at`;
/// `at` if there is none.
pub(super) fn lead(text: &str, at: usize) -> usize {
    let Some(before) = text[..at].strip_suffix(' ') else { return at };
    let digits = before.bytes().rev().take(7).take_while(u8::is_ascii_digit).count();
    let start = before.len() - digits;
    let joined = text[..start].chars().next_back().is_some_and(|c| {
        c.is_alphanumeric()
            || matches!(c, '.' | ',' | ':' | '-' | '/' | '+' | '#' | '$' | '€' | '£' | '_')
    });
    if (1..=6).contains(&digits) && !joined { start } else { at }
}

/// The end of a street's name of capitals at `at`, with a number in front or behind.
pub(super) fn name_at(text: &str, at: usize) -> Option<usize> {
    let digits = text[at..].bytes().take(7).take_while(u8::is_ascii_digit).count();
    let mut next = at + digits + usize::from(digits > 0);
    let mut end = None;
    for _ in 0..MAX_WORDS {
        let Some(word) = word_at(text, next) else { break };
        let number = word.lower.bytes().all(|b| b.is_ascii_digit());
        let before_number = text[word.range.end..]
            .strip_prefix(' ')
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
        if !(word.is_capital || end.is_some() && (before_number || STREETS.contains(&word.lower)))
            || !number && NEVER.contains(&word.lower)
        {
            break;
        }
        end = Some(word.range.end);
        next = word.range.end + 1;
        if !text[word.range.end..].starts_with(' ') {
            break;
        }
    }
    end
}
