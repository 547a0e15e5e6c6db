//! Cutting text into what may be shown as it stands and what must be set apart.
//!
//! Two things hide in rendered text: placeholders, which a reviewer must recognise at a glance, and
//! characters that change how a line reads without being seen (bidirectional overrides, control
//! codes, tag characters). A signature covers both, so the page shows both.

use serde::Serialize;

use super::words::SegmentKind;

/// A run of text, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// Text to show as it stands.
    Text(&'t str),
    /// A masked value, angle brackets included.
    Placeholder(&'t str),
    /// One or more characters that a browser would obey instead of showing.
    Hidden(&'t str),
}

/// A run of text as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    pub kind: SegmentKind,
    /// The run itself; empty when hidden, so that no template can print it raw.
    pub text: String,
    /// What a placeholder stands for, or which characters are hidden; empty for text.
    pub label: String,
}

/// Cuts rendered masked text for a template.
pub fn segments(rendered: &str) -> Vec<Segment> {
    tokens(rendered)
        .map(|token| match token {
            Token::Text(text) => {
                Segment { kind: SegmentKind::Text, text: text.to_owned(), label: String::new() }
            }
            Token::Placeholder(text) => Segment {
                kind: SegmentKind::Placeholder,
                text: text.to_owned(),
                label: type_name(text),
            },
            Token::Hidden(text) => {
                Segment { kind: SegmentKind::Hidden, text: String::new(), label: code_points(text) }
            }
        })
        .collect()
}

/// The runs of `text`, in order; joined they are `text`.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let token = first_token(rest)?;
        let (Token::Text(run) | Token::Placeholder(run) | Token::Hidden(run)) = token;
        rest = &rest[run.len()..];
        Some(token)
    })
}

/// Names hidden characters for a person: `U+202E`, or `U+E0041 and 11 more`.
pub fn code_points(hidden: &str) -> String {
    let first = hidden.chars().next().map_or(0, u32::from);
    match hidden.chars().count().saturating_sub(1) {
        0 => format!("U+{first:04X}"),
        more => format!("U+{first:04X} and {more} more"),
    }
}

fn first_token(text: &str) -> Option<Token<'_>> {
    let first = text.chars().next()?;
    if let Some(length) = placeholder_length(text) {
        return Some(Token::Placeholder(&text[..length]));
    }
    if is_hidden(first) {
        let length = text.find(|c| !is_hidden(c)).unwrap_or(text.len());
        return Some(Token::Hidden(&text[..length]));
    }
    let mut visible_to = 0;
    for (at, c) in text.char_indices() {
        if c == BLACK_FLAG {
            visible_to = at + flag_length(&text[at..]);
        }
        let hidden = at >= visible_to && is_hidden(c);
        if at > 0 && (hidden || placeholder_length(&text[at..]).is_some()) {
            return Some(Token::Text(&text[..at]));
        }
    }
    Some(Token::Text(text))
}

/// Bytes of the placeholder that `text` begins with: `<TYPE_n>`, TYPE of capitals, digits and underscores.
fn placeholder_length(text: &str) -> Option<usize> {
    const LONGEST: usize = 48;
    let body = text.strip_prefix('<')?;
    let end = body.bytes().take(LONGEST).position(|b| b == b'>')?;
    let (name, number) = body[..end].rsplit_once('_')?;
    let named = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let numbered = !number.starts_with('0') && number.parse::<u32>().is_ok_and(|n| n > 0);
    let plain = number.bytes().all(|b| b.is_ascii_digit());
    (named && numbered && plain).then_some(end + 2)
}

const BLACK_FLAG: char = '\u{1F3F4}';

/// Bytes of the regional flag that `text` begins with: a black flag, three to six tag characters and
/// the cancel tag (UTS #51, annex C). Longer runs are no flag but something smuggled.
fn flag_length(text: &str) -> usize {
    let tags: Vec<char> = text.chars().skip(1).take_while(|c| is_tag(*c)).take(8).collect();
    match tags.split_last() {
        Some(('\u{E007F}', region)) if (3..=6).contains(&region.len()) => {
            text.chars().take(1 + tags.len()).map(char::len_utf8).sum()
        }
        _ => BLACK_FLAG.len_utf8(),
    }
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007F}')
}

/// Bidirectional embeddings, overrides and isolates; control codes; annotations; tags.
fn is_hidden(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0001}' => true,
        _ => c.is_control() || is_tag(c),
    }
}

fn type_name(placeholder: &str) -> String {
    let inner = placeholder.trim_matches(['<', '>']);
    let name = inner.rsplit_once('_').map_or(inner, |(name, _)| name);
    match name {
        "EMAIL" => "e-mail address".to_owned(),
        "PHONE" => "phone number".to_owned(),
        "CARD" => "card number".to_owned(),
        "IBAN" => "bank account (IBAN)".to_owned(),
        "IP" => "IP address".to_owned(),
        "URL" => "web address".to_owned(),
        "MAC" => "MAC address".to_owned(),
        "SSN" => "social security number".to_owned(),
        other => other.to_ascii_lowercase().replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn placeholders_are_set_apart_and_named() {
        let found = segments("Hi <PERSON_1>, write to <EMAIL_12>.");
        let runs: Vec<_> =
            found.iter().map(|s| (s.kind, s.text.as_str(), s.label.as_str())).collect();
        assert_eq!(
            runs,
            [
                (SegmentKind::Text, "Hi ", ""),
                (SegmentKind::Placeholder, "<PERSON_1>", "person"),
                (SegmentKind::Text, ", write to ", ""),
                (SegmentKind::Placeholder, "<EMAIL_12>", "e-mail address"),
                (SegmentKind::Text, ".", ""),
            ]
        );
    }

    #[test]
    fn look_alikes_stay_text() {
        for text in [
            "<b>",
            "<EMAIL>",
            "<EMAIL_0>",
            "<EMAIL_01>",
            "<email_1>",
            "<_1>",
            "<EMAIL_1",
            "<EMAIL_+1>",
            "a < B_1 >",
        ] {
            assert_eq!(tokens(text).collect::<Vec<_>>(), [Token::Text(text)], "{text}");
        }
    }

    #[test]
    fn characters_that_deceive_are_hidden_and_flags_are_not() {
        let found: Vec<_> = tokens("pay \u{202E}\u{2066}x\u{0}").collect();
        assert_eq!(
            found,
            [
                Token::Text("pay "),
                Token::Hidden("\u{202E}\u{2066}"),
                Token::Text("x"),
                Token::Hidden("\u{0}")
            ]
        );
        let scotland = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}!";
        assert_eq!(tokens(scotland).collect::<Vec<_>>(), [Token::Text(scotland)]);
        let smuggled = "\u{1F3F4}\u{E0041}\u{E0042}";
        assert_eq!(tokens(smuggled).last(), Some(Token::Hidden("\u{E0041}\u{E0042}")));
        assert_eq!(segments("\u{E0041}\u{E0042}")[0].label, "U+E0041 and 1 more");
        assert_eq!(segments("\u{E0041}")[0].text, "");
    }

    proptest! {
        #[test]
        fn tokens_joined_are_the_text(text in "(\\PC|[<>_A-Z0-9]|\u{202E}|\u{E0041}|\u{1F3F4}|\n){0,60}") {
            let joined: String = tokens(&text)
                .map(|token| match token {
                    Token::Text(run) | Token::Placeholder(run) | Token::Hidden(run) => run,
                })
                .collect();
            prop_assert_eq!(joined, text);
        }
    }
}
