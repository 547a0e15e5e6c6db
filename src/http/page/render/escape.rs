//! How a value gets into the HTML: the one formatter, and the filters by which templates cut and encode
//! texts.

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State};

use crate::http::page::view::{Token, code_points, segments, tokens};

/// Prints one value of a template: the only way from a context into the HTML.
pub(super) fn print(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            // Safe strings are what macros and blocks of our own templates produced.
            if value.is_safe() {
                out.write_str(text)?
            } else {
                write_escaped(out, text)?
            }
            Ok(())
        }
        ValueKind::Number => Ok(write!(out, "{value}")?),
        // Only an `if` without `else` gets here with undefined; strict mode refuses the rest earlier.
        ValueKind::Undefined => Ok(()),
        kind => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("a template printed a {kind}")))
        }
    }
}

/// Writes text that means itself in element content and in quoted attributes.
pub(super) fn write_escaped(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    for token in tokens(text) {
        let run = match token {
            Token::Text(run) | Token::Placeholder(run) => run,
            Token::Hidden(run) => {
                write!(out, "\u{2039}{}\u{203A}", code_points(run))?;
                continue;
            }
        };
        let mut written = 0;
        for (at, byte) in run.bytes().enumerate() {
            let entity = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => continue,
            };
            out.write_str(&run[written..at])?;
            out.write_str(entity)?;
            written = at + 1;
        }
        out.write_str(&run[written..])?;
    }
    Ok(())
}

/// Filter for texts: cuts them so that a template can set placeholders apart.
pub(super) fn segment_values(text: &str) -> Value {
    Value::from(Serde(segments(text)))
}

/// Filter for digests: the twelve digits that people compare.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// Filter for editors: drops hidden characters, so that what is typed over and saved is what was shown.
pub(super) fn plain(text: &str) -> String {
    tokens(text)
        .filter_map(|token| match token {
            Token::Text(run) | Token::Placeholder(run) => Some(run),
            Token::Hidden(_) => None,
        })
        .collect()
}

/// Filter for URLs: percent-encodes all but RFC 3986's unreserved characters, so that an id stays
/// one path segment or one query value whatever is in it.
pub(super) fn component(text: &str) -> String {
    // A path segment of dots alone would be resolved away, encoded or not.
    if !text.is_empty() && text.bytes().all(|byte| byte == b'.') {
        return "-".to_owned();
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    encoded
}
