//! What a word looks like and where it stands. The encoder reads everything in lower case and
//! without line breaks; capitals, digits, lines and telling words ([`Cues`]) reach the head here.

use super::cues::Cues;
use super::words::Word;

/// Numbers that describe a word.
pub(super) const COUNT: usize = FLAGS + Cues::COUNT + SHARES;
/// Of them, properties that a word has or has not, besides its cues.
const FLAGS: usize = 47;
/// Of them, shares of the text or line.
const SHARES: usize = 3;

/// How to read capitals: as they are, or as if the text had been typed otherwise. Training sees
/// every text in several ways at the price of one pass of the encoder, which is uncased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// As written.
    None,
    /// All in lower case.
    Lower,
    /// All in upper case.
    Upper,
    /// Every word capitalised.
    Title,
}

/// A word's properties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    flags: u64,
    pub(super) cues: Cues,
    shares: [f32; SHARES],
}

impl Shape {
    /// Writes the numbers; `out` is [`COUNT`] long.
    pub(super) fn write(&self, out: &mut [f32]) {
        let flags = (0..FLAGS).map(|i| self.flags >> i & 1 == 1).chain(self.cues.flags());
        let numbers = flags.map(|flag| if flag { SCALE } else { 0.0 });
        let shares = self.shares.iter().map(|s| s * SCALE);
        out.iter_mut().zip(numbers.chain(shares)).for_each(|(o, x)| *o = x);
    }

    /// Whether the word stands first in its line.
    pub(super) fn opens_line(&self) -> bool {
        self.flags >> OPENS_LINE & 1 == 1
    }
}

/// The states' numbers vary by about this much; shapes must not drown in them.
const SCALE: f32 = 2.0;
/// The place of the flag for "first in its line".
const OPENS_LINE: usize = 24;

/// How a word is written.
#[derive(Debug, Clone, Copy, Default)]
struct Letters {
    upper: usize,
    lower: usize,
    digits: usize,
    others: usize,
    /// Begins with a capital.
    capital: bool,
    /// Has a capital after a small letter.
    camel: bool,
    /// Has a letter outside ASCII, of the Latin script or of another.
    accented: bool,
    foreign: bool,
}

impl Letters {
    fn of(word: &str, fold: Fold) -> Self {
        let mut l = Letters::default();
        for (i, c) in word.chars().enumerate() {
            if c.is_alphabetic() {
                let upper = match fold {
                    Fold::None => c.is_uppercase(),
                    Fold::Lower => false,
                    Fold::Upper => true,
                    Fold::Title => i == 0,
                };
                l.capital |= i == 0 && upper;
                l.camel |= upper && l.lower > 0;
                if upper {
                    l.upper += 1
                } else {
                    l.lower += 1
                }
                l.accented |=
                    !c.is_ascii() && (c as u32) < 0x250 || matches!(c as u32, 0x1e00..=0x1eff);
                l.foreign |= matches!(c as u32, 0x250..=0x1dff | 0x1f00..);
            } else if c.is_numeric() {
                l.digits += 1;
            } else {
                l.others += 1;
            }
        }
        l
    }

    fn letters(&self) -> usize {
        self.upper + self.lower
    }
}

/// A line's place among the words.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    first: usize,
    last: usize,
    /// Its first word is a closing, and the line is short.
    closes: bool,
    /// It begins with a label and a colon; the place of the colon.
    colon: Option<usize>,
    capitals: f32,
}

/// The shapes of a text's words.
pub(super) fn shapes(text: &str, words: &[Word], fold: Fold) -> Vec<Shape> {
    let mut lower = String::new();
    let seen: Vec<(Letters, Cues)> = words
        .iter()
        .map(|word| {
            let word = word.text(text);
            lower.clear();
            lower.extend(word.chars().take(40).flat_map(char::to_lowercase));
            (Letters::of(word, fold), Cues::of(&lower))
        })
        .collect();
    let lines = lines(text, words, &seen);
    let with_letters = seen.iter().filter(|(l, _)| l.letters() > 1).count().max(1) as f32;
    let titled = seen.iter().filter(|(l, _)| l.capital && l.letters() > 1).count() as f32;
    let shouted = seen.iter().filter(|(l, _)| l.letters() > 1 && l.lower == 0).count() as f32;
    let mut out = Vec::with_capacity(words.len());
    for (number, line) in lines.iter().enumerate() {
        for i in line.first..line.last {
            let mut flags = Flags::default();
            flags.letters(&seen[i].0, words[i].tokens.len());
            flags.mark(words[i].text(text), seen[i].0.letters() + seen[i].0.digits == 0);
            flags.place(text, words, &seen, i, line);
            flags.line(&lines, number, i, words.len());
            debug_assert_eq!(flags.next, FLAGS);
            out.push(Shape {
                flags: flags.bits,
                cues: seen[i].1,
                shares: [titled / with_letters, shouted / with_letters, line.capitals],
            });
        }
    }
    out
}

fn lines(text: &str, words: &[Word], seen: &[(Letters, Cues)]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut first = 0;
    for i in 1..=words.len() {
        let breaks = words.get(i).is_none_or(|next| {
            text.get(words[i - 1].end..next.start).is_some_and(|gap| gap.contains(['\n', '\r']))
        });
        if !breaks {
            continue;
        }
        let own = &seen[first..i];
        let lettered = own.iter().filter(|(l, _)| l.letters() > 0).count();
        let capital = own.iter().filter(|(l, _)| l.capital).count();
        let is_colon = |at: &usize| words[*at].text(text) == ":";
        let colon = (first + 1..i.min(first + 5)).find(is_colon);
        lines.push(Line {
            first,
            last: i,
            closes: lettered <= 5 && own[0].1.has(Cues::CLOSING),
            colon: colon.filter(|&at| seen[first..at].iter().any(|(_, c)| c.has(Cues::LABEL))),
            capitals: capital as f32 / lettered.max(1) as f32,
        });
        first = i;
    }
    lines
}

/// Flags in the order in which they are pushed.
#[derive(Debug, Default)]
struct Flags {
    bits: u64,
    next: usize,
}

impl Flags {
    fn push(&mut self, flag: bool) {
        self.bits |= u64::from(flag) << self.next;
        self.next += 1;
    }

    /// 19 flags: case, digits, script, length.
    fn letters(&mut self, l: &Letters, pieces: usize) {
        let (letters, all) = (l.letters(), l.letters() + l.digits + l.others);
        self.push(l.capital && l.lower > 0);
        self.push(letters > 1 && l.lower == 0);
        self.push(letters == 1 && l.upper == 1);
        self.push(l.upper == 0 && letters > 0);
        self.push(l.capital && l.camel);
        self.push(!l.capital && l.camel);
        self.push(l.digits > 0 && letters == 0);
        self.push(l.digits > 0 && letters > 0);
        self.push(letters == 0 && (1..=3).contains(&l.digits));
        self.push(letters == 0 && (4..=6).contains(&l.digits));
        self.push(letters == 0 && l.digits > 6);
        self.push(l.accented);
        self.push(l.foreign);
        self.push(pieces == 1);
        self.push(pieces == 2);
        self.push(pieces >= 3);
        self.push(all <= 2);
        self.push((3..=5).contains(&all));
        self.push(all > 9);
    }

    /// 5 flags: kinds of punctuation that matter most for names. They come before the place so
    /// that the flag of the line's first word has a fixed number.
    fn mark(&mut self, word: &str, is_mark: bool) {
        self.push(is_mark);
        self.push(word == ",");
        self.push(word == ".");
        self.push(matches!(
            word,
            ":" | "|" | ";" | "=" | "*" | "<" | ">" | "\"" | "“" | "„" | "(" | ")"
        ));
        self.push(matches!(word, "'" | "’" | "-" | "–" | "@" | "#" | "_" | "/" | "&" | "+"));
    }

    /// 14 flags: the neighbours.
    fn place(
        &mut self,
        text: &str,
        words: &[Word],
        seen: &[(Letters, Cues)],
        i: usize,
        line: &Line,
    ) {
        let before = (i > line.first).then(|| i - 1);
        let after = (i + 1 < line.last).then_some(i + 1);
        let mark = |at: Option<usize>| at.map_or("", |at| words[at].text(text));
        let cue = |at: Option<usize>| at.map_or(Cues::default(), |at| seen[at].1);
        debug_assert_eq!(self.next, OPENS_LINE);
        self.push(before.is_none());
        self.push(after.is_none());
        self.push(before.is_some_and(|b| words[b].end == words[i].start));
        self.push(after.is_some_and(|a| words[a].start == words[i].end));
        self.push(matches!(mark(before), "." | "!" | "?"));
        self.push(mark(before) == ":");
        self.push(mark(before) == ",");
        self.push(mark(after) == ":");
        self.push(mark(after) == ",");
        self.push(matches!(mark(before), "@" | "/" | "_" | "#"));
        self.push(cue(before).has(Cues::TITLE));
        let two = before.filter(|&b| b > line.first && mark(before) == ".").map(|b| b - 1);
        self.push(cue(two).has(Cues::TITLE));
        self.push(cue(before).has(Cues::GREETING) && before == Some(line.first));
        self.push(line.colon.is_some_and(|c| i > c));
    }

    /// 9 flags: the line among the lines.
    fn line(&mut self, lines: &[Line], number: usize, i: usize, words: usize) {
        let line = &lines[number];
        let before = number.checked_sub(1).map(|n| &lines[n]);
        let length = line.last - line.first;
        self.push(length <= 3);
        self.push((4..=7).contains(&length));
        self.push(before.is_some_and(|b| b.closes));
        self.push(number >= 2 && lines[number - 2].closes);
        self.push(before.is_some_and(|b| b.colon.is_some()));
        self.push(before.is_some_and(|b| b.last - b.first <= 4));
        self.push(number + 1 == lines.len() && lines.len() > 1);
        self.push(i == 0);
        self.push(words <= 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::encoder::Token;

    fn shapes_of(text: &str, fold: Fold) -> Vec<Shape> {
        let mut words = Vec::new();
        let mut at = 0;
        for (i, part) in text.split_inclusive([' ', '\n']).enumerate() {
            let token =
                Token { id: 0, start: at, end: at + part.trim_end().len(), starts_word: true };
            words.push(Word { start: token.start, end: token.end, tokens: i..i + 1 });
            at += part.len();
        }
        shapes(text, &words, fold)
    }

    #[test]
    fn a_fold_is_the_same_as_writing_so() {
        let text = "Dear ANNA Smith , order 12\nKind Regards\nmcDonald É";
        for (fold, typed) in [
            (Fold::Lower, text.to_lowercase()),
            (Fold::Upper, text.to_uppercase()),
            (Fold::None, text.to_owned()),
        ] {
            assert_eq!(shapes_of(text, fold), shapes_of(&typed, Fold::None), "{fold:?}");
        }
    }

    #[test]
    fn each_word_has_a_shape_of_the_stated_length() {
        let found = shapes_of("Name : Anna\nRegards\nBen", Fold::None);
        assert_eq!(found.len(), 5);
        let mut out = [7.0; COUNT];
        found[2].write(&mut out);
        assert!(out.iter().all(|x| *x != 7.0));
        assert!(found[4].opens_line() && !found[2].opens_line());
    }
}
