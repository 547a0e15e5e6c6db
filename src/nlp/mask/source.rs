//! A text prepared for the recognizers: disguises folded away, and one pass over its bytes that
//! says what could be in it at all, so that a text without digits or signs costs only this pass.
//!
//! People paste full-width digits, non-breaking spaces and typographic hyphens, and some hide a
//! zero-width space inside a card number. Recognizers see none of that: they read the folded text,
//! and their spans are moved back onto the original.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use super::label::{self, Label};
use super::token;
use crate::domain::disguise::{Plain, plain};

/// The text recognizers read, with its clues.
pub(super) struct Source<'t> {
    text: Cow<'t, str>,
    original: &'t str,
    /// Where folding changed lengths: (byte of the folded text, byte of the original).
    anchors: Vec<(usize, usize)>,
    language: Option<&'t str>,
    clues: Clues,
    groups: Vec<Range<usize>>,
    /// Runs of groups that could belong to one number, as indices into `groups`.
    clusters: Vec<Range<usize>>,
    labels: OnceCell<Vec<Label>>,
    tokens: OnceCell<Vec<Range<usize>>>,
}

/// How often the telling bytes occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Clues {
    pub(super) digits: usize,
    pub(super) at_signs: usize,
    pub(super) colons: usize,
    pub(super) dots: usize,
    pub(super) hyphens: usize,
    pub(super) capitals: usize,
    /// Opening ones of all kinds.
    pub(super) brackets: usize,
}

/// Digits of the shortest local telephone number; bank accounts have more.
pub(super) const MIN_GROUPED_DIGITS: usize = 7;

impl<'t> Source<'t> {
    pub(super) fn new(original: &'t str, language: Option<&'t str>) -> Self {
        let (text, anchors) = fold(original);
        let clues = Clues::of(&text);
        let (groups, clusters) =
            if clues.digits > 0 { group_digits(text.as_bytes()) } else { Default::default() };
        Self {
            text,
            original,
            anchors,
            language,
            clues,
            groups,
            clusters,
            labels: OnceCell::new(),
            tokens: OnceCell::new(),
        }
    }

    /// The folded text; candidates carry offsets into it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// ISO 639-1 code of the text's language, where known.
    pub(super) fn language(&self) -> Option<&str> {
        self.language
    }

    pub(super) fn clues(&self) -> &Clues {
        &self.clues
    }

    /// Maximal runs of ASCII digits.
    pub(super) fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// Runs of groups with nothing but one to three number separators between them.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &[Range<usize>]> {
        self.clusters.iter().map(|c| &self.groups[c.clone()])
    }

    /// Words that announce a value. Looked for when first asked for.
    pub(super) fn labels(&self) -> &[Label] {
        self.labels.get_or_init(|| label::find(&self.text))
    }

    /// The labels that end at `at` or up to `way` bytes in front of it, the nearest first. Looks at no
    /// others: a hostile text has as many labels as values.
    pub(super) fn labels_before(&self, at: usize, way: usize) -> impl Iterator<Item = &Label> {
        let labels = self.labels();
        let ahead = labels.partition_point(|l| l.range.end <= at);
        labels[..ahead].iter().rev().take_while(move |l| at - l.range.end <= way)
    }

    /// Long runs without spaces: keys, addresses of wallets, codes. Looked for when first asked for.
    pub(super) fn tokens(&self) -> &[Range<usize>] {
        self.tokens.get_or_init(|| token::find(&self.text))
    }

    /// Whether a match at `range` stands alone: no letter, digit or underscore touches it.
    pub(super) fn stands_alone(&self, range: &Range<usize>) -> bool {
        !self.before(range.start).is_some_and(joins) && !self.after(range.end).is_some_and(joins)
    }

    pub(super) fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    pub(super) fn after(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    /// Bytes of the original text for bytes of the folded text.
    pub(super) fn to_original(&self, range: Range<usize>) -> Range<usize> {
        if self.anchors.is_empty() || range.is_empty() {
            return range;
        }
        let at = |byte: usize| {
            let i = self.anchors.partition_point(|&(folded, _)| folded <= byte);
            self.anchors.get(i.wrapping_sub(1)).map_or(byte, |&(f, o)| o + (byte - f))
        };
        // The end by its last character, so that what was dropped behind it stays outside.
        let last = self.text[..range.end].char_indices().next_back().map_or(0, |(i, _)| at(i));
        let width = self.original[last..].chars().next().map_or(0, char::len_utf8);
        at(range.start)..last + width
    }

    /// Moves a span of the original text into the folded one, for candidates from outside.
    pub(super) fn to_folded(&self, range: Range<usize>) -> Range<usize> {
        if self.anchors.is_empty() {
            return range;
        }
        let at = |byte: usize| {
            let i = self.anchors.partition_point(|&(_, original)| original <= byte);
            let next = self.anchors.get(i).map_or(self.text.len(), |&(f, _)| f);
            self.anchors.get(i.wrapping_sub(1)).map_or(byte, |&(f, o)| f + (byte - o)).min(next)
        };
        at(range.start)..at(range.end)
    }
}

/// Whether a character continues a word or code. Scripts without spaces between words do not:
/// there an address stands right beside the text.
pub(super) fn joins(c: char) -> bool {
    c == '_'
        || c.is_ascii_alphanumeric()
        || (('\u{80}'..'\u{590}').contains(&c) && c.is_alphanumeric())
}

impl Clues {
    fn of(text: &str) -> Self {
        let mut counts = [0usize; 8];
        for &b in text.as_bytes() {
            counts[usize::from(CLASS[usize::from(b)])] += 1;
        }
        let [_, digits, at_signs, colons, dots, hyphens, capitals, brackets] = counts;
        Self { digits, at_signs, colons, dots, hyphens, capitals, brackets }
    }
}

/// Byte → index into the counts.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut b = b'0';
    while b <= b'9' {
        class[b as usize] = 1;
        b += 1;
    }
    let mut b = b'A';
    while b <= b'Z' {
        class[b as usize] = 6;
        b += 1;
    }
    class[b'(' as usize] = 7;
    class[b'[' as usize] = 7;
    class[b'{' as usize] = 7;
    class[b'<' as usize] = 7;
    class[b'@' as usize] = 2;
    class[b':' as usize] = 3;
    class[b'.' as usize] = 4;
    class[b'-' as usize] = 5;
    class
};

/// Groups of digits and the clusters they form.
fn group_digits(bytes: &[u8]) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut clusters: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(skip) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + skip;
        let end = bytes[start..]
            .iter()
            .position(|b| !b.is_ascii_digit())
            .map_or(bytes.len(), |n| start + n);
        let joined = groups.last().is_some_and(|g| is_gap(&bytes[g.end..start]));
        groups.push(start..end);
        match clusters.last_mut() {
            Some(c) if joined => c.end = groups.len(),
            _ => clusters.push(groups.len() - 1..groups.len()),
        }
        at = end;
    }
    (groups, clusters)
}

/// Whether bytes between two groups could be inside one number.
fn is_gap(gap: &[u8]) -> bool {
    gap.len() <= 3
        && gap
            .iter()
            .all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'-' | b'.' | b'/' | b'(' | b')'))
        && gap.iter().filter(|&&b| b == b'\n').count() <= 1
}

/// The text without disguises, borrowed if there are none.
fn fold(text: &str) -> (Cow<'_, str>, Vec<(usize, usize)>) {
    if text.is_ascii() || text.chars().all(|c| plain(c) == Plain::Same) {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut folded = String::with_capacity(text.len());
    let mut anchors = vec![(0, 0)];
    let mut shift = 0;
    for (at, c) in text.char_indices() {
        let kept = match plain(c) {
            Plain::Nothing => continue,
            Plain::Same => c,
            Plain::As(c) => c,
        };
        if at - folded.len() != shift {
            shift = at - folded.len();
            anchors.push((folded.len(), at));
        }
        folded.push(kept);
    }
    (Cow::Owned(folded), anchors)
}

/// The folded form of a short text, as normalising wants it.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    fold(text).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_the_way_back() {
        let text = "é\u{200B}４１-\u{AD}٣\u{A0}x";
        let s = Source::new(text, None);
        assert_eq!(s.text(), "é41-3 x");
        let digits = s.text().find("41-3").map(|i| s.to_original(i..i + 4)).unwrap_or_default();
        assert_eq!(&text[digits.clone()], "４１-\u{AD}٣");
        assert_eq!(s.to_folded(digits), 2..6);
        assert_eq!(s.to_original(2..3), 5..8);
    }

    #[test]
    fn digits_form_groups_and_clusters() {
        let s = Source::new("(415) 555-0132, 12.34/5 and 1\n2\n\n3", None);
        let clusters: Vec<usize> = s.clusters().map(<[_]>::len).collect();
        assert_eq!(clusters, [3, 3, 2, 1]);
        assert_eq!(
            s.clues(),
            &Clues { digits: 18, dots: 1, hyphens: 1, brackets: 1, ..Clues::default() }
        );
    }
}
