//! Finds what the tables describe: one automaton over all patterns says which match at a start, then
//! the rows of those judge the match.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexSet, RegexSetBuilder};

use super::super::candidate::Candidate;
use super::super::context::{floor, raised};
use super::super::source::{Source, joins};
use super::starts::{self, Start};
use super::words::{Says, Side};
use super::{Edges, Row, Verdict, rows};
use crate::domain::masking::Entity;

/// Longest match with what must follow it, in bytes.
const LONGEST: usize = 64;
/// Bytes that the automaton may take per thread.
const CACHE: usize = 4 << 20;
/// Letters and digits of a code that hardly anything else has.
const LONG_CODE: usize = 13;
/// The score of such a code that fails its check beside the word for it.
const MISTYPED: f32 = 0.4;
/// A context word with at most so many words between stands beside the match.
const BESIDE: usize = 2;

/// Which rows to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Wanted {
    /// All but those that must be asked for.
    Usual,
    /// By row.
    Only(Vec<bool>),
}

impl Wanted {
    /// The rows of the types that `is_wanted` picks by name.
    pub(in super::super) fn only(is_wanted: impl Fn(&Entity) -> bool) -> Self {
        Self::Only(rows().map(|r| is_wanted(&r.entity)).collect())
    }

    /// The usual rows and those of the types that `is_wanted` picks.
    pub(in super::super) fn usual_and(is_wanted: impl Fn(&Entity) -> bool) -> Self {
        Self::Only(rows().map(|r| !r.only_if_asked || is_wanted(&r.entity)).collect())
    }

    /// Whether any row is wanted.
    pub(in super::super) fn any(&self) -> bool {
        match self {
            Self::Usual => true,
            Self::Only(rows) => rows.contains(&true),
        }
    }

    fn wants(&self, index: usize, row: &Row) -> bool {
        match self {
            Self::Usual => !row.only_if_asked,
            Self::Only(rows) => rows.get(index).copied().unwrap_or_default(),
        }
    }
}

/// A shape of a row.
struct Use {
    row: &'static Row,
    index: usize,
    base: f32,
    passed: f32,
}

/// A pattern and the shapes that have it.
struct Pattern {
    text: &'static str,
    edges: Edges,
    regex: OnceLock<Option<Regex>>,
    uses: Vec<Use>,
}

struct Engine {
    set: RegexSet,
    patterns: Vec<Pattern>,
}

/// Built when the first text with a digit comes. `None` cannot happen: a test builds it.
static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(Engine::build);

impl Engine {
    fn build() -> Option<Self> {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut places: HashMap<(&str, Edges), usize> = HashMap::new();
        for (index, row) in rows().enumerate() {
            for shape in row.shapes {
                let place = *places.entry((shape.pattern, row.edges)).or_insert_with(|| {
                    patterns.push(Pattern {
                        text: shape.pattern,
                        edges: row.edges,
                        regex: OnceLock::new(),
                        uses: Vec::new(),
                    });
                    patterns.len() - 1
                });
                let (base, passed) = (shape.base, shape.passed);
                patterns[place].uses.push(Use { row, index, base, passed });
            }
        }
        let set = RegexSetBuilder::new(patterns.iter().map(Pattern::anchored))
            .size_limit(16 << 20)
            .dfa_size_limit(CACHE)
            .build()
            .ok()?;
        Some(Self { set, patterns })
    }
}

impl Pattern {
    fn anchored(&self) -> String {
        let end = if self.edges == Edges::Words { r"\b" } else { "" };
        format!("^(?i-u:(?:{}){end})", self.text)
    }

    /// The length of the match at the start of `text`.
    fn len_in(&self, text: &str) -> Option<usize> {
        let regex = self.regex.get_or_init(|| Regex::new(&self.anchored()).ok());
        regex.as_ref()?.find(text).map(|m| m.end())
    }

    /// Whether the match may stand where it does.
    fn fits(&self, source: &Source<'_>, start: Start, end: usize) -> bool {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let after = source.after(end);
        match self.edges {
            Edges::Words => !start.touched && !after.is_some_and(joins),
            Edges::OpenBehind => !start.touched && !digit(after),
            Edges::Digits => !digit(source.before(start.at)) && !digit(after),
        }
    }
}

/// Adds what the wanted rows find. Finds that cannot reach `min_score` may be left out.
pub(in super::super) fn find(
    source: &Source<'_>,
    wanted: &Wanted,
    min_score: f32,
    out: &mut Vec<Candidate>,
) {
    let groups = source.groups();
    if groups.is_empty() || !wanted.any() {
        return;
    }
    let Some(engine) = ENGINE.as_ref() else { return };
    starts::each(source, groups, |start| {
        Look { engine, source, wanted, min_score, start, around: Around::default() }.find(out);
    });
}

/// One start of a text.
struct Look<'s, 't> {
    engine: &'static Engine,
    source: &'s Source<'t>,
    wanted: &'s Wanted,
    min_score: f32,
    start: Start,
    around: Around,
}

/// The context of matches at one start, found out when first asked for.
#[derive(Default)]
struct Around {
    before: Option<Side>,
    /// By end of the match.
    after: Vec<(usize, Side)>,
}

impl Around {
    fn says(&mut self, text: &str, range: &Range<usize>, row: usize) -> Says {
        let before = self.before.get_or_insert_with(|| Side::before(text, range.start));
        let says = before.says(row);
        if says != Says::Nothing {
            return says;
        }
        let known = self.after.iter().position(|(end, _)| *end == range.end);
        let i = known.unwrap_or_else(|| {
            self.after.push((range.end, Side::after(text, range.end)));
            self.after.len() - 1
        });
        self.after[i].1.says(row)
    }
}

impl Look<'_, '_> {
    fn find(&mut self, out: &mut Vec<Candidate>) {
        let text = self.source.text();
        let at = self.start.at;
        let ahead = &text[at..];
        let ahead = &ahead[..floor(ahead, LONGEST)];
        let matches = self.engine.set.matches(ahead);
        if !matches.matched_any() {
            return;
        }
        for i in &matches {
            let pattern = &self.engine.patterns[i];
            let is_wanted = |u: &Use| self.wanted.wants(u.index, u.row);
            if !pattern.uses.iter().any(is_wanted) {
                continue;
            }
            let Some(len) = pattern.len_in(ahead) else { continue };
            let range = at..at + len;
            if !pattern.fits(self.source, self.start, range.end) {
                continue;
            }
            let code: Vec<u8> = text[range.clone()]
                .bytes()
                .filter(u8::is_ascii_alphanumeric)
                .map(|b| b.to_ascii_uppercase())
                .collect();
            for u in &pattern.uses {
                if self.wanted.wants(u.index, u.row) {
                    out.extend(self.judge(u, &range, &code));
                }
            }
        }
    }

    /// A long number that fails its check, but is called by its name right beside it: people make
    /// slips, and what is left of the number tells as much.
    fn mistyped(&mut self, u: &Use, range: &Range<usize>, code: &[u8]) -> Option<Candidate> {
        let is_long = code.len() >= LONG_CODE && u.base > 0.0;
        let says = is_long.then(|| self.around.says(self.source.text(), range, u.index))?;
        let Says::For(word, 0..=BESIDE) = says else { return None };
        let found = Candidate::new(range.clone(), u.row.entity.clone(), 0.1, u.row.entity.as_str());
        Some(found.in_context(Some(word), MISTYPED)).filter(|_| MISTYPED >= self.min_score)
    }

    fn judge(&mut self, u: &Use, range: &Range<usize>, code: &[u8]) -> Option<Candidate> {
        let verdict = u.row.check.as_ref().map_or(Verdict::Unknown, |c| (c.judge)(code));
        if verdict == Verdict::Fails {
            return self.mistyped(u, range, code);
        }
        let passes = matches!(verdict, Verdict::Passes | Verdict::Certain);
        let base = match verdict {
            Verdict::Certain => u.passed.max(0.9),
            Verdict::Passes => u.passed,
            _ => u.base,
        };
        let base = if !u.row.dialled && is_part(self.source, range) { base / 2.0 } else { base };
        let (word, score) = match self.around.says(self.source.text(), range, u.index) {
            Says::For(word, _) if passes => (Some(word), 1.0),
            Says::For(word, distance) if distance <= BESIDE => (Some(word), raised(base)),
            Says::For(word, _) => (Some(word), (base + 0.35).min(1.0)),
            Says::Against if verdict != Verdict::Certain => (None, base / 2.0),
            Says::Against | Says::Nothing => (None, base),
        };
        if score < self.min_score {
            return None;
        }
        let range = if u.row.dialled { dialled(self.source, range) } else { range.clone() };
        let found = Candidate::new(range, u.row.entity.clone(), base, u.row.entity.as_str());
        let check = u.row.check.as_ref().filter(|_| passes).map(|c| c.name);
        Some(Candidate { validator: check, ..found }.in_context(word, score))
    }
}

/// The match with the bracket and the plus in front of it.
fn dialled(source: &Source<'_>, range: &Range<usize>) -> Range<usize> {
    let written = &source.text()[range.clone()];
    let closes = written.contains(')') && !written.contains('(');
    let mut start = range.start;
    start -= usize::from(closes && source.before(start) == Some('('));
    start -= usize::from(source.before(start) == Some('+'));
    start..range.end
}

/// Whether the match looks like a piece of something longer: digits joined to it by a sign, or a
/// sign of an amount or telephone number in front.
fn is_part(source: &Source<'_>, range: &Range<usize>) -> bool {
    let sign = |c: char| matches!(c, '-' | '.' | '/' | ':' | ',' | '_' | '+');
    let text = source.text().as_bytes();
    let digit =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    match source.before(range.start) {
        Some('+' | '$' | '€' | '£') => return true,
        Some(c) if sign(c) && digit(range.start.checked_sub(2)) => return true,
        _ => {}
    }
    source.after(range.end).is_some_and(sign) && digit(Some(range.end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_automaton_builds_and_no_pattern_matches_nothing() {
        let engine = ENGINE.as_ref().unwrap();
        for p in &engine.patterns {
            let regex = Regex::new(&p.anchored()).unwrap();
            assert!(!regex.is_match(""), "{}", p.text);
        }
    }
}
