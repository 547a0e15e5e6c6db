//! What anybody may hand in: a mail, or a message in JSON form. Nothing of it may bring the process
//! down or take long, and what is read is clean text of a bounded size.
//!
//! The first byte chooses the door and the limits, the rest is the message.

#![no_main]

use std::sync::LazyLock;

use countersign::config::{Config, Ingest};
use countersign::domain::message::{Direction, NewMessage, Raw};
use countersign::nlp::clean;
use countersign::pipeline::normalise::{
    Format, MimeLimits, Parsed, attached_texts, parse_mime, parse_text,
};
use countersign::pipeline::understand::mime_limits;
use countersign::receive;
use libfuzzer_sys::fuzz_target;

/// As shipped, and with bounds so low that the refusals run too.
static SETTINGS: LazyLock<[Ingest; 2]> = LazyLock::new(|| {
    let low =
        ["ingest.mime_max_depth=3", "ingest.mime_max_parts=5", "ingest.attachment_max_bytes=64"];
    let low: Vec<String> = low.map(str::to_owned).into();
    [&[][..], &low].map(|sets| Config::load(None, &|_| None, sets).expect("settings").ingest)
});

fuzz_target!(|data: &[u8]| {
    let Some((&choice, message)) = data.split_first() else { return };
    let ingest = &SETTINGS[usize::from(choice & 1)];
    let limits = mime_limits(ingest);
    match (choice >> 1) % 3 {
        0 => mail(message, &limits, ingest),
        1 => json(message, ingest),
        _ => text(message),
    }
});

fn mail(bytes: &[u8], limits: &MimeLimits, ingest: &Ingest) {
    let taken = receive::mime(bytes.to_vec(), None, None, Direction::In, ingest);
    match parse_mime(bytes, limits) {
        Ok(parsed) => {
            look(&parsed, bytes.len());
            assert!(parsed.message_id.as_ref().is_some_and(|id| !id.is_empty()), "no Message-ID");
            // The worker reads it again, and has to find the same.
            assert!(parse_mime(bytes, limits).as_ref() == Ok(&parsed), "read differently again");
            for (_, text) in attached_texts(bytes, 1000) {
                assert!(text.len() <= 1000, "an attached text of {} bytes", text.len());
            }
        }
        Err(e) => assert!(taken.is_err(), "taken at the door, though it can't be read: {e}"),
    }
    if let Ok(incoming) = taken {
        assert!(!incoming.external_id.is_empty() && incoming.external_id.len() <= 998);
    }
}

fn json(bytes: &[u8], ingest: &Ingest) {
    let Ok(message) = serde_json::from_slice::<NewMessage>(bytes) else { return };
    let Ok(incoming) = receive::json(message, ingest) else { return };
    assert!(!incoming.external_id.is_empty() && incoming.external_id.len() <= 998);
    match incoming.raw {
        Raw::Mime { bytes, .. } => look(
            &parse_mime(&bytes, &mime_limits(ingest)).expect("it was readable at the door"),
            bytes.len(),
        ),
        Raw::Json(m) => {
            let texts = [(&m.text, Format::Text), (&m.html, Format::Html)];
            for (body, format) in texts {
                let body = body.as_deref().unwrap_or_default();
                look(&parse_text(body, format), body.len());
            }
        }
    }
}

fn text(bytes: &[u8]) {
    let body = String::from_utf8_lossy(bytes);
    for format in [Format::Text, Format::Html] {
        look(&parse_text(&body, format), body.len());
    }
}

/// Text of which the later steps need not be afraid.
fn look(parsed: &Parsed, size: usize) {
    let whole = [&parsed.subject, &parsed.visible, &parsed.quoted, &parsed.signature];
    for text in whole {
        assert!(!text.contains('\0'), "a NUL byte, which PostgreSQL refuses");
        assert!(clean::clean(text).text == **text, "text that isn't clean");
    }
    let long: usize = whole.iter().map(|t| t.len()).sum();
    assert!(long <= 64 * size + 65_536, "{size} bytes became {long}");
    assert!(parsed.oddities.len() <= 20, "{} oddities", parsed.oddities.len());
}
