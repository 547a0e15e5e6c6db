//! Step 2 of the pipeline: raw mail becomes text that the later steps can read.
//!
//! Mail is hostile input. `guard` looks at the raw bytes before the parser does and refuses what
//! would cost unreasonable time, memory or stack (the parser keeps nested messages as nested values,
//! which overflow the stack when some ten thousand of them are dropped, and it searches to the end of
//! the mail for each boundary that is missing). What passes is parsed, and what is odd but readable is
//! read and noted in [`Parsed::oddities`], in sentences that hold no content of the mail.
//!
//! Errors: [`NormaliseError`] has a stable code and a sentence for people, and never any content.

mod attachment;
mod auto;
mod body;
mod decode;
mod envelope;
mod guard;

use std::fmt;

use mail_parser::{Header, HeaderName, Message, MessageParser, MimeHeaders as _};
use serde::{Deserialize, Serialize};

pub use self::attachment::{AttachmentInfo, AttachmentPolicy, Refusal};
pub use self::auto::AutoKind;
pub use self::envelope::Address;

use self::body::Body;
use self::envelope::Envelope;
use crate::nlp::html::HtmlLimits;

/// Bounds on one mail. Beyond them the mail is refused, not cut.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MimeLimits {
    /// Largest raw mail in bytes.
    pub max_bytes: usize,
    /// Largest header block in bytes, of the mail and of each part.
    pub max_header_bytes: usize,
    /// Most header fields in one block.
    pub max_header_fields: usize,
    /// Most parts, which is how often a declared boundary occurs.
    pub max_parts: usize,
    /// Most multipart containers, and so their depth.
    pub max_multiparts: usize,
    /// Most mails inside the mail, and so their depth.
    pub max_nested_mails: usize,
    /// Which attachments may be kept.
    pub attachments: AttachmentPolicy,
}

impl Default for MimeLimits {
    fn default() -> Self {
        Self {
            max_bytes: 25 * 1024 * 1024,
            max_header_bytes: 512 * 1024,
            max_header_fields: 2_000,
            max_parts: 2_000,
            max_multiparts: 500,
            max_nested_mails: 100,
            attachments: AttachmentPolicy::default(),
        }
    }
}

/// How a body without MIME is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text.
    Text,
    /// HTML.
    Html,
}

/// A message that the later steps can read. All text is clean in the sense of
/// [`crate::nlp::clean`]. Its Debug form shows sizes only, because everything here is raw.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
pub struct Parsed {
    /// Decoded and on one line; empty without one.
    pub subject: String,
    /// The first author that has an address.
    pub from: Option<Address>,
    /// Where the sender wants answers, which policy may refuse.
    pub reply_to: Vec<Address>,
    /// Recipients.
    pub to: Vec<Address>,
    /// Recipients of copies.
    pub cc: Vec<Address>,
    /// The `Date` field in microseconds since 1970 UTC, if it is a date.
    pub date_micros: Option<i64>,
    /// Without angle brackets; always there after [`parse_mime`]. A mail without one gets one from
    /// its content: 32 hex digits of SHA-256 over sender, date, subject and body (over the whole
    /// mail where there is no body), at `derived.invalid`.
    pub message_id: Option<String>,
    /// What it answers, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// Its thread, oldest first, without angle brackets.
    pub references: Vec<String>,
    /// What the sender wrote in this message.
    pub visible: String,
    /// Earlier messages in it.
    pub quoted: String,
    /// Signatures and footers.
    pub signature: String,
    /// Whether a program sent it.
    pub auto: AutoKind,
    /// What is attached, judged by the policy.
    pub attachments: Vec<AttachmentInfo>,
    /// What is unusual about it, in sentences for people.
    pub oddities: Vec<String>,
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed")
            .field("subject_bytes", &self.subject.len())
            .field("visible_bytes", &self.visible.len())
            .field("quoted_bytes", &self.quoted.len())
            .field("signature_bytes", &self.signature.len())
            .field("auto", &self.auto)
            .field("attachments", &self.attachments.len())
            .field("oddities", &self.oddities)
            .finish_non_exhaustive()
    }
}

/// Why a mail was refused. The sentences hold sizes and limits, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// The raw mail is larger than allowed.
    #[error("the mail has {size} bytes, which is more than the limit of {limit}")]
    TooLarge {
        /// Bytes of the mail.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A header block is larger than allowed or has too many fields.
    #[error(
        "a header of the mail is larger than the limit of {limit} bytes or has too many fields"
    )]
    HeadersTooLarge {
        /// Bytes allowed in one block.
        limit: usize,
    },
    /// There are more parts than allowed.
    #[error("the mail has more than {limit} parts")]
    TooManyParts {
        /// Parts allowed.
        limit: usize,
    },
    /// Containers or mails are nested more deeply than allowed.
    #[error("the mail nests more than {limit} containers or mails in one another")]
    TooDeep {
        /// Depth allowed.
        limit: usize,
    },
    /// Reading it would take unreasonably long.
    #[error("the mail is built in a way that would take unreasonably long to read")]
    TooComplex,
    /// There is no header field that mail has.
    #[error("this is not a mail: it has no header")]
    NotMail,
}

impl NormaliseError {
    /// A stable name for interfaces and statistics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "mail_too_large",
            Self::HeadersTooLarge { .. } => "mail_headers_too_large",
            Self::TooManyParts { .. } => "mail_too_many_parts",
            Self::TooDeep { .. } => "mail_too_deep",
            Self::TooComplex => "mail_too_complex",
            Self::NotMail => "mail_without_header",
        }
    }
}

/// Name and text of each attachment that is text, in order; at most `max_bytes` of each. The mail
/// should have passed [`parse_mime`].
pub fn attached_texts(raw: &[u8], max_bytes: usize) -> Vec<(String, String)> {
    let Some(message) = parser().parse(raw) else { return Vec::new() };
    let text = |part: &mail_parser::MessagePart<'_>| {
        let text = part.text_contents()?;
        let name = part.attachment_name().unwrap_or_default().to_owned();
        let end = (0..=max_bytes.min(text.len())).rev().find(|i| text.is_char_boundary(*i))?;
        Some((name, text.get(..end)?.to_owned()))
    };
    message.attachments().filter_map(text).collect()
}

/// Parses a mail as it came over the wire.
///
/// # Errors
/// [`NormaliseError`] if the mail passes a limit or has no header. Anything else is read, however
/// malformed it is.
pub fn parse_mime(raw: &[u8], limits: &MimeLimits) -> Result<Parsed, NormaliseError> {
    guard::check(raw, limits)?;
    let message = parser().parse(raw).ok_or(NormaliseError::NotMail)?;
    // Any line of a text that holds a colon would do for a field of one's own naming.
    let known = |h: &Header<'_>| !matches!(h.name, HeaderName::Other(_));
    if !message.parts.first().is_some_and(|root| root.headers.iter().any(known)) {
        return Err(NormaliseError::NotMail);
    }
    let mut oddities = Oddities::default();
    if raw.contains(&0) {
        oddities.note("The mail holds NUL bytes, which were left out.");
    }
    let envelope = Envelope::read(&message, &mut oddities);
    let body = Body::read(&message, envelope.forwarded(), &HtmlLimits::default(), &mut oddities);
    let attachments = attachment::list(&message, &limits.attachments, &mut oddities);
    let auto = auto::kind(&message, &envelope);
    let message_id = envelope.message_id(&body, raw, &mut oddities);
    Ok(Parsed {
        subject: envelope.subject,
        from: envelope.from,
        reply_to: envelope.reply_to,
        to: envelope.to,
        cc: envelope.cc,
        date_micros: envelope.date_micros,
        message_id: Some(message_id),
        in_reply_to: envelope.in_reply_to,
        references: envelope.references,
        visible: body.visible,
        quoted: body.quoted,
        signature: body.signature,
        auto,
        attachments,
        oddities: oddities.sentences,
    })
}

/// Reads the body of a message from a channel without MIME. Only the text fields and the oddities
/// are filled in.
pub fn parse_text(body: &str, format: Format) -> Parsed {
    let mut oddities = Oddities::default();
    let body = Body::of_text(body, format, &HtmlLimits::default(), &mut oddities);
    Parsed {
        visible: body.visible,
        quoted: body.quoted,
        signature: body.signature,
        oddities: oddities.sentences,
        ..Parsed::default()
    }
}

/// The parser, set to read only the fields that are used. It leaves bodies as they are: with the
/// encoding known, it would parse encoded mails inside the mail behind the guard's back.
fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .with_address_headers()
        .header_date(HeaderName::Date)
        .header_text(HeaderName::Subject)
        .header_id(HeaderName::MessageId)
        .header_id(HeaderName::InReplyTo)
        .header_id(HeaderName::References)
        .ignore_header(HeaderName::ContentTransferEncoding)
        .default_header_raw()
}

/// The raw bytes of a header field, without its name.
fn raw_field<'m>(message: &'m Message<'_>, start: u32, end: u32) -> &'m [u8] {
    message.raw_message.get(start as usize..end as usize).unwrap_or_default()
}

/// What is unusual about a mail; each sentence once.
#[derive(Debug, Default)]
struct Oddities {
    sentences: Vec<String>,
}

impl Oddities {
    fn note(&mut self, sentence: impl Into<String>) {
        /// More would say no more.
        const MOST: usize = 20;
        let sentence = sentence.into();
        if self.sentences.len() < MOST && !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }
}

#[cfg(test)]
mod tests;
