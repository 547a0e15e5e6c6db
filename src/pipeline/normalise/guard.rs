//! Looks at the raw bytes of a mail before the parser does, in one pass, and refuses what would make
//! the parser slow or deep.
//!
//! Everything here errs on the side of counting too much: a "Content-Type:" is counted wherever it
//! stands, because header fields may begin behind a boundary in the middle of a line. The types
//! themselves are read by the parser's own function, so that both see the same.

use aho_corasick::AhoCorasick;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use super::{MimeLimits, NormaliseError};

/// Longest Content-Type field.
const LONGEST_TYPE: usize = 64 * 1024;
/// Steps that the parser may take in searches that can fail. About a second.
const STEPS: usize = 1_000_000_000;
/// Steps within one field, for parameters and encoded words that are tried one after the other.
const FIELD_STEPS: usize = 8_000_000;
/// A boundary has 70 characters at most; a longer one is compared by its beginning.
const BOUNDARY: usize = 100;

/// A type that some header declares.
struct Declared {
    at: usize,
    kind: Kind,
}

enum Kind {
    /// A multipart with the index of its boundary.
    Multipart(Option<usize>),
    /// A mail inside the mail, or a digest, whose parts are mails.
    Mail,
}

/// Where a boundary occurs.
struct Occurrence {
    boundary: usize,
    end: usize,
}

/// Refuses a mail that passes a limit.
pub(super) fn check(raw: &[u8], limits: &MimeLimits) -> Result<(), NormaliseError> {
    if raw.len() > limits.max_bytes {
        return Err(NormaliseError::TooLarge { size: raw.len(), limit: limits.max_bytes });
    }
    let mut boundaries: Vec<Vec<u8>> = Vec::new();
    let declared = declared(raw, limits, &mut boundaries)?;
    let occurrences = occurrences(raw, &boundaries, limits)?;
    failing_searches(raw, &declared, boundaries.len(), &occurrences)?;
    header_blocks(raw, &declared, &occurrences, limits)
}

/// Finds every declared multipart and nested mail.
fn declared(
    raw: &[u8],
    limits: &MimeLimits,
    boundaries: &mut Vec<Vec<u8>>,
) -> Result<Vec<Declared>, NormaliseError> {
    let (mut found, mut mails, mut multiparts, mut steps) = (Vec::new(), 0, 0, 0);
    for (at, _) in raw.iter().enumerate().filter(|(_, b)| **b == b':') {
        if !names_content_type(&raw[..at]) {
            continue;
        }
        let field = field(&raw[at + 1..], LONGEST_TYPE);
        if field.len() == LONGEST_TYPE {
            return Err(NormaliseError::HeadersTooLarge { limit: LONGEST_TYPE });
        }
        let cost = cost(field, true);
        steps += cost;
        if cost > FIELD_STEPS || steps > STEPS {
            return Err(NormaliseError::TooComplex);
        }
        // The parser wants the line feed that the last line of a mail may lack.
        let line = if field.ends_with(b"\n") { field.to_vec() } else { [field, b"\n"].concat() };
        let HeaderValue::ContentType(content_type) = MessageStream::new(&line).parse_content_type()
        else {
            continue;
        };
        let digest =
            content_type.ctype() == "multipart" && content_type.subtype() == Some("digest");
        if content_type.ctype() == "message" || digest {
            mails += 1;
            found.push(Declared { at, kind: Kind::Mail });
        }
        if content_type.ctype() == "multipart" {
            multiparts += 1;
            let boundary = content_type.attribute("boundary").filter(|b| !b.is_empty()).map(|b| {
                let line: Vec<u8> =
                    b"--".iter().chain(b.as_bytes().iter().take(BOUNDARY)).copied().collect();
                boundaries.iter().position(|known| *known == line).unwrap_or_else(|| {
                    boundaries.push(line);
                    boundaries.len() - 1
                })
            });
            found.push(Declared { at, kind: Kind::Multipart(boundary) });
        }
        if mails > limits.max_nested_mails {
            return Err(NormaliseError::TooDeep { limit: limits.max_nested_mails });
        }
        if multiparts > limits.max_multiparts {
            return Err(NormaliseError::TooDeep { limit: limits.max_multiparts });
        }
    }
    Ok(found)
}

/// Whether these bytes end with "Content-Type", as the parser reads names: in any case, with white
/// space anywhere.
fn names_content_type(before: &[u8]) -> bool {
    let mut name = b"content-type".iter().rev();
    let line = before.iter().rev().take_while(|b| **b != b'\n');
    let mut rest = line.filter(|b| !b.is_ascii_whitespace());
    name.all(|wanted| rest.next().is_some_and(|b| b.to_ascii_lowercase() == *wanted))
}

/// A field up to its end: a line feed that no white space follows. At most `longest` bytes of it.
fn field(from: &[u8], longest: usize) -> &[u8] {
    let bounded = &from[..from.len().min(longest)];
    let end = (0..bounded.len())
        .find(|n| bounded[*n] == b'\n' && !matches!(bounded.get(n + 1), Some(b' ' | b'\t')))
        .map_or(bounded.len(), |n| n + 1);
    &bounded[..end]
}

/// Steps that the parser may take over one field: each encoded word, and in types each continued
/// parameter, can cost a pass over the rest of it.
fn cost(field: &[u8], is_type: bool) -> usize {
    let words = field.windows(2).filter(|w| w == b"=?").count();
    let parameters =
        if is_type { field.iter().filter(|b| matches!(b, b'*' | b'\'')).count() } else { 0 };
    (words + parameters).saturating_mul(field.len())
}

/// Finds every place where a boundary stands, in order.
fn occurrences(
    raw: &[u8],
    boundaries: &[Vec<u8>],
    limits: &MimeLimits,
) -> Result<Vec<Occurrence>, NormaliseError> {
    if boundaries.is_empty() {
        return Ok(Vec::new());
    }
    let search = AhoCorasick::new(boundaries).map_err(|_too_large| NormaliseError::TooComplex)?;
    let mut found = Vec::new();
    for hit in search.find_overlapping_iter(raw) {
        found.push(Occurrence { boundary: hit.pattern().as_usize(), end: hit.end() });
        if found.len() > limits.max_parts {
            return Err(NormaliseError::TooManyParts { limit: limits.max_parts });
        }
    }
    Ok(found)
}

/// Counts the multiparts whose boundary never comes: for each the parser reads to the end of the mail.
fn failing_searches(
    raw: &[u8],
    declared: &[Declared],
    boundaries: usize,
    occurrences: &[Occurrence],
) -> Result<(), NormaliseError> {
    let mut last = vec![0; boundaries];
    for occurrence in occurrences {
        last[occurrence.boundary] = occurrence.end;
    }
    let failing = declared
        .iter()
        .filter(|d| matches!(d.kind, Kind::Multipart(Some(b)) if last[b] <= d.at))
        .count();
    if failing.saturating_mul(raw.len()) > STEPS {
        return Err(NormaliseError::TooComplex);
    }
    Ok(())
}

/// Measures the header blocks: at the start, behind each boundary, and behind the header of each mail
/// inside the mail.
fn header_blocks(
    raw: &[u8],
    declared: &[Declared],
    occurrences: &[Occurrence],
    limits: &MimeLimits,
) -> Result<(), NormaliseError> {
    let starts = std::iter::once(0).chain(occurrences.iter().map(|o| o.end));
    let mut done = 0;
    let mut mails =
        declared.iter().filter(|d| matches!(d.kind, Kind::Mail)).map(|d| d.at).peekable();
    let mut steps = 0;
    for start in starts {
        if (start < done && done > 0) || raw[start..].starts_with(b"--") {
            continue;
        }
        let mut from = start;
        loop {
            let end = header_block(raw, from, limits, &mut steps)?;
            while mails.next_if(|at| *at < from).is_some() {}
            let holds_mail = mails.peek().is_some_and(|at| *at < end);
            from = end;
            if !holds_mail || end >= raw.len() {
                break;
            }
            mails.next();
        }
        done = from;
    }
    Ok(())
}

/// Measures one block; returns where it ends.
fn header_block(
    raw: &[u8],
    from: usize,
    limits: &MimeLimits,
    steps: &mut usize,
) -> Result<usize, NormaliseError> {
    let too_large = NormaliseError::HeadersTooLarge { limit: limits.max_header_bytes };
    let mut at = from;
    let mut fields = 0;
    while at < raw.len() {
        let rest = &raw[at..];
        let first_line = rest.iter().position(|b| *b == b'\n').map_or(rest, |n| &rest[..n]);
        // White space at the start of a later line would have folded it into the field above.
        if first_line.iter().all(u8::is_ascii_whitespace) {
            return Ok((at + first_line.len() + 1).min(raw.len()));
        }
        let field = field(rest, limits.max_header_bytes + 1);
        fields += 1;
        at += field.len().max(1);
        *steps += cost(field, is_type_field(field));
        if at - from > limits.max_header_bytes || fields > limits.max_header_fields {
            return Err(too_large);
        }
        if *steps > STEPS {
            return Err(NormaliseError::TooComplex);
        }
    }
    Ok(raw.len())
}

fn is_type_field(field: &[u8]) -> bool {
    field
        .get(..8)
        .is_some_and(|name| name.trim_ascii_start().to_ascii_lowercase().starts_with(b"content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(raw: &[u8]) -> Result<(), NormaliseError> {
        check(raw, &MimeLimits::default())
    }

    #[test]
    fn ordinary_mail_passes() {
        let mail = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nInner\r\n--x--\r\n";
        assert_eq!(verdict(mail), Ok(()));
        assert_eq!(
            verdict(b"Subject: plain\n\nContent-Type: multipart/mixed in a sentence"),
            Ok(())
        );
    }

    #[test]
    fn types_are_found_wherever_the_parser_would_read_them() {
        for name in ["Content-Type", "c ontent - TYPE ", "--bContent-Type", "x: y\n\tContent-Type"]
        {
            assert!(names_content_type(name.as_bytes()), "{name}");
        }
        assert!(!names_content_type(b"Content-Typ"));
    }

    #[test]
    fn each_limit_has_its_error() {
        let codes = |raw: String| verdict(raw.as_bytes()).map_err(|e| e.code());
        assert_eq!(codes("Content-Type: message/rfc822\n\n".repeat(101)), Err("mail_too_deep"));
        assert_eq!(
            codes("Content-Type: multipart/mixed; boundary=a\n\n--a\n".repeat(501)),
            Err("mail_too_deep")
        );
        assert_eq!(
            codes(format!(
                "Content-Type: multipart/mixed; boundary=a\n\n{}",
                "--a\n\n".repeat(2_001)
            )),
            Err("mail_too_many_parts")
        );
        assert_eq!(
            codes(format!("Subject: {}\n\nx", "a".repeat(600_000))),
            Err("mail_headers_too_large")
        );
        assert_eq!(codes(format!("{}\nx", "a:b\n".repeat(2_001))), Err("mail_headers_too_large"));
        assert_eq!(codes("x".repeat(26 * 1024 * 1024)), Err("mail_too_large"));
        let parameters: String = (0..3_000).map(|n| format!(";a*{n}=x")).collect();
        assert_eq!(
            codes(format!("Content-Type: text/plain{parameters}\n\nx")),
            Err("mail_too_complex")
        );
        let missing = "--a\nContent-Type: multipart/mixed; boundary=z\n\n".repeat(400);
        assert_eq!(
            codes(format!(
                "Content-Type: multipart/mixed; boundary=a\n\n{missing}{}",
                "x\n".repeat(2_000_000)
            )),
            Err("mail_too_complex")
        );
    }
}
