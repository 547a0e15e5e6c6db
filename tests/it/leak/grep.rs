//! Looks for canaries in whatever leaves or lasts, however they are written down there.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::canary::Canary;

/// One way to write a canary.
struct Form {
    canary: usize,
    /// How it is written.
    how: &'static str,
    text: String,
    /// Too short to be told from chance inside a longer word or number.
    alone: bool,
}

/// All forms of all canaries in one automaton.
pub struct Grep {
    automaton: AhoCorasick,
    forms: Vec<Form>,
}

/// A canary where it must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub place: String,
    pub canary: usize,
    pub how: &'static str,
    pub text: String,
}

impl Grep {
    pub fn new(canaries: &[Canary]) -> Self {
        let mut forms = Vec::new();
        for (i, c) in canaries.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (how, text) in c.needles.iter().flat_map(|n| written(n)) {
                if seen.insert(text.to_lowercase()) {
                    let numeric = text.bytes().all(|b| b.is_ascii_digit());
                    let alone = text.len() < 9 || numeric && text.len() < 12;
                    forms.push(Form { canary: i, how, text, alone });
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(forms.iter().map(|f| &f.text))
            .unwrap();
        Self { automaton, forms }
    }

    /// What of them is in `bytes`; of each canary the first form only.
    pub fn find(&self, place: &str, bytes: &[u8]) -> Vec<Hit> {
        let mut found = BTreeSet::new();
        let mut hits = Vec::new();
        for m in self.automaton.find_overlapping_iter(bytes) {
            let f = &self.forms[m.pattern().as_usize()];
            let touches = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            let before = m.start().checked_sub(1).and_then(|i| bytes.get(i));
            if f.alone && (touches(before) || touches(bytes.get(m.end()))) {
                continue;
            }
            if found.insert(f.canary) {
                let (place, text) = (place.to_owned(), f.text.clone());
                hits.push(Hit { place, canary: f.canary, how: f.how, text });
            }
        }
        hits
    }
}

/// The ways to write a text. Letters' case is ignored when they are looked for.
fn written(needle: &str) -> Vec<(&'static str, String)> {
    let mut all = vec![("as it is", needle.to_owned())];
    let mut add = |how, text: String, least: usize| {
        if text.len() >= least && text != needle {
            all.push((how, text));
        }
    };
    add("without signs", needle.chars().filter(|c| c.is_alphanumeric()).collect(), 9);
    let json = serde_json::to_string(needle).unwrap();
    add("escaped for JSON", json[1..json.len() - 1].to_owned(), 1);
    let debug = format!("{needle:?}");
    add("as Rust prints it", debug[1..debug.len() - 1].to_owned(), 1);
    let form: String = url::form_urlencoded::byte_serialize(needle.as_bytes()).collect();
    add("percent-encoded", form.replace('+', "%20"), 1);
    add("as a form's field", form, 1);
    let html = needle.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    add("escaped for HTML", html, 1);
    add("in hex", hex::encode(needle), 16);
    // Base64 of a text that it stands in begins at any of three places within three bytes; the
    // characters at the ends depend on the neighbours.
    for shift in 0..3 {
        let bytes = [&[0u8; 2][..shift], needle.as_bytes()].concat();
        let whole = (shift * 8).div_ceil(6)..bytes.len() * 8 / 6;
        add("in base64", STANDARD_NO_PAD.encode(&bytes)[whole.clone()].to_owned(), 11);
        add("in base64url", URL_SAFE_NO_PAD.encode(&bytes)[whole].to_owned(), 11);
    }
    all
}

#[test]
fn every_way_to_write_a_value_is_found() {
    let canary = Canary {
        kind: "test",
        entity: "EMAIL_ADDRESS",
        door: "none",
        customer: String::new(),
        needles: vec!["Zoë+x 415-555-0132".to_owned()],
    };
    let g = Grep::new(std::slice::from_ref(&canary));
    let value = canary.value();
    let base64 = |before: &str| STANDARD_NO_PAD.encode(format!("{before}{value}, and more"));
    for text in [
        value.to_owned(),
        value.to_ascii_uppercase(),
        "zoëx4155550132".to_owned(),
        "/?q=Zo%C3%AB%2Bx%20415-555-0132".to_owned(),
        hex::encode(value),
        base64(""),
        base64("a"),
        base64("ab"),
        base64("abc"),
    ] {
        assert_eq!(g.find("here", format!("some {text} text").as_bytes()).len(), 1, "{text}");
    }
    assert!(g.find("here", b"Zoe x 415-555-0133").is_empty());
}
