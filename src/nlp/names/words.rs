//! Words: the runs of word pieces that the head judges as one.

use std::ops::Range;

use crate::nlp::encoder::Token;

/// A word of a text: letters and digits, or one punctuation mark, or one CJK ideograph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Its word pieces among the text's.
    pub tokens: Range<usize>,
}

impl Word {
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// The words of a text, in order.
pub(super) fn words(tokens: &[Token]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::with_capacity(tokens.len());
    for (i, token) in tokens.iter().enumerate() {
        match words.last_mut() {
            Some(word) if !token.starts_word => {
                word.end = word.end.max(token.end);
                word.tokens.end = i + 1;
            }
            _ => words.push(Word { start: token.start, end: token.end, tokens: i..i + 1 }),
        }
    }
    words
}
