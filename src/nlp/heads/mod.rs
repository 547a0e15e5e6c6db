//! Triage: what a message is about and how it should be treated, read off one encoder pass.
//!
//! A head is a small learner on top of the frozen encoder. Each is fitted when the service starts, on example
//! files that a person can read and change (`data/`, and the team's own taxonomy), and kept in a cache file.
//! There is no other model file to ship, to trust or to fall out of step with the encoder.
//!
//! ```text
//! text ─ surface  words, language, concepts, words of mood, marks of spam
//!      ─ encoder  embedding, layer 4                                        ┐
//!                                     intent · sentiment · spam · injection ┴ kernel ridge (ridge.rs)
//!                                     urgency                                 rules on all of these
//! ```
//!
//! [`Triage::classify`] is a pure function of the message and its encoding. [`Triage::read`] encodes too, the
//! sentences of longer messages included, which is what finds an order to the model inside an honest letter.

mod cache;
mod calibrate;
mod examples;
mod features;
mod injection;
mod intent;
mod language;
mod lexicon;
mod linalg;
pub mod logistic;
mod ridge;
mod sentiment;
mod spam;
mod surface;
pub mod taxonomy;
#[cfg(test)]
mod tests;
mod traits;
mod urgency;
mod words;

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use cache::{CacheError, Key};
pub use intent::Unseen;
pub use linalg::Matrix;
pub use taxonomy::{IntentSpec, Taxonomy, TaxonomyError};

use crate::domain::triage::{Analysis, SentimentLabel, SpamLabel, Versions};
use crate::nlp::encoder::{Embed, Encoding};
use examples::{Examples, ExamplesError};
use injection::{InjectionHead, InjectionPatterns, Part, PatternError};
use intent::IntentHead;
use ridge::RidgeError;
use sentiment::SentimentHead;
use spam::SpamHead;
use surface::{Surface, SurfaceError, SurfaceReader};
use urgency::{Context, UrgencyError, UrgencyRules};

const SENTIMENT_EXAMPLES: &str = include_str!("data/sentiment.toml");
const SPAM_EXAMPLES: &str = include_str!("data/spam.toml");
const INJECTION_EXAMPLES: &str = include_str!("data/injection.toml");
/// Changes whenever the features or the learner change, so that old caches are refused.
const REVISION: &str = "1";

/// The intent whose examples are about anything else.
const OFF_TOPIC: &str = "other";
/// One in so many of the taxonomy's examples serves the injection head as a benign one.
const UTTERANCE_STEP: usize = 4;

/// The taxonomy that comes with the program.
pub const DEFAULT_TAXONOMY: &str = include_str!("../../../prompts/taxonomy/default.toml");

/// Why the heads can't be made ready.
#[derive(Debug, thiserror::Error)]
pub enum TriageError {
    /// A word list.
    #[error("a word list of the heads cannot be read")]
    Surface(#[from] SurfaceError),
    /// The urgent phrases.
    #[error("the urgent phrases cannot be read")]
    Urgency(#[from] UrgencyError),
    /// The injection patterns.
    #[error("the injection patterns cannot be read")]
    Patterns(#[from] PatternError),
    /// An example file.
    #[error("the examples of the {head} head cannot be read")]
    Examples {
        /// Which head.
        head: &'static str,
        /// What is wrong.
        #[source]
        source: ExamplesError,
    },
    /// Examples that can't be fitted.
    #[error("the {head} head cannot be fitted")]
    Fit {
        /// Which head.
        head: &'static str,
        /// What is wrong.
        #[source]
        source: RidgeError,
    },
}

/// A message as the heads read it: the rendered visible text, without quotes and signature.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// The subject line, where the channel has one.
    pub subject: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// Earlier messages of the thread, the latest last. They settle the language of a short answer.
    pub history: &'a [&'a str],
}

impl<'a> Input<'a> {
    /// A text without subject and history.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text, ..Self::default() }
    }

    /// What to hand to the encoder: the subject (without "Re:" and the like, and unless the text opens with it)
    /// on a line of its own, then the text.
    #[must_use]
    pub fn encoder_text(&self) -> Cow<'a, str> {
        let subject = self
            .subject
            .map(bare_subject)
            .filter(|s| !s.is_empty() && !self.text.trim_start().starts_with(s));
        match subject {
            Some(subject) => Cow::Owned(format!("{subject}\n{}", self.text)),
            None => Cow::Borrowed(self.text),
        }
    }
}

/// A subject without the marks that replies and forwards put before it, in several languages.
fn bare_subject(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((mark, tail)) = rest.split_once(':') {
        let known = [
            "re", "fwd", "fw", "aw", "wg", "antw", "rv", "tr", "ref", "sv", "vs", "rif", "enc",
            "res",
        ];
        if !known.contains(&mark.trim().to_lowercase().as_str()) {
            break;
        }
        rest = tail.trim_start();
    }
    rest
}

/// What became of the cache file.
#[derive(Debug)]
pub enum CacheState {
    /// None was asked for.
    Off,
    /// The heads were read from it.
    Read,
    /// The heads were fitted and written to it; `refused` says why what was there wasn't used.
    Written {
        /// Absent when there was no file.
        refused: Option<CacheError>,
    },
    /// The heads were fitted, but the file couldn't be written. The service runs; the next start fits again.
    Unwritable(std::io::Error),
}

/// Accuracy of each head on its own examples, each scored by a fit without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedReport {
    /// Intent, with abstention.
    pub intent: Unseen,
    /// Share of examples whose label of five was right.
    pub sentiment: f32,
    /// Share of examples whose label of four was right (before the conservative threshold).
    pub spam: f32,
    /// Share of example sentences told apart.
    pub injection: f32,
}

/// The fitted heads.
#[derive(Debug, PartialEq)]
struct Fitted {
    intent: IntentHead,
    sentiment: SentimentHead,
    spam: SpamHead,
    injection: InjectionHead,
    report: FittedReport,
}

/// All heads, ready to read messages. `Send + Sync`, meant to be shared.
#[derive(Debug)]
pub struct Triage {
    taxonomy: Taxonomy,
    surface: SurfaceReader,
    patterns: InjectionPatterns,
    urgency: UrgencyRules,
    fitted: Fitted,
    versions: Versions,
    cache: CacheState,
}

impl Triage {
    /// Makes the heads ready for an encoder: reads them from the cache file if it was fitted on exactly this
    /// encoder, taxonomy and examples, otherwise encodes the examples, fits, and writes the file.
    ///
    /// # Errors
    /// When the examples can't be fitted. A cache file that can't be used or written is no error, see
    /// [`Triage::cache_state`].
    pub fn load(
        taxonomy: Taxonomy,
        embed: &dyn Embed,
        cache: Option<&Path>,
    ) -> Result<Self, TriageError> {
        let surface = SurfaceReader::builtin()?;
        let key = Key {
            encoder: embed.id().to_owned(),
            taxonomy: taxonomy.version().to_owned(),
            heads: heads_version(),
        };
        let read =
            cache.map(|path| std::fs::read(path).ok().map(|bytes| cache::decode(&bytes, &key)));
        let (fitted, cache_state) = match (read, cache) {
            (Some(Some(Ok(fitted))), _) => (fitted, CacheState::Read),
            (refused, path) => {
                let fitted = fit(&taxonomy, &surface, embed)?;
                let refused = refused.flatten().and_then(Result::err);
                let state =
                    path.map_or(CacheState::Off, |path| store(path, &key, &fitted, refused));
                (fitted, state)
            }
        };
        let versions = Versions { encoder: key.encoder, taxonomy: key.taxonomy, heads: key.heads };
        Ok(Self {
            taxonomy,
            surface,
            patterns: InjectionPatterns::builtin()?,
            urgency: UrgencyRules::builtin()?,
            fitted,
            versions,
            cache: cache_state,
        })
    }

    /// The taxonomy in use.
    #[must_use]
    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// What made these heads.
    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// How the heads do on examples they didn't see.
    #[must_use]
    pub fn report(&self) -> &FittedReport {
        &self.fitted.report
    }

    /// Whether the heads came from the cache file.
    #[must_use]
    pub fn cache_state(&self) -> &CacheState {
        &self.cache
    }

    /// The confidence below which the intent head abstains.
    #[must_use]
    pub fn intent_threshold(&self) -> f32 {
        self.fitted.intent.threshold
    }

    /// Analyses a message whose [`Input::encoder_text`] was encoded as `encoding`. Pure. Injected orders are
    /// looked for in the message as a whole; with the sentences' encodings see [`Triage::classify_with`].
    #[must_use]
    pub fn classify(&self, input: &Input<'_>, encoding: &Encoding) -> Analysis {
        self.classify_with(input, encoding, &[])
    }

    /// The parts of [`Input::encoder_text`] to encode for [`Triage::classify_with`], as byte ranges. Empty
    /// when the message is one sentence.
    #[must_use]
    pub fn sentences(&self, input: &Input<'_>) -> Vec<Range<usize>> {
        injection::sentences(&input.encoder_text())
    }

    /// Analyses a message with the encodings of its [`Triage::sentences`], in their order. Pure.
    #[must_use]
    pub fn classify_with(
        &self,
        input: &Input<'_>,
        encoding: &Encoding,
        sentences: &[Encoding],
    ) -> Analysis {
        let text = input.encoder_text();
        let surface = self.surface.read(&text, input.history);
        let intent = self.fitted.intent.classify(&surface, encoding);
        let sentiment = self.fitted.sentiment.classify(&surface, encoding);
        let spam = self.fitted.spam.classify(&surface, encoding);
        let priority = (!intent.abstained)
            .then(|| self.taxonomy.get(&intent.label))
            .flatten()
            .map(|spec| (spec.priority, spec.name.as_str()));
        let urgency = self
            .urgency
            .judge(&surface.part.words, &Context { priority, sentiment: &sentiment, spam: &spam });
        let parts = self.parts(&text, sentences);
        let injection =
            self.fitted.injection.classify(self.patterns.read(&text), (&surface, encoding), &parts);
        Analysis {
            intent,
            sentiment,
            urgency,
            language: surface.language,
            spam,
            injection,
            versions: self.versions.clone(),
        }
    }

    /// Encodes a message and its sentences, and analyses it. `None` when the encoder gives nothing.
    #[must_use]
    pub fn read(&self, input: &Input<'_>, embed: &dyn Embed) -> Option<Analysis> {
        self.read_batch(std::slice::from_ref(input), embed).pop()
    }

    /// Encodes messages and their sentences in one batch and analyses each, in order.
    #[must_use]
    pub fn read_batch(&self, inputs: &[Input<'_>], embed: &dyn Embed) -> Vec<Analysis> {
        let texts: Vec<Cow<'_, str>> = inputs.iter().map(Input::encoder_text).collect();
        let mut pieces: Vec<&str> = Vec::new();
        let mut counts = Vec::with_capacity(inputs.len());
        for text in &texts {
            let before = pieces.len();
            pieces.push(text);
            pieces.extend(injection::sentences(text).into_iter().map(|range| &text[range]));
            counts.push(pieces.len() - before);
        }
        let encodings = embed.embed(&pieces);
        let mut rest = encodings.as_slice();
        let mut analyses = Vec::with_capacity(inputs.len());
        for (input, count) in inputs.iter().zip(counts) {
            let Some((own, others)) = rest.split_at_checked(count) else { break };
            rest = others;
            if let Some((whole, sentences)) = own.split_first() {
                analyses.push(self.classify_with(input, whole, sentences));
            }
        }
        analyses
    }

    fn parts<'a>(&self, text: &str, sentences: &'a [Encoding]) -> Vec<Part<'a>> {
        if sentences.is_empty() {
            return Vec::new();
        }
        let ranges = injection::sentences(text);
        ranges
            .into_iter()
            .zip(sentences)
            .map(|(range, encoding)| Part {
                surface: self.surface.read_part(&text[range]),
                encoding,
            })
            .collect()
    }
}

/// Hash of everything the built-in heads are fitted on, 12 hex digits.
fn heads_version() -> String {
    let mut digest = Sha256::new();
    for part in [
        REVISION,
        SENTIMENT_EXAMPLES,
        SPAM_EXAMPLES,
        INJECTION_EXAMPLES,
        include_str!("data/concepts.toml"),
        include_str!("data/injection_patterns.toml"),
        include_str!("data/language.toml"),
        include_str!("data/sentiment_lexicon.toml"),
        include_str!("data/spam_phrases.toml"),
        include_str!("data/urgency.toml"),
    ] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())[..12].to_owned()
}

fn labels<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|label| name(*label)).collect()
}

fn fit(
    taxonomy: &Taxonomy,
    reader: &SurfaceReader,
    embed: &dyn Embed,
) -> Result<Fitted, TriageError> {
    let read = |texts: &[&str]| -> (Vec<Surface>, Vec<Encoding>) {
        (texts.iter().map(|text| reader.read(text, &[])).collect(), embed.embed(texts))
    };
    let parse = |head, text, labels: &[&str]| {
        Examples::parse(text, labels).map_err(|source| TriageError::Examples { head, source })
    };
    let failed = |head| move |source| TriageError::Fit { head, source };
    fn texts(examples: &Examples) -> Vec<&str> {
        examples.texts.iter().map(String::as_str).collect()
    }

    let utterances: Vec<&str> =
        taxonomy.intents().iter().flat_map(|i| &i.examples).map(String::as_str).collect();
    let (utterance_surfaces, utterance_encodings) = read(&utterances);
    let (intent, unseen) = IntentHead::fit(taxonomy, &utterance_surfaces, &utterance_encodings)
        .map_err(failed("intent"))?;

    let examples = parse(
        "sentiment",
        SENTIMENT_EXAMPLES,
        &labels(SentimentLabel::ALL, SentimentLabel::as_str),
    )?;
    let (surfaces, encodings) = read(&texts(&examples));
    let (sentiment, sentiment_right) =
        SentimentHead::fit(&examples, &surfaces, &encodings).map_err(failed("sentiment"))?;

    let examples = parse("spam", SPAM_EXAMPLES, &labels(SpamLabel::ALL, SpamLabel::as_str))?;
    let (surfaces, encodings) = read(&texts(&examples));
    let (spam, spam_right) =
        SpamHead::fit(&examples, &surfaces, &encodings).map_err(failed("spam"))?;

    let mut examples = parse("injection", INJECTION_EXAMPLES, &injection::LABELS)?;
    let (mut surfaces, mut encodings) = read(&texts(&examples));
    // What customers of this very service say is benign too; small talk is left out, for it asks for poems.
    let topics = taxonomy
        .intents()
        .iter()
        .flat_map(|i| std::iter::repeat_n(i.name.as_str() != OFF_TOPIC, i.examples.len()));
    let utterances =
        utterance_surfaces.into_iter().zip(utterance_encodings).zip(topics).filter(|(_, on)| *on);
    for ((surface, encoding), _) in utterances.step_by(UTTERANCE_STEP) {
        surfaces.push(surface);
        encodings.push(encoding);
        examples.targets.push(0);
    }
    let (injection, injection_right) =
        InjectionHead::fit(&examples, &surfaces, &encodings).map_err(failed("injection"))?;

    let report = FittedReport {
        intent: unseen,
        sentiment: sentiment_right,
        spam: spam_right,
        injection: injection_right,
    };
    Ok(Fitted { intent, sentiment, spam, injection, report })
}

/// Writes the cache beside its place and moves it there, so that a reader never meets half a file.
fn store(path: &Path, key: &Key, fitted: &Fitted, refused: Option<CacheError>) -> CacheState {
    let write = || -> std::io::Result<()> {
        let bytes = cache::encode(key, fitted).map_err(std::io::Error::other)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.tmp", std::process::id()));
        let aside = PathBuf::from(aside);
        std::fs::write(&aside, bytes)?;
        std::fs::rename(&aside, path)
    };
    match write() {
        Ok(()) => CacheState::Written { refused },
        Err(error) => CacheState::Unwritable(error),
    }
}
