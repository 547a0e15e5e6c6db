//! Bank account numbers: country, length and structure from the IBAN registry, and the remainder
//! of ISO 7064. What passes all of it is certain without any context.

use std::ops::Range;

use super::candidate::Candidate;
use super::context::{WordSet, words_before};
use super::recognizer::Recognizer;
use super::source::{Clues, MIN_GROUPED_DIGITS, Source, joins};
use crate::domain::checksum::remainder_97;
use crate::domain::masking::Entity;

pub(super) struct Iban;

impl Recognizer for Iban {
    fn entity(&self) -> &Entity {
        const { &Entity::IBAN_CODE }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        // The structures allow fewer digits in some countries; no bank gives such accounts out.
        clues.digits >= MIN_GROUPED_DIGITS
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let mut free = 0;
        for group in source.groups() {
            // Every group could be check digits; each look takes 34 characters at most.
            if group.start < free {
                continue;
            }
            if let Some((range, passes)) =
                iban_at(source, group).or_else(|| polish_at(source, group))
            {
                free = range.end;
                let found = |score| Candidate::new(range, Entity::IBAN_CODE, score, "iban");
                out.push(if passes { found(0.95).checked("mod 97") } else { found(0.5) });
            }
        }
    }
}

/// The account number whose check digits begin `group`, and whether they are right. With a slip in
/// it, it must be called what it is.
fn iban_at(source: &Source<'_>, group: &Range<usize>) -> Option<(Range<usize>, bool)> {
    let text = source.text();
    let head = text[..group.start].strip_suffix(' ').unwrap_or(&text[..group.start]);
    let start = head.len().checked_sub(2)?;
    let country = head.get(start..)?.to_ascii_uppercase();
    if source.before(start).is_some_and(joins) {
        return None;
    }
    let structure =
        &STRUCTURES[STRUCTURES.binary_search_by_key(&country.as_str(), |s| s.0).ok()?];
    let (code, len) = collect(&text[group.start..], 2 + length(structure.1))?;
    let range = start..group.start + len;
    if !fits(structure.1, code.get(2..)?) || source.after(range.end).is_some_and(joins) {
        return None;
    }
    let passes = remainder_97(format!("{}{country}{}", &code[2..], &code[..2]).as_bytes()) == 1;
    (passes || is_named(text, start)).then_some((range, passes))
}

/// Whether "IBAN" or the word for an account stands right in front.
fn is_named(text: &str, at: usize) -> bool {
    static WORDS: WordSet = WordSet::new(
        "account compte conta conto cuenta iban konto kontonummer rachunek rachunku rekening",
    );
    words_before(text, at, 3).iter().any(|w| WORDS.contains(w))
}

/// A Polish account, which at home is written without the country: two digits and six times four.
fn polish_at(source: &Source<'_>, group: &Range<usize>) -> Option<(Range<usize>, bool)> {
    const DIGITS: usize = 26;
    let text = source.text();
    if !matches!(group.len(), 2 | DIGITS) || source.before(group.start).is_some_and(joins) {
        return None;
    }
    let next = text.as_bytes().get(group.end..group.end + 5);
    let goes_on = next.is_some_and(|n| n[0] == b' ' && n[1..].iter().all(u8::is_ascii_digit));
    if group.len() == 2 && !goes_on {
        return None;
    }
    let (code, len) = collect(&text[group.start..], DIGITS)?;
    let range = group.start..group.start + len;
    let is_space = |i: usize| len > DIGITS && i >= 2 && (i - 2).is_multiple_of(5);
    let spaced =
        text[range.clone()].bytes().enumerate().all(|(i, b)| b.is_ascii_digit() != is_space(i));
    let whole = spaced && matches!(len, DIGITS | 32) && !source.after(range.end).is_some_and(joins);
    let passes = || remainder_97(format!("{}PL{}", &code[2..], &code[..2]).as_bytes()) == 1;
    (whole && (passes() || is_named(text, group.start))).then(|| (range, passes()))
}

/// The first `count` letters and digits of `text`, upper-cased, over single spaces, hyphens or line
/// ends, and how many bytes they take.
fn collect(text: &str, count: usize) -> Option<(String, usize)> {
    let mut code = String::with_capacity(count);
    let mut gap = false;
    for (at, b) in text.bytes().enumerate() {
        if b.is_ascii_alphanumeric() {
            code.push(char::from(b.to_ascii_uppercase()));
            gap = false;
            if code.len() == count {
                return Some((code, at + 1));
            }
        } else if matches!(b, b' ' | b'-' | b'\n') && !gap {
            gap = true;
        } else {
            return None;
        }
    }
    None
}

/// The pieces of a structure such as `4a14n`: how many, and of what.
fn pieces(structure: &str) -> impl Iterator<Item = (usize, u8)> {
    structure.split_inclusive(|c: char| c.is_ascii_alphabetic()).filter_map(|piece| {
        let (count, kind) = piece.split_at_checked(piece.len().checked_sub(1)?)?;
        Some((count.parse().ok()?, *kind.as_bytes().first()?))
    })
}

fn length(structure: &str) -> usize {
    pieces(structure).map(|(count, _)| count).sum()
}

fn fits(structure: &str, bban: &str) -> bool {
    let mut chars = bban.bytes();
    let mut next = |kind: u8| {
        chars.next().is_some_and(|b| match kind {
            b'n' => b.is_ascii_digit(),
            b'a' => b.is_ascii_alphabetic(),
            _ => true,
        })
    };
    pieces(structure).all(|(count, kind)| (0..count).all(|_| next(kind)))
}

/// Country → what follows the check digits (SWIFT, IBAN registry): `n` digits, `a` letters,
/// `c` either. Sorted.
static STRUCTURES: [(&str, &str); 89] = [
    ("AD", "8n12c"),
    ("AE", "19n"),
    ("AL", "8n16c"),
    ("AT", "16n"),
    ("AZ", "4a20c"),
    ("BA", "16n"),
    ("BE", "12n"),
    ("BG", "4a6n8c"),
    ("BH", "4a14c"),
    ("BI", "23n"),
    ("BR", "23n1a1c"),
    ("BY", "4c4n16c"),
    ("CH", "5n12c"),
    ("CR", "18n"),
    ("CY", "8n16c"),
    ("CZ", "20n"),
    ("DE", "18n"),
    ("DJ", "23n"),
    ("DK", "14n"),
    ("DO", "4c20n"),
    ("EE", "16n"),
    ("EG", "25n"),
    ("ES", "20n"),
    ("FI", "14n"),
    ("FK", "2a12n"),
    ("FO", "14n"),
    ("FR", "10n11c2n"),
    ("GB", "4a14n"),
    ("GE", "2a16n"),
    ("GI", "4a15c"),
    ("GL", "14n"),
    ("GR", "7n16c"),
    ("GT", "4c20c"),
    ("HN", "4a20n"),
    ("HR", "17n"),
    ("HU", "24n"),
    ("IE", "4a14n"),
    ("IL", "19n"),
    ("IQ", "4a15n"),
    ("IS", "22n"),
    ("IT", "1a10n12c"),
    ("JO", "4a4n18c"),
    ("KW", "4a22c"),
    ("KZ", "3n13c"),
    ("LB", "4n20c"),
    ("LC", "4a24c"),
    ("LI", "5n12c"),
    ("LT", "16n"),
    ("LU", "3n13c"),
    ("LV", "4a13c"),
    ("LY", "21n"),
    ("MC", "10n11c2n"),
    ("MD", "20c"),
    ("ME", "18n"),
    ("MK", "3n10c2n"),
    ("MN", "16n"),
    ("MR", "23n"),
    ("MT", "4a5n18c"),
    ("MU", "4a19n3a"),
    ("NI", "4a20n"),
    ("NL", "4a10n"),
    ("NO", "11n"),
    ("OM", "3n16c"),
    ("PK", "4a16c"),
    ("PL", "24n"),
    ("PS", "4a21c"),
    ("PT", "21n"),
    ("QA", "4a21c"),
    ("RO", "4a16c"),
    ("RS", "18n"),
    ("RU", "14n15c"),
    ("SA", "2n18c"),
    ("SC", "4a20n3a"),
    ("SD", "14n"),
    ("SE", "20n"),
    ("SI", "15n"),
    ("SK", "20n"),
    ("SM", "1a10n12c"),
    ("SO", "19n"),
    ("ST", "21n"),
    ("SV", "4a20n"),
    ("TL", "19n"),
    ("TN", "20n"),
    ("TR", "6n16c"),
    ("UA", "6n19c"),
    ("VA", "18n"),
    ("VG", "4a16n"),
    ("XK", "16n"),
    ("YE", "4a4n18c"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&Iban, text)
    }

    #[test]
    fn the_table_is_sorted_and_reads() {
        assert!(STRUCTURES.is_sorted_by_key(|s| s.0));
        assert!(STRUCTURES.iter().all(|s| (11..=31).contains(&length(s.1))));
    }

    #[test]
    fn finds_accounts_and_only_those() {
        for iban in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29-NWBK-6016-1331-9268-19",
            "gb29nwbk60161331926819",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "DE 89 3704 0044 0532 0130 00",
        ] {
            assert_eq!(found(&format!("to {iban} now")), [iban], "{iban}");
        }
        for named in ["IBAN DE89 3704 0044 0532 0130 01", "konto 61 1090 1014 0000 0712 1981 2874"]
        {
            assert_eq!(found(named), [named[5..].trim_start()], "{named}");
        }
        assert_eq!(found("na 61 1090 1014 0000 0712 1981 2874.").len(), 1);
        for text in [
            "61 1090 1014 0000 0712 1981 2875",
            "61 1090 1014 0000 0712 1981",
            "DE89370400440532013001",
            "XX89370400440532013000",
            "DE8937040044053201300",
            "XDE89370400440532013000",
            "DE89370400440532013000x",
            "GB291WBK60161331926819",
            "DE89/3704/0044/0532/0130/00",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
