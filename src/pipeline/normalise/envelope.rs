//! The fields of the header: who, to whom, when, in which thread.
//!
//! A mail without a Message-ID gets one from its content, so that the same mail delivered twice is
//! still one mail: the first 32 hex digits of SHA-256 over sender, date, subject and the three parts
//! of the body, each followed by a zero byte, at `derived.invalid` (a domain that can't exist, RFC 2606).

use std::fmt;

use mail_parser::{Address as MailAddress, Header, HeaderName, HeaderValue, Message};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Oddities;
use super::body::Body;
use crate::nlp::clean::clean;

/// Longest address that is taken for one; RFC 5321 allows 64 + 1 + 255 bytes.
const LONGEST_ADDRESS: usize = 320;
/// Longest name or subject that is kept, in characters.
const LONGEST_NAME: usize = 200;
const LONGEST_SUBJECT: usize = 1_000;
/// Most addresses kept of one field, and most references.
const MOST_ADDRESSES: usize = 500;
const MOST_REFERENCES: usize = 100;

/// A mailbox with the name that its owner gave it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Display name, if there is one.
    pub name: Option<String>,
    /// `local@domain` as written, at most 320 bytes, without white space.
    pub address: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// The header fields that are used.
#[derive(Default)]
pub(super) struct Envelope {
    pub subject: String,
    pub from: Option<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub date_micros: Option<i64>,
    pub in_reply_to: Vec<String>,
    pub references: Vec<String>,
    message_id: Option<String>,
}

impl Envelope {
    /// Reads the header of a mail; of a field that stands twice, the first counts.
    pub(super) fn read(message: &Message<'_>, oddities: &mut Oddities) -> Self {
        let mut envelope = Self::default();
        let mut authors = 0;
        let mut sender = Vec::new();
        for header in message.headers() {
            match &header.name {
                HeaderName::Subject if envelope.subject.is_empty() => {
                    envelope.subject =
                        one_line(header.value.as_text().unwrap_or(""), LONGEST_SUBJECT);
                }
                HeaderName::From => {
                    authors += 1;
                    if envelope.from.is_none() {
                        envelope.from = addresses(header, oddities).into_iter().next();
                    }
                }
                HeaderName::Sender => sender = addresses(header, oddities),
                HeaderName::ReplyTo => envelope.reply_to.extend(addresses(header, oddities)),
                HeaderName::To => envelope.to.extend(addresses(header, oddities)),
                HeaderName::Cc => envelope.cc.extend(addresses(header, oddities)),
                HeaderName::Date if envelope.date_micros.is_none() => {
                    envelope.date_micros = micros(&header.value);
                    if envelope.date_micros.is_none() {
                        oddities.note("The date of the mail can't be read.");
                    }
                }
                HeaderName::MessageId if envelope.message_id.is_none() => {
                    envelope.message_id = ids(&header.value).pop()
                }
                HeaderName::InReplyTo => envelope.in_reply_to.extend(ids(&header.value)),
                HeaderName::References => envelope.references.extend(ids(&header.value)),
                _ => {}
            }
        }
        if authors > 1 {
            oddities.note("The mail has several From fields; the first one counts.");
        }
        if envelope.from.is_none() {
            oddities.note("The mail has no sender address in its From field.");
            envelope.from = sender.into_iter().next();
        }
        // The newest references are the ones that place a mail in its thread.
        let surplus = envelope.references.len().saturating_sub(MOST_REFERENCES);
        envelope.references.drain(..surplus);
        envelope.in_reply_to.truncate(MOST_REFERENCES);
        envelope
    }

    /// Whether the subject says that the mail was forwarded, in the abbreviations of mail programs.
    pub(super) fn forwarded(&self) -> bool {
        let prefix = self.subject.split([':', '：']).next().unwrap_or("").trim().to_lowercase();
        self.subject.len() > prefix.len()
            && matches!(
                prefix.as_str(),
                "fw" | "fwd"
                    | "wg"
                    | "tr"
                    | "rv"
                    | "enc"
                    | "i"
                    | "vb"
                    | "vl"
                    | "doorst"
                    | "pd"
                    | "fs"
                    | "ilt"
                    | "i̇lt"
                    | "továbbítás"
                    | "továbbított"
                    | "redir"
                    | "πρθ"
                    | "пересл"
                    | "转发"
                    | "轉寄"
                    | "転送"
                    | "전달"
            )
    }

    /// The mail's own Message-ID, or one made from its content.
    pub(super) fn message_id(&self, body: &Body, raw: &[u8], oddities: &mut Oddities) -> String {
        if let Some(id) = &self.message_id {
            return id.clone();
        }
        oddities.note("The mail has no Message-ID; one was made from its content.");
        let mut hash = Sha256::new();
        let date = self.date_micros.map(|d| d.to_string()).unwrap_or_default();
        let from = self.from.as_ref().map_or("", |f| f.address.as_str());
        for field in [from, &date, &self.subject, &body.visible, &body.quoted, &body.signature] {
            hash.update(field.as_bytes());
            hash.update([0]);
        }
        // Mails that hold nothing but attachments differ only in these.
        if body.visible.is_empty() && body.quoted.is_empty() && body.signature.is_empty() {
            hash.update(raw);
        }
        let digits: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
        format!("{digits}@derived.invalid")
    }
}

/// Clean text on one line, cut to `longest` characters.
fn one_line(text: &str, longest: usize) -> String {
    let clean = clean(text).text;
    let folded: Vec<&str> = clean.split_whitespace().collect();
    folded.join(" ").chars().take(longest).collect()
}

fn addresses(header: &Header<'_>, oddities: &mut Oddities) -> Vec<Address> {
    let HeaderValue::Address(value) = &header.value else { return Vec::new() };
    let all: Box<dyn Iterator<Item = _>> = match value {
        MailAddress::List(list) => Box::new(list.iter()),
        MailAddress::Group(groups) => Box::new(groups.iter().flat_map(|g| g.addresses.iter())),
    };
    let mut kept = Vec::new();
    for entry in all.take(MOST_ADDRESSES) {
        let address = clean(entry.address.as_deref().unwrap_or("")).text.trim().to_owned();
        let valid = address.len() <= LONGEST_ADDRESS
            && address
                .split_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
            && !address.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',')
            });
        if !valid {
            oddities.note("An address in the header can't be read and was left out.");
            continue;
        }
        let name =
            entry.name.as_deref().map(|n| one_line(n, LONGEST_NAME)).filter(|n| !n.is_empty());
        kept.push(Address { name, address });
    }
    kept
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    let list = value.as_text_list().unwrap_or_default();
    list.iter()
        .map(|id| {
            clean(id)
                .text
                .chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '<' | '>'))
                .collect::<String>()
        })
        .filter(|id| !id.is_empty() && id.len() <= 1_000)
        .collect()
}

fn micros(value: &HeaderValue<'_>) -> Option<i64> {
    let date = value.as_datetime().filter(|d| d.is_valid())?;
    date.to_timestamp().checked_mul(1_000_000)
}
