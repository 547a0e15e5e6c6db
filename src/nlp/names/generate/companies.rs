//! Names of companies and institutions.

use super::lists::{Lists, Side};
use super::people::People;
use super::places::Places;
use super::random::Random;

/// Makes names of organisations, and of things that are none: products, jobs, nationalities.
#[derive(Debug)]
pub(super) struct Companies {
    lists: Lists,
}

impl Companies {
    pub(super) fn new(side: Side) -> Self {
        let share = |name: &str| match name {
            "known" => 6,
            "lead" | "tail" | "product" | "thing" => 8,
            _ => 0,
        };
        Self { lists: Lists::commas(include_str!("../data/companies.txt"), side, &share) }
    }

    /// One of a list's entries: `product`, `job`, `nationality`, `acronym` and so on.
    pub(super) fn other(&self, list: &str, r: &mut Random) -> String {
        r.pick(self.lists.get(list)).to_owned()
    }

    pub(super) fn name(
        &self,
        people: &People,
        places: &Places,
        origin: usize,
        r: &mut Random,
    ) -> String {
        let pick = |list: &str, r: &mut Random| r.pick(self.lists.get(list));
        match r.below(100) {
            0..30 => pick("known", r).to_owned(),
            30..50 => {
                let glue = r.pick(&[" ", " ", ""]);
                let name = format!("{}{glue}{}", pick("lead", r), pick("tail", r));
                self.legal(name, 0.4, r)
            }
            50..60 => {
                let name = format!("{} {}", people.family(origin, r), pick("tail", r));
                self.legal(name, 0.3, r)
            }
            60..70 => {
                let family = people.family(origin, r);
                match r.below(5) {
                    0 => format!("{family} {}", pick("sons", r)),
                    1 => format!(
                        "{family}{}{}",
                        r.pick(&["-", " & ", " and ", "/"]),
                        people.family(origin, r)
                    ),
                    2 => format!(
                        "{family}, {} and {}",
                        people.family(origin, r),
                        people.family(origin, r)
                    ),
                    _ => self.legal(family, 1.0, r),
                }
            }
            70..80 => {
                let town = places.town(people, r);
                pick("institution", r).replace("{C}", &town)
            }
            80..92 => {
                let name = coined(r);
                self.legal(name, 0.3, r)
            }
            _ => {
                let letters = r.between(2, 4);
                let name: String =
                    (0..letters).map(|_| char::from(b'A' + r.below(26) as u8)).collect();
                match r.below(3) {
                    0 => format!("{name} {}", pick("tail", r)),
                    _ => self.legal(name, 0.5, r),
                }
            }
        }
    }

    fn legal(&self, name: String, p: f32, r: &mut Random) -> String {
        if r.chance(p) { format!("{name} {}", r.pick(self.lists.get("legal"))) } else { name }
    }
}

/// A word that no language has, of two or three syllables, in one of the ways brands are written.
fn coined(r: &mut Random) -> String {
    const STARTS: [&str; 40] = [
        "Ver", "Nov", "Zen", "Lum", "Kor", "Tri", "Sol", "Pix", "Quan", "Xen", "Ax", "Bio", "Cy",
        "Dyn", "Evo", "Flex", "Gen", "Hel", "Int", "Jet", "Kin", "Log", "Max", "Neo", "Opt", "Pro",
        "Rev", "Syn", "Tel", "Uni", "Vi", "Wex", "Zap", "Med", "Agri", "Fin", "Tra", "Eco", "Aero",
        "Spec",
    ];
    const MIDDLES: [&str; 14] =
        ["a", "o", "i", "ora", "ita", "eno", "ali", "umi", "ix", "er", "ad", "el", "", "en"];
    const ENDS: [&str; 30] = [
        "ra", "tix", "lo", "dia", "via", "nex", "soft", "tech", "ware", "ly", "ify", "gen", "dyne",
        "corp", "net", "link", "point", "base", "path", "way", "mart", "shop", "pay", "cart",
        "zon", "tis", "sys", "ium", "eon", "ica",
    ];
    let (start, end) = (r.pick(&STARTS), r.pick(&ENDS));
    let name = format!("{start}{}{end}", r.pick(&MIDDLES));
    match r.below(12) {
        0 => name.to_uppercase(),
        1 => name.to_lowercase(),
        2 => format!("{start}{}{}", end[..1].to_uppercase(), &end[1..]),
        3 => format!("{name}{}", r.pick(&[".com", ".io", ".de", "24", "360", "365"])),
        _ => name,
    }
}
