//! Geographic coordinates: decimal degrees in pairs, with letters for the hemispheres or without,
//! and degrees with minutes and seconds.

use std::ops::Range;

use super::candidate::Candidate;
use super::label::Topic;
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// Decimals from which a pair of numbers is taken for a place without a word for it: eleven metres.
const SURE_DECIMALS: usize = 4;
/// How far behind its label a pair may stand, in bytes.
const MAX_WAY: usize = 40;

pub(super) struct Coordinates;

impl Recognizer for Coordinates {
    fn entity(&self) -> &Entity {
        const { &Entity::COORDINATES }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits >= 4
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        let clues = source.clues();
        // The degree sign is the only character of two bytes that matters here.
        let has_degrees = !text.is_ascii() && text.contains('°');
        if has_degrees {
            find_degrees(source, out);
        }
        if clues.dots >= 2 && clues.digits >= 6 {
            find_decimal(source, out);
        }
    }
}

/// A number of degrees.
struct Degrees {
    range: Range<usize>,
    value: f64,
    decimals: usize,
    /// The hemisphere's letter, upper case, if one follows.
    hemisphere: Option<u8>,
}

/// Reads `-12.3456`, `12.3456° N`, `N 12.3456` at `at`.
fn decimal_at(text: &str, at: usize) -> Option<Degrees> {
    let bytes = text.as_bytes();
    let space = |at: usize| at + usize::from(bytes.get(at) == Some(&b' '));
    let letter =
        |at: usize| bytes.get(at).map(u8::to_ascii_uppercase).filter(|b| b"NSEWO".contains(b));
    let ahead = letter(at)
        .filter(|_| bytes.get(space(at + 1)).is_some_and(|b| b.is_ascii_digit() || *b == b'-'));
    let start = if ahead.is_some() { space(at + 1) } else { at };
    let sign = usize::from(matches!(bytes.get(start), Some(b'-' | b'+')));
    let digits = |at: usize| {
        bytes.get(at..).map_or(0, |b| b.iter().take(16).take_while(|b| b.is_ascii_digit()).count())
    };
    let whole = digits(start + sign);
    let dot = start + sign + whole;
    if !(1..=3).contains(&whole) || bytes.get(dot) != Some(&b'.') {
        return None;
    }
    let decimals = digits(dot + 1);
    let mut end = dot + 1 + decimals;
    let value: f64 = text[start..end].parse().ok()?;
    if text[end..].starts_with('°') {
        end += '°'.len_utf8();
    }
    let behind = letter(space(end)).filter(|_| {
        let next = bytes.get(space(end) + 1);
        ahead.is_none() && !next.is_some_and(u8::is_ascii_alphanumeric)
    });
    if behind.is_some() {
        end = space(end) + 1;
    }
    Some(Degrees { range: at..end, value, decimals, hemisphere: ahead.or(behind) })
}

fn find_decimal(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let bytes = text.as_bytes();
    let mut free = 0;
    for (dot, _) in text.match_indices('.') {
        if dot < free {
            continue;
        }
        let whole = bytes[..dot].iter().rev().take(4).take_while(|b| b.is_ascii_digit()).count();
        let decimals = bytes[dot + 1..].iter().take(16).take_while(|b| b.is_ascii_digit()).count();
        if !(1..=3).contains(&whole) || decimals < 2 {
            continue;
        }
        let mut start = dot - whole;
        start -= usize::from(start > 0 && matches!(bytes[start - 1], b'-' | b'+'));
        let with_letter = |skip: usize| {
            start.checked_sub(skip).filter(|&s| {
                matches!(bytes[s], b'N' | b'S')
                    && !source.before(s).is_some_and(char::is_alphanumeric)
            })
        };
        start = with_letter(2)
            .filter(|&s| bytes[s + 1] == b' ')
            .or_else(|| with_letter(1))
            .unwrap_or(start);
        if let Some((range, score)) = pair_at(source, start) {
            free = range.end;
            out.push(
                Candidate::new(range, Entity::COORDINATES, score, "coordinates/decimal")
                    .checked("range"),
            );
        } else {
            free = dot + 1 + decimals;
        }
    }
}

/// A latitude at `at` with a longitude behind it.
fn pair_at(source: &Source<'_>, at: usize) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let first = decimal_at(text, at)?;
    let rest = &text[first.range.end..];
    let gap = rest
        .chars()
        .take(12)
        .take_while(|c| matches!(c, ' ' | ',' | ';' | '/' | ':' | '|') || c.is_ascii_alphabetic())
        .count();
    let between = &rest[..gap];
    // "lat: 52.52, lng: 13.40", and nothing else in words.
    let words: String =
        between.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let named = matches!(words.as_str(), "lon" | "lng" | "long" | "longitude");
    let hemisphere_ahead = words.len() == 1 && "eow".contains(words.as_str());
    if !(words.is_empty() || named || hemisphere_ahead) || gap == 0 {
        return None;
    }
    let second_at = first.range.end
        + if hemisphere_ahead { between.find(|c: char| c.is_ascii_alphabetic())? } else { gap };
    let second = decimal_at(text, second_at)?;
    let range = at..second.range.end;
    let fits = first.value.abs() <= 90.0 && second.value.abs() <= 180.0;
    let letters = matches!(
        (first.hemisphere, second.hemisphere),
        (Some(b'N' | b'S'), Some(b'E' | b'W' | b'O'))
    );
    let goes_on = text[range.end..].starts_with(['.', '%', ':'])
        && text[range.end + 1..].starts_with(|c: char| c.is_ascii_digit())
        || text[range.end..].starts_with('%');
    if !fits || goes_on || !source.stands_alone(&range) {
        return None;
    }
    let precise = first.decimals.min(second.decimals);
    let labelled = is_labelled(source, at);
    match precise {
        _ if letters => Some((range, 0.9)),
        SURE_DECIMALS.. => Some((range, 0.8)),
        2.. if labelled || named => Some((range, 0.7)),
        _ => None,
    }
}

fn is_labelled(source: &Source<'_>, at: usize) -> bool {
    source.labels_before(at, MAX_WAY).any(|l| l.topic == Topic::Coordinates)
}

/// Degrees with minutes and perhaps seconds, `40°26'46"N 79°58'56"W`.
fn find_degrees(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let mut free = 0;
    for (sign, _) in text.match_indices('°') {
        if sign < free {
            continue;
        }
        let digits = text[..sign].bytes().rev().take(4).take_while(u8::is_ascii_digit).count();
        if !(1..=3).contains(&digits) {
            continue;
        }
        let mut start = sign - digits;
        let letter = text[..start].trim_end_matches(' ');
        if letter.ends_with(['N', 'S']) && start - letter.len() <= 1 {
            start = letter.len() - 1;
        }
        let Some(end) = part_at(text, start).and_then(|first| {
            let gap = text[first..]
                .bytes()
                .take(4)
                .take_while(|b| matches!(b, b' ' | b',' | b';' | b'/'))
                .count();
            part_at(text, first + gap)
        }) else {
            continue;
        };
        free = end;
        if source.stands_alone(&(start..end)) {
            out.push(
                Candidate::new(start..end, Entity::COORDINATES, 0.9, "coordinates/degrees")
                    .checked("form"),
            );
        }
    }
}

/// The end of one of the two: a letter of a hemisphere in front or behind, degrees, and minutes
/// and seconds with any of their signs.
fn part_at(text: &str, at: usize) -> Option<usize> {
    let is_letter = |c: char| matches!(c, 'N' | 'S' | 'E' | 'W' | 'O');
    let mut end = at;
    let skip = |end: usize, ok: &dyn Fn(char) -> bool| {
        end + text[end..].chars().take(12).take_while(|&c| ok(c)).map(char::len_utf8).sum::<usize>()
    };
    let ahead = text[end..].starts_with(is_letter);
    if ahead {
        end = skip(end + 1, &|c| c == ' ');
    }
    let digits = |at: usize| skip(at, &|c| c.is_ascii_digit());
    let degrees = digits(end);
    if degrees == end || !text[degrees..].starts_with('°') {
        return None;
    }
    end = degrees + '°'.len_utf8();
    for signs in [['\'', '′', '’'], ['"', '″', '”']] {
        let number_at = skip(end, &|c| c == ' ');
        let number = skip(number_at, &|c| c.is_ascii_digit() || c == '.');
        let sign = text[number..].chars().next().filter(|c| signs.contains(c));
        if number == number_at {
            break;
        }
        let Some(sign) = sign else { break };
        end = number + sign.len_utf8();
        if signs[0] == '"' {
            break;
        }
    }
    let letter_at = skip(end, &|c| c == ' ');
    if !ahead && text[letter_at..].starts_with(is_letter) {
        end = letter_at + 1;
    }
    (end > degrees + '°'.len_utf8() || ahead).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&Coordinates, text)
    }

    #[test]
    fn finds_pairs() {
        for (text, pair) in [
            ("at 52.5200, 13.4050.", "52.5200, 13.4050"),
            ("-33.86882,151.20929", "-33.86882,151.20929"),
            ("GPS: 48.85 2.35", "48.85 2.35"),
            ("40.7128° N, 74.0060° W", "40.7128° N, 74.0060° W"),
            ("N 52.52 E 13.40", "N 52.52 E 13.40"),
            ("see 40°26'46\"N 79°58'56\"W now", "40°26'46\"N 79°58'56\"W"),
            ("lat: 52.520, lng: 13.405", "52.520, lng: 13.405"),
        ] {
            assert_eq!(found(text), [pair], "{text}");
        }
    }

    #[test]
    fn leaves_prices_and_temperatures() {
        for text in [
            "12.50, 13.40",
            "1.234, 5.678",
            "20° to 25°",
            "192.168.1.1",
            "95.1234, 13.4050",
            "1.2345",
            "3.14159 and 2.71828",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
