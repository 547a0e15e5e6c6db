//! Characters that look like others: full-width forms, digits of other scripts, spaces and hyphens of
//! many kinds, marks that are not seen at all. Who finds values and who makes up others of the same
//! form must read them alike.

/// What a character is without its disguise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// It wears none.
    Same,
    /// This one.
    As(char),
    /// Nothing that is seen: a zero-width or directional mark.
    Nothing,
}

/// Zero-width and directional marks go, spaces and hyphens become plain ones, digits of other
/// scripts and full-width forms become ASCII.
#[must_use]
pub fn plain(c: char) -> Plain {
    let to = |n: u32| char::from_u32(n).map_or(Plain::Same, Plain::As);
    match c {
        '\0'..='\u{9F}' => Plain::Same,
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}'
        | '\u{E0000}'..='\u{E007F}' => Plain::Nothing,
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Plain::As(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => Plain::As('-'),
        '\u{FF01}'..='\u{FF5E}' => to(c as u32 - 0xFF01 + 0x21),
        '\u{1D7CE}'..='\u{1D7FF}' => to((c as u32 - 0x1D7CE) % 10 + 0x30),
        // Letters and marks of Europe have no digits among them.
        _ if (c as u32) < DIGIT_ZEROS[0] => Plain::Same,
        _ => DIGIT_ZEROS
            .iter()
            .find(|&&zero| (zero..zero + 10).contains(&(c as u32)))
            .map_or(Plain::Same, |zero| to(c as u32 - zero + 0x30)),
    }
}

/// The text without disguises.
#[must_use]
pub fn plain_text(text: &str) -> String {
    let one = |c: char| match plain(c) {
        Plain::Same => Some(c),
        Plain::As(c) => Some(c),
        Plain::Nothing => None,
    };
    text.chars().filter_map(one).collect()
}

/// The digit zero of the scripts that people write with and that have digits of their own (Unicode
/// category Nd; the rest are scripts of scholars and small communities).
const DIGIT_ZEROS: [u32; 32] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_read_alike() {
        assert_eq!(plain_text("４１-٣\u{200B}३\u{A0}é\u{2011}Ａ"), "41-33 é-A");
        assert_eq!(plain('½'), Plain::Same);
        for zero in DIGIT_ZEROS {
            let digit = |n: u32| char::from_u32(zero + n).unwrap();
            assert!(digit(0).is_numeric() && digit(9).is_numeric(), "{zero:#x}");
            assert_eq!((plain(digit(0)), plain(digit(9))), (Plain::As('0'), Plain::As('9')));
        }
    }
}
