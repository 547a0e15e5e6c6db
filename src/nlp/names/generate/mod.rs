//! Messages to train and measure the names head with, made from templates and lists of our own:
//! letters, chats, forms, tables, signatures, quoted headers, and the running prose that names also
//! stand in. A message follows from the seed; those for training and for measuring share no
//! template and no name.

mod companies;
mod lists;
mod noise;
mod people;
mod places;
pub(in crate::nlp::names) mod random;
mod streets;

use self::companies::Companies;
use self::lists::Lists;
pub use self::lists::Side;
pub(super) use self::lists::sections;
use self::people::People;
use self::places::Places;
use self::random::Random;
use super::Kind;
use super::corpus::Example;

const LANGUAGES: [&str; 9] = ["de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr"];
const TITLES: [&str; 15] = [
    "Mr.",
    "Mr",
    "Mrs.",
    "Mrs",
    "Ms",
    "Ms.",
    "Miss",
    "Dr.",
    "Dr",
    "Prof.",
    "Professor",
    "mr",
    "ms.",
    "Sir",
    "Rev.",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Makes messages.
#[derive(Debug)]
pub struct Generator {
    templates: Lists,
    people: People,
    places: Places,
    companies: Companies,
    random: Random,
}

impl Generator {
    /// A generator of messages for one side; equal seeds give equal messages.
    pub fn new(side: Side, seed: u64) -> Self {
        let templates = include_str!("../data/templates.txt");
        Self {
            templates: Lists::lines(templates, side, &|_| 6),
            people: People::new(side),
            places: Places::new(side),
            companies: Companies::new(side),
            random: Random::new(seed),
        }
    }

    /// The next message with its names.
    pub fn message(&mut self) -> Example {
        let language = if self.random.chance(0.62) { "en" } else { self.random.pick(&LANGUAGES) };
        let mut message = Example::default();
        match self.random.below(100) {
            0..36 => self.letter(language, &mut message),
            36..54 => self.sentences(&["body", "body", "plain"], language, 2, &mut message),
            54..66 => self.form(&mut message),
            66..79 => self.sentences(&["prose", "prose", "plainprose"], "en", 3, &mut message),
            79..84 => self.add("signature", "en", &mut message),
            _ => self.sentences(&["plain"], language, 3, &mut message),
        }
        noise::spoil(&mut message, &mut self.random);
        if self.random.chance(0.02) {
            message = self.in_other_script(&message);
        }
        message
    }

    fn letter(&mut self, language: &str, message: &mut Example) {
        if self.random.chance(0.6) {
            self.add("greeting", language, message);
            message.text.push_str(self.random.pick(&["\n", "\n\n", " ", "\n"]));
        }
        self.sentences(&["body", "body", "plain"], language, 4, message);
        if self.random.chance(0.12) {
            message.text.push('\n');
            self.add("form", "en", message);
        }
        if self.random.chance(0.6) {
            message.text.push_str(self.random.pick(&["\n", "\n\n", "\n", " "]));
            let kind = if self.random.chance(0.12) { "signature" } else { "closing" };
            self.add(kind, language, message);
            if kind == "closing" && self.random.chance(0.08) {
                message.text.push_str("\n\n");
                self.add("signature", "en", message);
            }
        }
    }

    fn sentences(
        &mut self,
        kinds: &[&'static str],
        language: &str,
        most: usize,
        message: &mut Example,
    ) {
        for i in 0..self.random.between(1, most) {
            if i > 0 {
                message.text.push_str(self.random.pick(&[" ", " ", " ", "\n", "\n\n"]));
            }
            let kind = self.random.pick(kinds);
            self.add(kind, language, message);
        }
    }

    fn form(&mut self, message: &mut Example) {
        for i in 0..self.random.between(1, 3) {
            if i > 0 {
                message.text.push_str(self.random.pick(&["\n", "\n", "\n\n"]));
            }
            let kind = self.random.pick(&["form", "form", "form", "plain", "body"]);
            self.add(kind, "en", message);
        }
    }

    /// Appends a filled template.
    fn add(&mut self, kind: &str, language: &str, message: &mut Example) {
        let own = self.templates.get(&format!("{kind} {language}"));
        let lines = if own.is_empty() { self.templates.get(&format!("{kind} en")) } else { own };
        let line = self.random.pick(lines);
        let origin = self.people.origin(language, &mut self.random);
        let mut rest = line;
        while let Some(at) = rest.find(['{', '\\']) {
            message.text.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(tail) = rest.strip_prefix("\\n") {
                message.text.push('\n');
                rest = tail;
            } else if let Some((slot, tail)) = rest
                .strip_prefix('{')
                .and_then(|r| r.split_once('}'))
                .filter(|(slot, _)| is_slot(slot))
            {
                let (value, kind) = self.fill(slot, origin);
                message.push(&value, kind);
                rest = tail;
            } else {
                message.text.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        message.text.push_str(rest);
    }

    fn fill(&mut self, slot: &str, origin: usize) -> (String, Option<Kind>) {
        let (people, places, r) = (&self.people, &self.places, &mut self.random);
        // A text speaks of people of other origins too.
        let origin = if r.chance(0.15) { people.origin("", r) } else { origin };
        let (person, place) = (Some(Kind::Person), Some(Kind::Location));
        match slot {
            "PER" => (people.full(origin, r), person),
            "PERL" => (people.full(origin, r).to_lowercase(), person),
            "FIRST" => (people.given(origin, r), person),
            "LAST" => (people.family(origin, r), person),
            "FI" => (people.given(origin, r).chars().take(1).collect(), person),
            "NAME" => match r.below(3) {
                0 => (people.given(origin, r), person),
                1 => (people.family(origin, r), person),
                _ => (people.full(origin, r), person),
            },
            "CITY" => (places.place(people, r), place),
            "COUNTRY" => (places.country(r), place),
            "REGION" => (places.region(r), place),
            "ZIP" => (places.postcode(r), place),
            "ZIPCITY" => (places.postcode_town(people, r), place),
            "STREET" => (places.street(people, r), place),
            "STREETNAME" => (places.street_name(people, r), place),
            "ADDR" => {
                let breaks = r.pick(&["\n", "\n", "\n ", ", "]);
                (places.address(people, breaks, r), place)
            }
            "ADDRQ" => (places.address(people, "\n> ", r).replace("\n ", "\n> "), place),
            "ADDRQ1" => (places.address(people, "\n>", r), place),
            "ORG" => (self.companies.name(people, places, origin, r), Some(Kind::Organization)),
            "PROD" => (self.companies.other("product", r), None),
            "JOB" => (self.companies.other("job", r), None),
            "JOBL" => (self.companies.other("job", r).to_lowercase(), None),
            "ACR" => (self.companies.other("acronym", r), None),
            "CURRENCY" => (self.companies.other("currency", r), None),
            "THING" => (self.companies.other("thing", r), None),
            // Products are named after people and towns.
            "NAMELIKE" => match r.below(3) {
                0 => (places.town(people, r), None),
                1 => (people.given(origin, r), None),
                _ => (people.family(origin, r), None),
            },
            "NRP" => (self.companies.other("nationality", r), None),
            _ => (neutral(slot, r), None),
        }
    }

    /// All names in another script, as in messages from where it is used.
    fn in_other_script(&mut self, message: &Example) -> Example {
        let mut out = Example::default();
        let mut at = 0;
        for name in &message.names {
            out.text.push_str(&message.text[at..name.start]);
            let swapped =
                people::other_script(&message.text[name.start..name.end], &mut self.random);
            out.push(&swapped, Some(name.kind));
            at = name.end;
        }
        out.text.push_str(&message.text[at..]);
        out
    }
}

fn is_slot(slot: &str) -> bool {
    !slot.is_empty() && slot.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Values that are no names.
fn neutral(slot: &str, r: &mut Random) -> String {
    let n = |r: &mut Random, digits: usize| -> String {
        (0..digits).map(|_| char::from(b'0' + r.below(10) as u8)).collect()
    };
    match slot {
        "ORD" => {
            let digits = r.between(4, 9);
            format!("{}{}", r.pick(&["#", "", "ORD-", "A", "no. "]), n(r, digits))
        }
        "NUM" => {
            let digits = r.between(3, 12);
            n(r, digits)
        }
        "PHONE" => phone(r),
        "EMAIL" => {
            let user = r.pick(&[
                "info", "j.d", "sales", "office", "me", "kontakt", "hello", "a.b", "user77", "team",
            ]);
            format!(
                "{user}{}@{}",
                r.below(90),
                r.pick(&["example.com", "mail.test", "example.org", "firma.example"])
            )
        }
        "URL" => r
            .pick(&["www.example.com", "https://example.org/shop", "http://example.com"])
            .to_owned(),
        "AMT" => {
            let sum = r.between(2, 1900);
            match r.below(4) {
                0 => format!("{sum} EUR"),
                1 => format!("{sum},{:02} €", r.below(99)),
                2 => format!("£{sum}"),
                _ => format!("${sum}.{:02}", r.below(99)),
            }
        }
        "DATE" => match r.below(6) {
            0 => format!("{}/{}/20{}", r.between(1, 12), r.between(1, 28), r.between(10, 26)),
            1 => format!("20{}-{:02}-{:02}", r.between(10, 26), r.between(1, 12), r.between(1, 28)),
            2 => format!("{} {}", r.pick(&MONTHS), r.between(1, 28)),
            3 => format!("{}. {} 20{}", r.between(1, 28), r.pick(&MONTHS), r.between(10, 26)),
            4 => r.pick(&DAYS).to_owned(),
            _ => {
                r.pick(&["yesterday", "last week", "tomorrow", "last Friday", "May 3rd"]).to_owned()
            }
        },
        "TIME" => format!("{}:{:02}{}", r.between(1, 12), r.below(59), r.pick(&["", " pm", "am"])),
        "MONTH" => r.pick(&MONTHS).to_owned(),
        "WEEKDAY" => r.pick(&DAYS).to_owned(),
        "TITLE" => r.pick(&TITLES).to_owned(),
        "TITLEDE" => r.pick(&["Herrn", "Herr", "Frau", "Dr.", "Frau Dr."]).to_owned(),
        "HANDLE" => {
            format!("{}{}", r.pick(&["sunny", "mikey", "the_real", "cat", "xo"]), r.below(999))
        }
        other => other.to_owned(),
    }
}

fn phone(r: &mut Random) -> String {
    let d = |r: &mut Random, n: usize| -> String {
        (0..n).map(|_| char::from(b'0' + r.below(10) as u8)).collect()
    };
    match r.below(11) {
        6 => format!("{} {} {} {}", d(r, 4), d(r, 2), d(r, 2), d(r, 2)),
        7 => format!("{} {} {}", d(r, 2), d(r, 3), d(r, 3)),
        8 => format!("0{} {} {} {}", d(r, 2), d(r, 3), d(r, 2), d(r, 2)),
        9 => format!("{} {}", d(r, 4), d(r, 4)),
        10 => {
            format!("{}{}-{}-{}x{}", r.pick(&["", "+1-", "1-"]), d(r, 3), d(r, 3), d(r, 4), d(r, 4))
        }
        0 => format!("({}) {}-{}", d(r, 3), d(r, 3), d(r, 4)),
        1 => format!("{}-{}-{}", d(r, 3), d(r, 3), d(r, 4)),
        2 => format!("+{} {} {}", r.between(1, 99), d(r, 3), d(r, 7)),
        3 => format!("0{} {}", d(r, 3), d(r, 6)),
        4 => format!("0{}.{}.{}.{}", d(r, 1), d(r, 2), d(r, 2), d(r, 2)),
        _ => format!("+{}({}){} {}", r.between(30, 99), d(r, 2), d(r, 3), d(r, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_from_the_seed_and_labels_lie_on_names() {
        let mut a = Generator::new(Side::Train, 1);
        let mut b = Generator::new(Side::Train, 1);
        let mut kinds = std::collections::HashSet::new();
        for _ in 0..500 {
            let m = a.message();
            assert_eq!(m, b.message());
            let mut end = 0;
            for name in &m.names {
                let text = &m.text[name.start..name.end];
                assert!(end <= name.start && !text.trim().is_empty(), "{m:?}");
                assert_eq!(text.trim(), text, "{m:?}");
                end = name.end;
                kinds.insert(name.kind);
            }
            assert!(!m.text.contains("{PER}") && !m.text.contains("\\n"), "{m:?}");
        }
        assert_eq!(kinds.len(), 3);
    }

    #[test]
    fn the_two_sides_share_no_template() {
        let file = include_str!("../data/templates.txt");
        let train = Lists::lines(file, Side::Train, &|_| 6);
        let evaluate = Lists::lines(file, Side::Evaluate, &|_| 6);
        for section in train.names() {
            assert!(!train.get(section).is_empty(), "{section}");
            let shared = train.get(section).iter().find(|l| evaluate.get(section).contains(l));
            assert_eq!(shared, None);
        }
        let held: usize = evaluate.names().map(|n| evaluate.get(n).len()).sum();
        let kept: usize = train.names().map(|n| train.get(n).len()).sum();
        assert!(held * 3 > kept / 3 && held * 3 < kept, "{held} {kept}");
    }
}
