//! Text hygiene before anything reads a message: what a person can't see must not steer what a
//! model sees. Control, zero-width, direction and tag characters carry hidden instructions and split
//! words that a filter looks for; they are removed here and counted, so that the caller can say so.
//! Joiners that belong to a script or to an emoji stay, because without them Persian, Hindi and
//! family emoji become other text.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Text in NFC with line feeds as the only line ends, and what was taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// The readable text.
    pub text: String,
    /// How many control and invisible characters were removed (carriage returns of a CRLF apart).
    pub removed_invisible: usize,
    /// A character that reorders text was there: an embedding, override or isolate (U+202A–U+202E,
    /// U+2066–U+2069). The harmless marks of ordinary Hebrew and Arabic mail are removed unflagged.
    pub had_bidi: bool,
    /// Unicode tag characters (U+E0000–U+E007F) outside the three flags that are spelt with them.
    pub had_tags: bool,
}

/// Cleans `text`; see the module for what goes and what stays. Cleaning twice changes nothing.
pub fn clean(text: &str) -> Cleaned {
    let mut out = Cleaned { text: String::with_capacity(text.len()), ..Cleaned::default() };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = &text[at + c.len_utf8()..];
        match class(c) {
            Class::Plain => out.text.push(c),
            Class::Space => out.text.push(' '),
            Class::LineEnd => {
                if c == '\r' && rest.starts_with('\n') {
                    chars.next();
                }
                out.text.push('\n');
            }
            Class::Legacy(fixed) => out.text.push(fixed),
            Class::Joiner if joins(out.text.chars().next_back(), c, rest.chars().next()) => {
                out.text.push(c);
            }
            Class::Selector if selects(out.text.chars().next_back(), c) => out.text.push(c),
            Class::Tag => match flag_tail(&out.text, &text[at..]) {
                Some(tail) => {
                    out.text.push_str(tail);
                    for _ in 1..tail.chars().count() {
                        chars.next();
                    }
                }
                None => {
                    out.had_tags = true;
                    out.removed_invisible += 1;
                }
            },
            Class::Direction => {
                out.had_bidi = true;
                out.removed_invisible += 1;
            }
            Class::Joiner | Class::Selector | Class::Invisible => out.removed_invisible += 1,
        }
    }
    if is_nfc_quick(out.text.chars()) != IsNormalized::Yes {
        out.text = out.text.nfc().collect();
    }
    out
}

/// The printable character that windows-1252 has at a C1 code point. Mail that was declared
/// ISO-8859-1 but written in windows-1252, and HTML such as `&#146;`, arrives with these.
pub(crate) fn windows_1252(code: u32) -> Option<char> {
    const TABLE: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let c = *TABLE.get(usize::try_from(code.checked_sub(0x80)?).ok()?)?;
    (!c.is_control()).then_some(c)
}

/// What `clean` does with a character.
enum Class {
    Plain,
    Space,
    LineEnd,
    Legacy(char),
    Joiner,
    Selector,
    Tag,
    Direction,
    Invisible,
}

fn class(c: char) -> Class {
    match c {
        '\t' | ' '..='~' => Class::Plain,
        '\n' | '\r' | '\u{0b}' | '\u{0c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Class::LineEnd,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Class::Space
        }
        '\u{80}'..='\u{9f}' => windows_1252(u32::from(c)).map_or(Class::Invisible, Class::Legacy),
        '\u{200c}' | '\u{200d}' => Class::Joiner,
        '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180d}' | '\u{e0100}'..='\u{e01ef}' => {
            Class::Selector
        }
        '\u{e0000}'..='\u{e007f}' => Class::Tag,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Class::Direction,
        // Soft hyphen, grapheme joiner, the direction marks, Hangul and Khmer fillers, zero-width
        // spaces, invisible operators, byte-order mark, interlinear marks, noncharacters.
        '\0'..='\u{1f}'
        | '\u{7f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0080}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}' => Class::Invisible,
        _ => Class::Plain,
    }
}

/// Whether a zero-width (non-)joiner between these neighbours is part of the spelling: inside
/// Arabic, Indic and other joining scripts, and the joiner inside an emoji sequence.
fn joins(before: Option<char>, joiner: char, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    (joining_script(before) && joining_script(after))
        || (joiner == '\u{200d}' && (emoji(before) || before == '\u{fe0f}') && emoji(after))
}

/// Scripts whose orthography uses the joiners: Arabic and its extensions, Syriac, N'Ko, Mongolian,
/// the Indic blocks with Sinhala, Tibetan, Myanmar and Khmer.
fn joining_script(c: char) -> bool {
    c.is_alphanumeric()
        && matches!(c, '\u{600}'..='\u{8ff}' | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefc}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{fff}'
            | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{1800}'..='\u{18af}')
        // The virama and vowel signs that stand before a joiner are marks, not letters.
        || matches!(c, '\u{93c}' | '\u{94d}' | '\u{9cd}' | '\u{a4d}' | '\u{acd}' | '\u{b4d}' | '\u{bcd}'
            | '\u{c4d}' | '\u{ccd}' | '\u{d4d}' | '\u{dca}' | '\u{1039}' | '\u{17d2}'
            | '\u{64b}'..='\u{655}')
}

/// The blocks that emoji sequences are joined from, skin tones included.
fn emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2190}'..='\u{21ff}'
        | '\u{2b00}'..='\u{2bff}' | '\u{2300}'..='\u{23ff}')
}

/// One variation selector may follow a visible character; runs of them smuggle bytes. The
/// supplement only varies Han characters.
fn selects(before: Option<char>, selector: char) -> bool {
    let Some(before) = before else { return false };
    if selector >= '\u{e0100}' {
        return matches!(before, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}');
    }
    if selector <= '\u{180d}' {
        return matches!(before, '\u{1820}'..='\u{18aa}');
    }
    let plain = !before.is_whitespace() && !before.is_alphabetic() && !is_combining_mark(before);
    plain && !matches!(class(before), Class::Selector) || matches!(before, '\u{3400}'..='\u{9fff}')
}

/// The tags after a black flag when they spell England, Scotland or Wales, else nothing.
fn flag_tail<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    if !before.ends_with('\u{1f3f4}') {
        return None;
    }
    ["gbeng", "gbsct", "gbwls"].into_iter().find_map(|region| {
        let tail: String = region
            .bytes()
            .filter_map(|b| char::from_u32(0xe0000 + u32::from(b)))
            .chain(['\u{e007f}'])
            .collect();
        rest.starts_with(&tail).then(|| &rest[..tail.len()])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hidden_characters_go_and_are_told() {
        let c = clean("Pay\u{200b}Pal \u{202e}lapyap\u{202c}\0 ok\u{feff}");
        assert_eq!(c.text, "PayPal lapyap ok");
        assert_eq!(c.removed_invisible, 5);
        assert!(c.had_bidi && !c.had_tags);

        let hidden: String =
            "ignore".bytes().filter_map(|b| char::from_u32(0xe0000 + u32::from(b))).collect();
        let c = clean(&format!("Hello{hidden}!"));
        assert_eq!(c.text, "Hello!");
        assert_eq!((c.removed_invisible, c.had_tags), (6, true));
    }

    #[test]
    fn smuggled_variation_selectors_are_cut_to_the_one_that_means_something() {
        let c = clean("❤\u{fe0f}\u{fe01}\u{fe02} and a\u{e0101}\u{e0102}");
        assert_eq!(c.text, "❤\u{fe0f} and a");
        assert_eq!(c.removed_invisible, 4);
    }

    #[test]
    fn emoji_and_joining_scripts_stay_readable() {
        let england: String = "🏴"
            .chars()
            .chain("gbeng".bytes().filter_map(|b| char::from_u32(0xe0000 + u32::from(b))))
            .chain(['\u{e007f}'])
            .collect();
        for text in [
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥 👍🏽 1\u{fe0f}\u{20e3}",
            "می\u{200c}خواهم کتاب\u{200c}ها را پس بدهم",
            "क्\u{200d}ष और हिन्दी",
            "أريد استرداد المبلغ",
            "שלום, איפה ההזמנה שלי?",
            "葛\u{e0100}城市",
            england.as_str(),
        ] {
            let c = clean(text);
            assert_eq!(c.text, text);
            assert_eq!(c.removed_invisible, 0);
            assert!(!c.had_tags && !c.had_bidi);
        }
        assert_eq!(clean("re\u{200d}fund").text, "refund");
        assert_eq!(clean("\u{200f}שלום\u{200f}").text, "שלום");
    }

    #[test]
    fn line_ends_spaces_and_legacy_code_points_are_made_ordinary() {
        assert_eq!(clean("a\r\nb\rc\u{2028}d\u{a0}e").text, "a\nb\nc\nd e");
        assert_eq!(clean("It\u{92}s 5\u{80}").text, "It’s 5€");
        assert_eq!(clean("cafe\u{301}").text, "café");
        assert_eq!(clean("a\r\nb").removed_invisible, 0);
    }

    proptest! {
        #[test]
        fn cleaning_is_idempotent_and_keeps_letters(text in "\\PC*|[\\x00-\\xff\u{200b}-\u{206f}\u{fe00}-\u{fe0f}a-z]*") {
            let once = clean(&text);
            let twice = clean(&once.text);
            prop_assert_eq!(&twice.text, &once.text);
            // Composition may hide a letter under its accent, so both sides are taken apart.
            let letters = |s: &str| {
                let known = s.chars().map(|c| windows_1252(u32::from(c)).unwrap_or(c));
                known.nfd().filter(char::is_ascii_alphanumeric).collect::<String>()
            };
            prop_assert_eq!(letters(&text), letters(&once.text));
        }
    }
}
