//! Streets with their numbers: number first as in English and French, name first as in most other
//! languages.

use std::ops::Range;

use super::super::context::floor;
use super::super::date::is_month;
use super::words::{
    ENDINGS, LEADS, NEVER, PARTICLES, PREFIXES, SHORT_PREFIXES, STREETS, WEAK_ENDINGS, WEAK_STREETS,
};

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

/// "12 Oak Street", "12, rue de la Paix".
fn number_first(text: &str, start: usize, house: usize) -> Option<Street> {
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

fn starts_with_digit(word: &Word) -> bool {
    word.lower.starts_with(|c: char| c.is_ascii_digit())
        && word.lower.ends_with(|c: char| c.is_ascii_alphabetic())
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

/// The words in front of `at` on its line, nearest first.
fn words_back(text: &str, at: usize) -> Vec<Word> {
    let from = floor(text, at.saturating_sub(MAX_NAME));
    let mut line = &text[from..at];
    let ends = |b: u8| {
        matches!(
            b,
            b'\n'
                | b'\r'
                | b':'
                | b';'
                | b'!'
                | b'?'
                | b'('
                | b')'
                | b'<'
                | b'>'
                | b'"'
                | b'|'
                | b'='
                | b'['
                | b']'
                | b'{'
        )
    };
    if let Some(cut) = line.bytes().rposition(ends) {
        line = &line[cut + 1..];
    }
    // "Calle Mayor, 5", "Calle Mayor, nº 5"
    let mut tail = line.trim_end_matches(' ');
    let signed = tail.ends_with(['º', '°', '.', 'r', 'R', 'o', 'O', '№']);
    for sign in
        ["nº", "n.º", "n°", "no.", "nr.", "nr", "núm.", "num.", "número", "numero", "n.", "№"]
    {
        if !signed {
            break;
        }
        let shorter = tail
            .len()
            .checked_sub(sign.len())
            .filter(|&n| tail.is_char_boundary(n) && tail[n..].to_lowercase() == sign);
        if let Some(n) = shorter.filter(|&n| tail[..n].ends_with([' ', ','])) {
            tail = tail[..n].trim_end_matches(' ');
            break;
        }
    }
    let tail = tail.strip_suffix(',').unwrap_or(tail);
    let base = at - line.len();
    let tail = match tail.rfind(',') {
        Some(cut) => cut + 1..tail.len(),
        None => 0..tail.len(),
    };
    let mut words = Vec::new();
    let mut end = tail.end;
    while words.len() <= MAX_WORDS && end > tail.start {
        let part = &line[tail.start..end];
        let trimmed = part.trim_end_matches(' ');
        if trimmed.is_empty() || part.len() - trimmed.len() > 1 {
            break;
        }
        let start = tail.start + trimmed.rfind(' ').map_or(0, |n| n + 1);
        let word = Word::new(text, base + start..base + tail.start + trimmed.len());
        // A sentence ends here, unless the stop is an abbreviation's.
        let dotted = text[word.range.clone()].ends_with('.');
        if dotted && !words.is_empty() && word.lower.len() > 4 || word.lower.is_empty() {
            break;
        }
        words.push(word);
        end = start;
    }
    words
}

/// "Hauptstraße 5", "Via Roma 131", "Karl Johans gate 5".
fn name_first(text: &str, number: &Range<usize>, house: usize) -> Option<Street> {
    let before = text[..number.start].chars().next_back()?;
    if !matches!(before, ' ' | ',' | 'º' | '°' | '.') {
        return None;
    }
    // Most numbers in prose stand behind a small word that no street is called.
    let near = text[..number.start].trim_end_matches([' ', ',']);
    let small = near.bytes().rev().take(12).take_while(u8::is_ascii_lowercase).count();
    let last = &near[near.len() - small..];
    let alone = near[..near.len() - small].ends_with(' ');
    if small > 0
        && alone
        && (NEVER.contains(last) || PARTICLES.contains(last))
        && !matches!(last, "no" | "nr" | "n")
    {
        return None;
    }
    let words = words_back(text, number.start);
    let last = words.first()?;
    if !last.lower.starts_with(char::is_alphabetic) {
        return None;
    }
    let made = |start: usize, strength: Strength, check: &'static str| {
        Some(Street { range: start..house, strength, check })
    };
    // A prefix decides over an ending: "Via della Strada Nuova 5".
    if let Some((start, strength)) = prefixed(&words) {
        return made(start, strength, "street");
    }
    if !last.is_name() {
        return None;
    }
    if let Some((start, strength)) = ending(&words) {
        return made(start, strength, "street");
    }
    let names =
        words.iter().take_while(|w| w.is_capital && w.is_name() && !starts_with_digit(w)).count();
    if names > 1 && STREETS.contains(&last.lower) {
        return made(words[names - 1].range.start, Strength::Likely, "street");
    }
    // "at Corelogic, 12": a comma stands only behind a street that is one.
    if text[..number.start].trim_end_matches(' ').ends_with(',') {
        return None;
    }
    let has_lead = |start: usize| lead(text, start) < start;
    if names > 0
        && !matches!(
            last.lower.as_str(),
            "psc" | "box" | "unit" | "cmr" | "apt" | "suite" | "apartment" | "flat"
        )
    {
        let start = joined_names(&words);
        let strength = if has_lead(start) { Strength::Likely } else { Strength::Vague };
        return made(start, strength, "shape");
    }
    // Small letters throughout: only between two numbers.
    let plain = words
        .iter()
        .take(4)
        .take_while(|w| w.is_name() && !w.is_particle() || w.lower.chars().count() == 1)
        .count();
    (1..=plain)
        .rev()
        .find(|&n| has_lead(words[n - 1].range.start))
        .and_then(|n| made(words[n - 1].range.start, Strength::Vague, PLAIN))
}

/// Where a name of capitals begins that has small words inside: "Jiřího z Poděbrad".
fn joined_names(words: &[Word]) -> usize {
    let mut start = words[0].range.start;
    for (i, word) in words.iter().enumerate().take(MAX_WORDS - 1) {
        if word.is_capital && word.is_name() && !starts_with_digit(word) {
            start = word.range.start;
        } else if !(word.is_particle()
            && words.get(i + 1).is_some_and(|w| w.is_capital && w.is_name()))
        {
            break;
        }
    }
    start
}

/// A street that begins with what streets are called.
fn prefixed(words: &[Word]) -> Option<(usize, Strength)> {
    let found = words.iter().enumerate().skip(1).find(|(i, w)| {
        PREFIXES.contains(&w.lower)
            && words[..*i]
                .iter()
                .any(|n| !n.is_particle() && n.lower.starts_with(char::is_alphabetic))
    });
    let (i, prefix) = found?;
    let names = &words[..i];
    let capital = names
        .iter()
        .all(|n| n.is_capital || n.is_particle() || n.lower.bytes().all(|b| b.is_ascii_digit()));
    let capital = capital && names.iter().any(|n| n.is_capital);
    let short = SHORT_PREFIXES.contains(&prefix.lower);
    let plain = !short
        && i <= 4
        && !prefix.is_capital
        && names.iter().all(|n| n.is_name() || n.is_particle());
    if capital && (prefix.is_capital || !short) {
        // "Via" and "Place" begin sentences as well; "Rua" does not.
        Some((
            prefix.range.start,
            if short && prefix.lower != "via" { Strength::Likely } else { Strength::Sure },
        ))
    } else {
        plain.then_some((prefix.range.start, Strength::Likely))
    }
}

/// A street that ends in what streets are called, as a word of its own or not.
fn ending(words: &[Word]) -> Option<(usize, Strength)> {
    const PLAIN: [&str; 8] =
        ["straße", "strasse", "straat", "gatan", "vägen", "gasse", "katu", "utca"];
    const NO_STREETS: [&str; 16] = [
        "arbeitsplatz",
        "parkplatz",
        "bahnsteig",
        "stellplatz",
        "sitzplatz",
        "brigade",
        "dekade",
        "autobahn",
        "spielplatz",
        "necktie",
        "speicherplatz",
        "startplatz",
        "liegeplatz",
        "ausstieg",
        "einstieg",
        "anstieg",
    ];
    let last = &words[0];
    let lower = last.lower.as_str();
    let find = |list: &[&'static str]| {
        list.iter().filter(|e| lower.ends_with(*e)).max_by_key(|e| e.len()).copied()
    };
    let (end, mut strength) = match (find(ENDINGS), find(WEAK_ENDINGS)) {
        (Some(e), _) => (e, Strength::Sure),
        (None, Some("str")) => ("str", Strength::Sure),
        (None, Some(e)) => (e, Strength::Likely),
        (None, None) => return None,
    };
    if NO_STREETS.contains(&lower) {
        return None;
    }
    if lower.len() > end.len() {
        // Part of a word: the rest must be a name's, of three letters or more.
        let long_enough = lower.len() >= end.len() + 3;
        let plain = PLAIN.contains(&end);
        let weak_compound = strength == Strength::Likely
            && (end.len() < 3
                || matches!(end, "tee" | "gate" | "plan" | "ring" | "park" | "berg" | "feld"));
        if !long_enough
            || !(last.is_capital || plain)
            || end == "cad"
            || end == "tie" && !last.is_capital
        {
            return None;
        }
        // Finnish genitives, "Mannerheimintie"; "Cookie" and "Necktie" have none.
        let is_finnish = lower.ends_with("ntie");
        if weak_compound || end == "tie" && !is_finnish {
            strength = Strength::Vague;
        }
        let leads = words[1..]
            .iter()
            .take(3)
            .take_while(|w| LEADS.contains(&w.lower) && (w.is_capital || w.is_particle()))
            .count();
        // A lead must begin with a capital, or "auf der Hauptstraße 5" would take its preposition.
        let first = (0..=leads).rev().find(|&i| words[i].is_capital).unwrap_or(0);
        return Some((words[first].range.start, strength));
    }
    let mut start = None;
    for word in words[1..].iter().take(4) {
        if word.is_capital && word.is_name() {
            start = Some(word.range.start);
        } else if !(word.is_particle() || LEADS.contains(&word.lower)) {
            break;
        }
    }
    // All in small letters: one word in front.
    let plain = || {
        words
            .get(1)
            .filter(|w| !last.is_capital && w.is_name() && end.len() > 3)
            .map(|w| w.range.start)
    };
    start.or_else(plain).map(|start| (start, strength))
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
