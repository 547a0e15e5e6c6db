//! Context words of all rows in one index, so that the few words around a match are looked up
//! once, however many rows match there.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::LazyLock;

use super::super::context::{Fnv, REFERENCE_NUMBERS, floor};
use super::rows;

const BEFORE_BYTES: usize = 100;
const BEFORE_WORDS: usize = 7;
const AFTER_BYTES: usize = 40;
const AFTER_WORDS: usize = 4;

/// A phrase of one row.
struct Phrase {
    row: usize,
    text: &'static str,
    /// The words behind the first one.
    rest: Vec<&'static str>,
}

/// Keyed by us, so a simple hash will do.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

struct Index {
    /// By first word.
    phrases: Map<&'static str, Vec<Phrase>>,
    /// Words with any ending, by their first two bytes.
    stems: Map<[u8; 2], Vec<(&'static str, Phrase)>>,
    /// Words of scripts that are written without spaces.
    inside: Vec<(&'static str, usize)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { phrases: Map::default(), stems: Map::default(), inside: Vec::new() };
    for (row, r) in rows().enumerate() {
        for text in r.words.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            if text.chars().next().is_some_and(|c| c >= '\u{E00}') {
                index.inside.push((text, row));
                continue;
            }
            let mut words = text.split_ascii_whitespace();
            let first = words.next().unwrap_or_default();
            let phrase = Phrase { row, text, rest: words.collect() };
            match first.strip_suffix('*') {
                Some(stem) => {
                    if let Some(&key) = stem.as_bytes().first_chunk::<2>() {
                        index.stems.entry(key).or_default().push((stem, phrase));
                    }
                }
                None => index.phrases.entry(first).or_default().push(phrase),
            }
        }
    }
    index
});

/// A context word that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    row: usize,
    word: &'static str,
    /// Words between it and the match.
    distance: usize,
}

/// What stands on one side of a match.
#[derive(Debug, Default)]
pub(super) struct Side {
    hits: Vec<Hit>,
    /// Distance of the nearest word for a number of a business.
    against: Option<usize>,
}

/// What the surroundings say to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// The word, and how many others stand between it and the match.
    For(&'static str, usize),
    Against,
    Nothing,
}

impl Side {
    /// The words in front of `at`.
    pub(super) fn before(text: &str, at: usize) -> Self {
        let from = floor(text, at.saturating_sub(BEFORE_BYTES));
        let window = text[from..at].to_lowercase();
        let mut words: Vec<Range<usize>> = ranges(&window).rev().take(BEFORE_WORDS).collect();
        words.reverse();
        let count = words.len();
        Self::of(&window, &words, |first, len| count - first - len)
    }

    /// The words behind `at`, within the clause.
    pub(super) fn after(text: &str, at: usize) -> Self {
        let to = floor(text, (at + AFTER_BYTES).min(text.len()));
        let clause = text[at..to].split(['\n', '.', '!', '?', ';', ',']).next().unwrap_or_default();
        let window = clause.to_lowercase();
        let words: Vec<Range<usize>> = ranges(&window).take(AFTER_WORDS).collect();
        Self::of(&window, &words, |first, _| first)
    }

    /// `distance` from the index of a phrase's first word and its number of words.
    fn of(window: &str, words: &[Range<usize>], distance: impl Fn(usize, usize) -> usize) -> Self {
        let mut side = Self::default();
        for (i, range) in words.iter().enumerate() {
            let word = &window[range.clone()];
            let singular = word.strip_suffix('s').filter(|w| w.len() > 1);
            let mut add = |phrase: &Phrase| {
                let behind = words[i + 1..].iter().map(|r| &window[r.clone()]);
                let mut behind = behind.chain(std::iter::repeat(""));
                if phrase.rest.iter().all(|want| behind.next().is_some_and(|w| is(w, want))) {
                    let distance = distance(i, 1 + phrase.rest.len());
                    side.hits.push(Hit { row: phrase.row, word: phrase.text, distance });
                }
            };
            for form in [Some(word), singular].into_iter().flatten() {
                INDEX.phrases.get(form).into_iter().flatten().for_each(&mut add);
            }
            let stems = word.as_bytes().first_chunk().and_then(|key| INDEX.stems.get(key));
            for (stem, phrase) in stems.into_iter().flatten() {
                if word.starts_with(stem) {
                    add(phrase);
                }
            }
            let refers = REFERENCE_NUMBERS.contains(word)
                || singular.is_some_and(|w| REFERENCE_NUMBERS.contains(w));
            if refers {
                let at = distance(i, 1);
                side.against = Some(side.against.map_or(at, |d| d.min(at)));
            }
        }
        if !window.is_ascii() {
            let inside = INDEX.inside.iter().filter(|(word, _)| window.contains(word));
            side.hits.extend(inside.map(|&(word, row)| Hit { row, word, distance: 0 }));
        }
        side
    }

    fn nearest(&self, row: usize) -> Option<&Hit> {
        self.hits.iter().filter(|h| h.row == row).min_by_key(|h| h.distance)
    }

    /// What this side says to a row: the nearest word decides.
    pub(super) fn says(&self, row: usize) -> Says {
        match (self.nearest(row), self.against) {
            (Some(hit), against) if against.is_none_or(|a| hit.distance <= a) => {
                Says::For(hit.word, hit.distance)
            }
            (_, Some(_)) => Says::Against,
            _ => Says::Nothing,
        }
    }
}

/// Whether a word of the text is the one wanted, also in the plural or with the ending that a star
/// allows.
fn is(word: &str, want: &str) -> bool {
    match want.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == want || word.strip_suffix('s') == Some(want),
    }
}

/// Runs of letters.
fn ranges(text: &str) -> impl DoubleEndedIterator<Item = Range<usize>> {
    text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).map(move |w| {
        let start = w.as_ptr() as usize - text.as_ptr() as usize;
        start..start + w.len()
    })
}
