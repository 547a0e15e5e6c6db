//! Dates and times, and apart from them dates of birth.
//!
//! "Delivered on 12 May" is needed for the answer, "born on 12 May 1984" is somebody's own. So a
//! date of birth is told by the words in front of it, and ordinary dates are looked for only when
//! asked for.

mod form;
mod words;

use std::ops::Range;

use self::form::{Kind, date_at, time_at, with_time};
use self::words::{MONTHS, SHORT_DAYS, WEEKDAYS};
use super::candidate::Candidate;
use super::context::{WordSet, floor};
use super::label::{Label, Link, Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use crate::domain::masking::Entity;

/// Whether a word in lower case is a month's name.
pub(super) fn is_month(word: &str) -> bool {
    MONTHS.contains(word)
}

/// Whether a word in lower case is a day's name.
pub(super) fn is_weekday(word: &str) -> bool {
    WEEKDAYS.contains(word)
}

/// Whether a whole date begins at byte `at`.
pub(super) fn starts_with_date(text: &str, at: usize) -> bool {
    date_at(text, at).is_some_and(|d| d.kind == Kind::Full)
}

/// Finds dates and times of any kind.
pub(super) struct DateTime;

impl Recognizer for DateTime {
    fn entity(&self) -> &Entity {
        const { &Entity::DATE_TIME }
    }

    fn only_if_asked(&self) -> bool {
        true
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        let mut free = 0;
        for word in words(text) {
            if word.start < free {
                continue;
            }
            let Some((end, score)) = moment(text, &word) else { continue };
            if !touches(text, &(word.start..end)) {
                free = end;
                out.push(Candidate::new(word.start..end, Entity::DATE_TIME, score, "date"));
            }
        }
    }
}

/// The date or time that begins with `word`, with its score.
fn moment(text: &str, word: &Range<usize>) -> Option<(usize, f32)> {
    let written = &text[word.clone()];
    if !written.starts_with(|c: char| c.is_ascii_digit()) {
        let lower = written.to_lowercase();
        if WEEKDAYS.contains(&lower) {
            let rest = &text[word.end..];
            let gap = rest.len() - rest.trim_start_matches([',', '.', ' ']).len();
            let date = date_at(text, word.end + gap).filter(|_| (1..=3).contains(&gap));
            let alone = (!SHORT_DAYS.contains(&lower)).then_some((word.end, 0.4));
            return date.map(|d| (with_time(text, d.end), 0.8)).or(alone);
        }
    }
    if let Some(date) = date_at(text, word.start) {
        return Some(match date.kind {
            Kind::Full => (with_time(text, date.end), 0.8),
            Kind::DayMonth | Kind::MonthYear => (with_time(text, date.end), 0.6),
            Kind::Two => (date.end, 0.1),
            Kind::Compact => (with_time(text, date.end), 0.1),
        });
    }
    if let Some((end, _)) = time_at(text, word.start) {
        return Some((end, 0.5));
    }
    is_year_alone(text, word).then_some((word.end, 0.4))
}

/// A year behind a word that years follow: "in 1984", "since 2019".
fn is_year_alone(text: &str, word: &Range<usize>) -> bool {
    static BEFORE_YEARS: WordSet = WordSet::new(
        "in during since of until from by year jahr seit im en depuis année desde año em desde ano nel dal anno sinds sedan år i od roku w vuonna",
    );
    let written = &text[word.clone()];
    let year = written.len() == 4 && written.parse().is_ok_and(|y: u32| (1900..2100).contains(&y));
    let before = text[..word.start].trim_end_matches(' ');
    let last = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    year && (BEFORE_YEARS.contains(&last.to_lowercase()) || is_adjective_ahead(text, word))
}

/// "a 1994 film": an article in front, a word behind.
fn is_adjective_ahead(text: &str, word: &Range<usize>) -> bool {
    let before = text[..word.start].trim_end_matches(' ');
    (before.ends_with(" a") || before.ends_with(" the"))
        && text[word.end..].starts_with(' ')
        && text[word.end + 1..].starts_with(char::is_alphabetic)
}

/// Words and numbers, by their first byte.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        let rest = &text[start..];
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let same = |c: char| if digits { c.is_ascii_digit() } else { c.is_alphabetic() };
        let len = rest.find(|c: char| !same(c)).unwrap_or(rest.len());
        at = start + len.max(rest.chars().next().map_or(1, char::len_utf8));
        Some(start..at)
    })
}

/// Whether letters or further digits of the same kind touch a match.
fn touches(text: &str, range: &Range<usize>) -> bool {
    let mut before = text[..range.start].chars().rev();
    let longer_before = match before.next() {
        Some('-' | '/' | '.' | ':') => before.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => joins(c),
        None => false,
    };
    let mut after = text[range.end..].chars();
    let longer_after = match after.next() {
        Some('-' | '/' | ':') => after.next().is_some_and(|c| c.is_ascii_digit()),
        Some('.') => after.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => joins(c),
        None => false,
    };
    longer_before || longer_after
}

/// Finds dates of birth.
pub(super) struct BirthDate;

impl Recognizer for BirthDate {
    fn entity(&self) -> &Entity {
        const { &Entity::DATE_OF_BIRTH }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for label in source.labels().iter().filter(|l| l.topic == Topic::Birth) {
            let found = behind(text, label).or_else(|| before(text, label));
            let found =
                found.map(|(range, score)| (range.start..short_year(text, range.end), score));
            if let Some((range, score)) = found {
                let candidate = Candidate::new(range, Entity::DATE_OF_BIRTH, score, "date/birth");
                out.push(candidate.checked("label"));
            }
        }
        // "*12.03.1985", as family trees and German letters write it.
        for (star, _) in text.match_indices('*') {
            let at = star + 1 + usize::from(text[star + 1..].starts_with(' '));
            let date = date_at(text, at).filter(|d| d.kind == Kind::Full);
            let begins = !text[..star].ends_with(|c: char| c.is_alphanumeric() || c == '*');
            if let Some(date) = date.filter(|d| begins && !touches(text, &(at..d.end)))
                && !text[date.end..].starts_with('*')
            {
                out.push(
                    Candidate::new(at..date.end, Entity::DATE_OF_BIRTH, 0.6, "date/birth")
                        .checked("sign"),
                );
            }
        }
    }
}

/// Takes two digits behind a day and month in: "5th of May 85".
fn short_year(text: &str, end: usize) -> usize {
    let by_word = text[..end].ends_with(char::is_alphabetic);
    let Some(rest) = text[end..].strip_prefix([' ', '\'', '’']).filter(|_| by_word) else {
        return end;
    };
    let rest = rest.trim_start_matches(['\'', '’']);
    let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
    let closed = !rest[digits..].starts_with(|c: char| c.is_alphanumeric() || c == ':');
    if digits == 2 && closed { text.len() - rest.len() + digits } else { end }
}

/// How far behind its label a date of birth may stand: "born in Villafranca del Cid on".
const MAX_BEHIND: usize = 56;
/// How far in front: "is my date of birth".
const MAX_BEFORE: usize = 40;

fn behind(text: &str, label: &Label) -> Option<(Range<usize>, f32)> {
    let value = announced(text, label.range.end)?;
    let from = value.at.min(label.range.end + MAX_BEHIND);
    let limit = floor(text, (from + MAX_BEHIND).min(text.len()));
    let window = &text[label.range.end.min(from)..limit];
    let offset = label.range.end.min(from);
    let first = words(window)
        .map(|w| w.start + offset..w.end + offset)
        // A sentence or line that ends before the date is about something else.
        .take_while(|w| {
            !text[label.range.end..w.start].contains(['?', '!', ';'])
                && breaks(&text[label.range.end..w.start]) == 0
                || w.start == value.at
        })
        .take(9)
        .find_map(|w| Some((w.start, birth_at(text, &w, value.link)?)));
    let (start, (end, score)) = first?;
    (!touches(text, &(start..end))).then_some((start..end, score))
}

fn breaks(between: &str) -> usize {
    between.bytes().filter(|&b| b == b'\n').count() + between.matches(". ").count()
        - between.matches("no. ").count().min(between.matches(". ").count())
}

/// The date at `word` if it can be one of birth: with a day, or a year alone.
fn birth_at(text: &str, word: &Range<usize>, link: Link) -> Option<(usize, f32)> {
    if let Some(date) = date_at(text, word.start) {
        return match date.kind {
            Kind::Full => Some((date.end, 0.9)),
            Kind::DayMonth | Kind::Compact | Kind::MonthYear => Some((date.end, 0.7)),
            Kind::Two => (link > Link::Bare).then_some((date.end, 0.5)),
        };
    }
    let written = &text[word.clone()];
    let year = written.len() == 4 && written.parse().is_ok_and(|y: u32| (1900..2030).contains(&y));
    year.then_some((word.end, 0.6))
}

/// The date in "12/05/1985 is my date of birth", "4 May 1985 (DOB)".
fn before(text: &str, label: &Label) -> Option<(Range<usize>, f32)> {
    static TIES: WordSet =
        WordSet::new("is was my the is date his her ist mein das est ma la es mi mia è é data");
    let from = floor(text, label.range.start.saturating_sub(MAX_BEFORE));
    let window = &text[from..label.range.start];
    words(window).map(|w| w.start + from).find_map(|start| {
        let date =
            date_at(text, start).filter(|d| d.kind == Kind::Full && d.end <= label.range.start)?;
        let tie = &text[date.end..label.range.start];
        let words: Vec<String> = tie
            .split(|c: char| !c.is_alphabetic())
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect();
        let tied =
            words.iter().all(|w| TIES.contains(w)) && (!words.is_empty() || tie.ends_with('('));
        (tied && !tie.contains(['\n', '.', ',']) && !touches(text, &(start..date.end)))
            .then_some((start..date.end, 0.8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(r: &dyn Recognizer, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        r.find(&Source::new(text, None), &mut out);
        out.into_iter().filter(|c| c.score >= 0.4).map(|c| text[c.range].to_owned()).collect()
    }

    #[test]
    fn finds_moments() {
        for (text, moment) in [
            ("on 21.5.2021, at noon", "21.5.2021"),
            ("at 2024-03-15T14:30:00.123Z.", "2024-03-15T14:30:00.123Z"),
            ("on 2024-03-15 14:30:00", "2024-03-15 14:30:00"),
            ("see you Friday, 3 May at 5pm", "Friday, 3 May at 5pm"),
            ("founded in 1984.", "1984"),
            ("am 3. Mai um 14:30 Uhr", "3. Mai um 14:30 Uhr"),
        ] {
            assert_eq!(found(&DateTime, text), [moment], "{text}");
        }
        assert!(found(&DateTime, "is5/21and 1.2.3.4, room 1984, 192.168.2.1").is_empty());
    }

    #[test]
    fn tells_births_from_other_dates() {
        for (text, date) in [
            ("I was born on 12 May 1984.", "12 May 1984"),
            ("DOB: 05/12/1984", "05/12/1984"),
            ("geboren am 3. Mai 1984 in Bonn", "3. Mai 1984"),
            ("née le 1er mai 1984", "1er mai 1984"),
            ("born in Leeds on 4/5/1984", "4/5/1984"),
            ("12/05/1985 is my date of birth", "12/05/1985"),
            ("Date of birth (dd/mm/yyyy): 01/02/1990", "01/02/1990"),
            ("fecha de nacimiento: 3 de mayo de 1984", "3 de mayo de 1984"),
            ("DOB 5th of May 85", "5th of May 85"),
            ("Anna Muster, *12.03.1985, Bonn", "12.03.1985"),
        ] {
            assert_eq!(found(&BirthDate, text), [date], "{text}");
        }
        for text in [
            "delivered on 12 May 2024",
            "**12.03.2024** due",
            "2*3.4.2021",
            "I was born. On 12 May 2024 we met",
            "birthday party",
        ] {
            assert!(found(&BirthDate, text).is_empty(), "{text}");
        }
    }
}
