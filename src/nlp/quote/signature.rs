//! Signatures at the end of what a sender wrote.
//!
//! A bare "Best, Anna" stays: it is two words, and a name that masking should see. What goes is what
//! says nothing about the request: delimited signatures, mobile footers, legal notices, and blocks
//! with a title, a company or ways to reach the sender. Lines that answer a question ("my details:")
//! look the same, so a block under a colon stays.

use std::sync::LazyLock;

use regex::Regex;

use super::engine::{Part, Reading};
use super::fold::{alternatives, entries, is_rule, pattern};
use super::markers;

/// Lines that a delimited signature may have; more is text under a stray dash line.
const LONGEST: usize = 40;
/// Lines of a titled block.
const BLOCK: usize = 12;

static CONTACT: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("(?i){}", alternatives(include_str!("words/contacts.txt")))));
static TITLE: LazyLock<Regex> = LazyLock::new(|| {
    let words = alternatives(include_str!("words/titles.txt"));
    let joined = "经理|總監|总监|工程师|有限公司|部長|課長|株式会社|팀장|과장|대리|주식회사";
    pattern(&format!(r"(?i)\b(?:{words})\b\.?|\w @ ?\p{{Lu}}|{joined}"))
});
static NAME_WORD: LazyLock<Regex> = LazyLock::new(|| {
    let particles =
        "de|del|della|di|da|do|dos|van|von|der|den|ten|le|la|el|al|bin|ibn|y|e|und|and|&";
    pattern(&format!(r"^(?:\p{{Lu}}[\p{{L}}\p{{M}}’'.-]*|{particles}),?$"))
});
static DASH_NAME: LazyLock<Regex> = LazyLock::new(|| {
    let word = r"[\p{L}\p{M}’'.-]*";
    pattern(&format!(r"^(?:[-–—~]{{1,2}} ?)\p{{L}}{word}(?: \p{{Lu}}{word}){{0,2}}$"))
});

/// Gives each line of a run of visible text its part. `visible_above` says that the sender wrote
/// something before this run.
pub(super) fn parts(lines: &[Reading], visible_above: bool) -> Vec<Part> {
    let mut parts = vec![Part::Visible; lines.len()];
    let mut run = Run { lines, start: 0, end: lines.len(), visible_above };
    if let Some(at) = run.delimiter() {
        fill(&mut parts, at, run.end, Part::Signature);
        run.end = at;
    }
    run.mobile(&mut parts);
    // Notices stand below blocks and blocks below notices; a few rounds take them all.
    for _ in 0..5 {
        run.trim();
        let Some(from) = run
            .notice()
            .or_else(|| run.ruled())
            .or_else(|| run.titled())
            .or_else(|| run.contacts())
            .or_else(|| run.dash_name())
        else {
            break;
        };
        fill(&mut parts, from, run.end, Part::Signature);
        run.end = from;
    }
    parts
}

/// The signature delimiter of mail and news, also as the dash that some programs make of it.
pub(super) fn is_delimiter(folded: &str) -> bool {
    matches!(folded, "--" | "—" | "–" | "__")
}

fn fill(parts: &mut [Part], from: usize, to: usize, part: Part) {
    parts.iter_mut().take(to).skip(from).for_each(|p| *p = part);
}

/// The lines `start..end` of a run that have no part yet.
struct Run<'a> {
    lines: &'a [Reading],
    start: usize,
    end: usize,
    visible_above: bool,
}

impl Run<'_> {
    fn text(&self, at: usize) -> &str {
        &self.lines[at].folded
    }

    /// The lines of `from..end` that are not blank.
    fn written(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        (from..self.end).filter(|n| !self.lines[*n].blank)
    }

    fn trim(&mut self) {
        while self.end > self.start && self.lines[self.end - 1].blank {
            self.end -= 1;
        }
    }

    /// Whether something of the sender's would stay if the run ended at `at`.
    fn leaves_text(&self, at: usize) -> bool {
        self.visible_above || (self.start..at).any(|n| !self.lines[n].blank)
    }

    fn delimiter(&self) -> Option<usize> {
        (self.start..self.end)
            .filter(|n| is_delimiter(self.text(*n)))
            .find(|n| self.written(n + 1).take(LONGEST + 1).count() <= LONGEST)
    }

    /// Mobile footers. What stands below one and is not the sender's answer to a quote is an older
    /// message that the phone put there without a mark.
    fn mobile(&mut self, parts: &mut [Part]) {
        let Some(at) = self.written(self.start).find(|n| markers::is_mobile(self.text(*n))) else {
            return;
        };
        let mut after = at;
        while after < self.end && (self.lines[after].blank || markers::is_mobile(self.text(after)))
        {
            parts[after] = Part::Signature;
            after += 1;
        }
        if self.leaves_text(at) {
            fill(parts, after, self.end, Part::Quoted);
            self.end = at;
        } else {
            self.start = after;
        }
    }

    /// Paragraphs of legal notice or appended footers at the end.
    fn notice(&self) -> Option<usize> {
        let mut from = self.end;
        let mut joined = String::new();
        for _ in 0..3 {
            let Some(last) = (self.start..from).rev().find(|n| !self.lines[*n].blank) else {
                break;
            };
            let first = (self.start..=last)
                .rev()
                .find(|n| self.lines[*n].blank)
                .map_or(self.start, |n| n + 1);
            let paragraph: Vec<&str> = (first..=last).map(|n| self.text(n)).collect();
            joined = format!("{} {joined}", paragraph.join(" "));
            if joined.len() > 8_000 || !self.leaves_text(first) {
                break;
            }
            from = first;
            let footer = paragraph.len() <= 6 && paragraph.iter().any(|l| markers::is_footer(l));
            if footer
                || (markers::is_legal_notice(&joined)
                    && markers::is_legal_notice(&paragraph.join(" ")))
                || (joined.len() > 200
                    && markers::is_legal_notice(&joined)
                    && is_notice_opening(&paragraph))
            {
                return Some(first);
            }
        }
        None
    }

    /// A drawn rule with a signature or a list footer below it.
    fn ruled(&self) -> Option<usize> {
        let rule = (self.start..self.end).rev().take(3 * BLOCK).find(|n| is_rule(self.text(*n)))?;
        let below: Vec<&str> = self.written(rule + 1).map(|n| self.text(n)).collect();
        if !self.leaves_text(rule) || below.len() > LONGEST {
            return None;
        }
        if below.is_empty() {
            return Some(rule);
        }
        let short =
            below.iter().all(|l| l.chars().count() <= 90 && !is_prose(l) && !is_list_item(l));
        let contacts = below.iter().filter(|l| CONTACT.is_match(l)).count();
        let names = below.len() <= 3
            && below.iter().all(|l| is_name(l) || TITLE.is_match(l) || markers::is_closing(l));
        let listed = below.iter().any(|l| markers::is_footer(l));
        (listed || (short && (contacts > 0 || names))).then_some(rule)
    }

    /// "Regards, / John Doe / Sales Manager": a closing, a name, and more than a name.
    fn titled(&self) -> Option<usize> {
        let written: Vec<usize> = self.written(self.start).collect();
        let tail = written.len().saturating_sub(BLOCK + 1);
        let closing =
            written[tail..].iter().copied().rev().find(|n| markers::is_closing(self.text(*n)))?;
        let below: Vec<&str> = self.written(closing + 1).map(|n| self.text(n)).collect();
        if !self.leaves_text(closing)
            || below.is_empty()
            || below.iter().any(|l| is_prose(l) || is_list_item(l))
        {
            return None;
        }
        let telling = below
            .iter()
            .skip(1)
            .any(|l| TITLE.is_match(l) || CONTACT.is_match(l) || l.contains(" | "))
            || below[0].contains(" | ")
            || (below[0].contains(',') && TITLE.is_match(below[0]));
        telling.then_some(closing)
    }

    /// A block of name, title and ways to reach the sender without a closing.
    fn contacts(&self) -> Option<usize> {
        let last = self.written(self.start).last()?;
        let first =
            (self.start..=last).rev().find(|n| self.lines[*n].blank).map_or(self.start, |n| n + 1);
        let block: Vec<&str> = (first..=last).map(|n| self.text(n)).collect();
        if !(2..=BLOCK).contains(&block.len()) || !self.leaves_text(first) {
            return None;
        }
        if block.iter().any(|l| l.chars().count() > 70 || is_prose(l) || is_list_item(l)) {
            return None;
        }
        let above = (self.start..first).rev().find(|n| !self.lines[*n].blank);
        if above.is_some_and(|n| self.text(n).ends_with(':')) || block[0].ends_with(':') {
            return None;
        }
        let contacts = block.iter().filter(|l| CONTACT.is_match(l)).count();
        let titles = block.iter().filter(|l| TITLE.is_match(l) && !CONTACT.is_match(l)).count();
        ((contacts >= 2 && is_name(block[0])) || (contacts >= 1 && titles >= 1)).then_some(first)
    }

    /// "-Anna" as the last line.
    fn dash_name(&self) -> Option<usize> {
        let mut backwards = (self.start..self.end).rev().filter(|n| !self.lines[*n].blank);
        let last = backwards.next()?;
        let above = backwards.next();
        let listed = above.is_some_and(|n| is_list_item(self.text(n)));
        (DASH_NAME.is_match(self.text(last)) && !listed && self.leaves_text(last)).then_some(last)
    }
}

/// Whether a line reads as a sentence, not as a field of a signature.
fn is_prose(line: &str) -> bool {
    let words = line.split_whitespace().count();
    if CONTACT.is_match(line) || TITLE.is_match(line) {
        return words > 14;
    }
    words >= 9 || (words >= 5 && line.ends_with(['.', '?', '!'])) || line.ends_with('?')
}

fn is_list_item(line: &str) -> bool {
    let text = line.trim_start();
    ["- ", "* ", "• ", "-- ", "–", "-->", "+ "].iter().any(|m| text.starts_with(m))
        || text.split_once(['.', ')']).is_some_and(|(n, rest)| {
            !n.is_empty()
                && n.len() < 3
                && n.bytes().all(|b| b.is_ascii_digit())
                && rest.starts_with(' ')
        })
}

/// Whether a line may be a person's name.
fn is_name(line: &str) -> bool {
    let line = line
        .split_once(',')
        .map_or(line, |(name, degree)| if degree.len() <= 12 { name } else { line });
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.is_empty()
        || line.chars().count() > 50
        || line.ends_with(['?', '!', ':', ';'])
        || line.chars().any(char::is_numeric)
    {
        return false;
    }
    // Scripts without capitals: a short line of letters.
    if line.chars().all(|c| !c.is_lowercase() && !c.is_uppercase()) {
        return line.chars().count() <= 16
            && line.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '·');
    }
    words.len() <= 5 && words.iter().all(|w| NAME_WORD.is_match(w))
}

/// "CONFIDENTIALITY NOTICE" and other first paragraphs of a notice of several.
fn is_notice_opening(paragraph: &[&str]) -> bool {
    paragraph.first().is_some_and(|line| {
        let lower = line.to_lowercase();
        is_rule(line)
            || entries(include_str!("words/notice_openings.txt")).any(|o| lower.starts_with(o))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::quote::fold::{fold, is_blank};

    /// The lines that stay visible.
    fn visible(text: &str) -> String {
        let lines: Vec<Reading> =
            text.split('\n').map(|l| Reading { folded: fold(l), blank: is_blank(l) }).collect();
        let parts = parts(&lines, false);
        let kept: Vec<&str> = text
            .split('\n')
            .zip(parts)
            .filter(|(_, p)| *p == Part::Visible)
            .map(|(l, _)| l)
            .collect();
        kept.join("\n").trim().to_owned()
    }

    #[test]
    fn signatures_go() {
        for signature in [
            "-- \nAnna Berg\nShop",
            "--\nAnna",
            "Regards,\n\nAnna Berg\nHead of Sales, Shop Ltd\n+49 30 1234567",
            "Mit freundlichen Grüßen\nAnna Berg\nVertrieb\nTel.: 030 1234567",
            "Anna Berg\nanna@shop.test\n(555) 010-9947\nwww.shop.test",
            "Sent from my iPhone",
            "-Anna Berg",
            "----------------\n\nAnna Berg\n\nt. 555-931-0702\n\nhttps://shop.test/",
            "_______________________________________________\nusers mailing list\nusers@lists.test\nhttps://lists.test/listinfo/users",
            "Best,\nAnna Berg\nSales Manager | Shop\n\nThis e-mail and its attachments are confidential and meant only for the intended recipient. If you are not the addressee, delete it.",
        ] {
            assert_eq!(
                visible(&format!("Where is my parcel?\n\n{signature}")),
                "Where is my parcel?",
                "{signature}"
            );
        }
    }

    #[test]
    fn bare_closings_answers_and_text_stay() {
        for text in [
            "Where is my parcel?\n\nBest,\nAnna",
            "Danke!\n\nViele Grüße\nAnna Berg",
            "Here are my details:\n\nAnna Berg\nanna@shop.test\n+49 30 1234567",
            "Thanks,\nAnna\n\nPS: please send the invoice to my new address in Hamburg too.",
            "Points:\n----\nfirst of all the parcel is late and nobody answers the phone\n----\nsecond the box was open when it came to my door",
            "I need:\n-- one\n-- two",
            "Shopping:\n- Apples\n- Pears",
            "Anna Berg\nanna@shop.test\n(555) 010-9947",
            "Sent from my desk, which is easier than my phone.",
        ] {
            assert_eq!(visible(text), text);
        }
    }
}
