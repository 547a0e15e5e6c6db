//! Countries, states and cities that stand alone, and towns behind words that place somebody:
//! "I live in …", "ich komme aus …". What the names head finds is better; this works without it.

use super::super::candidate::Candidate;
use super::super::context::{WordSet, words_before};
use super::super::label::Topic;
use super::super::recognizer::Recognizer;
use super::super::source::{Clues, Source};
use super::gazetteer::{CITIES, HOMONYMS, LONG_CITIES, STATES, may_begin, starts_with_any};
use super::part::country_at;
use super::words::{CLOSINGS, NEVER, PARTICLES};
use crate::domain::masking::Entity;

pub(in super::super) struct Place;

impl Recognizer for Place {
    fn entity(&self) -> &Entity {
        const { &Entity::LOCATION }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        find_phrased(source, out);
        find_known(source.text(), out);
    }
}

/// Towns behind a phrase: words with capitals.
fn find_phrased(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    for label in source.labels() {
        let end =
            match label.topic {
                Topic::Lives => label.range.end,
                // "born in Leeds"
                Topic::Birth => {
                    let rest = &text[label.range.end..];
                    let written = &text[label.range.clone()];
                    if written.ends_with(" à") || written.ends_with(" a") {
                        let at = label.range.end + usize::from(rest.starts_with(' '));
                        out.extend(name_end(text, at).map(|end| {
                            Candidate::new(at..end, Entity::LOCATION, 0.5, "place/phrase")
                        }));
                        continue;
                    }
                    let Some(word) =
                        [" in ", " à ", " en ", " a "].into_iter().find(|w| rest.starts_with(w))
                    else {
                        continue;
                    };
                    label.range.end + word.len() - 1
                }
                _ => continue,
            };
        let Some(at) = text[end..].strip_prefix(' ').map(|_| skip_article(text, end + 1)) else {
            continue;
        };
        if let Some(end) = name_end(text, at).or_else(|| small_end(text, at)) {
            out.push(Candidate::new(at..end, Entity::LOCATION, 0.5, "place/phrase"));
        }
    }
}

fn skip_article(text: &str, at: usize) -> usize {
    let articles =
        ["the ", "den ", "der ", "die ", "la ", "the city of ", "the state of ", "the town of "];
    let has = |a: &&&str| text.get(at..at + a.len()).is_some_and(|t| t.eq_ignore_ascii_case(a));
    at + articles.iter().filter(has).map(|a| a.len()).max().unwrap_or(0)
}

/// The end of a listed country or city in small letters.
fn small_end(text: &str, at: usize) -> Option<usize> {
    let len: usize =
        text[at..].chars().take(24).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let word = &text[at..at + len];
    country_at(text, at).or_else(|| (may_begin(word) && CITIES.contains(word)).then_some(at + len))
}

/// The end of a place's name of one to four words at `at`.
fn name_end(text: &str, at: usize) -> Option<usize> {
    let mut end = None;
    let mut next = at;
    for i in 0..4 {
        let rest = &text[next..];
        let len: usize = rest
            .chars()
            .take(32)
            .take_while(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '∆'))
            .map(char::len_utf8)
            .sum();
        let word = rest[..len].trim_end_matches(['-', '\'', '’']);
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
        let lower = word.to_lowercase();
        let capital = word.starts_with(|c: char| c.is_alphabetic() && !c.is_lowercase());
        let particle = i > 0
            && !capital
            && PARTICLES.contains(&lower)
            && !matches!(
                lower.as_str(),
                "and" | "in" | "on" | "a" | "i" | "und" | "y" | "e" | "et" | "at" | "till"
            );
        let joined =
            rest[len..].strip_prefix(' ').is_some_and(|r| r.starts_with(char::is_uppercase));
        let never = NEVER.contains(&lower) && !(lower == "new" && joined)
            || CLOSINGS.contains(&lower)
            || super::super::date::is_month(&lower)
            || super::super::date::is_weekday(&lower);
        if word.is_empty()
            || !(capital && !never || particle)
            || rest[word.len()..].starts_with(['@', '_'])
        {
            break;
        }
        if capital {
            end = Some(next + word.len());
        }
        if !rest[word.len()..].starts_with(' ') {
            break;
        }
        next += word.len() + 1;
    }
    end.filter(|e| text[at..*e].chars().nth(1).is_some())
}

/// Names of the lists with a capital, or unmistakable in small letters.
fn find_known(text: &str, out: &mut Vec<Candidate>) {
    let bytes = text.as_bytes();
    if !bytes.iter().any(u8::is_ascii_uppercase) {
        return find_small(text, out);
    }
    let mut at = 0;
    while at < bytes.len() {
        // To the next capital that begins a word; a first byte of two or more may be one.
        let Some(skip) = bytes[at..].iter().position(|b| b.is_ascii_uppercase() || *b >= 0xC3)
        else {
            break;
        };
        let start = at + skip;
        if !text.is_char_boundary(start) {
            at = start + 1;
            continue;
        }
        let len: usize = text[start..]
            .chars()
            .take(24)
            .take_while(|c| c.is_alphanumeric())
            .map(char::len_utf8)
            .sum();
        at = start + len.max(text[start..].chars().next().map_or(1, char::len_utf8));
        let begins = start == 0
            || !text[..start].ends_with(|c: char| {
                c.is_alphanumeric() || matches!(c, '@' | '_' | '.' | '/' | '-' | '#')
            });
        if len < 2 || !begins {
            continue;
        }
        if let Some(end) = known_at(text, start, len) {
            at = end;
            out.push(Candidate::new(start..end, Entity::LOCATION, 0.45, "place/known"));
        }
    }
}

/// Countries in a text without any capital.
fn find_small(text: &str, out: &mut Vec<Candidate>) {
    let mut free = 0;
    let mut at = 0;
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let start = at;
        at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        let before = text[..start].chars().next_back();
        if start < free
            || word.len() < 4
            || !may_begin(word)
            || HOMONYMS.contains(word)
            || matches!(before, Some('@' | '_' | '.' | '/' | '-' | '#'))
        {
            continue;
        }
        if let Some(end) = country_at(text, start) {
            free = end;
            out.push(Candidate::new(start..end, Entity::LOCATION, 0.45, "place/known"));
        }
    }
}

fn known_at(text: &str, start: usize, len: usize) -> Option<usize> {
    let behind = &text[start + len..];
    let touched = behind.starts_with(['@', '_', '/', '-'])
        || behind.starts_with('.') && behind[1..].starts_with(char::is_alphanumeric);
    if touched {
        return None;
    }
    if !may_begin(&text[start..start + len]) {
        return None;
    }
    let lower = text[start..start + len].to_lowercase();
    if HOMONYMS.contains(&lower) {
        return is_placed(text, start).then_some(start + len);
    }
    if let Some(end) = country_at(text, start) {
        return Some(end);
    }
    if let Some(len) = starts_with_any(&text[start..], LONG_CITIES) {
        return Some(start + len);
    }
    if is_of_goods(text, start, behind) {
        return None;
    }
    // "Boston Consulting", "Marta Palermo": part of a longer name.
    let longer = behind.strip_prefix(' ').is_some_and(|b| b.starts_with(char::is_uppercase))
        || text[..start].strip_suffix(' ').is_some_and(|b| {
            let word = b.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
            word.chars().count() > 4 && word.starts_with(char::is_uppercase)
        });
    ((CITIES.contains(&lower) || STATES.contains(&lower)) && !longer).then_some(start + len)
}

/// Whether a city only says which of the shop's goods is meant: "the Oxford shirt", "a Berlin lamp".
/// An article or the like stands in front, and a noun behind that ends its clause.
fn is_of_goods(text: &str, start: usize, behind: &str) -> bool {
    static OWNED: WordSet = WordSet::new(
        "a an another both different her his its my new old one other our second some that the their \
         these this those two your",
    );
    static NO_GOODS: WordSet = WordSet::new(
        "address airport and area as at branch but by for from hotel if in is next office on or school site so \
         station store than then today tomorrow university was when where while with yesterday",
    );
    let Some(noun) = behind.strip_prefix(' ') else { return false };
    let len = noun.bytes().take(24).take_while(u8::is_ascii_lowercase).count();
    let ends = noun[len..].is_empty()
        || noun[len..].starts_with([' ', '.', ',', ';', '!', '?', ')', '\n']);
    let owned = words_before(text, start, 1).iter().any(|w| OWNED.contains(w));
    owned && (3..24).contains(&len) && ends && !NO_GOODS.contains(&noun[..len])
}

/// Whether "in", "from" or "to" stands in front.
fn is_placed(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches(' ');
    let word =
        before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
    matches!(
        word.as_str(),
        "in" | "from"
            | "to"
            | "aus"
            | "nach"
            | "à"
            | "en"
            | "em"
            | "i"
            | "w"
            | "uit"
            | "van"
            | "near"
    )
}
