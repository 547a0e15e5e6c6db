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
use crate::nlp::heads::fit::{HAM_STEP, injection_examples, spam_examples, utterances};
use crate::nlp::heads::injection;
use crate::nlp::heads::linalg::{Matrix, add_scaled};
use crate::nlp::heads::linear::Linear;
use crate::nlp::heads::logistic::{Logistic, LogisticError, LogisticOptions};
use crate::nlp::heads::patterns::InjectionPatterns;
use crate::nlp::heads::surface::SurfaceReader;
use crate::nlp::heads::{Taxonomy, TriageError, spam};

/// Penalty on the weights unless asked otherwise; chosen on the folds.
pub const L2: f32 = 3e-5;
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
    /// The set.
    pub source: String,
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
    l2: f32,
) -> Result<(Vec<u8>, Value), TrainError> {
    let reader = SurfaceReader::builtin().map_err(TriageError::from)?;
    let utterances: Vec<&str> = utterances(taxonomy).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let trainer = Trainer {
        embed,
        reader: &reader,
        utterances: &utterances,
        options: LogisticOptions { l2, threads, iterations: 120, ..LogisticOptions::default() },
    };
    let (spam, spam_figures) = trainer.spam(messages)?;
    let (injection, injection_figures) = trainer.injection(orders)?;
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

    fn injection(&self, rows: &[Row]) -> Result<(Entry, Value), TrainError> {
        let samples = self.samples(rows)?;
        let patterns = InjectionPatterns::builtin().map_err(TriageError::from)?;
        let (mut examples, mut of_sample) = (Vec::new(), Vec::new());
        for (number, sample) in samples.iter().enumerate() {
            let surface = self.reader.read(&sample.text, &[]);
            let Some(reading) = self.embed.read(&sample.text) else { continue };
            for part in injection::parts(&sample.text, &surface, &reading, self.reader) {
                examples.push(Example {
                    features: injection::features(part.words, &part.concepts, &part.encoding),
                    target: usize::from(sample.is_order(&part.bytes)),
                    weight: sample.weight,
                    fold: sample.fold,
                });
                of_sample.push((number, part.words.len() >= injection::FEWEST_WORDS));
            }
        }
        balance(&mut examples);
        let unseen = self.unseen(&examples, 2)?;
        let mut likeliest = vec![0f32; samples.len()];
        for ((number, long), p) in of_sample.iter().zip(&unseen) {
            if *long {
                likeliest[*number] = likeliest[*number].max(p[1]);
            }
        }
        let judged: Vec<(f32, bool)> = samples
            .iter()
            .zip(&likeliest)
            .map(|(sample, p)| {
                let found = patterns.read(&sample.text).0;
                (1.0 - (1.0 - found) * (1.0 - p), sample.order.is_some())
            })
            .collect();
        let threshold = threshold(&judged, BENIGN_FLAGGED);
        let of = |wanted: &dyn Fn(&Sample) -> bool| {
            let some: Vec<(f32, bool)> =
                samples.iter().zip(&judged).filter(|(s, _)| wanted(s)).map(|(_, j)| *j).collect();
            Counts::of(&some, threshold)
        };
        let public = of(&|sample| sample.source != "own");
        let mut by_source = serde_json::Map::new();
        for sample in &samples {
            let figures = || of(&|other| other.source == sample.source).figures();
            by_source.entry(sample.source.clone()).or_insert_with(figures);
        }
        let linear = self.fit(&examples, 2, |_| true)?;
        let figures = json!({"rows": examples.len(), "threshold": threshold,
            "public": public.figures(), "by_source": by_source});
        Ok((Entry { linear, threshold, accuracy: public.accuracy() }, figures))
    }

    /// Public rows, and our own examples as they come in messages: alone, and an order among benign sentences.
    fn samples(&self, rows: &[Row]) -> Result<Vec<Sample>, TrainError> {
        let clean: Vec<String> =
            rows.iter().filter(|row| !row.positive).map(|row| squeezed(&row.text)).collect();
        let mut groups: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut samples: Vec<Sample> = Vec::new();
        for row in rows {
            let order = row.positive.then(|| Order::Unless(clean.clone()));
            let fold = groups.partition_point(|group| *group < row.group.as_str()) % FOLDS;
            let (text, source) = (row.text.clone(), row.source.clone());
            samples.push(Sample { text, order, fold, source, weight: 1.0 });
        }
        let own = injection_examples()?;
        let listed = |target: usize| -> Vec<&str> {
            let all = own.texts.iter().zip(&own.targets);
            all.filter(|(_, t)| **t == target).map(|(text, _)| text.as_str()).collect()
        };
        let (benign, orders) = (listed(0), listed(1));
        let around: Vec<&str> = benign.iter().chain(self.utterances).copied().collect();
        // A fixed walk with a step prime to the length visits all of them.
        let mut at = 0;
        let mut next = || {
            at = (at + 389) % around.len();
            around[at]
        };
        let ours = |text: String, order: Option<Order>, fold: usize| Sample {
            text,
            order,
            fold: fold % FOLDS,
            source: "own".to_owned(),
            weight: 1.0,
        };
        for (number, order) in orders.iter().enumerate() {
            samples.push(ours((*order).to_owned(), Some(Order::All), number));
            for place in 0..2 {
                let mut sentences = [next(), next(), next()].map(finished).to_vec();
                sentences.insert((number + 2 * place) % 4, finished(order));
                let start: usize =
                    sentences[..(number + 2 * place) % 4].iter().map(|s| s.len() + 1).sum();
                let bytes = start..start + finished(order).len();
                samples.push(ours(sentences.join(" "), Some(Order::Within(bytes)), number));
            }
        }
        for (number, text) in benign.iter().enumerate() {
            samples.push(ours((*text).to_owned(), None, number));
        }
        for number in 0..around.len() / 3 {
            let text = [next(), next(), next(), next()].map(finished).join(" ");
            samples.push(ours(text, None, number));
        }
        Ok(samples)
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

/// Where the order stands in a message.
enum Order {
    All,
    Within(std::ops::Range<usize>),
    /// Every part that none of these texts holds.
    Unless(Vec<String>),
}

struct Sample {
    text: String,
    order: Option<Order>,
    fold: usize,
    source: String,
    weight: f32,
}

impl Sample {
    fn is_order(&self, bytes: &std::ops::Range<usize>) -> bool {
        match &self.order {
            None => false,
            Some(Order::All) => true,
            Some(Order::Within(order)) => {
                let shared = order.end.min(bytes.end).saturating_sub(order.start.max(bytes.start));
                2 * shared > bytes.len()
            }
            Some(Order::Unless(clean)) => {
                let part = squeezed(self.text.get(bytes.clone()).unwrap_or_default());
                clean.iter().all(|text| !text.contains(&part))
            }
        }
    }
}

/// A text with one blank between words.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sentence with its stop.
fn finished(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
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

    #[test]
    fn an_order_is_the_part_that_no_clean_text_holds() {
        let sample = |order| Sample {
            text: "Your card was charged.\nSing a song.".to_owned(),
            order,
            fold: 0,
            source: String::new(),
            weight: 1.0,
        };
        let mail = sample(Some(Order::Unless(vec!["Hi. Your card was charged. Bye".to_owned()])));
        assert!(!mail.is_order(&(0..22)));
        assert!(mail.is_order(&(23..35)));
        assert!(sample(Some(Order::Within(23..35))).is_order(&(23..35)));
        assert!(!sample(Some(Order::Within(23..35))).is_order(&(0..22)));
        assert!(!sample(None).is_order(&(0..22)));
    }
}
