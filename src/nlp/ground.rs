//! Step 10: is each sentence of a draft in its evidence? What can be checked exactly is: numbers,
//! links and addresses must stand in the cited passages, or the sentence is not supported, however
//! alike the words are. The rest is the share of the sentence's own words that the evidence has,
//! together with the likeness of its best sentence. A first version: it knows no paraphrase that
//! shares no word, and no negation.

mod courtesy;

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

pub use courtesy::{reads_as_courtesy, regrets_what_was_told};

use crate::domain::draft::{Passage, Sentence, SentenceRole};
use crate::nlp::encoder::Embed;
use crate::nlp::lexical::{is_function_word, terms};
use crate::nlp::sentence;

/// What the check says of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The evidence says it.
    Supported,
    /// The evidence says most of it.
    Inferred,
    /// The evidence doesn't say it.
    Unsupported,
    /// The evidence gives another figure in the same place.
    Contradicted,
}

/// One sentence's verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// The verdict.
    pub verdict: Verdict,
    /// How much of it is in the evidence, 0–1.
    pub score: f32,
}

/// The verdict over a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Grounding {
    /// The weakest statement's score, 0–1; 1 when nothing is stated.
    pub score: f32,
    /// One a sentence, in order; greetings count as supported.
    pub sentences: Vec<Checked>,
}

/// Share of own words from which a sentence counts as supported, and as inferred.
const SUPPORTED: f32 = 0.8;
const INFERRED: f32 = 0.55;
/// Cosine to the best sentence of the evidence that can carry a sentence with fewer shared words.
const ALIKE: f32 = 0.75;

/// Figures, links, e-mail addresses: what a customer acts on.
static FACTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)https?://[^\s<>)\]]+|[\w.+-]+@[\w-]+\.[\w.-]+|\d+(?:[.,:/-]\d+)*").ok()
});

fn facts(text: &str) -> HashSet<String> {
    let Some(pattern) = FACTS.as_ref() else { return HashSet::new() };
    pattern
        .find_iter(text)
        .map(|m| m.as_str().trim_end_matches(['.', ',', ':', '/', '-']).to_lowercase())
        .collect()
}

fn words(text: &str) -> HashSet<String> {
    terms(text).into_iter().filter(|t| !is_function_word(t)).collect()
}

/// Checks a draft's sentences against the passages that they cite.
pub fn check(embed: &dyn Embed, sentences: &[Sentence], passages: &[Passage]) -> Grounding {
    let checked: Vec<Checked> = sentences.iter().map(|s| one(embed, s, passages)).collect();
    let score = sentences
        .iter()
        .zip(&checked)
        .filter(|(s, _)| s.role == SentenceRole::Statement)
        .map(|(_, c)| c.score)
        .fold(1.0, f32::min);
    Grounding { score, sentences: checked }
}

fn one(embed: &dyn Embed, s: &Sentence, passages: &[Passage]) -> Checked {
    if s.role == SentenceRole::Courtesy {
        // A greeting that carries a figure or a link is no greeting.
        let plain = facts(&without_placeholders(&s.text)).is_empty();
        let verdict = if plain { Verdict::Supported } else { Verdict::Unsupported };
        return Checked { verdict, score: if plain { 1.0 } else { 0.0 } };
    }
    let cited: Vec<&str> = s
        .citations
        .iter()
        .filter_map(|n| passages.get(n.checked_sub(1)?))
        .map(|p| p.text.as_str())
        .collect();
    if cited.is_empty() {
        return Checked { verdict: Verdict::Unsupported, score: 0.0 };
    }
    let evidence = cited.join("\n");
    if evidence.contains(s.text.trim()) {
        return Checked { verdict: Verdict::Supported, score: 1.0 };
    }
    let (own, there) = (words(&s.text), words(&evidence));
    let shared = own.iter().filter(|w| there.contains(*w)).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    let overlap = if own.is_empty() { 1.0 } else { shared as f32 / own.len() as f32 };
    let missing = !facts(&without_placeholders(&s.text)).is_subset(&facts(&evidence));
    if missing {
        // The same words around another figure contradict; other words are just not there.
        let verdict = if overlap >= INFERRED { Verdict::Contradicted } else { Verdict::Unsupported };
        return Checked { verdict, score: overlap * 0.2 };
    }
    let verdict = if overlap >= SUPPORTED {
        Verdict::Supported
    } else if overlap >= INFERRED || likeness(embed, &s.text, &evidence) >= ALIKE {
        Verdict::Inferred
    } else {
        Verdict::Unsupported
    };
    Checked { verdict, score: overlap }
}

/// `<EMAIL_1>` stands for a value of the customer's own, not for a figure.
fn without_placeholders(text: &str) -> String {
    static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"<[A-Z_]+_\d+>").ok());
    MARK.as_ref().map_or_else(|| text.to_owned(), |m| m.replace_all(text, " ").into_owned())
}

fn likeness(embed: &dyn Embed, sentence: &str, evidence: &str) -> f32 {
    let mut texts = vec![sentence];
    texts.extend(sentence::sentences(evidence).into_iter().map(|r| &evidence[r]));
    let vectors = embed.embed(&texts);
    let Some((first, rest)) = vectors.split_first() else { return 0.0 };
    rest.iter()
        .map(|v| v.embedding.iter().zip(&first.embedding).map(|(a, b)| a * b).sum::<f32>())
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::masking::{Numbering, Outbound, PublicText};
    use crate::nlp::encoder::Encoding;

    struct Blind;
    impl Embed for Blind {
        fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
            texts.iter().map(|_| Encoding { embedding: vec![0.0], layer4: vec![0.0], tokens: 1 }).collect()
        }
        fn id(&self) -> &str {
            "blind"
        }
        fn dims(&self) -> usize {
            1
        }
    }

    fn verdict(sentence: Sentence) -> Verdict {
        let text = PublicText::new("You can return items within 30 days of delivery at https://help.shop.example/r.");
        let passage = Passage {
            id: "1".into(),
            source_id: "a".into(),
            title: String::new(),
            text: Outbound::from(&text).render(&Numbering::new()),
            score: 1.0,
            public: true,
        };
        check(&Blind, &[sentence], &[passage]).sentences[0].verdict
    }

    #[test]
    fn figures_and_links_must_stand_in_the_evidence() {
        let s = |t: &str, c: Vec<usize>| Sentence::statement("", t, c);
        assert_eq!(verdict(s("You can return items within 30 days of delivery.", vec![1])), Verdict::Supported);
        assert_eq!(verdict(s("You can return items within 60 days of delivery.", vec![1])), Verdict::Contradicted);
        assert_eq!(verdict(s("Return items within 30 days at https://evil.example/r", vec![1])), Verdict::Contradicted);
        assert_eq!(verdict(s("Our shop opens on Sundays.", vec![1])), Verdict::Unsupported);
        assert_eq!(verdict(s("You can return items within 30 days.", vec![])), Verdict::Unsupported);
        assert_eq!(verdict(s("You can return items within 30 days.", vec![9])), Verdict::Unsupported);
        assert_eq!(verdict(Sentence::courtesy("", "Hello <PERSON_1>,")), Verdict::Supported);
        assert_eq!(verdict(Sentence::courtesy("", "Call 555 0100!")), Verdict::Unsupported);
    }
}
