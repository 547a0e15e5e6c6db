//! Heads that were fitted before the program was built, on more than its own examples: weights that are part
//! of the program, for the one encoder that they were fitted on. With another encoder the heads are fitted on
//! the program's own examples when it starts, as ever.
//!
//! The file: `CSSH`, a version (u16), the length of the opening (u32), the opening as JSON, then for each head
//! in order its centre and its weights as 16-bit floats, little endian. `countersign train heads` writes it
//! ([`train`]); the cards are in `docs/model-cards`.

pub mod train;

use serde::{Deserialize, Serialize};

use super::features::BUCKETS;
use super::fit::features_version;
use super::injection::Whole;
use super::linalg::Matrix;
use super::linear::{Learner, Linear};
use super::spam::SpamHead;
use crate::nlp::half::{from_half, to_half};

/// The weights that are part of the program.
pub(super) static FILE: &[u8] = include_bytes!("../data/shipped.bin");

const MAGIC: &[u8; 4] = b"CSSH";
const VERSION: u16 = 1;

/// A weights file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ShippedError {
    /// Something else, or of another version.
    #[error("this is not a file of shipped heads")]
    Kind,
    /// Cut short or of impossible sizes.
    #[error("the file of shipped heads is damaged")]
    Damaged,
    /// Its opening is not readable.
    #[error("the file of shipped heads is damaged in its opening")]
    Opening(#[from] serde_json::Error),
}

/// What stands before the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Opening {
    /// The first digits of the SHA-256 of the encoder's weights.
    encoder: String,
    /// The word lists that features are made of.
    features: String,
    heads: Vec<Sizes>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sizes {
    task: String,
    dense: usize,
    classes: usize,
    /// From this score on a message is not ham, or is flagged.
    threshold: f32,
    /// How often it was right on rows that a fit without them read, 0–1.
    accuracy: f32,
}

/// One head of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub linear: Linear,
    pub threshold: f32,
    pub accuracy: f32,
}

/// The heads of the file.
#[derive(Debug)]
pub(super) struct Shipped {
    /// The spam head, and how often it was right on rows that a fit without them read.
    pub spam: (SpamHead, f32),
    /// What reads a message as one for injection.
    pub injection: Whole,
}

/// The heads that are part of the program, if they were fitted on this encoder and these word lists.
///
/// # Errors
/// When the embedded file is damaged, which a test rules out.
pub(super) fn shipped(encoder_id: &str) -> Result<Option<Shipped>, ShippedError> {
    if FILE.is_empty() {
        return Ok(None);
    }
    let (opening, entries) = read(FILE)?;
    if weights_of(encoder_id) != opening.encoder || features_version() != opening.features {
        return Ok(None);
    }
    let [spam, injection] = <[Entry; 2]>::try_from(entries).map_err(|_| ShippedError::Damaged)?;
    let learner = Learner::Linear(spam.linear);
    Ok(Some(Shipped {
        spam: (SpamHead { learner, threshold: spam.threshold }, spam.accuracy),
        injection: Whole::new(injection.linear, injection.threshold),
    }))
}

/// The part of an encoder's id that names its weights: `53aa5117` of `53aa5117/int8`.
fn weights_of(encoder_id: &str) -> &str {
    encoder_id.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default()
}

/// The bytes of a file of heads, in order: spam, injection.
fn write(encoder_id: &str, entries: &[(&str, Entry)]) -> Result<Vec<u8>, ShippedError> {
    let heads = entries.iter().map(|(task, entry)| Sizes {
        task: (*task).to_owned(),
        dense: entry.linear.centre.len(),
        classes: entry.linear.classes(),
        threshold: entry.threshold,
        accuracy: entry.accuracy,
    });
    let opening = Opening {
        encoder: weights_of(encoder_id).to_owned(),
        features: features_version(),
        heads: heads.collect(),
    };
    let json = serde_json::to_vec(&opening)?;
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((json.len() as u32).to_le_bytes());
    out.extend(json);
    for (_, entry) in entries {
        let values = entry.linear.centre.iter().chain(entry.linear.weights.values());
        out.extend(values.flat_map(|x| to_half(*x).to_le_bytes()));
    }
    Ok(out)
}

fn read(file: &[u8]) -> Result<(Opening, Vec<Entry>), ShippedError> {
    let rest = file.strip_prefix(MAGIC).ok_or(ShippedError::Kind)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(ShippedError::Damaged)?;
    if u16::from_le_bytes(*version) != VERSION {
        return Err(ShippedError::Kind);
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(ShippedError::Damaged)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (json, mut rest) = rest.split_at_checked(length).ok_or(ShippedError::Damaged)?;
    let opening: Opening = serde_json::from_slice(json)?;
    let mut entries = Vec::new();
    for sizes in &opening.heads {
        let width = sizes.dense.checked_add(BUCKETS + 1).ok_or(ShippedError::Damaged)?;
        let mut halves = |count: usize| -> Result<Vec<f32>, ShippedError> {
            let bytes = count.checked_mul(2).ok_or(ShippedError::Damaged)?;
            let (head, tail) = rest.split_at_checked(bytes).ok_or(ShippedError::Damaged)?;
            rest = tail;
            let pairs = head.as_chunks::<2>().0.iter();
            Ok(pairs.map(|pair| from_half(u16::from_le_bytes(*pair))).collect())
        };
        let centre = halves(sizes.dense)?;
        let count = width.checked_mul(sizes.classes).ok_or(ShippedError::Damaged)?;
        let linear = Matrix::from_values(width, halves(count)?)
            .and_then(|weights| Linear::new(centre, weights))
            .ok_or(ShippedError::Damaged)?;
        entries.push(Entry { linear, threshold: sizes.threshold, accuracy: sizes.accuracy });
    }
    if rest.is_empty() { Ok((opening, entries)) } else { Err(ShippedError::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_heads_are_for_the_pinned_encoder_and_these_word_lists() {
        let heads = shipped("53aa5117/int8").unwrap().unwrap();
        assert!(heads.spam.1 > 0.9);
        assert!(shipped("00000000/int8").unwrap().is_none());
    }

    #[test]
    fn a_file_comes_back_and_a_damaged_one_is_refused() {
        let mut weights = Matrix::zeros(2, 3 + BUCKETS + 1);
        weights.row_mut(1)[2] = 0.5;
        let linear = Linear::new(vec![0.25; 3], weights).unwrap();
        let entry = Entry { linear, threshold: 0.5, accuracy: 0.75 };
        let file = write("a@12345678/int8", &[("spam", entry.clone())]).unwrap();
        let (opening, entries) = read(&file).unwrap();
        assert_eq!((opening.encoder.as_str(), entries), ("12345678", vec![entry]));
        for cut in (0..file.len()).step_by(97) {
            assert!(read(&file[..cut]).is_err(), "{cut}");
        }
        assert!(read(&[file.as_slice(), b"x"].concat()).is_err());
    }
}
