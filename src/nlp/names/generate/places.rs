//! Places and postal addresses in the styles of some twenty countries.

use super::lists::{Lists, Side};
use super::people::People;
use super::random::Random;
use super::streets;

/// Styles of street names; each is a section of the list.
const STYLES: [&str; 15] =
    ["us", "us", "uk", "uk", "de", "fr", "es", "it", "pt", "nl", "pl", "nordic", "cz", "hu", "tr"];
const STATES: [&str; 24] = [
    "AL", "AZ", "CA", "CO", "CT", "FL", "GA", "IL", "IN", "KY", "MA", "MD", "MI", "MN", "NC", "NJ",
    "NV", "NY", "OH", "OR", "PA", "TX", "VA", "WA",
];

/// Makes places.
#[derive(Debug)]
pub(super) struct Places {
    places: Lists,
    streets: Lists,
}

impl Places {
    pub(super) fn new(side: Side) -> Self {
        // Countries and regions are too few to be held out.
        let share = |name: &str| if matches!(name, "country" | "region") { 0 } else { 6 };
        Self {
            places: Lists::commas(include_str!("../data/places.txt"), side, &share),
            streets: Lists::blanks(include_str!("../data/streets.txt"), side, &|_| 6),
        }
    }

    pub(super) fn country(&self, r: &mut Random) -> String {
        r.pick(self.places.get("country")).to_owned()
    }

    pub(super) fn region(&self, r: &mut Random) -> String {
        if r.chance(0.3) {
            return r.pick(&STATES).to_owned();
        }
        r.pick(self.places.get("region")).to_owned()
    }

    /// A town.
    pub(super) fn town(&self, people: &People, r: &mut Random) -> String {
        let town = r.pick(self.places.get("city")).to_owned();
        match r.below(100) {
            0..70 => town,
            70..76 => town.to_uppercase(),
            76..94 => made_up(people, r),
            94..96 => format!("{town} {}", r.pick(&["K", "V", "3", "12e", "Nord", "Ost"])),
            _ => format!(
                "{} {town}",
                r.pick(&["Bad", "Port", "New", "San", "Saint", "Upper", "North"])
            ),
        }
    }

    /// Where something is: a town, a country, a region, a quarter, or a town with what it lies in.
    pub(super) fn place(&self, people: &People, r: &mut Random) -> String {
        match r.below(100) {
            0..56 => self.town(people, r),
            56..74 => self.country(r),
            74..82 => r.pick(self.places.get("region")).to_owned(),
            82..88 => r.pick(self.places.get("area")).to_owned(),
            88..95 => format!("{}, {}", self.town(people, r), self.country(r)),
            _ => format!("{}, {}", self.town(people, r), self.region(r)),
        }
    }

    pub(super) fn postcode(&self, r: &mut Random) -> String {
        let style = r.pick(&STYLES);
        streets::postcode(style, r)
    }

    /// A street without a house number.
    pub(super) fn street_name(&self, people: &People, r: &mut Random) -> String {
        let style = r.pick(&STYLES);
        streets::road(&self.streets, style, people, r)
    }

    /// A street with a house number.
    pub(super) fn street(&self, people: &People, r: &mut Random) -> String {
        let style = r.pick(&STYLES);
        self.line(style, people, r)
    }

    /// Postcode and town.
    pub(super) fn postcode_town(&self, people: &People, r: &mut Random) -> String {
        let style = r.pick(&STYLES);
        self.town_line(style, people, r)
    }

    /// A whole address. `breaks` separates its lines where it has several.
    pub(super) fn address(&self, people: &People, breaks: &str, r: &mut Random) -> String {
        match r.below(100) {
            0..4 => return self.military(r),
            4..7 => return self.box_address(people, r),
            7..14 => return self.indian(people, breaks, r),
            14..18 => return self.asian(breaks, r),
            18..36 => return self.machine(people, breaks, r),
            _ => {}
        }
        let style = r.pick(&STYLES);
        let mut parts = vec![self.line(style, people, r)];
        if r.chance(0.28) {
            let unit = streets::unit(r);
            if matches!(style, "uk" | "nordic") && r.chance(0.5) {
                parts.insert(0, unit);
            } else {
                parts.push(unit);
            }
        }
        if r.chance(0.85) {
            parts.push(self.town_line(style, people, r));
            if r.chance(0.3) {
                parts.push(self.country(r));
            }
        }
        let between = match r.below(10) {
            0..5 => ", ",
            5..9 => breaks,
            _ => " ",
        };
        parts.join(between)
    }

    fn line(&self, style: &str, people: &People, r: &mut Random) -> String {
        let road = streets::road(&self.streets, style, people, r);
        let n = r.between(1, if style == "us" { 9999 } else { 240 });
        let letter =
            if r.chance(0.12) { r.pick(&["a", "b", "c", "A", "B", "/2", "-3"]) } else { "" };
        match style {
            "us" | "uk" => format!("{n}{letter} {road}"),
            "fr" => format!("{n}{} {road}", r.pick(&["", "", ",", " bis", " ter"])),
            "es" | "pt" => format!(
                "{road}{} {}{n}{letter}",
                r.pick(&[",", ""]),
                r.pick(&["", "", "nº ", "n. "])
            ),
            "pl" | "cz" if r.chance(0.4) => format!("{road} {n}/{}", r.between(1, 60)),
            "hu" => format!("{road} {n}."),
            "tr" => format!("{road} No: {n}{}", r.pick(&["", " D: 4", "/3", " Kat 2"])),
            _ => format!("{road} {n}{letter}"),
        }
    }

    fn town_line(&self, style: &str, people: &People, r: &mut Random) -> String {
        let (town, code) = (self.town(people, r), streets::postcode(style, r));
        match style {
            "us" => format!(
                "{town}{} {}{}",
                r.pick(&[",", ",", ""]),
                r.pick(&STATES),
                if r.chance(0.75) { format!(" {code}") } else { String::new() }
            ),
            "uk" => format!("{town}{}{code}", r.pick(&[" ", ", ", "\n"])),
            "de" => format!("{}{code} {town}", r.pick(&["", "", "", "D-", "A-", "CH-"])),
            "it" => format!("{code} {town}{}", r.pick(&["", " (MI)", " (RM)", " TO"])),
            "pt" => format!("{code} {town}{}", r.pick(&["", " - SP", "/RJ"])),
            "hu" | "tr" if r.chance(0.4) => format!("{town}, {code}"),
            _ => format!("{code} {town}"),
        }
    }

    /// As programs write addresses for anywhere: parts in a fixed order, whatever the country.
    fn machine(&self, people: &People, breaks: &str, r: &mut Random) -> String {
        let style = r.pick(&STYLES);
        let line = self.line(style, people, r);
        let b = if r.chance(0.6) { breaks } else { r.pick(&[", ", " ", "\n "]) };
        let unit = if r.chance(0.7) {
            format!("{}{}", r.pick(&[" ", b, ", "]), streets::unit(r))
        } else {
            String::new()
        };
        let region = if r.chance(0.4) {
            format!("{}{}", r.pick(&[", ", " "]), self.region(r))
        } else {
            String::new()
        };
        let country = if r.chance(0.5) { format!("{b}{}", self.country(r)) } else { String::new() };
        let code =
            if r.chance(0.7) { format!(" {}", r.between(1000, 99_999)) } else { String::new() };
        format!("{line}{unit}{b}{}{region}{country}{code}", self.town(people, r))
    }

    fn military(&self, r: &mut Random) -> String {
        let (n, m, zip) = (r.between(1, 9999), r.between(1, 9999), r.between(9000, 96_699));
        let area = r.pick(&["AE", "AP", "AA"]);
        let b = r.pick(&["\n", ", ", " "]);
        match r.below(3) {
            0 => format!("PSC {n}, Box {m}{b}APO {area} {zip:05}"),
            1 => format!("Unit {n} Box {m}{b}DPO {area} {zip:05}"),
            _ => format!(
                "USS {}{b}FPO {area} {zip:05}",
                r.pick(&["Nimitz", "Enterprise", "Lincoln", "Carter"])
            ),
        }
    }

    fn box_address(&self, people: &People, r: &mut Random) -> String {
        let kind = r.pick(&[
            "PO Box",
            "P.O. Box",
            "Postfach",
            "BP",
            "Apartado",
            "Casella Postale",
            "Postbus",
        ]);
        let style = r.pick(&STYLES);
        format!(
            "{kind} {}{}{}",
            r.between(1, 99_999),
            r.pick(&[", ", "\n"]),
            self.town_line(style, people, r)
        )
    }

    fn indian(&self, people: &People, b: &str, r: &mut Random) -> String {
        let origin = people.origin("in", r);
        let house = r.pick(&["Flat", "House No.", "Plot", "No.", "Door No.", "Block", "Villa"]);
        let estate = format!(
            "{} {}",
            people.family(origin, r),
            r.pick(&[
                "Apartments",
                "Towers",
                "Nagar",
                "Colony",
                "Enclave",
                "Layout",
                "Estate",
                "Residency"
            ])
        );
        let road = format!(
            "{} {}",
            r.pick(self.streets.get("in")).replace('_', " "),
            r.pick(&["Road", "Rd", "Street", "Marg", "Avenue", "Main"])
        );
        let b = r.pick(&[", ", ", ", b]);
        format!(
            "{house} {}{}{b}{estate}{b}{road}{b}{} {}{}",
            r.between(1, 400),
            r.pick(&["", "A", "B", "/2"]),
            self.town(people, r),
            r.pick(&["", "- "]),
            r.between(10_000, 799_999)
        )
    }

    fn asian(&self, b: &str, r: &mut Random) -> String {
        let ward = r.pick(self.streets.get("asia"));
        let town = r.pick(self.places.get("city"));
        let b = r.pick(&[", ", b]);
        match r.below(3) {
            0 => format!(
                "{}-{}-{} {ward}-ku{b}{town} {}-{:04}",
                r.between(1, 9),
                r.between(1, 30),
                r.between(1, 20),
                r.between(100, 999),
                r.below(9999)
            ),
            1 => format!(
                "{} {ward} Road{b}{ward} District{b}{town} {}",
                r.between(1, 900),
                r.between(100_000, 999_999)
            ),
            _ => format!("{ward} {}{b}{town} {}", r.between(1, 300), r.between(10_000, 69_999)),
        }
    }
}

/// A town that isn't in the list, from names of people and endings that towns have.
fn made_up(people: &People, r: &mut Random) -> String {
    let codes =
        ["en", "de", "fr", "es", "it", "pl", "nordic", "cs", "hu", "tr", "in", "ru", "fi", "pt"];
    let code = r.pick(&codes);
    let origin = people.origin(code, r);
    let stem = people.family(origin, r);
    let stem = stem.split([' ', '-', '\'']).next_back().unwrap_or_default();
    let made = match r.below(24) {
        0..3 => format!("{stem}ville"),
        3..5 => format!("{stem}ton"),
        5 => format!("{stem}ham"),
        6 => format!("{stem}field"),
        7..9 => format!("{stem}berg"),
        9 => format!("{stem}stadt"),
        10 => format!("{stem}hausen"),
        11 => format!("{stem}kirchen"),
        12 => format!("{stem}by"),
        13 => format!("{stem}pur"),
        14 => format!("{stem}abad"),
        15 => format!("{stem}vik"),
        16 => format!("Saint-{stem}"),
        17 => format!("San {stem}"),
        18 => format!("Villa {stem}"),
        19 => format!("{stem} Falls"),
        20 => format!("{stem} Bay"),
        21 => format!("{stem}ów"),
        22 => format!("Mount {stem}"),
        _ => stem.to_owned(),
    };
    if r.chance(0.06) { made.to_uppercase() } else { made }
}
