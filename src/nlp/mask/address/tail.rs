//! What follows a street: unit, town, state, postal code, country, behind commas, line breaks or
//! nothing.

use super::part::{Evidence, Gap, ends_clause, is_town, part_at};
use super::unit::unit_at;
use crate::nlp::mask::context::floor;

/// Parts of an address that are read at most.
const MAX_PARTS: usize = 9;

/// What follows a street.
pub(super) struct Tail {
    pub(super) end: usize,
    pub(super) evidence: Evidence,
    /// It has a unit, a country or a postal code set off by a comma or line.
    pub(super) is_firm: bool,
}

impl Tail {
    /// Reads on from `end`, the end of a street.
    pub(super) fn read(text: &str, end: usize) -> Self {
        let mut tail = Self { end, evidence: Evidence::None, is_firm: false };
        let mut at = end;
        // What is read but not yet confirmed by something sure behind it.
        let mut pending = 0;
        let mut after_unit = false;
        let mut has_code = false;
        for _ in 0..MAX_PARTS {
            let Some((next, gap)) = gap_at(text, at) else { break };
            let Some(part) = part_at(text, next, gap) else { break };
            // A second number of digits alone is the next thing's, not a second postal code.
            let code = text[next..].starts_with(|c: char| c.is_ascii_digit()) && !part.is_unit;
            if code && has_code {
                break;
            }
            has_code |= code || part.has_code;
            tail.is_firm |=
                part.is_unit || part.evidence == Evidence::Some || code && gap != Gap::Space;
            at = part.end;
            if part.sure {
                tail.end = at;
                tail.evidence = tail.evidence.max(part.evidence);
                pending = 0;
            } else {
                // One town may end an address unconfirmed where its clause ends with it.
                let set_off = gap == Gap::Comma || after_unit && gap == Gap::Space;
                if pending == 0 && set_off && is_town(text, next..at) && ends_clause(text, at) {
                    tail.end = at;
                }
                pending += 1;
                if pending > 3 {
                    break;
                }
            }
            after_unit = part.is_unit;
        }
        tail
    }
}

/// Skips what may stand between two parts: where the next begins.
pub(super) fn gap_at(text: &str, at: usize) -> Option<(usize, Gap)> {
    let rest = &text[at..floor(text, (at + 24).min(text.len()))];
    let mut gap = None;
    let mut len = 0;
    let mut lines = 0;
    for c in rest.chars() {
        match c {
            ' ' | '\t' => gap = gap.or(Some(Gap::Space)),
            ',' | ';' => gap = Some(gap.filter(|g| *g == Gap::Line).unwrap_or(Gap::Comma)),
            '\n' => {
                lines += 1;
                gap = Some(Gap::Line);
            }
            '\r' => {}
            // Quoted mail, and the stop of an abbreviation.
            '>' if gap == Some(Gap::Line) => {}
            '.' if len == 0 => {}
            '-' | '|' | '·' if gap.is_some() => gap = Some(Gap::Comma),
            _ => break,
        }
        len += c.len_utf8();
    }
    // A full stop ends a sentence unless a comma or line follows.
    let stopped =
        rest.starts_with('.') && gap == Some(Gap::Space) && unit_at(text, at + len).is_none();
    // An empty line ends a block, unless it is quoted.
    let block = lines <= 1 || lines == 2 && rest.contains('>');
    gap.filter(|_| block && !stopped && at + len < text.len()).map(|g| (at + len, g))
}
