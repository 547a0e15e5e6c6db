//! The form in which two spellings of one value are equal, so that a person has one placeholder in
//! a thread however the address or number is typed.

use std::net::{Ipv4Addr, Ipv6Addr};

use unicode_normalization::UnicodeNormalization;

use super::phone::{self, Regions};
use super::source::folded;
use super::table;
use crate::domain::masking::Entity;

/// The normal form of `surface` for its type; the trimmed surface itself where nothing is known.
/// `regions` are those whose telephone numbers may be written without country code.
pub(super) fn normalise(entity: &Entity, surface: &str, regions: &Regions) -> String {
    let text = folded(surface);
    let text = text.trim();
    match entity.as_str() {
        "EMAIL_ADDRESS" => text.nfc().collect::<String>().to_lowercase(),
        "PHONE_NUMBER" => phone::canonical(text, regions),
        "CREDIT_CARD" | "US_SSN" => text.chars().filter(char::is_ascii_digit).collect(),
        "IBAN_CODE" => alphanumeric(text).to_ascii_uppercase(),
        "MAC_ADDRESS" => alphanumeric(text).to_ascii_lowercase(),
        "IP_ADDRESS" => ip(text),
        // Paths are told apart by case.
        "URL" => text.to_owned(),
        "PERSON" | "ORGANIZATION" | "LOCATION" => spaced(text).to_lowercase(),
        _ if table::has(entity) => alphanumeric(text).to_uppercase(),
        _ => spaced(text),
    }
}

fn alphanumeric(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Compatible forms joined (NFKC), white space single.
fn spaced(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The address as the standard library writes it (RFC 5952), with zone and prefix length.
fn ip(text: &str) -> String {
    let end = text.find(['%', '/']).unwrap_or(text.len());
    let (address, suffix) = text.split_at(end);
    let canonical = address
        .parse::<Ipv4Addr>()
        .map(|a| a.to_string())
        .or_else(|_| address.parse::<Ipv6Addr>().map(|a| a.to_string()));
    canonical.map_or_else(|_| text.to_lowercase(), |a| format!("{a}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_equal() {
        let regions = Regions::default();
        let n = |entity: &Entity, s: &str| normalise(entity, s, &regions);
        for (entity, spellings) in [
            (Entity::EMAIL_ADDRESS, ["Anna@Example.com", "anna@example.COM"]),
            (Entity::CREDIT_CARD, ["4111 1111-1111 1111", "４111111111111111"]),
            (Entity::IBAN_CODE, ["de89 3704 0044 0532 0130 00", "DE89370400440532013000"]),
            (Entity::IP_ADDRESS, ["2001:DB8:0::1", "2001:db8::1"]),
            (Entity::MAC_ADDRESS, ["00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e"]),
            (Entity::US_SSN, ["078-05-1123", "078 05 1123"]),
            (Entity::UK_NINO, ["ab 12 34 56 c", "AB123456C"]),
            (Entity::PERSON, ["Anna  Smith", "ANNA\nsmith"]),
            (Entity::PHONE_NUMBER, ["+49 30 901820", "0049 (30) 90 18 20"]),
        ] {
            assert_eq!(n(&entity, spellings[0]), n(&entity, spellings[1]), "{entity}");
        }
        assert_ne!(n(&Entity::DE_KFZ, "F-AB 123"), n(&Entity::DE_KFZ, "FÜ-AB 123"));
        assert_ne!(n(&Entity::URL, "https://x.com/A"), n(&Entity::URL, "https://x.com/a"));
        assert_ne!(
            n(&Entity::PHONE_NUMBER, "+49 30 901820"),
            n(&Entity::PHONE_NUMBER, "+49 30 901820 x5")
        );
    }
}
