//! Words near a match that say what it is. `my phone is 4258829090` and `order 4258829090` differ
//! in nothing else, so the word that stands nearest decides, for or against.
//!
//! The window is a few words within one hundred bytes: context costs nothing until something was
//! found, and no text can make it expensive.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

/// A set of words, written as one text with spaces between them. Lower case.
pub(super) struct WordSet {
    words: &'static str,
    set: OnceLock<Listed>,
}

/// The words of a set, behind a sieve that most other words don't pass: one bit for each length and
/// pair of first and last bytes that occur, folded together.
struct Listed {
    sieve: Box<[u64; SIEVE]>,
    words: HashSet<&'static str, BuildHasherDefault<Fnv>>,
}

/// 64-bit words of the sieve.
const SIEVE: usize = 64;

impl Listed {
    fn new(words: &'static str) -> Self {
        let words: HashSet<&'static str, _> = words.split_ascii_whitespace().collect();
        let mut sieve = Box::new([0; SIEVE]);
        for bit in words.iter().map(|w| bit_of(w)) {
            sieve[bit / 64] |= 1 << (bit % 64);
        }
        Self { sieve, words }
    }

    fn get(&self, word: &str) -> Option<&'static str> {
        let bit = bit_of(word);
        let passes = self.sieve[bit / 64] >> (bit % 64) & 1 == 1;
        if passes { self.words.get(word).copied() } else { None }
    }
}

fn bit_of(word: &str) -> usize {
    let bytes = word.as_bytes();
    let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let last = byte(bytes.len().wrapping_sub(1));
    (byte(0) << 7 ^ byte(1) << 3 ^ last ^ bytes.len() << 9) % (SIEVE * 64)
}

/// The FNV-1a hash. Words are short and the sets are ours, so nobody can fill them with collisions.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = (self.0 ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table takes its buckets from the low bits and its tags from the high ones.
        self.0 ^ self.0 >> 32
    }
}

impl WordSet {
    pub(super) const fn new(words: &'static str) -> Self {
        Self { words, set: OnceLock::new() }
    }

    /// The word of the set that equals `word`.
    pub(super) fn get(&self, word: &str) -> Option<&'static str> {
        self.set.get_or_init(|| Listed::new(self.words)).get(word)
    }

    /// All words of the set.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.words.split_ascii_whitespace()
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.get(word).is_some()
    }
}

/// Words that speak for a type, and words that speak for something else; in the singular.
pub(super) struct ContextWords {
    pub(super) speaks_for: WordSet,
    pub(super) against: &'static WordSet,
}

/// What the surroundings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaning {
    /// A word of the type, and how many words stand between it and the match.
    For(&'static str, usize),
    /// A word of something else is nearer.
    Against,
    /// Neither.
    None,
}

/// Numbers of businesses that are nobody's personal data.
pub(super) static REFERENCE_NUMBERS: WordSet = WordSet::new(
    "amount article auftrag auftragsnummer barcode bestellnummer bestellung betrag booking \
    buchungsnummer build case code commande confirmation dollar ean eur euro factura facture \
    firmware gbp imei invoice isbn item kundennummer model order parcel part pedido po pound price \
    product rechnung rechnungsnummer ref reference release sendungsnummer serial seriennummer \
    shipment sku ticket total tracking transaction upc usd version voucher",
);

const BEFORE_BYTES: usize = 100;
const BEFORE_WORDS: usize = 6;
const AFTER_BYTES: usize = 40;
const AFTER_WORDS: usize = 3;

/// What the words around `range` say: those before it count first, as labels precede values.
pub(super) fn leaning(text: &str, range: &Range<usize>, words: &ContextWords) -> Leaning {
    let from = floor(text, range.start.saturating_sub(BEFORE_BYTES));
    let before = nearest(words_of(&text[from..range.start]).rev().take(BEFORE_WORDS), words);
    if before != Leaning::None {
        return before;
    }
    let to = floor(text, (range.end + AFTER_BYTES).min(text.len()));
    let after = &text[range.end..to];
    // What follows belongs to the match only within its clause.
    let clause = after.split(['\n', '.', '!', '?', ';', ',']).next().unwrap_or_default();
    nearest(words_of(clause).take(AFTER_WORDS), words)
}

fn nearest<'t>(around: impl Iterator<Item = &'t str>, words: &ContextWords) -> Leaning {
    for (distance, word) in around.enumerate() {
        let word = word.to_lowercase();
        let found = |set: &WordSet| set.get(&word).or_else(|| set.get(word.strip_suffix('s')?));
        if let Some(hit) = found(&words.speaks_for) {
            return Leaning::For(hit, distance);
        }
        if found(words.against).is_some() {
            return Leaning::Against;
        }
    }
    Leaning::None
}

/// Runs of letters. A cut word at the window's edge at worst says nothing.
fn words_of(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty())
}

/// The words in front of `at`, nearest first, lower-cased; at most `count`.
pub(super) fn words_before(text: &str, at: usize, count: usize) -> Vec<String> {
    let from = floor(text, at.saturating_sub(BEFORE_BYTES));
    words_of(&text[from..at]).rev().take(count).map(str::to_lowercase).collect()
}

/// The score of a match that context confirms: a third is added, and it is at least likely.
pub(super) fn raised(base: f32) -> f32 {
    (base + 0.35).clamp(0.5, 1.0)
}

/// The nearest character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    static PHONE: ContextWords =
        ContextWords { speaks_for: WordSet::new("call phone"), against: &REFERENCE_NUMBERS };

    fn lean(text: &str) -> Leaning {
        let at = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let end = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + n);
        leaning(text, &(at..end), &PHONE)
    }

    #[test]
    fn the_nearest_word_decides() {
        assert_eq!(lean("my phones: 123"), Leaning::For("phone", 0));
        assert_eq!(lean("call me at 123"), Leaning::For("call", 2));
        assert_eq!(lean("call me about order no. 123"), Leaning::Against);
        assert_eq!(lean("order it, phone 123"), Leaning::For("phone", 0));
        assert_eq!(lean("123 is my phone"), Leaning::For("phone", 2));
        assert_eq!(lean("123. Phone me"), Leaning::None);
        assert_eq!(lean("one call, two three four five six seven 123"), Leaning::None);
    }
}
