//! One pass over the lines of a message that gives each line to one of the three parts.
//!
//! A *cut* (a separator, a header block, an attribution without a marked quote behind it) gives all
//! that follows to the quote. A marked quote (`>` or markup) is given line by line, so that answers
//! between and below quotes stay visible. A forward is the opposite of a quote: it is what the sender
//! wants to be read, so everything from it on stays.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::attribution::{self, Attribution, Strength};
use super::fold::{fold, is_blank, is_rule, pattern};
use super::{Context, Split, headers, markers, signature};
use crate::nlp::html::{Line, Mark};

/// The part that a line goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Visible,
    Quoted,
    Signature,
}

/// A line as the rules see it.
pub(super) struct Reading {
    /// The line folded for comparison.
    pub folded: String,
    pub blank: bool,
}

static LONE_LINK: LazyLock<Regex> =
    LazyLock::new(|| pattern("^[\\s(<\\[]*(?:https?://|www\\.)\\S+[\\s)>\\]]*$"));

/// Splits a message that is given as lines.
pub(super) fn run(lines: Vec<Line>, context: Context) -> Split {
    let (lines, attributions) = with_attributions(lines);
    let readings: Vec<Reading> = lines
        .iter()
        .map(|line| {
            let folded = fold(&line.text);
            Reading { blank: is_blank(&line.text), folded }
        })
        .collect();
    let mut pass = Pass {
        quoted: quoted_lines(&lines, &attributions),
        parts: vec![Part::Visible; lines.len()],
        lines,
        readings,
        attributions: attributions.into_iter().map(|a| (a.first, a)).collect(),
    };
    let read_whole_from = pass.cut(context);
    pass.sign(read_whole_from);
    pass.assemble()
}

/// Finds the attributions, and gives those that share a line with other text a line of their own.
fn with_attributions(lines: Vec<Line>) -> (Vec<Line>, Vec<Attribution>) {
    let found = attribution::find(&lines);
    if found.iter().all(|a| a.from_byte == 0 && a.to_byte.is_none()) {
        return (lines, found);
    }
    let starts: HashMap<usize, usize> =
        found.iter().filter(|a| a.from_byte > 0).map(|a| (a.first, a.from_byte)).collect();
    let ends: HashMap<usize, usize> =
        found.iter().filter_map(|a| Some((a.last, a.to_byte?))).collect();
    let mut apart: Vec<Line> = Vec::with_capacity(lines.len() + 2 * found.len());
    for (n, line) in lines.into_iter().enumerate() {
        let (start, end) = (starts.get(&n).copied(), ends.get(&n).copied());
        let mut from = 0;
        for cut in [start, end].into_iter().flatten() {
            let piece = line.text.get(from..cut).unwrap_or("");
            apart.push(Line { text: piece.trim_end().to_owned(), mark: line.mark });
            from = from.max(cut);
        }
        apart.push(Line { text: line.text.get(from..).unwrap_or("").to_owned(), mark: line.mark });
    }
    let found = attribution::find(&apart);
    (apart, found)
}

/// Which lines are quoted by a mark of their own.
fn quoted_lines(lines: &[Line], attributions: &[Attribution]) -> Vec<bool> {
    let mut quoted: Vec<bool> =
        lines.iter().map(|l| l.mark == Mark::Quote || has_quote_prefix(&l.text)).collect();
    for run in barred(lines) {
        quoted[run].fill(true);
    }
    for a in attributions {
        // The bracket of a wrapped address is no quote mark; a quoted attribution stays quoted.
        if !quoted.get(a.first).copied().unwrap_or(false) {
            quoted.iter_mut().take(a.last + 1).skip(a.first).for_each(|q| *q = false);
        }
    }
    quoted
}

/// Three or more lines under a bar, as some programs quote. A table has bars inside its lines too.
fn barred(lines: &[Line]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let is_barred = |n: usize| {
        let text = lines[n].text.trim();
        text.strip_prefix('|').is_some_and(|rest| !rest.contains('|'))
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let first = (at..lines.len()).find(|n| is_barred(*n))?;
        let end = (first..lines.len()).find(|n| !is_barred(*n)).unwrap_or(lines.len());
        at = end;
        Some(first..end)
    })
    .filter(|run| run.len() >= 3)
}

/// `> text`, but not `>>> offer <<<`.
fn has_quote_prefix(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with('>') && !text.contains("<<")
}

struct Pass {
    lines: Vec<Line>,
    readings: Vec<Reading>,
    /// Attributions by their first line.
    attributions: HashMap<usize, Attribution>,
    quoted: Vec<bool>,
    parts: Vec<Part>,
}

impl Pass {
    /// Gives quotes their part; returns the line from which a forwarded message stands, if one does.
    fn cut(&mut self, context: Context) -> Option<usize> {
        let mut so_far = SoFar::default();
        let mut at = 0;
        while at < self.lines.len() {
            match self.step(at, &mut so_far, context) {
                Step::On(next) => at = next,
                Step::Cut => {
                    self.cut_from(at);
                    return None;
                }
                Step::ReadAll => return Some(at),
            }
        }
        None
    }

    /// Reads the line at `at`.
    fn step(&mut self, at: usize, so_far: &mut SoFar, context: Context) -> Step {
        if self.readings[at].blank {
            return Step::On(at + 1);
        }
        if let Some(attribution) = self.attributions.get(&at).copied().filter(|_| !self.quoted[at])
            && let Some(step) = self.step_over(attribution, so_far)
        {
            return step;
        }
        let folded = self.readings[at].folded.as_str();
        let forward = markers::is_forward(folded);
        if self.quoted[at] {
            if forward && !so_far.quote && self.lines[at].mark == Mark::Quote {
                return Step::ReadAll;
            }
            so_far.quote = true;
            return Step::On(self.quote_line(at));
        }
        if self.lines[at].mark == Mark::Signature {
            self.parts[at] = Part::Signature;
            return Step::On(at + 1);
        }
        let original = markers::is_original(folded);
        if forward || original || headers::block_at(&self.lines, at).is_some() {
            // With nothing of the sender's own above, the message below is what was sent.
            let sent_on = forward || !so_far.text || (context.forwarded && !original);
            return if sent_on && !so_far.quote { Step::ReadAll } else { Step::Cut };
        }
        if markers::is_reply_above(folded) {
            if so_far.text {
                return Step::Cut;
            }
            self.parts[at] = Part::Quoted;
            return Step::On(at + 1);
        }
        so_far.text = true;
        Step::On(at + 1)
    }

    /// Reads an attribution; `None` if it turns out to be ordinary text.
    fn step_over(&mut self, attribution: Attribution, so_far: &mut SoFar) -> Option<Step> {
        let Attribution { first, last, strength, .. } = attribution;
        match self.behind(attribution) {
            Behind::Quote(end) => {
                self.give(first, end, Part::Quoted);
                so_far.quote = true;
                Some(Step::On(end))
            }
            Behind::Text if strength == Strength::Weak => None,
            // With nothing above it this may be an answer below an unmarked quote: rather too much
            // is read than an answer lost.
            Behind::Text if !so_far.text && !so_far.quote => {
                self.give(first, last + 1, Part::Quoted);
                Some(Step::On(last + 1))
            }
            Behind::Text => Some(Step::Cut),
        }
    }

    /// Gives the quoted line at `at` and a tail that was wrapped off it to the quote; returns the next
    /// line to read.
    fn quote_line(&mut self, at: usize) -> usize {
        self.parts[at] = Part::Quoted;
        if self.is_wrapped_off(at) {
            self.parts[at + 1] = Part::Quoted;
            return at + 2;
        }
        at + 1
    }

    /// Whether the line after the quoted line `at` is its end, broken off by a mail program that
    /// forgot the quote mark.
    fn is_wrapped_off(&self, at: usize) -> bool {
        let (Some(tail), Some(reading)) = (self.lines.get(at + 1), self.readings.get(at + 1))
        else {
            return false;
        };
        if reading.blank
            || self.quoted[at + 1]
            || self.lines[at].mark != Mark::None
            || self.attributions.contains_key(&(at + 1))
        {
            return false;
        }
        let line = self.lines[at].text.trim_end();
        let text = tail.text.trim();
        let quote_goes_on = self.quoted.get(at + 2).copied().unwrap_or(false);
        if quote_goes_on && LONE_LINK.is_match(text) {
            return true;
        }
        let open = |open: char, close: char| {
            let body = line.trim_start_matches(['>', ' ']);
            body.matches(open).count() > body.matches(close).count()
                && text.contains(close)
                && !text.split(close).next().unwrap_or("").contains(' ')
        };
        if open('(', ')') || open('<', '>') {
            return true;
        }
        let first_word = text.split_whitespace().next().unwrap_or("").chars().count();
        let did_not_fit = line.chars().count() + 1 + first_word > 70;
        let goes_on = text.chars().next().is_some_and(|c| !c.is_uppercase())
            && !line.ends_with(['?', '!', ':']);
        did_not_fit && goes_on && (quote_goes_on || !line.ends_with('.'))
    }

    /// What stands behind an attribution; for a quote, the first line that is not claimed with it.
    fn behind(&self, attribution: Attribution) -> Behind {
        let next = (attribution.last + 1..self.lines.len()).find(|n| !self.readings[*n].blank);
        let Some(next) = next else { return Behind::Text };
        if self.quoted[next] {
            return Behind::Quote(attribution.last + 1);
        }
        if self.lines[next].mark == Mark::MaybeQuote {
            let end = (next..self.lines.len()).find(|n| self.lines[*n].mark != Mark::MaybeQuote);
            return Behind::Quote(end.unwrap_or(self.lines.len()));
        }
        Behind::Text
    }

    fn give(&mut self, from: usize, to: usize, part: Part) {
        self.parts.iter_mut().take(to).skip(from).for_each(|p| *p = part);
    }

    /// Gives everything from `at` on to the quote, with a rule or a heading just above it.
    fn cut_from(&mut self, at: usize) {
        let mut from = at;
        for above in (0..at).rev() {
            if self.readings[above].blank {
                continue;
            }
            let folded = &self.readings[above].folded;
            if !is_rule(&self.lines[above].text) && !markers::is_bare_original(folded) {
                break;
            }
            from = above;
        }
        self.give(from, self.lines.len(), Part::Quoted);
    }

    /// Gives signatures their part in every run of visible lines before a forwarded message.
    fn sign(&mut self, read_whole_from: Option<usize>) {
        let before = self.parts.clone();
        let end = read_whole_from.unwrap_or(self.lines.len());
        let mut at = 0;
        let mut visible_above = false;
        while at < end {
            let stop = (at..end).find(|n| self.parts[*n] != Part::Visible).unwrap_or(end);
            let readings = &self.readings[at..stop];
            let parts = signature::parts(readings, visible_above);
            visible_above |=
                parts.iter().zip(readings).any(|(p, r)| *p == Part::Visible && !r.blank);
            self.parts.splice(at..stop, parts);
            at = stop.max(at) + 1;
        }
        // A message that is nothing but a signature block is a message: somebody sent it to be read.
        let nothing = |parts: &[Part], readings: &[Reading]| {
            parts.iter().zip(readings).all(|(p, r)| *p != Part::Visible || r.blank)
        };
        let quote = self.parts.contains(&Part::Quoted);
        let delimited = self
            .readings
            .iter()
            .find(|r| !r.blank)
            .is_some_and(|r| signature::is_delimiter(&r.folded));
        if nothing(&self.parts, &self.readings) && !quote && !delimited {
            self.parts = before;
        }
    }

    fn assemble(self) -> Split {
        let mut split = Split::default();
        for (line, part) in self.lines.iter().zip(&self.parts) {
            let text = match part {
                Part::Visible => &mut split.visible,
                Part::Quoted => &mut split.quoted,
                Part::Signature => &mut split.signature,
            };
            text.push_str(line.text.trim_end());
            text.push('\n');
        }
        for text in [&mut split.visible, &mut split.quoted, &mut split.signature] {
            *text = trimmed(text);
        }
        split
    }
}

/// What has been met above a line.
#[derive(Default)]
struct SoFar {
    /// Text of the sender's.
    text: bool,
    quote: bool,
}

/// What a line leads to.
enum Step {
    /// The next line to read.
    On(usize),
    /// All from this line on is quoted.
    Cut,
    /// All from this line on is for reading.
    ReadAll,
}

/// What an attribution introduces.
enum Behind {
    /// A marked quote; the line after what is given to the quote with the attribution.
    Quote(usize),
    /// Unmarked text, or nothing.
    Text,
}

/// The text without blank lines at its ends and with no more than one inside. Indentation stays.
fn trimmed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for line in text.lines() {
        if is_blank(line) && line.trim().is_empty() {
            gap = !out.is_empty();
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        if std::mem::take(&mut gap) {
            out.push('\n');
        }
        out.push_str(line);
    }
    out
}
