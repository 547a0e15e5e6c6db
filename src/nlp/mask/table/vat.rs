//! VAT identification numbers with their state's prefix. Germany's and Italy's are types of their
//! own.

use super::check::{
    complement_11, cross_weighted, digit, is_digits, is_uniform, likely, number, passes_luhn,
    passes_mod_11_10, remainder_97, weighted,
};
use super::europe::irish;
use super::italy_spain::{nie, nif};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(
        Entity::VAT_ID,
        "AT BE BG CY CZ DK EE GR ES FI FR HR HU IE LT LU LV MT NL PL PT RO SE SI SK GB CH NO",
        "VAT identification number",
    )
    .shapes(&[
        shape("ATU[0-9]{8}|CY[0-9]{8}[A-Z]|NL[0-9]{9}B[0-9]{2}|NL[0-9]{4}\\.?[0-9]{2}\\.?[0-9]{3}\\.?B\\.?[0-9]{2}", 0.35)
            .passed(0.9),
        shape("CHE-?[0-9]{3}\\.[0-9]{3}\\.[0-9]{3}|CHE-?[0-9]{9}|(?:(?-i:NO) |NO)[0-9]{9} ?MVA", 0.35).passed(0.9),
        shape("(?:(?-i:GB|XI) |(?:GB|XI))(?:[0-9]{3} ?[0-9]{4} ?[0-9]{2}(?: ?[0-9]{3})?|GD[0-9]{3}|HA[0-9]{3})", 0.3)
            .passed(0.9),
        shape("(?:(?-i:FR) |FR)[0-9A-HJ-NP-Z]{2} ?[0-9]{9}|(?:(?-i:FR) |FR)[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", 0.3).passed(0.9),
        shape("(?:(?-i:BE) |BE)[01]?[0-9]{9}|(?:(?-i:BE) |BE)[01][0-9]{3}\\.[0-9]{3}\\.[0-9]{3}", 0.2).passed(0.9),
        shape("(?:(?-i:IE) |IE)[0-9][0-9A-Z+*][0-9]{5}[A-W][A-I]?|(?:(?-i:ES) |ES)[0-9A-Z][0-9]{7}[0-9A-Z]", 0.3).passed(0.9),
        shape("(?:(?-i:EE|EL|GR|PT) |(?:EE|EL|GR|PT))[0-9]{9}|(?:(?-i:DK|FI|HU|LU|MT|SI) |(?:DK|FI|HU|LU|MT|SI))[0-9]{8}|(?:(?-i:HR|LV) |(?:HR|LV))[0-9]{11}", 0.2).passed(0.7),
        shape("(?-i:DK)(?: [0-9]{2}){4}|(?:(?-i:PL) |PL)[0-9]{3}-?[0-9]{3}-?[0-9]{2}-?[0-9]{2}|(?:(?-i:SK) |SK)[0-9]{10}", 0.2).passed(0.7),
        shape("(?:(?-i:BG) |BG)[0-9]{9,10}|(?:(?-i:CZ) |CZ)[0-9]{8,10}|(?:(?-i:LT) |LT)(?:[0-9]{9}|[0-9]{12})|(?:(?-i:SE) |SE)[0-9]{12}", 0.2).passed(0.7),
        shape("(?:(?-i:RO) |RO)[0-9]{6,10}", 0.1).passed(0.35),
    ])
    .check("by state", vat_id)
    .words(
        "alv, arvonlisävero, btw, btw nummer, dic, dič, dph, identifikačné číslo, iva, km, moms, mva, \
         mwst, nif, nip, pvm, számlázási, tax id, tax number, tva, uid, uid nummer, umsatzsteuer*, ust id, \
         ust idnr, vat, vat id, vat no, vat number, áfa, ддс, φπα",
    )
    .source("European Commission, VIES: structure and check digits by state; HMRC; Swiss UID register"),
];

fn vat_id(code: &[u8]) -> Verdict {
    let Some((state, n)) = code.split_at_checked(2) else { return Verdict::Fails };
    match state {
        b"AT" => austria(n).into(),
        b"BE" => belgium(n).into(),
        b"BG" => bulgaria(n),
        b"CH" => switzerland(n).into(),
        b"CY" => cyprus(n).into(),
        b"CZ" => czechia(n),
        b"DK" => weighted(n, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11).into(),
        b"EE" => weighted(n, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10).into(),
        b"EL" | b"GR" => {
            let sum = weighted(n, &[256, 128, 64, 32, 16, 8, 4, 2]);
            (last(n) == Some(sum % 11 % 10)).into()
        }
        b"ES" => spain(n).into(),
        b"FI" => (last(n) == complement_11(weighted(n, &[7, 9, 10, 5, 8, 4, 2]))).into(),
        b"FR" => france(n),
        b"GB" | b"XI" => britain(n),
        b"HR" => passes_mod_11_10(n).into(),
        b"HU" => weighted(n, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10).into(),
        b"IE" if n.get(1).is_some_and(u8::is_ascii_digit) => irish(n),
        b"IE" => Verdict::Unknown,
        b"LT" => lithuania(n).into(),
        b"LU" => (n.len() == 8 && number(&n[..6]) % 89 == number(&n[6..])).into(),
        b"LV" => latvia(n),
        b"MT" => weighted(n, &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37).into(),
        b"NL" => netherlands(n),
        b"NO" => {
            let digits = n.get(..9).unwrap_or_default();
            let sum = weighted(digits, &[3, 2, 7, 6, 5, 4, 3, 2]);
            (last(digits) == complement_11(sum)).into()
        }
        b"PL" => (last(n) == Some(weighted(n, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11)).into(),
        b"PT" => {
            let sum = weighted(n, &[9, 8, 7, 6, 5, 4, 3, 2]);
            (last(n) == Some(complement_11(sum).unwrap_or(0))).into()
        }
        b"RO" => romania(n).into(),
        b"SE" => (n.len() == 12 && passes_luhn(&n[..10])).into(),
        b"SI" => (last(n) == complement_11_or_zero(weighted(n, &[8, 7, 6, 5, 4, 3, 2]))).into(),
        b"SK" => number(n).is_multiple_of(11).into(),
        _ => Verdict::Fails,
    }
    .unless(is_uniform(n))
}

impl Verdict {
    fn unless(self, refused: bool) -> Self {
        if refused { Self::Fails } else { self }
    }
}

fn last(code: &[u8]) -> Option<u32> {
    code.last().filter(|b| b.is_ascii_digit()).map(|&b| digit(b))
}

/// Slovenia writes zero for ten and gives out none for eleven.
fn complement_11_or_zero(sum: u32) -> Option<u32> {
    match 11 - sum % 11 {
        11 => None,
        d => Some(d % 10),
    }
}

fn austria(n: &[u8]) -> bool {
    let Some((b'U', digits)) = n.split_first() else { return false };
    let sum = cross_weighted(digits, &[1, 2, 1, 2, 1, 2, 1]) + 4;
    last(digits) == Some((10 - sum % 10) % 10)
}

fn belgium(n: &[u8]) -> bool {
    n.len() > 2 && 97 - number(&n[..n.len() - 2]) % 97 == number(&n[n.len() - 2..])
}

/// Nine digits are a company's; ten are a person's, of whom there are several kinds.
fn bulgaria(n: &[u8]) -> Verdict {
    if n.len() != 9 {
        return Verdict::Unknown;
    }
    let check = match weighted(n, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11 {
        10 => weighted(n, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10,
        d => d,
    };
    (last(n) == Some(check)).into()
}

fn switzerland(n: &[u8]) -> bool {
    let Some((b'E', digits)) = n.split_first() else { return false };
    last(digits) == complement_11(weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4]))
}

fn cyprus(n: &[u8]) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let Some((&letter, digits)) = n.split_last() else { return false };
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(i, &b)| match i % 2 {
            0 => ODD[digit(b) as usize % 10],
            _ => digit(b) % 10,
        })
        .sum();
    is_digits(digits) && sum % 26 == u32::from(letter.wrapping_sub(b'A'))
}

/// Eight digits are a company's; nine and ten a person's birth number.
fn czechia(n: &[u8]) -> Verdict {
    if n.len() != 8 {
        return Verdict::Unknown;
    }
    let check = match 11 - weighted(n, &[8, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 1,
        d => d % 10,
    };
    (last(n) == Some(check)).into()
}

/// Of a company: a letter, seven digits, and a digit or the letter of its place.
fn spain(n: &[u8]) -> bool {
    if n.len() != 9 {
        return false;
    }
    if n[0].is_ascii_digit() {
        return nif(n) == Verdict::Passes;
    }
    if matches!(n[0], b'X'..=b'Z') {
        return nie(n) == Verdict::Passes;
    }
    if !is_digits(&n[1..8]) {
        return false;
    }
    let check = (10 - cross_weighted(&n[1..8], &[2, 1, 2, 1, 2, 1, 2]) % 10) % 10;
    let letter = b"JABCDEFGHI"[check as usize];
    n[8] == letter || last(n) == Some(check)
}

/// The key of two digits is computed from the company's number; newer keys hold letters.
fn france(n: &[u8]) -> Verdict {
    let Some((key, siren)) = n.split_at_checked(2) else { return Verdict::Fails };
    if !passes_luhn(siren) {
        return Verdict::Fails;
    }
    if is_digits(key) {
        return ((12 + 3 * (number(siren) % 97)) % 97 == number(key)).into();
    }
    Verdict::Passes
}

fn britain(n: &[u8]) -> Verdict {
    if !is_digits(n) {
        return likely(matches!(n.get(..2), Some(b"GD" | b"HA")));
    }
    let Some(digits) = n.get(..9) else { return Verdict::Fails };
    let sum = weighted(digits, &[8, 7, 6, 5, 4, 3, 2, 10, 1]);
    (sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)).into()
}

fn lithuania(n: &[u8]) -> bool {
    let sum = |first: u32| -> u32 {
        let weights = (0u32..).map(|i| (first + i - 1) % 9 + 1);
        n[..n.len().saturating_sub(1)].iter().zip(weights).map(|(&b, w)| digit(b) % 10 * w).sum()
    };
    let check = match sum(1) % 11 {
        10 => sum(3) % 11 % 10,
        d => d,
    };
    last(n) == Some(check)
}

/// Companies' numbers begin above three; the others are persons'.
fn latvia(n: &[u8]) -> Verdict {
    if n.first().is_none_or(|&b| b <= b'3') {
        return Verdict::Unknown;
    }
    let rest = weighted(n, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6]) % 11;
    // 3 − rest, brought above zero.
    let check = if rest > 3 { 14 - rest } else { 3 - rest };
    (last(n) == Some(check)).into()
}

/// Since 2020 sole traders' numbers pass ISO 7064 MOD 97-10 over the whole, the others the eleven
/// test of the first nine digits.
fn netherlands(n: &[u8]) -> Verdict {
    let Some(digits) = n.get(..9) else { return Verdict::Fails };
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let whole = remainder_97(&[b"NL", n].concat());
    (last(digits) == Some(sum % 11) || whole == 1).into()
}

fn romania(n: &[u8]) -> bool {
    const WEIGHTS: [u32; 9] = [7, 5, 3, 2, 1, 7, 5, 3, 2];
    let Some((_, body)) = n.split_last() else { return false };
    let Some(weights) = WEIGHTS.len().checked_sub(body.len()).map(|at| &WEIGHTS[at..]) else {
        return false;
    };
    last(n) == Some(weighted(body, weights) * 10 % 11 % 10)
}
