//! BERT's text normaliser and pre-tokenizer, with the source bytes of every character it lets
//! through: names are masked in the original text, so a token must know where it came from.
//!
//! The rules are those of the reference implementation (BERT's `BasicTokenizer`, as `BertNormalizer`
//! and `BertPreTokenizer` in `tokenizer.json`): drop control characters, isolate CJK ideographs,
//! decompose (NFD) and drop accents, lower-case, then split at white space and around punctuation.

use std::ops::Range;

use unicode_categories::UnicodeCategories;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

/// The switches of `BertNormalizer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Normaliser {
    /// Drop control characters and read every white space as a blank.
    pub clean_text: bool,
    /// Make a word of each CJK ideograph.
    pub isolate_cjk: bool,
    /// Decompose and drop non-spacing marks.
    pub strip_accents: bool,
    /// Lower-case, character by character.
    pub lowercase: bool,
}

/// One normalised word: its text and, for each byte of it, the source bytes it stands for.
///
/// A word longer than `limit` characters is cut there but keeps its full source range; WordPiece has
/// no pieces for it anyway, and a megabyte without a blank must not cost a multiple of that.
#[derive(Debug, Default)]
pub(super) struct Word {
    text: String,
    sources: Vec<(usize, usize)>,
    chars: usize,
    limit: usize,
}

impl Word {
    pub(super) fn with_limit(limit: usize) -> Self {
        Word { limit, ..Word::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the word has more characters than the limit.
    pub(super) fn is_too_long(&self) -> bool {
        self.chars > self.limit
    }

    /// The source bytes of a non-empty range of the word's bytes.
    pub(super) fn source(&self, bytes: Range<usize>) -> (usize, usize) {
        let start = self.sources.get(bytes.start).map_or(0, |s| s.0);
        let end = self.sources.get(bytes.end.saturating_sub(1)).map_or(start, |s| s.1);
        (start, end)
    }

    fn push(&mut self, c: char, source: (usize, usize)) {
        self.chars += 1;
        if self.is_too_long() {
            self.extend(source.1);
            return;
        }
        self.text.push(c);
        for _ in 0..c.len_utf8() {
            self.sources.push(source);
        }
    }

    /// Lets the last character reach to `end`: a dropped accent belongs to its letter, or masking a
    /// name would leave the accent behind.
    fn extend(&mut self, end: usize) {
        let Some(last) = self.text.chars().next_back() else {
            return;
        };
        let from = self.sources.len() - last.len_utf8();
        for source in &mut self.sources[from..] {
            source.1 = end;
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.sources.clear();
        self.chars = 0;
    }
}

impl Normaliser {
    /// Calls `emit` for each word of `text`; source offsets are counted from `base`.
    pub(super) fn words(&self, text: &str, base: usize, word: &mut Word, emit: impl FnMut(&Word)) {
        word.clear();
        let mut splitter = Splitter { rules: *self, word, emit, marks: Vec::new() };
        if text.is_ascii() && self.clean_text {
            splitter.ascii(text.as_bytes(), base);
        } else {
            splitter.unicode(text, base);
        }
        splitter.finish_word();
    }
}

/// A spacing combining mark that waits for its canonical order.
struct Mark {
    class: u8,
    char: char,
    source: (usize, usize),
}

struct Splitter<'w, F> {
    rules: Normaliser,
    word: &'w mut Word,
    emit: F,
    marks: Vec<Mark>,
}

impl<F: FnMut(&Word)> Splitter<'_, F> {
    fn finish_word(&mut self) {
        self.flush_marks();
        if !self.word.text.is_empty() {
            (self.emit)(self.word);
            self.word.clear();
        }
    }

    fn isolate(&mut self, c: char, source: (usize, usize)) {
        self.finish_word();
        self.word.push(c, source);
        self.finish_word();
    }

    fn ascii(&mut self, bytes: &[u8], base: usize) {
        for (i, &byte) in bytes.iter().enumerate() {
            let source = (base + i, base + i + 1);
            match byte {
                b'A'..=b'Z' if self.rules.lowercase => {
                    self.word.push(byte.to_ascii_lowercase() as char, source)
                }
                b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'Z' => self.word.push(byte as char, source),
                b' ' | b'\t' | b'\n' | b'\r' => self.finish_word(),
                0..=31 | 127 => {}
                _ => self.isolate(byte as char, source),
            }
        }
    }

    fn unicode(&mut self, text: &str, base: usize) {
        for (i, c) in text.char_indices() {
            let source = (base + i, base + i + c.len_utf8());
            if self.rules.clean_text && is_dropped(c) {
                continue;
            }
            if c.is_whitespace() {
                self.finish_word();
            } else if self.rules.isolate_cjk && is_cjk(c) {
                self.finish_word();
                self.decompose(c, source);
                self.finish_word();
            } else {
                self.decompose(c, source);
            }
        }
    }

    fn decompose(&mut self, c: char, source: (usize, usize)) {
        if c.is_ascii() || !self.rules.strip_accents {
            self.flush_marks();
            self.lower(c, source);
            return;
        }
        decompose_canonical(c, |part| {
            let class = canonical_combining_class(part);
            if class == 0 {
                self.flush_marks();
            }
            if part.is_mark_nonspacing() {
                self.word.extend(source.1);
            } else if class == 0 {
                self.lower(part, source);
            } else {
                self.marks.push(Mark { class, char: part, source });
            }
        });
    }

    /// Writes the waiting marks in canonical order (Unicode, chapter 3.11, D109: stable by class).
    fn flush_marks(&mut self) {
        if self.marks.is_empty() {
            return;
        }
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_by_key(|mark| mark.class);
        for mark in marks.drain(..) {
            self.lower(mark.char, mark.source);
        }
        self.marks = marks;
    }

    fn lower(&mut self, c: char, source: (usize, usize)) {
        if self.rules.lowercase {
            for lower in c.to_lowercase() {
                self.place(lower, source);
            }
        } else {
            self.place(c, source);
        }
    }

    fn place(&mut self, c: char, source: (usize, usize)) {
        if c.is_whitespace() {
            self.finish_word();
        } else if c.is_ascii_punctuation() || (!c.is_ascii() && c.is_punctuation()) {
            self.isolate(c, source);
        } else {
            self.word.push(c, source);
        }
    }
}

/// NUL, the replacement character, and every control, format and private-use character but the
/// white space among them.
fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\0' | '\u{fffd}' => true,
        _ if c.is_ascii() => c.is_ascii_control(),
        _ => c.is_other(),
    }
}

/// The blocks that BERT counts as CJK ideographs (kana and hangul are not among them).
fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF
        | 0x3400..=0x4DBF
        | 0x20000..=0x2A6DF
        | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F
        | 0x2B920..=0x2CEAF
        | 0xF900..=0xFAFF
        | 0x2F800..=0x2FA1F)
}
