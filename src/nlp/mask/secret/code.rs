//! One-time and verification codes: `Your code is 482 913`, `G-482913 is your verification code`.

use std::ops::Range;

use super::super::candidate::Candidate;
use super::super::context::{WordSet, floor, words_before};
use super::super::label::{Label, Link, Topic, announced};
use super::super::recognizer::Recognizer;
use super::super::source::{Clues, Source};
use super::Makeup;
use crate::domain::masking::Entity;

pub(in super::super) struct OneTimeCode;

impl Recognizer for OneTimeCode {
    fn entity(&self) -> &Entity {
        const { &Entity::ONE_TIME_CODE }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        for label in source.labels() {
            if !matches!(label.topic, Topic::Code | Topic::CodeOfSomebody | Topic::CodeAlone) {
                continue;
            }
            if let Some((range, score)) = behind(source, label).or_else(|| before(source, label)) {
                out.push(
                    Candidate::new(range, Entity::ONE_TIME_CODE, score, "code").checked("label"),
                );
            }
        }
    }
}

/// The code that the label announces.
fn behind(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let bare = value.link == Link::Bare;
    if bare && value.words > 0 {
        return None;
    }
    let range = code_at(source, value.at)?;
    let written = &text[range.clone()];
    let fits = match label.topic {
        // "the code 482913 doesn't work": nothing else is of six digits.
        Topic::CodeOfSomebody => {
            !bare || written.len() == 6 && written.bytes().all(|b| b.is_ascii_digit())
        }
        Topic::CodeAlone => is_sent_so(written) && !is_of_something(text, label),
        _ => true,
    };
    if !fits {
        return None;
    }
    Some((range, if bare { 0.6 } else { 0.85 }))
}

/// The forms of codes that are sent and of little else: `482 913`, `G-482913`.
fn is_sent_so(code: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    match code.split_once([' ', '-']) {
        Some((a, b)) if a.len() == 3 && b.len() == 3 => digits(a) && digits(b),
        Some((a, b)) => {
            (1..=2).contains(&a.len())
                && a.bytes().all(|b| b.is_ascii_uppercase())
                && b.len() == 6
                && digits(b)
        }
        None => false,
    }
}

/// Whether the word in front says what else the code is of: "error code", "zip code".
fn is_of_something(text: &str, label: &Label) -> bool {
    static OF: WordSet = WordSet::new(
        "area article bar color colour country coupon dialling discount error exit gift hex item \
         material model order part postal post product promo promotion qr ral reference referral source \
         swift voucher zip",
    );
    words_before(text, label.range.start, 1).iter().any(|w| OF.contains(w))
}

/// Longest way back from a label to its code, in bytes, and the words on it.
const MAX_WAY: usize = 60;
const MAX_WORDS: usize = 5;

/// The code in "… is your verification code", "Use … as the code".
fn before(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    static TIES: WordSet =
        WordSet::new("is as ist als est comme es como come è é är som er jest jako to on");
    if label.topic == Topic::CodeAlone {
        return None;
    }
    let text = source.text();
    let from = floor(text, label.range.start.saturating_sub(MAX_WAY));
    let way = &text[from..label.range.start];
    let digit = way.rfind(|c: char| c.is_ascii_digit())?;
    let between = &way[digit..];
    let mut words = between.split_whitespace().skip(1);
    let tie =
        words.next().unwrap_or_else(|| way.split_whitespace().next_back().unwrap_or_default());
    if !TIES.contains(&tie.to_lowercase())
        || words.count() > MAX_WORDS
        || between.contains(['.', '!', '?', '\n'])
    {
        return None;
    }
    let word_at = last_word(&way[..digit]);
    // `482 913` is read from its first half.
    let half = last_word(way[..word_at].trim_end());
    let starts = [from + half, from + word_at];
    let code =
        starts.into_iter().filter_map(|at| code_at(source, at)).find(|r| r.end > from + digit)?;
    Some((code, 0.85))
}

/// Where the last word begins: behind the last white space, which may be several bytes long.
fn last_word(text: &str) -> usize {
    text.len() - text.rsplit(char::is_whitespace).next().map_or(0, str::len)
}

/// A code at `at`: four to eight digits, in two halves perhaps, with a letter and hyphen in front
/// perhaps; or five to ten capitals and digits.
fn code_at(source: &Source<'_>, at: usize) -> Option<Range<usize>> {
    let text = source.text();
    let rest = text.get(at..)?;
    let part = |s: &str, ok: fn(&u8) -> bool| s.bytes().take(13).take_while(ok).count();
    let prefix = match part(rest, u8::is_ascii_uppercase) {
        n @ 1..=3 if rest[n..].starts_with('-') => n + 1,
        _ => 0,
    };
    let first = part(&rest[prefix..], u8::is_ascii_digit);
    let end = prefix + first;
    let second = match rest.get(end..end + 1) {
        Some(" " | "-") if (3..=4).contains(&first) => part(&rest[end + 1..], u8::is_ascii_digit),
        _ => 0,
    };
    let halves = at..at + end + 1 + second;
    if second > 0 && second == first && source.stands_alone(&halves) {
        return Some(halves);
    }
    let whole = at..at + end;
    if (4..=8).contains(&first) && source.stands_alone(&whole) && !goes_on(&text[whole.end..]) {
        return Some(whole);
    }
    let len = part(rest, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'-');
    let word = rest[..len].trim_end_matches('-');
    let makeup = Makeup::of(word);
    let range = at..at + word.len();
    let fits = (5..=11).contains(&word.len())
        && makeup.digits > 0
        && makeup.upper > 0
        && makeup.signs <= 2;
    (fits && source.stands_alone(&range)).then_some(range)
}

/// Whether digits go on as an amount, a date or a range.
fn goes_on(rest: &str) -> bool {
    rest.starts_with(['.', ',', '-', '/', ':', '%'])
        && rest[1..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&OneTimeCode, text)
    }

    #[test]
    fn what_is_no_code_behind_a_label_does_no_harm() {
        for text in ["Passcode: 🙂 5", "passcode: é7", "passcode:\u{fffd}{\u{fffd} \u{fffd}0"] {
            assert!(found(text).is_empty(), "{text}");
        }
        assert!(found("OTP: x").is_empty());
    }

    #[test]
    fn finds_codes_on_both_sides() {
        for (text, code) in [
            ("Your code is 482913.", "482913"),
            ("OTP: 4821", "4821"),
            ("verification code 482-913", "482-913"),
            ("G-482913 is your Google verification code", "G-482913"),
            ("482 913 is your login code", "482 913"),
            ("Use 55812 as your security code", "55812"),
            ("Dein Bestätigungscode lautet X7K92P", "X7K92P"),
            ("the code you sent me was 339021", "339021"),
            ("code: 482 913", "482 913"),
            ("the code 482913 does not work", "482913"),
            ("your Google code is G-482913", "G-482913"),
            ("Hi\u{2028}482913 is your login code", "482913"),
            ("Hi\u{85}482913 is your login code", "482913"),
            ("Hi\u{1680}482 913 is your login code", "482 913"),
        ] {
            assert_eq!(found(text), [code], "{text}");
        }
    }

    #[test]
    fn leaves_other_codes() {
        for text in [
            "error code 5012",
            "the code is not working since 2019",
            "use promo code SAVE20",
            "I got no verification code for 3 days",
            "is the code 12.50",
            "error code 501 200",
            "code 5012",
            "area code 415 555",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
