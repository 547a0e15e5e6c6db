//! Postal addresses, as one span each: street and number, unit, post-office box, postal code,
//! town, state, country, on one line or several.
//!
//! An address is told by its numbers. Each number is looked at with the words beside it (`street`):
//! is there a street's name, by what streets are called in the countries covered or by the shape
//! alone? From there it grows forwards over the parts that follow an address (`tail`), and what it
//! finds there says whether a vague street was one. Towns, states and countries that stand alone
//! are `place`'s.

mod boxes;
mod gazetteer;
mod part;
mod place;
mod postcode;
mod street;
mod tail;
mod town;
mod unit;
mod words;

use std::ops::Range;

use self::boxes::box_at;
use self::part::Evidence;
pub(super) use self::place::Place;
use self::street::{PLAIN, Street, Strength};
use self::tail::Tail;
use self::words::ANNOUNCES;
use super::candidate::{Candidate, is_covered};
use super::context::{WordSet, floor};
use super::label::{Label, Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// How many words in front of an address may hold one that announces it.
const CONTEXT_WORDS: usize = 6;
const CONTEXT_BYTES: usize = 80;
/// Longest run of digits in an address.
const MAX_DIGITS: usize = 6;

/// Finds addresses.
pub(super) struct Address;

impl Recognizer for Address {
    fn entity(&self) -> &Entity {
        const { &Entity::LOCATION }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        let mut free = 0;
        let first = out.len();
        for number in numbers(text) {
            if number.start < free {
                continue;
            }
            if let Some(found) = address_at(text, &number, free) {
                free = found.range.end;
                out.push(found);
            }
        }
        let last = out.len();
        let corners = source.labels().iter().filter(|l| l.topic == Topic::Corner);
        out.extend(corners.filter_map(|l| corner_at(text, l.range.end + 1)));
        for label in source.labels().iter().filter(|l| l.topic == Topic::Postcode) {
            let found = labelled_code(source, label);
            // Those found by their numbers are in order.
            out.extend(found.filter(|c| !is_covered(&out[first..last], c.range.start)));
        }
    }
}

/// Runs of up to six digits that could number a house, a box or a postal district: no part of a
/// decimal, a date, an amount or a longer code.
fn numbers(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + bytes[at..].iter().position(u8::is_ascii_digit)?;
            let len = bytes[start..]
                .iter()
                .position(|b| !b.is_ascii_digit())
                .unwrap_or(bytes.len() - start);
            at = start + len;
            let digit_at = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
            let before = start.checked_sub(1).map(|i| bytes[i]);
            let joined = match before {
                Some(b'.' | b':' | b'-' | b'/' | b',') => start >= 2 && digit_at(start - 2),
                Some(b'+' | b'$' | b'#' | b'_' | b'@' | b'=' | b'&') => true,
                Some(b) => b.is_ascii_alphabetic(),
                None => false,
            };
            let goes_on = match bytes.get(at) {
                Some(b'.' | b':') => digit_at(at + 1),
                Some(b'%' | b'_') => true,
                _ => false,
            };
            let is_amount = text[..start].ends_with(['£', '€', '¥', '₹']);
            if len <= MAX_DIGITS && !joined && !goes_on && !is_amount {
                return Some(start..at);
            }
        }
    })
}

/// The address that has `number` in its street, box or town, none of it before `free`.
fn address_at(text: &str, number: &Range<usize>, free: usize) -> Option<Candidate> {
    let street = box_at(text, number)
        .or_else(|| street::street_at(text, number))
        .filter(|s| s.range.start >= free);
    if let Some(street) = street {
        let tail = Tail::read(text, street.range.end);
        let start = unit::before(text, street.range.start).max(free);
        if let Some(score) = judge(text, &street, &tail, start) {
            let range = start..tail.end.max(street.range.end);
            return Some(
                Candidate::new(range, Entity::LOCATION, score, "address").checked(street.check),
            );
        }
    }
    let town = town::town_at(text, number).filter(|t| t.range.start >= free)?;
    let base = town.score;
    let score = match base {
        _ if base >= 0.4 => base,
        _ if is_announced(text, town.range.start) => 0.6,
        _ => return None,
    };
    Some(Candidate::new(town.range, Entity::LOCATION, score, "address/town").checked("postal code"))
}

/// How sure a street is, with what follows it and what announces it.
fn judge(text: &str, street: &Street, tail: &Tail, start: usize) -> Option<f32> {
    let announced = || is_announced(text, start);
    match (street.strength, tail.evidence) {
        (Strength::Sure, Evidence::None) => Some(0.7),
        (Strength::Sure, _) => Some(0.9),
        (Strength::Likely, Evidence::Strong | Evidence::Some) => Some(0.8),
        (Strength::Likely, Evidence::None) => announced().then_some(0.6),
        (Strength::Vague, Evidence::Strong) if street.check != PLAIN || tail.is_firm => Some(0.7),
        (Strength::Vague, Evidence::Some) if street.check == PLAIN => Some(0.5),
        (Strength::Vague, _) => announced().then_some(0.5),
    }
}

/// Whether one of the few words in front speaks of addresses.
fn is_announced(text: &str, at: usize) -> bool {
    let from = floor(text, at.saturating_sub(CONTEXT_BYTES));
    let ends =
        |pair: &[u8]| matches!(pair, [b'.' | b'!' | b'?', b' '] | [b'.', b'\n'] | [b'\n', b'\n']);
    let clause = text.as_bytes()[from..at].windows(2).rposition(ends).unwrap_or(0);
    let words =
        text[from + clause..at].split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty());
    words.rev().take(CONTEXT_WORDS).any(|w| ANNOUNCES.contains(&w.to_lowercase()))
}

/// Two streets that cross: "the corner of Elm and Oak Street".
fn corner_at(text: &str, at: usize) -> Option<Candidate> {
    text.get(..at)?.strip_suffix(' ')?;
    let first = street::name_at(text, at)?;
    let and = ["and ", "& "]
        .into_iter()
        .find(|a| text[first..].trim_start_matches([' ', '.']).starts_with(a))?;
    let second_at = first + text[first..].find(and)? + and.len();
    let second = street::name_at(text, second_at)?;
    let range = at..Tail::read(text, second).end.max(second);
    Some(Candidate::new(range, Entity::LOCATION, 0.6, "address/corner"))
}

/// The postal code behind the word for it.
fn labelled_code(source: &Source<'_>, label: &Label) -> Option<Candidate> {
    static SAID: WordSet = WordSet::new("code codes file files folder number lookup");
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let rest = &text[value.at..];
    let word: String = rest.chars().take(8).take_while(|c| c.is_alphabetic()).collect();
    if value.words > 1 || SAID.contains(&word.to_lowercase()) {
        return None;
    }
    let end = postcode::postcode_at(text, value.at).map(|(end, _)| end).or_else(|| {
        // A short or misspelt one: up to ten letters and digits.
        let len =
            rest.bytes().take(11).take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
        let digits = rest.bytes().take(len).filter(u8::is_ascii_digit).count();
        ((3..=10).contains(&len) && digits >= 2).then_some(value.at + len)
    })?;
    let range = value.at..end;
    source
        .stands_alone(&range)
        .then(|| Candidate::new(range, Entity::LOCATION, 0.7, "address/code").checked("label"))
}

#[cfg(test)]
mod tests;
