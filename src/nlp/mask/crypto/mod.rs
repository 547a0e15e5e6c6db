//! Addresses of wallets: Bitcoin and its kin, Ethereum, Tron, Ripple and whatever else is written
//! in Base58Check or Bech32. Their checksums are long enough to decide alone; only what has none,
//! as Solana's addresses and Ethereum's in one case, needs its form or a word near it.

mod checksum;
mod keccak;

use std::ops::Range;

use self::checksum::{Base58, base58, base58_check, bech32, cash_address};
use self::keccak::keccak256;
use super::candidate::Candidate;
use super::label::Topic;
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// Lengths of addresses in characters, all kinds together; Cardano's are the longest.
const LENGTHS: Range<usize> = 25..120;
/// How far behind its label an address without checksum may stand, in bytes.
const MAX_WAY: usize = 60;

pub(super) struct Crypto;

impl Recognizer for Crypto {
    fn entity(&self) -> &Entity {
        const { &Entity::CRYPTO }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for token in source.tokens() {
            for range in words(text, token) {
                if !LENGTHS.contains(&range.len()) || !source.stands_alone(&range) {
                    continue;
                }
                if let Some((check, score)) = judge(source, &range) {
                    out.push(Candidate::new(range, Entity::CRYPTO, score, "crypto").checked(check));
                }
            }
        }
    }
}

/// The alphanumeric runs of a token.
fn words<'t>(text: &'t str, token: &Range<usize>) -> impl Iterator<Item = Range<usize>> + 't {
    let base = token.start;
    let written = &text[token.clone()];
    let mut at = 0;
    written.split(|c: char| !c.is_ascii_alphanumeric()).map(move |part| {
        let start = base + at;
        at += part.len() + 1;
        start..start + part.len()
    })
}

/// Which check an address passes, and how sure it is.
fn judge(source: &Source<'_>, range: &Range<usize>) -> Option<(&'static str, f32)> {
    let text = source.text();
    let word = &text[range.clone()];
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return ethereum(hex);
    }
    if bech32(word) {
        return Some(("bech32", 1.0));
    }
    let behind_colon = text[..range.start].strip_suffix(':').unwrap_or_default();
    let is_cash =
        ["bitcoincash", "ecash", "bchtest"].into_iter().find(|p| behind_colon.ends_with(p));
    if is_cash.is_some_and(|prefix| cash_address(prefix, word))
        || word.len() == 42 && word.starts_with(['q', 'p']) && cash_address("bitcoincash", word)
    {
        return Some(("cashaddr", 1.0));
    }
    // Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron and others differ in the first byte only.
    if (25..=36).contains(&word.len()) {
        if base58_check(word, Base58::Bitcoin) {
            return Some(("base58check", 1.0));
        }
        if word.starts_with('r') && base58_check(word, Base58::Ripple) {
            return Some(("base58check", 1.0));
        }
    }
    let solana = (32..=44).contains(&word.len())
        && is_announced(source, range.start)
        && word.bytes().any(|b| b.is_ascii_digit())
        && base58(word, Base58::Bitcoin).is_some_and(|bytes| bytes.len() == 32);
    let monero =
        word.len() == 95 && word.starts_with(['4', '8']) && base58(word, Base58::Bitcoin).is_some();
    (solana || monero).then_some(("form", if monero { 0.9 } else { 0.6 }))
}

/// Forty hexadecimal digits; where they are in mixed case, the case is a checksum (EIP-55).
fn ethereum(hex: &str) -> Option<(&'static str, f32)> {
    if hex.len() != 40 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let upper = hex.bytes().any(|b| b.is_ascii_uppercase());
    let lower = hex.bytes().any(|b| b.is_ascii_lowercase());
    if !(upper && lower) {
        return Some(("form", 0.8));
    }
    let hash = keccak256(hex.to_ascii_lowercase().as_bytes());
    let cased = hex.bytes().enumerate().all(|(i, b)| {
        let nibble = hash[i / 2] >> (4 * (1 - i % 2)) & 15;
        b.is_ascii_digit() || b.is_ascii_uppercase() == (nibble >= 8)
    });
    // A mistyped address is somebody's as well, but surely less than a right one.
    Some(if cased { ("eip-55", 1.0) } else { ("form", 0.5) })
}

/// Whether a word for wallets stands a little in front.
fn is_announced(source: &Source<'_>, at: usize) -> bool {
    source.labels_before(at, MAX_WAY).any(|l| l.topic == Topic::Wallet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&Crypto, text)
    }

    #[test]
    fn finds_addresses_of_many_chains() {
        // The first Bitcoin block's, and the examples of the published specifications.
        for address in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
            "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        ] {
            assert_eq!(found(&format!("send it to {address}.")), [address], "{address}");
        }
        assert_eq!(
            found("my Solana wallet 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"),
            ["4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"]
        );
    }

    #[test]
    fn leaves_what_fails_its_check() {
        for text in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "x1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "internationalisierungsmassnahmen12",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
