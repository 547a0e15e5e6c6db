//! Internet addresses, version 4 and 6, with zone and prefix length.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::candidate::Candidate;
use super::context::{ContextWords, Leaning, WordSet, floor, leaning, raised, words_before};
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use crate::domain::masking::Entity;

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
const MAX_V6: usize = 45;
/// Longest name of a network interface that is taken for a zone.
const MAX_ZONE: usize = 16;

static OTHER: WordSet =
    WordSet::new("build firmware release section software v ver version versión versione");

/// What small numbers in a row are of besides, as "see 3.2.1.4 in the manual".
static OUTLINES: WordSet = WordSet::new(
    "abschnitt anhang annex appendix article capítulo chapitre chapter clause handbuch kapitel manual \
     page paragraph punkt sección see sezione siehe step voir",
);

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new(
        "address addresse adresse dirección host indirizzo ip ipv server subnet",
    ),
    against: &OTHER,
};

pub(super) struct IpAddress;

impl Recognizer for IpAddress {
    fn entity(&self) -> &Entity {
        const { &Entity::IP_ADDRESS }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.dots >= 3 && clues.digits >= 4 || clues.colons >= 2
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        if source.clues().dots >= 3 {
            find_v4(source, out);
        }
        if source.clues().colons >= 2 {
            find_v6(source, out);
        }
    }
}

fn find_v4(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let is_part = |b: u8| b.is_ascii_digit() || b == b'.';
    let mut at = 0;
    while let Some(range) = next_run(text, at, is_part) {
        at = range.end;
        // A full stop may follow, a fifth number may not.
        let range = range.start..range.start + text[range].trim_end_matches('.').len();
        if text[range.clone()].parse::<Ipv4Addr>().is_err() || !source.stands_alone(&range) {
            continue;
        }
        let range = with_prefix_length(text, range, 32);
        let (word, score) = match leaning(text, &range, &WORDS) {
            Leaning::For(word, _) => (Some(word), raised(0.6)),
            Leaning::Against => (None, 0.2),
            Leaning::None if is_outline(text, &range) => (None, 0.2),
            Leaning::None => (None, 0.6),
        };
        out.push(
            Candidate::new(range, Entity::IP_ADDRESS, 0.6, "ip/v4")
                .checked("syntax")
                .in_context(word, score),
        );
    }
}

/// Whether the numbers are of one digit each, and a word near them says of what.
fn is_outline(text: &str, range: &Range<usize>) -> bool {
    let to = floor(text, (range.end + 40).min(text.len()));
    let ahead = text[range.end..to].split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty());
    range.len() == "3.2.1.4".len()
        && (words_before(text, range.start, 3).iter().any(|w| OUTLINES.contains(w))
            || ahead.take(4).any(|w| OUTLINES.contains(&w.to_lowercase())))
}

fn find_v6(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let is_part = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
    let mut at = 0;
    while let Some(mut range) = next_run(text, at, is_part) {
        at = range.end;
        // `IP:2001:db8::1`: the first colon is the label's.
        let run = &text[range.clone()];
        if run.starts_with(':') && !run.starts_with("::") {
            range.start += 1;
        }
        let run = text[range.clone()].trim_end_matches('.');
        let run = run.strip_suffix(':').filter(|r| !r.ends_with(':')).unwrap_or(run);
        range.end = range.start + run.len();
        let labelled = source.before(range.start) == Some(':');
        if run.len() > MAX_V6
            || run.parse::<Ipv6Addr>().is_err()
            || !(labelled || source.stands_alone(&range))
        {
            continue;
        }
        let base = base_score(run);
        let Some(range) = with_zone(source, range) else { continue };
        let range = with_prefix_length(text, range, 128);
        if source.after(range.end).is_some_and(joins) {
            continue;
        }
        at = at.max(range.end);
        let (word, score) = match leaning(text, &range, &WORDS) {
            Leaning::For(word, _) => (Some(word), raised(base)),
            Leaning::Against | Leaning::None => (None, base),
        };
        out.push(
            Candidate::new(range, Entity::IP_ADDRESS, base, "ip/v6")
                .checked("syntax")
                .in_context(word, score),
        );
    }
}

/// `::`, `a::b` and `1::2` are written for many other reasons.
fn base_score(address: &str) -> f32 {
    let hex = address.bytes().filter(u8::is_ascii_hexdigit).count();
    match hex {
        0..=2 => 0.1,
        3..=6 => 0.3,
        _ => 0.7,
    }
}

/// The next run of bytes that `is_part` accepts.
fn next_run(text: &str, from: usize, is_part: impl Fn(u8) -> bool) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + bytes.get(from..)?.iter().position(|&b| is_part(b))?;
    let end = bytes[start..].iter().position(|&b| !is_part(b)).map_or(bytes.len(), |n| start + n);
    Some(start..end)
}

/// Takes `%eth0` in; `None` if a zone begins and is none.
fn with_zone(source: &Source<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let Some(zone) = source.text()[range.end..].strip_prefix('%') else { return Some(range) };
    let len =
        zone.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count();
    (1..=MAX_ZONE).contains(&len).then(|| range.start..range.end + 1 + len)
}

/// Takes `/24` in if the number can be a prefix length.
fn with_prefix_length(text: &str, range: Range<usize>, bits: u16) -> Range<usize> {
    let Some(rest) = text[range.end..].strip_prefix('/') else { return range };
    let len = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let fits =
        rest[..len].parse::<u16>().is_ok_and(|n| n <= bits) && !rest[len..].starts_with(joins);
    if fits { range.start..range.end + 1 + len } else { range }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::{scored, surfaces};

    fn found(text: &str) -> Vec<String> {
        surfaces(&IpAddress, text)
    }

    #[test]
    fn finds_both_versions() {
        assert_eq!(found("from 192.168.0.1."), ["192.168.0.1"]);
        assert_eq!(found("10.0.0.0/8, [2001:db8::1]:8080"), ["10.0.0.0/8", "2001:db8::1"]);
        assert_eq!(found("fe80::1%eth0/64"), ["fe80::1%eth0/64"]);
        assert_eq!(found("IP:2001:db8::1: ok"), ["2001:db8::1"]);
        assert_eq!(found("x::ffff:192.0.2.1"), ["192.0.2.1"]);
    }

    #[test]
    fn leaves_times_versions_and_paths() {
        for text in [
            "12:30:45",
            "1.2.3",
            "256.1.1.1",
            "1.2.3.4.5",
            "v1.2.3.4",
            "std::vec",
            "1:2:3:4",
            "aa:bb:cc:dd:ee:ff",
            "2001::db8::1",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
        for text in
            ["version 10.4.2.1", "see 3.2.1.4 in the manual", "step 1.2.3.4", "1.2.3.4 on page 9"]
        {
            let [(_, score)] = scored(&IpAddress, text).try_into().unwrap();
            assert!(score < 0.4, "{text}: {score}");
        }
        for text in ["I see 10.0.0.1 in the log", "127.0.0.1", "255.255.255.0", "dns 8.8.8.8"] {
            let [(_, score)] = scored(&IpAddress, text).try_into().unwrap();
            assert!(score >= 0.4, "{text}: {score}");
        }
    }
}
