//! What came of all texts so far: counters for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of batch sizes, in texts.
const SIZES: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Upper bounds of waits, in microseconds.
const WAITS: [u64; 8] = [100, 1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000, 10_000_000];

/// Counts by upper bound (not added up), their number and their sum.
#[derive(Debug)]
struct Histogram<const N: usize> {
    below: [AtomicU64; N],
    count: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        let below = std::array::from_fn(|_| AtomicU64::new(0));
        Self { below, count: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&self, bounds: &[u64; N], value: u64) {
        if let Some(i) = bounds.iter().position(|b| value <= *b) {
            self.below[i].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// In the Prometheus text format; `unit` is how many of ours one of theirs is.
    fn text(&self, name: &str, help: &str, bounds: &[u64; N], unit: f64) -> String {
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut so_far = 0;
        for (bound, count) in bounds.iter().zip(&self.below) {
            so_far += count.load(Ordering::Relaxed);
            let bound = *bound as f64 / unit;
            text.push_str(&format!("{name}_bucket{{le=\"{bound}\"}} {so_far}\n"));
        }
        let count = self.count.load(Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / unit;
        text.push_str(&format!(
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n"
        ));
        text
    }
}

/// Counters of a classifier.
#[derive(Debug, Default)]
pub struct Figures {
    sizes: Histogram<7>,
    waits: Histogram<8>,
    refused: AtomicU64,
    late: AtomicU64,
    dropped: AtomicU64,
}

impl Figures {
    pub(super) fn batch(&self, texts: usize) {
        self.sizes.add(&SIZES, texts as u64);
    }

    pub(super) fn waited(&self, time: Duration) {
        self.waits.add(&WAITS, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn refused(&self, texts: usize) {
        self.refused.fetch_add(texts as u64, Ordering::Relaxed);
    }

    pub(super) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters in the Prometheus text format, with the queue's depth and bound.
    pub fn text(&self, (depth, bound): (usize, usize)) -> String {
        let mut text = format!(
            "# HELP countersign_classify_queue Texts that wait to be classified.\n\
             # TYPE countersign_classify_queue gauge\ncountersign_classify_queue {depth}\n\
             # HELP countersign_classify_queue_bound Texts that may wait.\n\
             # TYPE countersign_classify_queue_bound gauge\n\
             countersign_classify_queue_bound {bound}\n\
             # HELP countersign_classify_unread_total Texts that were not classified, by reason.\n\
             # TYPE countersign_classify_unread_total counter\n"
        );
        for (why, count) in
            [("refused", &self.refused), ("late", &self.late), ("gone", &self.dropped)]
        {
            let count = count.load(Ordering::Relaxed);
            text.push_str(&format!(
                "countersign_classify_unread_total{{reason=\"{why}\"}} {count}\n"
            ));
        }
        text.push_str(&self.sizes.text(
            "countersign_classify_batch_texts",
            "Texts in one batch.",
            &SIZES,
            1.0,
        ));
        text.push_str(&self.waits.text(
            "countersign_classify_wait_seconds",
            "How long texts waited before they were read.",
            &WAITS,
            1e6,
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_as_prometheus_wants_them() {
        let figures = Figures::default();
        for texts in [1, 3, 4, 100] {
            figures.batch(texts);
        }
        figures.waited(Duration::from_millis(3));
        figures.refused(5);
        let text = figures.text((2, 10));
        for line in [
            "countersign_classify_batch_texts_bucket{le=\"1\"} 1\n",
            "countersign_classify_batch_texts_bucket{le=\"4\"} 3\n",
            "countersign_classify_batch_texts_bucket{le=\"64\"} 3\n",
            "countersign_classify_batch_texts_bucket{le=\"+Inf\"} 4\n",
            "countersign_classify_batch_texts_sum 108\n",
            "countersign_classify_wait_seconds_bucket{le=\"0.001\"} 0\n",
            "countersign_classify_wait_seconds_bucket{le=\"0.005\"} 1\n",
            "countersign_classify_unread_total{reason=\"refused\"} 5\n",
            "countersign_classify_queue 2\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
