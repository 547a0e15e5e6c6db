//! Words of mood: what a list of words can say about sentiment before the encoder is asked.
//!
//! Scored the way VADER does (Hutto & Gilbert 2014: negation within three words, intensifiers, capitals,
//! a contrast such as "but" that shifts the weight to what follows), on word lists of our own in four
//! languages. The list is chosen by the message's language, since "die" is no mood in German.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::words::{Phrases, Word};
use crate::domain::triage::LanguageCode;

/// How many numbers [`Lexicon::read`] gives.
pub const MOODS: usize = 10;

/// What a word does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Mood(f32),
    Negate,
    Strengthen,
    Weaken,
    Contrast,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageLists {
    negators: String,
    strong: String,
    weak: String,
    contrast: String,
    scores: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    emoji: BTreeMap<String, String>,
    emoticons: BTreeMap<String, String>,
    #[serde(flatten)]
    languages: BTreeMap<String, LanguageLists>,
}

/// A word list that isn't one.
#[derive(Debug, thiserror::Error)]
pub enum LexiconError {
    /// Not TOML of the expected shape.
    #[error("the lexicon is not readable")]
    Syntax(#[from] toml::de::Error),
    /// A key of a `scores` table that is not a number from -4 to 4.
    #[error("{0:?} is not a strength from -4 to 4")]
    Strength(String),
    /// No English list, which stands in for languages without one.
    #[error("the lexicon has no English list")]
    NoEnglish,
}

/// The lists, ready to look up.
#[derive(Debug, Clone)]
pub struct Lexicon {
    languages: BTreeMap<String, Phrases<Role>>,
    signs: Vec<(String, f32)>,
}

fn strength(key: &str) -> Result<f32, LexiconError> {
    let value = key.parse::<f32>().ok().filter(|v| (-4.0..=4.0).contains(v));
    value.ok_or_else(|| LexiconError::Strength(key.to_owned()))
}

impl Lexicon {
    /// Reads the lists.
    ///
    /// # Errors
    /// When the text hasn't the expected shape.
    pub fn parse(text: &str) -> Result<Self, LexiconError> {
        let file: File = toml::from_str(text)?;
        let mut languages = BTreeMap::new();
        for (code, lists) in file.languages {
            let mut phrases = Phrases::default();
            for (list, role) in [
                (&lists.negators, Role::Negate),
                (&lists.strong, Role::Strengthen),
                (&lists.weak, Role::Weaken),
                (&lists.contrast, Role::Contrast),
            ] {
                for word in list.split_whitespace() {
                    phrases.add(word, role);
                }
            }
            for (key, list) in &lists.scores {
                let role = Role::Mood(strength(key)?);
                for word in list.split_whitespace() {
                    phrases.add(word, role);
                }
            }
            languages.insert(code, phrases);
        }
        if !languages.contains_key("en") {
            return Err(LexiconError::NoEnglish);
        }
        let mut signs = Vec::new();
        for (key, list) in file.emoji.iter().chain(&file.emoticons) {
            let value = strength(key)?;
            signs.extend(list.split_whitespace().map(|sign| (sign.to_owned(), value)));
        }
        Ok(Self { languages, signs })
    }

    /// The mood of each word, about -5 to 5, with what stands before it taken into account.
    #[must_use]
    pub fn moods(&self, words: &[Word], language: LanguageCode) -> Vec<f32> {
        let lists = self.languages.get(language.as_str()).or_else(|| self.languages.get("en"));
        let mut roles: Vec<Vec<Role>> = vec![Vec::new(); words.len()];
        for hit in lists.map(|lists| lists.find(words)).into_iter().flatten() {
            roles[hit.first].push(*hit.value);
        }
        let all_shouted = words.iter().filter(|w| w.shouted).count() * 2 > words.len();
        weighed(words, &roles, all_shouted)
    }

    /// The mood of a text in [`MOODS`] numbers of about -1 to 1: the sum of all words, that of the good ones,
    /// that of the bad ones, the best, the worst, the last one, signs, capitals, exclamation, and negation.
    #[must_use]
    pub fn read(&self, text: &str, words: &[Word], language: LanguageCode) -> [f32; MOODS] {
        let lists = self.languages.get(language.as_str()).or_else(|| self.languages.get("en"));
        let Some(lists) = lists else { return [0.0; MOODS] };
        let mut roles: Vec<Vec<Role>> = vec![Vec::new(); words.len()];
        for hit in lists.find(words) {
            roles[hit.first].push(*hit.value);
        }
        let all_shouted = words.iter().filter(|w| w.shouted).count() * 2 > words.len();
        let moods = weighed(words, &roles, all_shouted);
        let signs: f32 = self
            .signs
            .iter()
            .map(|(sign, value)| text.matches(sign.as_str()).count().min(3) as f32 * value)
            .sum();

        let good: f32 = moods.iter().filter(|m| **m > 0.0).sum();
        let bad: f32 = moods.iter().filter(|m| **m < 0.0).sum();
        let best = moods.iter().copied().fold(0.0, f32::max);
        let worst = moods.iter().copied().fold(0.0, f32::min);
        let squash = |x: f32| x / (x * x + 15.0).sqrt();
        let shouted = words.iter().filter(|w| w.shouted && w.text.chars().count() > 2).count();
        let exclamations = text.matches(['!', '¡']).count().min(4);
        let negations = roles.iter().flatten().filter(|r| matches!(r, Role::Negate)).count();
        [
            squash(good + bad + signs),
            squash(good),
            squash(bad),
            best / 5.0,
            worst / 5.0,
            moods.iter().rev().find(|m| **m != 0.0).copied().unwrap_or(0.0) / 5.0,
            squash(signs),
            (shouted as f32 / 4.0).min(1.0),
            exclamations as f32 / 4.0,
            (negations as f32 / 3.0).min(1.0),
        ]
    }
}

/// The mood of each word with what stands before it taken into account.
fn weighed(words: &[Word], roles: &[Vec<Role>], all_shouted: bool) -> Vec<f32> {
    let is = |index: usize, wanted: fn(&Role) -> bool| roles[index].iter().any(wanted);
    let contrast =
        (0..words.len()).rev().find(|i| *i > 0 && is(*i, |r| matches!(r, Role::Contrast)));
    (0..words.len())
        .map(|i| {
            let mood =
                roles[i].iter().filter_map(|r| if let Role::Mood(m) = r { Some(*m) } else { None });
            let mut mood = mood.fold(0.0_f32, |a, b| if b.abs() > a.abs() { b } else { a });
            if mood == 0.0 {
                return 0.0;
            }
            if words[i].shouted && !all_shouted {
                mood *= 1.25;
            }
            if i > 0 && is(i - 1, |r| matches!(r, Role::Strengthen)) {
                mood *= 1.3;
            }
            if i > 0 && is(i - 1, |r| matches!(r, Role::Weaken)) {
                mood *= 0.7;
            }
            if (i.saturating_sub(3)..i).any(|before| is(before, |r| matches!(r, Role::Negate))) {
                // "not bad" is mild praise, "not good" is nearly bad: the sign turns and the strength fades.
                mood *= -0.7;
            }
            match contrast {
                Some(at) if i < at => mood * 0.6,
                Some(at) if i > at => mood * 1.4,
                _ => mood,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn mood(text: &str, language: &str) -> [f32; MOODS] {
        let lexicon = Lexicon::parse(include_str!("data/sentiment_lexicon.toml")).unwrap();
        lexicon.read(text, &words(text), language.parse().unwrap())
    }

    #[test]
    fn moods_have_the_right_sign_and_order() {
        let sum = |text: &str| mood(text, "en")[0];
        assert!(sum("I love it, the best ever") > sum("it is good"));
        assert!(sum("it is good") > 0.0);
        assert!(sum("terrible, awful") < sum("not good"));
        assert!(sum("not good") < 0.0);
        assert!(sum("not bad") > 0.0);
        assert!(sum("very bad") < sum("bad"));
        assert!(sum("a bit sad") > sum("sad"));
        assert!(sum("nice shop but the delivery was bad") < 0.0);
        assert!(sum("ok 😡") < 0.0);
        assert_eq!(sum("My order number is 12"), 0.0);
    }

    #[test]
    fn the_list_follows_the_language() {
        assert_eq!(mood("die Lieferung", "de")[0], 0.0);
        assert!(mood("sehr enttäuscht", "de")[0] < 0.0);
        assert!(mood("je suis ravie", "fr")[0] > 0.0);
        assert!(mood("estoy encantado", "es")[0] > 0.0);
        assert!(mood("great", "fi")[0] > 0.0, "English stands in");
    }

    #[test]
    fn a_bad_list_is_refused() {
        assert!(Lexicon::parse("[emoji]\n[emoticons]\n").is_err());
        let bad = include_str!("data/sentiment_lexicon.toml").replace("\"-4\" =", "\"-9\" =");
        assert!(matches!(Lexicon::parse(&bad), Err(LexiconError::Strength(_))));
    }
}
