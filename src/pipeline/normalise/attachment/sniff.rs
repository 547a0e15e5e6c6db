//! What bytes are, by the marks at their beginning. Only the kinds that a decision depends on.

/// What a content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Machine code, byte code or a script with an interpreter line.
    Program,
    Image,
    Pdf,
    Rtf,
    /// A zip archive, which office documents are too.
    Zip,
    /// A zip archive with the parts of an office document.
    Office,
    /// The container of older office documents.
    Ole,
    /// Another archive.
    Archive,
    Audio,
    Video,
    /// HTML, SVG or another page that a browser would run.
    Page,
    /// Nothing but printable characters.
    Text,
    Empty,
    Unknown,
}

/// Bytes that are looked at for text.
const SAMPLE: usize = 8 * 1024;

impl Kind {
    /// The kind of a content.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let starts = |magics: &[&[u8]]| magics.iter().any(|m| bytes.starts_with(m));
        let at =
            |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
        if bytes.is_empty() {
            Self::Empty
        } else if starts(&[b"#!AMR"]) {
            Self::Audio
        } else if starts(&[
            b"\x7fELF",
            b"\xca\xfe\xba\xbe",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"#!",
            b"L\0\0\0\x01\x14\x02\0",
            b"dex\n",
            b"\0asm",
        ]) || is_windows_program(bytes)
        {
            Self::Program
        } else if starts(&[
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"GIF87a",
            b"GIF89a",
            b"II*\0",
            b"MM\0*",
        ]) || (starts(&[b"RIFF"]) && at(8, b"WEBP"))
            || (starts(&[b"BM"]) && at(6, b"\0\0\0\0"))
            || (at(4, b"ftyp")
                && [&b"heic"[..], b"heix", b"mif1", b"msf1", b"avif", b"hevc"]
                    .iter()
                    .any(|b| at(8, b)))
        {
            Self::Image
        } else if bytes[..bytes.len().min(1_024)].windows(5).any(|w| w == b"%PDF-")
            && !starts(&[b"PK"])
        {
            Self::Pdf
        } else if starts(&[b"{\\rtf"]) {
            Self::Rtf
        } else if starts(&[b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"]) {
            zip(bytes)
        } else if starts(&[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]) {
            Self::Ole
        } else if starts(&[
            b"Rar!",
            b"7z\xbc\xaf\x27\x1c",
            b"\x1f\x8b",
            b"BZh",
            b"\xfd7zXZ\0",
            b"MSCF",
            b"\x28\xb5\x2f\xfd",
        ]) || at(257, b"ustar")
        {
            Self::Archive
        } else if starts(&[b"OggS", b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"])
            || (starts(&[b"RIFF"]) && at(8, b"WAVE"))
        {
            Self::Audio
        } else if at(4, b"ftyp") || starts(&[b"\x1a\x45\xdf\xa3"]) {
            Self::Video
        } else {
            text_or_unknown(bytes)
        }
    }

    /// The type to judge a content by if none is declared.
    pub(super) fn usual_type(self, ending: &str) -> &'static str {
        match (self, ending) {
            (Self::Image, "jpg" | "jpeg") => "image/jpeg",
            (Self::Image, "gif") => "image/gif",
            (Self::Image, "webp") => "image/webp",
            (Self::Image, "heic" | "heif") => "image/heic",
            (Self::Image, "bmp") => "image/bmp",
            (Self::Image, "tif" | "tiff") => "image/tiff",
            (Self::Image, _) => "image/png",
            (Self::Pdf, _) => "application/pdf",
            (Self::Rtf, _) => "application/rtf",
            (Self::Office, "odt" | "ods" | "odp") => "application/vnd.oasis.opendocument.text",
            (Self::Office, _) => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            }
            (Self::Ole, "xls") => "application/vnd.ms-excel",
            (Self::Ole, "ppt") => "application/vnd.ms-powerpoint",
            (Self::Ole, "doc") => "application/msword",
            (Self::Text | Self::Empty, "csv") => "text/csv",
            (Self::Text | Self::Empty, "ics") => "text/calendar",
            (Self::Text, "eml") => "message/rfc822",
            (Self::Text | Self::Empty, _) => "text/plain",
            (Self::Audio, "mp3") => "audio/mpeg",
            (Self::Audio, _) => "audio/ogg",
            (Self::Video, "m4a") => "audio/mp4",
            (Self::Video, _) => "video/mp4",
            (Self::Page, _) => "text/html",
            _ => "application/octet-stream",
        }
    }

    /// Whether a content of this kind may bear the type.
    pub(super) fn fits(self, declared: &str) -> bool {
        let family = declared.split('/').next().unwrap_or("");
        match family {
            "image" if declared == "image/svg+xml" => self == Self::Page || self == Self::Text,
            "image" => self == Self::Image,
            "text" if declared == "text/html" => {
                matches!(self, Self::Page | Self::Text | Self::Empty)
            }
            "text" if declared == "text/rtf" => self == Self::Rtf,
            // A page declared as text is shown as text, which harms nobody.
            "text" => matches!(self, Self::Text | Self::Page | Self::Rtf | Self::Empty),
            "message" => matches!(self, Self::Text | Self::Page | Self::Empty | Self::Unknown),
            "audio" | "video" => matches!(self, Self::Audio | Self::Video | Self::Unknown),
            _ => match declared {
                "application/pdf" => self == Self::Pdf,
                "application/rtf" => self == Self::Rtf,
                "application/json" | "application/ics" => matches!(self, Self::Text | Self::Empty),
                "application/zip" => matches!(self, Self::Zip | Self::Office),
                d if d.starts_with("application/vnd.openxmlformats")
                    || d.starts_with("application/vnd.oasis") =>
                {
                    self == Self::Office
                }
                // Word also writes RTF and pages under its own type; only the containers are allowed.
                "application/msword"
                | "application/vnd.ms-excel"
                | "application/vnd.ms-powerpoint" => {
                    matches!(self, Self::Ole | Self::Office | Self::Rtf)
                }
                _ => true,
            },
        }
    }

    /// The kind in words, for a refusal.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Program => "a program",
            Self::Image => "an image",
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::Zip | Self::Archive => "an archive",
            Self::Office | Self::Ole => "an office document",
            Self::Audio => "sound",
            Self::Video => "a film",
            Self::Page => "a web page",
            Self::Text => "text",
            Self::Empty => "empty",
            Self::Unknown => "something else",
        }
    }
}

/// "MZ" alone may begin a sentence; a program has control bytes soon after.
fn is_windows_program(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MZ") && bytes.iter().take(64).any(|b| *b < 9 || *b > 0xf0)
}

fn zip(bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(64 * 1024)];
    let has = |needle: &[u8]| head.windows(needle.len()).any(|w| w == needle);
    if has(b"META-INF/MANIFEST.MF") && !has(b"opendocument") || has(b"AndroidManifest.xml") {
        Kind::Program
    } else if [&b"word/"[..], b"xl/", b"ppt/", b"[Content_Types].xml", b"opendocument"]
        .iter()
        .any(|n| has(n))
    {
        Kind::Office
    } else {
        Kind::Zip
    }
}

fn text_or_unknown(bytes: &[u8]) -> Kind {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    if sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff") {
        return Kind::Text;
    }
    if sample.iter().any(|b| matches!(b, 0..=8 | 14..=26 | 28..=31 | 127)) {
        return Kind::Unknown;
    }
    let head = sample[..sample.len().min(512)].to_ascii_lowercase();
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let page =
        [&b"<!doctype html"[..], b"<html", b"<script", b"<svg", b"<head", b"<body", b"<iframe"];
    let xml_page = head.starts_with(b"<?xml")
        && [&b"<svg"[..], b"<html"].iter().any(|n| head.windows(n.len()).any(|w| w == *n));
    if xml_page || page.iter().any(|p| head.starts_with(p)) { Kind::Page } else { Kind::Text }
}

/// Whether an office document carries macros: the part or the storage that holds them is there.
pub(super) fn has_macros(kind: Kind, bytes: &[u8]) -> bool {
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
    match kind {
        Kind::Office | Kind::Zip => has(b"vbaProject.bin"),
        Kind::Ole => has(b"_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0"),
        _ => false,
    }
}
