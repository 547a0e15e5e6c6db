//! Which language a message is in.
//!
//! Trigram detectors are good from a sentence on and guess wildly below ("order 48213 status??" is
//! Latin to them). Short messages are most of a shop's inbox, so here words decide first: function words
//! and the words a customer can't do without. The trigrams break ties and carry longer texts and all the
//! languages without a list. What gives no hold is `und`, not a guess.

use std::collections::BTreeMap;

use whatlang::{Detector, Lang, Script};

use super::words::{Phrases, Word};
use crate::domain::triage::{Language, LanguageCode, Probability};

/// From this many letters on the trigrams are trusted alone.
const LONG: usize = 120;
/// From this many letters on the trigrams have a vote.
const READABLE: usize = 24;
/// From this share of the listed words on that are English the trigrams needn't be asked: no other language that
/// they know is so like it.
const PLAIN: f32 = 0.8;
/// But only where this share of all words is listed: of names and numbers a few words say nothing.
const LISTED: f32 = 0.3;
/// More characters than this tell the trigrams nothing new.
const ENOUGH: usize = 2_000;

/// Letters that speak for a language as a word does.
const SIGNS: [(char, &str); 9] = [
    ('¿', "es"),
    ('¡', "es"),
    ('ñ', "es"),
    ('ß', "de"),
    ('ü', "de"),
    ('ö', "de"),
    ('ê', "fr"),
    ('œ', "fr"),
    ('ł', "pl"),
];

/// The word lists.
#[derive(Debug, Clone)]
pub struct LanguageHead {
    words: Phrases<usize>,
    codes: Vec<LanguageCode>,
    /// The place of English among the codes.
    english: Option<usize>,
    /// Trigrams of the languages with lists.
    detector: Detector,
}

/// A list that isn't one.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// Not a TOML table of strings.
    #[error("the word lists are not readable")]
    Syntax(#[from] toml::de::Error),
    /// A key that is not a language.
    #[error("the word lists name something that is no language")]
    Code(#[from] crate::domain::triage::TriageValueError),
}

impl LanguageHead {
    /// Reads the word lists: `code = "words"`.
    ///
    /// # Errors
    /// When the text isn't such a table.
    pub fn parse(text: &str) -> Result<Self, LanguageError> {
        let lists: BTreeMap<String, String> = toml::from_str(text)?;
        let mut words = Phrases::default();
        let mut codes = Vec::new();
        for (number, (code, list)) in lists.iter().enumerate() {
            codes.push(code.parse()?);
            for word in list.split_whitespace() {
                words.add(word, number);
            }
        }
        let listed =
            Lang::all().iter().copied().filter(|lang| codes.contains(&code_of(*lang))).collect();
        let english = codes.iter().position(|code| *code == LanguageCode::EN);
        Ok(Self { words, codes, english, detector: Detector::with_allowlist(listed) })
    }

    /// The language of a text; `words` are its words.
    #[must_use]
    pub fn detect(&self, text: &str, words: &[Word]) -> Language {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        if letters < 2 {
            return undetermined();
        }
        let text = start_of(text);
        // A script of its own settles it: Greek, Hangul, Thai … the trigrams read these right at any length.
        // Latin and Cyrillic are shared by many languages.
        let shared = whatlang::detect_script(text)
            .is_none_or(|s| matches!(s, Script::Latin | Script::Cyrillic));
        if !shared {
            return whatlang::detect(text).map_or_else(undetermined, |info| {
                language(code_of(info.lang()), 0.5 + 0.5 * info.confidence() as f32)
            });
        }
        let mut votes = self.votes(words);
        for (sign, code) in SIGNS {
            if let (true, Some(at)) =
                (text.contains(sign), self.codes.iter().position(|c| c.as_str() == code))
            {
                votes[at] += 1.0;
            }
        }
        let total: f32 = votes.iter().sum();
        let english = self.english.map_or(0.0, |at| votes[at]);
        if letters >= LONG && english >= total * PLAIN && total >= words.len() as f32 * LISTED {
            return self.by_words(&votes, total);
        }
        if letters >= LONG || total == 0.0 {
            let trigrams = whatlang::detect(text).filter(|_| letters >= READABLE);
            return match trigrams {
                Some(info) if info.is_reliable() => {
                    language(code_of(info.lang()), (info.confidence() as f32).max(0.7))
                }
                _ if total > 0.0 => self.by_words(&votes, total),
                Some(info) => language(code_of(info.lang()), info.confidence() as f32 * 0.5),
                None => undetermined(),
            };
        }
        // Between the languages with lists, the trigrams break ties and lend half a word's weight.
        if let Some(info) = self.detector.detect(text).filter(|_| letters >= READABLE / 2) {
            let code = code_of(info.lang());
            if let Some(at) = self.codes.iter().position(|c| *c == code) {
                votes[at] += 0.5 + 0.5 * info.confidence() as f32;
            }
        }
        self.by_words(&votes, total)
    }

    /// The language with the most votes; surer the clearer its lead and the more words spoke.
    fn by_words(&self, votes: &[f32], words: f32) -> Language {
        let best = super::calibrate::argmax(votes);
        let second = votes
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != best)
            .map(|(_, v)| *v)
            .fold(0.0, f32::max);
        let lead = (votes[best] - second) / votes[best].max(f32::MIN_POSITIVE);
        self.codes.get(best).map_or_else(undetermined, |code| {
            language(*code, (0.4 + 0.6 * lead) * (0.55 + 0.15 * words).min(1.0))
        })
    }

    /// For each language, its share of the words that are listed anywhere; a word listed for several
    /// languages is split between them.
    fn votes(&self, words: &[Word]) -> Vec<f32> {
        let mut votes = vec![0.0; self.codes.len()];
        let mut at = usize::MAX;
        let mut of_word: Vec<usize> = Vec::new();
        let mut count = |of_word: &mut Vec<usize>| {
            let part = 1.0 / of_word.len().max(1) as f32;
            for code in of_word.drain(..) {
                votes[code] += part;
            }
        };
        for hit in self.words.find(words) {
            if hit.first != at {
                count(&mut of_word);
                at = hit.first;
            }
            of_word.push(*hit.value);
        }
        count(&mut of_word);
        votes
    }
}

/// As much of a text as the trigrams need, cut at a character.
fn start_of(text: &str) -> &str {
    text.char_indices().nth(ENOUGH).map_or(text, |(at, _)| &text[..at])
}

fn language(code: LanguageCode, confidence: f32) -> Language {
    if code.is_known() {
        Language { code, confidence: Probability::clamped(confidence) }
    } else {
        undetermined()
    }
}

fn undetermined() -> Language {
    Language { code: LanguageCode::UND, confidence: Probability::clamped(0.0) }
}

/// ISO 639-1 for whatlang's ISO 639-3 codes.
fn code_of(lang: Lang) -> LanguageCode {
    let code = match lang {
        Lang::Eng => "en",
        Lang::Deu => "de",
        Lang::Spa => "es",
        Lang::Fra => "fr",
        Lang::Ita => "it",
        Lang::Por => "pt",
        Lang::Nld => "nl",
        Lang::Pol => "pl",
        Lang::Swe => "sv",
        Lang::Dan => "da",
        Lang::Nob => "nb",
        Lang::Fin => "fi",
        Lang::Ces => "cs",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Tur => "tr",
        Lang::Cat => "ca",
        Lang::Est => "et",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Vie => "vi",
        Lang::Ind => "id",
        Lang::Tgl => "tl",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Epo => "eo",
        Lang::Uzb => "uz",
        Lang::Tuk => "tk",
        Lang::Aze => "az",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Bel => "be",
        Lang::Bul => "bg",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Ara => "ar",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pes => "fa",
        Lang::Urd => "ur",
        Lang::Hin => "hi",
        Lang::Ben => "bn",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Mar => "mr",
        Lang::Guj => "gu",
        Lang::Pan => "pa",
        Lang::Mal => "ml",
        Lang::Kan => "kn",
        Lang::Ori => "or",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Tha => "th",
        Lang::Khm => "km",
        Lang::Mya => "my",
        Lang::Ell => "el",
        Lang::Kat => "ka",
        Lang::Hye => "hy",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Aka => "ak",
        _ => "und",
    };
    code.parse().unwrap_or(LanguageCode::UND)
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn detect(text: &str) -> (String, f32) {
        let head = LanguageHead::parse(include_str!("data/language.toml")).unwrap();
        let language = head.detect(text, &words(text));
        (language.code.to_string(), language.confidence.get())
    }

    #[test]
    fn short_messages() {
        let cases = [
            ("where is my order", "en"),
            ("order 48213 status??", "en"),
            ("refund please", "en"),
            ("Wo bleibt mein Paket?", "de"),
            ("Rechnung bitte", "de"),
            ("¿Dónde está mi pedido?", "es"),
            ("gracias", "es"),
            ("Où est mon colis ?", "fr"),
            ("merci !", "fr"),
            ("Dov'è il mio pacco?", "it"),
            ("waar blijft mijn pakket", "nl"),
            ("Где мой заказ?", "ru"),
            ("注文した商品が届きません", "ja"),
            ("내 주문은 어디에 있나요?", "ko"),
            ("أين طلبي؟", "ar"),
        ];
        for (text, code) in cases {
            let (found, confidence) = detect(text);
            assert_eq!(found, code, "{text}");
            assert!(confidence > 0.3, "{text}: {confidence}");
        }
    }

    #[test]
    fn nothing_to_go_by_is_undetermined() {
        for text in ["", "12345", "???", "asdfgh", "👍👍"] {
            assert_eq!(detect(text), ("und".to_owned(), 0.0), "{text}");
        }
    }

    #[test]
    fn a_longer_text_is_sure() {
        let (code, confidence) = detect(
            "Guten Tag, ich habe vor zwei Wochen einen Tisch bei Ihnen bestellt und bis heute keine Nachricht \
             bekommen, wann er geliefert wird. Können Sie mir bitte sagen, wie lange es noch dauert?",
        );
        assert_eq!(code, "de");
        assert!(confidence > 0.9);
        let (code, confidence) = detect(
            "Hello, I ordered a desk lamp three weeks ago and it still hasn't arrived. The tracking page has not \
             changed since Monday. Could you please tell me where it is, or send another one?",
        );
        assert_eq!(code, "en");
        assert!(confidence > 0.9);
        // Near to English, with words that are listed for it.
        let dutch = "Goedemorgen, de wasmachine die wij in maart bij u hebben gekocht maakt sinds dinsdag een \
                     rammelend geluid en het display blijft donker. Kunt u iemand sturen om er naar te kijken?";
        assert_eq!(detect(dutch).0, "nl");
        let danish = "Hej, jeg har bestilt en lampe for tre uger siden, og den er stadig ikke kommet. Kan I fortælle \
                      mig, hvor den er, eller sende en ny? Siden har ikke ændret sig siden i mandags.";
        assert_ne!(detect(danish).0, "en");
        assert_eq!(detect("Jag undrar när min beställning kommer fram").0, "sv");
    }
}
