//! Digits that are something else: dates, amounts, quantities.

use std::ops::Range;

use super::super::context::WordSet;
use super::super::source::Source;

/// Whether the first three groups are a date: day, month and year with the same separator, in one
/// of the usual orders.
pub(super) fn is_date(text: &str, groups: &[Range<usize>]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let separator = &text[a.end..b.start];
    if separator != &text[b.end..c.start] || !matches!(separator, "-" | "." | "/" | " ") {
        return false;
    }
    let n = |g: &Range<usize>| text[g.clone()].parse::<u32>().unwrap_or(u32::MAX);
    let year = |g: &Range<usize>| g.len() == 4 && (1900..2100).contains(&n(g));
    let month = |g: &Range<usize>| g.len() <= 2 && (1..=12).contains(&n(g));
    let day = |g: &Range<usize>| g.len() <= 2 && (1..=31).contains(&n(g));
    year(a) && month(b) && day(c) || year(c) && (day(a) && month(b) || month(a) && day(b))
}

/// Whether a currency stands before or behind, decimals follow, or it goes on from other digits.
pub(super) fn is_amount(source: &Source<'_>, range: &Range<usize>) -> bool {
    let currency = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '₹' | '%');
    let before = source.text()[..range.start].trim_end_matches(' ').chars().next_back();
    let behind = &source.text()[range.end..];
    let after = behind.trim_start_matches(' ').chars().next();
    let mut tail = behind.chars();
    let decimals = matches!(tail.next(), Some(',' | '.' | ':'))
        && tail.next().is_some_and(|c| c.is_ascii_digit());
    let mut head = source.text()[..range.start].chars().rev();
    let continues = match head.next() {
        Some('#') => true,
        Some(',' | '.' | ':' | '-') => head.next().is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    };
    before.is_some_and(currency) || after.is_some_and(currency) || decimals || continues
}

/// Whether a unit or the code of a currency follows.
pub(super) fn is_measured(source: &Source<'_>, range: &Range<usize>) -> bool {
    static UNITS: WordSet =
        WordSet::new("aud cad chf days dollars eur euro euros gbp inr jpy km mb units usd");
    let behind = source.text()[range.end..].trim_start_matches(' ');
    let word: String = behind.chars().take(8).take_while(|c| c.is_alphabetic()).collect();
    UNITS.contains(&word.to_lowercase())
}
