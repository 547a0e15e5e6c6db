//! Which of overlapping finds stand. Decided over the whole text at once, so that the order of
//! recognizers does not matter.
//!
//! Finds are ranked by how sure their kind is: what has an unmistakable syntax, or passed a check
//! and is called by its name; then numbers that are told by their shape; then names; then postal
//! codes, which are parts of addresses. Within a rank the longest wins, for it hides the others'
//! characters too (an address inside a link, an IP inside a URL, all inside a bank account);
//! between equals the stronger: context and a passed check count besides the score. Then the order
//! of types decides.

use std::cmp::Reverse;
use std::ops::Range;

use super::candidate::Candidate;
use super::source::Source;
use crate::domain::masking::Entity;

/// How sure a find is of being what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Its own syntax, or a passed check in context.
    Certain,
    /// Digits and shape. Types that are not known here, such as tenants' own, count as this.
    Shaped,
    /// Words.
    Guessed,
    /// What an address holds.
    Part,
}

/// A score from which a find that passed its check counts as certain.
const CERTAIN: f32 = 0.9;

/// Types whose finds are all of one rank, in order of precedence between equals.
fn by_type(entity: &Entity) -> Option<(Rank, u8)> {
    const ORDER: [(Entity, Rank); 17] = [
        (Entity::IBAN_CODE, Rank::Certain),
        (Entity::CREDIT_CARD, Rank::Certain),
        (Entity::API_KEY, Rank::Certain),
        (Entity::CRYPTO, Rank::Certain),
        (Entity::PASSWORD, Rank::Certain),
        (Entity::EMAIL_ADDRESS, Rank::Certain),
        (Entity::MAC_ADDRESS, Rank::Certain),
        (Entity::IP_ADDRESS, Rank::Certain),
        (Entity::URL, Rank::Certain),
        (Entity::US_SSN, Rank::Shaped),
        (Entity::PHONE_NUMBER, Rank::Shaped),
        (Entity::PERSON, Rank::Guessed),
        (Entity::ORGANIZATION, Rank::Guessed),
        (Entity::LOCATION, Rank::Guessed),
        (Entity::UK_POSTCODE, Rank::Part),
        (Entity::CA_POSTAL_CODE, Rank::Part),
        (Entity::DE_PLZ, Rank::Part),
    ];
    let known = (0u8..).zip(&ORDER).find(|(_, (e, _))| e == entity);
    known.map(|(place, (_, rank))| (*rank, place))
}

/// Precedence: lower wins.
fn precedence(c: &Candidate) -> (Rank, u8) {
    // A whole address is told by its shape; only places alone are guessed.
    if c.entity == Entity::LOCATION && c.recognizer.starts_with("address") {
        return (Rank::Shaped, 9);
    }
    by_type(&c.entity).unwrap_or_else(|| {
        let certain = c.validator.is_some() && c.score >= CERTAIN;
        (if certain { Rank::Certain } else { Rank::Shaped }, 8)
    })
}

/// What counts against a type that names no state or kind, where another one claims the same.
fn vagueness(entity: &Entity) -> f32 {
    match entity.as_str() {
        "LICENSE_PLATE" => 0.6,
        "CUSTOMER_NUMBER" | "ORDER_NUMBER" | "US_BANK_NUMBER" | "US_DRIVER_LICENSE" => 0.2,
        _ => 0.0,
    }
}

/// What speaks for a find besides its length.
fn strength(c: &Candidate) -> f32 {
    let bonus = |there: bool, by: f32| if there { by } else { 0.0 };
    let context = bonus(c.context.is_some(), 0.3) + bonus(c.validator.is_some(), 0.1);
    c.score + context - vagueness(&c.entity)
}

/// The finds that stand, in order of the text and without overlaps. A guessed find that loses a
/// part keeps the rest: a surname must not show because an address stands beside it.
pub(super) fn resolve(source: &Source<'_>, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.retain(|c| !c.range.is_empty());
    // Stable: between equals the earlier recognizer wins.
    candidates.sort_by_cached_key(|c| {
        let (rank, place) = precedence(c);
        // Scores are told apart to the thousandth.
        let strength = (strength(c) * 1000.0).round() as i32;
        (rank, Reverse(c.range.len()), Reverse(strength), place, c.range.start)
    });
    // Start → end of what stands, kept sorted by start.
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    let mut standing = Vec::new();
    for candidate in candidates {
        let is_guess = precedence(&candidate).0 == Rank::Guessed;
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
    joined_addresses(source.text(), standing)
}

/// An address and the town or country that was found beside it are one span.
fn joined_addresses(text: &str, standing: Vec<Candidate>) -> Vec<Candidate> {
    let is_address = |c: &Candidate| c.recognizer.starts_with("address");
    let mut joined: Vec<Candidate> = Vec::with_capacity(standing.len());
    for c in standing {
        if let Some(last) = joined.last_mut()
            && last.entity == Entity::LOCATION
            && c.entity == Entity::LOCATION
            && (is_address(last) || is_address(&c))
            && text[last.range.end..c.range.start].len() <= 4
            && text[last.range.end..c.range.start].contains([',', '\n'])
            && text[last.range.end..c.range.start].chars().all(|g| g.is_whitespace() || g == ',')
        {
            last.range.end = c.range.end;
            last.score = last.score.max(c.score);
            continue;
        }
        joined.push(c);
    }
    joined
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

    #[test]
    fn context_and_checks_decide_between_equals() {
        let phone = Candidate::new(0..10, Entity::PHONE_NUMBER, 0.5, "test").checked("plan");
        let by_chance = Candidate::new(0..10, Entity::UK_NHS, 0.45, "test").checked("weights");
        let named = by_chance.clone().in_context(Some("nhs"), 1.0);
        let postcode = Candidate::new(3..10, Entity::UK_POSTCODE, 1.0, "test");
        let address = Candidate::new(0..10, Entity::LOCATION, 0.4, "test");
        let source = Source::new("0123456789", None);
        let wins = |a: &Candidate, b: &Candidate| {
            let standing = resolve(&source, vec![a.clone(), b.clone()]);
            standing.into_iter().map(|c| c.entity).collect::<Vec<_>>()
        };
        assert_eq!(wins(&by_chance, &phone), [Entity::PHONE_NUMBER]);
        assert_eq!(wins(&phone, &named), [Entity::UK_NHS]);
        assert_eq!(wins(&postcode, &address), [Entity::LOCATION]);
    }

    fn pair(part: &str, entity: &str) -> (String, String) {
        (part.to_owned(), entity.to_owned())
    }

    #[test]
    fn an_address_takes_the_town_beside_it_in() {
        let text = "12 Oak Road,\nUtopia and Leeds";
        let find = |part: &str, name| {
            let start = text.find(part).unwrap();
            Candidate::new(start..start + part.len(), Entity::LOCATION, 0.5, name)
        };
        let finds =
            vec![find("12 Oak Road", "address"), find("Utopia", "head"), find("Leeds", "head")];
        let source = Source::new(text, None);
        let found: Vec<&str> =
            resolve(&source, finds).into_iter().map(|c| &text[c.range]).collect();
        assert_eq!(found, ["12 Oak Road,\nUtopia", "Leeds"]);
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
