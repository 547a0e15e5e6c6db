//! Other values of the same form. A fake is a function of the key and the normalised value, so that
//! one value has one fake wherever it occurs, and says nothing about the value to who lacks the key.
//! What it must not be is somebody else's: addresses lie in the names and ranges that RFC 2606,
//! 5737 and 3849 reserve; numbers are drawn at random and may by chance exist.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::entity::Entity;
use crate::domain::{checksum, disguise};

/// HMAC-SHA256 (RFC 2104) of a type and a normalised value.
pub(super) fn keyed_hash(key: &[u8; 32], entity: &str, normalised: &str) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(entity.as_bytes());
    mac.update(b"|");
    mac.update(normalised.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Bytes without end from one hash: SHA-256 in counter mode under the key.
struct Draw<'k> {
    key: &'k [u8; 32],
    seed: String,
    block: [u8; 32],
    used: usize,
    counter: u32,
}

impl<'k> Draw<'k> {
    fn new(key: &'k [u8; 32], entity: &Entity, normalised: &str) -> Self {
        let seed = hex::encode(keyed_hash(key, entity.as_str(), normalised));
        Self { key, seed, block: [0; 32], used: 32, counter: 0 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            self.block = keyed_hash(self.key, &self.seed, &self.counter.to_string());
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// A number below `n`, which is at most 256. The bias is below 1 in 256/n and harmless here.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    fn digit(&mut self) -> char {
        char::from(b'0' + self.byte() % 10)
    }

    /// A character of the same kind: digit, small or capital letter; anything else stays.
    fn like(&mut self, c: char) -> char {
        match c {
            c if c.is_ascii_digit() => self.digit(),
            c if c.is_lowercase() => char::from(b'a' + self.byte() % 26),
            c if c.is_uppercase() => char::from(b'A' + self.byte() % 26),
            c if c.is_numeric() => self.digit(),
            c if c.is_alphabetic() => char::from(b'a' + self.byte() % 26),
            c => c,
        }
    }

    fn text_like(&mut self, text: &str) -> String {
        text.chars().map(|c| self.like(c)).collect()
    }

    fn pick<'t>(&mut self, all: &[&'t str]) -> &'t str {
        let at = self.below(all.len());
        all.get(at).copied().unwrap_or_default()
    }
}

/// A value of the same type and form as `surface`, and never `surface`: where one is drawn by
/// chance, another is. What has no letter and no digit has no other form, and stays; but signs of a
/// secret are drawn as well.
pub(super) fn fake(key: &[u8; 32], entity: &Entity, surface: &str, normalised: &str) -> String {
    let mut draw = Draw::new(key, entity, normalised);
    // Digits of all scripts are digits here, as for whoever found them.
    let plain = disguise::plain_text(surface);
    let mut drawn = String::new();
    for _ in 0..MAX_DRAWS {
        drawn = one(&mut draw, entity, &plain);
        if drawn != plain && drawn != surface {
            break;
        }
        drawn = draw.text_like(&plain);
        if drawn != plain && drawn != surface {
            break;
        }
    }
    drawn
}

/// One of ten digits is drawn sixteen times in a row once in 10¹⁶ times.
const MAX_DRAWS: usize = 16;

fn one(draw: &mut Draw<'_>, entity: &Entity, surface: &str) -> String {
    match entity.as_str() {
        "EMAIL_ADDRESS" => email(draw, surface),
        "URL" => url(draw, surface),
        "IP_ADDRESS" => ip(draw, surface),
        "PERSON" => person(draw, surface),
        "CREDIT_CARD" => luhn(draw, surface),
        "IBAN_CODE" => iban(draw, surface),
        "PHONE_NUMBER" => phone(draw, surface),
        "PASSWORD" | "API_KEY" => secret(draw, surface),
        _ => draw.text_like(surface),
    }
}

/// Signs are part of a secret; only spaces stay.
fn secret(draw: &mut Draw<'_>, surface: &str) -> String {
    const SIGNS: &[u8] = b"!#$%&*+-.=?@_";
    let one = |c: char| match c {
        c if c.is_whitespace() || c.is_alphanumeric() => draw.like(c),
        _ => SIGNS.get(draw.below(SIGNS.len())).copied().map_or('!', char::from),
    };
    surface.chars().map(one).collect()
}

const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

fn email(draw: &mut Draw<'_>, surface: &str) -> String {
    let local = surface.split('@').next().unwrap_or(surface);
    format!("{}@{}", draw.text_like(local), draw.pick(&DOMAINS))
}

fn url(draw: &mut Draw<'_>, surface: &str) -> String {
    let (scheme, rest) = match surface.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), surface),
    };
    let path = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
    let host = draw.pick(&DOMAINS);
    format!("{scheme}{host}{}", draw.text_like(path))
}

fn ip(draw: &mut Draw<'_>, surface: &str) -> String {
    if surface.contains(':') {
        let groups: Vec<String> =
            (0..6).map(|_| format!("{:02x}{:02x}", draw.byte(), draw.byte())).collect();
        return format!("2001:db8:{}", groups.join(":"));
    }
    let net = draw.pick(&["192.0.2", "198.51.100", "203.0.113"]);
    format!("{net}.{}", 1 + draw.below(254))
}

const GIVEN: [&str; 24] = [
    "Alex", "Robin", "Sam", "Kim", "Jamie", "Charlie", "Noa", "Mika", "Sasha", "Toni", "Luca",
    "Andrea", "Dana", "Eden", "Jordan", "Morgan", "Quinn", "Rowan", "Taylor", "Yuki", "Nour",
    "Amal", "Kai", "Remi",
];
const FAMILY: [&str; 24] = [
    "Brook", "Field", "Marsh", "Lane", "Hill", "Wood", "Stone", "Rivers", "Dale", "Forest",
    "Meadow", "Heath", "Ford", "Shore", "Glen", "Vale", "Moor", "Grove", "Ridge", "Haven", "Park",
    "Orchard", "Fields", "Banks",
];

/// As many words as the name has; initials stay initials.
fn person(draw: &mut Draw<'_>, surface: &str) -> String {
    let words: Vec<&str> = surface.split_whitespace().collect();
    let last = words.len().saturating_sub(1);
    let word = |(at, word): (usize, &&str)| {
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        let name = if at == last && last > 0 { draw.pick(&FAMILY) } else { draw.pick(&GIVEN) };
        if letters <= 1 {
            draw.text_like(word)
        } else if word.chars().all(|c| !c.is_lowercase()) {
            name.to_uppercase()
        } else if word.chars().all(|c| !c.is_uppercase()) {
            name.to_lowercase()
        } else {
            name.to_owned()
        }
    };
    words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}

/// Country or area code stays, up to three digits.
fn phone(draw: &mut Draw<'_>, surface: &str) -> String {
    let mut kept = 0;
    let one = |c: char| {
        let keep = !c.is_ascii_digit() || kept < 3;
        kept += usize::from(c.is_ascii_digit());
        if keep { c } else { draw.digit() }
    };
    surface.chars().map(one).collect()
}

/// Digits with the last chosen so that the sum checks (ISO/IEC 7812-1, Luhn). The first stays: it
/// tells the kind of card.
fn luhn(draw: &mut Draw<'_>, surface: &str) -> String {
    let digits = surface.chars().filter(char::is_ascii_digit).count();
    let mut at = 0;
    let mut drawn: Vec<char> = surface
        .chars()
        .map(|c| {
            at += usize::from(c.is_ascii_digit());
            if c.is_ascii_digit() && at > 1 { draw.digit() } else { c }
        })
        .collect();
    let body: Vec<u8> = drawn
        .iter()
        .filter(|c| c.is_ascii_digit())
        .take(digits.saturating_sub(1))
        .map(|c| ascii(*c))
        .collect();
    let check = char::from_digit(checksum::luhn_digit(&body), 10).unwrap_or('0');
    if let Some(last) = drawn.iter_mut().rev().find(|c| c.is_ascii_digit()) {
        *last = check;
    }
    drawn.into_iter().collect()
}

/// The country stays, the check digits fit (ISO 13616, modulus 97).
fn iban(draw: &mut Draw<'_>, surface: &str) -> String {
    let mut at = 0;
    let mut drawn: Vec<char> = surface
        .chars()
        .map(|c| {
            at += usize::from(c.is_alphanumeric());
            if at > 4 { draw.like(c) } else { c }
        })
        .collect();
    let code: Vec<u8> = drawn.iter().filter(|c| c.is_alphanumeric()).map(|c| ascii(*c)).collect();
    if code.len() < 5 {
        return drawn.into_iter().collect();
    }
    let rest = checksum::remainder_97(&[&code[4..], &code[..2], b"00"].concat());
    let check = format!("{:02}", 98 - rest);
    let mut check = check.chars();
    let places = drawn.iter_mut().filter(|c| c.is_alphanumeric()).skip(2).take(2);
    for place in places {
        *place = check.next().unwrap_or('0');
    }
    drawn.into_iter().collect()
}

/// A letter or digit as check digits count it: a capital or a digit of ASCII, anything else zero.
fn ascii(c: char) -> u8 {
    u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric).map_or(b'0', |b| b.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(entity: Entity, surface: &str) -> String {
        fake(&[7; 32], &entity, surface, &surface.to_lowercase())
    }

    #[test]
    fn cards_and_ibans_check() {
        for card in ["4111 1111 1111 1111", "378282246310005", "6011-0009-9013-9424"] {
            let fake = of(Entity::CREDIT_CARD, card);
            let digits: Vec<u8> = fake.bytes().filter(u8::is_ascii_digit).collect();
            assert!(checksum::passes_luhn(&digits), "{fake}");
            assert_eq!(fake.len(), card.len());
            assert_ne!(fake, card);
        }
        for iban in ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"] {
            let fake = of(Entity::IBAN_CODE, iban);
            let code: String = fake.chars().filter(|c| c.is_alphanumeric()).collect();
            let turned = format!("{}{}", &code[4..], &code[..4]);
            assert_eq!(checksum::remainder_97(turned.as_bytes()), 1, "{fake}");
            assert_eq!(&fake[..2], &iban[..2]);
        }
    }

    #[test]
    fn the_form_is_kept_and_the_value_gone() {
        let mail = of(Entity::EMAIL_ADDRESS, "Anna.Smith9@corp.example");
        assert!(mail.contains("@example.") && !mail.contains("corp"), "{mail}");
        assert!(of(Entity::IP_ADDRESS, "10.1.2.3").parse::<std::net::Ipv4Addr>().is_ok());
        assert!(of(Entity::IP_ADDRESS, "fe80::1").parse::<std::net::Ipv6Addr>().is_ok());
        let phone = of(Entity::PHONE_NUMBER, "+1 (415) 555-0132");
        assert!(phone.starts_with("+1 (41") && phone.len() == "+1 (415) 555-0132".len(), "{phone}");
        assert_eq!(
            of(Entity::PERSON, "ANNA SMITH"),
            of(Entity::PERSON, "ANNA SMITH").to_uppercase()
        );
        assert!(of(Entity::URL, "https://shop.corp/a/b1?t=9").starts_with("https://example."));
        assert_ne!(of(Entity::US_SSN, "078-05-1120"), "078-05-1120");
    }

    #[test]
    fn digits_of_every_script_go() {
        let arabic = of(Entity::PHONE_NUMBER, "+٤٩ ٣٠ ١٢٣٤٥٦٧");
        assert!(arabic.starts_with("+49 ") && !arabic.contains("1234567"), "{arabic}");
        let card = of(Entity::CREDIT_CARD, "４１１１ １１１１ １１１１ １１１１");
        let digits: Vec<u8> = card.bytes().filter(u8::is_ascii_digit).collect();
        assert!(digits.len() == 16 && checksum::passes_luhn(&digits), "{card}");
        assert_ne!(card, "4111 1111 1111 1111");
        let iban = of(Entity::IBAN_CODE, "ＤＥ８９ 3704 0044 0532 0130 00");
        let code: String = iban.chars().filter(|c| c.is_alphanumeric()).collect();
        let turned = format!("{}{}", &code[4..], &code[..4]);
        assert_eq!(checksum::remainder_97(turned.as_bytes()), 1, "{iban}");
    }

    proptest! {
        #[test]
        fn the_surface_itself_is_never_drawn(
            surface in prop_oneof!["[0-9]", "[a-z]", "[A-Za-z]{1,6}", "\\PC{0,6}", "[٠-٩０-９ ]{1,6}"],
            key in any::<[u8; 32]>(),
        ) {
            let bare = disguise::plain_text(&surface);
            let entities = [
                Entity::PERSON, Entity::EMAIL_ADDRESS, Entity::URL, Entity::IP_ADDRESS,
                Entity::CREDIT_CARD, Entity::IBAN_CODE, Entity::PHONE_NUMBER, Entity::PASSWORD,
                Entity::US_SSN,
            ];
            for entity in entities {
                let fake = fake(&key, &entity, &surface, &surface);
                if bare.contains(char::is_alphanumeric) {
                    prop_assert_ne!(&fake, &surface, "{}", entity);
                    prop_assert_ne!(&fake, &bare, "{}", entity);
                }
            }
        }
    }

    #[test]
    fn names_and_single_digits_change_too() {
        for given in GIVEN {
            assert_ne!(of(Entity::PERSON, given), given);
        }
        for digit in '0'..='9' {
            assert_ne!(of(Entity::CREDIT_CARD, &digit.to_string()), digit.to_string());
        }
        let signs = "!?#$ %&";
        assert_ne!(of(Entity::PASSWORD, signs), signs);
    }

    #[test]
    fn odd_surfaces_do_no_harm() {
        // What is neither letter nor digit stays in its place.
        let form = |s: &str| -> String {
            s.chars().map(|c| if c.is_alphanumeric() { '_' } else { c }).collect()
        };
        for surface in ["", "é", "⟦", "1", "@", "名前 太郎", "//?"] {
            for entity in [Entity::IBAN_CODE, Entity::CREDIT_CARD, Entity::US_SSN] {
                let fake = of(entity.clone(), surface);
                assert_eq!(form(&fake), form(surface), "{entity} {surface}");
            }
            let person = of(Entity::PERSON, surface);
            let words = |s: &str| s.split_whitespace().count();
            assert_eq!(words(&person), words(surface), "{surface}");
            assert!(!person.contains("太郎"), "{person}");
            let mail = of(Entity::EMAIL_ADDRESS, surface);
            let (_, domain) = mail.split_once('@').unwrap();
            assert!(DOMAINS.contains(&domain), "{mail}");
            let url = of(Entity::URL, surface);
            assert!(DOMAINS.iter().any(|d| url.starts_with(d)), "{url}");
        }
    }
}
