//! What opens something: passwords and PINs, one-time codes, keys of programming interfaces.
//!
//! Passwords and codes have no form of their own; the words in front of them say what they are.
//! Keys have: providers give them prefixes so that they can be found when they leak.

mod code;
mod connection;
mod key;
mod password;

pub(super) use self::code::OneTimeCode;
pub(super) use self::key::ApiKey;
pub(super) use self::password::Password;

/// The kinds of characters in a word.
#[derive(Debug, Clone, Copy, Default)]
struct Makeup {
    digits: usize,
    lower: usize,
    upper: usize,
    /// All others.
    signs: usize,
}

impl Makeup {
    fn of(word: &str) -> Self {
        let mut makeup = Self::default();
        for c in word.chars() {
            match c {
                c if c.is_ascii_digit() => makeup.digits += 1,
                c if c.is_uppercase() => makeup.upper += 1,
                c if c.is_alphabetic() => makeup.lower += 1,
                _ => makeup.signs += 1,
            }
        }
        makeup
    }

    fn letters(self) -> usize {
        self.lower + self.upper
    }
}

/// Bits of information per byte if bytes were drawn with the frequencies that they have in `text`
/// (Shannon 1948). 0 for an empty text; random hexadecimal text of 32 bytes has about 3.6.
fn entropy(text: &str) -> f32 {
    let mut counts = [0u16; 256];
    for &b in text.as_bytes() {
        counts[usize::from(b)] = counts[usize::from(b)].saturating_add(1);
    }
    let total = text.len() as f32;
    -counts
        .iter()
        .filter(|&&n| n > 0)
        .map(|&n| f32::from(n) / total)
        .map(|p| p * p.log2())
        .sum::<f32>()
}
