//! Found spans against labelled ones: precision, recall and F by type, and how many of the labelled
//! characters any span covers.
//!
//! A found span is right when it has the type of a labelled one and overlaps it by at least half of
//! their union (intersection over union, bytes). Each span is used once; pairs are taken from the
//! largest overlap down. Adjacent parts of one address are one span in both ([`merge_adjacent`]).
//!
//! F_β = (1 + β²) · P · R / (β² · P + R) (van Rijsbergen 1979); masking uses β = 2, for which a
//! missed name costs four times as much as a word masked in vain.

use std::collections::BTreeMap;

/// A stretch of text with a type: bytes, half open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labelled {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The type's name.
    pub entity: String,
}

impl Labelled {
    /// A span of that type.
    pub fn new(start: usize, end: usize, entity: impl Into<String>) -> Self {
        Self { start, end, entity: entity.into() }
    }
}

/// How many were right, found and labelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Found spans that match a labelled one.
    pub right: u64,
    /// Found spans.
    pub found: u64,
    /// Labelled spans.
    pub labelled: u64,
}

impl Counts {
    /// Share of the found spans that are right; 1 when nothing was found.
    pub fn precision(&self) -> f64 {
        ratio(self.right, self.found)
    }

    /// Share of the labelled spans that were found; 1 when nothing is labelled.
    pub fn recall(&self) -> f64 {
        ratio(self.right, self.labelled)
    }

    /// F_β of precision and recall.
    pub fn f(&self, beta: f64) -> f64 {
        let (p, r, b2) = (self.precision(), self.recall(), beta * beta);
        if p + r == 0.0 { 0.0 } else { (1.0 + b2) * p * r / (b2 * p + r) }
    }

    /// Adds another document's counts.
    pub fn add(&mut self, other: Counts) {
        self.right += other.right;
        self.found += other.found;
        self.labelled += other.labelled;
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// The result of one document, to be added up or drawn from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// By type.
    pub types: BTreeMap<String, Counts>,
    /// Labelled characters, white space not counted.
    pub characters: u64,
    /// Those of them that lie in a found span of any type.
    pub covered: u64,
}

impl Outcome {
    /// Adds another document's outcome.
    pub fn add(&mut self, other: &Outcome) {
        for (entity, counts) in &other.types {
            self.types.entry(entity.clone()).or_default().add(*counts);
        }
        self.characters += other.characters;
        self.covered += other.covered;
    }

    /// A type's counts.
    pub fn of(&self, entity: &str) -> Counts {
        self.types.get(entity).copied().unwrap_or_default()
    }

    /// Share of the labelled characters that some span covers, whatever its type: what a leak is
    /// measured by.
    pub fn character_recall(&self) -> f64 {
        ratio(self.covered, self.characters)
    }
}

/// Compares the spans of one document.
pub fn compare(text: &str, labelled: &[Labelled], found: &[Labelled]) -> Outcome {
    let mut outcome = Outcome::default();
    for span in labelled {
        outcome.types.entry(span.entity.clone()).or_default().labelled += 1;
    }
    for span in found {
        outcome.types.entry(span.entity.clone()).or_default().found += 1;
    }
    for (entity, right) in matches(labelled, found) {
        outcome.types.entry(entity).or_default().right += right;
    }
    for (at, _) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        if covers(labelled, at) {
            outcome.characters += 1;
            outcome.covered += u64::from(covers(found, at));
        }
    }
    outcome
}

fn covers(spans: &[Labelled], at: usize) -> bool {
    spans.iter().any(|s| s.start <= at && at < s.end)
}

/// Matched pairs by type.
fn matches(labelled: &[Labelled], found: &[Labelled]) -> BTreeMap<String, u64> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (i, a) in labelled.iter().enumerate() {
        for (j, b) in found.iter().enumerate().filter(|(_, b)| b.entity == a.entity) {
            let overlap = overlap(a, b);
            if overlap >= 0.5 {
                pairs.push((overlap, i, j));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut used_a, mut used_b) = (vec![false; labelled.len()], vec![false; found.len()]);
    let mut right = BTreeMap::new();
    for (_, i, j) in pairs {
        if !used_a[i] && !used_b[j] {
            (used_a[i], used_b[j]) = (true, true);
            *right.entry(labelled[i].entity.clone()).or_default() += 1;
        }
    }
    right
}

/// Intersection over union.
fn overlap(a: &Labelled, b: &Labelled) -> f64 {
    let shared = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    let all = (a.end - a.start) + (b.end - b.start) - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Makes one span of neighbours of the type `entity` between which nothing but white space and
/// `,`, `-`, `>`, `|`, `/` or `.` stands. The spans come back sorted.
pub fn merge_adjacent(text: &str, mut spans: Vec<Labelled>, entity: &str) -> Vec<Labelled> {
    spans.sort();
    let mut merged: Vec<Labelled> = Vec::with_capacity(spans.len());
    for span in spans {
        let near = merged.iter_mut().rfind(|m| m.entity == entity && span.entity == entity);
        match near {
            Some(before) if is_gap(text.get(before.end..span.start).unwrap_or_default()) => {
                before.end = before.end.max(span.end);
            }
            _ => merged.push(span),
        }
    }
    merged
}

fn is_gap(between: &str) -> bool {
    between.chars().all(|c| c.is_whitespace() || matches!(c, ',' | '-' | '>' | '|' | '/' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_union_is_enough_and_the_type_must_be_right() {
        let text = "Anna Maria Smith of Leeds";
        let gold = [Labelled::new(0, 16, "PERSON"), Labelled::new(20, 25, "LOCATION")];
        let found = [Labelled::new(0, 10, "PERSON"), Labelled::new(20, 25, "PERSON")];
        let o = compare(text, &gold, &found);
        assert_eq!(o.of("PERSON"), Counts { right: 1, found: 2, labelled: 1 });
        assert_eq!(o.of("LOCATION"), Counts { right: 0, found: 0, labelled: 1 });
        // 14 + 5 letters, of which "AnnaMaria" and "Leeds" are covered.
        assert_eq!((o.characters, o.covered), (19, 14));
    }

    #[test]
    fn each_span_counts_once() {
        let gold = [Labelled::new(0, 4, "PERSON")];
        let found = [Labelled::new(0, 3, "PERSON"), Labelled::new(0, 4, "PERSON")];
        let c = compare("Anna", &gold, &found).of("PERSON");
        assert_eq!(c, Counts { right: 1, found: 2, labelled: 1 });
        // P ½, R 1: F2 = 5 · ½ / (4 · ½ + 1).
        assert!((c.f(2.0) - 2.5 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn parts_of_an_address_are_one_span() {
        let text = "5 High St,\n Leeds and York";
        let spans = vec![
            Labelled::new(12, 17, "LOCATION"),
            Labelled::new(0, 9, "LOCATION"),
            Labelled::new(22, 26, "LOCATION"),
        ];
        let merged = merge_adjacent(text, spans, "LOCATION");
        assert_eq!(merged, [Labelled::new(0, 17, "LOCATION"), Labelled::new(22, 26, "LOCATION")]);
    }
}
