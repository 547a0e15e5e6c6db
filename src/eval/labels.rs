//! Given labels against right ones: accuracy, F1 by class and over classes, calibration, and how well a
//! confidence parts what belongs to no class from what does.

use super::spans::Counts;

/// One answer: the right class, the class given, and how sure the answer was (0–1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The right class.
    pub gold: usize,
    /// The class given.
    pub found: usize,
    /// Probability given to `found`.
    pub confidence: f64,
}

impl Judged {
    /// Whether the answer was right.
    pub fn right(&self) -> bool {
        self.gold == self.found
    }
}

/// Bins of the calibration error.
const BINS: usize = 15;

/// Share of right answers; 0 without answers.
pub fn accuracy(judged: &[Judged]) -> f64 {
    share(judged.iter().filter(|j| j.right()).count(), judged.len())
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Counts of each class.
pub fn by_class(judged: &[Judged], classes: usize) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); classes];
    for j in judged {
        if let Some(c) = counts.get_mut(j.gold) {
            c.labelled += 1;
            c.right += u64::from(j.right());
        }
        if let Some(c) = counts.get_mut(j.found) {
            c.found += 1;
        }
    }
    counts
}

fn mean_of_classes(judged: &[Judged], classes: usize, figure: impl Fn(&Counts) -> f64) -> f64 {
    let counts = by_class(judged, classes);
    let there: Vec<f64> = counts.iter().filter(|c| c.labelled > 0).map(figure).collect();
    if there.is_empty() { 0.0 } else { there.iter().sum::<f64>() / there.len() as f64 }
}

/// Mean F1 over the classes that occur.
pub fn macro_f1(judged: &[Judged], classes: usize) -> f64 {
    mean_of_classes(judged, classes, |c| c.f(1.0))
}

/// Mean recall over the classes that occur.
pub fn macro_recall(judged: &[Judged], classes: usize) -> f64 {
    mean_of_classes(judged, classes, Counts::recall)
}

/// Expected calibration error: the mean distance between confidence and accuracy in 15 bins of equal
/// width, weighted by how many answers each holds (Naeini et al. 2015; Guo et al. 2017).
pub fn calibration_error(judged: &[Judged]) -> f64 {
    let mut bins = [(0usize, 0usize, 0f64); BINS];
    for j in judged {
        let bin = ((j.confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let (count, right, sum) = &mut bins[bin];
        *count += 1;
        *right += usize::from(j.right());
        *sum += j.confidence;
    }
    let gaps = bins.iter().map(|(_, right, sum)| (*right as f64 - sum).abs());
    if judged.is_empty() { 0.0 } else { gaps.sum::<f64>() / judged.len() as f64 }
}

/// Area under the ROC curve: the probability that one of `above` is larger than one of `below`, ties
/// counting one half (Mann–Whitney). `None` when either is empty.
pub fn auroc(above: &[f64], below: &[f64]) -> Option<f64> {
    if above.is_empty() || below.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> =
        above.iter().map(|v| (*v, true)).chain(below.iter().map(|v| (*v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wins, mut passed, mut at) = (0.0, 0usize, 0);
    while at < all.len() {
        let end = all[at..].iter().take_while(|(v, _)| *v == all[at].0).count() + at;
        let ties = all[at..end].iter().filter(|(_, up)| !up).count();
        wins += (end - at - ties) as f64 * (passed as f64 + ties as f64 / 2.0);
        passed += ties;
        at = end;
    }
    Some(wins / (above.len() as f64 * below.len() as f64))
}

/// Pairs (right class, class given, how often) of wrong answers, the most frequent first.
pub fn confusions(judged: &[Judged]) -> Vec<(usize, usize, usize)> {
    let mut pairs = std::collections::BTreeMap::<(usize, usize), usize>::new();
    for j in judged.iter().filter(|j| !j.right()) {
        *pairs.entry((j.gold, j.found)).or_default() += 1;
    }
    let mut sorted: Vec<(usize, usize, usize)> =
        pairs.into_iter().map(|((gold, found), n)| (gold, found, n)).collect();
    sorted.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(rows: &[(usize, usize, f64)]) -> Vec<Judged> {
        rows.iter().map(|&(gold, found, confidence)| Judged { gold, found, confidence }).collect()
    }

    #[test]
    fn figures_of_a_small_table() {
        // Class 0: two of three right; class 1: one of one, given twice; class 2 never occurs.
        let j = judged(&[(0, 0, 0.9), (0, 0, 0.8), (0, 1, 0.6), (1, 1, 0.7)]);
        assert_eq!(accuracy(&j), 0.75);
        // F1: 2·1·⅔/(1⅔) = .8 and 2·½·1/1½ = ⅔.
        assert!((macro_f1(&j, 3) - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((macro_recall(&j, 3) - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(confusions(&j), [(0, 1, 1)]);
        assert_eq!((accuracy(&[]), macro_f1(&[], 2), calibration_error(&[])), (0.0, 0.0, 0.0));
    }

    #[test]
    fn calibration_is_the_gap_between_promise_and_fact() {
        let half = judged(&[(0, 0, 0.5), (0, 1, 0.5), (0, 0, 0.5), (0, 1, 0.5)]);
        assert!(calibration_error(&half) < 1e-12);
        let boastful = judged(&[(0, 0, 1.0), (0, 1, 1.0)]);
        assert!((calibration_error(&boastful) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn auroc_counts_pairs() {
        assert_eq!(auroc(&[0.9, 0.8], &[0.1, 0.2]), Some(1.0));
        assert_eq!(auroc(&[0.1], &[0.9]), Some(0.0));
        assert_eq!(auroc(&[0.5, 0.5], &[0.5]), Some(0.5));
        assert_eq!(auroc(&[0.9, 0.3], &[0.5]), Some(0.5));
        assert_eq!(auroc(&[], &[0.5]), None);
    }

    proptest! {
        #[test]
        fn auroc_agrees_with_counting_every_pair(
            a in prop::collection::vec(0u8..6, 1..20),
            b in prop::collection::vec(0u8..6, 1..20),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) =
                (a.into_iter().map(f64::from).collect(), b.into_iter().map(f64::from).collect());
            let mut wins = 0.0;
            for x in &a {
                for y in &b {
                    wins += if x > y { 1.0 } else if x == y { 0.5 } else { 0.0 };
                }
            }
            let counted = wins / (a.len() * b.len()) as f64;
            prop_assert!((auroc(&a, &b).unwrap() - counted).abs() < 1e-12);
        }
    }
}
