//! Postal codes of the countries covered, at a given place of the text.

/// How telling a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Four to six digits, which many numbers have.
    Digits,
    /// With a form of its own: letters or a hyphen at certain places.
    Own,
}

/// The postal code that begins at `at`: where it ends, and its form. It stands alone.
pub(super) fn postcode_at(text: &str, at: usize) -> Option<(usize, Form)> {
    let rest = text.get(at..)?.as_bytes();
    let found = letters_first(rest).or_else(|| digits_first(rest))?;
    let behind = text.get(at + found.0..)?;
    let mut next = behind.chars();
    let goes_on = match next.next() {
        Some('-' | '.' | ':' | '/' | ',') => next.next().is_some_and(|c| c.is_ascii_digit()),
        Some(' ') => found.1 == Form::Digits && is_number_ahead(behind),
        Some(c) => c.is_alphanumeric() || c == '%' || c == '°',
        None => false,
    };
    (!goes_on).then_some((at + found.0, found.1))
}

/// Further digits behind a space, as in a telephone number.
fn is_number_ahead(behind: &str) -> bool {
    behind[1..].starts_with(|c: char| c.is_ascii_digit())
}

/// Whether bytes have the form: `9` a digit, `A` a capital or small letter, `*` either, others as
/// they are.
fn has_form(bytes: &[u8], form: &str) -> bool {
    bytes.len() >= form.len()
        && bytes.iter().zip(form.bytes()).all(|(b, f)| match f {
            b'9' => b.is_ascii_digit(),
            b'A' => b.is_ascii_alphabetic(),
            b'*' => b.is_ascii_alphanumeric(),
            _ => *b == f,
        })
}

fn ends_at(bytes: &[u8], len: usize) -> bool {
    bytes.get(len).is_none_or(|b| !b.is_ascii_alphanumeric())
}

/// British, Irish and Canadian codes, and those with a country in front.
fn letters_first(bytes: &[u8]) -> Option<(usize, Form)> {
    const FORMS: [&str; 17] = [
        // Canada
        "A9A 9A9", "A9A9A9",
        // United Kingdom: area, district, then a digit and two letters
        "AA9A 9AA", "A9A 9AA", "A9 9AA", "A99 9AA", "AA9 9AA", "AA99 9AA", "AA999AA", "AA9A9AA",
        "A999AA", "AA99AA", // Ireland
        "A99 ****", "A99****", "D6W ****", // A country's code in front
        "AA-9999", "A-9999",
    ];
    if !bytes.first()?.is_ascii_alphabetic() {
        return None;
    }
    // `SE-111 22`
    if has_form(bytes, "AA-999 99") && ends_at(bytes, 9) {
        return Some((9, Form::Own));
    }
    let form = FORMS
        .iter()
        .find(|f| has_form(bytes, f) && (f.contains('-') || ends_at(bytes, f.len())))?;
    if !form.contains('-') {
        // In small letters only where the whole is unmistakable.
        let lower = bytes[..form.len()].iter().any(u8::is_ascii_lowercase);
        return (!lower || form.contains(' ')).then_some((form.len(), Form::Own));
    }
    let digits = bytes[form.len()..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    let len = form.len() + digits;
    ends_at(bytes, len).then_some((len, Form::Own))
}

/// All others.
fn digits_first(bytes: &[u8]) -> Option<(usize, Form)> {
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    // United States, Brazil, Portugal, Poland, Netherlands.
    for form in ["99999-9999", "99999-999", "9999-999", "99-999", "9999 AA", "9999AA"] {
        if !has_form(bytes, form) || !ends_at(bytes, form.len()) {
            continue;
        }
        let letters = &bytes[form.len() - 2..form.len()];
        let no_code = matches!(
            letters,
            b"AM" | b"PM" | b"MB" | b"GB" | b"KM" | b"CM" | b"KG" | b"SA" | b"SD" | b"SS"
        );
        if !form.contains('A') || letters.iter().all(u8::is_ascii_uppercase) && !no_code {
            return Some((form.len(), Form::Own));
        }
    }
    // Sweden, Greece, Czechia: 111 22; India: 110 001.
    for form in ["999 99", "999 999"] {
        if has_form(bytes, form) && ends_at(bytes, form.len()) {
            return Some((form.len(), Form::Digits));
        }
    }
    let digits = bytes.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
    ((4..=6).contains(&digits) && ends_at(bytes, digits)).then_some((digits, Form::Digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_of_many_countries() {
        for (code, form) in [
            ("SW1A 1AA", Form::Own),
            ("M1 1AE", Form::Own),
            ("K1A 0B1", Form::Own),
            ("D02 AF30", Form::Own),
            ("1012 AB", Form::Own),
            ("00-950", Form::Own),
            ("01310-100", Form::Own),
            ("62701-1234", Form::Own),
            ("D-10115", Form::Own),
            ("SE-111 22", Form::Own),
            ("10115", Form::Digits),
            ("111 22", Form::Digits),
            ("8001", Form::Digits),
        ] {
            assert_eq!(postcode_at(code, 0), Some((code.len(), form)), "{code}");
        }
        for none in ["123", "1234567", "12345.67", "2024-05-06", "hello", "a1", "020 7946 0018"] {
            assert_eq!(postcode_at(none, 0), None, "{none}");
        }
    }
}
