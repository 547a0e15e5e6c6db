//! What one review shows: the thread, what was read from it, the draft with its evidence, and
//! exactly what a countersignature would bind.

use std::ops::Range;

use serde::Serialize;

use super::queue::{Claim, Flag, Queue};
use super::words::{
    Channel, PassageKind, RecipientRole, RejectReason, Sentiment, Spam, State, Urgency, Verdict,
};
use super::{Shell, When};

/// `GET /reviews/{id}`.
#[derive(Clone, Serialize)]
pub struct ReviewPage {
    pub shell: Shell,
    /// The list the review was opened from; a desktop shows it at the left.
    pub queue: Queue,
    pub id: String,
    pub state: State,
    /// Ids of the neighbours in the queue, for `k` and `j`.
    pub previous: Option<String>,
    pub next: Option<String>,
    /// The thread's subject, or its first line.
    pub subject: String,
    /// The customer as rendered masked text or a handle.
    pub customer: String,
    pub channel: Channel,
    pub claim: Option<Claim>,
    /// Until when the review sleeps, in words.
    pub snoozed_until: Option<String>,
    pub analysis: Option<Analysis>,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// `None` when nothing was drafted: the state then is `no_match`, or the message was filed.
    pub draft: Option<Draft>,
    pub passages: Vec<Passage>,
    pub alternatives: Vec<Alternative>,
    pub envelope: Envelope,
    pub sign: Sign,
    pub editor: Editor,
    pub can: Can,
    pub hold: Option<Hold>,
    /// What became of the sends, newest first.
    pub deliveries: Vec<Delivery>,
    pub snooze: Vec<SnoozeChoice>,
    pub reject_reasons: Vec<RejectReason>,
    /// Names that a review can be assigned to or escalated to.
    pub people: Vec<String>,
    /// Oldest first.
    pub history: Vec<AuditRow>,
}

/// What the heads read from the newest customer message. Percentages are 0–100.
#[derive(Clone, Serialize)]
pub struct Analysis {
    pub intent: String,
    pub intent_percent: u8,
    pub abstained: bool,
    /// The next guesses, best first, without the label itself.
    pub alternatives: Vec<Share>,
    pub sentiment: Sentiment,
    pub sentiment_percent: u8,
    pub urgency: Urgency,
    pub urgency_reasons: Vec<String>,
    pub language: Language,
    pub spam: Spam,
    pub spam_percent: u8,
    pub injection: Injection,
    /// The models that said so, as shown to a person.
    pub models: String,
    pub correct: Correct,
}

/// What a person can say that should have been read, and what one has said.
#[derive(Clone, Serialize)]
pub struct Correct {
    /// The taxonomy's intents: what a form sends, and how it reads.
    pub intents: Vec<(String, String)>,
    pub sentiments: Vec<Sentiment>,
    pub urgencies: Vec<Urgency>,
    /// As `Intent: refund status`.
    pub said: Vec<String>,
}

/// A label with its confidence, 0–100.
#[derive(Clone, Serialize)]
pub struct Share {
    pub label: String,
    pub percent: u8,
}

/// A language; the code also goes into `lang` attributes.
#[derive(Clone, Serialize)]
pub struct Language {
    /// ISO 639-1, lower case.
    pub code: String,
    pub name: String,
}

/// Whether the message tries to give orders to the drafter.
#[derive(Clone, Serialize)]
pub struct Injection {
    pub flagged: bool,
    pub percent: u8,
    pub reasons: Vec<String>,
}

/// One message of the thread, in or out.
#[derive(Clone, Serialize)]
pub struct Message {
    pub id: String,
    pub inbound: bool,
    /// Customer (rendered masked) or the person and approval behind a reply.
    pub author: String,
    pub at: When,
    /// Rendered masked text, white space as the customer typed it.
    pub text: String,
    /// ISO 639-1.
    pub language: Option<String>,
    pub quoted: Option<String>,
    pub signature: Option<String>,
    pub attachments: Vec<Attachment>,
    /// What was odd about it, one sentence each.
    pub oddities: Vec<String>,
    /// Whether the draft answers this message (the head of the thread).
    pub answered_here: bool,
}

/// A file that came with a message.
#[derive(Clone, Serialize)]
pub struct Attachment {
    pub name: String,
    /// Media type as detected.
    pub media_type: String,
    /// Size in words (`84 kB`).
    pub size: String,
    pub allowed: bool,
    /// Why it was refused, or what was noticed.
    pub reason: Option<String>,
}

/// The draft that waits.
#[derive(Clone, Serialize)]
pub struct Draft {
    /// The drafter or person that wrote this revision.
    pub author: String,
    pub tone: Option<String>,
    pub language: Option<Language>,
    /// The text in order: `before` + `text` of each, joined, is the final text, character by character.
    pub sentences: Vec<Sentence>,
    pub grounding: Option<Grounding>,
}

/// A sentence of the draft.
#[derive(Clone, Serialize)]
pub struct Sentence {
    /// White space between the sentence before and this one, as it will be sent.
    pub before: String,
    pub text: String,
    /// Numbers of [`Passage`]s, from 1.
    pub citations: Vec<u32>,
    pub verdict: Option<Verdict>,
    /// What is missing from the evidence, or which figure differs.
    pub note: Option<String>,
}

/// The verdict over the whole draft.
#[derive(Clone, Serialize)]
pub struct Grounding {
    pub supported: bool,
    /// Sentences with enough support, of those that claim something.
    pub sentences_supported: u32,
    pub sentences_checked: u32,
}

/// A passage that the draft may rest on.
#[derive(Clone, Serialize)]
pub struct Passage {
    /// From 1, the number in the citation marks.
    pub number: u32,
    pub kind: PassageKind,
    pub title: String,
    /// Knowledge article to link to.
    pub article: Option<String>,
    /// Retrieval score as shown.
    pub score: String,
    /// The text cut where the cited sentences begin and end, see [`highlight`].
    pub pieces: Vec<Piece>,
    /// Whether a sentence of the draft cites it; the others are folded away.
    pub cited: bool,
}

/// A run of a passage's text.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    pub text: String,
    pub cited: bool,
}

/// Cuts `text` at the byte ranges that the draft cites.
///
/// Ranges may overlap, be empty, be out of order, or reach past the end; a bound inside a character
/// moves to the start of that character. The pieces joined are always exactly `text`.
pub fn highlight(text: &str, cited: impl IntoIterator<Item = Range<usize>>) -> Vec<Piece> {
    let mut ranges: Vec<(usize, usize)> = cited
        .into_iter()
        .map(|range| (text.floor_char_boundary(range.start), text.floor_char_boundary(range.end)))
        .filter(|(start, end)| start < end)
        .collect();
    ranges.sort_unstable();

    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |text: &str, cited: bool| match pieces.last_mut() {
        Some(last) if last.cited == cited => last.text.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece { text: text.to_owned(), cited }),
    };
    let mut at = 0;
    for (start, end) in ranges {
        let start = start.max(at);
        if start >= end {
            continue;
        }
        push(&text[at..start], false);
        push(&text[start..end], true);
        at = end;
    }
    push(&text[at..], false);
    pieces
}

/// Another answer that was thought of.
#[derive(Clone, Serialize)]
pub struct Alternative {
    /// Where it comes from (`past reply, 12 March`).
    pub source: String,
    pub text: String,
}

/// Everything about the reply except its words.
#[derive(Clone, Serialize)]
pub struct Envelope {
    pub channel: Channel,
    /// Our own sender, as the customer will see it.
    pub sender: String,
    pub recipients: Vec<Recipient>,
    /// `None` on channels without subjects.
    pub subject: Option<String>,
    pub restorations: Vec<Restoration>,
}

/// One who receives the reply.
#[derive(Clone, Serialize)]
pub struct Recipient {
    pub role: RecipientRole,
    /// Rendered masked.
    pub address: String,
    /// Why the address deserves a look.
    pub warning: Option<String>,
}

/// What happens to a placeholder of the draft on sending.
#[derive(Clone, Serialize)]
pub struct Restoration {
    /// `<EMAIL_1>`.
    pub placeholder: String,
    /// Whether the real value is put back; some types never are.
    pub restored: bool,
    /// What the customer will read instead, or why the value stays masked.
    pub reason: Option<String>,
}

/// What an approval from this page binds.
#[derive(Clone, Serialize)]
pub struct Sign {
    /// SHA-256 in lower-case hexadecimal; the first twelve digits are shown.
    pub digest: String,
    pub revision: u64,
    /// What the reviewer has to have read.
    pub flags: Vec<Flag>,
    /// Whether approving asks for the box "I have read the flags".
    pub needs_attention: bool,
}

/// What the editors start with. After a conflict it is what the reviewer had typed: nothing typed is lost.
#[derive(Clone, Default, Serialize)]
pub struct Editor {
    pub text: String,
    pub subject: String,
    /// Whether the page opens with the editor shown.
    pub open: bool,
}

/// Which forms the page offers to this person now.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Can {
    pub claim: bool,
    pub release: bool,
    pub approve: bool,
    pub edit: bool,
    pub reject: bool,
    pub respond: bool,
    pub snooze: bool,
    pub assign: bool,
    pub escalate: bool,
    pub undo: bool,
}

/// An approval that waits for its hold to run out.
#[derive(Clone, Serialize)]
pub struct Hold {
    /// Whole seconds until the send starts, by the server's clock.
    pub seconds_left: u32,
    /// The length of the whole hold in seconds.
    pub seconds_total: u32,
    pub approver: String,
    pub at: When,
}

/// A send and what is known of it.
#[derive(Clone, Serialize)]
pub struct Delivery {
    pub state: State,
    pub at: When,
    pub to: String,
    /// Approver, as shown.
    pub approver: String,
    /// Digest of the approval, hexadecimal.
    pub digest: String,
    pub attempts: u32,
    /// The provider's own id for it.
    pub receipt: Option<String>,
    pub error: Option<String>,
}

/// A length of sleep on offer.
#[derive(Clone, Serialize)]
pub struct SnoozeChoice {
    /// The form's `until`: `1h`, `4h`, `tomorrow`, `next_week`.
    pub value: String,
    pub label: String,
    /// When that is, in words.
    pub when: String,
}

/// A row of the audit log about this review.
#[derive(Clone, Serialize)]
pub struct AuditRow {
    pub at: When,
    pub actor: String,
    pub action: String,
    pub detail: Option<String>,
    /// Position in the tenant's chain, once sequenced.
    pub sequence: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| if piece.cited { format!("[{}]", piece.text) } else { piece.text.clone() })
            .collect()
    }

    #[test]
    fn cited_ranges_are_cut_out_merged_and_clamped() {
        assert_eq!(shown(&highlight("abcdef", [])), "abcdef");
        assert_eq!(shown(&highlight("abcdef", [3..5, 1..4])), "a[bcde]f");
        assert_eq!(shown(&highlight("abcdef", [4..99, 2..2])), "abcd[ef]");
        assert_eq!(shown(&highlight("aß", std::iter::once(2..3))), "a[ß]");
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(
            text in "\\PC{0,40}",
            bounds in proptest::collection::vec((0usize..60, 0usize..60), 0..6),
        ) {
            let ranges: Vec<_> = bounds.into_iter().map(|(start, end)| start..end).collect();
            let pieces = highlight(&text, ranges);
            prop_assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), text);
            prop_assert!(pieces.windows(2).all(|pair| pair[0].cited != pair[1].cited));
        }
    }
}
