//! Types that a row of a table describes: patterns, a check, context words, a source. All national
//! and institutional numbers are such rows.
//!
//! To add a type: a line in `domain::masking::entity`, a [`Row`] in one of the tables below (or a
//! table of its own, listed in [`TABLES`]), and cases in `fixtures/masking`. A row reads
//!
//! ```text
//! Row::of(Entity::US_NPI, "US", "National Provider Identifier")
//!     .shapes(&[shape("[12][0-9]{9}", 0.1).passed(0.3), shape("[12][0-9]{3}[ -][0-9]{3}[ -][0-9]{3}", 0.4)])
//!     .check("Luhn, 80840 in front", check::npi)
//!     .words("npi, national provider, provider id*")
//!     .source("CMS, National Provider Identifier Standard")
//! ```
//!
//! **Patterns** are in the `regex` crate's syntax, ASCII only, any case, without boundaries: all
//! of them are one automaton, tried where a word or number begins that has a digit within
//! [`REACH`](starts::REACH) bytes, so a text without digits costs nothing and one with a few costs
//! little. What stands around a match is the row's [`Edges`].
//!
//! **Score**: the shape's base; `passed` if the check passed; 1.0 if a context word is near as well.
//! A match that fails its check is none. Without a check, a context word adds a third, and lifts the
//! score to at least 0.5 when it stands right beside the match. Bare digits score below what is
//! masked by default unless check and form together are rare by chance.

mod americas;
mod asia;
pub(super) mod check;
mod engine;
mod europe;
mod germany;
mod italy_spain;
mod nordic;
mod oceania_africa;
mod starts;
mod united_kingdom;
mod united_states;
mod vat;
mod words;

pub(super) use self::engine::{Wanted, find};
use crate::domain::masking::Entity;

/// All tables. Of two rows that claim the same characters with the same score, the earlier wins.
pub(super) static TABLES: [&[Row]; 10] = [
    united_states::ROWS,
    united_kingdom::ROWS,
    germany::ROWS,
    italy_spain::ROWS,
    europe::ROWS,
    nordic::ROWS,
    vat::ROWS,
    americas::ROWS,
    asia::ROWS,
    oceania_africa::ROWS,
];

/// All rows in order of precedence.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// Whether a row describes the type.
pub(super) fn has(entity: &Entity) -> bool {
    rows().any(|row| row.entity == *entity)
}

/// One type of personal data.
pub(super) struct Row {
    pub(super) entity: Entity,
    /// ISO 3166-1 codes with spaces between them.
    pub(super) countries: &'static str,
    /// What it is called where it comes from.
    pub(super) title: &'static str,
    pub(super) shapes: &'static [Shape],
    pub(super) check: Option<Check>,
    /// Words and phrases that speak for it, in any language, lower case, with commas between them.
    /// A star stands for any ending; words of scripts without spaces are found inside others.
    pub(super) words: &'static str,
    pub(super) edges: Edges,
    /// Looked for only when the type is asked for by name, as it is a part of another one.
    pub(super) only_if_asked: bool,
    /// A `+` or opening bracket in front belongs to the match.
    pub(super) dialled: bool,
    /// Where format and check are defined.
    pub(super) source: &'static str,
}

/// A pattern, and how sure a match of it is.
pub(super) struct Shape {
    pub(super) pattern: &'static str,
    /// Without check and context.
    pub(super) base: f32,
    /// With the check passed, without context.
    pub(super) passed: f32,
}

/// Looks at the letters and digits of a match, upper-cased, separators left out.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) judge: fn(&[u8]) -> Verdict,
}

/// What a check says of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No such number is given out.
    Fails,
    /// It could be; the check doesn't cover this form.
    Unknown,
    /// Check digits or ranges fit.
    Passes,
    /// Fits by something that is rare by chance.
    Certain,
}

/// What may touch a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Edges {
    /// No letter, digit or underscore.
    Words,
    /// No digit; letters may.
    Digits,
    /// As `Words` in front, as `Digits` behind.
    OpenBehind,
}

pub(super) const fn shape(pattern: &'static str, base: f32) -> Shape {
    Shape { pattern, base, passed: 1.0 }
}

impl Shape {
    pub(super) const fn passed(mut self, score: f32) -> Self {
        self.passed = score;
        self
    }
}

impl Row {
    pub(super) const fn of(entity: Entity, countries: &'static str, title: &'static str) -> Self {
        Self {
            entity,
            countries,
            title,
            shapes: &[],
            check: None,
            words: "",
            edges: Edges::Words,
            only_if_asked: false,
            dialled: false,
            source: "",
        }
    }

    pub(super) const fn shapes(mut self, shapes: &'static [Shape]) -> Self {
        self.shapes = shapes;
        self
    }

    pub(super) const fn check(mut self, name: &'static str, judge: fn(&[u8]) -> Verdict) -> Self {
        self.check = Some(Check { name, judge });
        self
    }

    pub(super) const fn words(mut self, words: &'static str) -> Self {
        self.words = words;
        self
    }

    pub(super) const fn edges(mut self, edges: Edges) -> Self {
        self.edges = edges;
        self
    }

    /// A region's telephone numbers: a type only for those who ask for it, or else they are
    /// `PHONE_NUMBER` like all others.
    pub(super) const fn telephone(mut self) -> Self {
        self.only_if_asked = true;
        self.dialled = true;
        self
    }

    pub(super) const fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }
}

impl From<bool> for Verdict {
    fn from(passes: bool) -> Self {
        if passes { Self::Passes } else { Self::Fails }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_complete() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            assert!(seen.insert(row.entity.clone()), "{} twice", row.entity);
            assert!(!row.shapes.is_empty() && !row.source.is_empty() && !row.title.is_empty());
            assert!(!row.words.is_empty(), "{} has no words", row.entity);
            assert!(row.words == row.words.to_lowercase(), "{}: words in lower case", row.entity);
            for s in row.shapes {
                assert!((0.0..=1.0).contains(&s.base) && s.passed >= s.base, "{}", row.entity);
                assert!(s.pattern.is_ascii(), "{}: {}", row.entity, s.pattern);
            }
        }
    }
}
