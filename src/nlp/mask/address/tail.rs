//! What follows a street: unit, town, state, postal code, country, behind commas, line breaks or
//! nothing. And towns with their postal code, with no street in front.

use std::ops::Range;

use super::super::context::floor;
use super::gazetteer::{
    CITIES, COUNTRIES, LONG_CITIES, LONG_COUNTRIES, LONG_STATES, STATE_CODES, STATES,
    starts_with_any,
};
use super::postcode::{Form, postcode_at};
use super::unit::unit_at;
use super::words::{CLOSINGS, NEVER, PARTICLES, STREETS};

/// How much what follows a street says that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    None,
    /// A country or a large city.
    Some,
    /// A unit or a postal code.
    Strong,
}

/// Parts of an address that are read at most.
const MAX_PARTS: usize = 9;
/// Words of a town's name.
const MAX_TOWN: usize = 5;

/// What follows a street.
pub(super) struct Tail {
    pub(super) end: usize,
    pub(super) evidence: Evidence,
    /// It has a unit, a country or a postal code set off by a comma or line.
    pub(super) is_firm: bool,
}

/// How a part is set off from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Space,
    Comma,
    Line,
}

/// One part.
struct Part {
    end: usize,
    evidence: Evidence,
    /// It is one for sure; a town of unknown name is not.
    sure: bool,
    is_unit: bool,
    /// It is a postal code or ends in one.
    has_code: bool,
}

impl Tail {
    /// Reads on from `end`, the end of a street.
    pub(super) fn read(text: &str, end: usize) -> Self {
        let mut tail = Self { end, evidence: Evidence::None, is_firm: false };
        let mut at = end;
        // What is read but not yet confirmed by something sure behind it.
        let mut pending = 0;
        let mut after_unit = false;
        let mut has_code = false;
        for _ in 0..MAX_PARTS {
            let Some((next, gap)) = gap_at(text, at) else { break };
            let Some(part) = part_at(text, next, gap) else { break };
            // A second number of digits alone is the next thing's, not a second postal code.
            let code = text[next..].starts_with(|c: char| c.is_ascii_digit()) && !part.is_unit;
            if code && has_code {
                break;
            }
            has_code |= code || part.has_code;
            tail.is_firm |=
                part.is_unit || part.evidence == Evidence::Some || code && gap != Gap::Space;
            at = part.end;
            if part.sure {
                tail.end = at;
                tail.evidence = tail.evidence.max(part.evidence);
                pending = 0;
            } else {
                // One town may end an address unconfirmed where its clause ends with it.
                let set_off = gap == Gap::Comma || after_unit && gap == Gap::Space;
                if pending == 0 && set_off && is_town(text, next..at) && ends_clause(text, at) {
                    tail.end = at;
                }
                pending += 1;
                if pending > 3 {
                    break;
                }
            }
            after_unit = part.is_unit;
        }
        tail
    }
}

/// Skips what may stand between two parts: where the next begins.
fn gap_at(text: &str, at: usize) -> Option<(usize, Gap)> {
    let rest = &text[at..floor(text, (at + 24).min(text.len()))];
    let mut gap = None;
    let mut len = 0;
    let mut lines = 0;
    for c in rest.chars() {
        match c {
            ' ' | '\t' => gap = gap.or(Some(Gap::Space)),
            ',' | ';' => gap = Some(gap.filter(|g| *g == Gap::Line).unwrap_or(Gap::Comma)),
            '\n' => {
                lines += 1;
                gap = Some(Gap::Line);
            }
            '\r' => {}
            // Quoted mail, and the stop of an abbreviation.
            '>' if gap == Some(Gap::Line) => {}
            '.' if len == 0 => {}
            '-' | '|' | '·' if gap.is_some() => gap = Some(Gap::Comma),
            _ => break,
        }
        len += c.len_utf8();
    }
    // A full stop ends a sentence unless a comma or line follows.
    let stopped =
        rest.starts_with('.') && gap == Some(Gap::Space) && unit_at(text, at + len).is_none();
    // An empty line ends a block, unless it is quoted.
    let block = lines <= 1 || lines == 2 && rest.contains('>');
    gap.filter(|_| block && !stopped && at + len < text.len()).map(|g| (at + len, g))
}

/// The part of an address at `at`.
fn part_at(text: &str, at: usize, gap: Gap) -> Option<Part> {
    let part = |end: usize, evidence: Evidence| {
        Some(Part { end, evidence, sure: true, is_unit: false, has_code: false })
    };
    if let Some(end) = unit_at(text, at) {
        return Some(Part { is_unit: true, ..part(end, Evidence::Strong)? });
    }
    if let Some((end, form)) = postcode_at(text, at) {
        // "12 Oak Road 5000 people": bare digits behind a mere space need a town or an end.
        let town = behind_space(text, end)
            .filter(|&t| words_end(text, t).is_some_and(|e| is_town(text, t..e)));
        let ends = ends_clause(text, end) || form == Form::Own;
        if let Some(town) = town.filter(|_| form == Form::Own || !is_small(text, end + 1)) {
            return Some(Part {
                has_code: true,
                ..part(words_end(text, town)?, Evidence::Strong)?
            });
        }
        let stands = ends || gap != Gap::Space || lines_up(text, end);
        return stands.then_some(Part {
            end,
            evidence: Evidence::Strong,
            sure: true,
            is_unit: false,
            has_code: true,
        });
    }
    let rest = &text[at..];
    if let Some(end) = country_at(text, at) {
        return part(end, Evidence::Some);
    }
    if let Some(len) =
        starts_with_any(rest, LONG_STATES).or_else(|| starts_with_any(rest, LONG_CITIES))
    {
        return part(at + len, Evidence::Some);
    }
    let letters: usize =
        rest.chars().take(24).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let word = &rest[..letters];
    let whole = letters > 0
        && !rest[letters..].starts_with(|c: char| {
            c.is_alphanumeric() || matches!(c, '\'' | '-' | ':' | '@' | '’')
        });
    if whole && is_state_code(text, at, word, gap) {
        return part(at + letters, Evidence::Some);
    }
    let lower = word.to_lowercase();
    let known = (CITIES.contains(&lower) || STATES.contains(&lower)) && !NEVER.contains(&lower);
    if whole && known && !(gap == Gap::Space && word.starts_with(char::is_lowercase)) {
        return part(district_end(text, at + letters), Evidence::Some);
    }
    if whole
        && letters <= 3
        && gap != Gap::Space
        && !CLOSINGS.contains(&lower)
        && !NEVER.contains(&lower)
        && (!PARTICLES.contains(&lower) || ends_line(text, at + letters))
    {
        // A province's code of a country that is not listed.
        return Some(Part {
            end: at + letters,
            evidence: Evidence::None,
            sure: false,
            is_unit: false,
            has_code: false,
        });
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return box_or_number(text, at, gap);
    }
    let end = words_end(text, at)?;
    Some(Part { end, evidence: Evidence::None, sure: false, is_unit: false, has_code: false })
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
    (gap != Gap::Space && digits <= 3 && closed).then_some(Part {
        end: at + digits,
        evidence: Evidence::None,
        sure: false,
        is_unit: false,
        has_code: false,
    })
}

fn behind_space(text: &str, at: usize) -> Option<usize> {
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
    // "Cyprus (Greek)"
    let bracket = text[end..]
        .strip_prefix(" (")
        .and_then(|b| b.find(')').filter(|&n| n <= 16 && b[..n].chars().all(char::is_alphabetic)));
    Some(bracket.map_or(end, |n| end + 2 + n + 1))
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
fn words_end(text: &str, at: usize) -> Option<usize> {
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
        if let Some(inner) = text[stop..].strip_prefix(" (")
            && let Some(close) = inner
                .find(')')
                .filter(|&n| n <= 48 && inner[..n].chars().all(|c| c.is_alphabetic() || c == ' '))
        {
            stop += 2 + close + 1;
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
fn is_town(text: &str, range: Range<usize>) -> bool {
    text[range].starts_with(|c: char| c.is_alphabetic() && !c.is_lowercase())
}

fn ends_clause(text: &str, at: usize) -> bool {
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
            'X', 'Y', 'W',
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
    if fits(with_letters) { with_letters } else { number.start }
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

/// Takes a country behind a town in.
fn country_behind(text: &str, end: usize) -> usize {
    let next = gap_at(text, end).filter(|(_, gap)| *gap != Gap::Space);
    next.and_then(|(at, _)| country_at(text, at)).unwrap_or(end)
}
