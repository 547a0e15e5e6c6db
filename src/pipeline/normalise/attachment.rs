//! What is attached to a mail, and whether it may be kept.
//!
//! The list of allowed types is checked against what the bytes are, not against what they are called:
//! a program named `photo.png` and declared `image/png` is refused as a program. Refusals are
//! sentences without any content of the mail, so that they can be shown and logged.

mod sniff;

use std::fmt;

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use self::sniff::Kind;
use super::{Oddities, decode};
use crate::nlp::clean::clean;

/// Types that are allowed unless configured otherwise: what people send to a help desk, and the parts
/// that mail programs add by themselves. No HTML, no SVG, no archives: they can hold anything.
const DEFAULT_TYPES: [&str; 34] = [
    "text/plain",
    "text/csv",
    "text/calendar",
    "text/vcard",
    "text/x-vcard",
    "text/markdown",
    "text/rtf",
    "text/rfc822-headers",
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "image/heic",
    "image/heif",
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/amr",
    "video/mp4",
    "application/pdf",
    "application/rtf",
    "application/json",
    "application/ics",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
    "application/pkcs7-signature",
    "application/pgp-signature",
    "message/*",
];
/// Endings of names that start programs on some system.
const PROGRAM_ENDINGS: [&str; 44] = [
    "exe", "com", "scr", "pif", "bat", "cmd", "ps1", "psm1", "vbs", "vbe", "js", "jse", "mjs",
    "wsf", "wsh", "hta", "msi", "msp", "msc", "jar", "class", "lnk", "url", "cpl", "dll", "sys",
    "reg", "inf", "iso", "img", "vhd", "vhdx", "dmg", "pkg", "app", "apk", "deb", "rpm", "sh",
    "bash", "desktop", "chm", "xll", "one",
];

/// An attachment as a reviewer sees it in the list; its bytes are not kept here.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentInfo {
    /// File name without path and hidden characters; made up from the type if there is none.
    pub name: String,
    /// The declared type in lower case, `application/octet-stream` without one.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Bytes after decoding.
    pub size: u64,
    /// SHA-256 of the decoded bytes; hexadecimal when serialised.
    #[serde(serialize_with = "as_hex")]
    pub sha256: [u8; 32],
    /// Whether the policy lets it be kept.
    pub allowed: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Debug for AttachmentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentInfo")
            .field("content_type", &self.content_type)
            .field("size", &self.size)
            .field("allowed", &self.allowed)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

fn as_hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    let text: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    serializer.serialize_str(&text)
}

/// Which attachments may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttachmentPolicy {
    /// Allowed types in lower case; a final `*` stands for any rest.
    pub allowed_types: Vec<String>,
    /// Largest attachment in decoded bytes.
    pub max_bytes: u64,
}

impl Default for AttachmentPolicy {
    fn default() -> Self {
        Self {
            allowed_types: DEFAULT_TYPES.iter().map(|t| (*t).to_owned()).collect(),
            max_bytes: 1_500_000,
        }
    }
}

/// Why an attachment is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes or the ending of the name are those of a program.
    #[error("it is a program or a script")]
    Program,
    /// An office document with macros.
    #[error("it is a document with macros")]
    Macros,
    /// The bytes are not what the type says.
    #[error("it is declared as {declared} but its content is {found}")]
    Disguised {
        /// The declared type, as the policy knows it.
        declared: String,
        /// What the content is, in words.
        found: &'static str,
    },
    /// The type is not on the list.
    #[error("its type is not on the list of allowed types")]
    Type,
    /// It is larger than allowed.
    #[error("it has {size} bytes, which is more than the limit of {limit}")]
    Size {
        /// Decoded bytes.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

impl AttachmentPolicy {
    /// Judges an attachment by its name, its declared type and its decoded bytes.
    ///
    /// # Errors
    /// [`Refusal`] names the first rule that it breaks; danger is named before form.
    pub fn judge(&self, name: &str, declared: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let kind = Kind::of(bytes);
        let ending = name.rsplit_once('.').map_or("", |(_, e)| e).trim().to_ascii_lowercase();
        if kind == Kind::Program || PROGRAM_ENDINGS.contains(&ending.as_str()) {
            return Err(Refusal::Program);
        }
        if sniff::has_macros(kind, bytes) {
            return Err(Refusal::Macros);
        }
        let declared = declared.trim().to_ascii_lowercase();
        // Many programs send everything as a stream of bytes; then the content decides.
        let vague = matches!(
            declared.as_str(),
            "" | "application/octet-stream"
                | "application/x-download"
                | "application/force-download"
                | "binary/octet-stream"
        );
        let effective = if vague { kind.usual_type(&ending).to_owned() } else { declared };
        let Some(listed) = self.allowed_types.iter().find(|t| matches(t, &effective)) else {
            return Err(Refusal::Type);
        };
        if !kind.fits(&effective) {
            // A list entry is ours; a declared type behind a star is the sender's and stays unsaid.
            return Err(Refusal::Disguised { declared: listed.clone(), found: kind.in_words() });
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.max_bytes {
            return Err(Refusal::Size { size, limit: self.max_bytes });
        }
        Ok(())
    }
}

fn matches(listed: &str, declared: &str) -> bool {
    match listed.strip_suffix('*') {
        Some(start) => declared.starts_with(start),
        None => listed == declared,
    }
}

/// Lists and judges the attachments of a mail.
pub(super) fn list(
    message: &Message<'_>,
    policy: &AttachmentPolicy,
    oddities: &mut Oddities,
) -> Vec<AttachmentInfo> {
    let list: Vec<AttachmentInfo> =
        message.attachments().map(|part| info(message, part, policy, oddities)).collect();
    if list.iter().any(|a| !a.allowed) {
        oddities.note("An attachment was refused.");
    }
    list
}

fn info(
    message: &Message<'_>,
    part: &MessagePart<'_>,
    policy: &AttachmentPolicy,
    oddities: &mut Oddities,
) -> AttachmentInfo {
    let bytes = decode::bytes(message, part, oddities);
    let content_type = content_type(part);
    let name = name(part, &content_type);
    let verdict = policy.judge(&name, &content_type, &bytes);
    AttachmentInfo {
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        sha256: Sha256::digest(&bytes).into(),
        allowed: verdict.is_ok(),
        reason: verdict.err().map(|refusal| refusal.to_string()),
        name,
        content_type,
    }
}

fn content_type(part: &MessagePart<'_>) -> String {
    let Some(declared) = part.content_type() else {
        return match part.body {
            PartType::Message(_) => "message/rfc822",
            PartType::Text(_) => "text/plain",
            PartType::Html(_) => "text/html",
            _ => "application/octet-stream",
        }
        .to_owned();
    };
    let full = match declared.subtype() {
        Some(subtype) => format!("{}/{subtype}", declared.ctype()),
        None => declared.ctype().to_owned(),
    };
    full.to_ascii_lowercase().chars().filter(|c| c.is_ascii_graphic()).take(120).collect()
}

/// A file name that can be shown and stored: no path, nothing hidden, not too long.
fn name(part: &MessagePart<'_>, content_type: &str) -> String {
    let declared = clean(part.attachment_name().unwrap_or("")).text;
    let base = declared.rsplit(['/', '\\']).next().unwrap_or("");
    let base: String = base
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*'))
        .collect();
    let base = base.trim().trim_matches('.');
    if base.is_empty() {
        let ending = match content_type {
            "message/rfc822" | "message/global" => "eml",
            "text/plain" => "txt",
            "text/html" => "html",
            "text/calendar" => "ics",
            other => other
                .strip_prefix("image/")
                .filter(|s| s.bytes().all(|b| b.is_ascii_alphanumeric()))
                .unwrap_or("bin"),
        };
        return format!("attachment.{ending}");
    }
    // The ending decides how a file is opened, so a long name is cut before it.
    let count = base.chars().count();
    if count <= 150 {
        return base.to_owned();
    }
    let tail: String = base.chars().skip(count - 30).collect();
    base.chars().take(120).chain(tail.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(name: &str, declared: &str, bytes: &[u8]) -> Result<(), String> {
        AttachmentPolicy::default().judge(name, declared, bytes).map_err(|r| r.to_string())
    }

    #[test]
    fn bytes_decide_over_names_and_types() {
        assert_eq!(judge("a.png", "image/png", b"\x89PNG\r\n\x1a\n...."), Ok(()));
        assert_eq!(
            judge("a.png", "image/png", b"MZ\x90\0 this program cannot"),
            Err("it is a program or a script".into())
        );
        assert_eq!(
            judge("a.pdf", "application/pdf", b"<html><script>"),
            Err("it is declared as application/pdf but its content is a web page".into())
        );
        assert_eq!(judge("a.jpg", "image/png", b"\xff\xd8\xff\xe0...."), Ok(()));
        assert_eq!(
            judge("a.png", "image/png", b"hello"),
            Err("it is declared as image/png but its content is text".into())
        );
        assert_eq!(
            judge("invoice.pdf.exe", "application/pdf", b"%PDF-1.7"),
            Err("it is a program or a script".into())
        );
        assert_eq!(judge("a.bin", "application/octet-stream", b"%PDF-1.7 ..."), Ok(()));
        assert_eq!(judge("a.csv", "application/octet-stream", b"a;b\n1;2\n"), Ok(()));
        assert_eq!(
            judge("a.zip", "application/zip", b"PK\x03\x04......"),
            Err("its type is not on the list of allowed types".into())
        );
        assert_eq!(
            judge("a.html", "text/html", b"<p>x"),
            Err("its type is not on the list of allowed types".into())
        );
        assert_eq!(
            judge("a.txt", "text/plain", b"\x7fELF\x02\x01"),
            Err("it is a program or a script".into())
        );
        assert_eq!(
            judge("a.txt", "text/plain", b"#!/bin/sh\nrm"),
            Err("it is a program or a script".into())
        );
    }

    #[test]
    fn documents_with_macros_and_large_files_are_refused() {
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        assert_eq!(judge("a.docx", docx, b"PK\x03\x04\x14\0\x06\0word/document.xml"), Ok(()));
        assert_eq!(
            judge("a.docx", docx, b"PK\x03\x04\x14\0\x06\0word/document.xml word/vbaProject.bin"),
            Err("it is a document with macros".into())
        );
        let policy = AttachmentPolicy { max_bytes: 3, ..AttachmentPolicy::default() };
        assert_eq!(
            policy.judge("a.txt", "text/plain", b"four"),
            Err(Refusal::Size { size: 4, limit: 3 })
        );
        let own = AttachmentPolicy {
            allowed_types: vec!["image/*".into()],
            ..AttachmentPolicy::default()
        };
        assert_eq!(own.judge("a.txt", "text/plain", b"text"), Err(Refusal::Type));
    }
}
