//! Keys and tokens of programming interfaces: by their providers' published forms, as JSON Web
//! Tokens and PEM blocks, behind the word for them, and in the query of links.

use std::ops::Range;

use super::super::candidate::{Candidate, is_covered};
use super::super::context::WordSet;
use super::super::label::{Label, Link, Topic, announced};
use super::super::recognizer::Recognizer;
use super::super::source::{Clues, Source};
use super::{Makeup, entropy};
use crate::domain::masking::Entity;

pub(in super::super) struct ApiKey;

impl Recognizer for ApiKey {
    fn entity(&self) -> &Entity {
        const { &Entity::API_KEY }
    }

    fn may_match(&self, _: &Clues) -> bool {
        true
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        if source.clues().hyphens >= 10 {
            find_pem(source.text(), out);
        }
        if source.tokens().is_empty() {
            return;
        }
        let first = out.len();
        for token in source.tokens() {
            if !find_formed(source, token, out) {
                find_in_link(source.text(), token, out);
            }
        }
        let last = out.len();
        for label in source.labels().iter().filter(|l| l.topic == Topic::Key) {
            // `Authorization: Bearer …` has two labels and one key.
            let found =
                labelled(source, label).filter(|c| !is_covered(&out[first..last], c.range.start));
            out.extend(found);
        }
    }
}

/// Longest key and longest web token that are looked at, in bytes.
const MAX_KEY: usize = 256;
const MAX_WEB_TOKEN: usize = 8192;

/// What the rest of a key is made of.
#[derive(Debug, Clone, Copy)]
enum Body {
    Hex,
    /// Capitals and digits.
    Upper,
    Alphanumeric,
    /// With `_` and `-`.
    Word,
    /// With `.` as well.
    Dotted,
}

impl Body {
    fn holds(self, b: u8) -> bool {
        match self {
            Self::Hex => b.is_ascii_hexdigit(),
            Self::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Alphanumeric => b.is_ascii_alphanumeric(),
            Self::Word => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
            Self::Dotted => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
        }
    }
}

/// Prefix, what follows it, and how many bytes of that at least; from the providers' documentation
/// of their key formats and of secret scanning.
const FORMS: [(&str, Body, usize); 92] = [
    // Amazon Web Services
    ("AKIA", Body::Upper, 16),
    ("ASIA", Body::Upper, 16),
    ("ABIA", Body::Upper, 16),
    ("ACCA", Body::Upper, 16),
    ("ABSK", Body::Alphanumeric, 100),
    // Google
    ("AIza", Body::Word, 35),
    ("ya29.", Body::Word, 20),
    ("GOCSPX-", Body::Word, 24),
    ("1//0", Body::Word, 30),
    // GitHub, GitLab
    ("ghp_", Body::Alphanumeric, 36),
    ("gho_", Body::Alphanumeric, 36),
    ("ghu_", Body::Alphanumeric, 36),
    ("ghs_", Body::Alphanumeric, 36),
    ("ghr_", Body::Alphanumeric, 36),
    ("github_pat_", Body::Word, 22),
    ("glpat-", Body::Dotted, 20),
    ("gldt-", Body::Word, 20),
    ("glrt-", Body::Word, 20),
    ("glcbt-", Body::Word, 20),
    ("glptt-", Body::Word, 20),
    ("glft-", Body::Word, 20),
    ("gloas-", Body::Word, 20),
    ("glsoat-", Body::Word, 20),
    ("glagent-", Body::Word, 20),
    // Slack
    ("xoxb-", Body::Word, 20),
    ("xoxp-", Body::Word, 20),
    ("xoxa-", Body::Word, 20),
    ("xoxr-", Body::Word, 20),
    ("xoxs-", Body::Word, 20),
    ("xoxe-", Body::Word, 20),
    ("xoxe.", Body::Dotted, 20),
    ("xoxc-", Body::Word, 20),
    ("xoxd-", Body::Word, 20),
    ("xapp-", Body::Word, 20),
    // Stripe
    ("sk_live_", Body::Alphanumeric, 10),
    ("sk_test_", Body::Alphanumeric, 10),
    ("rk_live_", Body::Alphanumeric, 10),
    ("rk_test_", Body::Alphanumeric, 10),
    ("pk_live_", Body::Alphanumeric, 10),
    ("pk_test_", Body::Alphanumeric, 10),
    ("whsec_", Body::Alphanumeric, 20),
    // Twilio, SendGrid, Mailgun, Brevo
    ("AC", Body::Hex, 32),
    ("SK", Body::Hex, 32),
    ("SG.", Body::Dotted, 60),
    ("key-", Body::Hex, 32),
    ("xkeysib-", Body::Word, 64),
    ("xsmtpsib-", Body::Word, 64),
    // Model providers
    ("sk-ant-", Body::Word, 20),
    ("sk-proj-", Body::Word, 20),
    ("sk-svcacct-", Body::Word, 20),
    ("sk-or-", Body::Word, 20),
    ("sk-", Body::Word, 20),
    ("gsk_", Body::Alphanumeric, 40),
    ("xai-", Body::Alphanumeric, 40),
    ("pplx-", Body::Alphanumeric, 40),
    ("hf_", Body::Alphanumeric, 30),
    ("r8_", Body::Alphanumeric, 30),
    // Shops and payment
    ("shpat_", Body::Hex, 32),
    ("shpca_", Body::Hex, 32),
    ("shppa_", Body::Hex, 32),
    ("shpss_", Body::Hex, 32),
    ("sq0atp-", Body::Word, 22),
    ("sq0csp-", Body::Word, 43),
    ("EAAA", Body::Word, 56),
    ("EAAC", Body::Alphanumeric, 80),
    // Package registries
    ("npm_", Body::Alphanumeric, 36),
    ("pypi-", Body::Word, 50),
    ("rubygems_", Body::Hex, 48),
    ("dckr_pat_", Body::Word, 24),
    ("crates-io_", Body::Alphanumeric, 20),
    // Clouds and tools
    ("dop_v1_", Body::Hex, 64),
    ("doo_v1_", Body::Hex, 64),
    ("dor_v1_", Body::Hex, 64),
    ("dapi", Body::Hex, 32),
    ("hvs.", Body::Word, 24),
    ("hvb.", Body::Word, 24),
    ("dp.pt.", Body::Alphanumeric, 40),
    ("pscale_tkn_", Body::Word, 30),
    ("sbp_", Body::Hex, 40),
    ("tskey-", Body::Word, 20),
    ("lin_api_", Body::Alphanumeric, 32),
    ("secret_", Body::Alphanumeric, 40),
    ("ntn_", Body::Alphanumeric, 40),
    ("sntrys_", Body::Word, 40),
    ("PMAK-", Body::Word, 40),
    ("NRAK-", Body::Alphanumeric, 27),
    ("glsa_", Body::Word, 32),
    ("glc_", Body::Alphanumeric, 32),
    ("ATATT3", Body::Word, 60),
    ("figd_", Body::Word, 30),
    ("AGE-SECRET-KEY-1", Body::Upper, 58),
    ("FlyV1", Body::Word, 60),
];

/// Keys of a known form in one long token. Whether there were any.
fn find_formed(source: &Source<'_>, token: &Range<usize>, out: &mut Vec<Candidate>) -> bool {
    let text = source.text();
    let bytes = text.as_bytes();
    let first = out.len();
    let mut at = token.start;
    // A key begins the token, or behind `=`, `/` or `.` in it.
    while at < token.end {
        let rest = &text[at..token.end];
        let found = formed(rest).or_else(|| web_token(rest));
        let found =
            found.filter(|len| !source.after(at + len).is_some_and(|c| c.is_alphanumeric()));
        if let Some(len) = found {
            out.push(
                Candidate::new(at..at + len, Entity::API_KEY, 0.95, "key/form").checked("form"),
            );
            at += len;
        }
        let next = bytes[at..token.end].iter().position(|b| matches!(b, b'=' | b'/' | b'.' | b'%'));
        at = next.map_or(token.end, |n| at + n + 1);
    }
    find_microsoft(text, token, out);
    out.len() > first
}

/// The length of the key of a known form at the head of `rest`.
fn formed(rest: &str) -> Option<usize> {
    FORMS.iter().find_map(|&(prefix, body, least)| {
        let tail = rest.strip_prefix(prefix)?;
        let len = tail.bytes().take(MAX_KEY).take_while(|&b| body.holds(b)).count();
        let tail = tail[..len].trim_end_matches(['.', '-', '_']);
        // Twilio's and Databricks' have no more than their hexadecimal digits.
        let exact = prefix.len() > 2 || tail.len() == least;
        let makeup = Makeup::of(&tail[..tail.len().min(64)]);
        (tail.len() >= least && exact && makeup.digits > 0 && makeup.letters() > 0)
            .then_some(prefix.len() + tail.len())
    })
}

/// The length of a JSON Web Token (RFC 7519): base64url of `{"` begins with `eyJ`.
fn web_token(rest: &str) -> Option<usize> {
    let begins = rest.starts_with("eyJ") && rest.bytes().take(10).all(|b| b != b'.');
    if !begins {
        return None;
    }
    let len = rest.bytes().take(MAX_WEB_TOKEN).take_while(|&b| Body::Dotted.holds(b)).count();
    let written = rest[..len].trim_end_matches('.');
    let parts: Vec<&str> = written.splitn(6, '.').collect();
    let fits = (2..=5).contains(&parts.len()) && parts[0].len() >= 10 && parts[1].len() >= 4;
    fits.then_some(written.len())
}

/// An Azure client secret has `8Q~` or the like as its fourth to sixth character; an account key
/// is 64 bytes in base64.
fn find_microsoft(text: &str, token: &Range<usize>, out: &mut Vec<Candidate>) {
    let written = &text[token.clone()];
    let bare = |range: Range<usize>| {
        Candidate::new(range, Entity::API_KEY, 0.9, "key/form").checked("form")
    };
    if let Some(tilde) = written.find('~')
        && (37..=40).contains(&written.len())
        && tilde == 5
        && written.as_bytes()[3].is_ascii_digit()
        && written.as_bytes()[4] == b'Q'
    {
        out.push(bare(token.clone()));
    }
    if let Some(key) = written.strip_suffix("==") {
        let len = key
            .bytes()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
            .count();
        if len == 86 {
            out.push(bare(token.end - 88..token.end));
        }
    }
}

/// Names of a query's parameters whose values open something.
static SECRET_PARAMETERS: WordSet = WordSet::new(
    "access_token access_key api_key apikey api-key auth auth_token authtoken authkey client_secret code confirmation_token \
     hash id_token invite invite_token jwt key login_token magic oobcode otp pass password passwd pwd \
     refresh_token reset reset_token resettoken secret session session_id sessionid session_token \
     sid sig sign signature ticket tk token unsubscribe_token verification_code verify x-amz-credential \
     x-amz-security-token x-amz-signature x-goog-signature state phpsessid jsessionid",
);

/// Parts of a path behind which a secret stands.
static SECRET_PATHS: WordSet = WordSet::new(
    "reset reset-password password-reset password_reset resetpassword verify verification confirm confirmation \
     activate activation invite invitation invitations magic magic-link login-link unsubscribe services webhooks \
     auth token tokens share signin",
);

/// Secrets in a link's query or path, for when links themselves are not masked.
fn find_in_link(text: &str, token: &Range<usize>, out: &mut Vec<Candidate>) {
    let written = &text[token.clone()];
    let found = |range: Range<usize>, score| {
        Candidate::new(range, Entity::API_KEY, score, "key/link").checked("parameter")
    };
    let is_query = text[..token.start].ends_with(['?', '&', ';', '#']);
    if is_query && let Some((name, value)) = written.split_once('=') {
        let value = value.trim_end_matches(['.', '=', '-']);
        if value.len() >= 8
            && is_dense(value)
            && SECRET_PARAMETERS.contains(&name.to_ascii_lowercase())
        {
            let start = token.start + name.len() + 1;
            out.push(found(start..start + value.len(), 0.7));
        }
        return;
    }
    if !text[..token.start].ends_with(':') || !written.starts_with("//") {
        return;
    }
    let mut at = token.start;
    let mut opens = false;
    for part in written.split('/') {
        let value = part.trim_end_matches('.');
        if opens && value.len() >= 16 && is_dense(value) {
            out.push(found(at..at + value.len(), 0.6));
        }
        opens = opens || SECRET_PATHS.contains(&part.to_ascii_lowercase());
        at += part.len() + 1;
    }
}

/// Whether characters vary as in a random text; words joined by hyphens hold no digits.
fn is_dense(value: &str) -> bool {
    let head = &value[..super::super::context::floor(value, 256)];
    let makeup = Makeup::of(head);
    makeup.digits >= 2 && entropy(head) >= 2.5
}

/// The value that "api key:" announces, if it varies enough.
fn labelled(source: &Source<'_>, label: &Label) -> Option<Candidate> {
    static SCHEMES: WordSet = WordSet::new("basic bearer token apikey digest negotiate");
    let text = source.text();
    let mut value = announced(text, label.range.end)?;
    let rest = &text[value.at..];
    let scheme = rest.bytes().take(10).take_while(u8::is_ascii_alphabetic).count();
    if SCHEMES.contains(&rest[..scheme].to_ascii_lowercase()) && rest[scheme..].starts_with(' ') {
        value.at += scheme + 1;
    }
    // The long token that begins there; none other is long enough.
    let i = source.tokens().partition_point(|t| t.end <= value.at);
    let token = source.tokens().get(i).filter(|t| t.start <= value.at)?;
    let written = text.get(value.at..token.end)?;
    let written = written.trim_end_matches(['.', '-', '/']);
    let least = if value.link == Link::Bare { 20 } else { 13 };
    let limit = written.len().min(256);
    let makeup = Makeup::of(&written[..limit]);
    let is_key = value.words <= 3
        && written.len() >= least
        && makeup.letters() >= 2
        && (makeup.digits >= 2 && entropy(&written[..limit]) >= 3.0
            || makeup.digits > 0 && makeup.upper > 4 && entropy(&written[..limit]) >= 4.2);
    is_key.then(|| {
        let range = value.at..value.at + written.len();
        Candidate::new(range, Entity::API_KEY, 0.8, "key/label").checked("entropy")
    })
}

/// PEM blocks of private keys (RFC 7468) with what is between their lines.
fn find_pem(text: &str, out: &mut Vec<Candidate>) {
    const BEGIN: &str = "-----BEGIN ";
    const KEY: &str = "PRIVATE KEY";
    let mut at = 0;
    while let Some(start) = text[at..].find(BEGIN).map(|n| at + n) {
        let head = start + BEGIN.len();
        at = head;
        let line = &text[head..super::super::context::floor(text, (head + 48).min(text.len()))];
        let Some(dashes) = line.find("-----") else { continue };
        if !line[..dashes].contains(KEY) {
            continue;
        }
        let body = head + dashes + 5;
        let end = text[body..].find("-----").map_or_else(
            || {
                body + text[body..]
                    .bytes()
                    .take_while(|b| {
                        b.is_ascii_alphanumeric()
                            || matches!(b, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\\')
                    })
                    .count()
            },
            |n| {
                let end = body + n + 5;
                let closes = text[end..].starts_with("END ");
                let tail = if closes {
                    text[end..].bytes().take(64).position(|b| b == b'-')
                } else {
                    None
                };
                tail.map_or(body + n, |t| {
                    end + t + text[end + t..].bytes().take(5).take_while(|&b| b == b'-').count()
                })
            },
        );
        out.push(Candidate::new(start..end, Entity::API_KEY, 1.0, "key/pem").checked("form"));
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces;

    fn found(text: &str) -> Vec<String> {
        surfaces(&ApiKey, text)
    }

    /// A key that nobody was given: built at run time, so that no scanner takes this file for a leak.
    fn key(prefix: &str, alphabet: &str, len: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        let body: String = (0..len).map(|i| letters[(i * 7 + 3) % letters.len()]).collect();
        format!("{prefix}{body}")
    }

    #[test]
    fn finds_every_providers_form() {
        for (prefix, body, least) in FORMS {
            let alphabet = match body {
                Body::Hex => "0123456789abcdef",
                Body::Upper => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
                _ => "a1B2c3D4e5F6g7H8i9J0kLmN",
            };
            let key = key(prefix, alphabet, least);
            assert_eq!(
                found(&format!("the key {key}, thanks")),
                std::slice::from_ref(&key),
                "{prefix}"
            );
            assert_eq!(found(&format!("KEY={key}")), [key], "{prefix}");
        }
    }

    #[test]
    fn finds_tokens_blocks_and_labelled_keys() {
        let web = key("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "OiIxMjM0", 12) + ".c2lnbmF0dXJl";
        assert_eq!(found(&format!("Authorization: Bearer {web}")), [web]);
        let pem = format!(
            "-----BEGIN RSA {} KEY-----\nMIIBOg==\n-----END RSA {} KEY-----",
            "PRIVATE", "PRIVATE"
        );
        assert_eq!(found(&format!("see\n{pem}\nok")), [pem]);
        assert_eq!(found("api_key = '9f86d081884c7d659a2f'"), ["9f86d081884c7d659a2f"]);
        assert_eq!(
            found("https://x.com/a?token=9f86d081884c7d65&b=1").first().map(String::as_str),
            Some("9f86d081884c7d65")
        );
        assert_eq!(found("https://x.com/reset/9f86d081884c7d65"), ["9f86d081884c7d65"]);
    }

    #[test]
    fn leaves_words_and_links() {
        for text in [
            "the api key is not working anymore",
            "token: internationalisation",
            "https://example.com/help/how-to-reset-my-password-in-2-steps",
            "sk-learn-based-classification-model",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "https://example.com/reset/step-by-step-instructions",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
