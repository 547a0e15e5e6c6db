//! Flats, floors and buildings: `Apt. 3B`, `2. OG`, `3º izq.`, `bte 4`.

use super::super::context::floor;
use super::words::{LOOSE_UNITS, UNITS};

/// Longest way back from a street to the unit in front of it, in bytes.
const MAX_BEFORE: usize = 28;

/// The unit that begins at `at`: where it ends.
pub(super) fn unit_at(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if let Some(sign) = rest.strip_prefix('#') {
        let len = code(sign.trim_start_matches(' '));
        return (len > 0).then(|| at + 1 + (sign.len() - sign.trim_start_matches(' ').len()) + len);
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return floor_first(rest).map(|len| at + len);
    }
    let letters: usize =
        rest.chars().take(14).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let word = rest[..letters].to_lowercase();
    if letters == 0 || !UNITS.contains(&word) {
        return None;
    }
    let behind = &rest[letters..];
    let gap = behind.len() - behind.trim_start_matches(['.', ' ', ':', '#', 'º', '°']).len();
    if gap > 4 {
        return None;
    }
    let len = code(&behind[gap..]);
    let digits = behind[gap..gap + len].bytes().any(|b| b.is_ascii_digit());
    let fits = gap > 0 && len > 0 && (digits || len == 1 && !LOOSE_UNITS.contains(&word));
    fits.then_some(at + letters + gap + len)
}

/// A number with a letter, or a letter or two alone: `3`, `3B`, `12-A`, `B`.
fn code(text: &str) -> usize {
    let len = text
        .bytes()
        .take(8)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/'))
        .count();
    let word = text[..len].trim_end_matches(['-', '/']);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let whole = !text[len..].starts_with(char::is_alphanumeric);
    if whole && (digits > 0 && letters <= 2 || word.len() == 1) { word.len() } else { 0 }
}

/// `3rd floor`, `2. OG`, `4º B`, `1. tv`, `3. sal`.
fn floor_first(rest: &str) -> Option<usize> {
    let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
    if digits > 2 {
        return None;
    }
    let sign = ["st", "nd", "rd", "th", "º", "ª", "°", "er", "e", "ème", "."];
    let behind = &rest[digits..floor(rest, (digits + 8).min(rest.len()))];
    let behind = behind.to_lowercase();
    let sign = sign.into_iter().filter(|s| behind.starts_with(s)).max_by_key(|s| s.len())?;
    if !rest[digits..].is_char_boundary(sign.len()) {
        return None;
    }
    let at = digits + sign.len();
    let word_at = at + usize::from(rest[at..].starts_with(' '));
    let letters: usize = rest[word_at..]
        .chars()
        .take(12)
        .take_while(|c| c.is_alphabetic())
        .map(char::len_utf8)
        .sum();
    let word = rest[word_at..word_at + letters].to_lowercase();
    const SIDES: [&str; 14] = [
        "izq",
        "izda",
        "izquierda",
        "dcha",
        "derecha",
        "dto",
        "esq",
        "frente",
        "tv",
        "th",
        "mf",
        "floor",
        "stock",
        "sal",
    ];
    let side = word.len() == 1 && matches!(sign, "º" | "ª" | "°")
        || SIDES.contains(&word.as_str())
        || UNITS.contains(&word) && letters > 1;
    side.then_some(word_at + letters)
}

/// Where the unit begins that stands right in front of a street at `at`; `at` if there is none.
pub(super) fn before(text: &str, at: usize) -> usize {
    let from = floor(text, at.saturating_sub(MAX_BEFORE));
    let window = &text[from..at];
    // `Unit 5/12 High Street`: the street's own number begins with the unit's.
    let word = window.trim_end_matches(' ');
    let letters: usize =
        word.chars().rev().take(12).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let named = matches!(
        word[word.len() - letters..].to_lowercase().as_str(),
        "unit" | "flat" | "apt" | "apartment" | "suite"
    );
    if named && word.len() < window.len() {
        return from + word.len() - letters;
    }
    let starts = window.char_indices().filter(|(i, c)| {
        c.is_alphabetic()
            && !window[..*i].ends_with(char::is_alphanumeric)
            && (*i > 0 || !text[..from].ends_with(char::is_alphanumeric))
    });
    for (i, _) in starts {
        let Some(end) = unit_at(text, from + i).filter(|&end| end <= at) else { continue };
        let gap = &text[end..at];
        if gap.chars().all(|c| matches!(c, ' ' | ',' | '\n' | '\r' | '/' | '-' | '>'))
            && gap.matches('\n').count() <= 1
        {
            return from + i;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units() {
        for unit in [
            "Apt. 3B",
            "Suite 200",
            "#12",
            "Flat 2",
            "2. OG",
            "3rd floor",
            "4º B",
            "Wohnung 12",
            "bte 4",
            "1. tv",
            "Unit B",
        ] {
            assert_eq!(unit_at(unit, 0), Some(unit.len()), "{unit}");
        }
        for none in ["Apart from", "flat rate", "2 items", "floor is wet", "unit test", "app store"]
        {
            assert_eq!(unit_at(none, 0), None, "{none}");
        }
        assert_eq!(before("at Flat 3, 12 Oak Road", 11), 3);
    }
}
