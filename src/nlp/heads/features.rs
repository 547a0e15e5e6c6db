//! What the heads see of a message: the encoder's states, and what the words themselves say.
//!
//! The embedding carries meaning but blurs the exact word, and a small English model hardly reads other
//! languages. So a message is also a bag of hashed words and word parts, and a vector of concepts found by
//! their stems in four languages. The blocks are weighted against each other and the whole is scaled to
//! length one, which is what the kernel of `ridge` expects.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::linalg::{dot, norm};
use super::words::{Phrases, Word};
use crate::nlp::encoder::Encoding;

/// Buckets of the hashed block.
pub const BUCKETS: usize = 1024;
/// Letters of a word part, with `<` and `>` for the word's ends.
const PART: usize = 4;

/// How much each block weighs: the length of the block's vector before the whole is normalised, or for
/// concepts and cues the value of one that is present.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// The last layer's mean state.
    pub embedding: f32,
    /// Layer 4's mean state, scaled to length one.
    pub layer4: f32,
    /// Each concept.
    pub concepts: f32,
    /// Hashed words and word parts.
    pub hashed: f32,
    /// Each of a head's own numbers.
    pub cues: f32,
}

/// Where the blocks lie among the dense numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The embedding; empty when it doesn't count.
    pub embedding: Range<usize>,
    /// Layer 4.
    pub layer4: Range<usize>,
    /// Concepts.
    pub concepts: Range<usize>,
    /// A head's own numbers.
    pub cues: Range<usize>,
}

impl Weights {
    /// The layout of features with `dims` numbers a state and so many concepts and cues.
    #[must_use]
    pub fn layout(&self, dims: usize, concepts: usize, cues: usize) -> Layout {
        let mut at = 0;
        let mut next = |wanted: bool, length: usize| {
            let start = at;
            at += if wanted { length } else { 0 };
            start..at
        };
        Layout {
            embedding: next(self.embedding > 0.0, dims),
            layer4: next(self.layer4 > 0.0, dims),
            concepts: next(self.concepts > 0.0, concepts),
            cues: next(true, cues),
        }
    }
}

/// One message as a head sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Embedding, layer 4, concepts and cues, one after the other.
    pub dense: Vec<f32>,
    /// (bucket, value), buckets ascending.
    pub hashed: Vec<(u16, f32)>,
}

impl Features {
    /// Puts the blocks together.
    #[must_use]
    pub fn new(
        weights: &Weights,
        encoding: &Encoding,
        words: &[Word],
        concepts: &[f32],
        cues: &[f32],
    ) -> Self {
        let mut dense =
            Vec::with_capacity(2 * encoding.embedding.len() + concepts.len() + cues.len());
        if weights.embedding > 0.0 {
            dense.extend(encoding.embedding.iter().map(|x| x * weights.embedding));
        }
        if weights.layer4 > 0.0 {
            let length = norm(&encoding.layer4).max(f32::MIN_POSITIVE);
            dense.extend(encoding.layer4.iter().map(|x| x / length * weights.layer4));
        }
        if weights.concepts > 0.0 {
            dense.extend(concepts.iter().map(|x| x * weights.concepts));
        }
        dense.extend(cues.iter().map(|x| x * weights.cues));
        let hashed = if weights.hashed > 0.0 { hashed(words, weights.hashed) } else { Vec::new() };
        Self { dense, hashed }
    }

    /// Takes the centre off the dense blocks and scales the whole to length one.
    pub fn centre_and_normalise(&mut self, centre: &[f32]) {
        for (x, c) in self.dense.iter_mut().zip(centre) {
            *x -= c;
        }
        let squares =
            dot(&self.dense, &self.dense) + self.hashed.iter().map(|(_, x)| x * x).sum::<f32>();
        if squares > 0.0 {
            let scale = 1.0 / squares.sqrt();
            self.dense.iter_mut().for_each(|x| *x *= scale);
            self.hashed.iter_mut().for_each(|(_, x)| *x *= scale);
        }
    }
}

/// The buckets of a word and of its parts, with how much each counts: a whole word one, each run of [`PART`]
/// letters a half.
pub fn buckets_of(word: &str, mut each: impl FnMut(u16, f32)) {
    let mut count = |hash: u32, value: f32| {
        each(((hash ^ (hash >> 16)) as usize % BUCKETS) as u16, value);
    };
    count(fnv(word.as_bytes().iter()), 1.0);
    let marked = format!("<{word}>");
    let mut count_part = |part: &str| count(fnv(part.as_bytes().iter().chain(b"#")), 0.5);
    if marked.is_ascii() {
        for first in 0..(marked.len() + 1).saturating_sub(PART) {
            count_part(&marked[first..first + PART]);
        }
        return;
    }
    let starts: Vec<usize> =
        marked.char_indices().map(|(at, _)| at).chain([marked.len()]).collect();
    for ends in starts.windows(PART + 1) {
        if let [first, .., last] = ends {
            count_part(&marked[*first..*last]);
        }
    }
}

/// 32-bit FNV-1a.
fn fnv<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// All words' buckets; the vector has length `weight`.
fn hashed(words: &[Word], weight: f32) -> Vec<(u16, f32)> {
    let mut counts = [0f32; BUCKETS];
    for (bucket, value) in words.iter().flat_map(|word| &word.buckets) {
        counts[usize::from(*bucket)] += value;
    }
    let length = counts.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    let present = counts.iter().enumerate().filter(|(_, x)| **x != 0.0);
    present.map(|(bucket, x)| (bucket as u16, x / length * weight)).collect()
}

/// The list of concepts, `name = "phrases"` in TOML.
#[derive(Debug, Clone)]
pub struct Concepts {
    phrases: Phrases<usize>,
    count: usize,
}

impl Concepts {
    /// Reads the list; concepts are numbered by name.
    ///
    /// # Errors
    /// When the text is not a TOML table of strings.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let lists: BTreeMap<String, String> = toml::from_str(text)?;
        let mut phrases = Phrases::default();
        for (number, list) in lists.values().enumerate() {
            phrases.add_list(list, &number);
        }
        Ok(Self { phrases, count: lists.len() })
    }

    /// The words of each concept that occurs: its number, the first word, how many.
    pub fn places(&self, words: &[Word]) -> Vec<(usize, usize, usize)> {
        let hits = self.phrases.find(words).into_iter();
        hits.map(|hit| (*hit.value, hit.first, hit.length)).collect()
    }

    /// 1 for each concept that occurs, 0 for the others.
    #[must_use]
    pub fn read(&self, words: &[Word]) -> Vec<f32> {
        let mut present = vec![0.0; self.count];
        for hit in self.phrases.find(words) {
            if let Some(slot) = present.get_mut(*hit.value) {
                *slot = 1.0;
            }
        }
        present
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn encoding() -> Encoding {
        Encoding { embedding: vec![0.6, 0.8], layer4: vec![3.0, 4.0], tokens: 2 }
    }

    #[test]
    fn blocks_are_weighted_and_the_whole_has_length_one() {
        let weights =
            Weights { embedding: 1.0, layer4: 0.5, concepts: 0.3, hashed: 0.8, cues: 2.0 };
        let mut features =
            Features::new(&weights, &encoding(), &words("hello you"), &[1.0, 0.0], &[0.5]);
        assert_eq!(features.dense, [0.6, 0.8, 0.3, 0.4, 0.3, 0.0, 1.0]);
        let length: f32 = features.hashed.iter().map(|(_, x)| x * x).sum::<f32>().sqrt();
        assert!((length - 0.8).abs() < 1e-6);
        features.centre_and_normalise(&[0.1; 7]);
        let squares = dot(&features.dense, &features.dense)
            + features.hashed.iter().map(|(_, x)| x * x).sum::<f32>();
        assert!((squares - 1.0).abs() < 1e-5);
    }

    #[test]
    fn related_words_share_buckets() {
        let overlap = |a: &str, b: &str| {
            let (a, b) = (hashed(&words(a), 1.0), hashed(&words(b), 1.0));
            a.iter()
                .filter_map(|(i, x)| b.iter().find(|(j, _)| i == j).map(|(_, y)| x * y))
                .sum::<f32>()
        };
        assert!((overlap("Rechnung", "rechnung") - 1.0).abs() < 1e-5);
        assert!(overlap("Rechnung", "Rechnungen") > 0.4);
        assert!(overlap("Rechnung", "parcel") < 0.2);
    }

    #[test]
    fn concepts_are_found_in_any_of_their_languages() {
        let concepts = Concepts::parse("a = \"invoice* rechnung*\"\nb = \"'money back'\"").unwrap();
        assert_eq!(concepts.read(&words("Die Rechnungen fehlen")), [1.0, 0.0]);
        assert_eq!(concepts.read(&words("invoices? money back!")), [1.0, 1.0]);
        assert!(Concepts::parse("a = 3").is_err());
    }
}
