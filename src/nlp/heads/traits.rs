//! What unasked-for mail looks like from the outside: links, sums of money, numbers to call, capitals, and
//! the families of words it is made of. Numbers for the spam head, which learns how much each means.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::words::{Phrases, Word};

/// How many numbers stand before those of the word families.
const MARKS: usize = 12;

// The patterns are constants, and a test compiles each: a pattern that didn't compile would find nothing.
static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:https?://|www\.)\S+|\b[a-z0-9-]+\.(?:com|net|org|info|biz|xyz|top|click|ru|cn|tk|example|io|co|me|ly|gl)/\S*").ok()
});
static SHORT_LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:bit\.ly|tinyurl\.com|goo\.gl|t\.co|is\.gd|ow\.ly|cutt\.ly|rb\.gy)/\S+|https?://\d{1,3}(?:\.\d{1,3}){3}").ok()
});
static MONEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[$£€]\s?\d[\d.,]*|\b\d[\d.,]*\s?(?:usd|eur|gbp|euros?|dollars?|pounds?|bucks|million|[$£€])").ok()
});
static PHONE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\+?\b\d[\d ()/-]{7,}\d\b").ok());
static SHORT_CODE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:txt|text|send|sms|reply|call|ring|dial)\b[^.\n]{0,40}?\b(?:\d{4,6}|\d{9,12}|(?-i:[A-Z]{3,8}) to)\b").ok()
});
static PRICE_PER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b\d+(?:\.\d+)?\s?p?\s?(?:/|per|a|each)\s?(?:min(?:ute)?|msg|text|week|wk|day|month)\b").ok()
});

/// Sums of money in a text, in bytes.
pub fn money(text: &str) -> Vec<Range<usize>> {
    let amount = |found: regex::Match<'_>| {
        let figures = found.as_str().trim_end_matches(['.', ',']);
        found.start()..found.start() + figures.len()
    };
    let found = MONEY.as_ref().map(|regex| regex.find_iter(text).take(8).map(amount));
    found.into_iter().flatten().collect()
}

fn count(pattern: &LazyLock<Option<Regex>>, text: &str) -> usize {
    pattern.as_ref().map_or(0, |regex| regex.find_iter(text).take(8).count())
}

/// The word families.
#[derive(Debug, Clone)]
pub struct Traits {
    families: Phrases<usize>,
    names: Vec<String>,
}

impl Traits {
    /// Reads the families: `name = "phrases"`.
    ///
    /// # Errors
    /// When the text is not a TOML table of strings.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let lists: BTreeMap<String, String> = toml::from_str(text)?;
        let mut families = Phrases::default();
        for (number, list) in lists.values().enumerate() {
            families.add_list(list, &number);
        }
        Ok(Self { families, names: lists.into_keys().collect() })
    }

    /// Marks and families, each 0 to 1.
    #[must_use]
    pub fn read(&self, text: &str, words: &[Word]) -> Vec<f32> {
        let characters = text.chars().count().max(1) as f32;
        let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1) as f32;
        let share = |wanted: fn(char) -> bool, of: f32| {
            text.chars().filter(|c| wanted(*c)).count() as f32 / of
        };
        let several = |n: usize, many: f32| (n as f32 / many).min(1.0);
        let shouted = words.iter().filter(|w| w.shouted && w.text.len() > 2).count();
        let mut values = vec![
            several(count(&LINK, text), 2.0),
            several(count(&SHORT_LINK, text), 1.0),
            several(count(&MONEY, text), 2.0),
            several(count(&PHONE, text), 1.0),
            several(count(&SHORT_CODE, text), 1.0),
            several(count(&PRICE_PER, text), 1.0),
            several(text.matches('!').count(), 4.0),
            several(shouted, 5.0),
            share(char::is_uppercase, letters).min(0.6),
            (share(|c| c.is_ascii_digit(), characters) * 3.0).min(1.0),
            several(words.len(), 80.0),
            several(text.matches('?').count(), 2.0),
        ];
        debug_assert_eq!(values.len(), MARKS);
        values.resize(MARKS + self.names.len(), 0.0);
        let mut hits = vec![0usize; self.names.len()];
        for hit in self.families.find(words) {
            hits[*hit.value] += 1;
        }
        for (value, hits) in values[MARKS..].iter_mut().zip(hits) {
            *value = several(hits, 2.0);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for pattern in [&LINK, &SHORT_LINK, &MONEY, &PHONE, &SHORT_CODE, &PRICE_PER] {
            assert!(pattern.is_some());
        }
    }

    #[test]
    fn marks_are_seen() {
        let traits = Traits::parse("prize = \"prize* winner\"\nlink = \"click\"").unwrap();
        let read = |text: &str| traits.read(text, &words(text));
        let spam = read(
            "WINNER!!! Click http://win.example/x now: $500 prize, txt WIN to 80808, 1.50 per week",
        );
        for (mark, name) in [
            (0, "link"),
            (2, "money"),
            (4, "short code"),
            (5, "price"),
            (6, "exclamations"),
            (13, "family"),
        ] {
            assert!(spam[mark] > 0.0, "{name}: {spam:?}");
        }
        let plain = read("Where is my order?");
        assert!(plain[..10].iter().all(|v| *v < 0.1), "{plain:?}");
        assert!(read("").iter().all(|v| v.is_finite()));
    }
}
