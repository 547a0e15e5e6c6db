//! Finds what a customer asks: the questions and requests of a message, each alone, because a mail often has three and
//! an answer to one of them is not an answer.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::sentences;
use crate::nlp::lexical::{keywords_among, terms};

/// Questions that are looked up; what comes after is left to the reviewer with the rest of the message.
const MAX_ASKS: usize = 6;
/// Fewest keywords that make a message worth looking up.
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
static REQUESTS: LazyLock<Runs> = LazyLock::new(|| {
    Runs::of(&[
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
        "vous plait",
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
    ])
});

/// How thanks and praise sound, as terms.
static THANKS: LazyLock<Runs> = LazyLock::new(|| {
    Runs::of(&[
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
    ])
});

/// Words in a question that stand for something named before it.
static POINTING_BACK: LazyLock<Runs> = LazyLock::new(|| {
    Runs::of(&[
        "it", "them", "this", "that", "these", "those", "one", "das", "es", "sie", "ihn", "diese",
        "dieses", "dies", "lo", "los", "la", "las", "eso", "esto", "le", "les", "cela", "celui",
        "questo", "questa", "li", "isso", "isto", "het", "die", "dit", "dat", "deze",
    ])
});

/// How answers that are steps are asked for.
static STEPS: LazyLock<Runs> = LazyLock::new(|| {
    Runs::of(&[
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
    ])
});

/// Splits a message, given without quotes and signature. A message that asks nothing in so many words, but tells of
/// something, is one ask as a whole: "my parcel never came" wants an answer.
#[must_use]
pub fn split(message: &str, subject: Option<&str>) -> Asks {
    let told: Vec<Sentence<'_>> = told(message).collect();
    let before = |i: usize| i.checked_sub(1).and_then(|i| told.get(i));
    let each = told.iter().enumerate();
    let mut asks: Vec<Ask> = each.filter_map(|(i, s)| ask_of(s, before(i))).collect();
    if asks.is_empty() {
        if is_only_thanks(&told) {
            return Asks { only_thanks: true, ..Asks::default() };
        }
        asks.extend(whole(&told, subject).map(|text| Ask { text, wants_steps: false }));
        return Asks { asks, ..Asks::default() };
    }
    asks.truncate(MAX_ASKS);
    Asks { asks, explicit: true, only_thanks: false }
}

/// The first ask of [`split`], read no further than it takes.
#[must_use]
pub fn first(message: &str) -> Option<String> {
    let mut read: Vec<Sentence<'_>> = Vec::new();
    for sentence in told(message) {
        if let Some(ask) = ask_of(&sentence, read.last()) {
            return Some(ask.text);
        }
        read.push(sentence);
    }
    if is_only_thanks(&read) { None } else { whole(&read, None) }
}

fn is_only_thanks(told: &[Sentence<'_>]) -> bool {
    let thanks = |s: &Sentence<'_>| THANKS.are_in(&s.terms);
    told.iter().any(thanks) && told.iter().all(|s| thanks(s) || s.keywords() <= 3)
}

/// A sentence with its terms, which all lists are compared with.
struct Sentence<'a> {
    text: &'a str,
    terms: Vec<String>,
}

impl<'a> Sentence<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, terms: terms(text) }
    }

    /// How many words it holds that say what it is about.
    fn keywords(&self) -> usize {
        keywords_among(&self.terms).len()
    }

    /// Greetings, closings, names, addresses: what stands around a message.
    fn is_frame(&self) -> bool {
        self.terms.is_empty()
            || self.keywords() == 0
            || crate::nlp::ground::reads_as_courtesy(self.text)
    }

    fn asks(&self) -> bool {
        if self.text.trim_end_matches(['"', '”', ')', '!', ' ']).ends_with(['?', '？', '؟']) {
            return true;
        }
        let starts = self.terms.first().is_some_and(|w| QUESTION_WORDS.contains(&w.as_str()));
        (starts && self.terms.len() >= 3) || REQUESTS.are_in(&self.terms)
    }

    /// Whether it is clear without the sentence in front of it: "How do I send them back?" is about what that names.
    fn stands_alone(&self) -> bool {
        self.keywords() >= SELF_CONTAINED && !POINTING_BACK.are_in(&self.terms)
    }
}

/// What a message tells and asks, without what stands around it.
fn told(message: &str) -> impl Iterator<Item = Sentence<'_>> {
    let sentences = sentences(message).into_iter().map(|r| Sentence::of(&message[r]));
    sentences.filter(|s| !s.is_frame())
}

/// What a sentence asks, if it does, after the one in front of it.
fn ask_of(sentence: &Sentence<'_>, before: Option<&Sentence<'_>>) -> Option<Ask> {
    if !sentence.asks() {
        return None;
    }
    let before = before.filter(|before| !sentence.stands_alone() && !before.asks());
    let text = match before {
        Some(before) => format!("{} {}", before.text, sentence.text),
        None => sentence.text.to_owned(),
    };
    let mut parts = before.into_iter().chain([sentence]);
    Some(Ask { text, wants_steps: parts.any(|part| STEPS.are_in(&part.terms)) })
}

/// A message without questions as one: its subject and what it tells, as long as an encoder reads in one go.
fn whole(told: &[Sentence<'_>], subject: Option<&str>) -> Option<String> {
    let parts = subject.into_iter().chain(told.iter().map(|s| s.text));
    let text = parts.collect::<Vec<_>>().join(" ");
    let end = text.char_indices().nth(600).map_or(text.len(), |(at, _)| at);
    let text = text[..end].trim().to_owned();
    (keywords_among(&terms(&text)).len() >= MIN_KEYWORDS).then_some(text)
}

/// Words and runs of words, found by the first of each.
struct Runs(HashMap<&'static str, Vec<Vec<&'static str>>>);

impl Runs {
    fn of(list: &[&'static str]) -> Self {
        let mut by_first: HashMap<&str, Vec<Vec<&str>>> = HashMap::new();
        for phrase in list {
            let mut words = phrase.split(' ');
            if let Some(first) = words.next() {
                by_first.entry(first).or_default().push(words.collect());
            }
        }
        Self(by_first)
    }

    /// Whether any of them is among the terms.
    fn are_in(&self, terms: &[String]) -> bool {
        terms.iter().enumerate().any(|(at, term)| {
            let rest = &terms[at + 1..];
            self.0.get(term.as_str()).into_iter().flatten().any(|more| {
                more.len() <= rest.len() && more.iter().zip(rest).all(|(word, term)| word == term)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn the_first_ask_is_that_of_all(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("Hello,"), Just("Kind regards"), Just("Thank you, the boots are great!"),
                    Just("I bought the Fell boots."), Just("How do I send them back?"),
                    Just("Can I pay by card?"), Just("My parcel never came."), Just("Danke!"), Just("??"),
                ],
                0..6,
            ),
        ) {
            let text = parts.join(" ");
            let all = split(&text, None);
            prop_assert_eq!(first(&text), all.asks.first().map(|ask| ask.text.clone()));
        }
    }

    #[test]
    fn runs_of_words_are_found_as_a_whole_only() {
        let are_in = |text: &str| REQUESTS.are_in(&terms(text));
        assert!(
            are_in("Please do")
                && are_in("I'd very much like to know")
                && are_in("S'il vous plaît")
        );
        assert!(!are_in("I like too many") && !are_in("the tell") && !are_in(""));
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
