//! What is decided on rows that a fit has not seen: thresholds, and how far rare labels are raised.

use super::super::calibrate::abstention_threshold;
use super::fit::{FitError, Labels, Options};
use super::head::{decide, inside};
use super::task::Task;
use crate::eval::labels::{Judged, macro_recall};

/// Share of ham that may be taken for spam, and of benign messages that may be flagged.
const HAM_LOST: f32 = 0.002;
const BENIGN_FLAGGED: f32 = 0.03;
/// Share of messages within scope that may be taken for ones outside.
const WITHIN_LOST: f32 = 0.01;

/// What is decided on unseen rows.
pub(super) struct Judge<'a> {
    pub task: Task,
    pub labels: &'a Labels,
    pub options: &'a Options,
}

impl Judge<'_> {
    /// What is added to the log-probability of each label: so much of the rarity of the label as makes the mean
    /// recall largest, where that is the measure.
    pub fn offsets(&self, unseen: &[Vec<f32>]) -> Vec<f32> {
        let classes = self.labels.names.len();
        if !matches!(self.task, Task::Sentiment | Task::Urgency) {
            return vec![0.0; classes];
        }
        let mut counts = vec![0usize; classes];
        self.labels.targets.iter().for_each(|t| counts[*t] += 1);
        let rarity: Vec<f32> =
            counts.iter().map(|c| (unseen.len() as f32 / (*c).max(1) as f32).ln()).collect();
        let offsets = |share: f32| rarity.iter().map(|r| r * share).collect::<Vec<f32>>();
        let quality = |share: f32| {
            let offsets = offsets(share);
            let judged: Vec<Judged> = unseen
                .iter()
                .zip(&self.labels.targets)
                .map(|(p, gold)| Judged {
                    gold: *gold,
                    found: decide(p, &offsets),
                    confidence: 0.0,
                })
                .collect();
            macro_recall(&judged, classes)
        };
        let shares = (0..=6).map(|step| step as f32 / 4.0);
        let best = shares.fold((f64::MIN, 0.0), |best, share| {
            let quality = quality(share);
            if quality > best.0 + 1e-9 { (quality, share) } else { best }
        });
        offsets(best.1)
    }

    /// The label given for these probabilities.
    pub fn give(&self, probabilities: &[f32], offsets: &[f32], threshold: f32) -> usize {
        match self.task {
            Task::Intent => inside(probabilities, self.labels.outside).0,
            Task::Sentiment | Task::Urgency => decide(probabilities, offsets),
            Task::Spam | Task::Injection => {
                let likeliest = inside(probabilities, Some(0)).0;
                if 1.0 - probabilities[0] >= threshold { likeliest } else { 0 }
            }
        }
    }

    /// The confidence below which a head of the task abstains.
    pub fn abstains_below(&self, threshold: f32) -> f32 {
        if self.task == Task::Intent { threshold } else { 0.0 }
    }

    /// From which score on a head raises an alarm, or below which confidence it abstains.
    ///
    /// # Errors
    /// [`FitError::NoThreshold`].
    pub fn threshold(&self, unseen: &[Vec<f32>]) -> Result<f32, FitError> {
        let rows = || unseen.iter().zip(&self.labels.targets);
        Ok(match self.task {
            Task::Sentiment | Task::Urgency => 0.0,
            Task::Spam | Task::Injection => {
                let scored: Vec<(f32, bool)> =
                    rows().map(|(p, target)| (1.0 - p[0], *target != 0)).collect();
                let lost = if self.task == Task::Spam { HAM_LOST } else { BENIGN_FLAGGED };
                let first = scored.iter().enumerate().filter(|(_, (_, alarm))| !alarm);
                let first = first.max_by(|a, b| a.1.0.total_cmp(&b.1.0)).map_or(0, |(row, _)| row);
                alarm_threshold(scored, lost).ok_or_else(|| FitError::NoThreshold {
                    row: first + 1,
                    label: self.labels.names[0].clone(),
                })?
            }
            Task::Intent => {
                let judged = rows().map(|(p, target)| {
                    let (best, _) = inside(p, self.labels.outside);
                    (p[best], best == *target, Some(*target) == self.labels.outside)
                });
                match self.labels.outside {
                    Some(_) => scope_threshold(judged.map(|(c, _, out)| (c, out)).collect()),
                    None => abstention_threshold(
                        judged.map(|(c, right, _)| (c, right)).collect(),
                        self.options.target_accuracy,
                        self.options.max_abstention,
                    ),
                }
            }
        })
    }
}

/// The score from which on to raise an alarm: the one with the best F1 among those that raise a false one on no
/// more than this share of the quiet rows, half way to the next lower score; none where the highest score is such a
/// row's and none is allowed. `scored` holds (score, alarm?).
fn alarm_threshold(mut scored: Vec<(f32, bool)>, lost: f32) -> Option<f32> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let alarms = scored.iter().filter(|(_, alarm)| *alarm).count();
    let allowed = (lost * (scored.len() - alarms) as f32) as usize;
    let (mut hits, mut false_ones) = (0usize, 0usize);
    let mut best: Option<(f32, f32)> = None;
    for (i, (score, alarm)) in scored.iter().enumerate() {
        hits += usize::from(*alarm);
        false_ones += usize::from(!*alarm);
        let next = scored.get(i + 1).map_or(0.0, |(s, _)| *s);
        if next == *score {
            continue;
        }
        let f1 = 2.0 * hits as f32 / (hits + false_ones + alarms) as f32;
        if false_ones <= allowed && best.is_none_or(|(most, _)| f1 > most) {
            best = Some((f1, f32::midpoint(*score, next)));
        }
    }
    best.map(|(_, threshold)| threshold)
}

/// The confidence below which a message is out of scope: the one that finds most of what is outside while at most
/// [`WITHIN_LOST`] of what is within falls below it. `scored` holds (confidence, outside?).
fn scope_threshold(mut scored: Vec<(f32, bool)>) -> f32 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let within = scored.iter().filter(|(_, out)| !out).count();
    let allowed = (WITHIN_LOST * within as f32) as usize;
    let mut lost = 0usize;
    for (confidence, out) in &scored {
        lost += usize::from(!out);
        if lost > allowed {
            return *confidence;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_row_above_all_alarms_leaves_no_threshold() {
        let rows = [(0.9, false), (0.8, true), (0.7, true), (0.1, false)];
        assert_eq!(alarm_threshold(rows.to_vec(), 0.03), None);
        let found = alarm_threshold(rows[1..].to_vec(), 0.03).unwrap();
        assert!((found - 0.4).abs() < 1e-6, "{found}");
        assert!(alarm_threshold(rows.to_vec(), 0.5).is_some());
    }
}
