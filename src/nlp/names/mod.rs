//! Names of people, places and organisations, read off the token states of the encoder pass that
//! every message goes through anyway.
//!
//! A small network ([`network`]) looks at each word's state, at its shape ([`shape`]: the encoder
//! is uncased, so capitals, digits, line breaks and telling words near by come in here) and at two
//! words on either side; a constrained Viterbi pass ([`decode`]) makes spans of its verdicts, and
//! rules ([`rules`]) see to their edges and to a document's consistency with itself.
//!
//! The shipped weights are trained by [`train`] from messages that [`generate`] makes and from two
//! public corpora ([`corpus`]); `countersign train names` rebuilds them. The model card is
//! `docs/model-cards/names.md`.

pub mod corpus;
mod cues;
mod decode;
mod examples;
pub mod generate;
mod network;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
pub mod train;
mod weights;
mod words;

use std::borrow::Cow;

use self::decode::Label;
use self::network::{CLASSES, Network};
use self::shape::Fold;
use crate::domain::masking::{Entity, Span};
use crate::nlp::encoder::Reading;

pub use self::weights::WeightsError;

/// How many nats are taken off the verdict "no name" unless configured otherwise: rather a word
/// too many masked than a name missed.
pub const DEFAULT_BIAS: f32 = 1.0;

/// The weights that are part of the program.
static SHIPPED: &[u8] = include_bytes!("data/names.bin");

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// People, without their titles.
    Person,
    /// Countries, cities, streets, postal addresses.
    Location,
    /// Companies, institutions, bands, clubs.
    Organization,
}

impl Kind {
    /// All kinds, in the order of the network's labels.
    pub const ALL: [Kind; 3] = [Kind::Person, Kind::Location, Kind::Organization];

    /// The type of personal data.
    pub fn entity(self) -> Entity {
        match self {
            Kind::Person => Entity::PERSON,
            Kind::Location => Entity::LOCATION,
            Kind::Organization => Entity::ORGANIZATION,
        }
    }
}

/// A name in a text: bytes, half open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Name {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it names.
    pub kind: Kind,
    /// How sure the head is, 0–1: the mean over the words of the probability that the word is part
    /// of a name.
    pub score: f32,
}

/// The head. Made once, shared by all threads.
#[derive(Debug)]
pub struct NamesHead {
    network: Network,
    encoder: String,
}

impl NamesHead {
    /// The head that is part of the program, for the pinned encoder.
    ///
    /// # Errors
    /// [`WeightsError`] when the embedded file is damaged.
    pub fn shipped() -> Result<Self, WeightsError> {
        Self::parse(SHIPPED)
    }

    /// Reads a weights file, as [`train`] writes it.
    ///
    /// # Errors
    /// [`WeightsError`] says what is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Self, WeightsError> {
        let (parameters, encoder) = weights::read(file)?;
        Ok(Self { network: Network::new(&parameters), encoder })
    }

    /// The encoder whose states the head understands: name and hash of its weights, without the
    /// mode, as `all-MiniLM-L6-v2@53aa5117`.
    pub fn encoder(&self) -> &str {
        &self.encoder
    }

    /// Whether the head understands the states of this encoder: the same weights, whatever the mode
    /// and the folder's name.
    pub fn reads(&self, encoder_id: &str) -> bool {
        weights::hash(encoder_id) == weights::hash(&self.encoder)
    }

    /// The names in `text`, sorted and without overlaps, on character boundaries. `reading` is the
    /// encoder's of the same text. `bias` (nats, [`DEFAULT_BIAS`]) is taken off the verdict "no
    /// name": the higher, the more is found.
    pub fn find(&self, text: &str, reading: &Reading, bias: f32) -> Vec<Span> {
        self.names(text, reading, bias)
            .into_iter()
            .map(|n| Span {
                start: n.start,
                end: n.end,
                entity: n.kind.entity(),
                score: n.score,
                recognizer: Cow::Borrowed("names_head"),
            })
            .collect()
    }

    /// As [`find`](Self::find), in the head's own terms.
    pub fn names(&self, text: &str, reading: &Reading, bias: f32) -> Vec<Name> {
        self.names_as(text, reading, bias, Fold::None)
    }

    /// Finds as if the text were written in another case; offsets stay those of `text`.
    fn names_as(&self, text: &str, reading: &Reading, bias: f32, fold: Fold) -> Vec<Name> {
        let words = words::words(&reading.tokens);
        if words.is_empty() || !self.network.fits(reading) {
            return Vec::new();
        }
        let shapes = shape::shapes(text, &words, fold);
        let mut logits = self.network.run(&words, reading, &shapes);
        logits.iter_mut().for_each(|l| l[0] -= bias);
        let labels = decode::viterbi(&logits);
        let parts = decode::parts(&words, &logits, &labels);
        rules::finish(text, &words, &shapes, parts)
    }
}

/// Log-odds of one word's labels, in the order of [`Label::ALL`].
type Logits = [f32; CLASSES];

const _: () = assert!(Label::ALL.len() == CLASSES);
