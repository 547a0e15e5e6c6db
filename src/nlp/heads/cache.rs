//! Fitted heads as a file, so that a restart needn't encode a thousand examples again.
//!
//! The file opens with what it was fitted on: the encoder, the taxonomy, the example files. Heads of another
//! encoder would answer, only wrongly, so anything but an exact match is refused. Numbers are stored as their
//! bits; a head read back gives the same answers to the last digit.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calibrate::Bend;
use super::features::BUCKETS;
use super::injection::InjectionHead;
use super::intent::{IntentHead, Unseen};
use super::linalg::Matrix;
use super::linear::{Learner, Linear};
use super::ridge::Ridge;
use super::sentiment::SentimentHead;
use super::spam::SpamHead;
use super::{Fitted, FittedReport};
use crate::domain::triage::IntentLabel;

const MAGIC: &[u8; 8] = b"cs-head1";

/// What fitted heads depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Id of the encoder.
    pub encoder: String,
    /// Version of the taxonomy.
    pub taxonomy: String,
    /// Hash of the example files and phrase lists.
    pub heads: String,
}

/// Why a cache file isn't used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Not a file of this kind or version.
    #[error("not a file of fitted heads")]
    Kind,
    /// Fitted on another encoder, taxonomy or examples.
    #[error("the heads were fitted for {found:?}, not for {wanted:?}")]
    Other {
        /// What the file was fitted on.
        found: Box<Key>,
        /// What is in use.
        wanted: Box<Key>,
    },
    /// Cut short, changed, or of impossible sizes.
    #[error("the file of fitted heads is damaged")]
    Damaged,
    /// Its opening is not readable.
    #[error("the file of fitted heads is damaged in its opening")]
    Opening(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct Opening {
    key: Key,
    labels: Vec<IntentLabel>,
    unseen: (usize, f32, f32, f32, f32),
    accuracies: [f32; 3],
}

/// The bytes of a cache file.
///
/// # Errors
/// When the opening can't be written as JSON.
pub(super) fn encode(key: &Key, fitted: &Fitted) -> Result<Vec<u8>, CacheError> {
    let report = &fitted.report;
    let unseen = report.intent;
    let opening = Opening {
        key: key.clone(),
        labels: fitted.intent.labels.clone(),
        unseen: (
            unseen.examples,
            unseen.accuracy,
            unseen.abstained,
            unseen.accuracy_kept,
            unseen.calibration_error,
        ),
        accuracies: [report.sentiment, report.spam, report.injection],
    };
    let mut body = Vec::new();
    let json = serde_json::to_vec(&opening)?;
    put_count(&mut body, json.len());
    body.extend(json);
    let bend = fitted.intent.bend;
    let thresholds = [
        fitted.intent.threshold,
        fitted.spam.threshold,
        fitted.injection.flagged,
        bend.slope,
        bend.shift,
    ];
    put_floats(&mut body, &thresholds);
    put_floats(&mut body, &fitted.sentiment.cuts);
    for learner in [
        &fitted.intent.learner,
        &fitted.sentiment.learner,
        &fitted.spam.learner,
        &fitted.injection.learner,
    ] {
        match learner {
            Learner::Kernel(ridge) => {
                put_count(&mut body, 0);
                put_ridge(&mut body, ridge);
            }
            Learner::Linear(linear) => {
                put_count(&mut body, 1);
                put_floats(&mut body, &linear.centre);
                put_floats(&mut body, linear.weights.values());
            }
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(Sha256::digest(&body));
    bytes.extend(body);
    Ok(bytes)
}

/// Fitted heads from the bytes of a cache file.
///
/// # Errors
/// When the file is of another kind, for another key, or damaged.
pub(super) fn decode(bytes: &[u8], wanted: &Key) -> Result<Fitted, CacheError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(CacheError::Kind)?;
    let (digest, body) = rest.split_at_checked(32).ok_or(CacheError::Damaged)?;
    if Sha256::digest(body)[..] != *digest {
        return Err(CacheError::Damaged);
    }
    let mut reader = Reader { rest: body };
    let length = reader.count()?;
    let opening: Opening = serde_json::from_slice(reader.take(length)?)?;
    if opening.key != *wanted {
        return Err(CacheError::Other {
            found: Box::new(opening.key),
            wanted: Box::new(wanted.clone()),
        });
    }
    let thresholds = reader.floats()?;
    let [intent_threshold, spam_threshold, flagged, slope, shift] = thresholds[..] else {
        return Err(CacheError::Damaged);
    };
    let cuts = reader.floats()?;
    let (intent, sentiment, spam, injection) =
        (reader.learner()?, reader.learner()?, reader.learner()?, reader.learner()?);
    if intent.classes() != opening.labels.len()
        || cuts.len() + 1 != sentiment.classes()
        || !reader.rest.is_empty()
    {
        return Err(CacheError::Damaged);
    }
    let (examples, accuracy, abstained, accuracy_kept, calibration_error) = opening.unseen;
    let [sentiment_accuracy, spam_accuracy, injection_accuracy] = opening.accuracies;
    Ok(Fitted {
        intent: IntentHead {
            learner: intent,
            labels: opening.labels,
            threshold: intent_threshold,
            bend: Bend { slope, shift },
        },
        sentiment: SentimentHead { learner: sentiment, cuts },
        spam: SpamHead { learner: spam, threshold: spam_threshold },
        injection: InjectionHead { learner: injection, flagged },
        report: FittedReport {
            intent: Unseen { examples, accuracy, abstained, accuracy_kept, calibration_error },
            sentiment: sentiment_accuracy,
            spam: spam_accuracy,
            injection: injection_accuracy,
        },
    })
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend((count as u64).to_le_bytes());
}

fn put_floats(bytes: &mut Vec<u8>, values: &[f32]) {
    put_count(bytes, values.len());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

fn put_ridge(bytes: &mut Vec<u8>, ridge: &Ridge) {
    put_floats(bytes, &[ridge.gamma, ridge.scale]);
    put_floats(bytes, &ridge.centre);
    put_floats(bytes, ridge.dense.values());
    put_count(bytes, ridge.alpha.columns());
    put_floats(bytes, ridge.alpha.values());
    for row in &ridge.hashed {
        put_count(bytes, row.len());
        for (bucket, x) in row {
            bytes.extend(bucket.to_le_bytes());
            bytes.extend(x.to_le_bytes());
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], CacheError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CacheError::Damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn count(&mut self) -> Result<usize, CacheError> {
        let bytes = self.take(8)?.try_into().map_err(|_| CacheError::Damaged)?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| CacheError::Damaged)
    }

    fn floats(&mut self) -> Result<Vec<f32>, CacheError> {
        let count = self.count()?;
        let bytes = self.take(count.checked_mul(4).ok_or(CacheError::Damaged)?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    fn ridge(&mut self) -> Result<Ridge, CacheError> {
        let head = self.floats()?;
        let [gamma, scale] = head[..] else { return Err(CacheError::Damaged) };
        let centre = self.floats()?;
        let dense = Matrix::from_values(centre.len(), self.floats()?).ok_or(CacheError::Damaged)?;
        let classes = self.count()?;
        let alpha = Matrix::from_values(classes, self.floats()?).ok_or(CacheError::Damaged)?;
        let hashed = (0..dense.rows()).map(|_| self.hashed()).collect::<Result<Vec<_>, _>>()?;
        Ridge::from_parts((gamma, scale), centre, dense, hashed, alpha).ok_or(CacheError::Damaged)
    }

    fn learner(&mut self) -> Result<Learner, CacheError> {
        if self.count()? == 0 {
            return self.ridge().map(Learner::Kernel);
        }
        let (centre, values) = (self.floats()?, self.floats()?);
        Matrix::from_values(centre.len() + BUCKETS + 1, values)
            .and_then(|weights| Linear::new(centre, weights))
            .map(Learner::Linear)
            .ok_or(CacheError::Damaged)
    }

    fn hashed(&mut self) -> Result<Vec<(u16, f32)>, CacheError> {
        let count = self.count()?;
        let bytes = self.take(count.checked_mul(6).ok_or(CacheError::Damaged)?)?;
        let pairs = bytes.as_chunks::<6>().0.iter().map(|b| {
            let [b0, b1, x0, x1, x2, x3] = *b;
            (u16::from_le_bytes([b0, b1]), f32::from_le_bytes([x0, x1, x2, x3]))
        });
        let row: Vec<(u16, f32)> = pairs.collect();
        if row.iter().any(|(bucket, _)| usize::from(*bucket) >= BUCKETS) {
            return Err(CacheError::Damaged);
        }
        Ok(row)
    }
}
