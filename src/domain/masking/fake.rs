//! Other values of the same form. A fake is a function of the key and the normalised value, so that
//! one value has one fake wherever it occurs, and says nothing about the value to who lacks the key.
//! What it must not be is somebody else's: addresses lie in the names and ranges that RFC 2606,
//! 5737 and 3849 reserve; numbers are drawn at random and may by chance exist.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::entity::Entity;

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
            '0'..='9' => self.digit(),
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

/// A value of the same type and form as `surface`.
pub(super) fn fake(key: &[u8; 32], entity: &Entity, surface: &str, normalised: &str) -> String {
    let mut draw = Draw::new(key, entity, normalised);
    match entity.as_str() {
        "EMAIL_ADDRESS" => email(&mut draw, surface),
        "URL" => url(&mut draw, surface),
        "IP_ADDRESS" => ip(&mut draw, surface),
        "PERSON" => person(&mut draw, surface),
        "CREDIT_CARD" => luhn(&mut draw, surface),
        "IBAN_CODE" => iban(&mut draw, surface),
        "PHONE_NUMBER" => phone(&mut draw, surface),
        _ => draw.text_like(surface),
    }
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
    let value = |c: &char| c.to_digit(10).unwrap_or_default();
    let sum: u32 = drawn
        .iter()
        .filter(|c| c.is_ascii_digit())
        .take(digits.saturating_sub(1))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .enumerate()
        .map(|(i, c)| {
            let doubled = value(c) * if i % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    let check = char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0');
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
    let code: Vec<char> =
        drawn.iter().filter(|c| c.is_alphanumeric()).map(char::to_ascii_uppercase).collect();
    if code.len() < 5 {
        return drawn.into_iter().collect();
    }
    let turned = code[4..].iter().chain(&code[..2]).chain(&['0', '0']);
    let rest = turned.fold(0u32, |rest, c| {
        let value = c.to_digit(36).unwrap_or_default();
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    let check = format!("{:02}", 98 - rest);
    let mut check = check.chars();
    let places = drawn.iter_mut().filter(|c| c.is_alphanumeric()).skip(2).take(2);
    for place in places {
        *place = check.next().unwrap_or('0');
    }
    drawn.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entity: Entity, surface: &str) -> String {
        fake(&[7; 32], &entity, surface, &surface.to_lowercase())
    }

    fn luhn_ok(s: &str) -> bool {
        let digits: Vec<u32> = s.chars().filter_map(|c| c.to_digit(10)).rev().collect();
        let sum: u32 = digits
            .iter()
            .enumerate()
            .map(|(i, d)| if i % 2 == 1 { d * 2 / 10 + d * 2 % 10 } else { *d })
            .sum();
        sum.is_multiple_of(10)
    }

    #[test]
    fn cards_and_ibans_check() {
        for card in ["4111 1111 1111 1111", "378282246310005", "6011-0009-9013-9424"] {
            let fake = of(Entity::CREDIT_CARD, card);
            assert!(luhn_ok(&fake), "{fake}");
            assert_eq!(fake.len(), card.len());
            assert_ne!(fake, card);
        }
        for iban in ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"] {
            let fake = of(Entity::IBAN_CODE, iban);
            let code: String = fake.chars().filter(|c| c.is_alphanumeric()).collect();
            let turned = format!("{}{}", &code[4..], &code[..4]);
            let rest = turned.chars().fold(0u32, |r, c| {
                let v = c.to_digit(36).unwrap();
                (r * if v > 9 { 100 } else { 10 } + v) % 97
            });
            assert_eq!(rest, 1, "{fake}");
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
    fn odd_surfaces_do_no_harm() {
        for entity in [
            Entity::IBAN_CODE,
            Entity::CREDIT_CARD,
            Entity::PERSON,
            Entity::URL,
            Entity::EMAIL_ADDRESS,
        ] {
            for surface in ["", "é", "⟦", "1", "@", "名前 太郎", "//?"] {
                let _ = of(entity.clone(), surface);
            }
        }
    }
}
