//! What the words of a message say before any vector is looked at. Read once, used by every head.

use super::features::Concepts;
use super::language::{LanguageError, LanguageHead};
use super::lexicon::{Lexicon, LexiconError, MOODS};
use super::traits::Traits;
use super::words::{Word, words};
use crate::domain::triage::{Language, Probability};

/// Texts shorter than this many words take the thread's language when their own is unsure.
const SHORT: usize = 6;
/// Below this a language is unsure.
const UNSURE: f32 = 0.5;

/// A word list of this module that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SurfaceError {
    /// Concepts.
    #[error("the list of concepts")]
    Concepts(#[source] toml::de::Error),
    /// Families of spam words.
    #[error("the list of spam words")]
    Traits(#[source] toml::de::Error),
    /// Words of mood.
    #[error("the list of words of mood")]
    Lexicon(#[from] LexiconError),
    /// Words of languages.
    #[error("the lists of languages")]
    Language(#[from] LanguageError),
}

/// A message's words.
#[derive(Debug, Clone)]
pub struct SurfacePart {
    /// Its words.
    pub words: Vec<Word>,
    /// 1 for each concept present.
    pub concepts: Vec<f32>,
}

/// A message's surface.
#[derive(Debug, Clone)]
pub struct Surface {
    /// Words and concepts.
    pub part: SurfacePart,
    /// Its language.
    pub language: Language,
    /// Words of mood.
    pub moods: [f32; MOODS],
    /// Marks and families of unasked-for mail.
    pub traits: Vec<f32>,
}

/// Every word list.
#[derive(Debug)]
pub struct SurfaceReader {
    concepts: Concepts,
    lexicon: Lexicon,
    traits: Traits,
    languages: LanguageHead,
}

impl SurfaceReader {
    /// Reads the lists that come with the program.
    ///
    /// # Errors
    /// When one of them is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, SurfaceError> {
        Ok(Self {
            concepts: Concepts::parse(include_str!("data/concepts.toml"))
                .map_err(SurfaceError::Concepts)?,
            lexicon: Lexicon::parse(include_str!("data/sentiment_lexicon.toml"))?,
            traits: Traits::parse(include_str!("data/spam_phrases.toml"))
                .map_err(SurfaceError::Traits)?,
            languages: LanguageHead::parse(include_str!("data/language.toml"))?,
        })
    }

    /// The surface of a text. `history` holds earlier messages of the thread, the latest last; a short answer
    /// whose language is unsure is taken to be in theirs.
    #[must_use]
    pub fn read(&self, text: &str, history: &[&str]) -> Surface {
        let words = words(text);
        let mut language = self.languages.detect(text, &words);
        if language.confidence.get() < UNSURE
            && words.len() < SHORT
            && let Some(latest) = history.last()
        {
            let theirs = self.languages.detect(latest, &self::words(latest));
            if theirs.code.is_known() {
                let confidence = Probability::clamped(theirs.confidence.get() * 0.8);
                language = Language { code: theirs.code, confidence };
            }
        }
        Surface {
            moods: self.lexicon.read(text, &words, language.code),
            traits: self.traits.read(text, &words),
            language,
            part: SurfacePart { concepts: self.concepts.read(&words), words },
        }
    }

    /// The words of each concept: its number, the first word, how many.
    #[must_use]
    pub fn concept_places(&self, words: &[Word]) -> Vec<(usize, usize, usize)> {
        self.concepts.places(words)
    }

    /// The mood of each word.
    #[must_use]
    pub fn moods(&self, surface: &Surface) -> Vec<f32> {
        self.lexicon.moods(&surface.part.words, surface.language.code)
    }

    /// 1 for each concept that these words hold.
    #[must_use]
    pub fn concepts(&self, words: &[Word]) -> Vec<f32> {
        self.concepts.read(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_lists_hold_and_history_settles_the_language() {
        let reader = SurfaceReader::builtin().unwrap();
        let thread = "Wo bleibt meine Bestellung? Ich warte seit zehn Tagen auf mein Paket.";
        assert_eq!(reader.read("4711 X", &[thread]).language.code.as_str(), "de");
        assert_eq!(reader.read("4711 X", &[]).language.code.as_str(), "und");
        assert_eq!(reader.read("Where is my order now?", &[thread]).language.code.as_str(), "en");
    }
}
