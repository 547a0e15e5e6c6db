//! The parts of a sentence that are either right or wrong: numbers, amounts, months, links, addresses, names. A sentence
//! whose every word is near its evidence and whose amount is not in it is worse than a vague one.

use std::collections::HashSet;

use crate::nlp::chunk::masked_tokens;
use crate::nlp::lexical::{is_function_word, terms};

/// Something that must stand in the evidence as it stands in the sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Specific {
    /// As written in the sentence.
    pub text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// In every way its separators can be read, in thousandths, and what it counts (`€`, `%`), if that is written at it.
    Number(Vec<i64>, Option<char>),
    /// From 1 to 12.
    Month(u8),
    /// A link or an e-mail address, lower case, without the punctuation that follows.
    Address(String),
    /// A capitalised word inside a sentence, folded.
    Name(String),
}

/// What the evidence has of each kind.
#[derive(Debug, Default)]
pub struct Known {
    numbers: Vec<(Vec<i64>, Option<char>)>,
    months: HashSet<u8>,
    addresses: HashSet<String>,
    /// All words, folded: a name may stand at the head of a sentence there.
    words: HashSet<String>,
}

/// Number words, by value; en, de, es, fr, it, pt, nl. "One" is left out: it is an article in most of them.
const NUMBER_WORDS: &[(i64, &str)] = &[
    (2, "two zwei dos deux due dois duas twee twice"),
    (3, "three drei tres trois tre drie"),
    (4, "four vier cuatro quatre quattro quatro"),
    (5, "five funf cinco cinq cinque vijf"),
    (6, "six sechs seis sei zes"),
    (7, "seven sieben siete sept sette sete zeven"),
    (8, "eight acht ocho huit otto oito"),
    (9, "nine neun nueve neuf nove negen"),
    (10, "ten zehn diez dix dieci dez tien"),
    (11, "eleven elf once onze undici"),
    (12, "twelve zwolf doce douze dodici doze twaalf dozen"),
    (14, "fourteen vierzehn catorce quatorze quattordici veertien fortnight"),
    (15, "fifteen funfzehn quince quinze quindici vijftien"),
    (20, "twenty zwanzig veinte vingt venti vinte twintig"),
    (30, "thirty dreissig treinta trente trenta trinta dertig"),
    (60, "sixty sechzig sesenta soixante sessanta sessenta zestig"),
    (90, "ninety neunzig noventa novanta negentig"),
    (100, "hundred hundert cien cent cento cem honderd"),
];

/// Months, January first; en, de, es, fr, it, pt, nl. "May" and "mars" are also other words and count only beside a
/// number.
const MONTHS: [&str; 12] = [
    "january januar enero janvier gennaio janeiro januari jan",
    "february februar febrero fevrier febbraio fevereiro februari feb",
    "march marz marzo mars marco maart mar",
    "april abril avril aprile apr",
    "may mai mayo maggio maio mei",
    "june juni junio juin giugno junho jun",
    "july juli julio juillet luglio julho jul",
    "august agosto aout augustus aug",
    "september septiembre septembre settembre setembro sept sep",
    "october oktober octubre octobre ottobre outubro oct okt",
    "november noviembre novembre novembro nov",
    "december dezember diciembre decembre dicembre dezembro dec dez",
];

impl Specific {
    /// Whether the evidence has it.
    pub fn is_in(&self, known: &Known) -> bool {
        match &self.kind {
            Kind::Number(readings, unit) => {
                known.numbers.iter().any(|(r, u)| meets(readings, r) && same_unit(*unit, *u))
            }
            Kind::Month(month) => known.months.contains(month),
            Kind::Address(address) => known.addresses.contains(address),
            Kind::Name(name) => known.words.contains(name),
        }
    }

    /// Whether it is a number, month or address, as opposed to a name, which may merely be a capitalised word.
    pub fn is_hard(&self) -> bool {
        !matches!(self.kind, Kind::Name(_))
    }

    /// Whether the evidence has another one where this one should be: a number of the same unit, or a month.
    pub fn has_rival_in(&self, known: &Known) -> bool {
        match &self.kind {
            Kind::Number(_, unit) => known.numbers.iter().any(|(_, u)| unit == u),
            Kind::Month(_) => !known.months.is_empty(),
            Kind::Address(_) => !known.addresses.is_empty(),
            Kind::Name(_) => false,
        }
    }
}

fn meets(a: &[i64], b: &[i64]) -> bool {
    a.iter().any(|x| b.contains(x))
}

/// A bare number may stand for an amount, but euros are not dollars.
fn same_unit(a: Option<char>, b: Option<char>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// The specifics of a sentence, in order.
pub fn specifics(sentence: &str) -> Vec<Specific> {
    let mut found = Vec::new();
    let mut first_word = true;
    for word in words_of(sentence) {
        if let Some(address) = address(word) {
            found.push(Specific { text: address.clone(), kind: Kind::Address(address) });
        } else if let Some((readings, unit)) = number(word) {
            found.push(Specific { text: word.to_owned(), kind: Kind::Number(readings, unit) });
        } else if let Some(kind) =
            month(word).map(Kind::Month).or_else(|| name(word).filter(|_| !first_word))
        {
            found.push(Specific { text: trimmed(word).to_owned(), kind });
        }
        first_word = word.ends_with(['.', '!', '?', ':']);
    }
    drop_lone_months(sentence, &mut found);
    found
}

/// "May" without a number anywhere near is a verb.
fn drop_lone_months(sentence: &str, found: &mut Vec<Specific>) {
    if !sentence.contains(|c: char| c.is_ascii_digit()) {
        found.retain(|s| !matches!(s.kind, Kind::Month(_)));
    }
}

impl Known {
    /// Reads a text of the evidence.
    pub fn read(text: &str) -> Self {
        let mut known = Self::default();
        for word in words_of(text) {
            if let Some(address) = address(word) {
                known.addresses.insert(address);
            }
            // A date as 2026-11-22, a range as 3-5 and a time as 12:30 hold several numbers.
            for part in word.split(['-', '–', '/', ':', '(', ')']) {
                known.numbers.extend(number(part));
            }
            known.numbers.extend(number(word));
            known.months.extend(month(word));
        }
        for term in terms(text) {
            known.numbers.extend(number_word(&term).map(|n| (vec![n * 1_000], None)));
            known.words.insert(term);
        }
        known
    }
}

/// Words split at white space, without the placeholders of masked values: these are the sender's business.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let mut pieces = Vec::new();
    let mut done = 0;
    for token in masked_tokens(text) {
        pieces.push(&text[done..token.start]);
        done = token.end;
    }
    pieces.push(&text[done..]);
    pieces.into_iter().flat_map(str::split_whitespace)
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn address(word: &str) -> Option<String> {
    let bare = word
        .trim_matches(|c: char| matches!(c, '(' | ')' | '<' | '>' | '"' | '\'' | '„' | '“' | '”'));
    let bare = bare.trim_end_matches(['.', ',', ';', ':', '!', '?', '/']);
    let is_link = bare.contains("://") || bare.starts_with("www.");
    let is_mail = bare.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.contains('.'));
    (is_link || is_mail).then(|| bare.to_lowercase())
}

/// The readings of a number in thousandths. `1.000` is a thousand or one, by where it was written.
fn number(word: &str) -> Option<(Vec<i64>, Option<char>)> {
    let unit = word.chars().find(|c| matches!(c, '€' | '$' | '£' | '¥' | '%'));
    let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
    let rest = word.replacen(bare, "", 1);
    // `A4` and `LF-204617` are names, `30th`, `5kg` and `10am` are numbers.
    if bare.is_empty()
        || word.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(char::is_alphabetic)
    {
        return None;
    }
    if rest.chars().filter(|c| c.is_alphabetic()).count() > 3 || bare.len() > 15 {
        return None;
    }
    let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
    let separators = bare.chars().filter(|c| matches!(c, '.' | ',' | '\'')).count();
    if digits.len() + separators != bare.len() {
        return None;
    }
    let whole = digits.parse::<i64>().ok()?.checked_mul(1_000)?;
    let tail = bare.rsplit(['.', ',', '\'']).next().map_or(0, str::len);
    let mut readings = Vec::new();
    if separators == 0 || tail == 3 {
        readings.push(whole);
    }
    if separators > 0 && (1..=3).contains(&tail) {
        readings.push(whole / 10_i64.pow(u32::try_from(tail).ok()?));
    }
    (!readings.is_empty()).then_some((readings, unit))
}

fn number_word(term: &str) -> Option<i64> {
    NUMBER_WORDS.iter().find(|(_, words)| words.split(' ').any(|w| w == term)).map(|(n, _)| *n)
}

fn month(word: &str) -> Option<u8> {
    let folded = terms(trimmed(word)).into_iter().next()?;
    let at = MONTHS.iter().position(|names| names.split(' ').any(|n| n == folded))?;
    u8::try_from(at + 1).ok()
}

/// A word with a capital that is no function word.
fn name(word: &str) -> Option<Kind> {
    let bare = trimmed(word);
    let has_capital = bare.chars().next().is_some_and(char::is_uppercase);
    let folded = terms(bare).into_iter().next()?;
    (has_capital && bare.chars().count() >= 2 && !is_function_word(&folded))
        .then_some(Kind::Name(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(claim: &str, evidence: &str) -> Vec<String> {
        let known = Known::read(evidence);
        specifics(claim).into_iter().filter(|s| !s.is_in(&known)).map(|s| s.text).collect()
    }

    #[test]
    fn amounts_are_compared_by_value_and_unit() {
        assert!(
            missing("It costs €6.90 or 1,000 points.", "Kostet 6,90 € oder 1000 Punkte").is_empty()
        );
        assert_eq!(missing("It costs $6.90.", "It costs €6.90"), ["$6.90."]);
        assert_eq!(missing("It takes 5 days.", "It takes 3 days"), ["5"]);
        assert!(missing("It takes 30 days, 3 to 5.", "It takes thirty days, 3-5.").is_empty());
        assert!(missing("A 10% discount by 14:30", "10 % off by 14:30").is_empty());
    }

    #[test]
    fn dates_links_and_names() {
        assert!(missing("Until 31 January 2027.", "until 2027-01-31, January").is_empty());
        assert_eq!(missing("Until 31 March.", "until 31 January"), ["March"]);
        assert!(missing("You may try it.", "nothing").is_empty());
        assert_eq!(
            missing("See https://evil.example/x.", "See https://good.example/x."),
            ["https://evil.example/x"]
        );
        assert_eq!(
            missing("We ship with Talpost and Evri.", "Talpost ships."),
            ["Evri."].map(|s| s.trim_end_matches('.'))
        );
        assert!(
            missing("Write to <EMAIL_1> about LF-204617.", "").iter().all(|m| m == "LF-204617")
        );
    }

    #[test]
    fn rivals_are_of_the_same_kind() {
        let known = Known::read("It costs €6.90.");
        assert!(specifics("It costs €9.90")[0].has_rival_in(&known));
        assert!(!specifics("It takes 9 days")[0].has_rival_in(&known));
    }
}
