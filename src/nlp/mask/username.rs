//! Names of accounts: `@handle`, and what stands behind "username:" or "my login is".

use std::ops::Range;

use super::candidate::Candidate;
use super::context::WordSet;
use super::label::{Label, Link, Topic, announced, token};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// Longest handle of the large networks, in bytes.
const MAX_HANDLE: usize = 39;

pub(super) struct Username;

impl Recognizer for Username {
    fn entity(&self) -> &Entity {
        const { &Entity::USERNAME }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        if source.clues().at_signs > 0 {
            find_handles(source, out);
        }
        for label in source.labels().iter().filter(|l| l.topic == Topic::Username) {
            if let Some((range, score)) = labelled(source, label) {
                out.push(
                    Candidate::new(range, Entity::USERNAME, score, "username").checked("label"),
                );
            }
        }
    }
}

/// What is written with an `@` and is nobody: places in sentences, style sheets, annotations.
static NOBODY: WordSet = WordSet::new(
    "all anything best channel charset everyone font-face gmail gmx here home hotmail import keyframes least media \
     night noon once override param return school the today tomorrow tonight token work yahoo",
);

fn find_handles(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    for (at, _) in text.match_indices('@') {
        let begins = source.before(at).is_none_or(|c| {
            c.is_whitespace()
                || matches!(
                    c,
                    '(' | '[' | '{' | '"' | '\'' | ':' | ',' | ';' | '>' | '/' | '“' | '*' | '|'
                )
        });
        if !begins {
            continue;
        }
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let len = text[at + 1..].bytes().take(MAX_HANDLE + 1).take_while(part).count();
        let name = text[at + 1..at + 1 + len].trim_end_matches(['.', '-']);
        let range = at..at + 1 + name.len();
        let continues =
            source.after(range.end).is_some_and(|c| c.is_alphanumeric() || matches!(c, '@' | '/'));
        let letters = name.bytes().filter(u8::is_ascii_alphabetic).count();
        let is_name = (3..=MAX_HANDLE).contains(&name.len()) && letters >= 2 && !is_hour(name);
        if is_name && !continues && !NOBODY.contains(&name.to_ascii_lowercase()) {
            out.push(
                Candidate::new(range, Entity::USERNAME, 0.6, "username/handle").checked("form"),
            );
        }
    }
}

/// `@5pm`, `@10am`: digits with an hour's letters.
fn is_hour(name: &str) -> bool {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    rest.len() < name.len()
        && matches!(rest.to_ascii_lowercase().as_str(), "am" | "pm" | "h" | "hrs" | "uhr")
}

/// Words that are labels only before a sign, as they are said of much else.
static LOOSE: WordSet = WordSet::new(
    "account discord github handle insta instagram login pseudo skype snapchat telegram tiktok twitter usuario usuário utente utilizador identifiant",
);

/// What is said of names of accounts.
static SAID_OF_NAMES: WordSet = WordSet::new(
    "account already also and are app been blocked but button can com details does empty error failed failure for \
     forgotten from has here hidden id in incorrect info information invalid is issue issues link locked login \
     missing must my name no none not number of on only or page password passwords please problem \
     problems required same screen taken that the to too unknown username valid via was with wrong your \
     aber bereits falsch gesperrt ist kein mit nicht oder ohne passwort ungültig unbekannt und vergessen \
     est et incorrect invalide non oublié ou pas y o no incorrecto inválido bloqueado e ou não \
     errato non valido sbagliato en niet of onjuist fel inte och forkert ikke og nie oraz",
);

fn labelled(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let written = text[label.range.clone()].to_lowercase();
    let loose = LOOSE.contains(&written);
    if value.words > 1 || value.link == Link::Bare || loose && value.link != Link::Sign {
        return None;
    }
    let range = token(text, &value);
    let name = text.get(range.clone())?.trim_end_matches('!');
    let range = range.start..range.start + name.len();
    let chars = name.chars().count();
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '#');
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    let digits = name.chars().any(|c| c.is_ascii_digit());
    let marked = digits || name.contains(['_', '.', '-', '@', '#']) || value.closed_by.is_some();
    if !(3..=40).contains(&chars)
        || !name.chars().all(part)
        || letters == 0 && !written.ends_with("id")
        || name.contains("..")
        || SAID_OF_NAMES.contains(&name.to_lowercase())
    {
        return None;
    }
    match value.link {
        Link::Sign if marked => Some((range, 0.8)),
        // A plain word must end its line or clause, else it begins a sentence.
        Link::Sign => ends(&text[range.end..]).then_some((range, 0.6)),
        Link::Verb if marked => Some((range, 0.7)),
        _ => None,
    }
}

fn ends(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['"', '\'', '*', '`', '”', '»', ' ']);
    rest.is_empty() || rest.starts_with(['\n', '\r', ',', ';', '.', '|', '/', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&Username, text)
    }

    #[test]
    fn finds_handles_and_account_names() {
        assert_eq!(found("thanks @anna_b! cc (@Bob99)"), ["@anna_b", "@Bob99"]);
        assert_eq!(found("Username: annab"), ["annab"]);
        assert_eq!(found("my username is anna_92"), ["anna_92"]);
        assert_eq!(found("Benutzername lautet anna92."), ["anna92"]);
        assert_eq!(found("Instagram: anna.b"), ["anna.b"]);
    }

    #[test]
    fn leaves_what_is_nobody() {
        for text in [
            "anna@example.com",
            "meet @ 5",
            "see you @5pm @home",
            "my username is not accepted",
            "username: please help",
            "@media (min-width)",
            "username and password",
            "the login is broken",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
