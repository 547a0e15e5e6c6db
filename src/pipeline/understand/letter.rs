//! A message's parts in one form, whether it came as mail or as JSON.

use crate::domain::ids::Micros;
use crate::domain::message::{Incoming, NewMessage, Party, Raw, SAME_ID_MARK};
use crate::nlp::clean;
use crate::pipeline::Pipeline;
use crate::pipeline::normalise::{self, AttachmentPolicy, AutoKind, MimeLimits, Parsed};
use crate::store::message::Message;

/// A message's parts before masking, whatever form it came in.
pub(super) struct Letter {
    pub(super) parsed: Parsed,
    pub(super) from: Party,
    pub(super) others: Vec<Party>,
    pub(super) refs: Vec<String>,
    pub(super) external_thread: Option<String>,
    pub(super) at: Micros,
    pub(super) reply_to_differs: bool,
}

pub(super) fn letter(p: &Pipeline, row: &Message, incoming: &Incoming) -> Letter {
    let mut letter = match &incoming.raw {
        Raw::Mime { bytes, thread } => {
            let limits = mime_limits(&p.config.ingest);
            // It was readable at the door; only a limit that was lowered since can refuse it now.
            let parsed = normalise::parse_mime(bytes, &limits)
                .unwrap_or_else(|e| Parsed { oddities: vec![e.to_string()], ..Parsed::default() });
            from_mail(parsed, thread.clone(), row)
        }
        Raw::Json(m) => from_json(m, row),
    };
    if incoming.external_id.contains(SAME_ID_MARK) {
        letter.parsed.oddities.push("another message has the same Message-ID".to_owned());
    }
    letter
}

/// The limits of mail, from the configuration.
pub fn mime_limits(c: &crate::config::Ingest) -> MimeLimits {
    let d = MimeLimits::default();
    MimeLimits {
        max_parts: c.mime_max_parts,
        max_multiparts: c.mime_max_depth,
        max_nested_mails: c.mime_max_depth.min(d.max_nested_mails),
        attachments: AttachmentPolicy {
            allowed_types: c.attachment_types.clone(),
            max_bytes: c.attachment_max_bytes,
        },
        ..d
    }
}

/// The kind of automatic mail, as stored and on every interface.
pub fn auto_word(kind: AutoKind) -> &'static str {
    match kind {
        AutoKind::None => "none",
        AutoKind::AutoReply => "auto_reply",
        AutoKind::Bounce => "bounce",
        AutoKind::List => "list",
    }
}

fn party(a: &normalise::Address) -> Party {
    Party { address: a.address.clone(), name: a.name.clone() }
}

fn from_mail(parsed: Parsed, thread: Option<String>, row: &Message) -> Letter {
    let from = parsed.from.as_ref().map_or_else(|| Party::nobody(&row.id), party);
    let domain = |a: &str| a.rsplit_once('@').map(|(_, d)| d.to_lowercase());
    let reply_to_differs =
        parsed.reply_to.iter().any(|r| domain(&r.address) != domain(&from.address));
    let mut refs = parsed.references.clone();
    for r in &parsed.in_reply_to {
        if !refs.contains(r) {
            refs.push(r.clone());
        }
    }
    // A chain longer than this is kept from its newest end.
    let skip = refs.len().saturating_sub(100);
    refs.drain(..skip);
    Letter {
        from,
        others: parsed.to.iter().chain(&parsed.cc).take(200).map(party).collect(),
        refs,
        external_thread: thread,
        at: parsed.date_micros.map(Micros).or(row.sent_at).unwrap_or(row.received_at),
        reply_to_differs,
        parsed,
    }
}

fn from_json(m: &NewMessage, row: &Message) -> Letter {
    let (body, format) = match (&m.text, &m.html) {
        (Some(text), _) => (text.as_str(), normalise::Format::Text),
        (None, Some(html)) => (html.as_str(), normalise::Format::Html),
        (None, None) => ("", normalise::Format::Text),
    };
    let mut parsed = normalise::parse_text(body, format);
    parsed.subject = m.subject.as_deref().map(|s| clean::clean(s).text).unwrap_or_default();
    Letter {
        from: m.from.clone().unwrap_or_else(|| Party::nobody(&row.id)),
        others: m.to.iter().chain(&m.cc).take(200).cloned().collect(),
        refs: m.references.iter().take(100).cloned().collect(),
        external_thread: m.thread.clone(),
        at: row.sent_at.unwrap_or(row.received_at),
        reply_to_differs: false,
        parsed,
    }
}
