//! Streets, parts of houses and postcodes in the styles of many countries.

use super::lists::Lists;
use super::people::People;
use super::random::Random;

/// A street in the style of a country, without a house number.
pub(super) fn road(listed: &Lists, style: &str, people: &People, r: &mut Random) -> String {
    let street = r.pick(listed.get(style)).replace('_', " ");
    let origin = match style {
        "us" | "uk" => "en",
        "nordic" => "sv",
        code => code,
    };
    let base = if r.chance(0.25) {
        let origin = people.origin(origin, r);
        people.family(origin, r)
    } else {
        street
    };
    match style {
        "us" => {
            let kind = r.pick(&[
                "Street",
                "St",
                "St.",
                "Ave",
                "Avenue",
                "Ave.",
                "Road",
                "Rd",
                "Drive",
                "Dr",
                "Lane",
                "Ln",
                "Blvd",
                "Boulevard",
                "Court",
                "Ct",
                "Way",
                "Place",
                "Circle",
                "Terrace",
                "Pkwy",
                "Trail",
                "Heights",
                "Gateway",
                "Pass",
                "Crossing",
                "Coves",
                "Extensions",
            ]);
            let side =
                if r.chance(0.12) { r.pick(&["N ", "S. ", "W ", "East ", "NW "]) } else { "" };
            format!("{side}{base} {kind}")
        }
        "uk" => format!(
            "{base} {}",
            r.pick(&[
                "Road", "Street", "Lane", "Close", "Avenue", "Way", "Gardens", "Terrace",
                "Crescent", "Grove", "Rd", "St", "Mews", "Square", "Hill", "Walk", "Drive"
            ])
        ),
        "de" => german(&base, r),
        "fr" => format!(
            "{} {base}",
            r.pick(&[
                "rue",
                "rue",
                "Rue",
                "avenue",
                "Avenue",
                "boulevard",
                "place",
                "impasse",
                "chemin",
                "allée",
                "quai"
            ])
        ),
        "es" => format!(
            "{} {base}",
            r.pick(&[
                "Calle", "calle", "C/", "Avenida", "Av.", "Avda.", "Plaza", "Paseo", "Carrera",
                "Jr.", "Camino"
            ])
        ),
        "it" => format!(
            "{} {base}",
            r.pick(&["Via", "via", "Viale", "Piazza", "Corso", "Vicolo", "Largo", "Strada"])
        ),
        "pt" => format!(
            "{} {base}",
            r.pick(&["Rua", "rua", "Avenida", "Av.", "Travessa", "Praça", "Alameda", "R."])
        ),
        "nl" => format!(
            "{}{}",
            base.replace(' ', ""),
            r.pick(&[
                "straat", "straat", "laan", "weg", "plein", "gracht", "kade", "singel", "dijk"
            ])
        ),
        "pl" => format!("{} {base}", r.pick(&["ul.", "ul.", "ulica", "al.", "os.", "pl."])),
        "nordic" => format!(
            "{}{}",
            base.replace([' ', '-'], ""),
            r.pick(&[
                "gatan", "vägen", "gata", "vegen", "veien", "vej", "gade", "katu", "tie", "gränd",
                "stræde", "allé", "bakken", "gata", "terrasse", "vollen", "vænget", "kuja"
            ])
        ),
        "hu" => {
            format!("{base} {}", r.pick(&["utca", "u.", "út", "tér", "krt.", "strada", "kapu"]))
        }
        "tr" => format!(
            "{base} {}",
            r.pick(&["Caddesi", "Cad.", "Sokak", "Sk.", "Bulvarı", "Mahallesi"])
        ),
        _ => base,
    }
}

fn german(base: &str, r: &mut Random) -> String {
    match r.below(10) {
        0 => format!("Am {base}{}", r.pick(&["platz", "hof", "see", ""])),
        1 => format!("An der {base}"),
        _ if base.ends_with(['-', ' ']) => {
            format!("{base}{}", r.pick(&["Straße", "Str.", "Allee", "Platz"]))
        }
        _ => format!(
            "{base}{}",
            r.pick(&[
                "straße", "straße", "str.", "strasse", "weg", "platz", "gasse", "allee", "ring",
                "damm", "brücke"
            ])
        ),
    }
}

/// A flat, a floor, a suite.
pub(super) fn unit(r: &mut Random) -> String {
    let n = r.between(1, 999);
    match r.below(14) {
        0..3 => format!("Apt. {n}"),
        3 => format!("Apt {n}"),
        4..6 => format!("Suite {n}"),
        6 => format!("Ste {n}"),
        7 => format!("#{n}"),
        8 => format!("Flat {}{}", r.between(1, 60), r.pick(&["", "A", "B"])),
        9 => format!("Unit {n}"),
        10 => format!("{}. {}", r.between(1, 9), r.pick(&["OG", "Stock", "Etage"])),
        11 => format!("{}º {}", r.between(1, 9), r.pick(&["A", "B", "izq", "dcha", "C"])),
        12 => format!(
            "{} {}",
            r.pick(&["interno", "scala", "piso", "étage", "lgh", "Floor", "Room"]),
            r.between(1, 40)
        ),
        _ => format!("Apt. {n:03}"),
    }
}

fn letter(r: &mut Random) -> char {
    char::from(b'A' + r.below(26) as u8)
}

/// A postcode in the style of a country.
pub(super) fn postcode(style: &str, r: &mut Random) -> String {
    match style {
        "us" => {
            let zip = r.between(501, 99_950);
            if r.chance(0.1) {
                format!("{zip:05}-{:04}", r.below(9999))
            } else {
                format!("{zip:05}")
            }
        }
        "uk" => format!(
            "{}{} {}{}{}",
            r.pick(&["SW", "LS", "M", "B", "NE", "EC", "CB", "OX", "G", "EH", "BN", "CF"]),
            r.between(1, 29),
            r.between(1, 9),
            letter(r),
            letter(r)
        ),
        "nl" => format!(
            "{}{}{}{}",
            r.between(1000, 9999),
            r.pick(&[" ", " ", ""]),
            letter(r),
            letter(r)
        ),
        "pl" => format!("{:02}-{:03}", r.below(99), r.below(999)),
        "pt" if r.chance(0.5) => format!("{}-{:03}", r.between(1000, 9999), r.below(999)),
        "pt" => format!("{:05}-{:03}", r.between(1000, 99_999), r.below(999)),
        "cz" => format!("{} {:02}", r.between(100, 799), r.below(99)),
        "nordic" if r.chance(0.4) => format!("{} {:02}", r.between(100, 989), r.below(99)),
        "nordic" | "hu" => format!("{}", r.between(1000, 9999)),
        _ => format!("{:05}", r.between(1000, 99_999)),
    }
}
