//! Made-up personal data that a seed decides: a table of kinds, and what is left of a value however
//! it is written down. A new type of the masker gets a line in [`TABLE`].
//!
//! Types that are looked for only when asked for (ordinary dates, order and tracking numbers) are
//! meant to stay readable, and are not here.

use sha2::{Digest as _, Sha256};

/// One kind of personal data.
pub struct Kind {
    /// What a failure calls it.
    pub name: &'static str,
    /// The masker's type for it; whether a reply may carry the value is asked of the type.
    pub entity: &'static str,
    /// The value as written, then the parts of it that tell by themselves.
    make: fn(&mut Seed) -> Vec<String>,
    /// How a customer says it: `{}` is the value.
    say: &'static str,
}

const fn kind(
    name: &'static str,
    entity: &'static str,
    make: fn(&mut Seed) -> Vec<String>,
    say: &'static str,
) -> Kind {
    Kind { name, entity, make, say }
}

/// The kinds.
pub static TABLE: &[Kind] = &[
    kind("e-mail", "EMAIL_ADDRESS", email, "You can write to {} about it."),
    kind("US telephone", "PHONE_NUMBER", phone_us, "Call me at {} please."),
    kind("US telephone, abroad", "PHONE_NUMBER", phone_us_plus, "My phone is {}."),
    kind("British mobile", "PHONE_NUMBER", phone_gb, "My phone number is {}."),
    kind("German mobile", "PHONE_NUMBER", phone_de, "Meine Handynummer ist {}."),
    kind("French mobile", "PHONE_NUMBER", phone_fr, "Mon téléphone : {}."),
    kind("Spanish mobile", "PHONE_NUMBER", phone_es, "Mi teléfono es {}."),
    kind("Indian mobile", "PHONE_NUMBER", phone_in, "Reach me on WhatsApp: {}."),
    kind("card, spaced", "CREDIT_CARD", card_visa, "I paid with the card {}."),
    kind("card, plain", "CREDIT_CARD", card_master, "My credit card is {}."),
    kind("card, Amex", "CREDIT_CARD", card_amex, "The card number is {}."),
    kind("German IBAN", "IBAN_CODE", iban_de, "My IBAN is {}."),
    kind("British IBAN", "IBAN_CODE", iban_gb, "Please pay it to {}."),
    kind("IPv4", "IP_ADDRESS", ipv4, "My computer has the address {}."),
    kind("IPv6", "IP_ADDRESS", ipv6, "The IP address is {}."),
    kind("link with a token", "URL", link, "The link was {}"),
    kind("link with a session", "URL", session_link, "See {}"),
    kind("MAC address", "MAC_ADDRESS", mac, "The router says {}."),
    kind("US SSN", "US_SSN", ssn, "My social security number is {}."),
    kind("password", "PASSWORD", password, "my password is {}"),
    kind("password, German", "PASSWORD", password, "Passwort: {}"),
    kind("one-time code", "ONE_TIME_CODE", code, "The verification code is {}."),
    kind("key sk-", "API_KEY", |s| one(format!("sk-proj-{}", s.mixed(44))), "It is {}"),
    kind("key ghp_", "API_KEY", |s| one(format!("ghp_{}", s.mixed(36))), "The token is {}"),
    kind("key AKIA", "API_KEY", |s| one(format!("AKIA{}", s.upper(16))), "I use {} for it."),
    kind("key xoxb-", "API_KEY", slack, "Our bot has {}"),
    kind("key sk_live_", "API_KEY", |s| one(format!("sk_live_{}", s.mixed(24))), "I pasted {}"),
    kind("key glpat-", "API_KEY", |s| one(format!("glpat-{}", s.mixed(20))), "We used {}"),
    kind("key AIza", "API_KEY", |s| one(format!("AIza{}", s.mixed(35))), "The key: {}"),
    kind("key npm_", "API_KEY", |s| one(format!("npm_{}", s.mixed(36))), "It has {}"),
    kind("web token", "API_KEY", web_token, "The header was {}"),
    kind("private key", "API_KEY", private_key, "This is the file:\n{}"),
    kind("date of birth", "DATE_OF_BIRTH", birth, "I was born on {}."),
    kind("date of birth, ISO", "DATE_OF_BIRTH", birth_iso, "My date of birth is {}."),
    kind("Belgian VAT number", "VAT_ID", vat_be, "VAT ID: {}"),
    kind("Italian VAT number", "IT_VAT_CODE", vat_it, "La nostra partita IVA è {}."),
    kind("Spanish NIF", "ES_NIF", nif, "Mi DNI es {}."),
    kind("French NIR", "FR_NIR", nir, "Mon numéro de sécurité sociale est le {}."),
    kind("Polish PESEL", "PL_PESEL", pesel, "Mój PESEL to {}."),
    kind("Dutch BSN", "NL_BSN", bsn, "Mijn BSN is {}."),
    kind("Brazilian CPF", "BR_CPF", cpf, "Meu CPF é {}."),
    kind("Canadian SIN", "CA_SIN", |s| one(s.luhn("6", 9)), "My SIN is {}."),
    kind("Swiss AHV number", "CH_AHV", ahv, "Meine AHV-Nummer ist {}."),
    kind("British NHS number", "UK_NHS", nhs, "My NHS number is {}."),
    kind("British NINO", "UK_NINO", nino, "My National Insurance number is {}."),
    kind("US ITIN", "US_ITIN", itin, "My ITIN is {}."),
    kind(
        "US passport",
        "US_PASSPORT",
        |s| one(format!("I5{}", s.digits(7))),
        "My passport number is {}.",
    ),
    kind("British passport", "UK_PASSPORT", passport_gb, "My British passport is {}."),
    kind("US driver's license", "US_DRIVER_LICENSE", licence, "My driver license number is {}."),
    kind("US bank account", "US_BANK_NUMBER", account, "Please use my checking account {} for it."),
    kind("Bitcoin address", "CRYPTO", bitcoin, "Send it to {} please."),
    kind("Ethereum address", "CRYPTO", |s| one(format!("0x{}", s.hex(40))), "My wallet is {}."),
    kind("US address", "LOCATION", address_us, "Please send it to {}."),
    kind("German address", "LOCATION", address_de, "Meine Adresse ist {}."),
    kind("licence plate", "UK_VEHICLE_REGISTRATION", plate, "My car is {}."),
    kind("vehicle", "VEHICLE_ID", vin, "The VIN is {}."),
    kind("IMEI", "DEVICE_ID", |s| one(s.luhn("35", 15)), "The IMEI is {}."),
    kind("coordinates", "COORDINATES", coordinates, "I am at {} now."),
    kind(
        "account name",
        "USERNAME",
        |s| one(format!("{}{}", s.word(9), s.digits(3))),
        "My username is {}.",
    ),
];

/// The kind of a participant's display name, which is known from the headers.
pub static PERSON: Kind = kind("display name", "PERSON", person, "It was ordered by {}.");
/// The kind of addresses in headers, external ids and conversations' ids.
pub static ADDRESS: Kind = kind("address", "EMAIL_ADDRESS", email, "Write to {}.");

/// One value on its way through the service.
pub struct Canary {
    pub kind: &'static str,
    pub entity: &'static str,
    /// By which door it came in.
    pub door: &'static str,
    /// The address of the customer of its conversation; empty where there is none.
    pub customer: String,
    /// The value, and parts that tell by themselves.
    pub needles: Vec<String>,
}

impl Canary {
    /// A new value of a kind.
    pub fn new(kind: &Kind, seed: &mut Seed, door: &'static str, customer: &str) -> Self {
        let needles = (kind.make)(seed);
        Self { kind: kind.name, entity: kind.entity, door, customer: customer.to_owned(), needles }
    }

    /// The value as written.
    pub fn value(&self) -> &str {
        &self.needles[0]
    }

    /// A sentence that holds it.
    pub fn said(&self, kind: &Kind) -> String {
        kind.say.replace("{}", self.value())
    }
}

/// Numbers that a seed decides (SplitMix64).
pub struct Seed(pub u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    fn of(&mut self, alphabet: &str, n: usize) -> String {
        let all = alphabet.as_bytes();
        (0..n)
            .map(|_| char::from(all[usize::try_from(self.next() % all.len() as u64).unwrap()]))
            .collect()
    }

    fn digits(&mut self, n: usize) -> String {
        self.of("0123456789", n)
    }

    fn hex(&mut self, n: usize) -> String {
        // A digit and a letter at least, as chance gives nearly always.
        format!(
            "{}{}{}",
            self.of("abcdef", 1),
            self.of("123456789", 1),
            self.of("0123456789abcdef", n - 2)
        )
    }

    fn upper(&mut self, n: usize) -> String {
        format!(
            "{}{}{}",
            self.of("QXZ", 1),
            self.of("234567", 1),
            self.of("ABCDEFGHJKLMNPQRSTUVWXYZ234567", n - 2)
        )
    }

    /// Letters of both cases and digits, all of them present.
    fn mixed(&mut self, n: usize) -> String {
        let all = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        format!(
            "{}{}{}{}",
            self.of("KQZ", 1),
            self.of("vwx", 1),
            self.of("3456789", 1),
            self.of(all, n - 3)
        )
    }

    /// Something that can be spoken and is no word: consonants and vowels by turns.
    fn word(&mut self, n: usize) -> String {
        let turn = |i: usize| if i.is_multiple_of(2) { "vkzqbtmnlrd" } else { "aeiou" };
        (0..n).map(|i| self.of(turn(i), 1)).collect()
    }

    fn name(&mut self, n: usize) -> String {
        let w = self.word(n);
        format!("{}{}", w[..1].to_uppercase(), &w[1..])
    }

    /// A number of `n` digits with this beginning that passes Luhn.
    fn luhn(&mut self, begin: &str, n: usize) -> String {
        let body = format!("{begin}{}", self.digits(n - 1 - begin.len()));
        let sum: u32 = body
            .bytes()
            .rev()
            .enumerate()
            .map(|(i, b)| {
                let d = u32::from(b - b'0') * if i % 2 == 0 { 2 } else { 1 };
                if d > 9 { d - 9 } else { d }
            })
            .sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    /// Digits whose weighted sum `check` accepts; tried until it does.
    fn until(&mut self, begin: &str, n: usize, check: fn(&[u32]) -> bool) -> String {
        loop {
            let text = format!("{begin}{}", self.digits(n - begin.len()));
            let all: Vec<u32> = text.bytes().map(|b| u32::from(b - b'0')).collect();
            if check(&all) && text.bytes().any(|b| b != text.as_bytes()[0]) {
                return text;
            }
        }
    }
}

fn one(value: String) -> Vec<String> {
    vec![value]
}

fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| d * w).sum()
}

fn email(s: &mut Seed) -> Vec<String> {
    let local = format!("{}.{}", s.word(6), s.word(7));
    vec![format!("{local}@{}.com", s.word(8)), local]
}

fn person(s: &mut Seed) -> Vec<String> {
    let (first, last) = (s.name(9), s.name(10));
    vec![format!("{first} {last}"), first, last]
}

fn phone_us(s: &mut Seed) -> Vec<String> {
    let (exchange, line) = (format!("7{}", s.digits(2)), s.digits(4));
    // N11 is no exchange.
    let exchange = if exchange.ends_with("11") { "732".to_owned() } else { exchange };
    vec![format!("(415) {exchange}-{line}"), format!("{exchange}-{line}")]
}

fn phone_us_plus(s: &mut Seed) -> Vec<String> {
    one(format!("+1 212-73{}-{}", s.of("023456789", 1), s.digits(4)))
}

fn phone_gb(s: &mut Seed) -> Vec<String> {
    let (a, b) = (s.digits(2), s.digits(6));
    vec![format!("+44 74{a} {b}"), format!("74{a} {b}")]
}

fn phone_de(s: &mut Seed) -> Vec<String> {
    let n = format!("{}{}", s.of("23456789", 1), s.digits(7));
    vec![format!("0151 {n}"), n]
}

fn phone_fr(s: &mut Seed) -> Vec<String> {
    let p: Vec<String> = (0..4).map(|_| s.digits(2)).collect();
    one(format!("+33 6 {}", p.join(" ")))
}

fn phone_es(s: &mut Seed) -> Vec<String> {
    one(format!("+34 6{} {} {}", s.of("1234567", 2), s.digits(3), s.digits(3)))
}

fn phone_in(s: &mut Seed) -> Vec<String> {
    one(format!("+91 98{} {}", s.digits(3), s.digits(5)))
}

fn grouped(text: &str, n: usize) -> String {
    let parts: Vec<&str> =
        text.as_bytes().chunks(n).map(|c| std::str::from_utf8(c).unwrap()).collect();
    parts.join(" ")
}

fn card_visa(s: &mut Seed) -> Vec<String> {
    one(grouped(&s.luhn("4539", 16), 4))
}

fn card_master(s: &mut Seed) -> Vec<String> {
    one(s.luhn("5412", 16))
}

fn card_amex(s: &mut Seed) -> Vec<String> {
    one(s.luhn("3714", 15))
}

/// ISO 13616: the two check digits make the number 1 modulo 97.
fn iban(country: &str, rest: &str) -> String {
    let mut r = 0u64;
    for c in format!("{rest}{country}00").chars() {
        let v = u64::from(c.to_digit(36).unwrap());
        r = (r * if v > 9 { 100 } else { 10 } + v) % 97;
    }
    format!("{country}{:02}{rest}", 98 - r)
}

fn iban_de(s: &mut Seed) -> Vec<String> {
    let n = format!("{}{}", s.of("123456789", 1), s.digits(17));
    one(grouped(&iban("DE", &n), 4))
}

fn iban_gb(s: &mut Seed) -> Vec<String> {
    one(iban("GB", &format!("WEST{}", s.digits(14))))
}

fn ipv4(s: &mut Seed) -> Vec<String> {
    let mut part = || s.between(100, 250).to_string();
    one(format!("185.{}.{}.{}", part(), part(), part()))
}

fn ipv6(s: &mut Seed) -> Vec<String> {
    let parts: Vec<String> = (0..6).map(|_| format!("{:x}", s.between(0x1000, 0xffff))).collect();
    one(format!("2a02:8108:{}", parts.join(":")))
}

fn link(s: &mut Seed) -> Vec<String> {
    let t = s.mixed(24);
    vec![format!("https://shop.example.com/reset?token={t}"), t]
}

fn session_link(s: &mut Seed) -> Vec<String> {
    let t = s.mixed(26);
    vec![format!("https://app.example.com/orders/view?sid={t}&page=2"), t]
}

fn mac(s: &mut Seed) -> Vec<String> {
    one(format!("3c:22:fb:{}:{}:{}", s.hex(2), s.hex(2), s.hex(2)))
}

fn ssn(s: &mut Seed) -> Vec<String> {
    one(format!("{}-{}-{}", s.between(130, 650), s.between(11, 99), s.between(1001, 9998)))
}

fn password(s: &mut Seed) -> Vec<String> {
    one(format!("{}!{}", s.mixed(9), s.digits(2)))
}

fn code(s: &mut Seed) -> Vec<String> {
    one(format!("{}{}", s.of("3456789", 1), s.digits(7)))
}

fn slack(s: &mut Seed) -> Vec<String> {
    one(format!("xoxb-{}-{}-{}", s.digits(12), s.digits(12), s.mixed(24)))
}

fn web_token(s: &mut Seed) -> Vec<String> {
    let (body, sign) = (s.mixed(40), s.mixed(43));
    vec![format!("eyJhbGciOiJIUzI1NiJ9.eyJ{body}.{sign}"), body, sign]
}

fn private_key(s: &mut Seed) -> Vec<String> {
    let lines: Vec<String> = (0..3).map(|_| s.mixed(64)).collect();
    let block =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", lines.join("\n"));
    std::iter::once(block).chain(lines).collect()
}

fn birth(s: &mut Seed) -> Vec<String> {
    let month =
        ["March", "August", "October", "December"][usize::try_from(s.between(0, 3)).unwrap()];
    one(format!("{} {month} {}", s.between(10, 28), s.between(1940, 1999)))
}

fn birth_iso(s: &mut Seed) -> Vec<String> {
    one(format!("{}-{:02}-{}", s.between(1940, 1999), s.between(1, 12), s.between(10, 28)))
}

fn vat_be(s: &mut Seed) -> Vec<String> {
    let n = s.between(4_000_000, 9_999_999);
    one(format!("BE0{n}{:02}", 97 - n % 97))
}

fn vat_it(s: &mut Seed) -> Vec<String> {
    // The office is one of those that exist.
    let begin = s.between(1_000_000, 7_999_999);
    one(s.luhn(&format!("{begin}015"), 11))
}

fn nif(s: &mut Seed) -> Vec<String> {
    let n = s.between(11_000_000, 98_999_999);
    let letter = char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[usize::try_from(n % 23).unwrap()]);
    one(format!("{n}{letter}"))
}

fn nir(s: &mut Seed) -> Vec<String> {
    let year = s.between(50, 99);
    let n = format!(
        "1{year}{:02}75{:03}{:03}",
        s.between(1, 12),
        s.between(101, 120),
        s.between(1, 999)
    );
    let key = 97 - n.parse::<u64>().unwrap() % 97;
    one(format!("{n}{key:02}"))
}

fn pesel(s: &mut Seed) -> Vec<String> {
    let date = format!("{}{:02}{}", s.between(50, 99), s.between(1, 12), s.between(10, 28));
    one(s.until(&date, 11, |d| weighted(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)))
}

fn bsn(s: &mut Seed) -> Vec<String> {
    one(s.until("1", 9, |d| {
        (weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 110 - d[8]).is_multiple_of(11)
    }))
}

fn cpf(s: &mut Seed) -> Vec<String> {
    fn last(d: &[u32], n: u32) -> bool {
        let sum: u32 = d[..d.len() - 1].iter().zip((2..=n).rev()).map(|(d, w)| d * w).sum();
        d.last() == Some(&(sum * 10 % 11 % 10))
    }
    one(s.until("7", 11, |d| last(&d[..10], 10) && last(d, 11)))
}

fn ahv(s: &mut Seed) -> Vec<String> {
    one(s.until("756", 13, |d| {
        weighted(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
    }))
}

fn nhs(s: &mut Seed) -> Vec<String> {
    one(s.until("7", 10, |d| weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)))
}

fn nino(s: &mut Seed) -> Vec<String> {
    one(format!("{}{}{}", s.of("EHJLMPRS", 2), s.digits(6), s.of("ABCD", 1)))
}

fn itin(s: &mut Seed) -> Vec<String> {
    one(format!("9{}-{}-{}", s.digits(2), s.between(70, 88), s.between(1001, 9998)))
}

fn passport_gb(s: &mut Seed) -> Vec<String> {
    one(format!("{}{}", s.of("WKZ", 2), s.digits(7)))
}

fn licence(s: &mut Seed) -> Vec<String> {
    one(format!("S{}{}", s.of("123456789", 1), s.digits(11)))
}

fn account(s: &mut Seed) -> Vec<String> {
    one(format!("9{}", s.digits(11)))
}

fn bitcoin(s: &mut Seed) -> Vec<String> {
    let mut bytes = vec![0u8];
    bytes.extend((0..20).map(|_| u8::try_from(s.between(1, 255)).unwrap()));
    let check = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend_from_slice(&check[..4]);
    one(format!("1{}", base58(&bytes[1..])))
}

fn base58(bytes: &[u8]) -> String {
    let alphabet = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u32> = vec![0];
    for b in bytes {
        let mut carry = u32::from(*b);
        for d in &mut digits {
            carry += *d * 256;
            *d = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    digits.iter().rev().map(|d| char::from(alphabet[*d as usize])).collect()
}

fn address_us(s: &mut Seed) -> Vec<String> {
    let street = format!("{} {} Avenue", s.between(1100, 9800), s.name(10));
    vec![format!("{street}, Springfield, IL 62704"), street]
}

fn address_de(s: &mut Seed) -> Vec<String> {
    let street = format!("{}straße {}", s.name(10), s.between(11, 198));
    vec![format!("{street}, 10115 Berlin"), street]
}

fn plate(s: &mut Seed) -> Vec<String> {
    one(format!(
        "W{}{} {}",
        s.of("ABDEFGHJK", 1),
        s.between(51, 69),
        s.of("BCDEFGHJKLMNPRSTUVWXYZ", 3)
    ))
}

fn vin(s: &mut Seed) -> Vec<String> {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    // Digits alone behind the maker, whose letter W counts 6.
    let mut text: Vec<u8> = format!("1W{}0{}", s.digits(6), s.digits(8)).into_bytes();
    let value = |b: u8| if b == b'W' { 6 } else { u32::from(b - b'0') };
    let sum: u32 = text.iter().zip(WEIGHTS).map(|(b, w)| value(*b) * w).sum();
    text[8] = b"0123456789X"[(sum % 11) as usize];
    one(String::from_utf8(text).unwrap())
}

fn coordinates(s: &mut Seed) -> Vec<String> {
    // Above 59: a log's time of day has seconds with six digits behind the point, too.
    let (a, b) = (format!("68.{}", s.digits(6)), format!("77.{}", s.digits(6)));
    vec![format!("{a}, {b}"), a, b]
}
