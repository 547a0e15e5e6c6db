//! Australia, Nigeria and South Africa.

use super::check::{
    digit, is_digits, is_uniform, is_ymd, number, passes_luhn, passes_verhoeff, weighted,
};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::AU_ABN, "AU", "Australian Business Number")
        .shapes(&[
            shape("[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}", 0.1).passed(0.9),
            shape("[0-9]{11}", 0.01).passed(0.35),
        ])
        .check("weights 10, 1, 3 to 19, modulus 89", abn)
        .words("abn, australian business number")
        .source("Australian Business Register, Format of the ABN"),
    Row::of(Entity::AU_ACN, "AU", "Australian Company Number")
        .shapes(&[
            shape("[0-9]{3} [0-9]{3} [0-9]{3}", 0.1).passed(0.3),
            shape("[0-9]{9}", 0.01).passed(0.2),
        ])
        .check("weights 8 to 1", |code| {
            let sum = weighted(code, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
            (code.len() == 9 && sum.is_multiple_of(10) && number(code) > 0).into()
        })
        .words("acn, australian company number")
        .source("Australian Securities and Investments Commission, ACN check digit"),
    Row::of(Entity::AU_TFN, "AU", "Tax File Number")
        .shapes(&[
            shape("[0-9]{3} [0-9]{3} [0-9]{3}", 0.1).passed(0.3),
            shape("[0-9]{9}", 0.01).passed(0.2),
        ])
        .check("weights 1, 4, 3, 7, 5, 8, 6, 9, 10, modulus 11", |code| {
            let sum = weighted(code, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
            (code.len() == 9 && sum.is_multiple_of(11) && number(code) > 0).into()
        })
        .words("tax file, tax file number, tfn")
        .source("Australian Taxation Office, Tax file number algorithm"),
    Row::of(Entity::AU_MEDICARE, "AU", "Medicare number")
        .shapes(&[
            shape("[2-6][0-9]{3} [0-9]{5} [0-9]", 0.1).passed(0.6),
            shape("[2-6][0-9]{9}", 0.01).passed(0.2),
        ])
        .check("weights 1, 3, 7, 9", |code| {
            let sum = weighted(code, &[1, 3, 7, 9, 1, 3, 7, 9]);
            (code.len() == 10 && sum % 10 == digit(code[8])).into()
        })
        .words("medicare, medicare card, medicare number")
        .source("Services Australia, Medicare card number"),
    Row::of(Entity::NG_NIN, "NG", "National Identification Number")
        .shapes(&[shape("[0-9]{11}", 0.01).passed(0.2)])
        .check("Verhoeff", |code| {
            (code.len() == 11 && is_digits(code) && passes_verhoeff(code) && !is_uniform(code)).into()
        })
        .words(
            "national identification number, national identity, national identity number, nigeria id, \
             nigerian identification, nimc, nin",
        )
        .source("National Identity Management Commission, NIN"),
    Row::of(Entity::NG_VEHICLE_REGISTRATION, "NG", "number plate")
        .shapes(&[shape("[A-Z]{3}[- ]?[0-9]{3}[A-Z]{2}", 0.3)])
        .words(
            "licence plate, license plate, number plate, plate, plate number, registration, vehicle, \
             vehicle registration",
        )
        .source("Federal Road Safety Corps, plates since 2011"),
    Row::of(Entity::ZA_ID_NUMBER, "ZA", "identity number")
        .shapes(&[
            shape("[0-9]{10}[0-2][89][0-9]", 0.1).passed(0.6),
            shape("[0-9]{6} [0-9]{4} [0-2][89][0-9]", 0.3).passed(0.9),
        ])
        .check("date, Luhn", south_african)
        .words(
            "id number, identity, identity number, national id, refugee id, rsa id, said, smart id, south \
             african id",
        )
        .source("Identification Act 68 of 1997; Department of Home Affairs"),
];

/// One is taken off the first digit.
fn abn(code: &[u8]) -> Verdict {
    if code.len() != 11 || code[0] == b'0' {
        return Verdict::Fails;
    }
    let sum = weighted(code, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10;
    sum.is_multiple_of(89).into()
}

fn south_african(code: &[u8]) -> Verdict {
    (code.len() == 13 && is_digits(code) && is_ymd(&code[..6]) && passes_luhn(code)).into()
}
