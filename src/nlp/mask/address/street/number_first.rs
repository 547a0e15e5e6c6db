//! "12 Oak Street", "12, rue de la Paix": the number stands in front, as in English and French.

use super::{MAX_WORDS, Street, Strength, Word, starts_with_digit, word_at};
use crate::nlp::mask::address::words::{NEVER, PREFIXES, SHORT_PREFIXES, STREETS, WEAK_STREETS};

/// "12 Oak Street", "12, rue de la Paix".
pub(super) fn number_first(text: &str, start: usize, house: usize) -> Option<Street> {
    let rest = &text[house..];
    let gap = rest.bytes().take(2).take_while(|b| matches!(b, b' ' | b',')).count();
    if gap == 0
        || !rest[gap..].starts_with(char::is_alphanumeric)
        || gap == 1 && rest.starts_with(',')
    {
        return None;
    }
    let first = word_at(text, house + gap)?;
    if PREFIXES.contains(&first.lower)
        && first.lower.len() > 1
        && let Some(end) = named_behind(text, &first)
    {
        let strength =
            if SHORT_PREFIXES.contains(&first.lower) { Strength::Likely } else { Strength::Sure };
        return Some(Street { range: start..second_number(text, end), strength, check: "street" });
    }
    if rest.starts_with(',') || !first.is_capital && NEVER.contains(&first.lower) {
        return None;
    }
    english(text, start, first)
}

/// Takes a house number behind the name in, where the first number was the building's; a postal
/// code has a town behind it.
fn second_number(text: &str, end: usize) -> usize {
    let digits = text[end..]
        .strip_prefix(' ')
        .map_or(0, |r| r.bytes().take(5).take_while(u8::is_ascii_digit).count());
    let behind = &text[end + usize::from(digits > 0) + digits..];
    let town =
        digits == 4 && behind.starts_with(' ') && behind[1..].starts_with(char::is_uppercase);
    let closed = !behind.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '/' | '.'));
    if (1..=4).contains(&digits) && closed && !town { end + 1 + digits } else { end }
}

/// The end of the name behind what a street is called: "rue de la Paix".
fn named_behind(text: &str, prefix: &Word) -> Option<usize> {
    let mut at = prefix.range.end;
    let mut end = None;
    let lower_case = !SHORT_PREFIXES.contains(&prefix.lower);
    for i in 0..MAX_WORDS {
        let Some(word) = text[at..].strip_prefix(' ').and_then(|_| word_at(text, at + 1)) else {
            break;
        };
        let digits = word.lower.bytes().all(|b| b.is_ascii_digit());
        if digits || word.is_capital && !word.is_name() && !word.is_particle() {
            break;
        }
        at = word.range.end;
        if word.is_capital {
            end = Some(at);
        } else if !word.is_particle() {
            // Small letters throughout: as far as three words without a sentence's.
            if !lower_case
                || i >= 4
                || end.is_some_and(|_| !prefix_is_lower(text, prefix))
                || !word.is_name()
            {
                break;
            }
            end = Some(at);
        }
        if text[..at].ends_with('.') && !word.is_capital {
            break;
        }
    }
    end.map(|e| e - usize::from(text[..e].ends_with('.')))
}

fn prefix_is_lower(text: &str, prefix: &Word) -> bool {
    text[prefix.range.clone()].starts_with(char::is_lowercase)
}

/// "12 Oak Street": words up to one that streets are called.
fn english(text: &str, start: usize, first: Word) -> Option<Street> {
    let all_capital = first.is_capital;
    let mut word = first;
    let mut hit: Option<(usize, Strength)> = None;
    for i in 0..MAX_WORDS {
        let follows_hit = hit.is_some();
        let is_street = STREETS.contains(&word.lower);
        let weak =
            !is_street && all_capital && word.is_capital && WEAK_STREETS.contains(&word.lower);
        let alone = i == 0 && word.lower == "broadway";
        if (i > 0 && is_street) || alone {
            hit = Some((word.range.end, Strength::Sure));
        } else if i > 0 && weak && hit.is_none_or(|h| h.1 < Strength::Sure) {
            hit = Some((word.range.end, Strength::Likely));
        } else if follows_hit && hit.is_some_and(|h| h.1 == Strength::Sure) {
            if is_direction(&word) {
                hit = Some((word.range.end, Strength::Sure));
            }
            break;
        } else if i == 0 && word.lower == "the" && word.is_capital {
            // "12 The Avenue"
        } else if word.is_capital != all_capital && !word.is_particle() && !starts_with_digit(&word)
            || !word.is_name() && !starts_with_digit(&word) && !is_direction(&word)
        {
            break;
        }
        let end = word.range.end;
        let Some(next) = text[end..].strip_prefix(' ').and_then(|_| word_at(text, end + 1)) else {
            break;
        };
        word = next;
    }
    let (end, strength) = hit?;
    // In small letters "a 5 star place" is no street.
    let strength =
        if all_capital || strength == Strength::Likely { strength } else { Strength::Likely };
    let end = end - usize::from(text[..end].ends_with('.') && ends_sentence(text, end));
    Some(Street { range: start..end, strength, check: "street" })
}

fn ends_sentence(text: &str, end: usize) -> bool {
    let rest = &text[end..];
    rest.is_empty()
        || rest.starts_with(" I")
        || rest.starts_with(" The")
        || rest.starts_with(" Please")
}

fn is_direction(word: &Word) -> bool {
    const WINDS: [&str; 14] = [
        "n", "s", "e", "w", "ne", "nw", "se", "sw", "north", "south", "east", "west", "ouest",
        "nord",
    ];
    word.is_capital && WINDS.contains(&word.lower.as_str())
}
