//! From the network's runs of words to names as they are masked: exact edges, whole names, and the
//! same verdict wherever a name stands in the text.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::cues::Cues;
use super::decode::Part;
use super::shape::Shape;
use super::words::Word;
use super::{Kind, Name};

/// A name this sure is looked for in the rest of the text.
const SURE: f32 = 0.85;
/// Up to so many names are looked for one by one, before an automaton is built.
const FEW: usize = 8;
/// How far around a name an e-mail address or link is looked for, in bytes.
const NEAR: usize = 256;
/// What values are called that other recognizers find; the head takes some of them for names where
/// they are cut off from what they announce. Lower case, sorted.
const LABELS: [&str; 44] = [
    "autokennzeichen",
    "bankleitzahl",
    "bic",
    "bitcoin",
    "blz",
    "cvc",
    "cvv",
    "d.o",
    "d.o.b",
    "dob",
    "geb",
    "geburtsdatum",
    "handynummer",
    "iban",
    "imei",
    "isbn",
    "kartennummer",
    "kennzeichen",
    "kfz-kennzeichen",
    "konto",
    "kontonummer",
    "kundennummer",
    "passnummer",
    "passport",
    "password",
    "passwort",
    "personalausweis",
    "pesel",
    "pin",
    "postleitzahl",
    "pw",
    "rechnungsnummer",
    "reisepass",
    "sozialversicherungsnummer",
    "ssn",
    "steuer-id",
    "steuernummer",
    "sv-nummer",
    "swift",
    "tan",
    "telefonnummer",
    "ust-id",
    "vat",
    "vin",
];
/// Shortest name that is looked for, in letters.
const MIN_REPEATED: usize = 3;

/// The names of a text, sorted and without overlaps.
pub(super) fn finish(text: &str, words: &[Word], shapes: &[Shape], parts: Vec<Part>) -> Vec<Name> {
    let view = View { text, words, shapes };
    let mut names: Vec<Name> = Vec::with_capacity(parts.len());
    for part in parts {
        for piece in view.pieces(part) {
            let Some(name) = view.trimmed(piece) else { continue };
            match names.last_mut() {
                Some(last) if joins(text, last, &name) || is_crossing(text, last, &name) => {
                    let (a, b) = ((last.end - last.start) as f32, (name.end - name.start) as f32);
                    last.score = (last.score * a + name.score * b) / (a + b);
                    last.end = name.end;
                }
                _ => names.push(name),
            }
        }
    }
    names.retain(|n| !in_address(text, n) && !is_pronoun(text, n));
    if names.len() > 1 {
        agree(text, &mut names);
    }
    repeat(&view, &mut names);
    names
}

struct View<'a> {
    text: &'a str,
    words: &'a [Word],
    shapes: &'a [Shape],
}

impl View<'_> {
    fn word(&self, at: usize) -> &str {
        self.words[at].text(self.text)
    }

    fn cues(&self, at: usize) -> Cues {
        self.shapes[at].cues
    }

    fn is_glued(&self, at: usize) -> bool {
        at > 0 && self.words[at - 1].end == self.words[at].start
    }

    /// Names of people and firms end with their line. An address runs over several, but not into
    /// the next field of a form.
    fn pieces(&self, part: Part) -> Vec<Part> {
        let breaks = (part.first + 1..part.last).filter(|&at| {
            self.shapes[at].opens_line() && (part.kind != Kind::Location || self.is_field(at))
        });
        let mut pieces = Vec::new();
        let mut first = part.first;
        for at in breaks.chain([part.last]) {
            pieces.push(Part { first, last: at, ..part });
            if part.kind == Kind::Location {
                break;
            }
            first = at;
        }
        pieces
    }

    /// Whether a line that begins here is a field: a label with a colon, or with a number.
    fn is_field(&self, at: usize) -> bool {
        let line_end = (at + 1..self.words.len()).find(|&i| self.shapes[i].opens_line());
        let line = at..line_end.unwrap_or(self.words.len());
        let colon = line.clone().take(4).any(|i| self.word(i) == ":");
        self.cues(at).has(Cues::LABEL) && (colon || line.len() == 1 || is_contact(self.word(at)))
    }

    /// The part without punctuation, titles and possessives at its ends.
    fn trimmed(&self, part: Part) -> Option<Name> {
        let (mut first, mut last) = (part.first, part.last);
        let is_mark = |at: usize| !self.word(at).contains(char::is_alphanumeric);
        loop {
            let before = (first, last);
            while first < last && is_mark(first) && self.word(first) != "#" {
                first += 1;
            }
            while first < last && is_mark(last - 1) && !self.ends_short_form(first, last - 1) {
                last -= 1;
            }
            let possessive = last >= first + 3
                && matches!(self.word(last - 1), "s" | "S")
                && matches!(self.word(last - 2), "'" | "’" | "‘" | "´" | "`");
            if possessive && self.is_glued(last - 1) {
                last -= 2;
            }
            if part.kind == Kind::Person && last > first + 1 && self.cues(first).has(Cues::TITLE) {
                let dot = usize::from(self.word(first + 1) == ".");
                if first + 1 + dot < last && self.is_title(first, dot == 1) {
                    first += 1 + dot;
                }
            }
            if (first, last) == before {
                break;
            }
        }
        let name = Name {
            start: self.words.get(first)?.start,
            end: self.words.get(last.checked_sub(1)?)?.end,
            kind: part.kind,
            score: part.score,
        };
        let written = self.text.get(name.start..name.end)?;
        let letters = written.chars().filter(|c| c.is_alphabetic()).count();
        // "s" of "Jack Daniel's", "14" of "nach 14 Tagen". A word of a script without small letters
        // may be one character.
        let short = letters == 0 || letters == 1 && written.is_ascii() && last == first + 1;
        if short || LABELS.binary_search(&written.to_lowercase().trim_end_matches('.')).is_ok() {
            return None;
        }
        if part.kind == Kind::Person && last == first + 1 && self.is_bare_title(first) {
            return None;
        }
        (first < last).then_some(name)
    }

    /// Words such as "Don" and "Ms" are titles with a dot, or before another name.
    fn is_title(&self, at: usize, dotted: bool) -> bool {
        dotted
            || !matches!(self.word(at).to_lowercase().as_str(), "don" | "m" | "bay" | "sir" | "pan")
    }

    /// "Dr" alone; the name behind it was not seen as part of it, or there is none.
    fn is_bare_title(&self, at: usize) -> bool {
        const BARE: [&str; 12] = [
            "mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "herrn", "mme", "mlle", "sir",
        ];
        BARE.contains(&self.word(at).to_lowercase().as_str())
    }

    /// Whether the mark at `at` is the dot of "Inc." or of an initial.
    fn ends_short_form(&self, first: usize, at: usize) -> bool {
        if self.word(at) != "." || at == first || !self.is_glued(at) {
            return false;
        }
        let before = self.word(at - 1);
        let initial = before.chars().count() == 1 && at > first + 1;
        initial
            || matches!(
                before.to_lowercase().as_str(),
                "inc" | "ltd" | "co" | "corp" | "jr" | "sr" | "bros" | "st" | "ave" | "rd"
            )
    }
}

fn is_contact(word: &str) -> bool {
    const CONTACT: [&str; 12] = [
        "phone",
        "tel",
        "telephone",
        "telefon",
        "téléphone",
        "teléfono",
        "telefono",
        "mobile",
        "fax",
        "email",
        "mail",
        "e",
    ];
    CONTACT.iter().any(|c| word.eq_ignore_ascii_case(c))
}

/// Whether two finds are parts of one name: nothing but a blank or hyphen between the parts of a
/// person's or firm's name; between those of an address, of which one has a number, also a comma or
/// a line break.
fn joins(text: &str, a: &Name, b: &Name) -> bool {
    let (Some(gap), true) = (text.get(a.end..b.start), a.kind == b.kind) else { return false };
    match a.kind {
        Kind::Person | Kind::Organization => matches!(gap, "" | " " | "\u{a0}" | "-" | "'" | "’"),
        Kind::Location => {
            let numbered = |n: &Name| {
                text.get(n.start..n.end).is_some_and(|t| t.contains(|c: char| c.is_ascii_digit()))
            };
            let soft = gap.chars().all(|c| c.is_whitespace() || matches!(c, ',' | '-' | '>' | '|'));
            let lines = gap.chars().filter(|c| *c == '\n').count();
            matches!(gap, " " | "-") || soft && lines <= 1 && (numbered(a) || numbered(b))
        }
    }
}

/// "The corner of A and B" is one place.
fn is_crossing(text: &str, a: &Name, b: &Name) -> bool {
    let both = a.kind == Kind::Location && b.kind == Kind::Location;
    both && matches!(text.get(a.end..b.start), Some(" and " | " & " | ". and "))
        && follows(text, a, "corner of")
}

/// "us" names a country in capitals, or after "the".
fn is_pronoun(text: &str, name: &Name) -> bool {
    name.kind == Kind::Location
        && text.get(name.start..name.end) == Some("us")
        && !follows(text, name, "the")
}

/// Whether these words stand right before the name, in any case.
fn follows(text: &str, name: &Name, words: &str) -> bool {
    let before = text.get(..name.start).unwrap_or_default().trim_end();
    let tail = before.len().checked_sub(words.len()).and_then(|at| before.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(words))
}

/// Whether the find lies in an e-mail address, a link or a handle; other recognizers see to those.
fn in_address(text: &str, name: &Name) -> bool {
    let is_edge =
        |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '"' | ',' | ';' | '|');
    let before = &text[text.ceil_char_boundary(name.start.saturating_sub(NEAR))..name.start];
    let after = &text[name.end..text.floor_char_boundary(name.end + NEAR)];
    let lead = before.rsplit(is_edge).next().unwrap_or_default();
    let lead = lead.trim_start_matches(|c: char| !c.is_ascii());
    let tail = &after[..after.find(is_edge).unwrap_or(after.len())];
    let mail = |s: &str| s.find('@').is_some_and(|at| at + 1 < s.len());
    lead.ends_with('@')
        || lead.contains('@')
        || lead.contains("://")
        || lead.starts_with("www.")
        || mail(tail)
}

/// One text means one thing by one name: finds with the same letters get the kind that is surest
/// over all of them.
fn agree(text: &str, names: &mut [Name]) {
    let mut votes: HashMap<String, [f32; 3]> = HashMap::new();
    let key = |n: &Name| text.get(n.start..n.end).unwrap_or_default().to_lowercase();
    for name in names.iter() {
        votes.entry(key(name)).or_default()[name.kind as usize] += name.score;
    }
    for name in names {
        let Some(votes) = votes.get(&key(name)) else { continue };
        let own = votes[name.kind as usize];
        if let Some(kind) = Kind::ALL.into_iter().find(|k| votes[*k as usize] > own) {
            name.kind = kind;
        }
    }
}

/// Looks for sure names, and for the parts of people's names, in the rest of the text. Linear in
/// the text, however many names there are.
fn repeat(view: &View<'_>, names: &mut Vec<Name>) {
    let text = view.text;
    let mut patterns: Vec<(&str, Kind, f32)> = Vec::new();
    for name in names.iter().filter(|n| n.score >= SURE) {
        let Some(surface) = text.get(name.start..name.end) else { continue };
        patterns.push((surface, name.kind, name.score));
        if name.kind == Kind::Person && surface.contains(' ') {
            patterns.extend(surface.split([' ', ',']).map(|part| (part, name.kind, name.score)));
        }
    }
    patterns.retain(|(surface, ..)| is_telling(surface));
    patterns.sort_by(|a, b| a.0.cmp(b.0).then(b.2.total_cmp(&a.2)));
    patterns.dedup_by(|b, a| a.0 == b.0);
    // A name that stands once and has no parts needs no search.
    if patterns.is_empty() || text.len() < patterns[0].0.len() + MIN_REPEATED {
        return;
    }
    let few = patterns.len() <= FEW && names.len() <= FEW;
    if few && !patterns.iter().any(|(surface, ..)| is_left(text, surface, names)) {
        return;
    }
    let searched = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(patterns.iter().map(|(surface, ..)| surface));
    let Ok(searcher) = searched else { return };
    let mut found = Vec::new();
    let mut next = 0;
    for hit in searcher.find_iter(text) {
        while names.get(next).is_some_and(|n| n.end <= hit.start()) {
            next += 1;
        }
        let free = names.get(next).is_none_or(|n| n.start >= hit.end());
        let (_, kind, score) = patterns[hit.pattern().as_usize()];
        let name = Name { start: hit.start(), end: hit.end(), kind, score: score * 0.9 };
        if free && stands_alone(text, &name) && !in_address(text, &name) {
            found.push(name);
        }
    }
    if !found.is_empty() {
        names.extend(found);
        names.sort_by_key(|n| n.start);
    }
}

/// Whether a text holds this outside of the names found.
fn is_left(text: &str, surface: &str, names: &[Name]) -> bool {
    text.match_indices(surface)
        .any(|(at, _)| !names.iter().any(|n| n.start < at + surface.len() && at < n.end))
}

/// Whether a name says enough to be one wherever it stands: long enough, written like a name, and
/// no everyday word.
fn is_telling(surface: &str) -> bool {
    let letters = surface.chars().filter(|c| c.is_alphabetic()).count();
    let capital = surface.chars().any(char::is_uppercase);
    let common = Cues::of(&surface.to_lowercase()) != Cues::default();
    letters >= MIN_REPEATED && capital && !common
}

fn stands_alone(text: &str, name: &Name) -> bool {
    let before = text.get(..name.start).and_then(|t| t.chars().next_back());
    let after = text.get(name.end..).and_then(|t| t.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nlp::names::shape::{Fold, shapes};

    /// Words at blanks and marks.
    fn words_at_marks(text: &str) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        for (i, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            match words.last_mut() {
                Some(w)
                    if c.is_alphanumeric()
                        && w.end == i
                        && text[w.start..].starts_with(char::is_alphanumeric) =>
                {
                    w.end = i + c.len_utf8();
                }
                _ => words.push(Word { start: i, end: i + c.len_utf8(), tokens: 0..1 }),
            }
        }
        words
    }

    /// `finds` are texts with their kinds.
    fn finished(text: &str, finds: &[(&str, Kind)]) -> Vec<(String, Kind)> {
        let words = words_at_marks(text);
        let parts = finds.iter().map(|(find, kind)| {
            let start = text.find(find).unwrap();
            let first = words.iter().position(|w| w.start >= start).unwrap();
            let last = words.iter().rposition(|w| w.end <= start + find.len()).unwrap() + 1;
            Part { first, last, kind: *kind, score: 0.9 }
        });
        let shapes = shapes(text, &words, Fold::None);
        finish(text, &words, &shapes, parts.collect())
            .into_iter()
            .map(|n| (text[n.start..n.end].to_owned(), n.kind))
            .collect()
    }

    fn only(text: &str, find: &str, kind: Kind) -> Vec<String> {
        finished(text, &[(find, kind)]).into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn edges_are_those_of_the_name() {
        use Kind::{Location, Organization, Person};
        assert_eq!(only("Dr. Anna Smith's card", "Dr. Anna Smith's", Person), ["Anna Smith"]);
        assert_eq!(only("to (Anna Smith), ok", "(Anna Smith),", Person), ["Anna Smith"]);
        assert_eq!(
            only("at Fernandez Inc. now", "Fernandez Inc.", Organization),
            ["Fernandez Inc."]
        );
        assert_eq!(only("Anna\nBlue Foods", "Anna\nBlue Foods", Person), ["Anna", "Blue Foods"]);
        assert_eq!(
            only("5 High St\nLeeds\nPhone: 12", "5 High St\nLeeds\nPhone", Location),
            ["5 High St\nLeeds"]
        );
        assert!(only("see anna@x.org", "anna", Person).is_empty());
    }

    #[test]
    fn what_stands_behind_wide_spaces_is_read_too() {
        use Kind::{Location, Person};
        for space in ['\u{a0}', '\u{3000}', '\u{202f}', '\u{2028}', '\u{85}'] {
            let text = format!("Dear{space}Anna Smith, thanks");
            assert_eq!(only(&text, "Anna Smith", Person), ["Anna Smith"], "{space:?}");
            let text = format!("in{space}Berlin");
            assert_eq!(only(&text, "Berlin", Location), ["Berlin"], "{space:?}");
        }
    }

    #[test]
    fn numbers_letters_and_labels_are_no_names() {
        use Kind::{Location, Organization, Person};
        assert!(LABELS.is_sorted());
        assert!(only("ist nach 14 Tagen", "14", Location).is_empty());
        assert!(only("Jack Daniel s", "s", Organization).is_empty());
        assert!(only("mein Kennzeichen lautet", "Kennzeichen", Person).is_empty());
        assert_eq!(only("from 李 today", "李", Person), ["李"]);
        assert_eq!(only("to J. Smith", "J. Smith", Person), ["J. Smith"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_verdict_on_any_text_gives_names_that_fit(
            pieces in prop::collection::vec(prop_oneof![
                "\\PC{0,6}",
                prop::sample::select(vec![
                    "\u{a0}", "\u{3000}", "\u{2028}", "\u{85}", "\u{202f}", "\u{200b}", "\u{301}", "e\u{301}",
                    " ", "\n", "\r\n", "Anna", "Smith", "Dr.", "'s", "Phone:", "Berlin", "corner of", "and",
                    "@", "www.", "://", "İ", "ß", "李", "12", ",", "-", "\u{feff}",
                ]).prop_map(str::to_owned),
            ], 0..24),
            verdicts in prop::collection::vec((0usize..3, 0usize..4, 0f32..1.0), 1..12),
        ) {
            let text = pieces.concat();
            let words = words_at_marks(&text);
            let shapes = shapes(&text, &words, Fold::None);
            let mut parts = Vec::new();
            let mut first = 0;
            for (kind, len, score) in verdicts.iter().cycle() {
                if first >= words.len() {
                    break;
                }
                let last = (first + len).min(words.len());
                if *len > 0 {
                    parts.push(Part { first, last, kind: Kind::ALL[*kind], score: *score });
                }
                first = last + 1;
            }
            let mut end = 0;
            for name in finish(&text, &words, &shapes, parts) {
                prop_assert!(end <= name.start && name.start < name.end);
                prop_assert!(text.get(name.start..name.end).is_some());
                end = name.end;
            }
        }
    }

    #[test]
    fn parts_of_an_address_become_one_but_towns_stay_apart() {
        let places = [("5 High St", Kind::Location), ("Leeds", Kind::Location)];
        let text = "5 High St, Leeds";
        assert_eq!(finished(text, &places), [(text.to_owned(), Kind::Location)]);
        let towns = [("York", Kind::Location), ("Leeds", Kind::Location)];
        assert_eq!(finished("York, Leeds", &towns).len(), 2);
    }

    #[test]
    fn a_name_found_once_is_found_everywhere() {
        let text = "Anna Okafor wrote. Okafor again, annals of Annas; ask Anna.";
        let found = finished(text, &[("Anna Okafor", Kind::Person)]);
        let texts: Vec<&str> = found.iter().map(|(t, _)| t.as_str()).collect();
        assert_eq!(texts, ["Anna Okafor", "Okafor", "Anna"]);
    }
}
