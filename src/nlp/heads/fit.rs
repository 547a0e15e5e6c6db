//! Fitting the heads on the examples that come with the program and on the taxonomy's.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::examples::Examples;
use super::injection::{self, InjectionHead};
use super::intent::IntentHead;
use super::ridge::RidgeError;
use super::sentiment::SentimentHead;
use super::shipped;
use super::spam::SpamHead;
use super::surface::{Surface, SurfaceReader};
use super::taxonomy::Taxonomy;
use super::{Fitted, FittedReport, TriageError};
use crate::domain::triage::{SentimentLabel, SpamLabel};
use crate::nlp::encoder::{Embed, Encoding};

pub(super) const SENTIMENT_EXAMPLES: &str = include_str!("data/sentiment.toml");
pub(super) const SPAM_EXAMPLES: &str = include_str!("data/spam.toml");
pub(super) const EVERYDAY_EXAMPLES: &str = include_str!("data/everyday.toml");
pub(super) const INJECTION_EXAMPLES: &str = include_str!("data/injection.toml");
/// Changes whenever the features or the learner change, so that old caches are refused.
const REVISION: &str = "2";

/// The intent whose examples are about anything else.
pub(super) const OFF_TOPIC: &str = "other";
/// One in so many of the taxonomy's examples serves the injection head as a benign one.
pub(super) const UTTERANCE_STEP: usize = 4;
/// One in so many serves a spam head as ham.
pub(super) const HAM_STEP: usize = 3;

/// The word lists that features are made of.
const LISTS: [&str; 5] = [
    include_str!("data/concepts.toml"),
    include_str!("data/injection_patterns.toml"),
    include_str!("data/language.toml"),
    include_str!("data/sentiment_lexicon.toml"),
    include_str!("data/spam_phrases.toml"),
];

/// Hash of the word lists that features are made of, 12 hex digits.
pub(super) fn features_version() -> String {
    hash(LISTS.iter().map(|list| list.as_bytes()))
}

/// Hash of everything the built-in heads are fitted on, 12 hex digits.
pub(super) fn heads_version() -> String {
    let others = [
        REVISION,
        SENTIMENT_EXAMPLES,
        SPAM_EXAMPLES,
        INJECTION_EXAMPLES,
        include_str!("data/auto_reply.toml"),
        include_str!("data/urgency.toml"),
    ];
    let texts = others.iter().chain(&LISTS).map(|text| text.as_bytes());
    hash(texts.chain([shipped::FILE]))
}

fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())[..12].to_owned()
}

/// Hash of the word lists that trained heads read, 12 hex digits.
pub(super) fn lists_version() -> String {
    let mut digest = Sha256::new();
    for part in [
        include_str!("data/concepts.toml"),
        include_str!("data/injection_patterns.toml"),
        INJECTION_EXAMPLES,
        include_str!("data/sentiment_lexicon.toml"),
        include_str!("data/spam_phrases.toml"),
    ] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())[..12].to_owned()
}

fn labels<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|label| name(*label)).collect()
}

/// Reads an example file that comes with the program.
pub(super) fn own(
    head: &'static str,
    text: &str,
    labels: &[&str],
) -> Result<Examples, TriageError> {
    Examples::parse(text, labels).map_err(|source| TriageError::Examples { head, source })
}

/// What customers of a service with this taxonomy say. Small talk is left out: offers to the service and tasks for a
/// bot are among it.
pub(super) fn utterances(taxonomy: &Taxonomy) -> impl Iterator<Item = &str> {
    let on_topic = taxonomy.intents().iter().filter(|i| i.name.as_str() != OFF_TOPIC);
    on_topic.flat_map(|i| i.examples.iter().map(String::as_str))
}

/// The example file of the spam head.
pub(super) fn spam_examples() -> Result<Examples, TriageError> {
    own("spam", SPAM_EXAMPLES, &labels(SpamLabel::ALL, SpamLabel::as_str))
}

/// The example file of the injection head.
pub(super) fn injection_examples() -> Result<Examples, TriageError> {
    own("injection", INJECTION_EXAMPLES, &injection::LABELS)
}

/// Messages with nothing hostile in them, for injection heads that are trained on somebody's data.
pub(super) fn everyday_examples() -> Result<Examples, TriageError> {
    own("injection", EVERYDAY_EXAMPLES, &injection::LABELS[..1])
}

/// The example file of the sentiment head.
pub(super) fn sentiment_examples() -> Result<Examples, TriageError> {
    own("sentiment", SENTIMENT_EXAMPLES, &labels(SentimentLabel::ALL, SentimentLabel::as_str))
}

fn failed(head: &'static str) -> impl Fn(RidgeError) -> TriageError {
    move |source| TriageError::Fit { head, source }
}

/// What the taxonomy's examples look like.
type Seen = (Vec<Surface>, Vec<Encoding>);

fn seen(texts: &[&str], reader: &SurfaceReader, embed: &dyn Embed) -> Seen {
    (texts.iter().map(|text| reader.read(text, &[])).collect(), embed.embed(texts))
}

fn texts(examples: &Examples) -> Vec<&str> {
    examples.texts.iter().map(String::as_str).collect()
}

pub(super) fn fit(
    taxonomy: &Taxonomy,
    reader: &SurfaceReader,
    embed: &dyn Embed,
) -> Result<Fitted, TriageError> {
    let utterances: Vec<&str> =
        taxonomy.intents().iter().flat_map(|i| &i.examples).map(String::as_str).collect();
    let utterances = seen(&utterances, reader, embed);
    let (intent, unseen) =
        IntentHead::fit(taxonomy, &utterances.0, &utterances.1).map_err(failed("intent"))?;

    let examples = sentiment_examples()?;
    let (surfaces, encodings) = seen(&texts(&examples), reader, embed);
    let (sentiment, sentiment_right) =
        SentimentHead::fit(&examples, &surfaces, &encodings).map_err(failed("sentiment"))?;

    let (spam, spam_right) = match shipped::shipped(embed.id())? {
        Some(shipped) => shipped.spam,
        None => own_spam(reader, embed)?,
    };
    let (injection, unseen_orders, orders) = own_injection(taxonomy, utterances, reader, embed)?;
    let right = unseen_orders.iter().zip(&orders.targets);
    let right = right.filter(|(p, target)| usize::from(**p > 0.5) == **target).count();

    let report = FittedReport {
        intent: unseen,
        sentiment: sentiment_right,
        spam: spam_right,
        injection: right as f32 / orders.targets.len() as f32,
    };
    Ok(Fitted { intent, sentiment, spam, injection, report })
}

/// The spam head on the program's own examples, and how often it is right.
fn own_spam(reader: &SurfaceReader, embed: &dyn Embed) -> Result<(SpamHead, f32), TriageError> {
    let examples = spam_examples()?;
    let (surfaces, encodings) = seen(&texts(&examples), reader, embed);
    SpamHead::fit(&examples, &surfaces, &encodings).map_err(failed("spam"))
}

/// The injection head by itself, for a service with this taxonomy; and for each of the program's own examples the
/// probability of an attack by a fit without it.
pub(super) fn injection_head(
    taxonomy: &Taxonomy,
    reader: &SurfaceReader,
    embed: &dyn Embed,
) -> Result<(InjectionHead, HashMap<String, f32>), TriageError> {
    let utterances: Vec<&str> =
        taxonomy.intents().iter().flat_map(|i| &i.examples).map(String::as_str).collect();
    let utterances = seen(&utterances, reader, embed);
    let (head, unseen, examples) = own_injection(taxonomy, utterances, reader, embed)?;
    Ok((head, examples.texts.into_iter().zip(unseen).collect()))
}

/// The injection head on the program's own examples, these, and for each the probability of an attack by a fit without
/// it.
fn own_injection(
    taxonomy: &Taxonomy,
    utterances: Seen,
    reader: &SurfaceReader,
    embed: &dyn Embed,
) -> Result<(InjectionHead, Vec<f32>, Examples), TriageError> {
    let mut examples = injection_examples()?;
    let (mut surfaces, mut encodings) = seen(&texts(&examples), reader, embed);
    // What customers of this very service say is benign too; small talk is left out, for it asks for poems.
    let topics = taxonomy
        .intents()
        .iter()
        .flat_map(|i| std::iter::repeat_n(i.name.as_str() != OFF_TOPIC, i.examples.len()));
    let utterances = utterances.0.into_iter().zip(utterances.1).zip(topics);
    for ((surface, encoding), _) in utterances.filter(|(_, on)| *on).step_by(UTTERANCE_STEP) {
        surfaces.push(surface);
        encodings.push(encoding);
        examples.targets.push(0);
    }
    let fitted = InjectionHead::fit(&examples, &surfaces, &encodings);
    let (head, unseen) = fitted.map_err(failed("injection"))?;
    Ok((head, unseen, examples))
}
