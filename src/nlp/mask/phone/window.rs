//! Consecutive groups of digits as one possible number: where it begins and ends with its signs
//! and extension, and what must not stand around it.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::super::context::floor;
use super::super::source::{Source, joins};
use super::around::{is_amount, is_measured};
use super::{DIGITS, MAX_DIGITS};

/// Longest stretch after a number that is looked at for an extension.
const MAX_EXTENSION: usize = 24;

/// What stands before the first digit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lead {
    /// Where the number begins, signs included.
    pub(super) start: usize,
    pub(super) plus: bool,
    pub(super) bracket: bool,
}

impl Lead {
    pub(super) fn of(source: &Source<'_>, digits: usize) -> Self {
        let text = source.text();
        let mut start = digits;
        let (mut plus, mut bracket) = (false, false);
        // `+49`, `(030)`, `(+49)`, `+(49)`, `+ 49`
        for _ in 0..3 {
            match source.before(start) {
                Some('+') if !plus => plus = true,
                Some('(') if !bracket => bracket = true,
                Some(' ') if !plus && text[..start].ends_with("+ ") => {}
                _ => break,
            }
            start -= 1;
        }
        Self { start, plus, bracket }
    }
}

impl Lead {
    /// Without a bracket that a number ending where `text` ends does not close: `(1858–1940`,
    /// `(call 030 901820)`.
    fn closed_in(self, text: &str) -> Self {
        if !self.bracket || text[self.start..].contains(')') {
            return self;
        }
        let start = self.start + usize::from(text[self.start..].starts_with('('));
        Self { start, bracket: false, ..self }
    }
}

/// Consecutive groups that could be one number.
pub(super) struct Window {
    /// All of it, signs and extension included.
    pub(super) range: Range<usize>,
    /// The same without the extension.
    pub(super) number: Range<usize>,
    pub(super) lead: Lead,
    pub(super) digits: String,
    /// Lengths of the groups.
    pub(super) groups: Vec<usize>,
    pub(super) separators: Vec<String>,
    /// Whether it begins or ends its cluster: only there can words stand beside it.
    pub(super) at_edge: bool,
}

impl Window {
    pub(super) fn new(
        source: &Source<'_>,
        cluster: &[Range<usize>],
        groups: Range<usize>,
        lead: Lead,
    ) -> Option<Self> {
        let text = source.text();
        let window = &cluster[groups.clone()];
        let total: usize = window.iter().map(ExactSizeIterator::len).sum();
        let last = window.last()?;
        if !(*DIGITS.start()..=MAX_DIGITS).contains(&total)
            || is_tight(text, cluster, groups.end - 1)
        {
            return None;
        }
        // Only what is dialled with a prefix may be written in single digits.
        let is_prefixed = lead.plus || text[window[0].clone()].starts_with('0');
        let gaps = || window.windows(2).map(|w| &text[w[0].end..w[1].start]);
        if !is_prefixed && !has_phone_groups(window.iter().map(ExactSizeIterator::len))
            || gaps().any(|s| s.contains(['\n', '\r']) || s == "  " || s == "   ")
        {
            return None;
        }
        let lead = lead.closed_in(&text[..last.end]);
        let number = lead.start..last.end;
        let behind = &text[last.end..];
        let behind = &behind[..floor(behind, MAX_EXTENSION)];
        let extension = extension_in(behind).filter(|e| e.start == 0);
        let range = number.start..last.end + extension.as_ref().map_or(0, |e| e.end);
        if source.before(lead.start).is_some_and(joins)
            || source.after(range.end).is_some_and(joins)
            || is_amount(source, &number)
            || is_measured(source, &number)
        {
            return None;
        }
        // `+41 (0)96`: the zero is not dialled from abroad.
        let written = &text[number.clone()];
        let written =
            written.replacen("(0)", "", usize::from(lead.plus || written.starts_with("00")));
        let digits = written.chars().filter(char::is_ascii_digit).collect();
        let at_edge = groups.start == 0 || groups.end == cluster.len();
        let separators = gaps().map(str::to_owned).collect();
        let groups = window.iter().map(ExactSizeIterator::len).collect();
        Some(Self { range, number, lead, digits, groups, separators, at_edge })
    }

    /// Two years with a hyphen between them, `1858-1940`.
    pub(super) fn is_years(&self) -> bool {
        let year = |digits: &str| digits.parse::<u32>().is_ok_and(|y| (900..2100).contains(&y));
        let hyphen = matches!(self.separators.as_slice(), [s] if s.trim_ascii() == "-");
        let split = self.groups.first().copied().unwrap_or_default();
        hyphen && self.digits.split_at_checked(split).is_some_and(|(a, b)| year(a) && year(b))
    }

    /// One to three digits and threes behind them: 12 345 678.
    pub(super) fn is_thousands(&self) -> bool {
        let (first, rest) = self.groups.split_first().unwrap_or((&0, &[]));
        !rest.is_empty()
            && *first <= 3
            && rest.iter().all(|&n| n == 3)
            && self.separators.iter().all(|s| s != "-")
    }

    /// Telephone numbers are written in groups of two digits or more, but for the first.
    pub(super) fn has_phone_groups(&self) -> bool {
        // "030-1234567-0": the extension of a switchboard.
        let board = self.digits.starts_with('0')
            && self.groups.len() > 2
            && self.separators.last().is_some_and(|s| s == "-");
        let count = self.groups.len() - usize::from(board);
        has_phone_groups(self.groups.iter().copied().take(count))
    }
}

fn has_phone_groups(lengths: impl Iterator<Item = usize>) -> bool {
    lengths.skip(1).all(|n| n >= 2)
}

/// Whether group `i` hangs on the next one by a hyphen, dot or slash without spaces, so that a
/// number can't end between them.
pub(super) fn is_tight(text: &str, cluster: &[Range<usize>], i: usize) -> bool {
    cluster
        .get(i + 1)
        .is_some_and(|next| matches!(&text[cluster[i].end..next.start], "-" | "." | "/"))
}

/// An extension and the sign or word for it: `x12`, ` ext. 12`, `#12`.
pub(super) fn extension_in(text: &str) -> Option<Range<usize>> {
    static EXTENSION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let word = r"[,;]?\s{0,2}(?:x|ext|extn|extension|durchwahl|poste)\.?\s{0,2}[:=]?\s{0,2}";
        Regex::new(&format!(r"(?i)\s{{0,2}}(?:{word}|#)[0-9]{{1,7}}\b")).ok()
    });
    EXTENSION.as_ref()?.find(text).map(|m| m.range())
}
