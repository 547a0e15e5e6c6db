//! The United Kingdom.

use super::check::{is_digits, number, weighted};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::UK_NHS, "GB", "NHS number")
        .shapes(&[
            shape("[0-9]{3}[- ][0-9]{3}[- ][0-9]{4}", 0.3).passed(0.45),
            shape("[0-9]{10}", 0.1).passed(0.3),
            shape("[0-9]{3}[- ][0-9]{7}|[0-9]{6}[- ][0-9]{4}", 0.1).passed(0.3),
        ])
        .check("weights 10 to 2, modulus 11", nhs)
        .words("health authority, health services authority, national health service, nhs")
        .source("NHS Data Model and Dictionary, NHS Number"),
    Row::of(Entity::UK_NINO, "GB", "National Insurance number")
        .shapes(&[shape(
            "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
            0.5,
        )])
        .check("prefixes that are given out", nino)
        .words("insurance number, national insurance, ni, ni number, nino")
        .source("HM Revenue and Customs, National Insurance Manual NIM39110"),
    Row::of(Entity::UK_DRIVING_LICENCE, "GB", "driving licence number")
        .shapes(&[shape(
            "[A-Z9]{5}[0-9](?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][A-Z9]{2}[A-Z0-9][A-Z]{2}",
            0.5,
        )])
        .check("a surname filled up with nines", driving_licence)
        .words(
            "dl number, driver licence, driver license, driving licence, driving license, dvla, licence \
             number, license number",
        )
        .source("Driver and Vehicle Licensing Agency, INF 45"),
    Row::of(Entity::UK_PASSPORT, "GB", "passport number")
        .shapes(&[shape("[A-Z]{2}[0-9]{7}", 0.1)])
        .words(
            "british passport, her majesty, his majesty, hm passport, hmpo, passport, passport number, \
             travel document, uk passport",
        )
        .source("HM Passport Office, Basic passport checks"),
    Row::of(Entity::UK_POSTCODE, "GB", "postcode")
        .shapes(&[shape(
            "GIR ?0AA|[A-PR-UWYZ](?:[0-9][A-HJKPSTUW]?|[0-9]{2}|[A-HK-Y][0-9][ABEHMNPRVWXY]?|[A-HK-Y][0-9]{2}) ?[0-9][ABD-HJLNP-UW-Z]{2}",
            0.1,
        )])
        .words(
            "address, correspondence, delivery, mailing, post code, postal code, postcode, shipping, zip",
        )
        .source("Royal Mail, Programmers' Guide: PAF; British Standard 7666"),
    Row::of(Entity::UK_VEHICLE_REGISTRATION, "GB", "number plate")
        .shapes(&[
            shape("[A-HJ-PR-Y]{2}[0-9]{2}[- ]?[A-HJ-PR-Z]{3}", 0.3).passed(0.4),
            shape("[A-HJ-NPR-TV-Y][0-9]{1,3}[- ]?[A-HJ-PR-Y][A-HJ-PR-Z]{2}", 0.15),
            shape("[A-HJ-PR-Z]{3}[- ]?[0-9]{1,3}[- ]?[A-HJ-NPR-TV-Y]", 0.15),
        ])
        .check("age identifiers that are given out", plate)
        .words(
            "car, dvla, insured vehicle, licence plate, license plate, log book, logbook, mot, number \
             plate, numberplate, plate, reg, registration, van, vehicle, vrm, vrn",
        )
        .source("Driver and Vehicle Licensing Agency, INF 104"),
    Row::of(Entity::UK_BANK_ACCOUNT, "GB IE", "sort code and account number")
        .shapes(&[
            shape("[0-9]{2}[- ][0-9]{2}[- ][0-9]{2}(?:,? |/| / )[0-9]{8}", 0.4),
            shape("[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{6}", 0.01),
        ])
        .words("sort code, sortcode")
        .source("Pay.UK, Extended Industry Sorting Code Directory"),
];

fn nhs(code: &[u8]) -> Verdict {
    let sum = weighted(code, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    (code.len() == 10 && is_digits(code) && sum.is_multiple_of(11) && number(code) > 0).into()
}

/// Prefixes that HM Revenue and Customs keeps out of use.
fn nino(code: &[u8]) -> Verdict {
    const UNUSED: [&[u8]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    match code.get(..2) {
        Some(prefix) if !UNUSED.contains(&prefix) => Verdict::Unknown,
        _ => Verdict::Fails,
    }
}

fn driving_licence(code: &[u8]) -> Verdict {
    let Some(name) = code.get(..5) else { return Verdict::Fails };
    let letters = name.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let filled = letters > 0 && name[letters..].iter().all(|&b| b == b'9');
    if filled { Verdict::Unknown } else { Verdict::Fails }
}

/// The current style (since 2001) carries the half-year: 02–29 from March, 51–79 from September.
fn plate(code: &[u8]) -> Verdict {
    match code {
        [a, b, age @ .., x, y, z]
            if age.len() == 2
                && is_digits(age)
                && [a, b, x, y, z].iter().all(|c| c.is_ascii_alphabetic()) =>
        {
            matches!(number(age), 2..=29 | 51..=79).into()
        }
        _ => Verdict::Unknown,
    }
}
