//! Whether a program sent a mail. Answering a program makes loops, so each strong sign counts alone;
//! what people may write too (a subject, a sender's name) counts only together with another sign.

use mail_parser::{Message, MimeHeaders};
use serde::{Deserialize, Serialize};

use super::envelope::Envelope;
use super::raw_field;

/// What sort of program sent a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoKind {
    /// A person, as far as can be seen.
    #[default]
    None,
    /// An automatic answer, a notification or a receipt.
    AutoReply,
    /// A report that a mail could not be delivered.
    Bounce,
    /// A mailing list or a bulk mailing.
    List,
}

/// Subjects of automatic answers begin so.
const REPLY_SUBJECTS: [&str; 34] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "out of office",
    "out of the office",
    "vacation",
    "away from",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesend",
    "réponse automatique",
    "absence du bureau",
    "absent du bureau",
    "respuesta automática",
    "fuera de la oficina",
    "resposta automática",
    "ausência temporária",
    "risposta automatica",
    "fuori sede",
    "automatisch antwoord",
    "afwezig",
    "autosvar",
    "automatiskt svar",
    "automatisk svar",
    "fravær",
    "automaattinen vastaus",
    "odpowiedź automatyczna",
    "automatická odpověď",
    "автоответ",
    "自动回复",
    "自動返信",
    "자동 회신",
];
/// Subjects of delivery reports begin so.
const BOUNCE_SUBJECTS: [&str; 18] = [
    "undelivered mail",
    "undeliverable",
    "delivery status notification",
    "delivery failure",
    "mail delivery failed",
    "mail delivery failure",
    "returned mail",
    "failure notice",
    "message not delivered",
    "unzustellbar",
    "nicht zugestellt",
    "non remis",
    "échec de la remise",
    "no se puede entregar",
    "não entregue",
    "mancato recapito",
    "onbestelbaar",
    "недоставлен",
];

/// The signs in a header.
#[derive(Default)]
struct Signs {
    auto_submitted: Option<String>,
    auto_reply: bool,
    suppress: bool,
    list: bool,
    failed: bool,
    null_return: bool,
}

/// Judges a mail.
pub(super) fn kind(message: &Message<'_>, envelope: &Envelope) -> AutoKind {
    let signs = signs(message);
    let subject = envelope.subject.to_lowercase();
    let begins = |list: &[&str]| list.iter().any(|s| subject.starts_with(s));
    let local = envelope
        .from
        .as_ref()
        .and_then(|f| f.address.split('@').next())
        .unwrap_or("")
        .to_lowercase();
    let daemon =
        matches!(local.as_str(), "mailer-daemon" | "postmaster" | "mail-daemon" | "maildaemon");
    let robot = daemon
        || ["noreply", "no-reply", "donotreply", "do-not-reply", "no_reply", "bounce", "bounces"]
            .contains(&local.as_str());
    let (report, receipt) = reports(message);

    if report
        || signs.failed
        || (daemon
            && (signs.null_return || begins(&BOUNCE_SUBJECTS) || signs.auto_submitted.is_some()))
    {
        return AutoKind::Bounce;
    }
    if begins(&BOUNCE_SUBJECTS) && signs.null_return {
        return AutoKind::Bounce;
    }
    let generated = signs.auto_submitted.as_deref();
    if signs.auto_reply || receipt || generated.is_some_and(|g| g.starts_with("auto-replied")) {
        return AutoKind::AutoReply;
    }
    if begins(&REPLY_SUBJECTS)
        && (signs.null_return || signs.suppress || robot || generated.is_some())
    {
        return AutoKind::AutoReply;
    }
    if signs.list {
        return AutoKind::List;
    }
    if generated.is_some() || signs.suppress {
        return AutoKind::AutoReply;
    }
    AutoKind::None
}

fn signs(message: &Message<'_>) -> Signs {
    let mut signs = Signs::default();
    for header in message.headers() {
        let raw = raw_field(message, header.offset_start, header.offset_end);
        let value = String::from_utf8_lossy(&raw[..raw.len().min(200)]).trim().to_lowercase();
        match header.name.as_str().to_lowercase().as_str() {
            // RFC 3834 section 5: everything but "no" was sent by a program.
            "auto-submitted" if !value.is_empty() && !value.starts_with("no") => {
                signs.auto_submitted = Some(value)
            }
            "x-autoreply" | "x-autorespond" | "x-autoresponder" | "x-autoreply-from"
            | "x-mail-autoreply"
                if value != "no" =>
            {
                signs.auto_reply = true
            }
            "x-auto-response-suppress" => {
                signs.suppress = ["all", "oof", "autoreply"].iter().any(|s| value.contains(s))
            }
            "precedence" | "x-precedence" => match value.as_str() {
                "auto_reply" | "auto-reply" => signs.auto_reply = true,
                "bulk" | "list" | "junk" => signs.list = true,
                _ => {}
            },
            "list-id" | "list-unsubscribe" | "list-post" | "list-help" | "mailing-list" => {
                signs.list |= !value.is_empty()
            }
            "x-failed-recipients" => signs.failed = true,
            "return-path" => signs.null_return |= value == "<>",
            _ => {}
        }
    }
    signs
}

/// Whether the mail is a report of failed delivery, or of having been read (RFC 3464, RFC 8098).
fn reports(message: &Message<'_>) -> (bool, bool) {
    let (mut delivery, mut receipt) = (false, false);
    for part in &message.parts {
        let Some(content_type) = part.content_type() else { continue };
        let subtype = content_type.subtype().unwrap_or("");
        let reported = content_type.attribute("report-type").unwrap_or("").to_ascii_lowercase();
        match content_type.ctype() {
            "message" => {
                delivery |= matches!(subtype, "delivery-status" | "global-delivery-status");
                receipt |= subtype == "disposition-notification";
            }
            "multipart" if subtype == "report" => {
                delivery |= reported == "delivery-status";
                receipt |= reported == "disposition-notification";
            }
            _ => {}
        }
    }
    (delivery, receipt)
}
