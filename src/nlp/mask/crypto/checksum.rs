//! The checksums of wallets' addresses: Base58Check, Bech32 and Bech32m (BIP 173, BIP 350), and
//! CashAddr.

use sha2::{Digest, Sha256};

/// An order of the 58 letters and digits that are hard to mix up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base58 {
    Bitcoin,
    Ripple,
}

impl Base58 {
    fn alphabet(self) -> &'static [u8; 58] {
        match self {
            Self::Bitcoin => b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
            Self::Ripple => b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz",
        }
    }
}

/// The bytes of a text of up to 128 letters in Base58, `None` if it is none.
pub(super) fn base58(text: &str, base: Base58) -> Option<Vec<u8>> {
    if text.len() > 128 {
        return None;
    }
    let alphabet = base.alphabet();
    // Big-endian; a long multiplication per letter.
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for letter in text.bytes() {
        let mut carry = alphabet.iter().position(|&a| a == letter)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.insert(0, (carry & 0xFF) as u8);
            carry >>= 8;
        }
    }
    let zeros = text.bytes().take_while(|&b| b == alphabet[0]).count();
    let mut whole = vec![0; zeros];
    whole.extend(bytes);
    Some(whole)
}

/// Whether the last four of 25 or 26 bytes are those of the others' double SHA-256.
pub(super) fn base58_check(text: &str, base: Base58) -> bool {
    let Some(bytes) = base58(text, base) else { return false };
    if !(25..=26).contains(&bytes.len()) {
        return false;
    }
    let (payload, check) = bytes.split_at(bytes.len() - 4);
    Sha256::digest(Sha256::digest(payload))[..4] == *check
}

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Values of letters in the charset of Bech32.
fn five_bits(data: &str) -> Option<Vec<u8>> {
    data.bytes()
        .map(|b| CHARSET.iter().position(|&c| c == b).and_then(|n| u8::try_from(n).ok()))
        .collect()
}

/// Whether a text of one case has a readable part of letters, a `1`, and data with a valid
/// checksum of either version. Witness programs of version 0 have the first, all others the
/// second.
pub(super) fn bech32(text: &str) -> bool {
    let one_case = !(text.bytes().any(|b| b.is_ascii_lowercase())
        && text.bytes().any(|b| b.is_ascii_uppercase()));
    let lower = text.to_ascii_lowercase();
    let Some((prefix, data)) = lower.rsplit_once('1') else { return false };
    let is_prefix =
        (2..=16).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_lowercase());
    if !one_case || !is_prefix || data.len() < 20 {
        return false;
    }
    let Some(values) = five_bits(data) else { return false };
    let head = prefix.bytes().map(|b| b >> 5);
    let expanded =
        head.chain([0]).chain(prefix.bytes().map(|b| b & 31)).chain(values.iter().copied());
    let sum = polymod(expanded);
    let is_bitcoin = matches!(prefix, "bc" | "tb" | "ltc");
    match values.first() {
        Some(0) if is_bitcoin => sum == 1,
        _ if is_bitcoin => sum == BECH32M,
        _ => sum == 1 || sum == BECH32M,
    }
}

const BECH32M: u32 = 0x2bc8_30a3;

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let next = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(i, _)| top >> i & 1 == 1)
            .fold(next, |s, (_, g)| s ^ g)
    })
}

/// Whether `data` passes the 40-bit checksum of CashAddr under `prefix`.
pub(super) fn cash_address(prefix: &str, data: &str) -> bool {
    const GENERATOR: [u64; 5] =
        [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let Some(values) = five_bits(&data.to_ascii_lowercase()) else { return false };
    let expanded = prefix.bytes().map(|b| b & 31).chain([0]).chain(values);
    let sum = expanded.fold(1u64, |sum, value| {
        let top = sum >> 35;
        let next = (sum & 0x7_ffff_ffff) << 5 ^ u64::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(i, _)| top >> i & 1 == 1)
            .fold(next, |s, (_, g)| s ^ g)
    });
    sum == 1
}
