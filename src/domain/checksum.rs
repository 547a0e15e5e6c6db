//! Check digits that both who finds numbers and who makes up others of the same form compute. What
//! only one recognizer knows stays with it.

/// ISO/IEC 7812-1, annex B: every second digit from the right doubled, the sum a multiple of ten.
/// `code` is ASCII; what is no digit counts as some digit or other.
#[must_use]
pub fn passes_luhn(code: &[u8]) -> bool {
    luhn_sum(code).is_multiple_of(10)
}

/// The digit (0–9) that, put behind `body`, makes [`passes_luhn`] hold.
#[must_use]
pub fn luhn_digit(body: &[u8]) -> u32 {
    (10 - luhn_sum(&[body, b"0"].concat()) % 10) % 10
}

fn luhn_sum(code: &[u8]) -> u32 {
    code.iter()
        .rev()
        .enumerate()
        .map(|(i, &b)| match (i % 2, u32::from(b.wrapping_sub(b'0')) % 10) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        })
        .sum()
}

/// ISO 7064, MOD 97-10: the remainder (0–96) of the number that the characters spell, capital
/// letters as 10–35.
#[must_use]
pub fn remainder_97(code: &[u8]) -> u32 {
    code.iter().fold(0, |rest, &b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.wrapping_sub(b'A')) + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_examples_pass_and_their_neighbours_fail() {
        assert!(passes_luhn(b"79927398713") && !passes_luhn(b"79927398714"));
        assert!(passes_luhn(b"4111111111111111") && !passes_luhn(b"4111111111111112"));
        assert_eq!(luhn_digit(b"7992739871"), 3);
        // GB29 NWBK 6016 1331 9268 19, country and check digits turned to the end.
        assert_eq!(remainder_97(b"NWBK60161331926819GB29"), 1);
        assert_ne!(remainder_97(b"NWBK60161331926818GB29"), 1);
    }

    proptest! {
        #[test]
        fn a_made_digit_passes_and_no_other_does(body in "[0-9]{0,24}", other in 0u32..10) {
            let made = luhn_digit(body.as_bytes());
            let passes = passes_luhn(format!("{body}{other}").as_bytes());
            prop_assert_eq!(passes, other == made);
        }

        #[test]
        fn any_bytes_are_answered(code in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(remainder_97(&code) < 97 && luhn_digit(&code) < 10);
        }
    }
}
