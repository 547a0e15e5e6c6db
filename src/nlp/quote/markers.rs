//! Lines with a fixed meaning: "-----Original Message-----", forwards, "reply above this line", mobile
//! footers, closings, legal notices. Each list holds the wordings of the mail programs' translations.

use std::sync::LazyLock;

use regex::Regex;

use super::fold::{alternatives, core, entries, pattern};

const ORIGINAL: &str = include_str!("words/original.txt");
const FORWARD: &str = include_str!("words/forward.txt");
const REPLY_ABOVE: &str = include_str!("words/reply_above.txt");
const SENT_FROM: &str = include_str!("words/sent_from.txt");
const FROM_DEVICE: &str = include_str!("words/from_device.txt");
const DEVICES: &str = include_str!("words/devices.txt");
const CLOSINGS: &str = include_str!("words/closings.txt");
const LEGAL_TOPICS: &str = include_str!("words/legal_topics.txt");
const LEGAL_OBJECTS: &str = include_str!("words/legal_objects.txt");
const LEGAL_READERS: &str = include_str!("words/legal_readers.txt");
const FOOTERS: &str = include_str!("words/footers.txt");

/// Any case, one of a list's alternatives between what stands before and behind.
fn listed(before: &str, list: &str, behind: &str) -> Regex {
    pattern(&format!("(?i){before}(?:{}){behind}", alternatives(list)))
}

static ORIGINAL_LINE: LazyLock<Regex> = LazyLock::new(|| {
    let words = alternatives(ORIGINAL);
    let dashes = "[-_=*~–—]{2,}";
    pattern(&format!(
        "(?i)^(?:{dashes} ?(?:{words})(?: ?:)? ?(?:[-_=*~–—]+.*)?|(?:{words}) ?{dashes}.*|[-–—] ?(?:{words}) ?[-–—])$"
    ))
});
static ORIGINAL_WORDS: LazyLock<Regex> = LazyLock::new(|| listed("^", ORIGINAL, " ?:?$"));
static FORWARD_LINE: LazyLock<Regex> =
    LazyLock::new(|| listed("^[-_=*~–—]{2,} ?", FORWARD, " ?:? ?[-_=*~–—]*$"));
static FORWARD_OPENING: LazyLock<Regex> = LazyLock::new(|| listed("^", FORWARD, " ?:$"));
static REPLY_ABOVE_LINE: LazyLock<Regex> =
    LazyLock::new(|| listed(r"^\W*", REPLY_ABOVE, r"\b.{0,30}$"));
static MOBILE: LazyLock<Regex> = LazyLock::new(|| listed("^", SENT_FROM, "(?P<what>.*)$"));
/// The most usual wordings, which need no known device behind them.
static MOBILE_STRICT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)^(?:sent from (?:my|a|an|the) |envoyé (?:de|depuis) mon |enviado (?:desde mi|do meu) |von meine[mr] |inviato da |发自我的|從我的)",
    )
});
static FROM_DEVICE_LINE: LazyLock<Regex> = LazyLock::new(|| listed("^", FROM_DEVICE, ""));
static DEVICE: LazyLock<Regex> = LazyLock::new(|| listed("", DEVICES, ""));
/// A device after at most a few words, as in "Verizon Wireless BlackBerry".
static DEVICE_SOON: LazyLock<Regex> = LazyLock::new(|| {
    listed(
        r"^[\W_]*(?:[\p{L}\d’'.-]+ ){0,5}?(?:[\p{Hebrew}\p{Arabic}]+-?)?",
        DEVICES,
        r"(?:\W|'|’|[a-z]{0,4}\b|$)",
    )
});
static CLOSING: LazyLock<Regex> = LazyLock::new(|| listed("^", CLOSINGS, "[ ]?[,.!;:-]*$"));
static LEGAL_TOPIC: LazyLock<Regex> = LazyLock::new(|| listed("", LEGAL_TOPICS, ""));
static LEGAL_OBJECT: LazyLock<Regex> = LazyLock::new(|| listed("", LEGAL_OBJECTS, ""));
static LEGAL_READER: LazyLock<Regex> = LazyLock::new(|| listed("", LEGAL_READERS, ""));
static FOOTER: LazyLock<Regex> = LazyLock::new(|| listed("^", FOOTERS, ""));

/// "-----Original Message-----" and its translations.
pub(super) fn is_original(folded: &str) -> bool {
    folded.len() < 160 && ORIGINAL_LINE.is_match(core_dashes(folded))
}

/// "Original message" alone on its line, which means something only above a header block.
pub(super) fn is_bare_original(folded: &str) -> bool {
    folded.len() < 80 && ORIGINAL_WORDS.is_match(core(folded))
}

/// "---------- Forwarded message ---------", "Begin forwarded message:" and their translations.
pub(super) fn is_forward(folded: &str) -> bool {
    let text = core_dashes(folded);
    folded.len() <= 160 && (FORWARD_LINE.is_match(text) || FORWARD_OPENING.is_match(text))
}

/// "Please type your reply above this line."
pub(super) fn is_reply_above(folded: &str) -> bool {
    folded.len() < 200 && REPLY_ABOVE_LINE.is_match(folded)
}

fn core_dashes(folded: &str) -> &str {
    folded.trim_matches(|c: char| c.is_whitespace() || matches!(c, '|' | '>'))
}

/// "Sent from my iPhone", "Get Outlook for iOS <…>": a footer that a device or program wrote.
pub(super) fn is_mobile(folded: &str) -> bool {
    if folded.len() > 200 {
        return false;
    }
    let text = core(folded).trim_start_matches(['-', '–', '—', ' ', '(', '[', '.']);
    // The link that Outlook puts behind its name says nothing.
    let text = text
        .split(['<', '('])
        .next()
        .unwrap_or(text)
        .trim_end_matches([')', ']', ' ', '.', '!', '*']);
    if FROM_DEVICE_LINE.is_match(text) && DEVICE.is_match(text) {
        return text.chars().count() <= 80;
    }
    let Some(what) = MOBILE.captures(text).and_then(|c| c.name("what")) else { return false };
    let (head, tail) = match what.as_str().split_once([',', ';', ':']) {
        Some((head, tail)) => (head, tail.trim()),
        None => (what.as_str(), ""),
    };
    let words = head.split_whitespace().count();
    if DEVICE_SOON.is_match(head) {
        // "Sent from my phone, please excuse my brevity" is a footer; a story is not.
        return words <= 12 && tail.split_whitespace().count() <= 14 && is_footer_lead(text);
    }
    // A device nobody has heard of, or a joke: only the most usual wording, short and alone.
    tail.is_empty() && words <= 6 && MOBILE_STRICT.is_match(text)
}

/// Words such as "get" and "download" only count before a known program, "von" only with "gesendet".
fn is_footer_lead(text: &str) -> bool {
    let lower = text.to_lowercase();
    if entries(include_str!("words/get_app.txt")).any(|word| lower.starts_with(word)) {
        let named = |names: &[&str]| names.iter().any(|name| lower.contains(name));
        return named(&["outlook", "yahoo", "bluemail", "gmail"])
            && named(&["ios", "android", "mobile", "iphone", "windows", "mac"]);
    }
    if ["von ", "vom ", "mit ", "über ", "diese "].iter().any(|b| lower.starts_with(b)) {
        return lower.contains("gesendet") || lower.contains("versendet");
    }
    true
}

/// A line that is only a closing: "Best regards,", "Viele Grüße", "Merci".
pub(super) fn is_closing(folded: &str) -> bool {
    let text = core(folded);
    text.len() < 140 && CLOSING.is_match(text)
}

/// A paragraph of legal notice.
pub(super) fn is_legal_notice(paragraph: &str) -> bool {
    paragraph.chars().count() >= 80
        && LEGAL_TOPIC.is_match(paragraph)
        && LEGAL_OBJECT.is_match(paragraph)
        && LEGAL_READER.is_match(paragraph)
}

/// A line of a footer that a scanner, a list or a habit appended.
pub(super) fn is_footer(folded: &str) -> bool {
    FOOTER.is_match(core(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_forwards_are_told_apart() {
        for line in [
            "-----Original Message-----",
            "----- Ursprüngliche Nachricht -----",
            "-------- Message d'origine --------",
            "------------------ 原始邮件 ------------------",
            "-- Reply Message --",
            "---- Исходное сообщение ----",
        ] {
            assert!(is_original(line) && !is_forward(line), "{line}");
        }
        for line in [
            "---------- Forwarded message ---------",
            "Begin forwarded message:",
            "-------- Weitergeleitete Nachricht --------",
            "Anfang der weitergeleiteten Nachricht:",
            "---------- Пересылаемое сообщение ----------",
            "Début du message réexpédié :",
        ] {
            assert!(is_forward(line) && !is_original(line), "{line}");
        }
        for line in [
            "The original message was lost",
            "Original",
            "--------",
            "I forwarded the message:",
            "-- first point",
            "Start here:",
        ] {
            assert!(!is_original(line) && !is_forward(line), "{line}");
        }
        assert!(is_reply_above("##- Please type your reply above this line -##"));
        assert!(is_reply_above("--- Reply above this line ---"));
        assert!(!is_reply_above("I wrote my reply above, this line is new"));
    }

    #[test]
    fn mobile_footers_of_many_languages_are_known() {
        for line in [
            "Sent from my iPhone",
            "Sent from my Verizon, Samsung Galaxy smartphone",
            "Sent via BlackBerry from T-Mobile",
            "Sent from Yahoo Mail on Android",
            "Get Outlook for iOS<https://aka.ms/o0ukef>",
            "Sent from Mail for Windows 10",
            "Sent from my Fairphone",
            "Sent from my phone, please excuse typos",
            "Von meinem iPhone gesendet",
            "Gesendet von Mail für Windows 10",
            "Gesendet mit der GMX Mail App",
            "Diese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.",
            "Envoyé de mon iPhone",
            "Envoyé à partir de Outlook pour iOS",
            "Télécharger Outlook pour Android",
            "Enviado desde mi iPhone",
            "Enviado do meu iPhone",
            "Inviato da iPhone",
            "Verstuurd vanaf mijn iPhone",
            "Skickat från min iPhone",
            "Sendt fra min iPhone",
            "Lähetetty iPhonesta",
            "Wysłane z iPhone'a",
            "Odesláno z iPhonu",
            "Отправлено с iPhone",
            "Надіслано з iPhone",
            "iPhone'umdan gönderildi",
            "Στάλθηκε από το iPhone μου",
            "נשלח מה-iPhone שלי",
            "发自我的iPhone",
            "從我的 iPhone 傳送",
            "iPhoneから送信",
            "나의 iPhone에서 보냄",
            "Gửi từ iPhone của tôi",
            "Trimis de pe iPhone-ul meu",
        ] {
            assert!(is_mobile(line), "{line}");
        }
        for line in [
            "Sent from my desk, which is easier than my phone.",
            "Get the phone for me",
            "Mit meinem Telefon habe ich Probleme",
            "I sent it from my iPhone yesterday and it failed",
            "Sent two parcels to you",
            "Download the mail app?",
            "Von meinem Handy aus geht es nicht",
        ] {
            assert!(!is_mobile(line), "{line}");
        }
    }

    #[test]
    fn closings_stand_alone() {
        for line in [
            "Best regards,",
            "Thanks!",
            "Mit freundlichen Grüßen",
            "Viele Grüße",
            "Cordialement,",
            "Un saludo",
            "Cordiali saluti",
            "Met vriendelijke groet,",
            "Med vänlig hälsning",
            "Med venlig hilsen",
            "С уважением,",
            "此致",
            "감사합니다",
        ] {
            assert!(is_closing(line), "{line}");
        }
        for line in [
            "With regards to the payment",
            "Thanks for the quick answer",
            "Best price?",
            "As regards the timeline, we are late.",
        ] {
            assert!(!is_closing(line), "{line}");
        }
    }

    #[test]
    fn legal_notices_need_topic_object_and_reader() {
        assert!(is_legal_notice(
            "This e-mail and any attachments are confidential and only for the intended recipient. If you got it by mistake, please delete it."
        ));
        assert!(is_legal_notice(
            "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Empfänger sind, löschen Sie sie bitte sofort und sagen Sie uns Bescheid."
        ));
        assert!(!is_legal_notice(
            "Is my confidential file safe with you? I would like to know who can read the message that I sent to you last week."
        ));
    }
}
