//! What the digits of a number say: check digits, dates, ranges that are never given out.
//!
//! Functions get the letters and digits of a match, upper-cased, in ASCII. They answer for any
//! input; which lengths there are is the patterns' business.

use super::Verdict;
pub(in super::super) use crate::domain::checksum::{passes_luhn, remainder_97};

/// The value of a digit; of anything else, ten and more.
pub(super) fn digit(b: u8) -> u32 {
    u32::from(b.wrapping_sub(b'0'))
}

/// Whether all are digits.
pub(super) fn is_digits(code: &[u8]) -> bool {
    code.iter().all(u8::is_ascii_digit)
}

/// Whether one character is repeated throughout.
pub(super) fn is_uniform(code: &[u8]) -> bool {
    code.iter().all(|b| Some(b) == code.first())
}

/// The number that the digits spell; letters count as zero.
pub(super) fn number(code: &[u8]) -> u64 {
    code.iter().fold(0, |n: u64, &b| {
        n.wrapping_mul(10).wrapping_add(u64::from(if b.is_ascii_digit() { b - b'0' } else { 0 }))
    })
}

/// The sum of digits times weights, as far as both go.
pub(super) fn weighted(code: &[u8], weights: &[u32]) -> u32 {
    code.iter().zip(weights).map(|(&b, w)| digit(b) % 10 * w).sum()
}

/// As [`weighted`], each product replaced by the sum of its digits.
pub(super) fn cross_weighted(code: &[u8], weights: &[u32]) -> u32 {
    code.iter().zip(weights).map(|(&b, w)| digit(b) % 10 * w).map(|p| p / 10 + p % 10).sum()
}

/// ISO 7064, MOD 11,10: the hybrid system of German and Croatian tax numbers.
pub(in super::super) fn passes_mod_11_10(code: &[u8]) -> bool {
    let Some((last, body)) = code.split_last() else { return false };
    let product = body.iter().fold(10, |product, &b| match (product + digit(b) % 10) % 10 {
        0 => 20 % 11,
        sum => 2 * sum % 11,
    });
    (11 - product) % 10 == digit(*last)
}

/// Verhoeff's check over the dihedral group of ten elements.
pub(in super::super) fn passes_verhoeff(code: &[u8]) -> bool {
    // Elements 0–4 are rotations, 5–9 reflections.
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |d: u32, times: usize| (0..times % 8).fold(d, |d, _| STEP[d as usize % 10]);
    let sum = code
        .iter()
        .rev()
        .enumerate()
        .fold(0, |sum, (i, &b)| times(sum, permuted(digit(b) % 10, i)));
    sum == 0
}

/// The check digit of ICAO Doc 9303, part 3: weights 7, 3, 1; letters count from ten.
pub(in super::super) fn passes_icao(code: &[u8]) -> bool {
    let Some((last, body)) = code.split_last() else { return false };
    let value = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        _ => u32::from(b.wrapping_sub(b'A')) + 10,
    };
    let sum: u32 = body.iter().zip([7, 3, 1].into_iter().cycle()).map(|(&b, w)| value(b) * w).sum();
    last.is_ascii_digit() && sum % 10 == digit(*last)
}

/// The check digit by weights and modulus 11 where it is `11 - sum % 11`; `None` where no digit
/// stands for the remainder.
pub(super) fn complement_11(sum: u32) -> Option<u32> {
    match 11 - sum % 11 {
        11 => Some(0),
        10 => None,
        d => Some(d),
    }
}

/// Whether there is such a day in some year that ends in `year`.
pub(super) fn is_date(year: u64, month: u64, day: u64) -> bool {
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Whether six digits are a date, year first.
pub(super) fn is_ymd(code: &[u8]) -> bool {
    code.len() == 6 && is_date(number(&code[..2]), number(&code[2..4]), number(&code[4..]))
}

/// Whether six digits are a date, day first.
pub(super) fn is_dmy(code: &[u8]) -> bool {
    code.len() == 6 && is_date(number(&code[4..]), number(&code[2..4]), number(&code[..2]))
}

/// `Certain` if it holds, else `Fails`.
pub(super) fn certain(holds: bool) -> Verdict {
    if holds { Verdict::Certain } else { Verdict::Fails }
}

/// `Passes` if it holds, else `Unknown`: for checks that newer or special numbers lack.
pub(super) fn likely(holds: bool) -> Verdict {
    if holds { Verdict::Passes } else { Verdict::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_pass_and_their_neighbours_fail() {
        // Each from the publication that defines it.
        assert!(passes_mod_11_10(b"07945") && !passes_mod_11_10(b"07946"));
        assert!(passes_verhoeff(b"2363") && !passes_verhoeff(b"2364") && !passes_verhoeff(b"2633"));
        assert!(passes_icao(b"D231458907") && !passes_icao(b"D231458908"));
    }

    #[test]
    fn verhoeff_catches_every_wrong_digit_and_swap() {
        let good = b"84736430954837284567892".to_vec();
        let good = (b'0'..=b'9')
            .map(|d| [good.clone(), vec![d]].concat())
            .find(|c| passes_verhoeff(c))
            .unwrap();
        for i in 0..good.len() {
            for d in b'0'..=b'9' {
                let mut bad = good.clone();
                bad[i] = d;
                assert_eq!(passes_verhoeff(&bad), bad == good);
            }
            let mut bad = good.clone();
            if i > 0 {
                bad.swap(i - 1, i);
                assert_eq!(passes_verhoeff(&bad), bad == good);
            }
        }
    }

    #[test]
    fn dates_know_the_months() {
        assert!(is_ymd(b"000229") && is_ymd(b"991231") && !is_ymd(b"010229") && !is_ymd(b"991301"));
        assert!(is_dmy(b"310199") && !is_dmy(b"310499") && !is_dmy(b"000199"));
    }

    #[test]
    fn any_input_is_answered_and_none_is_certain_at_another_length() {
        // No type that can be certain has fewer or more characters.
        const LENGTHS: std::ops::RangeInclusive<usize> = 10..=18;
        let inputs: [&[u8]; 4] =
            [b"", b"A", b"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", b"99999999999999999999999999"];
        for row in super::super::rows() {
            let Some(check) = &row.check else { continue };
            let judged = |code: &[u8]| {
                let verdict = (check.judge)(code);
                assert!(
                    verdict != Verdict::Certain || LENGTHS.contains(&code.len()),
                    "{}: certain of {} characters",
                    row.entity,
                    code.len()
                );
            };
            for input in inputs {
                for n in 0..input.len() {
                    judged(&input[..n]);
                    judged(&[&input[..n], b"0"].concat());
                }
                judged(input);
            }
        }
    }
}
