//! Trained heads without the shipped ones: who asks for nothing else shouldn't wait for the rest.

use std::borrow::Cow;

use serde::Serialize;

use super::super::surface::{SurfaceError, SurfaceReader};
use super::super::taxonomy::Taxonomy;
use super::super::{HeadError, Input};
use super::head::{Head, Seen, features};
use super::task::Task;
use crate::domain::triage::{Intent, Sentiment, Spam};
use crate::domain::vectors::comparable;
use crate::nlp::encoder::Embed;

/// Heads that read whole messages: intent, sentiment, spam.
#[derive(Debug)]
pub struct Alone {
    surface: SurfaceReader,
    taxonomy: Taxonomy,
    heads: Vec<Head>,
}

/// What they say of one message, under the names of the wire form.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outputs {
    /// What the writer wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The mood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// Ham or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spam: Option<Spam>,
}

impl Alone {
    /// Whether heads of this task can do without the shipped ones.
    #[must_use]
    pub fn can(task: Task) -> bool {
        matches!(task, Task::Intent | Task::Sentiment | Task::Spam)
    }

    /// Takes heads of such tasks; others are left out.
    ///
    /// # Errors
    /// When a head was trained on another encoder or other word lists, or our word lists can't be read.
    pub fn new(
        heads: Vec<Head>,
        taxonomy: Taxonomy,
        embed: &dyn Embed,
    ) -> Result<Self, AloneError> {
        for head in &heads {
            head.check(embed.id())?;
        }
        let heads = heads.into_iter().filter(|head| Self::can(head.task())).collect();
        Ok(Self { surface: SurfaceReader::builtin()?, taxonomy, heads })
    }

    /// Encodes messages together and reads each, in order. Each by itself: what a message takes from its thread is
    /// not among it.
    #[must_use]
    pub fn read_batch(&self, inputs: &[Input<'_>], embed: &dyn Embed) -> Vec<Outputs> {
        let texts: Vec<Cow<'_, str>> = inputs.iter().map(Input::encoder_text).collect();
        let pieces: Vec<&str> = texts.iter().map(Cow::as_ref).collect();
        let encodings = embed.embed(&pieces);
        let surfaces: Vec<_> = pieces.iter().map(|text| self.surface.read(text, &[])).collect();
        let mut outputs = vec![Outputs::default(); encodings.len()];
        for head in &self.heads {
            let rows = surfaces.iter().zip(&encodings).map(|(surface, encoding)| {
                features(head.task(), &head.about.weights, &Seen::of(surface, encoding))
            });
            let probabilities = head.ridge.all_probabilities(rows.collect());
            for (i, (output, surface)) in outputs.iter_mut().zip(&surfaces).enumerate() {
                let (p, words) = (probabilities.row(i), !surface.part.words.is_empty());
                match head.task() {
                    Task::Intent => output.intent = head.intent_in(&self.taxonomy, p, words),
                    Task::Sentiment => output.sentiment = head.sentiment_of(p),
                    Task::Spam => output.spam = head.spam_of(p, words),
                    Task::Urgency | Task::Injection => {}
                }
            }
        }
        outputs
    }
}

/// Why trained heads can't work alone.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// A head that doesn't go with the encoder or the word lists.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A word list.
    #[error("a word list of the heads cannot be read")]
    Surface(#[from] SurfaceError),
}

impl Head {
    /// Whether the head goes with an encoder and with our word lists.
    ///
    /// # Errors
    /// Names what it doesn't go with.
    pub fn check(&self, encoder: &str) -> Result<(), HeadError> {
        let about = &self.about;
        if !comparable(&about.encoder, encoder) {
            return Err(HeadError::Encoder {
                head: about.name.clone(),
                wanted: about.encoder.clone(),
                found: encoder.to_owned(),
            });
        }
        if about.lists.as_ref().is_some_and(|lists| *lists != super::super::fit::lists_version()) {
            return Err(HeadError::Lists { head: about.name.clone() });
        }
        Ok(())
    }
}
