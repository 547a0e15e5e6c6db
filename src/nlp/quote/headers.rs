//! Header blocks that stand above a quoted message: "From: … Sent: … To: … Subject: …", as Outlook and
//! its kin write them, by what each label means rather than by language.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold::{core, entries, fold, is_blank};
use crate::nlp::html::Line;

/// What a label stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Role {
    From = 1,
    /// "Sent", which only mail programs write.
    Sent = 2,
    /// "Date", which people write too.
    Date = 4,
    To = 8,
    Cc = 16,
    Subject = 32,
    /// Labels that may stand in a block but prove nothing.
    Other = 64,
}

static ROLES: LazyLock<HashMap<&'static str, Role>> = LazyLock::new(|| {
    let mut roles = HashMap::new();
    for (role, labels) in
        entries(include_str!("words/labels.txt")).filter_map(|line| line.split_once('='))
    {
        let role = match role.trim() {
            "from" => Role::From,
            "sent" => Role::Sent,
            "date" => Role::Date,
            "to" => Role::To,
            "cc" => Role::Cc,
            "subject" => Role::Subject,
            _ => Role::Other,
        };
        for label in labels.split('|') {
            roles.entry(label.trim()).or_insert(role);
        }
    }
    roles
});

/// Lines that one block may have, blank and wrapped ones included.
const SPAN: usize = 20;

/// The role of the label that opens a line, and what stands behind the label.
fn label(line: &str) -> Option<(Role, &str)> {
    let text = core(line);
    let (label, value) = text.split_once(':')?;
    if label.len() > 60 {
        return None;
    }
    let label =
        label.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_')).to_lowercase();
    let role = ROLES.get(label.as_str())?;
    Some((*role, value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_'))))
}

/// Facts gathered from the lines of a block.
#[derive(Debug, Default)]
struct Facts {
    roles: u8,
    address: bool,
    dated: bool,
    unknown_label: bool,
}

impl Facts {
    fn add(&mut self, role: Role, value: &str) {
        self.roles |= role as u8;
        self.address |= value.contains('@') || value.contains("mailto:");
        if matches!(role, Role::Sent | Role::Date) {
            self.dated |= value.chars().filter(char::is_ascii_digit).count() >= 3
                || value.chars().any(|c| c.is_numeric() && !c.is_ascii());
        }
        // Some programs put two labels on a line: "To: x Subject: y".
        let mut rest = value;
        while let Some((before, after)) = rest.split_once(':') {
            let word = before.rsplit(' ').next().unwrap_or("").trim_matches('*').to_lowercase();
            if word.len() > 1
                && let Some(role) = ROLES.get(word.as_str())
            {
                self.roles |= *role as u8;
            }
            rest = after;
        }
    }

    fn has(&self, role: Role) -> bool {
        self.roles & role as u8 != 0
    }

    /// Whether these labels are a mail header and not a form that a person filled in.
    fn is_header(&self) -> bool {
        let main = (self.roles & 0b10_1111).count_ones();
        let machine = self.has(Role::Sent) || self.has(Role::Subject);
        if self.unknown_label && main < 4 && !(self.has(Role::Sent) && self.has(Role::From)) {
            return false;
        }
        if self.has(Role::From) {
            return (main >= 3 && (machine || self.address))
                || (main == 2
                    && (self.address || self.has(Role::Sent))
                    && (self.dated || machine));
        }
        let when = self.dated && (self.has(Role::Sent) || self.has(Role::Date));
        when && self.has(Role::To) && (self.address || self.has(Role::Subject))
    }
}

/// The line after a header block that begins at `at`, if one does.
pub(super) fn block_at(lines: &[Line], at: usize) -> Option<usize> {
    let first = fold(&lines.get(at)?.text);
    let (role, value) = label(&first)?;
    if role == Role::Other || role == Role::Cc {
        return None;
    }
    let mut facts = Facts::default();
    facts.add(role, value);
    let mut end = at + 1;
    let (mut blanks, mut wrapped) = (0, 0);
    for (n, line) in lines.iter().enumerate().skip(at + 1).take(SPAN) {
        let text = fold(&line.text);
        if is_blank(&text) {
            blanks += 1;
            if blanks > 1 {
                break;
            }
            continue;
        }
        if let Some((role, value)) = label(&text) {
            facts.add(role, value);
            (blanks, wrapped, end) = (0, 0, n + 1);
        } else if blanks > 0 {
            break;
        } else {
            facts.unknown_label |= is_unknown_label(&text);
            // The rest of a long address list or subject.
            wrapped += 1;
            facts.address |= text.contains('@');
            if wrapped > 3 {
                break;
            }
        }
    }
    facts.is_header().then_some(end)
}

/// "Phone: 123", "Message: …": a label that no mail header has, as in a filled-in form.
fn is_unknown_label(text: &str) -> bool {
    core(text).split_once(':').is_some_and(|(label, _)| {
        let words = label.split_whitespace().count();
        (1..=3).contains(&words)
            && label.len() <= 30
            && label.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '-')
            && label.chars().next().is_some_and(char::is_uppercase)
            && !matches!(label, "http" | "https" | "mailto")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::html::Mark;

    fn block(text: &str) -> Option<usize> {
        let lines: Vec<Line> =
            text.split('\n').map(|t| Line { text: t.to_owned(), mark: Mark::None }).collect();
        block_at(&lines, 0)
    }

    #[test]
    fn header_blocks_of_many_languages_are_known() {
        for (labels, from) in [
            (["From", "Sent", "To", "Subject"], "Anna <anna@shop.test>"),
            (["Von", "Gesendet", "An", "Betreff"], "Anna Berg"),
            (["De", "Envoyé", "À", "Objet"], "Anna Berg"),
            (["De", "Enviado el", "Para", "Asunto"], "Anna Berg"),
            (["De", "Enviada em", "Para", "Assunto"], "Anna Berg"),
            (["Da", "Inviato", "A", "Oggetto"], "Anna Berg"),
            (["Van", "Verzonden", "Aan", "Onderwerp"], "Anna Berg"),
            (["Från", "Skickat", "Till", "Ämne"], "Anna Berg"),
            (["Fra", "Sendt", "Til", "Emne"], "Anna Berg"),
            (["Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"], "Anna Berg"),
            (["Od", "Wysłano", "Do", "Temat"], "Anna Berg"),
            (["Od", "Odesláno", "Komu", "Předmět"], "Anna Berg"),
            (["От", "Отправлено", "Кому", "Тема"], "Анна Берг"),
            (["Від", "Надіслано", "Кому", "Тема"], "Анна Берг"),
            (["Feladó", "Elküldve", "Címzett", "Tárgy"], "Anna Berg"),
            (["De la", "Trimis", "Către", "Subiect"], "Anna Berg"),
            (["Kimden", "Gönderildi", "Kime", "Konu"], "Anna Berg"),
            (["Από", "Στάλθηκε", "Προς", "Θέμα"], "Anna Berg"),
            (["发件人", "发送时间", "收件人", "主题"], "安娜"),
            (["寄件者", "寄件日期", "收件者", "主旨"], "安娜"),
            (["差出人", "送信日時", "宛先", "件名"], "アンナ"),
            (["보낸 사람", "보낸 날짜", "받는 사람", "제목"], "안나"),
            (["מאת", "נשלח", "אל", "נושא"], "אנה"),
            (["من", "تاريخ الإرسال", "إلى", "الموضوع"], "آنا"),
        ] {
            let [l0, l1, l2, l3] = labels;
            assert_eq!(
                block(&format!("{l0}: {from}\n{l1}: 4.5.2021 10:02\n{l2}: x\n{l3}: Hi\n\nText")),
                Some(4),
                "{l0}"
            );
            assert_eq!(
                block(&format!(
                    "*{l0} :* {from}\n*{l1} :* 4.5.2021 10:02\n\n*{l2}：* x\n*{l3}:* Hi\nText"
                )),
                Some(5),
                "{l0}"
            );
        }
    }

    #[test]
    fn short_and_wrapped_blocks_are_known() {
        assert_eq!(
            block("From: Anna\n<anna-of-the-shop@shop.test>\nSent: Monday\nTo: me\nSubject: Hi"),
            Some(5)
        );
        assert_eq!(block("Date: Wed, 5 May 2021 10:02:00 +0200\nTo: anna@shop.test\n\nx"), Some(2));
        assert_eq!(
            block(
                "Message du : 04/05/2021 10:02\nDe : \"Anna\" <anna@shop.test>\nA : moi@shop.test\nCopie à : \nSujet : Hi"
            ),
            Some(5)
        );
        assert_eq!(
            block(
                "De : Anna <anna@shop.test>\nDate : 04/05/21 10:02\nÀ : moi@shop.test Objet : Bonjour"
            ),
            Some(3)
        );
    }

    #[test]
    fn forms_and_travel_plans_are_not_headers() {
        for text in [
            "From: Berlin\nTo: Paris\nDate: 4.5.2021",
            "Date: Wednesday 4 May 2021\nTime: 7:00\nAddress: 1 Fox Street",
            "From: Anna\nEmail: anna@shop.test\nSubject: Refund\nMessage: please",
            "To: the team\nI have a question",
            "Subject: refund",
            "Data: 4.5.2021\nDo zapłaty: 5",
        ] {
            assert_eq!(block(text), None, "{text}");
        }
    }
}
