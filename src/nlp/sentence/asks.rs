//! Finds what a customer asks: the questions and requests of a message, each alone, because a mail often has three and
//! an answer to one of them is not an answer.

use super::sentences;
use crate::nlp::lexical::{keywords, terms};

/// Questions that are looked up; what comes after is left to the reviewer with the rest of the message.
const MAX_ASKS: usize = 6;
/// Fewest keywords that make a sentence worth looking up.
const MIN_KEYWORDS: usize = 1;
/// Fewest keywords that make a question clear without the sentence in front of it.
const SELF_CONTAINED: usize = 2;

/// One thing that the customer wants to know or to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// In the customer's words.
    pub text: String,
    /// Wants to be told how, so steps are an answer.
    pub wants_steps: bool,
}

/// What a message holds for a drafter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asks {
    /// In the order of the message.
    pub asks: Vec<Ask>,
    /// Something is asked in so many words; otherwise what the message tells is taken as one ask.
    pub explicit: bool,
    /// Nothing is asked and the customer says thanks or praises.
    pub only_thanks: bool,
}

/// First words of questions that may lack their mark; as terms, in en, de, es, fr, it, pt, nl.
const QUESTION_WORDS: &[&str] = &[
    "how", "what", "when", "where", "which", "who", "why", "can", "could", "do", "does", "is",
    "are", "will", "would", "may", "whats", "wheres", "wie", "was", "wann", "wo", "welche",
    "welcher", "welches", "wer", "warum", "kann", "konnen", "konnten", "gibt", "como", "que",
    "cuando", "donde", "cual", "cuanto", "cuanta", "puedo", "pueden", "hay", "comment", "quand",
    "ou", "quel", "quelle", "combien", "puis", "pouvez", "est", "come", "cosa", "quando", "dove",
    "quale", "quanto", "posso", "potete", "qual", "onde", "quais", "podem", "hoe", "wat",
    "wanneer", "waar", "welke", "kan", "kunnen", "kun",
];

/// Words that make a sentence a request, as terms or runs of terms.
const REQUESTS: &[&str] = &[
    "please",
    "want to",
    "would like",
    "also like",
    "like to",
    "d like",
    "need to",
    "need a",
    "looking for",
    "wondering",
    "want my",
    "want a",
    "wish to",
    "tell me",
    "let me know",
    "send me",
    "help me",
    "explain",
    "trying to",
    "not sure",
    "question about",
    "bitte",
    "mochte",
    "mochten",
    "hatte gern",
    "hatte gerne",
    "brauche",
    "wurde gern",
    "frage mich",
    "suche",
    "will",
    "por favor",
    "quiero",
    "quisiera",
    "necesito",
    "me gustaria",
    "querria",
    "s il vous plait",
    "voudrais",
    "souhaite",
    "souhaiterais",
    "aimerais",
    "besoin",
    "faudrait",
    "per favore",
    "vorrei",
    "ho bisogno",
    "mi serve",
    "gostaria",
    "preciso",
    "queria",
    "alstublieft",
    "wil graag",
    "zou graag",
    "graag",
    "nodig",
    "ik wil",
];

/// How thanks and praise sound, as terms.
const THANKS: &[&str] = &[
    "thank",
    "thanks",
    "great",
    "love",
    "lovely",
    "perfect",
    "brilliant",
    "excellent",
    "wonderful",
    "amazing",
    "danke",
    "vielen dank",
    "super",
    "toll",
    "gracias",
    "genial",
    "excelente",
    "merci",
    "parfait",
    "grazie",
    "perfetto",
    "obrigado",
    "obrigada",
    "bedankt",
    "dank",
    "geweldig",
];

/// Words in a question that stand for something named before it.
const POINTING_BACK: &[&str] = &[
    "it", "them", "this", "that", "these", "those", "one", "das", "es", "sie", "ihn", "diese",
    "dieses", "dies", "lo", "los", "la", "las", "eso", "esto", "le", "les", "cela", "celui",
    "questo", "questa", "li", "isso", "isto", "het", "die", "dit", "dat", "deze",
];

/// How answers that are steps are asked for.
const STEPS: &[&str] = &[
    "how do",
    "how can",
    "how to",
    "how should",
    "what do i",
    "what should",
    "where do i",
    "steps",
    "wie kann",
    "wie geht",
    "wie mache",
    "was muss",
    "wie schicke",
    "como puedo",
    "como hago",
    "que debo",
    "comment faire",
    "comment puis",
    "comment",
    "come posso",
    "come faccio",
    "como posso",
    "hoe kan",
    "hoe moet",
    "wat moet",
];

/// Splits a message, given without quotes and signature. A message that asks nothing in so many words, but tells of something, is one ask as a whole: "my
/// parcel never came" wants an answer.
#[must_use]
pub fn split(message: &str, subject: Option<&str>) -> Asks {
    let found = sentences(message);
    let told: Vec<&str> =
        found.iter().map(|r| &message[r.clone()]).filter(|s| !is_frame(s)).collect();
    let mut asks: Vec<Ask> = Vec::new();
    for (i, sentence) in told.iter().enumerate() {
        if !asks_something(sentence) {
            continue;
        }
        // "How do I send them back?" is about what the sentence in front of it names.
        let alone = keywords(sentence).len() >= SELF_CONTAINED && !has_any(sentence, POINTING_BACK);
        let text = match told.get(i.wrapping_sub(1)) {
            Some(before) if !alone && !asks_something(before) => format!("{before} {sentence}"),
            _ => (*sentence).to_owned(),
        };
        if keywords(&text).len() >= MIN_KEYWORDS {
            let wants_steps = has_any(&text, STEPS);
            asks.push(Ask { text, wants_steps });
        }
    }
    if asks.is_empty() {
        let thanks = told.iter().any(|s| has_any(s, THANKS));
        let statement = whole(&told, subject);
        if thanks && told.iter().all(|s| has_any(s, THANKS) || keywords(s).len() <= 3) {
            return Asks { only_thanks: true, ..Asks::default() };
        }
        asks.extend(statement.map(|text| Ask { text, wants_steps: false }));
        return Asks { asks, ..Asks::default() };
    }
    asks.truncate(MAX_ASKS);
    Asks { asks, explicit: true, only_thanks: false }
}

/// A message without questions as one: its subject and what it tells, as long as an encoder reads in one go.
fn whole(told: &[&str], subject: Option<&str>) -> Option<String> {
    let text = subject.into_iter().chain(told.iter().copied()).collect::<Vec<_>>().join(" ");
    let end = text.char_indices().nth(600).map_or(text.len(), |(at, _)| at);
    let text = text[..end].trim().to_owned();
    (keywords(&text).len() >= MIN_KEYWORDS).then_some(text)
}

fn asks_something(sentence: &str) -> bool {
    if sentence.trim_end_matches(['"', '”', ')', '!', ' ']).ends_with(['?', '？', '؟']) {
        return true;
    }
    let words = terms(sentence);
    let starts = words.first().is_some_and(|w| QUESTION_WORDS.contains(&w.as_str()));
    (starts && words.len() >= 3) || has_any(sentence, REQUESTS)
}

/// Greetings, closings, names, addresses: what stands around a message.
fn is_frame(sentence: &str) -> bool {
    let words = terms(sentence);
    words.is_empty()
        || crate::nlp::ground::reads_as_courtesy(sentence)
        || keywords(sentence).is_empty()
}

/// Whether any of `phrases` stands in the text as whole words.
fn has_any(text: &str, phrases: &[&str]) -> bool {
    let joined = format!(" {} ", terms(text).join(" "));
    phrases.iter().any(|phrase| {
        joined.match_indices(phrase).any(|(at, _)| {
            joined[..at].ends_with(' ') && joined[at + phrase.len()..].starts_with(' ')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> Vec<String> {
        split(message, None).asks.into_iter().map(|a| a.text).collect()
    }

    #[test]
    fn each_question_is_found_and_the_frame_is_not() {
        let message = "Hello,\n\nI bought the Fell boots. How do I send them back, and who pays?\nI would also like an invoice.\n\nKind regards\n<PERSON_1>";
        let asks = [
            // "them" needs the sentence in front of it.
            "I bought the Fell boots. How do I send them back, and who pays?",
            "I would also like an invoice.",
        ];
        assert_eq!(texts(message), asks);
        assert!(split("How can I pay?", None).asks[0].wants_steps);
    }

    #[test]
    fn a_bare_question_takes_its_context_along() {
        assert_eq!(
            texts("I lost my voucher code. Is that a problem?"),
            ["I lost my voucher code. Is that a problem?"]
        );
    }

    #[test]
    fn a_complaint_without_a_question_is_one_ask() {
        let asks =
            split("my parcel says DELIVERED but there is nothing here", Some("Parcel LF-2046"));
        assert_eq!(
            asks.asks[0].text,
            "Parcel LF-2046 my parcel says DELIVERED but there is nothing here"
        );
    }

    #[test]
    fn thanks_and_noise_ask_nothing() {
        assert!(split("Thank you so much, the boots are great!", None).only_thanks);
        assert_eq!(split("??", None), Asks::default());
        assert_eq!(split("hello", None), Asks::default());
        assert!(texts("Wo finde ich die Rechnung").len() == 1);
    }
}
