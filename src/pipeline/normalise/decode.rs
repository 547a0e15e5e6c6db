//! Transfer encodings and character sets, leniently: mail that declares the wrong thing is read as
//! what it is, and noted.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{HeaderName, Message, MessagePart, MimeHeaders, PartType};

use super::{Oddities, raw_field};

/// The bytes of a part with its transfer encoding undone.
pub(super) fn bytes(
    message: &Message<'_>,
    part: &MessagePart<'_>,
    oddities: &mut Oddities,
) -> Vec<u8> {
    let raw = message
        .raw_message
        .get(part.offset_body as usize..part.offset_end as usize)
        .unwrap_or_default();
    if let (PartType::Text(text), true) = (&part.body, part.is_encoding_problem && is_mail(part)) {
        // Declared as a mail but none: the parser's offsets reach past its end, its text does not.
        return text.as_bytes().to_vec();
    }
    match encoding(message, part).as_str() {
        "base64" => base64(raw, oddities),
        "quoted-printable" => quoted_printable(raw),
        "" | "7bit" | "8bit" | "binary" => raw.to_vec(),
        _ => {
            oddities.note("A part has an unknown transfer encoding and was read as it is.");
            raw.to_vec()
        }
    }
}

fn is_mail(part: &MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|c| c.ctype() == "message")
}

/// The name of the transfer encoding in lower case; empty without one.
fn encoding(message: &Message<'_>, part: &MessagePart<'_>) -> String {
    let field = part.headers.iter().rev().find(|h| h.name == HeaderName::ContentTransferEncoding);
    let Some(field) = field else { return String::new() };
    let value = String::from_utf8_lossy(raw_field(message, field.offset_start, field.offset_end))
        .to_lowercase();
    value.split([';', '(']).next().unwrap_or("").trim().trim_matches('"').to_owned()
}

fn base64(raw: &[u8], oddities: &mut Oddities) -> Vec<u8> {
    if let Some(bytes) = base64_decode(raw) {
        return bytes;
    }
    oddities.note("A part is declared as base64 but holds other characters.");
    // Footers that lists append are whole lines of other characters; the lines before them count.
    let valid = |line: &&[u8]| {
        line.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\r' | b' ' | b'\t')
        })
    };
    let clean: Vec<u8> = raw.split(|b| *b == b'\n').take_while(valid).flatten().copied().collect();
    match base64_decode(&clean) {
        Some(bytes) if !bytes.is_empty() => bytes,
        _ => raw.to_vec(),
    }
}

/// RFC 2045 section 6.7; an equals sign that begins no escape stays.
fn quoted_printable(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    for line in raw.split_inclusive(|b| *b == b'\n') {
        let body = line.trim_ascii_end();
        let (body, soft) = match body.strip_suffix(b"=") {
            Some(body) => (body, true),
            None => (body, false),
        };
        let mut at = 0;
        while at < body.len() {
            let escaped = (body[at] == b'=')
                .then(|| Some((hex(*body.get(at + 1)?)?, hex(*body.get(at + 2)?)?)))
                .flatten();
            match escaped {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    at += 3;
                }
                None => {
                    out.push(body[at]);
                    at += 1;
                }
            }
        }
        if !soft && line.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// The text of a part: transfer encoding, character set, and for plain text the soft line breaks of
/// `format=flowed` undone.
pub(super) fn text(
    message: &Message<'_>,
    part: &MessagePart<'_>,
    oddities: &mut Oddities,
) -> String {
    let bytes = bytes(message, part, oddities);
    let html = matches!(part.body, PartType::Html(_));
    let content_type = part.content_type();
    let declared = content_type.and_then(|c| c.attribute("charset")).map(str::to_owned);
    let charset = declared.or_else(|| html.then(|| meta_charset(&bytes)).flatten());
    let text = characters(&bytes, charset.as_deref(), oddities);
    let flowed = content_type
        .and_then(|c| c.attribute("format"))
        .is_some_and(|f| f.eq_ignore_ascii_case("flowed"));
    if flowed && !html {
        let del_sp = content_type
            .and_then(|c| c.attribute("delsp"))
            .is_some_and(|d| d.eq_ignore_ascii_case("yes"));
        return unflow(&text, del_sp);
    }
    text
}

/// The character set that an HTML document names itself.
fn meta_charset(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..2_048.min(bytes.len()))?).to_ascii_lowercase();
    let after = &head[head.find("charset=")? + 8..];
    let name: String = after
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(40)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// Decodes characters. What is valid UTF-8 beyond ASCII is UTF-8, whatever it is declared to be:
/// legacy text is practically never valid UTF-8 by chance.
fn characters(bytes: &[u8], charset: Option<&str>, oddities: &mut Oddities) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let name = charset.unwrap_or("").trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let western = matches!(
        name.as_str(),
        "" | "us-ascii"
            | "ascii"
            | "ansi_x3.4-1968"
            | "iso-8859-1"
            | "latin1"
            | "windows-1252"
            | "cp1252"
            | "utf-8"
            | "utf8"
            | "unknown-8bit"
            | "default"
    );
    if western {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                if !text.is_ascii() && !matches!(name.as_str(), "" | "utf-8" | "utf8") {
                    oddities.note("A part is UTF-8 but declares another character set.");
                }
                return text.to_owned();
            }
            Err(_) if matches!(name.as_str(), "utf-8" | "utf8") => {
                oddities.note("A part declares UTF-8 but holds bytes that are not.");
                let lossy = String::from_utf8_lossy(bytes);
                // Some valid sequences: damaged UTF-8. None: a legacy text with the wrong label.
                if lossy.chars().any(|c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER) {
                    return lossy.into_owned();
                }
            }
            Err(_) => {}
        }
        return decode_with(b"windows-1252", bytes);
    }
    match charset_decoder(name.as_bytes()) {
        Some(decoder) => decoder(bytes),
        None => {
            oddities.note("A part has an unknown character set.");
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => decode_with(b"windows-1252", bytes),
            }
        }
    }
}

fn decode_with(charset: &[u8], bytes: &[u8]) -> String {
    match charset_decoder(charset) {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Joins the soft line breaks of RFC 3676: a line that ends with a space goes on in the next line of
/// the same quote depth. The signature delimiter `-- ` is never soft.
fn unflow(text: &str, del_sp: bool) -> String {
    let depth = |line: &str| line.bytes().take_while(|b| *b == b'>').count();
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        let quote = depth(line);
        let body = &line[quote..];
        let body = body.strip_prefix(' ').unwrap_or(body);
        let delimiter = body == "-- ";
        if open == Some(quote) && !delimiter {
            out.push_str(body);
        } else {
            if open.is_some() || !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&line[..quote]);
            if quote > 0 {
                out.push(' ');
            }
            out.push_str(body);
        }
        open = None;
        if body.ends_with(' ') && !delimiter {
            open = Some(quote);
            if del_sp {
                out.pop();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_encodings_keep_what_can_be_read() {
        let mut oddities = Oddities::default();
        assert_eq!(base64(b"SGVsbG8=\r\n", &mut oddities), b"Hello");
        assert!(oddities.sentences.is_empty());
        assert_eq!(base64(b"SGVsbG8=\n_____\na list footer\n", &mut oddities), b"Hello");
        assert_eq!(oddities.sentences.len(), 1);
        assert_eq!(base64(b"not base64 at all!", &mut oddities), b"not base64 at all!");
        assert_eq!(quoted_printable(b"a=20b=3D=\r\nc =ZZ=\nd  \r\ne="), b"a b=c =ZZd\ne");
    }

    #[test]
    fn character_sets_are_read_as_they_are() {
        let mut odd = Oddities::default();
        assert_eq!(characters("grün".as_bytes(), Some("us-ascii"), &mut odd), "grün");
        assert_eq!(characters(b"gr\xfcn \x80", Some("iso-8859-1"), &mut odd), "grün €");
        assert_eq!(characters(b"gr\xfcn", Some("utf-8"), &mut odd), "grün");
        assert_eq!(characters(b"gr\xfcn \xe2\x82\xac", Some("UTF-8"), &mut odd), "gr\u{fffd}n €");
        assert_eq!(
            characters(b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), &mut odd),
            "Привет"
        );
        assert_eq!(
            characters(b"\x1b$B$3$s$K$A$O\x1b(B", Some("iso-2022-jp"), &mut odd),
            "こんにちは"
        );
        assert_eq!(characters(b"\xc4\xe3\xba\xc3", Some("gb2312"), &mut odd), "你好");
        assert_eq!(characters(b"caf\xe9", Some("x-nobody-knows"), &mut odd), "café");
        assert_eq!(meta_charset(b"<meta charset='koi8-r'>").as_deref(), Some("koi8-r"));
    }

    #[test]
    fn flowed_lines_are_joined() {
        assert_eq!(
            unflow("one \ntwo\n\n> quoted \n> text\n-- \nAnna", false),
            "one two\n\n> quoted text\n-- \nAnna"
        );
        assert_eq!(unflow("Stra \nße \n", true), "Straße");
    }
}
