//! "Hauptstraße 5", "Via Roma 131", "Karl Johans gate 5": the number stands behind, as in most languages.

use std::ops::Range;

use super::{MAX_NAME, MAX_WORDS, PLAIN, Street, Strength, Word, lead, starts_with_digit};
use crate::nlp::mask::address::words::{
    ENDINGS, LEADS, NEVER, PARTICLES, PREFIXES, SHORT_PREFIXES, STREETS, WEAK_ENDINGS,
};
use crate::nlp::mask::context::floor;

/// The part of `at`'s clause that may hold a street's name: behind the last comma but one, without
/// the sign of a number ("Calle Mayor, nº 5").
fn clause_before(text: &str, at: usize) -> Range<usize> {
    const ENDS: &[u8] = b"\n\r:;!?()<>\"|=[]{";
    let from = floor(text, at.saturating_sub(MAX_NAME));
    let line = &text[from..at];
    let start = line.bytes().rposition(|b| ENDS.contains(&b)).map_or(0, |cut| cut + 1);
    let clause = without_sign(line[start..].trim_end_matches(' '));
    let clause = clause.strip_suffix(',').unwrap_or(clause);
    let name = clause.rfind(',').map_or(0, |cut| cut + 1);
    from + start + name..from + start + clause.len()
}

/// Without "no." and the like behind a space or comma.
fn without_sign(clause: &str) -> &str {
    const SIGNS: [&str; 12] =
        ["nº", "n.º", "n°", "no.", "nr.", "nr", "núm.", "num.", "número", "numero", "n.", "№"];
    if !clause.ends_with(['º', '°', '.', 'r', 'R', 'o', 'O', '№']) {
        return clause;
    }
    let shorter = SIGNS.iter().find_map(|sign| {
        let n = clause.len().checked_sub(sign.len())?;
        let signed = clause.is_char_boundary(n) && clause[n..].to_lowercase() == *sign;
        (signed && clause[..n].ends_with([' ', ','])).then(|| clause[..n].trim_end_matches(' '))
    });
    shorter.unwrap_or(clause)
}

/// The words in front of `at` on its line, nearest first.
fn words_back(text: &str, at: usize) -> Vec<Word> {
    let clause = clause_before(text, at);
    let mut words = Vec::new();
    let mut end = clause.end;
    while words.len() <= MAX_WORDS && end > clause.start {
        let part = &text[clause.start..end];
        let trimmed = part.trim_end_matches(' ');
        if trimmed.is_empty() || part.len() - trimmed.len() > 1 {
            break;
        }
        let start = clause.start + trimmed.rfind(' ').map_or(0, |n| n + 1);
        let word = Word::new(text, start..clause.start + trimmed.len());
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
pub(super) fn name_first(text: &str, number: &Range<usize>, house: usize) -> Option<Street> {
    let before = text[..number.start].chars().next_back()?;
    if !matches!(before, ' ' | ',' | 'º' | '°' | '.') {
        return None;
    }
    if is_behind_number(&text.as_bytes()[..number.start])
        || is_behind_small_word(&text[..number.start])
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
    if let Some(start) = calle(text, &words) {
        return made(start, Strength::Sure, "street");
    }
    // A prefix decides over an ending: "Via della Strada Nuova 5".
    if let Some((start, strength)) = prefixed(&words) {
        return made(start, strength, "street");
    }
    if !last.is_name() {
        return None;
    }
    if let Some((start, strength)) = german(&words) {
        return made(start, strength, "street");
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
    plain_start(&words, has_lead).and_then(|start| made(start, Strength::Vague, PLAIN))
}

/// Whether the word in front is digits alone: no street ends in them.
fn is_behind_number(before: &[u8]) -> bool {
    let near = before.trim_ascii_end();
    let digits = near.iter().rev().take(MAX_NAME).take_while(|b| b.is_ascii_digit()).count();
    let ahead = near[..near.len() - digits].last();
    before.ends_with(b" ") && digits > 0 && ahead.is_none_or(|b| *b == b' ')
}

/// Most numbers in prose stand behind a small word that no street is called.
fn is_behind_small_word(before: &str) -> bool {
    let near = before.trim_end_matches([' ', ',']);
    let small = near.bytes().rev().take(12).take_while(u8::is_ascii_lowercase).count();
    let (rest, last) = near.split_at(near.len() - small);
    small > 0
        && rest.ends_with(' ')
        && (NEVER.contains(last) || PARTICLES.contains(last))
        && !matches!(last, "no" | "nr" | "n")
}

/// Where a name in small letters begins that has a number right in front.
fn plain_start(words: &[Word], has_lead: impl Fn(usize) -> bool) -> Option<usize> {
    let plain = words
        .iter()
        .take(4)
        .take_while(|w| w.is_name() && !w.is_particle() || w.lower.chars().count() == 1)
        .count();
    let mut starts = words[..plain].iter().rev().map(|w| w.range.start);
    starts.find(|&start| has_lead(start))
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
    // "al. Jerozolimskie": the stop says that it is short for a street's word.
    if capital && prefix.is_dotted() {
        return Some((prefix.range.start, Strength::Sure));
    }
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
        // "in via Garibaldi 3, Milano": with a town behind it.
        let lower = capital && short && prefix.lower.len() > 2;
        (plain || lower).then_some((prefix.range.start, Strength::Likely))
    }
}

/// A Spanish street, "C/Mayor", "c/ Gran Vía": the slash is part of the word for it.
fn calle(text: &str, words: &[Word]) -> Option<usize> {
    let at = words.iter().take(MAX_WORDS).position(|w| w.lower.starts_with("c/"))?;
    let word = &words[at];
    let named = at > 0 || word.lower.chars().nth(3).is_some();
    let names = words[..at].iter().all(|w| w.lower.starts_with(char::is_alphabetic));
    // "c/o" is who the letter is for.
    let is_care = word.lower == "c/o" || text[word.range.clone()].ends_with('.');
    (named && names && !is_care).then_some(word.range.start)
}

/// A street that German says where it is: "Unter den Linden", "Platz der Republik", "Zur Alten Mühle".
fn german(words: &[Word]) -> Option<(usize, Strength)> {
    let names = words.iter().take_while(|w| w.is_capital && w.is_name()).count();
    let article = words.get(names).filter(|_| (1..=3).contains(&names))?;
    let is_article = matches!(article.lower.as_str(), "der" | "den" | "dem" | "des");
    let head = words.get(names + 1).filter(|_| is_article).filter(|w| w.is_capital);
    if let Some(head) = head {
        match head.lower.as_str() {
            "platz" | "straße" | "strasse" | "allee" => {
                return Some((head.range.start, Strength::Sure));
            }
            "unter" | "an" | "auf" | "hinter" | "vor" | "in" | "bei" | "ufer" | "weg" => {
                return Some((head.range.start, Strength::Likely));
            }
            _ => {}
        }
    }
    // "Zur Alten Mühle": the last capital names it, "Zur" is no word of other languages.
    let first = words.get(names.checked_sub(1)?)?;
    (names > 1 && matches!(first.lower.as_str(), "zur" | "zum"))
        .then_some((first.range.start, Strength::Likely))
}

/// A street that ends in what streets are called, as a word of its own or not.
fn ending(words: &[Word]) -> Option<(usize, Strength)> {
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
    let (end, strength) = match (find(ENDINGS), find(WEAK_ENDINGS)) {
        (Some(e), _) => (e, Strength::Sure),
        (None, Some("str")) => ("str", Strength::Sure),
        (None, Some(e)) => (e, Strength::Likely),
        (None, None) => return None,
    };
    if NO_STREETS.contains(&lower) {
        return None;
    }
    if lower.len() > end.len() {
        return compound(words, end, strength);
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

/// A street whose last word ends in what streets are called: the rest must be a name's, of three
/// letters or more.
fn compound(words: &[Word], end: &str, mut strength: Strength) -> Option<(usize, Strength)> {
    const PLAIN: [&str; 9] =
        ["straße", "strasse", "straat", "gatan", "vägen", "gasse", "katu", "utca", "str"];
    let last = &words[0];
    let lower = last.lower.as_str();
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
    Some((words[first].range.start, strength))
}
