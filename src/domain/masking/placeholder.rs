//! The spellings of `<EMAIL_1>` that restoring accepts, and the escape for text that merely has
//! one of them.
//!
//! A model may write `[EMAIL_1]`, `` `EMAIL_1` ``, `&lt;EMAIL_1&gt;`, `<email 1>`, `\<EMAIL\_1\>`,
//! or break the line inside. One scanner reads them all and is used in both directions: whatever
//! it accepts in literal text gets an `=` before the label when it is rendered, and loses it when
//! it is read back. A mention never contains a second opening bracket, so none begins in literal
//! text and ends in a placeholder: escaping piece by piece equals escaping the whole.

use std::ops::Range;

use super::numbering::{Labels, Placeholder};

/// Opening and closing marks. Round brackets are left out: people write "(phone 1)".
const MARKS: [(&str, &str); 11] = [
    ("<", ">"),
    ("&lt;", "&gt;"),
    ("&#60;", "&#62;"),
    ("&#x3c;", "&#x3e;"),
    ("[", "]"),
    ("{", "}"),
    ("`", "`"),
    ("＜", "＞"),
    ("‹", "›"),
    ("«", "»"),
    ("⟨", "⟩"),
];

/// Longest text between the marks, escapes and leading space not counted. A label has at most 40
/// bytes and a number 9; the rest is room for spaces and line breaks.
const MAX_BODY: usize = 72;
/// White space allowed before the label.
const MAX_LEAD: usize = 8;

/// One spelling of a placeholder in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// Its bytes, marks included.
    pub(super) range: Range<usize>,
    /// How many `=` stand before the label; none means that it is meant.
    pub(super) escapes: usize,
    /// Where the (next) `=` belongs.
    pub(super) escape_at: usize,
    /// The canonical placeholder.
    pub(super) placeholder: Placeholder,
}

/// All mentions in order, in time linear in the text.
pub(super) fn mentions<'t>(
    text: &'t str,
    labels: &'t Labels,
) -> impl Iterator<Item = Mention> + 't {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text.get(at..).and_then(|rest| rest.find(opens)) {
            let start = at + found;
            if let Some(mention) = mention_at(text, start, labels) {
                at = mention.range.end;
                return Some(mention);
            }
            at = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
        None
    })
}

fn opens(c: char) -> bool {
    matches!(c, '<' | '&' | '[' | '{' | '`' | '＜' | '‹' | '«' | '⟨')
}

fn mention_at(text: &str, start: usize, labels: &Labels) -> Option<Mention> {
    let rest = &text[start..];
    let (open, close) = MARKS.iter().find(|(open, _)| starts_with(rest, open))?;
    let lead = start + open.len();
    let escape_at = lead + text[lead..].bytes().take_while(u8::is_ascii_whitespace).count();
    if escape_at - lead > MAX_LEAD {
        return None;
    }
    let body_at = escape_at + text[escape_at..].bytes().take_while(|&b| b == b'=').count();
    let body_len = text[body_at..]
        .bytes()
        .take(MAX_BODY + 1)
        .take_while(|&b| {
            b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || matches!(b, b'_' | b'-' | b'\\')
        })
        .count();
    let body_end = body_at + body_len;
    if body_len > MAX_BODY || !starts_with(&text[body_end..], close) {
        return None;
    }
    let body = &text[body_at..body_end];
    let placeholder = parse_body(body, labels)?;
    // Markdown escapes both marks or none; a backslash of the text before a placeholder stays.
    let escaped_marks = body.ends_with('\\') && text[..start].ends_with('\\');
    Some(Mention {
        range: start - usize::from(escaped_marks)..body_end + close.len(),
        escapes: body_at - escape_at,
        escape_at,
        placeholder,
    })
}

/// Marks are compared without regard to case for the sake of `&LT;` and `&#X3C;`.
fn starts_with(text: &str, mark: &str) -> bool {
    text.as_bytes().get(..mark.len()).is_some_and(|t| t.eq_ignore_ascii_case(mark.as_bytes()))
}

/// `EMAIL_1` in its looser spellings: any case, a space, hyphen or nothing for the underscore.
fn parse_body(body: &str, labels: &Labels) -> Option<Placeholder> {
    let plain: String = body.chars().filter(|&c| c != '\\').collect();
    let plain = plain.trim_ascii();
    let digits = plain.len() - plain.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (label, number) = plain.split_at(digits);
    // Beyond nine digits, or with leading zeros, it is not a number that rendering produced.
    if number.is_empty() || number.len() > 9 || number.starts_with('0') {
        return None;
    }
    let number = number.parse().ok()?;
    let gap = |c: char| c.is_ascii_whitespace() || c == '_' || c == '-';
    let label = label.trim_end_matches(gap).to_ascii_uppercase();
    if !label.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let compact: String = label.chars().filter(|&c| !gap(c)).collect();
    labels.placeholder(&label, &compact, number)
}

/// Writes literal text so that no part of it reads as a placeholder.
pub(super) fn push_escaped(out: &mut String, literal: &str, labels: &Labels) {
    let mut done = 0;
    for m in mentions(literal, labels) {
        out.push_str(&literal[done..m.escape_at]);
        out.push('=');
        done = m.escape_at;
    }
    out.push_str(&literal[done..]);
}

#[cfg(test)]
mod tests {
    use super::super::numbering::Numbering;
    use super::*;

    fn read(text: &str) -> Vec<(String, usize)> {
        let n = Numbering::new();
        mentions(text, n.labels()).map(|m| (m.placeholder.to_string(), m.escapes)).collect()
    }

    #[test]
    fn reads_the_spellings_models_produce() {
        for text in [
            "<EMAIL_1>",
            "<email_1>",
            "< EMAIL_1 >",
            "<EMAIL 1>",
            "<EMAIL-1>",
            "<EMAIL1>",
            "<EMAIL_\n1>",
            "[EMAIL_1]",
            "{EMAIL_1}",
            "{{EMAIL_1}}",
            "`<EMAIL_1>`",
            "`EMAIL_1`",
            "&lt;EMAIL_1&gt;",
            "&#60;EMAIL_1&#62;",
            "&#X3C;email_1&#x3e;",
            r"\<EMAIL\_1\>",
            "<<EMAIL_1>>",
            "«EMAIL_1»",
            "＜EMAIL_1＞",
        ] {
            assert_eq!(read(text), [("<EMAIL_1>".to_owned(), 0)], "{text}");
        }
        assert_eq!(read("<=EMAIL_1>"), [("<EMAIL_1>".to_owned(), 1)]);
        assert_eq!(read("[==card_12]"), [("<CARD_12>".to_owned(), 2)]);
    }

    #[test]
    fn leaves_other_brackets_alone() {
        for text in [
            "<EMAIL>",
            "<EMAIL_0>",
            "<EMAIL_01>",
            "<EMAIL_1]",
            "[step_1]",
            "(EMAIL_1)",
            "EMAIL_1",
            "<_1>",
            "<1>",
            "<EMAIL_1234567890>",
            "a < b_1 > c",
            "<EMAIL_1",
            "&lt;EMAIL_1>",
            "<EM=AIL_1>",
        ] {
            assert!(read(text).is_empty(), "{text}");
        }
    }
}
