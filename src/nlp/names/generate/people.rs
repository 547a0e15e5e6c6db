//! Names of people: from the lists, or made up after them, so that the head learns how names stand
//! in a text and not which names there are.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::lists::{Lists, Side};
use super::random::Random;

/// Letters that the next letter of a made-up name depends on.
const ORDER: usize = 3;

/// Names of one origin.
#[derive(Debug)]
struct Origin {
    code: &'static str,
    /// The family's name may come first.
    eastern: bool,
    given: Vec<&'static str>,
    family: Vec<&'static str>,
    made_given: Chain,
    made_family: Chain,
}

/// Which letter follows which.
#[derive(Debug, Default)]
struct Chain(HashMap<String, Vec<char>>);

impl Chain {
    fn of(names: &[&str]) -> Self {
        let mut next: HashMap<String, Vec<char>> = HashMap::new();
        for name in names.iter().filter(|n| !n.contains('_')) {
            let padded: Vec<char> =
                std::iter::repeat_n('^', ORDER).chain(name.chars()).chain(['$']).collect();
            for w in padded.windows(ORDER + 1) {
                next.entry(w[..ORDER].iter().collect()).or_default().push(w[ORDER]);
            }
        }
        Self(next)
    }

    /// A name of 3 to 14 letters, if the letters lead to one.
    fn make(&self, r: &mut Random) -> Option<String> {
        let mut state: Vec<char> = vec!['^'; ORDER];
        let mut name = String::new();
        for length in 0..14 {
            let c = r.pick(self.0.get(&state.iter().collect::<String>())?);
            if c == '$' {
                return (length >= 3).then_some(name);
            }
            name.push(c);
            state.remove(0);
            state.push(c);
        }
        None
    }
}

/// Makes names.
#[derive(Debug)]
pub(super) struct People {
    origins: Vec<Origin>,
}

impl People {
    pub(super) fn new(side: Side) -> Self {
        let lists = Lists::blanks(include_str!("../data/people.txt"), side, &|_| 5);
        let mut codes: Vec<&str> = lists.names().filter(|n| n.contains(" given ")).collect();
        codes.sort_unstable();
        let origin = |name: &'static str| {
            let mut words = name.split(' ');
            let code = words.next().unwrap_or_default();
            let order = words.nth(1).unwrap_or_default();
            let given = lists.get(name).to_vec();
            let family = lists.get(&format!("{code} family {order}")).to_vec();
            Origin {
                code,
                eastern: order == "both",
                made_given: Chain::of(&given),
                made_family: Chain::of(&family),
                given,
                family,
            }
        };
        Self { origins: codes.into_iter().map(origin).collect() }
    }

    /// An origin for a message in this language: mostly its own, always possibly another.
    pub(super) fn origin(&self, language: &str, r: &mut Random) -> usize {
        let own = self.origins.iter().position(|o| match language {
            "sv" => o.code == "nordic",
            code => o.code == code,
        });
        match own {
            Some(own) if r.chance(if language == "en" { 0.35 } else { 0.6 }) => own,
            _ => r.below(self.origins.len()),
        }
    }

    pub(super) fn given(&self, origin: usize, r: &mut Random) -> String {
        let o = &self.origins[origin];
        let name = name(&o.given, &o.made_given, r);
        if r.chance(0.03) { format!("{name}-{}", r.pick(&o.given).replace('_', " ")) } else { name }
    }

    pub(super) fn family(&self, origin: usize, r: &mut Random) -> String {
        let o = &self.origins[origin];
        let name = name(&o.family, &o.made_family, r);
        if r.chance(0.04) {
            format!("{name}-{}", r.pick(&o.family).replace('_', " "))
        } else {
            name
        }
    }

    /// A full name in one of the ways in which people write theirs.
    pub(super) fn full(&self, origin: usize, r: &mut Random) -> String {
        let given = self.given(origin, r);
        let elsewhere = if r.chance(0.12) { r.below(self.origins.len()) } else { origin };
        let family = self.family(elsewhere, r);
        if self.origins[origin].eastern && r.chance(0.4) {
            return format!("{family} {given}");
        }
        let initial = |name: &str| name.chars().next().unwrap_or('A');
        match r.below(100) {
            0..66 => format!("{given} {family}"),
            66..72 => format!("{given} {}. {family}", initial(&self.given(origin, r))),
            72..76 => format!("{given} {} {family}", initial(&self.given(origin, r))),
            76..80 => format!("{}. {family}", initial(&given)),
            80..82 => format!("{}.{}. {family}", initial(&given), initial(&self.given(origin, r))),
            82..88 => format!("{given} {} {family}", self.given(origin, r)),
            88..91 => format!("{given} {family} {}", self.family(origin, r)),
            91..95 => format!("{family}, {given}"),
            95..97 => format!("{} {given}", family.to_uppercase()),
            97..98 => format!("{given} {family} {}", r.pick(&["Jr.", "Sr.", "II", "III"])),
            98..99 => format!("{given} {}.", initial(&family)),
            _ => format!("{family} {given}"),
        }
    }
}

fn name(list: &[&'static str], made: &Chain, r: &mut Random) -> String {
    let listed = r.pick(list).replace('_', " ");
    let name = if r.chance(0.3) { made.make(r).unwrap_or(listed) } else { listed };
    if r.chance(0.12) { plain(&name) } else { name }
}

/// Without accents, as people type on foreign keyboards.
pub(super) fn plain(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| match c {
            'ł' => 'l',
            'Ł' => 'L',
            'ø' => 'o',
            'Ø' => 'O',
            'đ' => 'd',
            'Đ' => 'D',
            'ı' => 'i',
            c => c,
        })
        .collect()
}

/// In Cyrillic or Greek letters, one for one; what has no like stays.
pub(super) fn other_script(text: &str, r: &mut Random) -> String {
    const LATIN: &str = "abcdefghiklmnoprstuvxyz";
    const CYRILLIC: &str = "абцдефгхиклмнопрстувхйз";
    const GREEK: &str = "αβκδεφγηικλμνοπρστυβξυζ";
    let script = if r.chance(0.5) { CYRILLIC } else { GREEK };
    let swap = |c: char| {
        let lower = c.to_lowercase().next().unwrap_or(c);
        let at = LATIN.chars().position(|l| l == lower)?;
        let other = script.chars().nth(at)?;
        if c.is_uppercase() { other.to_uppercase().next() } else { Some(other) }
    };
    plain(text).chars().map(|c| swap(c).unwrap_or(c)).collect()
}
