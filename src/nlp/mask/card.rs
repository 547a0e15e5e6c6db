//! Payment card numbers: 12–19 digits that pass Luhn's check, scored by whether a card scheme
//! gives out such numbers and whether they are grouped as on a card.
//!
//! One random number in ten passes Luhn, so digits alone are not enough: an article code of
//! thirteen digits is masked only beside a word like "card".

use std::ops::Range;

use super::candidate::Candidate;
use super::context::{ContextWords, Leaning, REFERENCE_NUMBERS, WordSet, floor, leaning, raised};
use super::label::{Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::checksum::passes_luhn;
use crate::domain::masking::Entity;

const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
/// A card is printed in at most five groups.
const MAX_GROUPS: usize = 5;

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new(
        "amex card carta carte cartão cc credit debit diners discover jcb kaart karte kartennummer \
        kort kreditkarte kreditkartennummer maestro mastercard tarjeta visa",
    ),
    against: &REFERENCE_NUMBERS,
};

pub(super) struct Card;

impl Recognizer for Card {
    fn entity(&self) -> &Entity {
        const { &Entity::CREDIT_CARD }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= *DIGITS.start()
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        for cluster in source.clusters() {
            let mut first = 0;
            while first < cluster.len() {
                first += match card_at(source, &cluster[first..]) {
                    Some((groups, card)) => {
                        if let Some(range) = security_behind(source.text(), card.range.end) {
                            let found = Candidate::new(
                                range,
                                Entity::PASSWORD,
                                card.score,
                                "card/security",
                            );
                            out.push(found.checked("form"));
                        }
                        out.push(card);
                        groups
                    }
                    None => 1,
                };
            }
        }
    }
}

/// The card that begins with the first of `groups`, and how many groups it takes.
fn card_at(source: &Source<'_>, groups: &[Range<usize>]) -> Option<(usize, Candidate)> {
    let longest = alike(source.text(), groups);
    (1..=longest).rev().find_map(|count| {
        let range = groups[0].start..groups[count - 1].end;
        let total: usize = groups[..count].iter().map(ExactSizeIterator::len).sum();
        if !DIGITS.contains(&total) || !source.stands_alone(&range) {
            return None;
        }
        let grouping: Vec<usize> = groups[..count].iter().map(ExactSizeIterator::len).collect();
        if !is_card_grouping(&grouping) {
            return None;
        }
        let digits: String =
            source.text()[range.clone()].chars().filter(char::is_ascii_digit).collect();
        if !passes_luhn(digits.as_bytes()) || digits.bytes().all(|b| b == b'0') {
            return None;
        }
        let base = base_score(&digits, count > 1);
        let (word, score) = match leaning(source.text(), &range, &WORDS) {
            Leaning::For(word, _) => (Some(word), raised(base)),
            Leaning::Against if count == 1 && is_named_otherwise(source, range.start) => {
                (None, base * 0.45)
            }
            Leaning::Against if count == 1 => (None, base / 2.0),
            Leaning::Against | Leaning::None => (None, base),
        };
        // A number no card begins like needs a word for it; one of thirteen digits may be a time.
        (word.is_some() || base > 0.0).then(|| {
            let card = Candidate::new(range, Entity::CREDIT_CARD, base, "card");
            (count, card.checked("luhn").in_context(word, score))
        })
    })
}

/// The expiry and the security code right behind a card: "12/25 999", "exp 12/25, 999".
fn security_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let near = &text[at..floor(text, (at + 40).min(text.len()))];
    let skip = |rest: &str| -> Option<usize> {
        let gap = rest.len() - rest.trim_start_matches([' ', ',', ';', '|', ':', '/', '\n']).len();
        (1..=3).contains(&gap).then_some(gap)
    };
    let digits = |rest: &str| rest.bytes().take(5).take_while(u8::is_ascii_digit).count();
    let mut start = skip(near)?;
    let word = near[start..].bytes().take(8).take_while(u8::is_ascii_alphabetic).count();
    if word > 0 {
        let written = near[start..start + word].to_ascii_lowercase();
        let is_expiry = matches!(written.as_str(), "exp" | "expiry" | "expires" | "valid");
        start += word + skip(&near[start + word..]).filter(|_| is_expiry)?;
    }
    let month = digits(&near[start..]);
    let is_month = near[start..start + month].parse().is_ok_and(|m: u8| (1..=12).contains(&m));
    let year_at = start + month + usize::from(near[start + month..].starts_with(['/', '-']));
    let year = digits(&near[year_at..]);
    let dated = month == 2 && is_month && year_at > start + month && matches!(year, 2 | 4);
    let code_at = year_at + year + skip(&near[year_at + year..]).filter(|_| dated)?;
    let code = digits(&near[code_at..]);
    let ends = !near[code_at + code..].starts_with(|c: char| c.is_alphanumeric());
    (matches!(code, 3 | 4) && ends).then_some(at + start..at + code_at + code)
}

/// Whether the word right in front says that the digits are a parcel's or an order's number.
fn is_named_otherwise(source: &Source<'_>, at: usize) -> bool {
    let other = source
        .labels_before(at, 24)
        .filter(|l| matches!(l.topic, Topic::Tracking | Topic::Order | Topic::Customer));
    other.filter_map(|l| announced(source.text(), l.range.end)).any(|a| a.at == at && a.words == 0)
}

/// How many groups follow each other with the same separator. A line break counts as a space, as
/// mail programs break long lines.
fn alike(text: &str, groups: &[Range<usize>]) -> usize {
    let separator = |i: usize| {
        let gap = text[groups[i].end..groups[i + 1].start].trim_ascii();
        matches!(gap, "" | "-" | "." | "/").then_some(gap)
    };
    let same = (0..groups.len().min(MAX_GROUPS) - 1)
        .take_while(|&i| separator(i).is_some() && separator(i) == separator(0));
    1 + same.count()
}

/// Digits as printed: in one piece, in fours with a shorter or longer rest, or 4-6-5 and 4-6-4.
fn is_card_grouping(lengths: &[usize]) -> bool {
    match lengths {
        [_] => true,
        [4, 6, 4 | 5] | [8, 8] => true,
        [first @ .., last] => {
            first.len() >= 2 && first.iter().all(|&n| n == 4) && (1..=7).contains(last)
        }
        [] => false,
    }
}

/// How likely a number that passed Luhn is a card, without context.
fn base_score(digits: &str, grouped: bool) -> f32 {
    match (scheme(digits), grouped) {
        (Some(_), true) => 0.9,
        // Lengths that codes of goods, devices and clocks have as well.
        (Some(Rarity::Common), false) if digits.len() == 16 => 0.8,
        (Some(Rarity::Common), false) => 0.6,
        (Some(Rarity::Rare), false) => 0.3,
        (None, true) => 0.3,
        (None, false) if digits.len() == 13 && digits.starts_with('1') => 0.0,
        (None, false) if digits.starts_with(['1', '3', '4', '5', '6']) => 0.1,
        (None, false) => 0.0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rarity {
    Common,
    /// Few cards of the scheme have this length, and many other numbers do.
    Rare,
}

/// Whether a card scheme gives out numbers with this prefix and length (public issuer ranges).
fn scheme(digits: &str) -> Option<Rarity> {
    let prefix = |n: usize| digits.get(..n).and_then(|p| p.parse::<u32>().ok()).unwrap_or_default();
    let (p2, p3, p4, p6) = (prefix(2), prefix(3), prefix(4), prefix(6));
    let len = digits.len();
    match (p2, len) {
        // Visa
        (40..=49, 16 | 19) => Some(Rarity::Common),
        (40..=49, 13) => Some(Rarity::Rare),
        // Mastercard
        (51..=55, 16) => Some(Rarity::Common),
        (22..=27, 16) if (2221..=2720).contains(&p4) => Some(Rarity::Common),
        // American Express
        (34 | 37, 15) => Some(Rarity::Common),
        // Diners Club
        (36 | 38 | 39, 14..=19) => Some(Rarity::Common),
        (30, 14..=19) if matches!(p3, 300..=305 | 309) => Some(Rarity::Common),
        // JCB, and its older numbers of 15 digits
        (35, 16..=19) if (3528..=3589).contains(&p4) => Some(Rarity::Common),
        (21 | 18, 15) if matches!(p4, 2131 | 1800) => Some(Rarity::Rare),
        // Discover, UnionPay, RuPay, Verve
        (60 | 62 | 64 | 65 | 81 | 82, 16..=19) => Some(Rarity::Common),
        // Mir, Troy
        (22, 16..=19) if (2200..=2205).contains(&p4) => Some(Rarity::Common),
        (97, 16) if p4 == 9792 => Some(Rarity::Common),
        // Maestro and Dankort
        (50 | 56..=69, 16..=19) => Some(Rarity::Common),
        (50 | 56..=69, 12..=15) => Some(Rarity::Rare),
        // UATP
        (10..=19, 15) if p6 >= 100_000 => Some(Rarity::Rare),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::scored;

    fn found(text: &str) -> Vec<(String, f32)> {
        scored(&Card, text)
    }

    #[test]
    fn finds_cards_however_grouped() {
        for card in [
            "4111111111111111",
            "4012-8888-8888-1881",
            "4012 8888 8888 1881",
            "3714 496353 98431",
            "4012 8888\n8888 1881",
            "3056 930902 5904",
            "4222 2222 2222 2",
        ] {
            let text = format!("see {card}, thanks");
            assert_eq!(
                found(&text).first().map(|f| (f.0.as_str(), f.1 > 0.5)),
                Some((card, true)),
                "{card}"
            );
        }
        assert_eq!(found("1234 4012 8888 8888 1881").len(), 1);
        assert_eq!(found("4012888888881881 4012 8888 8888 1881").len(), 2);
    }

    #[test]
    fn expiry_and_code_behind_a_card_are_found() {
        for (text, code) in [
            ("card 4111 1111 1111 1111 12/25 999", Some("12/25 999")),
            ("4111 1111 1111 1111, exp 12/2025, 1234.", Some("12/2025, 1234")),
            ("4111 1111 1111 1111 12/25", None),
            ("4111 1111 1111 1111 13/25 999", None),
            ("4111 1111 1111 1111 and 12/25 999", None),
        ] {
            let mut found = Vec::new();
            Card.find(&Source::new(text, None), &mut found);
            let mut codes = found.into_iter().filter(|c| c.entity == Entity::PASSWORD);
            assert_eq!(codes.next().map(|c| &text[c.range]), code, "{text}");
        }
    }

    #[test]
    fn other_numbers_need_a_word() {
        let score = |t: &str| found(t).first().map_or(0.0, |f| f.1);
        assert!(score("code 4006381333931") < 0.4, "an article code that passes Luhn");
        assert!(score("my card 4222222222222") >= 0.5);
        assert!(score("9999999999999995") < 0.4 && score("card 9999999999999995") >= 0.4);
        for text in [
            "4111111111111112",
            "x4111111111111111",
            "4111 1111 11111111",
            "0000000000000000",
            "41111111111111111111",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
