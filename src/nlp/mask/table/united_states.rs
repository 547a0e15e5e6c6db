//! The United States. Social security numbers have a recognizer of their own.

use super::check::{digit, is_uniform, number, passes_luhn, weighted};
use super::{Row, Shape, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::ABA_ROUTING_NUMBER, "US", "ABA routing number")
        .shapes(&[
            shape("[0-36-8][0-9]{8}", 0.05).passed(0.2),
            shape("[0-36-8][0-9]{3}-[0-9]{4}-[0-9]", 0.3).passed(0.9),
        ])
        .check("weights 3, 7, 1", aba)
        .words("aba, abarouting, association, bankrouting, routing, rtn, transit number")
        .source("American Bankers Association, Routing Number Policy"),
    Row::of(Entity::US_BANK_NUMBER, "US", "bank account number")
        .shapes(&[shape("[0-9]{8,17}", 0.05)])
        .words(
            "account, account number, acct, bank, check, checking, compte, conta, conto, cuenta, debit, \
             iban, konto, kontonummer, rekening, save, saving",
        )
        .source("no national format; National Automated Clearing House Association, Operating Rules: up to 17 characters"),
    Row::of(Entity::US_PASSPORT, "US", "passport number")
        .shapes(&[shape("[0-9]{9}", 0.05), shape("[A-Z][0-9]{8}", 0.1)])
        .words(
            "document, paspoort, passport, passeport, pasaporte, passaporte, passaporto, reisepass, \
             state, travel, travel document, united state",
        )
        .source("United States Department of State, Foreign Affairs Manual, 8 FAM 502"),
    Row::of(Entity::US_DRIVER_LICENSE, "US", "driver's license number")
        .shapes(LICENSES)
        .words(
            "cdl, cdls, dl, dls, driver, driver license, driving, identification, lic, licence, license, \
             permit, state id",
        )
        .source("American Association of Motor Vehicle Administrators, formats by state"),
    Row::of(Entity::US_ITIN, "US", "Individual Taxpayer Identification Number")
        .shapes(&[
            shape("9[0-9]{2}(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[0-9]{4}", 0.3).passed(0.3),
            shape("9[0-9]{2}[- ](?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[- ][0-9]{4}", 0.5).passed(0.5),
            shape("9[0-9]{2}[- ](?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[0-9]{4}", 0.05).passed(0.05),
            shape("9[0-9]{2}(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[- ][0-9]{4}", 0.05).passed(0.05),
        ])
        .check("groups that are given out", |_| Verdict::Passes)
        .words("individual, itin, payer, tax, taxid, taxpayer, tin")
        .source("Internal Revenue Service, Internal Revenue Manual 3.21.263: groups 50–65, 70–88, 90–92, 94–99"),
    Row::of(Entity::US_MBI, "US", "Medicare Beneficiary Identifier")
        .shapes(&[
            shape(
                "[0-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}",
                0.4,
            ),
            shape(
                "[0-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-[AC-HJKMNP-RT-Y]{2}[0-9]{2}",
                0.5,
            ),
        ])
        .words("beneficiary, cms, hic, hicn, mbi, medicaid, medicare")
        .source("Centers for Medicare & Medicaid Services, Understanding the MBI"),
    Row::of(Entity::US_NPI, "US", "National Provider Identifier")
        .shapes(&[
            shape("[12][0-9]{9}", 0.1).passed(0.3),
            shape("[12][0-9]{3}[ -][0-9]{3}[ -][0-9]{3}", 0.4).passed(0.6),
        ])
        .check("Luhn, 80840 in front", npi)
        .words("national provider, npi, npi number, provider, provider id, provider identifier, taxonomy")
        .source("Centers for Medicare & Medicaid Services, NPI check digit"),
    Row::of(Entity::MEDICAL_LICENSE, "US", "DEA registration number")
        .shapes(&[shape("[A-HJ-MPR-UX][A-Z9][0-9]{7}", 0.2).passed(0.35)])
        .check("odd digits and twice the even ones", dea)
        .words("certificate, dea, dea number, medical, prescriber, registration")
        .source("Drug Enforcement Administration, Practitioner's Manual"),
];

/// Letters and digits by state. Digits alone, and one or two letters with a few digits, are so
/// common that only the word right beside them counts.
const LICENSES: &[Shape] = &[
    shape("[0-9]{6,14}|[0-9]{16}", 0.01),
    shape("[A-Z][0-9]{1,4}|[A-Z]{2}[0-9]{3,4}|[A-Z][0-9][A-Z][0-9][A-Z]", 0.01),
    shape("[A-Z][0-9]{5,14}|[A-Z][0-9]{18}|[A-Z]{2}[0-9]{5,7}", 0.3),
    shape("[0-9]{2}[A-Z]{3}[0-9]{5,6}|[A-Z][0-9]{6}R|[0-9]{9}[A-Z]|[A-Z]{2}[0-9]{6}[A-Z]", 0.3),
    shape("[0-9]{8}[A-Z]{2}|[0-9]{3}[A-Z]{2}[0-9]{4}|[0-9]{7,8}[A-Z]", 0.3),
];

fn aba(code: &[u8]) -> Verdict {
    let sum = weighted(code, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    (code.len() == 9 && sum.is_multiple_of(10) && !is_uniform(code)).into()
}

/// The identifier is a card number under the prefix of health applications in the United States.
fn npi(code: &[u8]) -> Verdict {
    let all = [b"80840", code].concat();
    let body = code.split_last().map_or(code, |(_, body)| body);
    (code.len() == 10 && passes_luhn(&all) && !is_uniform(body)).into()
}

fn dea(code: &[u8]) -> Verdict {
    let Some(&[a, b, c, d, e, f, last]) = code.get(2..) else { return Verdict::Fails };
    let sum = digit(a) + digit(c) + digit(e) + 2 * (digit(b) + digit(d) + digit(f));
    (sum % 10 == digit(last) && number(&code[2..]) > 0).into()
}
