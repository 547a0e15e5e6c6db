//! What real typing does to a message: lost punctuation, slips, lines run together.

use super::random::Random;
use crate::nlp::names::corpus::Example;

/// Perhaps spoils the message; the labels move along.
pub(super) fn spoil(example: &mut Example, r: &mut Random) {
    if r.chance(0.10) {
        drop_punctuation(example, r);
    }
    if r.chance(0.12) {
        slip(example, r);
    }
    if r.chance(0.06) {
        join_lines(example);
    }
    if r.chance(0.05) {
        let edits = places(&example.text, |c| c == '\'')
            .into_iter()
            .map(|(at, n)| (at..at + n, "’".to_owned()));
        let edits = edits.collect();
        example.replace(edits);
    }
}

fn places(text: &str, wanted: impl Fn(char) -> bool) -> Vec<(usize, usize)> {
    text.char_indices().filter(|(_, c)| wanted(*c)).map(|(i, c)| (i, c.len_utf8())).collect()
}

fn drop_punctuation(example: &mut Example, r: &mut Random) {
    let all = r.chance(0.6);
    let marks = places(&example.text, |c| matches!(c, ',' | '.' | '!' | '?' | ';' | ':'));
    let text = example.text.clone();
    let free = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + 1..].chars().next();
        !before.is_some_and(|c| c.is_ascii_digit()) && after.is_none_or(char::is_whitespace)
    };
    let edits = marks.into_iter().filter(|(at, _)| free(*at) && (all || r.chance(0.5)));
    let edits = edits.map(|(at, n)| (at..at + n, String::new())).collect();
    example.replace(edits);
}

/// Letters of words outside names are doubled, lost or swapped.
fn slip(example: &mut Example, r: &mut Random) {
    let outside: Vec<usize> = places(&example.text, |c| c.is_ascii_lowercase())
        .into_iter()
        .map(|(at, _)| at)
        .filter(|at| !example.names.iter().any(|n| n.start <= *at && *at < n.end))
        .collect();
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for _ in 0..r.between(1, 3) {
        let Some(&at) = outside.get(r.below(outside.len())) else { return };
        if edits.iter().any(|(range, _)| range.start.abs_diff(at) < 3) {
            continue;
        }
        let letter = example.text[at..=at].to_owned();
        let with = match r.below(3) {
            0 => letter.repeat(2),
            1 => String::new(),
            _ => char::from(b'a' + r.below(26) as u8).to_string(),
        };
        edits.push((at..at + 1, with));
    }
    edits.sort_by_key(|(range, _)| range.start);
    example.replace(edits);
}

fn join_lines(example: &mut Example) {
    let breaks = places(&example.text, |c| c == '\n');
    let edits = breaks.into_iter().map(|(at, n)| (at..at + n, " ".to_owned())).collect();
    example.replace(edits);
}
