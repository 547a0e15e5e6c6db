//! E-mail addresses, found from the `@` outwards.
//!
//! The local part takes the characters people's addresses have, not all that RFC 5322 allows:
//! `key=anna@example.com` is an address behind a key. Bounce addresses (VERP, SRS), which do carry
//! a `=`, are recognised by their beginning.

mod disguised;

use super::candidate::Candidate;
use super::context::floor;
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use super::url::is_top_level;
use crate::domain::masking::Entity;

/// Octets of a path, the longest address there is (RFC 5321, 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;
/// Octets of a label of a domain name (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

pub(super) struct Email;

impl Recognizer for Email {
    fn entity(&self) -> &Entity {
        const { &Entity::EMAIL_ADDRESS }
    }

    /// The `@` may be a word.
    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        disguised::find(source, out);
        let text = source.text();
        let mut free = 0;
        for (at, _) in text.match_indices('@') {
            // The local part ends at the `@` before, the domain after the longest there is.
            let local = local_part(&text[free..at]);
            let domain = domain(&text[at + 1..]);
            let range = at - local.len()..at + 1 + domain.len();
            if !local.is_empty() && !domain.is_empty() && range.len() <= MAX_ADDRESS {
                free = range.end;
                out.push(Candidate::new(range, Entity::EMAIL_ADDRESS, 0.9, "email"));
            } else {
                free = at + 1;
            }
        }
    }
}

/// The longest end of `before` that can be a local part; empty if none.
fn local_part(before: &str) -> &str {
    let allowed = |c: char| joins(c) || matches!(c, '.' | '%' | '+' | '-' | '\'' | '&' | '=');
    let len: usize = before.chars().rev().take_while(|&c| allowed(c)).map(char::len_utf8).sum();
    let mut local = &before[before.len() - len..];
    if let Some((front, _)) = local.split_once('=')
        && !is_rewritten(front)
    {
        local = local.rsplit('=').next().unwrap_or_default();
    }
    let local = local.trim_start_matches(|c: char| !joins(c) && c != '+');
    if local.ends_with('.') { "" } else { local }
}

/// Whether what precedes the first `=` marks a sender that a mail server rewrote:
/// `SRS0=hash=tt=example.org=anna@…`, `news+anna=example.org@…`.
fn is_rewritten(front: &str) -> bool {
    let tag = front.to_ascii_lowercase();
    ["srs0", "srs1", "prvs", "bounce", "bounces"].contains(&tag.as_str()) || front.contains('+')
}

/// The domain name at the head of `after`: two or more labels, the last one not a number; empty
/// if there is none.
fn domain(after: &str) -> &str {
    let after = &after[..floor(after, MAX_ADDRESS + 1)];
    let mut end = 0;
    let mut labels = 0;
    let mut at = 0;
    for label in after.split_inclusive('.') {
        let name = label.strip_suffix('.').unwrap_or(label);
        let len: usize = name
            .chars()
            .take_while(|&c| c != '_' && (joins(c) || c == '-'))
            .map(char::len_utf8)
            .sum();
        let name_ok =
            (1..=MAX_LABEL).contains(&len) && !name.starts_with('-') && !name[..len].ends_with('-');
        if !name_ok {
            break;
        }
        labels += 1;
        if labels >= 2 && is_top_level(&name[..len]) {
            end = at + len;
        }
        // Only a label that runs up to its dot has a next one.
        if len < name.len() || label.len() == name.len() {
            break;
        }
        at += label.len();
    }
    &after[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&Email, text)
    }

    #[test]
    fn finds_addresses_in_prose() {
        assert_eq!(
            found("Mail anna.b+shop@mail.example.co.uk."),
            ["anna.b+shop@mail.example.co.uk"]
        );
        assert_eq!(
            found("'anna@example.com', <o'brien@example.org>"),
            ["anna@example.com", "o'brien@example.org"]
        );
        assert_eq!(found("mailto:a@b.de?subject=x"), ["a@b.de"]);
        assert_eq!(found("user=anna@example.com"), ["anna@example.com"]);
        assert_eq!(
            found("SRS0=Ab=xy=example.org=anna@relay.net"),
            ["SRS0=Ab=xy=example.org=anna@relay.net"]
        );
        assert_eq!(found("邮箱anna@example.com谢谢"), ["anna@example.com"]);
        assert_eq!(found("jürgen@müller.de a@b.xn--p1ai"), ["jürgen@müller.de", "a@b.xn--p1ai"]);
    }

    #[test]
    fn leaves_what_is_no_address() {
        for text in [
            "info@example.",
            "@handle",
            "a@b",
            "192.168.2.1@eth0",
            "x.@example.com",
            "a@-b.com",
            "a @ b.com",
            "3 @ 4.50",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
