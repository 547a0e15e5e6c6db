//! Attribution lines: "On 5 May 2021 at 10:00, Anna <anna@x.test> wrote:" in the languages that mail
//! programs write them, over up to six lines.
//!
//! Not one pattern a language but a few facts about a line: a date, a time, an address, a verb of
//! writing in its place, the colon at the end. The facts generalise over programs and versions; the
//! words only say which language's verb it is.

use std::sync::LazyLock;

use regex::Regex;

use super::fold::{alternatives, fold, is_blank, pattern};
use crate::nlp::html::{Line, Mark};

/// How sure an attribution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// Cuts whatever follows.
    Strong,
    /// Counts only if a quote follows.
    Weak,
}

/// An attribution that spans the lines `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribution {
    pub first: usize,
    pub last: usize,
    /// Where it begins within its first line; text before it is the sender's.
    pub from_byte: usize,
    /// Where it ends within its last line, if quoted text follows on the same line.
    pub to_byte: Option<usize>,
    pub strength: Strength,
}

/// Lines that one attribution may span, blank ones included.
const SPAN: usize = 7;
/// Longest attribution, in bytes of folded text.
const LONGEST: usize = 500;
/// Windows tried in one message; more than any mail has, few enough for a hostile one.
const TRIES: usize = 20_000;

const VERBS: &str = include_str!("words/verbs.txt");
const VERBS_INSIDE: &str = include_str!("words/verbs_inside.txt");
const VERBS_JOINED: &str = include_str!("words/verbs_joined.txt");
const OPENERS: &str = include_str!("words/openers.txt");
const OWN_STORY_WORDS: &str = include_str!("words/own_story.txt");

/// "… wrote:", with the endings that languages put in brackets and words for "the following".
static VERB_AT_END: LazyLock<Regex> = LazyLock::new(|| {
    let (verbs, joined) = (alternatives(VERBS), alternatives(VERBS_JOINED));
    let ending = r"(?:\((?:a|la|ла|ה|а)\)|/a)?";
    let following = "(?: (?:o seguinte|lo siguiente|quanto segue|het volgende|følgende|följande))?";
    pattern(&format!(
        r#"(?i)(?:(?:^|[\s"'”»)>,:\]])(?:{verbs}){ending}{following}|(?:{joined}))[ ]?:?$"#
    ))
});
static VERB_INSIDE: LazyLock<Regex> = LazyLock::new(|| {
    let (verbs, joined) = (alternatives(VERBS_INSIDE), alternatives(VERBS_JOINED));
    pattern(&format!(r"(?i)(?:\s(?:{verbs})(?:\(a\))?[\s,]|(?:{joined}))"))
});
/// "Anna Berg <anna@shop.test> wrote:", with nothing else.
static NAME_ADDRESS_VERB: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^["\p{Lu}][^@<>,:]{0,60}<[^<>\s]+@[^<>\s]+>[^@<>,]{2,30}:$"#));
/// A verb and a colon with more text behind.
static VERB_THEN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"(?i)[\s>)](?:{})(?:\(a\))?[ ]?:[ ]?", alternatives(VERBS)))
});
/// Endings that belong to the sender's own story: "I wrote:", "it was sent:".
static OWN_STORY: LazyLock<Regex> = LazyLock::new(|| {
    let words = alternatives(OWN_STORY_WORDS);
    pattern(&format!(r"(?i)(?:^|\s)(?:{words})\s+(?:have |had |has |just )?[^\s]+\s*:?$"))
});
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let year_first = r"\d{4}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}";
    let day_first = r"\b\d{1,2}[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}";
    let year = r"\b(?:19|20)\d\d\b|\d{4}년|[٠-٩۰-۹]{1,4}";
    pattern(&format!("{year_first}|{day_first}|{year}"))
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    let with_word = r"(?:kl\.?|klo|pukul|alle ore|um|kell) ?\d{1,2}\.\d{2}";
    let half_days = "上午|下午|午前|午後|오전|오후";
    pattern(&format!(r"\d{{1,2}}[:h]\d{{2}}|{half_days}|{with_word}|[٠-٩۰-۹]{{1,2}}:"))
});
static DAY: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b\d{1,2}\b"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"@[\w-]+(?:\.[\w-]+)+|mailto:"));
static ADDRESS_AT_END: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"[<(\[][^<>()]{0,80}@[^\s<>()]+(?: ?\([^()]*\))?[>)\]]+"? ?:?$"#));
static STARTS_WITH_DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[\p{L}.]{0,12},? ?\d{1,4}(?:[-/.:年]|[.]? \p{L}{3,12}[.,]? \d{2,4}|:\d\d)")
});
static OPENER: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("^(?:{}) ", alternatives(OPENERS))));
static OPENER_INSIDE: LazyLock<Regex> = LazyLock::new(|| {
    let openers = alternatives(OPENERS);
    pattern(&format!(
        r"[\s.!?,;:)\-–—]+(?:{openers}) (?:[\p{{L}}]{{2,12}}[.,]{{0,2}} ){{0,3}}\d{{1,4}}"
    ))
});
static DASHED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^-{2,}[ ]?([^-].{0,200}?)[ ]?-{2,}$"));

/// Finds the attributions of a message, in order and without overlap.
pub(super) fn find(lines: &[Line]) -> Vec<Attribution> {
    let mut found: Vec<Attribution> = Vec::new();
    let mut tries = 0;
    for last in 0..lines.len() {
        if tries > TRIES || !may_end(&lines[last]) {
            continue;
        }
        // A weak one may turn out to be the first line of a longer one.
        let free_from = found
            .last()
            .map_or(0, |a| if a.strength == Strength::Weak { a.first } else { a.last + 1 });
        if let Some(attribution) = ending_at(lines, free_from, last, &mut tries) {
            while found.last().is_some_and(|a| a.last >= attribution.first) {
                found.pop();
            }
            found.push(attribution);
        }
    }
    found
}

/// Cheap test whether an attribution can end in this line.
fn may_end(line: &Line) -> bool {
    let text = line.text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    if text.is_empty() || text.len() > 2_000 || line.mark == Mark::Signature {
        return false;
    }
    let quoted = text.trim_start().starts_with('>');
    if quoted && text.len() > 40 {
        return false;
    }
    text.ends_with([':', '：', '-', '>', '*'])
        || text.contains(':')
        || VERB_AT_END.is_match(&fold(text))
}

/// The attribution whose last line is `last`, if there is one; the shortest that makes sense,
/// lengthened upwards over the opening word.
fn ending_at(
    lines: &[Line],
    free_from: usize,
    last: usize,
    tries: &mut usize,
) -> Option<Attribution> {
    let lowest = free_from.max((last + 1).saturating_sub(SPAN));
    let mut best: Option<Attribution> = None;
    let mut window = String::new();
    let mut blanks = 0;
    for first in (lowest..=last).rev() {
        let line = fold(&lines[first].text);
        if is_blank(&line) {
            blanks += 1;
            if blanks > 2 || !tail_of_attribution(&window) {
                break;
            }
            continue;
        }
        if first < last && lines[first].mark != lines[last].mark {
            break;
        }
        window = if window.is_empty() { line.clone() } else { format!("{line} {window}") };
        if window.len() > LONGEST {
            break;
        }
        *tries += 1;
        let opens = OPENER.is_match(&line) && line.contains(char::is_numeric);
        let sure = best.is_some_and(|b| b.strength == Strength::Strong);
        let dates = line.len() < 60 && STARTS_WITH_DATE.is_match(&line) && DATE.is_match(&line);
        if sure && !opens && !dates {
            continue;
        }
        if let Some(strength) = judge(&window)
            && (best.is_none() || strength == Strength::Strong)
        {
            let from_byte = if blanks == 0 { inner_start(&lines[first].text, &window) } else { 0 };
            best = Some(Attribution { first, last, from_byte, to_byte: None, strength });
        }
        if opens && best.is_some_and(|b| b.strength == Strength::Strong) {
            break;
        }
    }
    best.or_else(|| with_text_behind(lines, last))
}

/// A line from which an attribution can go on after a blank line: the verb or the address alone.
fn tail_of_attribution(window: &str) -> bool {
    let tail = window.trim_start_matches(['>', '<', ' ']);
    window.starts_with('<')
        || tail.starts_with("mailto:")
        || tail.len() < 24 && VERB_AT_END.is_match(tail)
}

/// An attribution with the quoted text behind it on the same line, as when HTML was flattened.
fn with_text_behind(lines: &[Line], at: usize) -> Option<Attribution> {
    let text = &lines[at].text;
    let end = VERB_THEN_TEXT.find(text)?.end();
    let head = fold(&text[..end]);
    if end >= text.trim_end().len() || head.len() > LONGEST {
        return None;
    }
    let sure =
        judge(&head) == Some(Strength::Strong) && ADDRESS.is_match(&head) && DATE.is_match(&head);
    let from_byte = inner_start(text, &head);
    (sure && (from_byte > 0 || OPENER.is_match(&head))).then_some(Attribution {
        first: at,
        last: at,
        from_byte,
        to_byte: Some(end),
        strength: Strength::Strong,
    })
}

/// Where an attribution begins inside a line that the sender's own words open ("reply On Wed, …"), in
/// bytes of `raw`; nought if it opens the line. `window` is the attribution with that line first.
fn inner_start(raw: &str, window: &str) -> usize {
    let Some(found) = OPENER_INSIDE.find(raw) else { return 0 };
    if OPENER.is_match(window) || STARTS_WITH_DATE.is_match(window) || DASHED.is_match(window) {
        return 0;
    }
    // Dashes and spaces before the opening word go with the attribution, a full stop does not.
    let punctuation = raw[found.start()..].len()
        - raw[found.start()..].trim_start_matches(['.', '!', '?', ',', ';', ':', ')']).len();
    let start = found.start() + punctuation;
    let before = raw[..start].trim();
    if before.is_empty() || before.chars().all(|c| !c.is_alphanumeric()) || ADDRESS.is_match(before)
    {
        0
    } else {
        start
    }
}

/// Judges a folded window of lines as one attribution.
fn judge(window: &str) -> Option<Strength> {
    let dashed = DASHED.captures(window).and_then(|c| c.get(1)).map(|m| m.as_str());
    let text = dashed.unwrap_or(window);
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '|'));
    let text = text.trim_start_matches(['>', ' ', '-']);
    let colon = text.ends_with(':');
    let verb_last = VERB_AT_END.is_match(text);
    if dashed.is_some() && verb_last {
        return Some(Strength::Strong);
    }
    let date = DATE.is_match(text);
    let time = TIME.is_match(text);
    let address = ADDRESS.is_match(text);
    if !begins_well(text) || text.contains('|') {
        return None;
    }
    if verb_last {
        let dated = date || (DAY.is_match(text) && OPENER.is_match(text));
        if OWN_STORY.is_match(text) {
            return (colon && dated && time).then_some(Strength::Weak);
        }
        return match (colon, dated && (address || time)) {
            (true, true) => Some(Strength::Strong),
            (true, false) if NAME_ADDRESS_VERB.is_match(text) => Some(Strength::Strong),
            (false, true) if address && time => Some(Strength::Strong),
            (true, false) if dated || address || is_name_and_verb(text) => Some(Strength::Weak),
            _ => None,
        };
    }
    if colon && VERB_INSIDE.is_match(text) && date {
        return Some(if time || address { Strength::Strong } else { Strength::Weak });
    }
    let dated_address = date && ADDRESS_AT_END.is_match(text);
    match (colon, dated_address, STARTS_WITH_DATE.is_match(text)) {
        (true, true, _) if time => Some(Strength::Strong),
        (true, true, true) => Some(Strength::Strong),
        (true, false, true) if address && time => Some(Strength::Strong),
        (_, true, _) => Some(Strength::Weak),
        // "Quoting Anna <anna@shop.test>:"
        (true, false, _) if text.split(' ').count() <= 8 && ADDRESS_AT_END.is_match(text) => {
            Some(Strength::Weak)
        }
        _ => None,
    }
}

/// "Anna Berg wrote:": a name, not the verb alone, which is the end of a wrapped attribution.
fn is_name_and_verb(text: &str) -> bool {
    let verb = VERB_AT_END.find(text).map_or(text.len(), |m| m.start());
    let words = text[..verb].split_whitespace().count();
    (1..=5).contains(&words)
        && text.starts_with(|c: char| {
            c.is_uppercase() || !c.is_lowercase() && c.is_alphabetic() || c == '"'
        })
}

/// Whether a window begins as an attribution does: with few words, and no finished sentence, before
/// its first date or address.
fn begins_well(text: &str) -> bool {
    let cue = text
        .find(|c: char| c.is_numeric() || matches!(c, '@' | '<' | '(' | '"'))
        .unwrap_or(text.len());
    let before = &text[..cue];
    let mut previous = ' ';
    let mut finished = false;
    for (at, c) in before.char_indices() {
        let stop = matches!(previous, '.' | '!' | '?') && c == ' ';
        // "Wed. 5 May" goes on in lower case or with a digit; a sentence ends before a capital.
        finished |= stop
            && before[at + 1..].chars().next().is_some_and(char::is_uppercase)
            && before[..at].len() > 5;
        previous = c;
    }
    !finished && before.split_whitespace().count() <= 8 && before.chars().count() <= 70
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strength(text: &str) -> Option<Strength> {
        let lines: Vec<Line> =
            text.split('\n').map(|t| Line { text: t.to_owned(), mark: Mark::None }).collect();
        let found = find(&lines);
        (found.len() == 1 && found[0].first == 0 && found[0].last + 1 == lines.len())
            .then(|| found[0].strength)
    }

    /// As Gmail, Apple Mail, Thunderbird, Outlook on phones, Yahoo, Yandex and others write them.
    #[test]
    fn attributions_of_thirty_languages_are_known() {
        for line in [
            "On Tue, 4 May 2021 at 10:02, Anna Berg <anna@shop.test> wrote:",
            "On May 4, 2021, at 10:02 AM, Anna Berg wrote:",
            "Anna Berg <anna@shop.test> wrote on Tue, 4 May 2021 at 10:02:",
            "Am Di., 4. Mai 2021 um 10:02 Uhr schrieb Anna Berg <anna@shop.test>:",
            "Anna Berg <anna@shop.test> schrieb am Di., 4. Mai 2021, 10:02:",
            "Am 04.05.21 um 10:02 schrieb Anna Berg:",
            "Le mar. 4 mai 2021 à 10:02, Anna Berg <anna@shop.test> a écrit :",
            "El mar, 4 may 2021 a las 10:02, Anna Berg (<anna@shop.test>) escribió:",
            "Em ter., 4 de mai. de 2021 às 10:02, Anna Berg <anna@shop.test> escreveu:",
            "Il giorno mar 4 mag 2021 alle ore 10:02 Anna Berg <anna@shop.test> ha scritto:",
            "Op di 4 mei 2021 om 10:02 schreef Anna Berg <anna@shop.test>:",
            "Op 4 mei 2021, om 10:02 heeft Anna Berg <anna@shop.test> het volgende geschreven:",
            "Den tis 4 maj 2021 kl 10:02 skrev Anna Berg <anna@shop.test>:",
            "tir. 4. mai 2021 kl. 10:02 skrev Anna Berg <anna@shop.test>:",
            "Den tirs. 4. maj 2021 kl. 10.02 skrev Anna Berg <anna@shop.test>:",
            "ti 4. toukok. 2021 klo 10.02 Anna Berg (anna@shop.test) kirjoitti:",
            "wt., 4 maj 2021 o 10:02 Anna Berg <anna@shop.test> napisał(a):",
            "út 4. 5. 2021 v 10:02 odesílatel Anna Berg <anna@shop.test> napsal:",
            "ut 4. 5. 2021 o 10:02 Anna Berg <anna@shop.test> napísal(a):",
            "вт, 4 мая 2021 г. в 10:02, Анна Берг <anna@shop.test>:",
            "04.05.2021, 10:02, \"Анна Берг\" <anna@shop.test>:",
            "вт, 4 трав. 2021 р. о 10:02 Анна Берг <anna@shop.test> пише:",
            "На вт, 4.05.2021 г. в 10:02 Анна Берг <anna@shop.test> написа:",
            "Anna Berg <anna@shop.test> ezt írta (időpont: 2021. máj. 4., K, 10:02):",
            "mar., 4 mai 2021 la 10:02, Anna Berg <anna@shop.test> a scris:",
            "uto, 4. svi 2021. u 10:02 Anna Berg <anna@shop.test> napisao je:",
            "Στις Τρί 4 Μαΐ 2021 στις 10:02 π.μ., ο/η Anna Berg <anna@shop.test> έγραψε:",
            "Anna Berg <anna@shop.test>, 4 May 2021 Sal, 10:02 tarihinde şunu yazdı:",
            "\u{202b}בתאריך יום ג׳, 4 במאי 2021 ב-10:02 מאת \u{202a}Anna Berg\u{202c}\u{200f} <\u{202a}anna@shop.test\u{202c}\u{200f}>:\u{202c}",
            "في الثلاثاء، ٤ مايو ٢٠٢١ في ١٠:٠٢ ص تمت كتابة ما يلي بواسطة Anna <anna@shop.test>:",
            "Vào Th 3, 4 thg 5, 2021 vào lúc 10:02 Anna Berg <anna@shop.test> đã viết:",
            "ในวันที่ อ. 4 พ.ค. 2021 เวลา 10:02 Anna Berg <anna@shop.test> เขียนว่า:",
            "Pada tanggal Sel, 4 Mei 2021 pukul 10.02 Anna Berg <anna@shop.test> menulis:",
            "2021年5月4日(火) 10:02 Anna Berg <anna@shop.test>:",
            "Anna Berg <anna@shop.test> 于2021年5月4日周二 上午10:02写道：",
            "在 2021年5月4日，上午10:02，安娜 写道：",
            "2021년 5월 4일 (화) 오전 10:02, Anna Berg <anna@shop.test>님이 작성:",
            "El dt., 4 de maig 2021 a les 10:02, Anna Berg (<anna@shop.test>) va escriure:",
        ] {
            assert_eq!(strength(line), Some(Strength::Strong), "{line}");
        }
    }

    #[test]
    fn wrapped_attributions_are_whole() {
        for text in [
            "On Tue, 4 May 2021 at 10:02, Anna Berg <\na-very-long-address-of-a-shop@shop.test> wrote:",
            "On 4 May 2021,\nat 10:02,\nAnna Berg\n<anna@shop.test>\nwrote:",
            "Le mar. 4 mai 2021 à 10:02, Anna Berg <anna@shop.test>\na écrit :",
            "W dniu 2021-05-04 10:02, użytkownik Anna Berg\n<anna@shop.test>\nnapisał:",
        ] {
            assert_eq!(strength(text), Some(Strength::Strong), "{text}");
        }
    }

    #[test]
    fn ordinary_sentences_are_not_attributions() {
        for text in [
            "On the whole I am happy:",
            "On Tuesday she wrote to me.",
            "My order of 4 May 2021 has not come, these are the items:",
            "I told support@shop.test on 4 May 2021 at 10:02 that:",
            "Please check:",
            "My address is anna@shop.test:",
            "Le colis du 4 mai 2021 contenait :",
        ] {
            assert_eq!(strength(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_and_a_verb_need_a_quote_behind_them() {
        assert_eq!(strength("Anna Berg wrote:"), Some(Strength::Weak));
        assert_eq!(strength("Hans Müller schrieb:"), Some(Strength::Weak));
        assert_eq!(strength("On 4 May 2021 at 10:02 I wrote:"), Some(Strength::Weak));
    }
}
