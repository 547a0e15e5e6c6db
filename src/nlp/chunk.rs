//! Cuts a document into passages of at most 1,000 characters, because an embedding of a whole page answers no
//! question and a single sentence lacks its context.
//!
//! `text-splitter` picks the boundaries: blank lines before line ends, sentences before words. It looks at the whole
//! remaining text for every chunk, so its time grows with the square of a long text without boundaries. Here it only
//! ever sees a window of a dozen chunks; the next window begins where the first chunk that was not accepted began,
//! so chunks and overlaps are the same as without windows and the time is linear.
//!
//! A chunk never begins or ends inside a masked token (`⟦TYPE:id⟧`) or a placeholder (`<EMAIL_1>`): half a token
//! would be neither maskable nor restorable.

use std::{iter, ops::Range};

use text_splitter::{Characters, ChunkConfig, TextSplitter};
use unicode_segmentation::GraphemeCursor;

/// Characters a chunk may have unless configured otherwise.
pub const DEFAULT_MAX_CHARS: usize = 1_000;
/// Characters that neighbouring chunks may share unless configured otherwise.
pub const DEFAULT_OVERLAP: usize = 200;

/// Window handed to the splitter, in units of the largest chunk.
const WINDOW_CHUNKS: usize = 8;
/// A chunk is accepted only if so many largest chunks fit behind its start inside the window: what it looks like then
/// can't depend on where the window ends.
const LOOKAHEAD_CHUNKS: usize = 2;
/// Longest masked token or placeholder, in bytes. Entity types have at most some 40 characters.
const MAX_TOKEN_BYTES: usize = 96;

/// Bytes `start..end` of the text that was cut, white space at both ends left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Chunk {
    /// The chunk's text, given the text that was cut. Empty if `source` is another text.
    #[must_use]
    pub fn text<'t>(&self, source: &'t str) -> &'t str {
        source.get(self.start..self.end).unwrap_or_default()
    }
}

/// How long chunks may be and how much neighbours may share, in Unicode code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    max_chars: usize,
    overlap: usize,
}

/// Why [`ChunkOptions`] were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkOptionsError {
    /// A chunk can't be empty.
    #[error("a chunk must have at least one character")]
    NoRoom,
    /// Chunks would never move forward.
    #[error("the overlap of {overlap} characters must be smaller than the chunk of {max_chars}")]
    OverlapTooLarge {
        /// Asked overlap.
        overlap: usize,
        /// Asked size of a chunk.
        max_chars: usize,
    },
}

impl ChunkOptions {
    /// Chunks of at most `max_chars` code points that share at most `overlap` with their neighbour.
    ///
    /// # Errors
    /// If `max_chars` is 0 or `overlap` is not smaller than `max_chars`.
    pub fn new(max_chars: usize, overlap: usize) -> Result<Self, ChunkOptionsError> {
        match max_chars {
            0 => Err(ChunkOptionsError::NoRoom),
            _ if overlap >= max_chars => {
                Err(ChunkOptionsError::OverlapTooLarge { overlap, max_chars })
            }
            _ => Ok(Self { max_chars, overlap }),
        }
    }

    /// Largest chunk, in code points.
    #[must_use]
    pub fn max_chars(&self) -> usize {
        self.max_chars
    }

    /// Largest overlap of neighbours, in code points.
    #[must_use]
    pub fn overlap(&self) -> usize {
        self.overlap
    }

    fn splitter(&self) -> TextSplitter<Characters> {
        let config = ChunkConfig::new(self.max_chars);
        // `new` has checked the only condition under which this fails.
        TextSplitter::new(
            config.with_overlap(self.overlap).unwrap_or_else(|_| ChunkConfig::new(self.max_chars)),
        )
    }
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { max_chars: DEFAULT_MAX_CHARS, overlap: DEFAULT_OVERLAP }
    }
}

/// Cuts `text` into chunks, in order. Everything but white space is in at least one of them; both their starts and
/// their ends increase strictly; offsets are bytes.
///
/// A grapheme or a masked token is split only where it alone is longer than `max_chars`.
#[must_use]
pub fn chunk(text: &str, options: &ChunkOptions) -> Vec<Chunk> {
    let splitter = options.splitter();
    let mut cutter = Cutter { text, options, tokens: masked_tokens(text), chunks: Vec::new() };
    let mut cursor = 0;
    while cursor < text.len() {
        cursor = cutter.cut_window(&splitter, cursor);
    }
    cutter.chunks
}

struct Cutter<'t> {
    text: &'t str,
    options: &'t ChunkOptions,
    tokens: Vec<Range<usize>>,
    chunks: Vec<Chunk>,
}

impl Cutter<'_> {
    /// Cuts the window that begins at `cursor` and returns where the next one begins.
    fn cut_window(&mut self, splitter: &TextSplitter<Characters>, cursor: usize) -> usize {
        let max = self.options.max_chars;
        let (window_end, horizon) = {
            let rest = &self.text[cursor..];
            let horizon = nth_char(rest, max.saturating_mul(WINDOW_CHUNKS - LOOKAHEAD_CHUNKS));
            let window = horizon + nth_char(&rest[horizon..], max.saturating_mul(LOOKAHEAD_CHUNKS));
            (cursor + window, cursor + horizon)
        };
        let is_last = window_end == self.text.len();
        let text = self.text;
        let mut resume = None;
        for (offset, piece) in splitter.chunk_indices(&text[cursor..window_end]) {
            let start = cursor + offset;
            if start >= horizon && !is_last {
                return start;
            }
            if let Some(restart) = self.accept(Chunk { start, end: start + piece.len() }) {
                return restart;
            }
            resume = Some(start + piece.len());
        }
        match resume {
            _ if is_last => text.len(),
            Some(end) if end > cursor => end,
            // Nothing but white space: go on with its last character, which may carry a combining mark.
            _ => text[..window_end]
                .char_indices()
                .next_back()
                .map_or(window_end, |(at, _)| at.max(cursor + 1)),
        }
    }

    /// Records a chunk, kept off any token or grapheme that it would cut. Returns where to cut anew if an end had to move.
    fn accept(&mut self, mut chunk: Chunk) -> Option<usize> {
        let covered = self.chunks.last().map_or(0, |c| c.end);
        if let Some(whole) = self.unbreakable_around(chunk.start)
            && whole.end <= covered
        {
            return Some(whole.end);
        }
        let mut restart = None;
        if let Some(whole) = self.unbreakable_around(chunk.end)
            && whole.start > chunk.start
        {
            chunk.end = whole.start;
            restart = Some(whole.start);
        }
        let piece = self.text[chunk.start..chunk.end].trim_end();
        chunk.end = chunk.start + piece.len();
        if !piece.is_empty() && chunk.end > covered {
            self.chunks.push(chunk);
        }
        restart
    }

    /// The token or grapheme that a cut at `at` would go through, if it is short enough to be kept whole.
    fn unbreakable_around(&self, at: usize) -> Option<Range<usize>> {
        let next = self.tokens.partition_point(|t| t.end <= at);
        let token = self.tokens.get(next).filter(|t| t.start < at).cloned();
        let range = self.whole_graphemes(token.unwrap_or(at..at));
        let max = self.options.max_chars;
        let fits = |r: &Range<usize>| nth_char(&self.text[r.clone()], max) == r.len();
        (range.start < at && fits(&range)).then_some(range)
    }

    /// `range`, widened to where graphemes begin and end (a combining mark may follow a token), as far as a chunk can
    /// reach: a grapheme of a million marks is not looked for.
    fn whole_graphemes(&self, range: Range<usize>) -> Range<usize> {
        let text = self.text;
        let boundary = |at: &usize| {
            GraphemeCursor::new(*at, text.len(), true).is_boundary(text, 0) != Ok(false)
        };
        let before = |at: &usize| text[..*at].char_indices().next_back().map(|(i, _)| i);
        let after = |at: &usize| text[*at..].chars().next().map(|c| at + c.len_utf8());
        let reach = self.options.max_chars.saturating_add(1);
        let start = iter::successors(Some(range.start), before).take(reach).find(boundary);
        let end = iter::successors(Some(range.end), after).take(reach).find(boundary);
        match (start, end) {
            (Some(start), Some(end)) => start..end,
            _ => 0..self.text.len(),
        }
    }
}

/// Byte offset of the `n`th code point of `text`, or its length.
fn nth_char(text: &str, n: usize) -> usize {
    if text.len() <= n {
        return text.len();
    }
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// Where masked tokens (`⟦TYPE:id⟧`, `⟦=⟧`) and rendered placeholders (`<EMAIL_1>`, `<PERSON>`) stand in `text`, in
/// order. They are read as one unbreakable word by everything that cuts text.
#[must_use]
pub fn masked_tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(['⟦', '<']).map(|i| from + i) {
        let length = token_length(&text[at..]);
        found.extend(length.map(|n| at..at + n));
        from =
            at + length.unwrap_or(if text[at..].starts_with('<') { 1 } else { '⟦'.len_utf8() });
    }
    found
}

/// Length in bytes of the token that `text` begins with.
fn token_length(text: &str) -> Option<usize> {
    let (open, close) = if text.starts_with('<') { ('<', '>') } else { ('⟦', '⟧') };
    let body = text.strip_prefix(open)?;
    let end = body
        .char_indices()
        .take(MAX_TOKEN_BYTES)
        .find(|(_, c)| *c == close || !is_token_char(*c))?;
    if end.1 != close || end.0 > MAX_TOKEN_BYTES {
        return None;
    }
    let inner = &body[..end.0];
    let named = inner.starts_with(|c: char| c.is_ascii_uppercase());
    let well_formed = match open {
        // `<b>` and `a < b` are ordinary text: labels are upper case.
        '<' => {
            named
                && !inner.contains([':', '='])
                && !inner.contains(|c: char| c.is_ascii_lowercase())
        }
        _ => inner == "=" || (named && inner.contains(':')),
    };
    well_formed.then(|| open.len_utf8() + end.0 + close.len_utf8())
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    fn texts(source: &str, options: &ChunkOptions) -> Vec<String> {
        chunk(source, options).iter().map(|c| c.text(source).to_owned()).collect()
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(ChunkOptions::new(0, 0), Err(ChunkOptionsError::NoRoom));
        assert!(ChunkOptions::new(10, 10).is_err());
        assert_eq!(ChunkOptions::new(1_000, 200).unwrap(), ChunkOptions::default());
    }

    #[test]
    fn paragraphs_are_kept_whole() {
        let options = ChunkOptions::new(30, 0).unwrap();
        let text = "First paragraph here.\n\nSecond one. It is longer.\n\n  \n\nThird.";
        assert_eq!(
            texts(text, &options),
            ["First paragraph here.", "Second one. It is longer.", "Third."]
        );
    }

    #[test]
    fn neighbours_share_a_sentence() {
        let options = ChunkOptions::new(40, 20).unwrap();
        let text = "One is here now. Two is here now. Three is here. Four is here.";
        let got = texts(text, &options);
        assert!(got.windows(2).any(|w| w[1].starts_with("Two is here now.")), "{got:?}");
    }

    #[test]
    fn tokens_are_found_and_markup_is_not() {
        let text =
            "⟦EMAIL_ADDRESS:0123456789abcdef⟧ <EMAIL_1> <PERSON> ⟦=⟧ <b> a < b ⟦x⟧ <A B> ⟦ <I_2";
        let got: Vec<&str> = masked_tokens(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(got, ["⟦EMAIL_ADDRESS:0123456789abcdef⟧", "<EMAIL_1>", "<PERSON>", "⟦=⟧"]);
    }

    #[test]
    fn a_run_of_tokens_is_cut_between_them() {
        let token = "⟦PHONE_NUMBER:0123456789abcdef⟧";
        let text = token.repeat(200);
        let chunks = chunk(&text, &ChunkOptions::default());
        assert!(chunks.len() > 5);
        for c in &chunks {
            assert_eq!(c.text(&text).len() % token.len(), 0);
            assert!(c.text(&text).starts_with('⟦'));
        }
        assert_eq!(chunks.last().unwrap().end, text.len());
    }

    /// What `text-splitter` does with the whole text at once.
    fn unwindowed(text: &str, options: &ChunkOptions) -> Vec<Chunk> {
        let chunks = options.splitter();
        chunks.chunk_indices(text).map(|(start, t)| Chunk { start, end: start + t.len() }).collect()
    }

    fn check(text: &str, options: &ChunkOptions) -> Result<(), TestCaseError> {
        let chunks = chunk(text, options);
        let tokens = masked_tokens(text);
        let mut covered = 0;
        let mut previous: Option<Chunk> = None;
        for c in &chunks {
            let piece = text.get(c.start..c.end);
            prop_assert!(piece.is_some(), "offsets are char boundaries");
            let piece = piece.unwrap();
            prop_assert!(!piece.is_empty() && piece.trim() == piece);
            prop_assert!(piece.chars().count() <= options.max_chars());
            if let Some(p) = previous {
                prop_assert!(c.start > p.start && c.end > p.end);
                let shared = text.get(c.start..p.end).unwrap_or_default();
                prop_assert!(shared.chars().count() <= options.overlap());
            }
            if c.start > covered {
                prop_assert!(
                    text[covered..c.start].trim().is_empty(),
                    "gap {:?}",
                    &text[covered..c.start]
                );
            }
            for at in [c.start, c.end] {
                let cut = tokens.iter().find(|t| t.start < at && at < t.end);
                if let Some(t) = cut {
                    // A mark that sits on its last character belongs to it.
                    let whole = text[t.start..].graphemes(true).scan(t.start, |end, g| {
                        let begun = *end < t.end;
                        *end += g.len();
                        begun.then_some(g.chars().count())
                    });
                    prop_assert!(whole.sum::<usize>() > options.max_chars(), "token cut");
                }
                prop_assert!(whole_grapheme(text, at, options), "grapheme cut at {at} of {text:?}");
            }
            covered = c.end;
            previous = Some(*c);
        }
        prop_assert!(text[covered..].trim().is_empty());
        Ok(())
    }

    fn whole_grapheme(text: &str, at: usize, options: &ChunkOptions) -> bool {
        let boundary = GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0) == Ok(true);
        // White space is trimmed off even where a combining mark sits on it.
        let beside_space = text[..at].ends_with(char::is_whitespace)
            || text[at..].starts_with(char::is_whitespace);
        let oversized = || {
            text.grapheme_indices(true)
                .any(|(s, g)| s < at && at < s + g.len() && g.chars().count() > options.max_chars())
        };
        boundary || beside_space || oversized()
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z]{1,12} ",
            2 => "[A-Z][a-z]{1,8}\\. ",
            1 => Just("\n\n".to_owned()),
            1 => Just("\r\n".to_owned()),
            1 => " {1,60}",
            2 => "⟦(EMAIL_ADDRESS|PERSON):[0-9a-f]{16}⟧",
            1 => "<(EMAIL|PHONE)_[1-9]>",
            1 => "[a-z]{40,90}",
            1 => "[\u{4e00}-\u{4e30}]{1,30}。",
            1 => Just("👩‍👩‍👧‍👦".to_owned()),
            1 => Just("e\u{301}o\u{308}\u{323}".to_owned()),
            1 => Just("🇩🇪🇫🇷".to_owned()),
            1 => "[⟦⟧<>]{1,3}",
            1 => "\\PC{1,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn invariants_hold(pieces in prop::collection::vec(piece(), 0..120), max in 60usize..200, share in 0usize..50) {
            let options = ChunkOptions::new(max, share).unwrap();
            check(&pieces.concat(), &options)?;
        }

        #[test]
        fn invariants_hold_for_tiny_chunks(pieces in prop::collection::vec(piece(), 0..20), max in 1usize..12) {
            let options = ChunkOptions::new(max, max / 3).unwrap();
            check(&pieces.concat(), &options)?;
        }

        #[test]
        fn windows_change_nothing(words in prop::collection::vec("[a-z]{1,9}[.,]? |[a-z]{3}\n\n?", 0..900)) {
            let options = ChunkOptions::new(100, 25).unwrap();
            let text = words.concat();
            prop_assert_eq!(chunk(&text, &options), unwindowed(&text, &options));
        }
    }

    #[test]
    fn a_megabyte_without_a_boundary_is_linear() {
        let options = ChunkOptions::default();
        let time = |n: usize| {
            let text = "x".repeat(n);
            let begun = std::time::Instant::now();
            assert!(chunk(&text, &options).len() >= n / 1_000);
            begun.elapsed().as_secs_f64()
        };
        let (small, large) = (time(100_000), time(800_000));
        assert!(large < small.max(0.005) * 8.0 * 3.0, "{small} s, then {large} s");
    }
}
