//! Triage: what a message is about and how it should be treated, read off one encoder pass.
//!
//! A head is a small learner on top of the frozen encoder. Most are fitted when the service starts, on example
//! files that a person can read and change (`data/`, and the team's own taxonomy), and kept in a cache file. Two are
//! fitted on public sets besides, and their weights are part of the program, for the pinned encoder only
//! ([`shipped`]): spam, and the half of injection that reads a message as one.
//!
//! ```text
//! text ─ surface  words, language, concepts, words of mood, marks of spam
//!      ─ encoder  embedding, layer 4                                 ┐
//!                                     intent · sentiment · injection ┼ kernel ridge (ridge.rs)
//!                                     spam · injection               ┘ logistic regression (linear.rs)
//!                                     urgency                          rules on all of these
//! ```
//!
//! [`Triage::classify_reading`] is a pure function of the message and its one encoder pass. [`Triage::read`] makes
//! the pass, and encodes sentences that look like an order to the model by themselves, which is what finds one
//! inside an honest letter.

mod auto;
mod cache;
mod calibrate;
mod evidence;
mod examples;
mod features;
mod fit;
mod hierarchy;
mod injection;
mod input;
mod intent;
mod language;
pub mod learn;
mod lexicon;
mod linalg;
mod linear;
mod logistic;
mod mentions;
pub mod own;
mod patterns;
mod places;
mod read;
mod ridge;
mod sentiment;
pub mod shipped;
mod spam;
mod summary;
mod surface;
pub mod taxonomy;
#[cfg(test)]
mod tests;
pub mod trained;
mod traits;
mod urgency;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cache::{CacheError, Key};
pub use input::Input;
pub use intent::Unseen;
pub use linalg::Matrix;
pub use read::{LOOK_BACK, beginning, may_look_back};
pub use taxonomy::{IntentSpec, Taxonomy, TaxonomyError};

use crate::domain::triage::Versions;
use crate::nlp::encoder::Embed;
use crate::nlp::mask::MaskerError;
use auto::AutoPhrases;
use examples::ExamplesError;
use injection::{InjectionHead, Whole};
use intent::IntentHead;
use mentions::Mentions;
use patterns::{InjectionPatterns, PatternError};
use ridge::RidgeError;
use sentiment::SentimentHead;
use spam::SpamHead;
use surface::{SurfaceError, SurfaceReader};
use trained::{Head, Task};
use urgency::{UrgencyError, UrgencyRules};

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
    /// The phrases of automatic messages.
    #[error("the phrases of automatic messages cannot be read")]
    Auto(#[source] toml::de::Error),
    /// The recognizers of order numbers and dates.
    #[error("the recognizers of order numbers and dates cannot be made")]
    Mentions(#[from] MaskerError),
    /// The shipped weights.
    #[error("the shipped heads cannot be read")]
    Shipped(#[from] shipped::ShippedError),
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

/// A trained head that doesn't go with what reads the messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Its features come from another encoder.
    #[error(
        "the head {head} was trained on the encoder {wanted}, and {found} is in use: train it again"
    )]
    Encoder {
        /// The head.
        head: String,
        /// Its encoder.
        wanted: String,
        /// The one in use.
        found: String,
    },
    /// Its features come from other word lists.
    #[error("the head {head} reads word lists of another version of the program: train it again")]
    Lists {
        /// The head.
        head: String,
    },
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
/// Cheap to clone: all that is large is shared, so that each tenant may have heads of its own.
#[derive(Debug, Clone)]
pub struct Triage {
    taxonomy: Arc<Taxonomy>,
    surface: Arc<SurfaceReader>,
    patterns: Arc<InjectionPatterns>,
    urgency: Arc<UrgencyRules>,
    auto: Arc<AutoPhrases>,
    mentions: Arc<Mentions>,
    fitted: Arc<Fitted>,
    /// Stands beside the fitted head for injection, where it goes with the encoder.
    whole: Option<Arc<Whole>>,
    versions: Versions,
    cache: Arc<CacheState>,
    /// Heads that a team trained, in the place of the fitted ones.
    trained: BTreeMap<Task, Arc<Head>>,
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
            heads: fit::heads_version(),
        };
        let read =
            cache.map(|path| std::fs::read(path).ok().map(|bytes| cache::decode(&bytes, &key)));
        let (fitted, cache_state) = match (read, cache) {
            (Some(Some(Ok(fitted))), _) => (fitted, CacheState::Read),
            (refused, path) => {
                let fitted = fit::fit(&taxonomy, &surface, embed)?;
                let refused = refused.flatten().and_then(Result::err);
                let state =
                    path.map_or(CacheState::Off, |path| store(path, &key, &fitted, refused));
                (fitted, state)
            }
        };
        let versions = Versions { encoder: key.encoder, taxonomy: key.taxonomy, heads: key.heads };
        Ok(Self {
            mentions: Arc::new(Mentions::new(&taxonomy)?),
            auto: Arc::new(AutoPhrases::builtin().map_err(TriageError::Auto)?),
            taxonomy: Arc::new(taxonomy),
            surface: Arc::new(surface),
            patterns: Arc::new(InjectionPatterns::builtin()?),
            urgency: Arc::new(UrgencyRules::builtin()?),
            fitted: Arc::new(fitted),
            whole: shipped::shipped(embed.id())?.map(|shipped| Arc::new(shipped.injection)),
            versions,
            cache: Arc::new(cache_state),
            trained: BTreeMap::new(),
        })
    }

    /// Puts a trained head in the place of the shipped one of its task, or of one put there before.
    ///
    /// # Errors
    /// When it was trained on another encoder, or reads word lists that are no longer these.
    pub fn with_head(mut self, head: Head) -> Result<Self, HeadError> {
        head.check(&self.versions.encoder)?;
        let about = head.about();
        if about.task == Task::Intent {
            self.versions.taxonomy.clone_from(&about.name);
        } else {
            self.versions.heads = format!("{}+{}", self.versions.heads, about.name);
        }
        self.trained.insert(about.task, Arc::new(head));
        Ok(self)
    }

    /// The same heads with one that was learnt from corrections in the place of its task's. Its labels are those
    /// of the taxonomy, which stays; `versions.heads` names it.
    ///
    /// # Errors
    /// As [`Triage::with_head`].
    pub fn learnt(&self, head: Arc<Head>) -> Result<Self, HeadError> {
        head.check(&self.versions.encoder)?;
        let mut other = self.clone();
        other.versions.heads = format!("{}+{}", other.versions.heads, head.about().name);
        other.trained.insert(head.task(), head);
        Ok(other)
    }

    /// The same heads with the built-in one of a task, whatever was put in its place.
    #[must_use]
    pub fn without_trained(&self, task: Task) -> Self {
        let mut other = self.clone();
        other.trained.remove(&task);
        other
    }

    /// The trained head of a task, if one was put in.
    #[must_use]
    pub fn trained(&self, task: Task) -> Option<&Head> {
        self.trained.get(&task).map(Arc::as_ref)
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
