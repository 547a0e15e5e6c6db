//! What a fit says of itself and of its data: figures with intervals, and which rows a person should look at.
//!
//! Rows are named by their place in the data. Nothing here quotes a text.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::head::inside;
use crate::eval::interval::{Interval, bootstrap, wilson};
use crate::eval::labels::{
    Judged, accuracy, auroc, by_class, calibration_error, confusions, macro_f1, macro_recall,
};

/// Rounds of the bootstrap, and its seed.
const ROUNDS: usize = 400;
const SEED: u64 = 1;
/// A row is suspect when another label than its own has this probability without it.
const SUSPECT: f32 = 0.6;
/// At most so many are named of each.
const MOST_PAIRS: usize = 12;
const MOST_SUSPECTS: usize = 200;
/// Two labels overlap when so many of a label's rows have their nearest other row in the other label.
const OVERLAP: f64 = 0.1;

/// A figure with its interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure, 0 to 1.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Figure {
    fn new(value: f64, interval: Interval) -> Self {
        Self { value: round(value), low: round(interval.low), high: round(interval.high) }
    }
}

/// A label's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// Rows that have it.
    pub rows: u64,
    /// Share of the rows given it that have it.
    pub precision: f64,
    /// Share of the rows that have it given it.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// How a head did on rows that its fit hadn't seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// `leave_one_out` (each row by a fit without it) or `dev` (a file of its own).
    pub by: String,
    /// How many rows, without those outside of all labels.
    pub rows: usize,
    /// Share of right labels, abstentions not counted as wrong. Wilson's interval.
    pub accuracy: Figure,
    /// Mean F1 of the labels. Bootstrap.
    pub macro_f1: Figure,
    /// Mean recall of the labels. Bootstrap.
    pub macro_recall: Figure,
    /// Expected calibration error of the confidence.
    pub ece: f64,
    /// Share on which it abstains.
    pub abstained: Figure,
    /// Share of right labels where it doesn't.
    pub accuracy_kept: Figure,
    /// Rows outside of all labels.
    pub outside_rows: usize,
    /// Share of those on which it abstains.
    pub outside_recall: Option<Figure>,
    /// Probability that a row within has a higher confidence than one outside.
    pub outside_auroc: Option<f64>,
    /// By label.
    pub labels: Vec<LabelFigures>,
}

/// An answer, and whether the head abstained with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// The right label and the one given.
    pub judged: Judged,
    /// A person should choose.
    pub abstained: bool,
}

/// A share of rows with Wilson's interval; 0 of none.
pub(in super::super) fn share(hits: usize, of: usize) -> Figure {
    Figure::new(hits as f64 / of.max(1) as f64, wilson(hits as u64, of as u64))
}

fn round(x: f64) -> f64 {
    (x * 10_000.0).round() / 10_000.0
}

impl Metrics {
    /// The figures of some answers; `outside` is the place of the label of what belongs to none.
    #[must_use]
    pub fn of(by: &str, labels: &[String], outside: Option<usize>, given: &[Given]) -> Self {
        let (out, within): (Vec<&Given>, Vec<&Given>) =
            given.iter().partition(|g| Some(g.judged.gold) == outside);
        let judged: Vec<Judged> = within.iter().map(|g| g.judged).collect();
        let drawn = |figure: fn(&[Judged], usize) -> f64| {
            let interval = bootstrap(judged.len(), ROUNDS, SEED, |places| {
                let sample: Vec<Judged> = places.iter().map(|i| judged[*i]).collect();
                figure(&sample, labels.len())
            });
            Figure::new(figure(&judged, labels.len()), interval)
        };
        let kept: Vec<Judged> = within.iter().filter(|g| !g.abstained).map(|g| g.judged).collect();
        let right = |of: &[Judged]| of.iter().filter(|j| j.right()).count();
        let sure = |of: &[&Given]| of.iter().map(|g| g.judged.confidence).collect::<Vec<_>>();
        Self {
            by: by.to_owned(),
            rows: judged.len(),
            accuracy: Figure {
                value: round(accuracy(&judged)),
                ..share(right(&judged), judged.len())
            },
            macro_f1: drawn(macro_f1),
            macro_recall: drawn(macro_recall),
            ece: round(calibration_error(&judged)),
            abstained: share(judged.len() - kept.len(), judged.len()),
            accuracy_kept: share(right(&kept), kept.len()),
            outside_rows: out.len(),
            outside_recall: (!out.is_empty())
                .then(|| share(out.iter().filter(|g| g.abstained).count(), out.len())),
            outside_auroc: auroc(&sure(&within), &sure(&out)).map(round),
            labels: label_figures(labels, outside, &judged),
        }
    }
}

fn label_figures(
    labels: &[String],
    outside: Option<usize>,
    judged: &[Judged],
) -> Vec<LabelFigures> {
    let counts = by_class(judged, labels.len());
    let named = labels.iter().zip(&counts).enumerate();
    named
        .filter(|(i, (_, c))| Some(*i) != outside && c.labelled > 0)
        .map(|(_, (label, c))| LabelFigures {
            label: label.clone(),
            rows: c.labelled,
            precision: round(c.precision()),
            recall: round(c.recall()),
            f1: round(c.f(1.0)),
        })
        .collect()
}

/// Two labels with a share or a count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The one (of confusions, the right one).
    pub one: String,
    /// The other (of confusions, the one given).
    pub other: String,
    /// How many rows.
    pub rows: usize,
    /// What share of the rows of `one` (of overlaps, of both) that is.
    pub share: f64,
}

/// A row whose label is in doubt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// Its place in the data.
    pub row: usize,
    /// Its label.
    pub label: String,
    /// What a fit without it says.
    pub suggested: String,
    /// How sure that is.
    pub confidence: f32,
}

/// What a person should know of the data.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Findings {
    /// Labels most often taken for others.
    pub confused: Vec<Pair>,
    /// Labels whose rows are each other's nearest.
    pub overlapping: Vec<Pair>,
    /// Rows that are likely mislabelled, the likeliest first.
    pub mislabelled: Vec<Suspect>,
    /// Places of rows that say the same as an earlier one and have its label.
    pub duplicates: Vec<usize>,
    /// Places of rows that say the same under unlike labels, together.
    pub contradictions: Vec<Vec<usize>>,
    /// Labels with a single row.
    pub single: Vec<String>,
}

/// Answers of a head: what is needed to judge them.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    /// Labels by place.
    pub labels: &'a [String],
    /// The place of the label of what belongs to none.
    pub outside: Option<usize>,
    /// The right label of each row.
    pub targets: &'a [usize],
    /// Probabilities of each row.
    pub probabilities: &'a [Vec<f32>],
    /// The label given to each row.
    pub given: &'a [usize],
    /// Below it the head abstains; 0 for tasks that don't.
    pub threshold: f32,
}

impl Answers<'_> {
    /// The figures.
    pub(super) fn metrics(&self, by: &str) -> Metrics {
        let given = |row: usize| {
            let judged = self.judged(row);
            Given { judged, abstained: judged.confidence < f64::from(self.threshold) }
        };
        let given: Vec<Given> = (0..self.targets.len()).map(given).collect();
        Metrics::of(by, self.labels, self.outside, &given)
    }

    fn judged(&self, row: usize) -> Judged {
        let found = self.given[row];
        let confidence = f64::from(self.probabilities[row][found]);
        Judged { gold: self.targets[row], found, confidence }
    }

    /// Confusions and rows that are likely mislabelled.
    pub(super) fn findings(&self, nearest: &[usize], texts: &[&str]) -> Findings {
        let mut rows = vec![0usize; self.labels.len()];
        self.targets.iter().for_each(|t| rows[*t] += 1);
        let judged: Vec<Judged> = (0..self.targets.len()).map(|i| self.judged(i)).collect();
        let pair = |(one, other, count): (usize, usize, usize), of: usize| Pair {
            one: self.labels[one].clone(),
            other: self.labels[other].clone(),
            rows: count,
            share: (count as f64 / of.max(1) as f64 * 1000.0).round() / 1000.0,
        };
        let (duplicates, contradictions) = repeated(texts, self.targets);
        Findings {
            confused: confusions(&judged)
                .into_iter()
                .take(MOST_PAIRS)
                .map(|p| pair(p, rows[p.0]))
                .collect(),
            overlapping: overlaps(self.targets, nearest)
                .into_iter()
                .map(|p| (p, rows[p.0] + rows[p.1]))
                .filter(|(p, of)| p.2 as f64 >= OVERLAP * *of as f64 && p.2 > 1)
                .take(MOST_PAIRS)
                .map(|(p, of)| pair(p, of))
                .collect(),
            mislabelled: self.suspects(),
            duplicates,
            contradictions,
            single: (0..rows.len())
                .filter(|i| rows[*i] == 1)
                .map(|i| self.labels[i].clone())
                .collect(),
        }
    }

    fn suspects(&self) -> Vec<Suspect> {
        let mut found: Vec<Suspect> = (0..self.targets.len())
            .filter_map(|row| {
                let (best, outside) = inside(&self.probabilities[row], self.outside);
                let confidence = self.probabilities[row][best];
                let (best, confidence) = match self.outside {
                    Some(o) if outside > confidence => (o, outside),
                    _ => (best, confidence),
                };
                (best != self.targets[row] && confidence >= SUSPECT).then(|| Suspect {
                    row,
                    label: self.labels[self.targets[row]].clone(),
                    suggested: self.labels[best].clone(),
                    confidence: (confidence * 1000.0).round() / 1000.0,
                })
            })
            .collect();
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.row.cmp(&b.row)));
        found.truncate(MOST_SUSPECTS);
        found
    }
}

/// (label, label, rows of either whose nearest other row has the other), the most first.
fn overlaps(targets: &[usize], nearest: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut pairs = BTreeMap::<(usize, usize), usize>::new();
    for (row, other) in nearest.iter().enumerate() {
        let (a, b) = (targets[row], targets[*other]);
        if a != b {
            *pairs.entry((a.min(b), a.max(b))).or_default() += 1;
        }
    }
    let mut sorted: Vec<_> = pairs.into_iter().map(|((a, b), n)| (a, b, n)).collect();
    sorted.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    sorted
}

/// Rows that say the same as an earlier one with the same label, and those that say the same under unlike ones.
fn repeated(texts: &[&str], targets: &[usize]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut groups = HashMap::<String, Vec<usize>>::new();
    for (row, text) in texts.iter().enumerate() {
        groups.entry(folded(text)).or_default().push(row);
    }
    let (mut duplicates, mut contradictions) = (Vec::new(), Vec::new());
    for rows in groups.into_values().filter(|rows| rows.len() > 1) {
        if rows.iter().any(|row| targets[*row] != targets[rows[0]]) {
            contradictions.push(rows);
        } else {
            duplicates.extend(rows.into_iter().skip(1));
        }
    }
    duplicates.sort_unstable();
    contradictions.sort();
    (duplicates, contradictions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_look_at_are_named_by_place() {
        let labels = ["a", "b", "oos"].map(str::to_owned);
        let probabilities = vec![
            vec![0.9, 0.1, 0.0],
            vec![0.8, 0.1, 0.1],
            vec![0.1, 0.9, 0.0],
            vec![0.2, 0.2, 0.6],
        ];
        let answers = Answers {
            labels: &labels,
            outside: Some(2),
            targets: &[0, 1, 1, 2],
            probabilities: &probabilities,
            given: &[0, 0, 1, 0],
            threshold: 0.5,
        };
        let m = answers.metrics("leave_one_out");
        assert_eq!((m.rows, m.outside_rows), (3, 1));
        assert!((m.accuracy.value - 2.0 / 3.0).abs() < 1e-4);
        assert_eq!(m.outside_recall.unwrap().value, 1.0);
        assert_eq!(m.outside_auroc, Some(1.0));
        assert_eq!(m.labels.len(), 2);
        let f = answers.findings(&[1, 0, 1, 2], &["x y", "X  y", "z", "z z"]);
        assert_eq!(f.mislabelled.len(), 1);
        assert_eq!((f.mislabelled[0].row, f.mislabelled[0].suggested.as_str()), (1, "a"));
        assert_eq!(f.contradictions, [vec![0, 1]]);
        assert!(f.duplicates.is_empty());
        assert_eq!(f.confused[0].one, "b");
        assert_eq!((f.overlapping[0].one.as_str(), f.overlapping[0].rows), ("a", 2));
        assert_eq!(f.single, ["a", "oos"]);
    }
}
