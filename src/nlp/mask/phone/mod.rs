//! Telephone numbers.
//!
//! A cluster of digit groups is read as a number where its digits, its grouping or the words
//! around it say so; the phone library's metadata decides what a region gives out. In order:
//!
//! 1. `+` or `00` and a country code: a number, valid or not (people mistype).
//! 2. Given out in one of the default regions, and written like a number: a leading zero, an area
//!    code in brackets, 3-3-4 in North America, or nothing of it where a region of the text's
//!    language dials no zero.
//! 3. Given out, with a word like "phone" or "call" near it. Bare digits count here only.
//! 4. Directly behind such a word: any seven to fifteen digits.
//!
//! Dates, amounts and parts of longer codes are none of it. The groups of a cluster are looked at
//! in windows of at most eight, so the time is linear.

mod around;
mod plan;
mod regions;
mod window;

use std::cell::LazyCell;
use std::ops::Range;
use std::sync::Arc;

use self::around::is_date;
use self::plan::PLANS;
pub(super) use self::regions::{Regions, canonical};
use self::regions::{dialled_abroad, speaks};
use self::window::{Lead, Window, is_tight};
use super::candidate::Candidate;
use super::context::{
    ContextWords, Leaning, REFERENCE_NUMBERS, WordSet, floor, leaning, raised, words_before,
};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// With an international prefix in front.
const MAX_DIGITS: usize = 18;
const MAX_GROUPS: usize = 8;

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new(
        "anrufen answering appeler bellen call called calling cell cellphone cellulare celular \
        chiamare contact desk dial fax gsm handy handynummer hotline komórka komórkę komórki landline \
        ligar line llamar mob mobiel mobil mobile mobilen mobilnr mobilnummer móvil office phone portable \
        puhelin puhelinnumero reach ring rufnummer sms tel telefon telefone telefonnummer telefono \
        telefonu telefoon telemóvel telephone teléfono text tlf téléphone whatsapp мобильный тел \
        телефон телефону",
    ),
    against: &REFERENCE_NUMBERS,
};

/// Words that may stand between "call" and the number that is to be called.
static BETWEEN: WordSet = WordSet::new(
    "a al am an at au auf back bei der die e el em en es est her him il in is ist it la le me mi \
    mich mir mobile mon my na no nr number numero nummer numéro número o on or our please the to \
    unter us via è é",
);

/// Finds telephone numbers of the given regions.
pub(super) struct Phone {
    regions: Arc<Regions>,
}

impl Phone {
    pub(super) fn new(regions: Arc<Regions>) -> Self {
        Self { regions }
    }
}

impl Recognizer for Phone {
    fn entity(&self) -> &Entity {
        const { &Entity::PHONE_NUMBER }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= *DIGITS.start()
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for cluster in source.clusters() {
            let mut first = 0;
            let mut run = Run::default();
            while first < cluster.len() {
                if first >= run.end {
                    run = Run::at(text, cluster, first);
                }
                let inside = first > run.start && run.is_longer();
                if is_date(text, &cluster[first..]) {
                    first += 3;
                    run.begin_at(cluster, first);
                } else if let Some((groups, found)) = self.number_at(source, cluster, first, inside)
                {
                    out.push(found);
                    first += groups;
                    run.begin_at(cluster, first);
                } else {
                    first += 1;
                }
            }
        }
    }
}

/// Groups with one sign or space between each two.
#[derive(Default)]
struct Run {
    start: usize,
    end: usize,
    /// How many from `start` to `end`.
    digits: usize,
}

impl Run {
    fn at(text: &str, cluster: &[Range<usize>], start: usize) -> Self {
        let rest = cluster.get(start..).unwrap_or_default();
        let is_joint = |gap: &str| matches!(gap, " " | "-" | "." | "/");
        let joined = rest.windows(2).take_while(|w| is_joint(&text[w[0].end..w[1].start])).count();
        let digits = rest.iter().take(1 + joined).map(ExactSizeIterator::len).sum();
        Self { start, end: start + 1 + joined, digits }
    }

    /// Leaves out what stands before group `first`. Each group is counted in once and out once.
    fn begin_at(&mut self, cluster: &[Range<usize>], first: usize) {
        let first = first.min(self.end);
        let passed = cluster.get(self.start..first).unwrap_or_default();
        self.digits -= passed.iter().map(ExactSizeIterator::len).sum::<usize>();
        self.start = first;
    }

    /// No telephone number of one country has as many digits.
    fn is_longer(&self) -> bool {
        self.digits >= *DIGITS.end()
    }
}

impl Phone {
    /// The number that begins with group `first`, and how many groups it takes. `inside`: the group
    /// goes on with something longer, of which only a sign sets a number off.
    fn number_at(
        &self,
        source: &Source<'_>,
        cluster: &[Range<usize>],
        first: usize,
        inside: bool,
    ) -> Option<(usize, Candidate)> {
        let text = source.text();
        let lead = Lead::of(source, cluster[first].start);
        if inside && !lead.plus && !lead.bracket {
            return None;
        }
        if first > 0 && lead.start == cluster[first].start && is_tight(text, cluster, first - 1) {
            return None;
        }
        let last = (first + MAX_GROUPS).min(cluster.len());
        (first + 1..=last).rev().find_map(|end| {
            let window = Window::new(source, cluster, first..end, lead)?;
            let found = self.judge(source, &window)?;
            Some((end - first, found))
        })
    }

    fn judge(&self, source: &Source<'_>, window: &Window) -> Option<Candidate> {
        let digits = window.digits.as_str();
        let context = LazyCell::new(|| {
            let own = own_number(source.text(), window.number.start);
            own.map_or_else(
                || leaning(source.text(), &window.number, &WORDS),
                |word| Leaning::For(word, 0),
            )
        });
        let found = |base: f32, name: &'static str, check: Option<&'static str>| {
            let candidate = Candidate::new(window.range.clone(), Entity::PHONE_NUMBER, base, name);
            let candidate = Candidate { validator: check, ..candidate };
            Some(match *context {
                Leaning::For(word, _) => candidate.in_context(Some(word), raised(base)),
                Leaning::Against if !window.lead.plus => candidate.in_context(None, base / 2.0),
                _ => candidate,
            })
        };
        if window.lead.plus {
            return match PLANS.international(digits)? {
                Ok(_) => found(0.8, "phone/international", Some("numbering plan")),
                Err(_) => found(0.5, "phone/international", None),
            };
        }
        if let Some(rest) = dialled_abroad(digits)
            && let Some(Ok(_)) = PLANS.international(rest)
        {
            return found(0.6, "phone/international", Some("numbering plan"));
        }
        if !DIGITS.contains(&digits.len()) || !window.has_phone_groups() {
            return None;
        }
        let is_usual = window.groups.len() > 1
            && !window.is_years()
            && self.is_usual(window, source.language());
        if is_usual && self.regions.give_out(digits) {
            return found(0.5, "phone/national", Some("numbering plan"));
        }
        // Bare, or grouped but not like a number: not without a word for it.
        if !window.at_edge {
            return None;
        }
        let Leaning::For(_, distance) = *context else { return None };
        if self.regions.give_out(digits) {
            return found(0.4, "phone/national", Some("numbering plan"));
        }
        is_directly_named(source.text(), window.number.start, distance)
            .then(|| found(0.3, "phone/named", None))?
    }

    /// Whether a region of the language gives the number out and dials no zero in front of it.
    fn is_usual_in(&self, language: &str, digits: &str) -> bool {
        self.regions.gives_out(digits, |p| !p.has_trunk_prefix() && speaks(language, &p.region))
    }

    /// Whether the digits are written the way telephone numbers are, in a region that is likely.
    fn is_usual(&self, window: &Window, language: Option<&str>) -> bool {
        // 12 345 678 is an amount as well; a leading zero or a bracket is never one.
        let is_north_american = matches!(window.groups.as_slice(), [3, 3, 4] | [1, 3, 3, 4]);
        window.lead.bracket
            || window.digits.starts_with('0')
            || is_north_american
                && self
                    .regions
                    .gives_out(&window.digits, |p| matches!(p.region.as_str(), "US" | "CA"))
            || !window.is_thousands()
                && language.is_some_and(|l| self.is_usual_in(l, &window.digits))
    }
}

/// The word for a number or telephone right in front of `at`: "my number is", "mój numer to", 电话.
fn own_number(text: &str, at: usize) -> Option<&'static str> {
    static NUMBERS: WordSet = WordSet::new("no nr num number numer numero nummer numéro número");
    static OWN: WordSet =
        WordSet::new("her his meine mein meiner meu mi mia mijn min mio mitt mon mój my our son");
    // Written without spaces.
    const TOGETHER: [&str; 6] = ["电话", "手机", "電話", "手機", "携帯", "전화"];
    let near = &text[floor(text, at.saturating_sub(24))..at];
    let bare = near.trim_end_matches([' ', ':', '：', '是', '号', '碼', '码', '番']);
    if let Some(word) = TOGETHER.into_iter().find(|w| bare.ends_with(w)) {
        return Some(word);
    }
    let words = words_before(text, at, 4);
    let number = words.iter().position(|w| NUMBERS.contains(w))?;
    let fill = words[..number].iter().all(|w| BETWEEN.contains(w));
    let own = words.get(number + 1).is_some_and(|w| OWN.contains(w));
    (fill && own).then_some("number")
}

/// Whether only filling words stand between the number and the word that names it.
fn is_directly_named(text: &str, at: usize, distance: usize) -> bool {
    let between = words_before(text, at, distance + 1);
    match between.split_last() {
        Some((_, fill)) => fill.iter().all(|w| BETWEEN.contains(w)),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone() -> Phone {
        let ids = ["US", "CA", "GB", "DE", "FR", "CH", "ES"].map(str::to_owned);
        Phone::new(Arc::new(Regions::new(&ids).unwrap()))
    }

    #[test]
    fn default_regions_have_plans() {
        let ids = super::super::DEFAULT_REGIONS.map(str::to_owned);
        assert_eq!(Regions::new(&ids).unwrap().plans().count(), ids.len());
        assert!(Regions::new(&["XX".to_owned()]).is_err());
    }

    fn found_in(text: &str, language: Option<&str>) -> Vec<String> {
        let mut out = Vec::new();
        phone().find(&Source::new(text, language), &mut out);
        out.into_iter().filter(|c| c.score >= 0.4).map(|c| text[c.range].to_owned()).collect()
    }

    fn found(text: &str) -> Vec<String> {
        found_in(text, None)
    }

    #[test]
    fn finds_numbers_as_people_write_them() {
        for number in [
            "+49 30 901820",
            "+41 (0)96 471 07 95",
            "(415) 555-0132",
            "(415)555-0132",
            "415-555-0132",
            "415.555.0132",
            "1-415-555-0132",
            "030 901820",
            "01.84.17.61.18",
            "0044 20 7946 0018",
            "+1-903-140-4508x769",
            "415-555-0132 ext. 12",
            "020 7946 0018",
            "+447700900123",
        ] {
            assert_eq!(found(&format!("It is {number}.")), [number], "{number}");
        }
        assert_eq!(found("(415 555 0132), (030 901820)"), ["415 555 0132", "030 901820"]);
        assert_eq!(found("call 4155550132 now"), ["4155550132"]);
        assert_eq!(found("Mobile: 432 03 163"), ["432 03 163"]);
        assert_eq!(found("try 3660170548-Fax"), ["3660170548"]);
        assert_eq!(found("on 2024-05-06 030 901820"), ["030 901820"]);
        assert_eq!(found("020 7946 0018 / 020 7946 0019"), ["020 7946 0018", "020 7946 0019"]);
        for (text, number) in [
            ("Tel. 030-1234567-0", "030-1234567-0"),
            ("mob 07700900123", "07700900123"),
            ("my number is 0612345678", "0612345678"),
            ("mon numéro: 0612345678", "0612345678"),
            ("il mio numero è 0612345678", "0612345678"),
            ("numer telefonu 501 234 567", "501 234 567"),
            ("telemóvel 912 345 678", "912 345 678"),
            ("tlf 91234567", "91234567"),
            ("тел. 8 912 345-67-89", "8 912 345-67-89"),
            ("电话 13812345678", "13812345678"),
            ("我的手机是13812345678", "13812345678"),
        ] {
            assert_eq!(found(text), [number], "{text}");
        }
        assert_eq!(found_in("es el 912 34 56 78", Some("es")), ["912 34 56 78"]);
    }

    #[test]
    fn leaves_orders_prices_and_dates() {
        for text in [
            "order 48213",
            "order 4155550132",
            "my order number is 4155550132",
            "IBAN DE89 3704 0044 0532 0130 01",
            "61 1090 1014 0000 0712 1981 2874",
            "It is 4155550132",
            "12.05.2024",
            "2024-05-06 10:15",
            "on 05/06/2024",
            "$ 1 415 555",
            "1.234.567,89",
            "12 345 678 EUR",
            "112-1234567-1234567",
            "A415-555-0132",
            "0123456789012345678",
            "version 10.20.30.40",
            "call me about order 7654321",
            "call 911",
            "Hobson (1858–1940),",
            "(2.700.000 miles)",
            "from (936-1013)",
            "in 12 345 678 ways",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn one_number_has_one_form() {
        let p = phone();
        for text in
            ["+49 30 901820", "0049 30 901820", "(030) 90 18 20", "030/901820", "+49 (0)30 901820"]
        {
            assert_eq!(canonical(text, &p.regions), "+4930901820", "{text}");
        }
        assert_eq!(canonical("415-555-0132 x12", &p.regions), "+14155550132;ext=12");
        assert_eq!(canonical("432 03", &p.regions), "43203");
    }
}
