//! Names of people, by rule, for who has no encoder and so no names head. The service and the commands
//! don't use it: there names come from the head or, with `--no-names`, not at all.
//!
//! It finds names only where the text says that one follows: "my name is", a title, a greeting or
//! the line under a closing, a labelled field. It knows no list of names, so a name in the middle
//! of a sentence is missed, and so is one in lower case. Where names are capitalised like other
//! words (headings, shouting) it stays silent rather than mask the wrong words. Expect good
//! precision and low recall; scores are below those of types with a check digit.

mod words;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use self::words::{Cue, NOT_NAMES, PARTICLES};
use super::candidate::Candidate;
use super::context::floor;
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use crate::domain::masking::Entity;

/// Words of a name, particles not counted.
const MAX_WORDS: usize = 4;
/// How far back the start of a greeting's or closing's line may be, in bytes.
const MAX_CLOSING: usize = 60;

pub(super) struct Person;

impl Recognizer for Person {
    fn entity(&self) -> &Entity {
        const { &Entity::PERSON }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        let Some(cues) = CUES.as_ref() else { return };
        for hit in cues.automaton.find_iter(text) {
            let range = hit.range();
            if !source.stands_alone(&range) {
                continue;
            }
            let cue = cues.kinds[hit.pattern().as_usize()];
            if let Some((name, score)) = behind(text, &range, cue) {
                out.push(Candidate::new(name, Entity::PERSON, score, recognizer_name(cue)));
            }
        }
    }
}

/// All cues in one automaton, with the kind of each. Letters beyond ASCII are compared as they
/// are; the cues hold their usual case.
struct Cues {
    automaton: AhoCorasick,
    kinds: Vec<Cue>,
}

static CUES: LazyLock<Option<Cues>> = LazyLock::new(|| {
    let (kinds, phrases): (Vec<Cue>, Vec<&str>) = words::phrases().unzip();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(phrases)
        .ok()?;
    Some(Cues { automaton, kinds })
});

fn recognizer_name(cue: Cue) -> &'static str {
    match cue {
        Cue::Introduction | Cue::Being => "person/introduction",
        Cue::Title => "person/title",
        Cue::Greeting => "person/greeting",
        Cue::Closing => "person/closing",
        Cue::Field => "person/field",
    }
}

/// The name behind a cue, and its score.
fn behind(text: &str, cue_range: &Range<usize>, cue: Cue) -> Option<(Range<usize>, f32)> {
    let written = &text[cue_range.clone()];
    let rest = &text[cue_range.end..];
    let at = |from: &str| text.len() - from.len();
    match cue {
        Cue::Introduction => {
            let rest = rest.trim_start_matches([' ', ':']);
            let name = name_at(text, at(rest))?;
            Some((name.range, 0.7))
        }
        Cue::Being => {
            // In a heading every word is capitalised; then capitals say nothing.
            let is_heading = written.chars().skip(1).any(char::is_uppercase);
            let name = name_at(text, at(rest.strip_prefix(' ')?))?;
            let goes_on =
                text[name.range.end..].trim_start_matches(' ').starts_with(char::is_uppercase);
            (name.words >= 2 && !is_heading && !goes_on && !name.shouted)
                .then_some((name.range, 0.5))
        }
        Cue::Title => {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            let is_title =
                written.starts_with(char::is_uppercase) || rest.len() < text[cue_range.end..].len();
            let name = name_at(text, at(rest.strip_prefix(' ').unwrap_or(rest)))?;
            let spaced = name.range.start > cue_range.end;
            let is_drive =
                written.eq_ignore_ascii_case("dr") && is_street(&text[..cue_range.start]);
            (is_title && spaced && !name.shouted && !is_drive).then_some((name.range, 0.6))
        }
        Cue::Greeting => {
            if !at_line_start(text, cue_range.start) {
                return None;
            }
            let name = name_at(text, at(skip_titles(rest.strip_prefix(' ')?)))?;
            let ends = ends_greeting(&text[name.range.end..], written);
            // "HEY GIRL": who shouts all of it may call anybody anything.
            let is_shouted = name.shouted && !written.chars().any(char::is_lowercase);
            (ends && !is_shouted).then_some((name.range, 0.55))
        }
        Cue::Closing => closing(text, cue_range),
        Cue::Field => {
            let value =
                rest.trim_start_matches(' ').strip_prefix(':')?.trim_start_matches([' ', '\t']);
            let name = name_at(text, at(value))?;
            let ends = text[name.range.end..].trim_start_matches(' ').chars().next();
            let ends = ends.is_none_or(|c| matches!(c, '\n' | '\r' | ',' | ';' | '|' | '<'));
            (ends && at_line_start(text, cue_range.start)).then_some((name.range, 0.65))
        }
    }
}

/// "1737 Cheriton Dr": a capitalised word in front, and a house number or another one before it.
fn is_street(before: &str) -> bool {
    let mut words =
        before[floor(before, before.len().saturating_sub(MAX_CLOSING))..].split(' ').rev().skip(1);
    let capital = |w: Option<&str>| {
        w.is_some_and(|w| w.starts_with(char::is_uppercase) && w.ends_with(char::is_alphabetic))
    };
    capital(words.next())
        && words
            .next()
            .is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit() || c.is_uppercase()))
}

/// "Dear Ms Foo": the title is no part of the name.
fn skip_titles(rest: &str) -> &str {
    let mut rest = rest;
    while let Some((word, behind)) = rest.split_once(' ') {
        let word = word.trim_end_matches('.').to_lowercase();
        if !words::is_title(&word) {
            break;
        }
        rest = behind;
    }
    rest
}

/// A greeting's name ends at punctuation or the line's end; "Dear" and its like may do without.
fn ends_greeting(behind: &str, greeting: &str) -> bool {
    let mut chars = behind.trim_start_matches(' ').chars();
    match chars.next() {
        None | Some('\n' | '\r' | ',' | '!' | ':' | ';' | '-') => true,
        Some('.') => chars.next().is_none_or(char::is_whitespace),
        Some(_) => greeting.eq_ignore_ascii_case("dear"),
    }
}

/// The name under "Best regards,", or behind it at the end of the line.
fn closing(text: &str, cue: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let rest = &text[cue.end..];
    let behind = rest.trim_start_matches([' ', ',', '.', '!', '-']);
    let at = text.len() - behind.len();
    let breaks = behind.trim_start();
    if behind.starts_with(['\n', '\r']) {
        if !is_short_line(text, cue.start) {
            return None;
        }
        let line = breaks.trim_start_matches(['-', '–', '—', '~', ' ']);
        let name = name_at(text, text.len() - line.len())?;
        let ends = text[name.range.end..].trim_start_matches([' ', '.', ',']);
        return (ends.is_empty() || ends.starts_with(['\n', '\r'])).then_some((name.range, 0.6));
    }
    // "Thanks, Anna" ends the text; inside it, "Thanks, Apple" is as likely.
    let comma = rest.trim_start_matches(' ').starts_with([',', '-']);
    let name = name_at(text, at).filter(|_| comma)?;
    let ends = text[name.range.end..].trim_start_matches(|c: char| c.is_whitespace() || c == '.');
    (ends.is_empty() && !name.shouted).then_some((name.range, 0.5))
}

/// A closing is a short line of its own: "Thanks and best regards,".
fn is_short_line(text: &str, at: usize) -> bool {
    let from = floor(text, at.saturating_sub(MAX_CLOSING));
    let line = text[from..at].rfind('\n').map(|i| from + i + 1).or((from == 0).then_some(0));
    line.is_some_and(|start| text[start..at].split_whitespace().count() <= 4)
}

fn at_line_start(text: &str, at: usize) -> bool {
    let from = floor(text, at.saturating_sub(MAX_CLOSING));
    let lead = |c: char| matches!(c, ' ' | '\t' | '>' | '*' | '-' | '"' | '•');
    let before = text[from..at].trim_end_matches(lead);
    before.ends_with('\n') || (before.is_empty() && from == 0)
}

struct Name {
    range: Range<usize>,
    words: usize,
    /// Every word is in capitals.
    shouted: bool,
}

/// The words of a name from byte `start` on: capitalised, at most four, on one line, with
/// particles between them.
fn name_at(text: &str, start: usize) -> Option<Name> {
    let mut end = start;
    let mut words = 0;
    let mut shouted = true;
    let mut at = start;
    while words < MAX_WORDS {
        let word = word_at(&text[at..]);
        if word.is_empty() {
            break;
        }
        let lower = word.to_lowercase();
        if words > 0 && PARTICLES.contains(&lower) && word == lower {
            at += word.len();
        } else if is_name_word(word) && !NOT_NAMES.contains(&lower) {
            words += 1;
            shouted &= word.chars().nth(1).is_none_or(char::is_uppercase);
            at += word.len();
            // An initial keeps its full stop.
            let is_initial = word.chars().nth(1).is_none();
            at += usize::from(is_initial && text[at..].starts_with('.'));
            end = at;
        } else {
            // "Dear Support Team": one word that is none makes the whole no name.
            if words == 0 || word.starts_with(char::is_uppercase) {
                return None;
            }
            break;
        }
        match text[at..].strip_prefix(' ') {
            Some(next) if next.starts_with(char::is_alphabetic) => at += 1,
            _ => break,
        }
    }
    let longer_than_initial = text[start..end].chars().filter(|c| c.is_alphabetic()).count() > 1;
    let range = start..end;
    let is_closed = !text[end..].starts_with(|c: char| joins(c) || matches!(c, '@'));
    (words > 0 && longer_than_initial && is_closed).then_some(Name { range, words, shouted })
}

/// Letters with inner hyphens and apostrophes.
fn word_at(text: &str) -> &str {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inner = matches!(c, '-' | '\'' | '’')
            && end > 0
            && chars.peek().is_some_and(|(_, n)| n.is_alphabetic());
        // Combining marks belong to their letter.
        let mark = ('\u{300}'..='\u{36F}').contains(&c);
        if !(c.is_alphabetic() || inner || mark) || at > 40 {
            break;
        }
        end = at + c.len_utf8();
    }
    let word = &text[..end];
    word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word)
}

/// A capital in front, and no contraction such as "You've".
fn is_name_word(word: &str) -> bool {
    let contracted = word
        .rsplit_once(['\'', '’'])
        .is_some_and(|(_, end)| matches!(end, "d" | "ll" | "m" | "re" | "t" | "ve"));
    word.starts_with(char::is_uppercase) && !contracted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let source = Source::new(text, None);
        let mut out = Vec::new();
        Person.find(&source, &mut out);
        let mut names: Vec<String> = out.into_iter().map(|c| text[c.range].to_owned()).collect();
        names.dedup();
        names
    }

    #[test]
    fn finds_names_behind_their_cues() {
        for (text, name) in [
            ("Hello, my name is Anna Smith and I", "Anna Smith"),
            ("I'm Jürgen von der Leyen, a customer", "Jürgen von der Leyen"),
            ("mi nombre es José García.", "José García"),
            ("Je m'appelle Zoë", "Zoë"),
            ("ask Mr. O'Brien-Jones about it", "O'Brien-Jones"),
            ("Dear Ms. Foo,\nthanks", "Foo"),
            ("Hi Anna,\nis", "Anna"),
            ("> Hallo Frau Müller!", "Müller"),
            ("Thanks and best regards,\n\nAnna B. Smith\nAcme", "Anna B. Smith"),
            ("Mit freundlichen Grüßen\nJörg Krause", "Jörg Krause"),
            ("That is all. Thanks, Anna", "Anna"),
            ("Phone: 1\nName: Sieda Batukayev\nDate", "Sieda Batukayev"),
            ("NAME: ANNA SMITH", "ANNA SMITH"),
        ] {
            assert_eq!(found(text), [name], "{text}");
        }
    }

    #[test]
    fn stays_silent_where_it_is_not_sure() {
        for text in [
            "Dear Support Team,",
            "Dear Sir or Madam,",
            "Hi there,",
            "Hi I need help",
            "I am Very Upset With You",
            "I Am Having Issues",
            "I am German",
            "my name is misspelled",
            "Thanks for the help",
            "Thanks, I will",
            "Best regards,\nThe Acme Team\n",
            "hi, can you",
            "Miss you",
            "Dear Customer Service",
            "user name: anna",
            "Hello World",
            "name: the file",
            "Mr. and Mrs.",
            "Hi Anna is not here",
            "My best friend",
            "Regards,\nyour customer",
            "dr evil",
            "Hi Everyone,",
            "I am Head of Sales",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
