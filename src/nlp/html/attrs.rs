//! Attributes and character references.

use mail_parser::decoders::html::add_html_token;

use crate::nlp::clean::windows_1252;

/// The attributes that say how an element reads.
#[derive(Debug, Default, Clone)]
pub(crate) struct Attrs {
    pub id: String,
    pub class: String,
    pub style: String,
    pub href: String,
    pub alt: String,
    pub kind: String,
    pub name: String,
    pub hidden: bool,
    /// `data-…` attributes that mail clients mark quotes and signatures with, and the role, as
    /// `name=value `.
    pub data: String,
}

/// Reads the attributes that matter, or nothing if there are none.
pub(super) fn attributes(mut rest: &str) -> Option<Box<Attrs>> {
    let mut attrs = Attrs::default();
    let mut any = false;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            break;
        }
        let name_len = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/'))
            .unwrap_or(rest.len())
            .max(1);
        let name_len = rest.ceil_char_boundary(name_len);
        let (name, after) = rest.split_at(name_len);
        let trimmed = after.trim_start();
        let value = match trimmed.strip_prefix('=') {
            Some(value) => {
                let (value, left) = attribute_value(value.trim_start());
                rest = left;
                value
            }
            None => {
                rest = after;
                ""
            }
        };
        any |= keep_attribute(&mut attrs, name, value);
    }
    any.then(|| Box::new(attrs))
}

/// Splits a value, quoted or bare, from what follows it.
fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let end = inside.find(quote).unwrap_or(inside.len());
            return (&inside[..end], inside.get(end + 1..).unwrap_or(""));
        }
    }
    text.split_at(text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len()))
}

fn keep_attribute(attrs: &mut Attrs, name: &str, value: &str) -> bool {
    let field = match name.to_ascii_lowercase().as_str() {
        "id" => &mut attrs.id,
        "class" => &mut attrs.class,
        "style" => &mut attrs.style,
        "href" => &mut attrs.href,
        "alt" => &mut attrs.alt,
        "type" => &mut attrs.kind,
        "name" => &mut attrs.name,
        "hidden" => {
            attrs.hidden = true;
            return true;
        }
        data if (data.starts_with("data-") || data == "role")
            && data.len() < 40
            && value.len() < 100 =>
        {
            attrs.data.push_str(data);
            attrs.data.push('=');
            attrs.data.push_str(&value.to_ascii_lowercase());
            attrs.data.push(' ');
            return true;
        }
        _ => return false,
    };
    if !field.is_empty() {
        return true;
    }
    decode(value, field);
    if !matches!(name.to_ascii_lowercase().as_str(), "href" | "alt") {
        field.make_ascii_lowercase();
    }
    true
}

/// Appends `raw` with its character references decoded; a text that only looks like a reference
/// stays as it is.
pub(super) fn decode(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(amp) = rest.find('&') {
        out.push_str(&rest[..amp]);
        rest = &rest[amp..];
        let name_len = rest[1..]
            .bytes()
            .take(32)
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'#')
            .count();
        let closed = rest.as_bytes().get(1 + name_len) == Some(&b';');
        let used = reference(&rest[1..=name_len], closed, out);
        if used {
            rest = &rest[1 + name_len + usize::from(closed)..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
}

/// Decodes one reference by its name (`amp`, `#8217`, `#x41`); false if it is none.
fn reference(name: &str, closed: bool, out: &mut String) -> bool {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        let Some(c) =
            code.ok().and_then(|code| windows_1252(code).or_else(|| char::from_u32(code)))
        else {
            return false;
        };
        out.push(c);
        return true;
    }
    // The few that are also common without their semicolon.
    if !closed && !matches!(name, "amp" | "lt" | "gt" | "quot" | "nbsp" | "copy" | "reg") {
        return false;
    }
    let before = out.len();
    let token = format!("&{name};");
    add_html_token(out, token.as_bytes(), false);
    if out[before..] == token {
        out.truncate(before);
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_however_they_are_quoted() {
        let attrs = attributes(" CLASS='A b' href=\"x?a=1&amp;b=2\" id = c hidden data-marker=__X")
            .unwrap();
        assert_eq!((attrs.class.as_str(), attrs.id.as_str()), ("a b", "c"));
        assert_eq!(attrs.href, "x?a=1&b=2");
        assert!(attrs.hidden && attrs.data.contains("data-marker=__x "));
        assert!(attributes(" width=5 =x \u{fc}=").is_none());
    }

    #[test]
    fn references_are_decoded_or_left() {
        let mut out = String::new();
        decode("&eacute;&#x1F600;&#150;&nbsp&copy 2&ltx &no; &#0x; &", &mut out);
        assert_eq!(out, "\u{e9}\u{1f600}\u{2013}\u{a0}\u{a9} 2&ltx &no; &#0x; &");
    }
}
