//! A line as the rules compare it: invisible marks gone, white space folded, emphasis and quote marks
//! at the edges cut, the common character references of badly converted HTML decoded.

use regex::Regex;

/// Compiles a pattern that is written in this crate.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every one is compiled by a test"
)]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// Joins a word list (one alternative of a regular expression a line, `#` begins a comment).
pub(super) fn alternatives(list: &str) -> String {
    let entries: Vec<&str> = entries(list).collect();
    entries.join("|")
}

/// The entries of a word list.
pub(super) fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Folds a line for comparison; at most `LONGEST` characters of it, because no marker is longer.
pub(super) fn fold(line: &str) -> String {
    const LONGEST: usize = 600;
    let mut out = String::with_capacity(line.len().min(LONGEST));
    let mut space = false;
    for c in line.chars().take(LONGEST) {
        match c {
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{ad}' => {}
            c if c.is_whitespace() => space = true,
            c => {
                if std::mem::take(&mut space) && !out.is_empty() {
                    out.push(' ');
                }
                out.push(if c == '：' { ':' } else { c });
            }
        }
    }
    if out.contains('&') {
        out = out
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&");
    }
    out
}

/// A folded line without quote marks, emphasis and list marks at its edges.
pub(super) fn core(folded: &str) -> &str {
    folded.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '*' | '_' | '|' | '>' | '«' | '»' | '"')
    })
}

/// Whether a line holds nothing to read.
pub(super) fn is_blank(line: &str) -> bool {
    line.chars()
        .all(|c| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}'))
}

/// Whether a line is only a rule: three or more of the same drawing character.
pub(super) fn is_rule(line: &str) -> bool {
    let mut chars = line.chars().filter(|c| !c.is_whitespace());
    let Some(first) = chars.next() else { return false };
    matches!(first, '-' | '_' | '=' | '*' | '~' | '–' | '—' | '─' | '━' | '#')
        && line.chars().filter(|c| *c == first).count() >= 3
        && chars.all(|c| c == first)
}
