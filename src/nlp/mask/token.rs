//! Long runs of letters, digits and joining signs: where keys, wallets' addresses and tracking
//! numbers are. Ordinary words are shorter, so a text without any is left after every eighth byte.

use std::ops::Range;

/// Shortest run that is reported, in bytes: the length of a postal tracking number.
pub(super) const MIN_TOKEN: usize = 13;

/// Maximal runs of at least [`MIN_TOKEN`] ASCII letters, digits and `_ - + / = . ~ %`.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(window) = bytes.get(start..start + MIN_TOKEN) {
        if let Some(stop) = window.iter().rposition(|&b| !is_part(b)) {
            start += stop + 1;
            continue;
        }
        let end = start + MIN_TOKEN;
        let end = bytes[end..].iter().position(|&b| !is_part(b)).map_or(bytes.len(), |n| end + n);
        tokens.push(start..end);
        start = end + 1;
    }
    tokens
}

fn is_part(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_long_runs_only() {
        let text = "a short word, abcdefghijklm and 1234567890123456é x";
        let found: Vec<&str> = find(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(found, ["abcdefghijklm", "1234567890123456"]);
        assert!(find("abcdefghijkl").is_empty() && find("").is_empty());
    }
}
