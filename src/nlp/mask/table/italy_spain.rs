//! Italy and Spain.

use super::check::{certain, digit, is_digits, number, passes_luhn};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::ES_NIF, "ES", "NIF")
        .shapes(&[
            shape("[0-9]{8}[A-Z]", 0.3).passed(0.6),
            shape("[0-9]{8}-[A-Z]", 0.4).passed(0.9),
            shape("[0-9]{7}-?[A-Z]", 0.2).passed(0.35),
            shape("[0-9]{2}\\.[0-9]{3}\\.[0-9]{3}-?[A-Z]", 0.4).passed(0.9),
        ])
        .check("letter by modulus 23", nif)
        .words("dni, documento nacional de identidad, documento nacional, identificación, nif")
        .source("Real Decreto 1553/2005; Ministerio del Interior, cálculo del dígito de control"),
    Row::of(Entity::ES_NIE, "ES", "NIE")
        .shapes(&[
            shape("[X-Z][0-9]{7}-?[A-Z]", 0.4).passed(0.9),
            shape("[X-Z]-[0-9]{7}-[A-Z]", 0.4).passed(0.9),
        ])
        .check("letter by modulus 23", nie)
        .words("extranjero, nie, número de identificación de extranjero, tarjeta de residencia")
        .source("Ministerio del Interior, cálculo del dígito de control del NIF/NIE"),
    Row::of(Entity::ES_PASSPORT, "ES", "pasaporte")
        .shapes(&[shape("[A-Z]{3}[0-9]{6}", 0.05)])
        .words("número de pasaporte, pasaporte, passport, passport number")
        .source("Council of the European Union, PRADO: Spain, passport"),
    Row::of(Entity::IT_FISCAL_CODE, "IT", "codice fiscale")
        .shapes(&[shape(
            "[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-MZ][0-9LMNP-V]{3}[A-Z]",
            0.3,
        )])
        .check("letter of odd and even values", fiscal_code)
        .words("cf, codice fiscale, cod fisc, fiscal code, tax code")
        .source("Decreto ministeriale 12 marzo 1974 n. 2227; Agenzia delle Entrate"),
    Row::of(Entity::IT_VAT_CODE, "IT", "partita IVA")
        .shapes(&[
            shape("(?:[0-9][ _]?){10}[0-9]", 0.1).passed(0.2),
            shape("(?-i:IT)[ -][0-9]{11}|IT[0-9]{11}", 0.3).passed(0.9),
        ])
        .check("Luhn", |code| {
            let digits = code.strip_prefix(b"IT").unwrap_or(code);
            (digits.len() == 11 && passes_luhn(digits) && number(digits) > 0).into()
        })
        .words("iva, p iva, partita iva, pi, piva")
        .source("Decreto del Presidente della Repubblica 633/1972, art. 35"),
    Row::of(Entity::IT_DRIVER_LICENSE, "IT", "patente di guida")
        .shapes(&[shape("[A-Z]{2}[0-9]{7}[A-Z]|U1[B-HJ-NPR-UWYXZ0-9]{7}[A-Z]", 0.2)])
        .words("driving licence, guida, licenza, licenza di guida, patente, patente di guida")
        .source("Ministero delle Infrastrutture e dei Trasporti; Directive 2006/126/EC"),
    Row::of(Entity::IT_IDENTITY_CARD, "IT", "carta d'identità")
        .shapes(&[
            shape("[A-Z]{2} ?[0-9]{7}", 0.01),
            shape("[0-9]{7}[A-Z]{2}", 0.01),
            shape("[A-Z]{2}[0-9]{5}[A-Z]{2}", 0.01),
        ])
        .words(
            "carta, carta d identità, cie, documento, elettronica, espatrio, identità, riconoscimento",
        )
        .source("Ministero dell'Interno, Carta di identità elettronica"),
    Row::of(Entity::IT_PASSPORT, "IT", "passaporto")
        .shapes(&[shape("[A-Z]{2}[0-9]{7}", 0.01)])
        .words(
            "documento, dogana, elettronico, estero, italiano, passaporto, viaggiare, viaggio",
        )
        .source("Council of the European Union, PRADO: Italy, passport"),
];

/// The letter that a number has for its remainder by 23.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn letter_fits(number: u64, letter: u8) -> bool {
    LETTERS[(number % 23) as usize] == letter
}

pub(super) fn nif(code: &[u8]) -> Verdict {
    let Some((&letter, digits)) = code.split_last() else { return Verdict::Fails };
    let formed = matches!(digits.len(), 7 | 8) && is_digits(digits) && number(digits) > 0;
    (formed && letter_fits(number(digits), letter)).into()
}

/// X, Y and Z stand for 0, 1 and 2 in front.
pub(super) fn nie(code: &[u8]) -> Verdict {
    let [first @ b'X'..=b'Z', digits @ .., letter] = code else { return Verdict::Fails };
    if digits.len() != 7 || !is_digits(digits) {
        return Verdict::Fails;
    }
    let whole = [&[first - b'X' + b'0'], digits].concat();
    letter_fits(number(&whole), *letter).into()
}

/// Characters at odd places count by a table, those at even places by their order; digits may be
/// letters where two people would have the same code.
fn fiscal_code(code: &[u8]) -> Verdict {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let order = |b: u8| if b.is_ascii_digit() { digit(b) } else { u32::from(b.wrapping_sub(b'A')) };
    let Some((&last, body)) = code.split_last() else { return Verdict::Fails };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(i, &b)| match i % 2 {
            0 => ODD.get(order(b) as usize).copied().unwrap_or_default(),
            _ => order(b),
        })
        .sum();
    certain(code.len() == 16 && last.is_ascii_uppercase() && sum % 26 == order(last))
}
