//! One part of an address behind its street: unit, postal code with its town, state, country, or words
//! that may be a town's.

use std::ops::Range;

use super::gazetteer::{
    CITIES, COUNTRIES, LONG_CITIES, LONG_COUNTRIES, LONG_STATES, STATE_CODES, STATES,
    starts_with_any,
};
use super::postcode::{Form, postcode_at};
use super::unit::unit_at;
use super::words::{CLOSINGS, NEVER, PARTICLES};
use crate::nlp::mask::context::floor;

/// Words of a town's name.
const MAX_TOWN: usize = 5;

/// How much what follows a street says that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    None,
    /// A country or a large city.
    Some,
    /// A unit or a postal code.
    Strong,
}

/// How a part is set off from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Space,
    Comma,
    Line,
}

/// One part.
pub(super) struct Part {
    pub(super) end: usize,
    pub(super) evidence: Evidence,
    /// It is one for sure; a town of unknown name is not.
    pub(super) sure: bool,
    pub(super) is_unit: bool,
    /// It is a postal code or ends in one.
    pub(super) has_code: bool,
}

impl Part {
    fn sure(end: usize, evidence: Evidence) -> Self {
        Self { end, evidence, sure: true, is_unit: false, has_code: false }
    }

    /// Something that may be one.
    fn unsure(end: usize) -> Self {
        Self { sure: false, ..Self::sure(end, Evidence::None) }
    }
}

/// The part of an address at `at`.
pub(super) fn part_at(text: &str, at: usize, gap: Gap) -> Option<Part> {
    if let Some(end) = unit_at(text, at) {
        return Some(Part { is_unit: true, ..Part::sure(end, Evidence::Strong) });
    }
    if let Some((end, form)) = postcode_at(text, at) {
        return coded(text, end, form, gap);
    }
    let rest = &text[at..];
    if let Some(end) = country_at(text, at) {
        return Some(Part::sure(end, Evidence::Some));
    }
    if let Some(len) =
        starts_with_any(rest, LONG_STATES).or_else(|| starts_with_any(rest, LONG_CITIES))
    {
        return Some(Part::sure(at + len, Evidence::Some));
    }
    let letters: usize =
        rest.chars().take(24).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let word = &rest[..letters];
    let whole = letters > 0
        && !rest[letters..].starts_with(|c: char| {
            c.is_alphanumeric() || matches!(c, '\'' | '-' | ':' | '@' | '’')
        });
    if whole && is_state_code(text, at, word, gap) {
        return Some(Part::sure(at + letters, Evidence::Some));
    }
    let lower = word.to_lowercase();
    let known = (CITIES.contains(&lower) || STATES.contains(&lower)) && !NEVER.contains(&lower);
    if whole && known && !(gap == Gap::Space && word.starts_with(char::is_lowercase)) {
        return Some(Part::sure(district_end(text, at + letters), Evidence::Some));
    }
    if whole
        && letters <= 3
        && gap != Gap::Space
        && !CLOSINGS.contains(&lower)
        && !NEVER.contains(&lower)
        && (!PARTICLES.contains(&lower) || ends_line(text, at + letters))
    {
        // A province's code of a country that is not listed.
        return Some(Part::unsure(at + letters));
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return box_or_number(text, at, gap);
    }
    let end = words_end(text, at)?;
    Some(Part::unsure(end))
}

/// A postal code that ends at `end`, with the town behind it.
fn coded(text: &str, end: usize, form: Form, gap: Gap) -> Option<Part> {
    let code = |end: usize| Part { has_code: true, ..Part::sure(end, Evidence::Strong) };
    // "12 Oak Road 5000 people": bare digits behind a mere space need a town or an end.
    let town =
        behind_space(text, end).and_then(|t| words_end(text, t).filter(|&e| is_town(text, t..e)));
    let ends = ends_clause(text, end) || form == Form::Own;
    if let Some(town) = town.filter(|_| form == Form::Own || !is_small(text, end + 1)) {
        return Some(code(town));
    }
    (ends || gap != Gap::Space || lines_up(text, end)).then(|| code(end))
}

/// Takes the number of a city's district in: "Dublin 1", "Wien 3".
fn district_end(text: &str, at: usize) -> usize {
    let digits = text[at..]
        .strip_prefix(' ')
        .map_or(0, |r| r.bytes().take(3).take_while(u8::is_ascii_digit).count());
    let end = at + 1 + digits;
    if (1..=2).contains(&digits) && ends_clause(text, end) { end } else { at }
}

/// A box as a part, or a short number that districts and provinces have (`, 32`).
fn box_or_number(text: &str, at: usize, gap: Gap) -> Option<Part> {
    let digits = text[at..].bytes().take(4).take_while(u8::is_ascii_digit).count();
    let closed = ends_line(text, at + digits);
    (gap != Gap::Space && digits <= 3 && closed).then(|| Part::unsure(at + digits))
}

pub(super) fn behind_space(text: &str, at: usize) -> Option<usize> {
    text[at..].starts_with(' ').then_some(at + 1)
}

fn is_small(text: &str, at: usize) -> bool {
    text[at..].starts_with(char::is_lowercase)
}

/// Whether more of the address follows on the next line.
fn lines_up(text: &str, at: usize) -> bool {
    text[at..].trim_start_matches([' ', ',']).starts_with(['\n', '\r'])
}

/// A country at `at`: where it ends.
pub(super) fn country_at(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if let Some(len) = starts_with_any(rest, LONG_COUNTRIES) {
        return Some(at + len);
    }
    for code in ["U.S.A.", "U.K.", "U.S."] {
        if rest.starts_with(code) {
            return Some(at + code.len());
        }
    }
    let letters: usize = rest
        .chars()
        .take(20)
        .take_while(|c| c.is_alphabetic() || *c == '-')
        .map(char::len_utf8)
        .sum();
    let word = rest[..letters].trim_end_matches('-');
    let lower = word.to_lowercase();
    let whole = !rest[word.len()..]
        .starts_with(|c: char| c.is_alphanumeric() || matches!(c, '\'' | '-' | '@' | '’'));
    if !whole || word.is_empty() || !COUNTRIES.contains(&lower) {
        return None;
    }
    let end = at + word.len();
    Some(bracket_behind(text, end, 16, char::is_alphabetic).unwrap_or(end))
}

/// The end of a bracket behind `at` with nothing but `part`s in it, up to `longest` bytes of them:
/// "Cyprus (Greek)". Looks no further, as there may be as many brackets as towns.
fn bracket_behind(
    text: &str,
    at: usize,
    longest: usize,
    part: impl Fn(char) -> bool,
) -> Option<usize> {
    let inner = text[at..].strip_prefix(" (")?;
    let len = inner[..floor(inner, longest + 1)].find(')')?;
    inner[..len].chars().all(part).then_some(at + 2 + len + 1)
}

/// A state's code: capitals, and with a postal code behind or the end of its line if it is a word
/// as well.
fn is_state_code(text: &str, at: usize, word: &str, gap: Gap) -> bool {
    let end = at + word.len();
    let code_behind =
        text[end..].strip_prefix(' ').is_some_and(|_| postcode_at(text, end + 1).is_some());
    let listed = STATE_CODES.contains(&word.to_ascii_uppercase());
    let capitals = word.chars().all(|c| c.is_ascii_uppercase());
    let two = (2..=3).contains(&word.len()) && word.is_ascii();
    two && code_behind && (capitals || listed)
        || listed && capitals && (gap != Gap::Space || ends_clause(text, end))
}

/// The end of the words at `at` that could be a town's: capitals and small words between them, or
/// small letters throughout.
pub(super) fn words_end(text: &str, at: usize) -> Option<usize> {
    let capital = !is_small(text, at);
    let mut end = None;
    let mut next = at;
    for i in 0..MAX_TOWN {
        let rest = &text[next..];
        let part = |c: char| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '∆' | '/');
        let len: usize = rest.chars().take(32).take_while(|&c| part(c)).map(char::len_utf8).sum();
        let word = &rest[..len];
        let lower = word.to_lowercase();
        let particle = PARTICLES.contains(&lower);
        let stops = len == 0
            || rest[len..].starts_with([':', '@', '_'])
            || rest[len..].starts_with(|c: char| c.is_ascii_digit())
            || CLOSINGS.contains(&lower) && !particle
            || !particle && NEVER.contains(&lower)
            || i == 0 && particle && word.chars().count() < 2
            || capital && is_small(text, next) && !particle;
        if stops {
            break;
        }
        let mut stop = next + len;
        if rest[len..].starts_with('.') && len <= 3 && rest[len + 1..].starts_with(' ') {
            stop += 1;
        }
        // "ΑΓΛΑΝΤΖΙΑ (ΑΓΛΑΓΓΙΑ)"
        if let Some(end) = bracket_behind(text, stop, 48, |c| c.is_alphabetic() || c == ' ') {
            stop = end;
        }
        if !particle || !capital {
            end = Some(stop);
        }
        if !text[stop..].starts_with(' ') {
            break;
        }
        next = stop + 1;
    }
    end
}

/// Whether words look like a town's name: capitals.
pub(super) fn is_town(text: &str, range: Range<usize>) -> bool {
    text[range].starts_with(|c: char| c.is_alphabetic() && !c.is_lowercase())
}

pub(super) fn ends_clause(text: &str, at: usize) -> bool {
    let rest = text[at..].trim_start_matches(' ');
    let small = text[at..].starts_with(' ') && rest.starts_with(char::is_lowercase);
    rest.is_empty()
        || small
        || rest.starts_with(['.', ',', ';', '!', '?', '\n', '\r', ')', '"', '<', '|', '/'])
}

fn ends_line(text: &str, at: usize) -> bool {
    let rest = text[at..].trim_start_matches([' ', ',']);
    rest.is_empty() || rest.starts_with(['\n', '\r'])
}
