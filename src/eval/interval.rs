//! Intervals of confidence. A figure without one says nothing about whether the next sample would
//! give the same.

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The 97.5 % quantile of the standard normal distribution: intervals here are of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval for `hits` of `trials`, 95 % (Wilson 1927):
/// (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n). Without trials it is 0 to 1.
pub fn wilson(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let p = (hits.min(trials)) as f64 / n;
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Interval { low: ((centre - half) / scale).max(0.0), high: ((centre + half) / scale).min(1.0) }
}

/// Percentile bootstrap over documents, 95 % (Efron 1979): `statistic` is computed on `rounds`
/// samples drawn with replacement, as many indices below `documents` as there are documents. The
/// draws follow from `seed` alone. Without documents or rounds it is 0 to 1.
///
/// Documents and not spans are drawn, since the spans of one document err together.
pub fn bootstrap(
    documents: usize,
    rounds: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> f64,
) -> Interval {
    if documents == 0 || rounds == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let mut state = seed;
    let mut drawn = vec![0; documents];
    let mut values: Vec<f64> = (0..rounds)
        .map(|_| {
            drawn.fill_with(|| below(&mut state, documents));
            statistic(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[((q * (rounds - 1) as f64).round() as usize).min(rounds - 1)];
    Interval { low: at(0.025), high: at(0.975) }
}

/// A number below `n` from SplitMix64 (Steele, Lea, Flood 2014).
fn below(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((u128::from(z) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_textbook_values() {
        // Newcombe 1998, table I: 81 of 263 and 0 of 20.
        let i = wilson(81, 263);
        assert!((i.low - 0.2553).abs() < 1e-4 && (i.high - 0.3662).abs() < 1e-4, "{i:?}");
        let i = wilson(0, 20);
        assert!(i.low == 0.0 && (i.high - 0.1611).abs() < 1e-4, "{i:?}");
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_bootstrap_covers_the_mean_and_repeats_itself() {
        let data: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        let mean = |ix: &[usize]| ix.iter().map(|&i| data[i]).sum::<f64>() / ix.len() as f64;
        let i = bootstrap(data.len(), 500, 7, mean);
        assert!(i.low < 4.5 && 4.5 < i.high && i.high - i.low < 1.2, "{i:?}");
        assert_eq!(i, bootstrap(data.len(), 500, 7, mean));
    }
}
