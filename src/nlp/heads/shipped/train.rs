//! Fits the heads that are shipped: `countersign train heads`.
//!
//! Each is logistic regression on the features of the head that is fitted at start, on the program's own
//! examples and on public sets whose licence allows it. Figures come from five folds: each row is judged by a
//! fit that didn't see it, nor others of its group (an attack's kind), and the threshold is set on these.

use serde_json::{Value, json};

use super::{Entry, ShippedError, write};
use crate::domain::triage::SpamLabel;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::features::{BUCKETS, Features};
use crate::nlp::heads::fit::{HAM_STEP, UTTERANCE_STEP, spam_examples, utterances};
use crate::nlp::heads::injection::{self, Score};
use crate::nlp::heads::linalg::{Matrix, add_scaled};
use crate::nlp::heads::linear::Linear;
use crate::nlp::heads::logistic::{Logistic, LogisticError, LogisticOptions};
use crate::nlp::heads::surface::SurfaceReader;
use crate::nlp::heads::trained::{
    BuiltIn, Example as Labelled, FitError as TextError, Task, Texts, own_injection,
};
use crate::nlp::heads::{Taxonomy, TriageError, spam};

/// Penalties on the weights; chosen on the folds.
const SPAM_L2: f32 = 3e-5;
const INJECTION_L2: f32 = 3e-4;
/// Parts into which rows are split.
const FOLDS: usize = 5;
/// Share of ham that may be taken for something else when the threshold is set.
const HAM_LOST: f32 = 0.002;
/// Share of benign look-alikes that may be flagged when the threshold is set.
const BENIGN_FLAGGED: f32 = 0.03;
/// How often one of our own examples counts beside a row of a public set.
const OWN: f32 = 3.0;
/// Texts encoded at a time.
const TOGETHER: usize = 64;

/// One row of a public set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The text.
    pub text: String,
    /// Spam, or an attack.
    pub positive: bool,
    /// What must not be on both sides of a split.
    pub group: String,
}

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The program's own examples.
    #[error(transparent)]
    Own(#[from] TriageError),
    /// The fit.
    #[error("the rows can't be fitted")]
    Fit(#[from] LogisticError),
    /// The messages.
    #[error("the messages can't be read")]
    Texts(#[from] TextError),
    /// The file.
    #[error(transparent)]
    File(#[from] ShippedError),
}

/// One thing to learn from.
struct Example {
    features: Features,
    target: usize,
    weight: f32,
    fold: usize,
}

/// Fits both heads; the file, and the figures as JSON.
///
/// # Errors
/// [`TrainError`].
pub fn train(
    embed: &dyn Embed,
    taxonomy: &Taxonomy,
    messages: &[Row],
    orders: &[Row],
) -> Result<(Vec<u8>, Value), TrainError> {
    let reader = SurfaceReader::builtin().map_err(TriageError::from)?;
    let utterances: Vec<&str> = utterances(taxonomy).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let trainer = Trainer {
        embed,
        reader: &reader,
        utterances: &utterances,
        options: LogisticOptions { threads, iterations: 120, ..LogisticOptions::default() },
    };
    let (spam, spam_figures) = trainer.with_penalty(SPAM_L2).spam(messages)?;
    let (injection, injection_figures) = trainer.with_penalty(INJECTION_L2).injection(orders)?;
    let file = write(embed.id(), &[("spam", spam), ("injection", injection)])?;
    Ok((file, json!({"spam": spam_figures, "injection": injection_figures})))
}

struct Trainer<'a> {
    embed: &'a dyn Embed,
    reader: &'a SurfaceReader,
    utterances: &'a [&'a str],
    options: LogisticOptions,
}

impl Trainer<'_> {
    fn with_penalty(&self, l2: f32) -> Self {
        Self { options: LogisticOptions { l2, ..self.options.clone() }, ..*self }
    }

    fn spam(&self, rows: &[Row]) -> Result<(Entry, Value), TrainError> {
        let own = spam_examples()?;
        let mut texts: Vec<(&str, usize, f32)> =
            rows.iter().map(|row| (row.text.as_str(), usize::from(row.positive), 1.0)).collect();
        texts.extend(
            own.texts.iter().zip(&own.targets).map(|(t, target)| (t.as_str(), *target, OWN)),
        );
        texts.extend(self.utterances.iter().step_by(HAM_STEP).map(|t| (*t, 0, 1.0)));
        let mut examples = Vec::with_capacity(texts.len());
        for (start, some) in texts.chunks(TOGETHER).enumerate() {
            let only: Vec<&str> = some.iter().map(|(text, ..)| *text).collect();
            for (at, (encoding, (text, target, weight))) in
                self.embed.embed(&only).iter().zip(some).enumerate()
            {
                let surface = self.reader.read(text, &[]);
                examples.push(Example {
                    features: spam::features(&surface, encoding),
                    target: *target,
                    weight: *weight,
                    fold: (start * TOGETHER + at) % FOLDS,
                });
            }
        }
        let classes = SpamLabel::ALL.len();
        let unseen = self.unseen(&examples, classes)?;
        let scores: Vec<f32> = unseen.iter().map(|p| 1.0 - p[0]).collect();
        let judged: Vec<(f32, bool)> =
            scores.iter().zip(&examples).map(|(s, e)| (*s, e.target != 0)).collect();
        let threshold = threshold(&judged, HAM_LOST).max(0.5);
        let public = Counts::of(&judged[..rows.len()], threshold);
        let ours = Counts::of(&judged[rows.len()..], threshold);
        let linear = self.fit(&examples, classes, |_| true)?;
        let figures = json!({"rows": examples.len(), "threshold": threshold,
            "public": public.figures(), "own": ours.figures()});
        Ok((Entry { linear, threshold, accuracy: public.accuracy() }, figures))
    }

    /// Messages as a whole; the figures are those of the mean with the head that is fitted at start.
    fn injection(&self, rows: &[Row]) -> Result<(Entry, Value), TrainError> {
        let label = |attack: bool| injection::LABELS[usize::from(attack)].to_owned();
        let mut given: Vec<Labelled> = rows
            .iter()
            .map(|row| Labelled { text: row.text.clone(), label: label(row.positive) })
            .collect();
        given.extend(own_injection()?);
        let utterances = self.utterances.iter().step_by(UTTERANCE_STEP);
        given.extend(utterances.map(|t| Labelled { text: (*t).to_owned(), label: label(false) }));
        let texts = Texts::new(Task::Injection, injection::WHOLE, None, self.embed)?;
        let (features, built_in) = texts.read(&given, &|_| ())?;
        let mut groups: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        let fold = |number: usize| match rows.get(number) {
            Some(row) => groups.partition_point(|group| *group < row.group.as_str()) % FOLDS,
            None => number % FOLDS,
        };
        let mut examples: Vec<Example> = features
            .into_iter()
            .zip(&given)
            .enumerate()
            .map(|(number, (features, example))| Example {
                features,
                target: usize::from(example.label == injection::LABELS[1]),
                weight: 1.0,
                fold: fold(number),
            })
            .collect();
        balance(&mut examples);
        let unseen = self.unseen(&examples, 2)?;
        let score = |whole: f32, built_in: BuiltIn| match built_in {
            BuiltIn::Injection(score) => Score { whole: Some(whole), ..score }.joint(),
            BuiltIn::Spam(score) => score,
        };
        let judged: Vec<(f32, bool)> = unseen
            .iter()
            .zip(&built_in)
            .zip(&examples)
            .map(|((p, built_in), example)| (score(p[1], *built_in), example.target == 1))
            .collect();
        let (public, ours) = judged.split_at(rows.len());
        let threshold = threshold(public, BENIGN_FLAGGED);
        let (public, ours) = (Counts::of(public, threshold), Counts::of(ours, threshold));
        let linear = self.fit(&examples, 2, |_| true)?;
        let figures = json!({"rows": examples.len(), "threshold": threshold,
            "public": public.figures(), "own": ours.figures()});
        Ok((Entry { linear, threshold, accuracy: public.accuracy() }, figures))
    }

    /// For each example the probabilities by a fit without its fold.
    fn unseen(&self, examples: &[Example], classes: usize) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut unseen = vec![Vec::new(); examples.len()];
        for fold in 0..FOLDS {
            let linear = self.fit(examples, classes, |example| example.fold != fold)?;
            for (example, slot) in examples.iter().zip(&mut unseen) {
                if example.fold == fold {
                    *slot = linear.probabilities(example.features.clone());
                }
            }
        }
        Ok(unseen)
    }

    fn fit(
        &self,
        examples: &[Example],
        classes: usize,
        wanted: impl Fn(&Example) -> bool,
    ) -> Result<Linear, TrainError> {
        let used: Vec<&Example> = examples.iter().filter(|example| wanted(example)).collect();
        let dense = used.first().map_or(0, |example| example.features.dense.len());
        let mut centre = vec![0.0; dense];
        for example in &used {
            add_scaled(&mut centre, 1.0 / used.len() as f32, &example.features.dense);
        }
        let mut rows = Matrix::zeros(used.len(), dense + BUCKETS);
        for (number, example) in used.iter().enumerate() {
            let mut features = example.features.clone();
            features.centre_and_normalise(&centre);
            let (left, right) = rows.row_mut(number).split_at_mut(dense);
            left.copy_from_slice(&features.dense);
            for (bucket, x) in features.hashed {
                right[usize::from(bucket)] = x;
            }
        }
        let targets: Vec<usize> = used.iter().map(|example| example.target).collect();
        let weights: Vec<f32> = used.iter().map(|example| example.weight).collect();
        let head = Logistic::fit(&rows, &targets, Some(&weights), classes, &self.options)?;
        Linear::new(centre, head.parameters().clone())
            .ok_or(TrainError::Fit(LogisticError::NotFinite))
    }
}

/// Gives both classes the same weight in sum.
fn balance(examples: &mut [Example]) {
    let sum = |target: usize| -> f32 {
        examples.iter().filter(|e| e.target == target).map(|e| e.weight).sum()
    };
    let factor = sum(0) / sum(1).max(1.0);
    examples.iter_mut().filter(|e| e.target == 1).for_each(|e| e.weight *= factor);
}

/// The score with the best F1 among those from which on no more than `lost` of the negatives lie.
fn threshold(judged: &[(f32, bool)], lost: f32) -> f32 {
    let steps = (5..=97).map(|step| step as f32 / 100.0);
    let fit = steps.map(|t| (t, Counts::of(judged, t))).filter(|(_, c)| c.false_alarms() <= lost);
    let best = fit.max_by(|a, b| a.1.f1().total_cmp(&b.1.f1()));
    best.map_or(0.97, |(threshold, _)| threshold)
}

/// Right and wrong answers of a yes-or-no question.
struct Counts {
    found: usize,
    missed: usize,
    wrong: usize,
    passed: usize,
}

impl Counts {
    fn of(judged: &[(f32, bool)], threshold: f32) -> Self {
        let count = |said: bool, is: bool| {
            judged
                .iter()
                .filter(|(score, truth)| (*score >= threshold) == said && *truth == is)
                .count()
        };
        Counts {
            found: count(true, true),
            missed: count(false, true),
            wrong: count(true, false),
            passed: count(false, false),
        }
    }

    fn f1(&self) -> f32 {
        2.0 * self.found as f32 / (2 * self.found + self.missed + self.wrong).max(1) as f32
    }

    fn false_alarms(&self) -> f32 {
        self.wrong as f32 / (self.wrong + self.passed).max(1) as f32
    }

    fn accuracy(&self) -> f32 {
        let all = self.found + self.missed + self.wrong + self.passed;
        (self.found + self.passed) as f32 / all.max(1) as f32
    }

    fn figures(&self) -> Value {
        json!({"f1": self.f1(), "found": self.found, "missed": self.missed, "wrong": self.wrong,
            "passed": self.passed, "false_alarms": self.false_alarms()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_keeps_the_false_alarms_and_then_the_best_score() {
        let judged: Vec<(f32, bool)> =
            (0..100).map(|i| (i as f32 / 100.0, i >= 60)).chain([(0.9, false)]).collect();
        let strict = threshold(&judged, 0.0);
        assert!(strict > 0.9 && Counts::of(&judged, strict).wrong == 0);
        let loose = threshold(&judged, 0.05);
        assert!((0.55..0.65).contains(&loose), "{loose}");
        assert!(Counts::of(&judged, loose).f1() > 0.97);
    }
}
