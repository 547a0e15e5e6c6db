//! Words and phrase lists, the way every head reads them.
//!
//! Phrase lists (concepts, moods, deadlines) are matched on lower-cased words and not on raw text, so
//! that `Änderungen` meets the stem `änder*` and `café` is one word on every platform. A list costs a few
//! hash look-ups a word, whatever its length, which is why it isn't a set of regular expressions.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use unicode_normalization::UnicodeNormalization;

use super::features::buckets_of;

/// A word of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Lower-cased, composed (NFC), typographic apostrophes made straight.
    pub text: String,
    /// First byte in the text.
    pub start: usize,
    /// One past the last byte in the text.
    pub end: usize,
    /// Two letters or more, all of them capitals.
    pub shouted: bool,
    /// Its [buckets](buckets_of), for every head that reads it.
    pub buckets: Vec<(u16, f32)>,
}

/// French words before an apostrophe, which are words of their own.
const ELIDED: [&str; 9] = ["l", "d", "j", "n", "m", "s", "c", "qu", "t"];

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | 'ʼ')
}

/// The words of a text: runs of letters, digits and inner apostrophes. `don't` is one word, `l'article`
/// are two.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut start = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let inner = is_apostrophe(c)
            && start.is_some()
            && characters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if c.is_alphanumeric() || inner || is_mark(c) && start.is_some() {
            let begin = *start.get_or_insert(at);
            if inner && ELIDED.contains(&text[begin..at].to_lowercase().as_str()) {
                found.push(word(text, begin, at));
                start = None;
            }
        } else if let Some(begin) = start.take() {
            found.push(word(text, begin, at));
        }
    }
    if let Some(begin) = start {
        found.push(word(text, begin, text.len()));
    }
    found
}

/// Combining accents, so that decomposed letters don't end a word.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

fn word(text: &str, start: usize, end: usize) -> Word {
    let raw = &text[start..end];
    let mut letters = 0;
    let mut capitals = 0;
    for c in raw.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        capitals += usize::from(c.is_uppercase());
    }
    let lower: String = raw
        .nfc()
        .map(|c| if is_apostrophe(c) { '\'' } else { c })
        .flat_map(char::to_lowercase)
        .collect();
    let mut buckets = Vec::with_capacity(lower.len());
    buckets_of(&lower, |bucket, value| buckets.push((bucket, value)));
    Word { text: lower, start, end, shouted: letters >= 2 && letters == capitals, buckets }
}

/// One phrase of a list: words in a row, each exact or a stem with an open end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Phrase<T> {
    words: Vec<(String, bool)>,
    value: T,
}

impl<T> Phrase<T> {
    fn matches(&self, words: &[Word]) -> bool {
        words.len() >= self.words.len()
            && self.words.iter().zip(words).all(|((stem, open), word)| {
                if *open { word.text.starts_with(stem.as_str()) } else { word.text == *stem }
            })
    }
}

/// A phrase found in a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit<'a, T> {
    /// What the list says of the phrase.
    pub value: &'a T,
    /// Index of the first word.
    pub first: usize,
    /// How many words.
    pub length: usize,
}

/// Phrases with a value each, found by their first word.
#[derive(Debug, Clone)]
pub struct Phrases<T> {
    phrases: Vec<Phrase<T>>,
    exact: ByWord,
    stems: ByWord,
    /// Bytes that a stem has, from and to.
    lengths: (usize, usize),
}

/// Places of phrases by a word. What is looked up is foreign, what is stored is ours, so a quick hash will do.
type ByWord = HashMap<String, Vec<usize>, FixedState>;

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        let (exact, stems) = (ByWord::default(), ByWord::default());
        Self { phrases: Vec::new(), exact, stems, lengths: (usize::MAX, 0) }
    }
}

impl<T: Clone> Phrases<T> {
    /// Adds the phrases of a list: words apart by blanks, `'…'` around several words, `*` for an open end.
    pub fn add_list(&mut self, list: &str, value: &T) {
        for entry in entries(list) {
            self.add(&entry, value.clone());
        }
    }

    /// Adds one phrase; a phrase without words is left out.
    pub fn add(&mut self, phrase: &str, value: T) {
        let words: Vec<(String, bool)> = phrase
            .split_whitespace()
            .flat_map(|part| {
                let open = part.ends_with('*');
                let mut parts: Vec<(String, bool)> = self::words(part.trim_end_matches('*'))
                    .into_iter()
                    .map(|w| (w.text, false))
                    .collect();
                if let Some(last) = parts.last_mut() {
                    last.1 = open;
                }
                parts
            })
            .collect();
        let Some((first, open)) = words.first() else { return };
        let index = self.phrases.len();
        if *open {
            let (shortest, longest) = self.lengths;
            self.lengths = (shortest.min(first.len()), longest.max(first.len()));
            self.stems.entry(first.clone()).or_default().push(index);
        } else {
            self.exact.entry(first.clone()).or_default().push(index);
        }
        self.phrases.push(Phrase { words, value });
    }

    /// Every phrase that occurs, in the order of the text; they may overlap.
    pub fn find<'a>(&'a self, words: &[Word]) -> Vec<Hit<'a, T>> {
        let mut hits = Vec::new();
        for (first, word) in words.iter().enumerate() {
            let rest = &words[first..];
            let mut check = |candidates: Option<&Vec<usize>>| {
                for phrase in
                    candidates.into_iter().flatten().filter_map(|index| self.phrases.get(*index))
                {
                    if phrase.matches(rest) {
                        hits.push(Hit { value: &phrase.value, first, length: phrase.words.len() });
                    }
                }
            };
            check(self.exact.get(&word.text));
            let (shortest, longest) = self.lengths;
            let ends = word.text.char_indices().map(|(at, c)| at + c.len_utf8());
            for end in ends.skip_while(|end| *end < shortest).take_while(|end| *end <= longest) {
                check(self.stems.get(&word.text[..end]));
            }
        }
        hits
    }
}

/// The entries of a list line: bare words and quoted phrases. An apostrophe inside a word doesn't quote.
fn entries(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = list.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let close = quoted
                    .match_indices('\'')
                    .map(|(at, _)| at)
                    .find(|at| quoted[at + 1..].chars().next().is_none_or(char::is_whitespace));
                let close = close.unwrap_or(quoted.len());
                found.push(quoted[..close].to_owned());
                (close + 2).min(rest.len())
            }
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                found.push(rest[..end].to_owned());
                end
            }
        };
        rest = rest[end..].trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_keep_contractions_and_part_elisions() {
        assert_eq!(
            texts("I don’t know, l'article n'est PAS là!"),
            ["i", "don't", "know", "l", "article", "n", "est", "pas", "là"]
        );
        assert_eq!(texts("e\u{301}te\u{301}"), ["été"]);
        assert_eq!(texts("'quoted' 3rd"), ["quoted", "3rd"]);
        let shouted = words("WHERE is MY A");
        assert_eq!(
            shouted.iter().map(|w| w.shouted).collect::<Vec<_>>(),
            [true, false, true, false]
        );
    }

    #[test]
    fn lists_hold_words_stems_and_phrases() {
        let mut list = Phrases::default();
        list.add_list("refund* 'money back' 'won't turn on' can't 'l'argent'", &1);
        list.add_list("'refunds not paid'", &2);
        let found = |text: &str| {
            list.find(&words(text))
                .iter()
                .map(|h| (*h.value, h.first, h.length))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("Two refunds not paid"), [(2, 1, 3), (1, 1, 1)]);
        assert_eq!(found("my MONEY back"), [(1, 1, 2)]);
        assert_eq!(found("it won't turn on"), [(1, 1, 3)]);
        assert_eq!(found("I can’t"), [(1, 1, 1)]);
        assert_eq!(found("rendez l'argent"), [(1, 1, 2)]);
        assert_eq!(found("money, I want it back"), []);
    }

    proptest! {
        #[test]
        fn words_lie_within_the_text_and_in_order(text in "\\PC{0,60}") {
            let mut last = 0;
            for word in words(&text) {
                prop_assert!(word.start >= last && word.end > word.start);
                prop_assert!(text.get(word.start..word.end).is_some());
                last = word.end;
            }
        }
    }
}
