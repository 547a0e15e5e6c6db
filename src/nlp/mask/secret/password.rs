//! Passwords, passphrases of networks, PINs and card verification values, behind the word for
//! them.
//!
//! "My password is wrong" holds none. So the closer the value is tied to its label, the less it
//! has to look like a password: behind a colon any word that ends the line will do, behind "is" it
//! needs a digit or sign or must be no word that is said of passwords, and without either it needs
//! letters and digits.

use std::ops::Range;

use super::super::candidate::Candidate;
use super::super::context::WordSet;
use super::super::label::{Announced, Label, Link, Topic, announced, token};
use super::super::recognizer::Recognizer;
use super::super::source::{Clues, Source};
use super::{Makeup, connection};
use crate::domain::masking::Entity;

pub(in super::super) struct Password;

impl Recognizer for Password {
    fn entity(&self) -> &Entity {
        const { &Entity::PASSWORD }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        if source.clues().colons > 1 && source.clues().at_signs > 0 {
            let found = connection::passwords(source.text());
            out.extend(found.map(|range| {
                Candidate::new(range, Entity::PASSWORD, 0.9, "password/address").checked("form")
            }));
        }
        for label in source.labels() {
            let found = match label.topic {
                Topic::Password | Topic::PasswordShort => password(source, label),
                Topic::Pin => pin(source, label),
                _ => None,
            };
            if let Some((range, score, name)) = found {
                out.push(Candidate::new(range, Entity::PASSWORD, score, name).checked("label"));
            }
        }
    }
}

type Found = (Range<usize>, f32, &'static str);

fn password(source: &Source<'_>, label: &Label) -> Option<Found> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    let range = token(text, &value);
    let word = text.get(range.clone())?;
    if label.topic == Topic::PasswordShort && value.link != Link::Sign {
        // "a pass for 2 days", "boarding pass AB1234": `pass` is a word, `pw` is none.
        let is_word = text[label.range.clone()].eq_ignore_ascii_case("pass");
        let makeup = Makeup::of(word);
        let mixed = makeup.digits > 0 && makeup.lower > 0 && word.chars().count() >= 6;
        if !mixed || value.words > 0 || is_word && value.link == Link::Bare {
            return None;
        }
    }
    let score = judge(text, &value, &range, word)?;
    Some((with_second(text, range), score, "password"))
}

/// How likely `word` is a password, `None` if it is not.
fn judge(text: &str, value: &Announced, range: &Range<usize>, word: &str) -> Option<f32> {
    let chars = word.chars().count();
    if !(3..=64).contains(&chars) || is_stand_in(word) || word.contains("://") {
        return None;
    }
    let makeup = Makeup::of(word);
    let lower = word.to_lowercase();
    let is_said = SAID_OF_PASSWORDS.contains(lower.trim_end_matches('!'));
    // A digit or sign inside, or a capital that does not begin the word.
    let signs = word.chars().filter(|c| "!@#$%^&*_+=?~§€£".contains(*c)).count();
    let initial = usize::from(word.starts_with(char::is_uppercase));
    let is_mixed = makeup.digits > 0 && makeup.letters() > 0
        || signs > usize::from(word.ends_with(['!', '?']))
        || makeup.lower > 0 && makeup.upper > initial;
    let is_measure =
        makeup.digits > 0 && word.contains('-') && signs == 0 && value.link < Link::Sign;
    match value.link {
        _ if is_said => None,
        _ if value.closed_by.is_some() && value.link > Link::Bare => Some(0.9),
        Link::Sign if value.words > 2 => None,
        Link::Sign if is_mixed || makeup.digits >= 4 => Some(0.9),
        Link::Sign => ends_line(&text[range.end..]).then_some(0.6),
        Link::Verb if is_mixed && !is_measure => Some(0.85),
        Link::Verb if makeup.digits >= 4 && makeup.signs == 0 => Some(0.7),
        Link::Verb => {
            let plain = value.words == 0 && makeup.letters() == chars && (5..=20).contains(&chars);
            let ends = ends_clause(&text[range.end..]);
            (plain && ends && !is_participle(&lower)).then_some(0.45)
        }
        Link::Bare => {
            let strong = makeup.digits > 0 && makeup.letters() > 0 && chars >= 6;
            (value.words == 0 && strong && !word.contains(['-', '/', '.', '@', '(', '\'']))
                .then_some(0.6)
        }
    }
}

/// What forms and programs write in a password's place.
fn is_stand_in(word: &str) -> bool {
    let hidden =
        word.chars().all(|c| matches!(c, '*' | '•' | '●' | 'x' | 'X' | '.' | '_' | '-' | '…'));
    hidden || word.starts_with(['{', '⟦', '<', '[', '%']) || word.starts_with("${")
}

/// "anna / hunter2" behind "username and password:".
fn with_second(text: &str, range: Range<usize>) -> Range<usize> {
    let rest = &text[range.end..];
    let Some(second) = rest.strip_prefix(" / ") else { return range };
    let len = second.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(second.len().min(64));
    let end = range.end + 3 + super::super::context::floor(second, len.min(64));
    range.start..end
}

fn ends_line(rest: &str) -> bool {
    let rest = rest.trim_start_matches([
        '.', ',', ';', '!', '"', '\'', ')', '*', '`', '|', ' ', '\t', '”', '»',
    ]);
    rest.is_empty() || rest.starts_with(['\n', '\r', '<', '/'])
}

fn ends_clause(rest: &str) -> bool {
    let rest = rest.trim_start_matches(' ');
    rest.is_empty() || rest.starts_with(['.', ',', ';', '!', '\n', '\r', ')'])
}

/// Endings of what is said about passwords: "was changed", "ist abgelaufen", "est expiré".
fn is_participle(word: &str) -> bool {
    const ENDINGS: [&str; 40] = [
        "ed", "ing", "able", "ible", "ly", "ous", "ful", "less", "ive", "ent", "ant", "al", "ic",
        "en", "ert", "lich", "bar", "ig", "los", "é", "ée", "ido", "ida", "ado", "ada", "ato",
        "ata", "uto", "uta", "ito", "ita", "to", "ad", "at", "it", "et", "ny", "na", "ne", "own",
    ];
    ENDINGS.iter().any(|e| word.ends_with(e))
}

/// Three to eight digits, which stand alone.
fn pin(source: &Source<'_>, label: &Label) -> Option<Found> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    if value.words > 2 || value.link == Link::Bare && value.words > 0 {
        return None;
    }
    let digits = text[value.at..].bytes().take(9).take_while(u8::is_ascii_digit).count();
    let range = value.at..value.at + digits;
    let goes_on = text[range.end..].starts_with(['.', ',', '-', '/', ':', '%'])
        && text[range.end + 1..].starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = (3..=8).contains(&digits) && source.stands_alone(&range) && !goes_on;
    let is_counted = COUNTED.contains(
        &text[range.end..]
            .trim_start()
            .chars()
            .take(12)
            .take_while(|c| c.is_alphabetic())
            .collect::<String>()
            .to_lowercase(),
    );
    let score = if value.link > Link::Bare { 0.9 } else { 0.7 };
    (fits && !is_counted).then_some((range, score, "password/pin"))
}

static COUNTED: WordSet = WordSet::new(
    "attempts attempt times digits digit days day hours minutes mal fois veces volte tentatives versuche stellen chiffres",
);

/// What stands behind "password is" or "password:" and is none.
static SAID_OF_PASSWORDS: WordSet = WordSet::new(
    "about accepted again also always and asked bad because been being best blank broken case correct \
     compromised changed different empty enough error even expired fail failed fails false fine for \
     forgotten from gone good hacked hard help here hidden incorrect invalid issue issues just known \
     like locked long lost missing must my new no none not now null off okay old only optional out please \
     pls protected problem public question recovery required reset right safe same secret secure \
     sent set shared short simple something still stolen strong stronger stuck supposed \
     that the there this too true unknown unsafe update used valid very via visible weak what when where \
     which why with work working works wrong your yours recover reminder forgot unchanged manager managers login username email \
     abgelaufen aktuell anders bekannt bitte blockiert falsch fehlerhaft geändert gehackt gesperrt \
     gestohlen gleich gültig immer inkorrekt kaputt kein korrekt leer leider lang kurz mein mit neu nicht \
     noch nötig richtig schon schwach sehr sicher stark ungültig unbekannt unsicher vergessen verloren \
     weg wieder zu zurücksetzen zurückgesetzt \
     bloqué changé compliqué correct court erroné expiré faible faux fort inconnu incorrecte invalide \
     mauvais modifié non oublié pas perdu piraté plus refusé rejeté toujours valide volé \
     bloqueada bloqueado caducada caducado cambiada correcta correcto débil errada errado errónea \
     expirada expirado fuerte inválida inválido incorrecta incorrecto incorreta incorreto mal nueva \
     olvidada olvidado perdida segura válida errata corretta scaduta sbagliata dimenticata debole \
     bloccata nuova sicura valida non valida verlopen vergeten fout onjuist ongeldig geblokkeerd \
     verkeerd sterk zwak nieuw juist niet fel felaktigt ogiltigt spärrat glömt glemt forkert ugyldigt \
     ugyldig feil utgått utløbet inte ikke nie błędne nieprawidłowe niepoprawne wygasło złe zapomniane \
     zablokowane väärä väärin unohtunut vanhentunut",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        Password.find(&Source::new(text, None), &mut out);
        out.into_iter().filter(|c| c.score >= 0.4).map(|c| text[c.range].to_owned()).collect()
    }

    #[test]
    fn finds_what_opens() {
        for (text, secret) in [
            ("my password is Tr0ub4dor&3, please", "Tr0ub4dor&3"),
            ("Passwort: sommer", "sommer"),
            ("password is swordfish.", "swordfish"),
            ("PIN: 4821", "4821"),
            ("CVV 123.", "123"),
            ("pw=abc", "abc"),
            ("{\"password\": \"correct horse\"}", "correct horse"),
            ("username and password: anna / hunter2", "anna / hunter2"),
            ("Mitt lösenord är kaffe99", "kaffe99"),
            ("my pass is Kitty123", "Kitty123"),
            ("login anna pw geheim1 danke", "geheim1"),
            ("use postgres://anna:pa55@localhost/db", "pa55"),
        ] {
            assert_eq!(found(text), [secret], "{text}");
        }
    }

    #[test]
    fn leaves_talk_about_passwords() {
        for text in [
            "my password is wrong",
            "Password: ********",
            "the password is not accepted",
            "password must have 8-12 characters",
            "Mein Passwort ist abgelaufen",
            "I entered my PIN 3 times",
            "password reset",
            "my pin is 5 digits",
            "Password: please reset it",
            "my boarding pass AB1234",
            "my pw is gone",
            "pass 24h ticket",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
