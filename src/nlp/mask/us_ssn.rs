//! Social security numbers of the United States. They carry no check digit: what is known is which
//! numbers were never given out.

use std::ops::Range;

use super::candidate::Candidate;
use super::context::{ContextWords, Leaning, REFERENCE_NUMBERS, WordSet, leaning, raised};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new("security social ssid ssn"),
    against: &REFERENCE_NUMBERS,
};

/// Numbers that were printed in advertisements and examples.
const NEVER_VALID: [&str; 4] = ["078051120", "219099999", "123456789", "987654321"];

pub(super) struct UsSsn;

impl Recognizer for UsSsn {
    fn entity(&self) -> &Entity {
        const { &Entity::US_SSN }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= 9
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        for cluster in source.clusters() {
            let mut first = 0;
            while first < cluster.len() {
                first += match ssn_at(source, &cluster[first..]) {
                    Some((groups, ssn)) => {
                        out.push(ssn);
                        groups
                    }
                    None => 1,
                };
            }
        }
    }
}

/// The number that begins with the first of `groups`, and how many groups it takes.
fn ssn_at(source: &Source<'_>, groups: &[Range<usize>]) -> Option<(usize, Candidate)> {
    let text = source.text();
    let gap = |i: usize| groups.get(i + 1).map(|next| &text[groups[i].end..next.start]);
    let len = |i: usize| groups.get(i).map_or(0, ExactSizeIterator::len);
    let (count, base) = match (len(0), len(1), len(2)) {
        (3, 2, 4) if gap(0) == gap(1) => match gap(0)? {
            "-" => (3, 0.6),
            " " | "." => (3, 0.4),
            _ => return None,
        },
        // One hyphen missing, or both: postal codes and references look the same.
        (5, 4, _) | (3, 6, _) if gap(0) == Some("-") => (2, 0.05),
        (9, _, _) => (1, 0.05),
        _ => return None,
    };
    let range = groups[0].start..groups[count - 1].end;
    let digits: String = text[range.clone()].chars().filter(char::is_ascii_digit).collect();
    if !is_given_out(&digits) || !source.stands_alone(&range) || is_inside_longer(source, &range) {
        return None;
    }
    let (word, score) = match leaning(text, &range, &WORDS) {
        Leaning::For(word, _) => (Some(word), raised(base)),
        Leaning::Against => (None, base / 2.0),
        Leaning::None => (None, base),
    };
    let ssn = Candidate::new(range, Entity::US_SSN, base, "us_ssn")
        .checked("areas")
        .in_context(word, score);
    Some((count, ssn))
}

/// A hyphen or dot with another digit behind it makes the match a part of a longer code.
fn is_inside_longer(source: &Source<'_>, range: &Range<usize>) -> bool {
    let sep = |c: Option<char>| matches!(c, Some('-' | '.'));
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    sep(source.before(range.start)) && digit(source.before(range.start - 1))
        || sep(source.after(range.end)) && digit(source.after(range.end + 1))
}

/// Area, group and serial that the Social Security Administration has assigned: never all zeros,
/// no area 666 or 900–999 (also since the randomisation of 2011).
fn is_given_out(digits: &str) -> bool {
    let part =
        |r: Range<usize>| digits.get(r).and_then(|d| d.parse::<u32>().ok()).unwrap_or_default();
    let area = part(0..3);
    area != 0
        && area != 666
        && area < 900
        && part(3..5) != 0
        && part(5..9) != 0
        && digits.bytes().any(|b| b != digits.as_bytes()[0])
        && !NEVER_VALID.contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::scored;

    fn found(text: &str) -> Vec<(String, f32)> {
        scored(&UsSsn, text)
    }

    #[test]
    fn scores_follow_form_and_context() {
        let score = |t: &str| found(t).first().map_or(0.0, |f| f.1);
        assert!(score("078-05-1123") >= 0.4);
        assert!(score("078051123") < 0.1);
        assert!(score("my ssn is 078051123") >= 0.5);
        assert!(score("order 078-05-1123") < 0.4);
    }

    #[test]
    fn numbers_never_given_out_are_left() {
        for text in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "078-00-1123",
            "078-05-0000",
            "078-05-1120",
            "111111111",
            "693-09.4444",
            "1-078-05-1123",
            "078-05-1123-4",
            "A078-05-1123",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
