//! Messages that a machine wrote by itself: out-of-office notes, delivery reports, receipts that ask not to be
//! answered. Phrases alone, so that the reason can be said; headers are looked at where mail is parsed.

use std::collections::BTreeMap;

use super::words::{Phrases, Word};
use crate::domain::triage::{AutoReply, Cue};

/// Words from the beginning that are looked at: further down such a phrase is quoted or told of.
const OPENING: usize = 60;

/// The phrases.
#[derive(Debug)]
pub struct AutoPhrases {
    phrases: Phrases<usize>,
    kinds: Vec<String>,
}

impl AutoPhrases {
    /// The phrases that come with the program.
    ///
    /// # Errors
    /// When they can't be read, which a test rules out.
    pub fn builtin() -> Result<Self, toml::de::Error> {
        Self::parse(include_str!("data/auto_reply.toml"))
    }

    /// Reads `kind = "phrases"` in TOML.
    ///
    /// # Errors
    /// When the text is not such a table.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let lists: BTreeMap<String, String> = toml::from_str(text)?;
        let mut phrases = Phrases::default();
        for (number, list) in lists.values().enumerate() {
            phrases.add_list(list, &number);
        }
        Ok(Self { phrases, kinds: lists.into_keys().collect() })
    }

    /// Whether a machine wrote these words, and the phrases that say so.
    #[must_use]
    pub fn read(&self, words: &[Word]) -> AutoReply {
        let mut reasons: Vec<Cue> = Vec::new();
        for hit in self.phrases.find(&words[..words.len().min(OPENING)]) {
            let said: Vec<&str> =
                words[hit.first..][..hit.length].iter().map(|w| w.text.as_str()).collect();
            let kind = self.kinds.get(*hit.value).cloned().unwrap_or_default();
            let cue = Cue { kind, words: said.join(" ") };
            if !reasons.contains(&cue) {
                reasons.push(cue);
            }
        }
        AutoReply { is: !reasons.is_empty(), reasons }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn read(text: &str) -> AutoReply {
        AutoPhrases::parse(include_str!("data/auto_reply.toml")).unwrap().read(&words(text))
    }

    #[test]
    fn machines_are_told_by_what_they_say() {
        for (text, kind) in [
            ("Automatic reply: I am out of the office until Monday.", "out_of_office"),
            ("Ich bin bis 12. Mai nicht im Büro.", "out_of_office"),
            ("Estoy fuera de la oficina hasta el lunes", "out_of_office"),
            ("Je suis absent du bureau jusqu'au 3 juin", "out_of_office"),
            ("Estarei fora do escritório até segunda-feira", "out_of_office"),
            ("Delivery Status Notification (Failure)", "delivery_report"),
            ("This is an automated message, please do not reply to this email.", "no_reply"),
            ("Bitte antworten Sie nicht auf diese E-Mail.", "no_reply"),
        ] {
            let auto = read(text);
            assert!(auto.is && auto.reasons.iter().any(|r| r.kind == kind), "{text}: {auto:?}");
        }
    }

    #[test]
    fn people_are_not_machines() {
        for text in [
            "Nobody was at your office when I called.",
            "Please reply to this email as soon as you can.",
            "My delivery failed twice, what now?",
            "I am back from holiday and the parcel is gone.",
            "Can you set up an automatic reply for our inbox?",
            "",
        ] {
            assert!(!read(text).is, "{text}: {:?}", read(text));
        }
    }
}
