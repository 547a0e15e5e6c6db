//! Which of overlapping finds stand. Decided over the whole text at once, so that the order of
//! recognizers does not matter.
//!
//! Finds are ranked by how sure their kind is: what has a check digit or an unmistakable syntax
//! first, then numbers that are told by their shape, then names. Within a rank the longest wins,
//! for it hides the others' characters too (an address inside a link, an IP inside a URL); between
//! equals the order of types decides, then the score.

use std::ops::Range;

use super::candidate::Candidate;
use super::source::Source;
use crate::domain::masking::Entity;

/// How sure a type's finds are of being what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A check digit or its own syntax.
    Certain,
    /// Digits and shape. Types that are not known here, such as tenants' own, count as this.
    Shaped,
    /// Words.
    Guessed,
}

/// Types in order of precedence between finds of the same rank and length.
fn precedence(entity: &Entity) -> (Rank, u8) {
    const ORDER: [(Entity, Rank); 11] = [
        (Entity::IBAN_CODE, Rank::Certain),
        (Entity::CREDIT_CARD, Rank::Certain),
        (Entity::EMAIL_ADDRESS, Rank::Certain),
        (Entity::MAC_ADDRESS, Rank::Certain),
        (Entity::IP_ADDRESS, Rank::Certain),
        (Entity::URL, Rank::Certain),
        (Entity::US_SSN, Rank::Shaped),
        (Entity::PHONE_NUMBER, Rank::Shaped),
        (Entity::PERSON, Rank::Guessed),
        (Entity::ORGANIZATION, Rank::Guessed),
        (Entity::LOCATION, Rank::Guessed),
    ];
    let known = (0u8..).zip(&ORDER).find(|(_, (e, _))| e == entity);
    known.map_or((Rank::Shaped, 6), |(place, (_, rank))| (*rank, place))
}

/// The finds that stand, in order of the text and without overlaps. A guessed find that loses a
/// part keeps the rest: a surname must not show because an address stands beside it.
pub(super) fn resolve(source: &Source<'_>, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.retain(|c| !c.range.is_empty());
    candidates.sort_by(|a, b| {
        let ((rank_a, place_a), (rank_b, place_b)) = (precedence(&a.entity), precedence(&b.entity));
        rank_a
            .cmp(&rank_b)
            .then(b.range.len().cmp(&a.range.len()))
            .then(place_a.cmp(&place_b))
            .then(b.score.total_cmp(&a.score))
            .then(a.range.start.cmp(&b.range.start))
    });
    // Start → end of what stands, kept sorted by start.
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    let mut standing = Vec::new();
    for candidate in candidates {
        let is_guess = precedence(&candidate.entity).0 == Rank::Guessed;
        for range in free_parts(&taken, &candidate.range) {
            let whole = range == candidate.range;
            let range = if whole { range } else { trimmed(source.text(), range) };
            if !whole
                && (!is_guess
                    || source.text()[range.clone()].chars().filter(|c| c.is_alphabetic()).count()
                        < 2)
            {
                continue;
            }
            taken.insert(range.start, range.end);
            standing.push(Candidate { range, ..candidate.clone() });
        }
    }
    standing.sort_by_key(|c| c.range.start);
    standing
}

/// What of `range` is not taken.
fn free_parts(
    taken: &std::collections::BTreeMap<usize, usize>,
    range: &Range<usize>,
) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = range.start;
    if let Some((_, &end)) = taken.range(..=range.start).next_back() {
        at = at.max(end);
    }
    for (&start, &end) in taken.range(range.start + 1..range.end.max(range.start + 1)) {
        if at < start {
            parts.push(at..start);
        }
        at = at.max(end);
    }
    if at < range.end {
        parts.push(at..range.end);
    }
    parts
}

/// Without what is no letter or digit at the ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let inner = part.trim_start_matches(|c: char| !c.is_alphanumeric());
    let start = range.end - inner.len();
    start..start + inner.trim_end_matches(|c: char| !c.is_alphanumeric()).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(text: &str, finds: &[(&str, Entity)]) -> Vec<(String, String)> {
        let candidates = finds.iter().map(|(part, entity)| {
            let start = text.find(part).unwrap();
            Candidate::new(start..start + part.len(), entity.clone(), 0.5, "test")
        });
        let source = Source::new(text, None);
        resolve(&source, candidates.collect())
            .into_iter()
            .map(|c| (text[c.range].to_owned(), c.entity.to_string()))
            .collect()
    }

    fn pair(part: &str, entity: &str) -> (String, String) {
        (part.to_owned(), entity.to_owned())
    }

    #[test]
    fn the_surer_and_longer_find_stands() {
        let text = "https://x.com/?e=anna@x.com 4111111111111111 Anna Smith anna@y.org";
        assert_eq!(
            standing(
                text,
                &[
                    ("anna@x.com", Entity::EMAIL_ADDRESS),
                    ("https://x.com/?e=anna@x.com", Entity::URL),
                    ("4111111111111111", Entity::PHONE_NUMBER),
                    ("4111111111111111", Entity::CREDIT_CARD),
                    ("x.com", Entity::URL),
                    ("Anna Smith anna", Entity::PERSON),
                    ("anna@y.org", Entity::EMAIL_ADDRESS),
                ],
            ),
            [
                pair("https://x.com/?e=anna@x.com", "URL"),
                pair("4111111111111111", "CREDIT_CARD"),
                pair("Anna Smith", "PERSON"),
                pair("anna@y.org", "EMAIL_ADDRESS"),
            ]
        );
    }
}
