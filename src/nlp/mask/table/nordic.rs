//! The Nordic states.

use super::check::{
    certain, complement_11, digit, is_date, is_digits, is_dmy, likely, number, passes_luhn,
    weighted,
};
use super::{Edges, Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::FI_PERSONAL_IDENTITY_CODE, "FI", "henkilötunnus")
        .shapes(&[shape("[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", 0.3)])
        .edges(Edges::Digits)
        .check("date, sign by modulus 31", finnish)
        .words(
            "henkilötunnu*, henkilotunnu*, hetu*, personal identity code, personbeteckning*, sotu*",
        )
        .source("Digi- ja väestötietovirasto, The personal identity code"),
    Row::of(Entity::SE_PERSONNUMMER, "SE", "personnummer")
        .shapes(&[
            shape("(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", 0.3).passed(0.8),
            shape("(?:[0-9]{2})?[0-9]{10}", 0.05).passed(0.35),
        ])
        .edges(Edges::Digits)
        .check("date, Luhn", personnummer)
        .words(
            "personal identity number, personnr, personnummer*, pnr, samordningsnummer, ssn, svensk id, \
             svenskt personnummer",
        )
        .source("Skatteverket, SKV 704; Folkbokföringslagen § 18"),
    Row::of(Entity::SE_ORGANISATIONSNUMMER, "SE", "organisationsnummer")
        .shapes(&[
            shape("[0-9]{6}-[0-9]{4}", 0.3).passed(0.6),
            shape("[0-9]{10}", 0.05).passed(0.2),
        ])
        .edges(Edges::Digits)
        .check("third digit, Luhn", |code| {
            (code.len() == 10 && digit(code[2]) >= 2 && passes_luhn(code)).into()
        })
        .words("företagsnummer, org nr, organisationsnr, organisationsnummer*, orgnr, orgnummer*")
        .source("Skatteverket, SKV 709; Lag om identitetsbeteckning för juridiska personer"),
    Row::of(Entity::DK_CPR, "DK", "CPR-nummer")
        .shapes(&[
            shape("[0-9]{6}-[0-9]{4}", 0.3).passed(0.5),
            shape("[0-9]{10}", 0.01).passed(0.2),
        ])
        .check("date, weights 4, 3, 2, 7, 6, 5, 4, 3, 2 (until 2007)", cpr)
        .words("cpr, cpr nr, cpr nummer, cprnr, personnummer")
        .source("CPR-kontoret, Personnummeret i CPR"),
    Row::of(Entity::NO_FODSELSNUMMER, "NO", "fødselsnummer")
        .shapes(&[
            shape("[0-9]{6} [0-9]{5}", 0.2).passed(0.9),
            shape("[0-9]{11}", 0.05).passed(0.35),
        ])
        .check("date, two check digits", norwegian)
        .words("d nummer, fnr, fodselsnummer*, fødselsnummer*, fødselsnr, personnummer")
        .source("Skatteetaten, Fødselsnummer; Folkeregisterforskriften § 2-2-1"),
];

/// The sign between date and number is that of the century; the last one is the remainder by 31.
fn finnish(code: &[u8]) -> Verdict {
    const SIGNS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((&last, body)) = code.split_last() else { return Verdict::Fails };
    let digits: Vec<u8> = body.iter().copied().filter(u8::is_ascii_digit).collect();
    if !matches!(body.len(), 9 | 10) || digits.len() != 9 || !is_dmy(&digits[..6]) {
        return Verdict::Fails;
    }
    certain(SIGNS[(number(&digits) % 31) as usize] == last)
}

/// Coordination numbers raise the day by 60.
fn personnummer(code: &[u8]) -> Verdict {
    let Some(short) = code.len().checked_sub(10).and_then(|at| code.get(at..)) else {
        return Verdict::Fails;
    };
    let century = matches!(code.len() - 10, 0) || matches!(number(&code[..2]), 16 | 18..=20);
    let day = match number(&short[4..6]) {
        d @ 61..=91 => d - 60,
        d => d,
    };
    let month = number(&short[2..4]);
    let dated = matches!(month, 1..=12) && matches!(day, 1..=31);
    (matches!(code.len(), 10 | 12) && century && dated && passes_luhn(short)).into()
}

/// Numbers given out since 2007 need not pass the modulus.
fn cpr(code: &[u8]) -> Verdict {
    if code.len() != 10 || !is_digits(code) || !is_dmy(&code[..6]) {
        return Verdict::Fails;
    }
    likely(weighted(code, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11))
}

/// D-numbers raise the day by 40, synthetic ones the month by 40 or 80.
fn norwegian(code: &[u8]) -> Verdict {
    if code.len() != 11 || !is_digits(code) {
        return Verdict::Fails;
    }
    let (day, month) = (number(&code[..2]) % 40, number(&code[2..4]) % 40);
    let first = complement_11(weighted(code, &[3, 7, 6, 1, 8, 9, 4, 5, 2]));
    let second = complement_11(weighted(code, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]));
    (is_date(number(&code[4..6]), month, day)
        && first == Some(digit(code[9]))
        && second == Some(digit(code[10])))
    .into()
}
