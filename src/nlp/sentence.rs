//! Finds sentences and their offsets, because citations, grounding verdicts and extracted answers all point at
//! sentences.
//!
//! The Unicode rules (UAX #29) give candidates. They break after "Dr." and at every line end; abbreviations, initials,
//! list numbers and hard-wrapped lines are put together again here. A masked token is never cut.

pub mod asks;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::chunk::masked_tokens;

/// Words that a full stop follows without ending the sentence: en, de, es, fr, it, pt, nl. Lower case, sorted.
const ABBREVIATIONS: &[&str] = &[
    "abb", "abs", "apt", "approx", "art", "av", "ave", "bijv", "blz", "bzgl", "bzw", "ca", "cap",
    "cf", "co", "corp", "d.h", "dept", "dhr", "dott", "dpto", "dr", "dra", "drs", "e.g", "ed",
    "ej", "enz", "est", "etc", "evtl", "ex", "exp", "fig", "ggf", "gral", "hr", "i.d.r", "i.e",
    "inc", "inkl", "int", "jr", "lda", "ltd", "max", "mevr", "min", "mio", "mme", "mr", "mrd",
    "mrs", "ms", "mt", "mw", "n.b", "no", "nr", "núm", "o.ä", "p.ej", "pag", "pp", "prof", "pág",
    "resp", "sig", "sog", "sr", "sra", "srta", "st", "str", "s.o", "s.u", "tel", "u.a", "u.s",
    "usw", "v.a", "vol", "vs", "z.b", "zzgl",
];

/// Characters that a line has at least when its mail program wrapped it.
const WRAPPED_FROM: usize = 50;

/// Byte ranges of the sentences of `text`, in order, not overlapping, without the white space around them. Everything
/// but white space is in exactly one of them. A blank line, a bullet and a line that begins a new thought end one.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let tokens = masked_tokens(text);
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, piece) in text.split_sentence_bound_indices() {
        let Some(range) = trimmed(text, start..start + piece.len()) else { continue };
        match found.last_mut() {
            Some(last) if joins(text, last, &range, &tokens) => last.end = range.end,
            _ => found.push(range),
        }
    }
    found
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = start + piece.trim().len();
    (start < end).then_some(start..end)
}

/// Whether the candidate `next` goes on with the sentence `last`.
fn joins(text: &str, last: &Range<usize>, next: &Range<usize>, tokens: &[Range<usize>]) -> bool {
    let cut = tokens.partition_point(|t| t.end <= last.end);
    if tokens.get(cut).is_some_and(|t| t.start < last.end) {
        return true;
    }
    let (before, between, after) =
        (&text[last.clone()], &text[last.end..next.start], &text[next.clone()]);
    let line_ends = between.matches('\n').count().max(between.matches('\r').count());
    match line_ends {
        0 => ends_in_abbreviation(before) || only_marks(after),
        1 => is_wrapped(before, after),
        _ => false,
    }
}

/// Closing quotes and brackets that stand alone belong to what they close.
fn only_marks(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '.' | '!' | '?'))
}

/// A line that stops in mid-sentence, and the next one that carries on: in lower case, or after a line so long that it
/// was wrapped.
fn is_wrapped(before: &str, after: &str) -> bool {
    let open = !before.ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '…'])
        || ends_in_abbreviation(before);
    let last_line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
    let long = last_line.chars().nth(WRAPPED_FROM).is_some() && !last_line.starts_with('#');
    open && (long || after.starts_with(char::is_lowercase)) && !is_bullet(after)
}

/// Whether a line begins with the mark of a list item.
fn is_bullet(line: &str) -> bool {
    let mut chars = line.chars();
    let first = chars.next().unwrap_or(' ');
    let second = chars.next().unwrap_or(' ');
    let numbered = first.is_alphanumeric() && matches!(second, ')' | '.');
    matches!(first, '-' | '*' | '•' | '·' | '–' | '◦' | '#' | '>') || numbered
}

fn ends_in_abbreviation(sentence: &str) -> bool {
    let Some(stem) = sentence.strip_suffix('.') else { return false };
    let word = stem
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '„' | '“' | '/'))
        .next();
    let word = word.unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // "1. Open the box": the number of a list item, which begins its line. Elsewhere a number may end a sentence.
    let is_list_number = !word.is_empty()
        && word.len() <= 2
        && stem.len() == word.len()
        && word.chars().all(|c| c.is_ascii_digit());
    is_initial || is_list_number || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn abbreviations_and_initials_end_nothing() {
        assert_eq!(
            split(
                "Dr. Smith asked J. Doe, e.g. about No. 5. It costs 3.50 EUR. Why? \"Because.\" Done!"
            ),
            [
                "Dr. Smith asked J. Doe, e.g. about No. 5.",
                "It costs 3.50 EUR.",
                "Why?",
                "\"Because.\"",
                "Done!"
            ]
        );
        assert_eq!(
            split("Das gilt z.B. Montags. Und bzgl. Rechnung Nr. 7 auch."),
            ["Das gilt z.B. Montags.", "Und bzgl. Rechnung Nr. 7 auch."]
        );
    }

    #[test]
    fn lists_and_wrapped_lines() {
        let text = "Steps:\n1. Open the box.\n2. Press\nthe button firmly\n- Call us\n\nand wait";
        assert_eq!(
            split(text),
            ["Steps:", "1. Open the box.", "2. Press\nthe button firmly", "- Call us", "and wait"]
        );
    }

    #[test]
    fn hard_wrapped_lines_are_one_sentence() {
        let text = "Ich hätte gern Ersatz, möglichst schnell, denn wir wollen am\nWochenende in den Harz.\nBirkenweg 17\nTelefon";
        assert_eq!(split(text).len(), 3);
        assert_eq!(
            split("# A heading that is rather long and has no full stop at all\nText").len(),
            2
        );
    }

    #[test]
    fn a_number_may_end_a_sentence() {
        assert_eq!(split("It lasts 30. Then it stops."), ["It lasts 30.", "Then it stops."]);
    }

    #[test]
    fn other_scripts_and_tokens() {
        assert_eq!(
            split("こんにちは。元気ですか？はい。"),
            ["こんにちは。", "元気ですか？", "はい。"]
        );
        let text = "Write to ⟦EMAIL_ADDRESS:0123456789abcdef⟧. Thanks <PERSON_1>!";
        assert_eq!(split(text).len(), 2);
    }

    proptest! {
        #[test]
        fn everything_is_in_one_sentence(text in "([A-Za-zéß0-9 .!?\n\"-]|⟦PERSON:0123456789abcdef⟧|。){0,80}") {
            let mut at = 0;
            for r in sentences(&text) {
                prop_assert!(r.start >= at && r.start < r.end);
                prop_assert!(text[at..r.start].trim().is_empty());
                prop_assert_eq!(text[r.clone()].trim(), &text[r.clone()]);
                at = r.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
