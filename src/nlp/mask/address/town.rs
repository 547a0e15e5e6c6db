//! Towns with their postal code, with no street in front.

use std::ops::Range;

use super::gazetteer::{CITIES, STATE_CODES};
use super::part::{Gap, behind_space, country_at, is_town, words_end};
use super::postcode::{Form, postcode_at};
use super::tail::gap_at;
use super::words::{NEVER, STREETS};
use crate::nlp::mask::context::floor;

/// A town with its postal code and no street.
pub(super) struct Town {
    pub(super) range: Range<usize>,
    pub(super) score: f32,
}

/// The town whose postal code holds `number`: `10115 Berlin`, `Springfield, IL 62701`,
/// `Toronto ON M5V 2T6`.
pub(super) fn town_at(text: &str, number: &Range<usize>) -> Option<Town> {
    // No code has fewer digits, but for those with a hyphen or letters behind.
    if number.len() < 3
        && !text[number.end..].starts_with([
            '-', 'A', 'B', 'C', 'E', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'T', 'V',
            'X', 'Y', 'W', 'D', 'F', 'Q', 'U', 'Z',
        ])
    {
        return None;
    }
    let own_start = code_start(text, number);
    let (end, form) = postcode_at(text, own_start)?;
    let made = |range: Range<usize>, score: f32| Some(Town { range, score });
    if let Some((start, known)) = town_before(text, own_start) {
        let tail = country_behind(text, end);
        return made(start..tail, if known { 0.8 } else { 0.5 });
    }
    if let Some(start) = town_before_british(text, own_start, end) {
        return made(start..country_behind(text, end), 0.6);
    }
    let town = behind_space(text, end)
        .and_then(|at| Some(at..words_end(text, at)?))
        .filter(|r| is_town(text, r.clone()));
    if let Some(town) = town {
        let first: String = text[town.clone()]
            .chars()
            .take_while(|c| c.is_alphabetic())
            .collect::<String>()
            .to_lowercase();
        let known = CITIES.contains(&first);
        let words = text[town.clone()].split([' ', '-', '.']).map(str::to_lowercase);
        let mut parts = words.clone().filter(|w| !w.is_empty());
        let is_street = words.into_iter().any(|w| STREETS.contains(&w));
        let is_one_letter = parts.next().is_none_or(|w| w.chars().count() < 2);
        // With a further number behind, it is a street's name.
        let goes_on = behind_space(text, town.end)
            .is_some_and(|at| text[at..].starts_with(|c: char| c.is_ascii_digit()));
        if is_street || is_one_letter || goes_on {
            return None;
        }
        let score = match (form, known) {
            (_, true) => 0.7,
            (Form::Own, false) => 0.3,
            (Form::Digits, false) => 0.2,
        };
        let town_end =
            if score > 0.2 && !known { town.end } else { country_behind(text, town.end) };
        return made(own_start..country_behind(text, town_end), score);
    }
    None
}

/// Where a code with letters in front begins that has `number` as its digits.
fn code_start(text: &str, number: &Range<usize>) -> usize {
    let from = floor(text, number.start.saturating_sub(8));
    let window = &text[from..number.start];
    let start = window
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .map_or(0, |n| n + window[n..].chars().next().map_or(1, char::len_utf8));
    let with_letters = from + start;
    let fits = |at: usize| {
        at < number.start && postcode_at(text, at).is_some_and(|(end, _)| end >= number.end)
    };
    // "OX1 2AB": the number is the second half's.
    let outward = || {
        let half = window.strip_suffix(' ').filter(|_| with_letters == number.start)?;
        let letters = half.bytes().rev().take(5).take_while(u8::is_ascii_alphanumeric).count();
        let at = number.start - 1 - letters;
        ((2..=4).contains(&letters) && fits(at)).then_some(at)
    };
    if fits(with_letters) { with_letters } else { outward().unwrap_or(number.start) }
}

/// A town and its state in front of a postal code: `Springfield, IL `.
fn town_before(text: &str, at: usize) -> Option<(usize, bool)> {
    let from = floor(text, at.saturating_sub(48));
    let window = &text[from..at];
    let line =
        window.rfind(['\n', ':', ';', '(', '>', '!', '?']).map_or(window, |n| &window[n + 1..]);
    let base = at - line.len();
    let trimmed = line.trim_end_matches([' ', ',']);
    let code_at = trimmed
        .rfind(|c: char| !c.is_ascii_alphabetic())
        .map_or(0, |n| n + trimmed[n..].chars().next().map_or(1, char::len_utf8));
    let code = &trimmed[code_at..];
    if !STATE_CODES.contains(code) || code_at == 0 {
        return None;
    }
    let town = trimmed[..code_at].trim_end_matches([' ', ',']);
    if town.is_empty() || town.len() == code_at {
        return None;
    }
    let comma = town.rfind(',').map_or(0, |n| n + 1);
    let mut start = None;
    let mut end = town.len();
    for _ in 0..4 {
        let word_at = comma + town[comma..end].rfind(' ').map_or(0, |n| n + 1);
        let word = &town[word_at..end];
        let is_name = word.starts_with(|c: char| c.is_alphabetic() && !c.is_lowercase())
            && !NEVER.contains(&word.to_lowercase());
        if !is_name {
            break;
        }
        start = Some(word_at);
        end = town[..word_at].trim_end().len().max(comma);
        if end <= comma {
            break;
        }
    }
    start.map(|s| (base + s, true))
}

/// A town in front of a British postal code: "Oxford OX1 2AB". Nothing else has the code's form with
/// its space.
fn town_before_british(text: &str, start: usize, end: usize) -> Option<usize> {
    let code = text.get(start..end)?;
    let (outward, inward) = code.split_once(' ')?;
    let is_british = (2..=4).contains(&outward.len())
        && outward.starts_with(|c: char| c.is_ascii_uppercase())
        && inward.len() == 3
        && inward.starts_with(|c: char| c.is_ascii_digit())
        && inward[1..].bytes().all(|b| b.is_ascii_uppercase())
        // "MacBook M1 8GB"
        && !matches!(&inward[1..], "GB" | "TB" | "HZ" | "HP" | "WH" | "AH");
    let before = text[..start].strip_suffix(' ').filter(|_| is_british)?;
    let before = before.strip_suffix(',').unwrap_or(before);
    let near = &before[floor(before, before.len().saturating_sub(32))..];
    let letters: usize =
        near.chars().rev().take_while(|c| c.is_alphabetic() || *c == '-').map(char::len_utf8).sum();
    let town = &near[near.len() - letters..];
    let is_whole = letters < near.len() || near.len() == before.len();
    let named = letters > 2
        && is_whole
        && is_town(town, 0..letters)
        && !NEVER.contains(&town.to_lowercase());
    named.then(|| before.len() - letters)
}

/// Takes a country behind a town in.
fn country_behind(text: &str, end: usize) -> usize {
    let next = gap_at(text, end).filter(|(_, gap)| *gap != Gap::Space);
    next.and_then(|(at, _)| country_at(text, at)).unwrap_or(end)
}
