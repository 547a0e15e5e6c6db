//! What the masker can find, as data: the table in the documentation is made from it.

use std::sync::LazyLock;

use super::table::rows;
use crate::domain::masking::Entity;

/// One type of personal data and how it is found.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// The type.
    pub entity: Entity,
    /// What it is called where it comes from.
    pub title: &'static str,
    /// ISO 3166-1 codes of the states that give it out; none if it is the same everywhere.
    pub countries: Vec<&'static str>,
    /// The check that a match must pass, where there is one.
    pub check: Option<&'static str>,
    /// How it is told and how sure that is.
    pub forms: Vec<CatalogueForm>,
    /// Words that raise the score when they stand near; a star stands for any ending. Empty where
    /// words in front are what tells the type.
    pub words: Vec<&'static str>,
    /// Whether it is looked for only when named among `entities`.
    pub only_if_asked: bool,
    /// Where format and check are defined.
    pub source: &'static str,
}

/// A form of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueForm {
    /// A pattern in the `regex` crate's syntax, or words.
    pub form: &'static str,
    /// Score of the form alone, 0–1.
    pub base: f32,
    /// Score once the check has passed; with a context word besides, a row's score is 1.
    pub passed: f32,
}

/// A type that has code of its own.
struct Own {
    entity: Entity,
    title: &'static str,
    check: &'static str,
    forms: &'static [(&'static str, f32)],
    only_if_asked: bool,
    source: &'static str,
}

const fn own(
    entity: Entity,
    title: &'static str,
    check: &'static str,
    forms: &'static [(&'static str, f32)],
    source: &'static str,
) -> Own {
    Own { entity, title, check, forms, only_if_asked: false, source }
}

const fn asked(mut own: Own) -> Own {
    own.only_if_asked = true;
    own
}

static OWN: &[Own] = &[
    own(
        Entity::EMAIL_ADDRESS,
        "e-mail address",
        "syntax",
        &[("around an @", 0.9)],
        "RFC 5321, RFC 5322",
    ),
    own(
        Entity::URL,
        "web address",
        "top-level domains",
        &[
            ("with a scheme", 0.8),
            ("with www.", 0.7),
            ("bare domain", 0.5),
            ("bare domain that is also words", 0.2),
        ],
        "RFC 3986; IANA, Root Zone Database",
    ),
    own(
        Entity::IP_ADDRESS,
        "IPv4 and IPv6 address",
        "syntax",
        &[("version 4", 0.6), ("version 6", 0.7), ("version 6 with up to six digits", 0.3)],
        "RFC 791, RFC 4291",
    ),
    own(
        Entity::MAC_ADDRESS,
        "hardware address",
        "form",
        &[("six pairs, or three fours", 0.8)],
        "IEEE 802",
    ),
    own(
        Entity::CREDIT_CARD,
        "payment card number",
        "Luhn",
        &[
            ("a scheme's, grouped", 0.9),
            ("a scheme's, bare", 0.6),
            ("another prefix or length", 0.1),
        ],
        "ISO/IEC 7812-1; the schemes' published issuer ranges",
    ),
    own(
        Entity::IBAN_CODE,
        "international bank account number",
        "structure by country, ISO 7064 MOD 97-10",
        &[("whole, with spaces or hyphens", 0.95)],
        "SWIFT, IBAN Registry; ISO 13616",
    ),
    own(
        Entity::BIC_CODE,
        "bank identifier code",
        "country",
        &[
            ("eight or eleven capitals behind BIC or SWIFT", 0.9),
            ("behind bank, with a digit", 0.5),
        ],
        "ISO 9362",
    ),
    own(
        Entity::US_SSN,
        "Social Security number",
        "areas that are given out",
        &[("3-2-4 with hyphens", 0.6), ("3-2-4 with spaces or dots", 0.4), ("bare", 0.05)],
        "Social Security Administration, SSN randomization",
    ),
    own(
        Entity::PHONE_NUMBER,
        "telephone number",
        "numbering plans",
        &[("international", 0.8), ("grouped as in its region", 0.5), ("behind a word for it", 0.3)],
        "ITU-T E.164; libphonenumber's metadata",
    ),
    own(
        Entity::PASSWORD,
        "password, PIN",
        "looks like one",
        &[("behind a word for it", 0.6)],
        "wording of messages",
    ),
    own(
        Entity::ONE_TIME_CODE,
        "one-time code",
        "form",
        &[("beside a word for it", 0.6)],
        "wording of messages",
    ),
    own(
        Entity::API_KEY,
        "key or token of an interface",
        "providers' prefixes, entropy",
        &[("a provider's form", 0.9), ("behind a word for it", 0.6)],
        "the providers' documentation; RFC 7519; RFC 7468",
    ),
    own(
        Entity::CRYPTO,
        "address of a wallet",
        "Base58Check, Bech32, EIP-55",
        &[("with a checksum", 0.95)],
        "BIP 13, BIP 173, BIP 350, EIP-55",
    ),
    own(
        Entity::USERNAME,
        "account name, handle",
        "form",
        &[("@ or behind a word for it", 0.6)],
        "wording of messages",
    ),
    own(
        Entity::COORDINATES,
        "geographic coordinates",
        "range",
        &[("degrees with four decimals or hemispheres", 0.7)],
        "ISO 6709",
    ),
    own(
        Entity::VEHICLE_ID,
        "vehicle identification number",
        "check digit",
        &[("seventeen characters", 0.6)],
        "ISO 3779",
    ),
    own(
        Entity::LICENSE_PLATE,
        "licence plate",
        "form",
        &[("behind a word for it", 0.6)],
        "wording of messages",
    ),
    own(
        Entity::DEVICE_ID,
        "IMEI, ICCID, serial number",
        "Luhn",
        &[("with its word or check digit", 0.6)],
        "3GPP TS 23.003; ITU-T E.118",
    ),
    own(
        Entity::LOCATION,
        "postal address, town",
        "parts of an address",
        &[("street and number, box, postal code with town", 0.6)],
        "forms of the countries' postal operators; UPU S42",
    ),
    own(
        Entity::DATE_OF_BIRTH,
        "date of birth",
        "calendar",
        &[("behind a word for it", 0.8)],
        "wording of messages",
    ),
    asked(own(
        Entity::DATE_TIME,
        "date, time",
        "calendar",
        &[("any usual form", 0.6)],
        "ISO 8601 and national forms",
    )),
    asked(own(
        Entity::ORDER_NUMBER,
        "order, invoice, ticket",
        "form",
        &[("behind a word for it", 0.6)],
        "wording of messages",
    )),
    asked(own(
        Entity::CUSTOMER_NUMBER,
        "customer or contract number",
        "form",
        &[("behind a word for it", 0.6)],
        "wording of messages",
    )),
    asked(own(
        Entity::TRACKING_NUMBER,
        "parcel's tracking number",
        "carriers' check digits",
        &[("a carrier's form, or behind a word for it", 0.6)],
        "UPU S10; the carriers' specifications",
    )),
    own(
        Entity::PERSON,
        "name of a person",
        "names head",
        &[("read from the encoder's states", 0.5)],
        "model card",
    ),
];

static ENTRIES: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    let own = OWN.iter().map(|o| CatalogueEntry {
        entity: o.entity.clone(),
        title: o.title,
        countries: Vec::new(),
        check: Some(o.check),
        forms: o
            .forms
            .iter()
            .map(|&(form, base)| CatalogueForm { form, base, passed: base })
            .collect(),
        words: Vec::new(),
        only_if_asked: o.only_if_asked,
        source: o.source,
    });
    let rows = rows().map(|r| CatalogueEntry {
        entity: r.entity.clone(),
        title: r.title,
        countries: r.countries.split_ascii_whitespace().collect(),
        check: r.check.as_ref().map(|c| c.name),
        forms: r
            .shapes
            .iter()
            .map(|s| CatalogueForm { form: s.pattern, base: s.base, passed: s.passed })
            .collect(),
        words: r.words.split(',').map(str::trim).filter(|w| !w.is_empty()).collect(),
        only_if_asked: r.only_if_asked,
        source: r.source,
    });
    own.chain(rows).collect()
});

/// All types, those with code of their own first.
pub(super) fn entries() -> &'static [CatalogueEntry] {
    &ENTRIES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::nlp::mask::{Masker, MaskerConfig};

    #[test]
    fn every_type_that_is_found_is_described_once() {
        let described: Vec<&Entity> = entries().iter().map(|e| &e.entity).collect();
        let unique: BTreeSet<&Entity> = described.iter().copied().collect();
        assert_eq!(unique.len(), described.len());
        let masker = Masker::new(MaskerConfig::default()).unwrap();
        for r in &masker.recognizers {
            let entry = entries().iter().find(|e| e.entity == *r.entity());
            assert_eq!(entry.map(|e| e.only_if_asked), Some(r.only_if_asked()), "{}", r.entity());
        }
        assert!(entries().len() > 120);
    }
}
