//! Post-office boxes, and the addresses of the United States' forces and ships abroad.

use std::ops::Range;

use super::super::context::{WordSet, floor};
use super::street::{Street, Strength};

/// What a box is called, up to its number. Lower case, without spaces and full stops.
static BOXES: WordSet = WordSet::new(
    "pobox postofficebox gpobox postbox lockedbag privatebag postfach pf boîtepostale boitepostale bp cs apartado apartadopostal apdo \
     apartadodecorreos apdodecorreos caixapostal cp casellapostale postbus postboks postbox skrpoczt skrytkapocztowa skrpocztowa pl \
     boîteposte cedexbp pobx",
);

/// Boxes whose names are short or other words: they need an address around them.
static SHORT: WordSet = WordSet::new("bp cs cp pf pl apartado");

/// How far in front of its number a box's name may begin, in bytes.
const MAX_NAME: usize = 28;

/// The box with `number`, or the address of forces that ends in it.
pub(super) fn box_at(text: &str, number: &Range<usize>) -> Option<Street> {
    // The last letter in front tells most numbers from boxes.
    let before = text[..number.start].trim_end_matches([' ', '#', '.', '°', 'º']);
    if !before.ends_with([
        'x', 'X', 'g', 'G', 'h', 'H', 'f', 'F', 'e', 'E', 'p', 'P', 's', 'S', 'o', 'O', 'l', 'L',
        'n', 'N', 't', 'T', 'a', 'A', 'k', 'K',
    ]) {
        return None;
    }
    military_at(text, number).or_else(|| {
        let from = floor(text, number.start.saturating_sub(MAX_NAME));
        let window = &text[from..number.start];
        let cut = window.bytes().rposition(|b| matches!(b, b'\n' | b',' | b';' | b':' | b'('));
        let line = cut.map_or(window, |n| &window[n + 1..]);
        let trimmed = line.trim_end_matches([' ', '#', '.', '°', 'º']);
        let trimmed =
            trimmed.strip_suffix(" no").or_else(|| trimmed.strip_suffix(" n")).unwrap_or(trimmed);
        // One to three words that are a box's name together.
        let mut start = trimmed.len();
        for _ in 0..4 {
            start = trimmed[..start].trim_end().rfind(' ').map_or(0, |n| n + 1);
            let name: String = trimmed[start..]
                .chars()
                .filter(|c| c.is_alphabetic())
                .flat_map(char::to_lowercase)
                .collect();
            if BOXES.contains(&name)
                && (start > 0 || line.len() < window.len() || !touches(text, from))
            {
                let begin = number.start - line.len() + start;
                let begin = begin + text[begin..].len() - text[begin..].trim_start().len();
                let end = groups_end(text, number.end);
                let strength =
                    if SHORT.contains(&name) { Strength::Likely } else { Strength::Sure };
                let start = super::street::lead(text, begin);
                return Some(Street { range: start..end, strength, check: "box" });
            }
            if start == 0 {
                break;
            }
        }
        None
    })
}

/// Whether a letter runs on in front of the window.
fn touches(text: &str, from: usize) -> bool {
    text[..from].chars().next_back().is_some_and(char::is_alphanumeric)
}

/// `Postfach 10 20 30`: further groups of digits.
fn groups_end(text: &str, mut end: usize) -> usize {
    for _ in 0..3 {
        let digits = text[end..]
            .strip_prefix(' ')
            .map_or(0, |r| r.bytes().take(4).take_while(u8::is_ascii_digit).count());
        let closed =
            text.as_bytes().get(end + 1 + digits).is_none_or(|b| !b.is_ascii_alphanumeric());
        // A postal code of four or five digits is not the box's.
        if !(2..=3).contains(&digits) || !closed {
            break;
        }
        end += 1 + digits;
    }
    end
}

/// `PSC 1234, Box 12` or `Unit 1234 Box 12` or a ship, with `APO AE 09012` behind; found at the
/// postal code, the last number of it.
fn military_at(text: &str, number: &Range<usize>) -> Option<Street> {
    let region = text[..number.start].trim_end().as_bytes();
    let region = region.len().checked_sub(2).map(|n| &region[n..]);
    if number.len() != 5
        || !region.is_some_and(|r| [b"AA", b"AE", b"AP"].iter().any(|a| r.eq_ignore_ascii_case(*a)))
    {
        return None;
    }
    let from = floor(text, number.start.saturating_sub(72));
    let window = &text[from..number.start];
    let upper = window.trim_end().to_ascii_uppercase();
    let fits = ["APO", "FPO", "DPO"].iter().any(|o| {
        ["AA", "AE", "AP"]
            .iter()
            .any(|a| upper.ends_with(&format!("{o} {a}")) || upper.ends_with(&format!("{o}, {a}")))
    });
    if !fits {
        return None;
    }
    let cut = upper.len()
        - if upper.ends_with(", AA") || upper.ends_with(", AE") || upper.ends_with(", AP") {
            7
        } else {
            6
        };
    let before = upper[..cut].trim_end_matches([' ', '\n', '\r', ',', '>']);
    let heads = ["PSC ", "UNIT ", "CMR ", "USS ", "USNS ", "USNV ", "USCGC "];
    let own = |at: usize| !before[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let start =
        heads.iter().filter_map(|h| before.rfind(h).filter(|&at| own(at))).max().unwrap_or(cut);
    Some(Street { range: from + start..number.end, strength: Strength::Sure, check: "military" })
}
