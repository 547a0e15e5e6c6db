//! Sample contexts of the review page: one review in each of the situations a reviewer meets.

use super::queue::{Claim, Queue};
use super::review::{
    Alternative, Analysis, Attachment, AuditRow, Can, Correct, Delivery, Draft, Editor, Envelope,
    Grounding, Hold, Injection, Language, Message, Passage, Recipient, Restoration, ReviewPage,
    Sentence, Share, Sign, SnoozeChoice, highlight,
};
use super::sample::{flag, when};
use super::words::{
    Channel, FlagKind, NoticeKind, PassageKind, RecipientRole, RejectReason, Section, Sentiment,
    Spam, State, Urgency, Verdict,
};
use super::{Notice, Shell};

pub(super) const DIGEST: &str = "3fa9c1d2e8b74460a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718";

impl ReviewPage {
    /// A draft that waits, with flags that ask for a look.
    pub fn sample() -> Self {
        Self {
            shell: Shell::sample(Section::Queue),
            queue: Queue::sample(),
            id: "rv-0192a7".into(),
            state: State::Pending,
            previous: Some("rv-0192a6".into()),
            next: Some("rv-0192a8".into()),
            subject: "Order 48213: front light arrived cracked".into(),
            customer: "<PERSON_1>".into(),
            channel: Channel::Email,
            claim: Some(Claim { name: "Lena Brandt".into(), mine: true, until: "14:12".into() }),
            snoozed_until: None,
            analysis: Some(analysis()),
            messages: messages(),
            draft: Some(draft()),
            passages: passages(),
            alternatives: vec![Alternative {
                source: "Past reply, 3 October".into(),
                text: "Sorry about that! We have put a new light in the post for you today.".into(),
            }],
            envelope: envelope(),
            sign: Sign {
                digest: DIGEST.into(),
                revision: 2,
                needs_attention: true,
                flags: vec![
                    flag(FlagKind::Ungrounded, "One sentence says more than the evidence does."),
                    flag(FlagKind::Attachment, "An attachment was refused and not read."),
                ],
            },
            editor: Editor {
                text: draft().sentences.iter().map(|s| format!("{}{}", s.before, s.text)).collect(),
                subject: "Re: Order 48213: front light arrived cracked".into(),
                open: false,
            },
            can: Can {
                claim: false,
                release: true,
                approve: true,
                edit: true,
                reject: true,
                respond: true,
                snooze: true,
                assign: true,
                escalate: true,
                undo: false,
            },
            hold: None,
            deliveries: Vec::new(),
            snooze: snooze(),
            reject_reasons: RejectReason::ALL.to_vec(),
            people: vec!["Tomas Ek".into(), "Safety team".into()],
            history: history(),
        }
    }

    /// The knowledge base has no answer.
    pub fn sample_no_match() -> Self {
        let mut page = Self::sample();
        page.state = State::NoMatch;
        page.subject = "Will the Fjord 500 mount fit a 35 mm bar?".into();
        page.claim = None;
        page.draft = None;
        page.alternatives.clear();
        page.passages.iter_mut().for_each(|passage| {
            passage.cited = false;
            passage.pieces.iter_mut().for_each(|piece| piece.cited = false);
        });
        page.editor = Editor::default();
        page.sign.needs_attention = false;
        page.sign.flags.clear();
        page.envelope.restorations.clear();
        page.can = Can {
            claim: true,
            respond: true,
            reject: true,
            snooze: true,
            escalate: true,
            ..Can::default()
        };
        page
    }

    /// Approved, and still to be taken back.
    pub fn sample_held() -> Self {
        let mut page = Self::sample();
        page.state = State::Held;
        page.can = Can { undo: true, ..Can::default() };
        page.hold = Some(Hold {
            seconds_left: 12,
            seconds_total: 15,
            approver: "Lena Brandt".into(),
            at: when("2026-11-12T14:02:16Z", "12 Nov, 14:02", "now"),
        });
        page
    }

    /// Sent to one recipient, unclear for another.
    pub fn sample_sent() -> Self {
        let mut page = Self::sample();
        page.state = State::Sent;
        page.can = Can::default();
        page.claim = None;
        page.messages.splice(0..0, messages());
        let delivery = Delivery {
            state: State::Sent,
            at: when("2026-11-12T14:02:31Z", "12 Nov, 14:02", "3 min"),
            to: "<EMAIL_1>".into(),
            approver: "Lena Brandt".into(),
            digest: DIGEST.into(),
            attempts: 1,
            receipt: Some("250 2.0.0 queued as 4XkT1z".into()),
            error: None,
        };
        page.deliveries = vec![
            delivery.clone(),
            Delivery {
                state: State::Unknown,
                to: "<EMAIL_2>".into(),
                receipt: None,
                error: Some("The connection broke after the message had been handed over.".into()),
                attempts: 2,
                ..delivery
            },
        ];
        page
    }

    /// Handed over, never confirmed: a person has to find out.
    pub fn sample_unknown() -> Self {
        let mut page = Self::sample_sent();
        page.state = State::Unknown;
        page.deliveries.remove(0);
        page
    }

    /// The customer wrote again while the reviewer was typing.
    pub fn sample_conflict() -> Self {
        let mut page = Self::sample();
        page.shell.notice = Some(Notice {
            kind: NoticeKind::Conflict,
            title: "Nothing was sent: this review changed while you had it open.".into(),
            lines: vec![
                "The customer wrote again at 14:01.".into(),
                "The draft was rewritten (revision 1 → 2).".into(),
            ],
            undo: None,
        });
        if let Some(analysis) = &mut page.analysis {
            analysis.abstained = true;
            analysis.intent_percent = 44;
            analysis.injection = Injection {
                flagged: true,
                percent: 97,
                reasons: vec!["gives orders to an assistant".into()],
            };
        }
        page.editor.open = true;
        page.editor.text.push_str("\n\nPS: we have added a spare mount.");
        page
    }

    /// Somebody else has it, until it wakes.
    pub fn sample_taken() -> Self {
        let mut page = Self::sample();
        page.state = State::Snoozed;
        page.claim = Some(Claim { name: "Tomas Ek".into(), mine: false, until: "14:15".into() });
        page.snoozed_until = Some("tomorrow, 09:00".into());
        page.can = Can { claim: true, ..Can::default() };
        page
    }

    /// Every situation, with a name for files and failures.
    pub fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("review", Self::sample()),
            ("review-no-match", Self::sample_no_match()),
            ("review-held", Self::sample_held()),
            ("review-sent", Self::sample_sent()),
            ("review-unknown", Self::sample_unknown()),
            ("review-conflict", Self::sample_conflict()),
            ("review-taken", Self::sample_taken()),
        ]
    }
}

fn analysis() -> Analysis {
    Analysis {
        intent: "Damaged on arrival".into(),
        intent_percent: 91,
        abstained: false,
        alternatives: vec![
            Share { label: "Warranty claim".into(), percent: 5 },
            Share { label: "Return label".into(), percent: 2 },
        ],
        sentiment: Sentiment::Negative,
        sentiment_percent: 78,
        urgency: Urgency::High,
        urgency_reasons: vec![
            "names a deadline: “Friday”".into(),
            "depends on the product to get to work".into(),
        ],
        language: Language { code: "en".into(), name: "English".into() },
        spam: Spam::Ham,
        spam_percent: 99,
        injection: Injection { flagged: false, percent: 3, reasons: Vec::new() },
        models: "all-MiniLM-L6-v2 int8, heads 2026-11-02".into(),
        correct: Correct {
            intents: [("damaged", "damaged"), ("refund_status", "refund status")]
                .map(|(value, shown)| (value.to_owned(), shown.to_owned()))
                .to_vec(),
            sentiments: Sentiment::ALL.to_vec(),
            urgencies: Urgency::ALL.to_vec(),
            said: vec!["Intent: refund status".into()],
        },
    }
}

fn messages() -> Vec<Message> {
    let message = |id: &str, inbound, author: &str, text: &str, ago: &str| Message {
        id: id.into(),
        inbound,
        author: author.into(),
        at: when("2026-11-12T13:58:00Z", "12 Nov, 13:58", ago),
        text: text.into(),
        language: Some("en".into()),
        quoted: None,
        signature: None,
        attachments: Vec::new(),
        oddities: Vec::new(),
        answered_here: false,
    };
    vec![
        message(
            "ms-1",
            true,
            "<PERSON_1>",
            "Hi, when will order 48213 arrive? I need the light by Friday.",
            "2 days",
        ),
        message(
            "ms-2",
            false,
            "Tomas Ek",
            "Hello <PERSON_1>,\n\nyour order left us this morning and should be with you on Thursday.\n\nKind regards\nNorthlight Bikes",
            "2 days",
        ),
        Message {
            quoted: Some(
                "> your order left us this morning and should be\n> with you on Thursday.".into(),
            ),
            signature: Some("<PERSON_1>\n<PHONE_1>".into()),
            attachments: vec![
                Attachment {
                    name: "crack.jpg".into(),
                    media_type: "image/jpeg".into(),
                    size: "1.4 MB".into(),
                    allowed: true,
                    reason: Some("location data removed".into()),
                },
                Attachment {
                    name: "invoice.pdf.exe".into(),
                    media_type: "application/x-msdownload".into(),
                    size: "312 kB".into(),
                    allowed: false,
                    reason: Some("programs are refused".into()),
                },
            ],
            oddities: vec!["The plain and the HTML part differ; the plain part is shown.".into()],
            answered_here: true,
            ..message(
                "ms-3",
                true,
                "<PERSON_1>",
                "Hello,\n\nmy Fjord 700 arrived today but the lens has a crack right across it. I ride to work before dawn, so I can't wait long.\n\nCould you send a new one to <LOCATION_1>? You can reach me at <EMAIL_1>, or charge the difference to <CARD_1> if I should take the 900 instead.",
                "4 min",
            )
        },
    ]
}

fn draft() -> Draft {
    let sentence = |before: &str, text: &str, citations: &[u32], verdict| Sentence {
        before: before.into(),
        text: text.into(),
        citations: citations.to_vec(),
        verdict,
        note: None,
    };
    Draft {
        author: "extractive drafter".into(),
        tone: Some("apologetic".into()),
        language: Some(Language { code: "en".into(), name: "English".into() }),
        sentences: vec![
            sentence("", "Hello <PERSON_1>,", &[], None),
            sentence(
                "\n\n",
                "I'm sorry that your Fjord 700 arrived with a cracked lens.",
                &[],
                Some(Verdict::Inferred),
            ),
            sentence(
                " ",
                "We replace lights that arrive damaged free of charge, and you needn't send the broken one back.",
                &[1],
                Some(Verdict::Supported),
            ),
            Sentence {
                note: Some("The passage says “next working day”.".into()),
                ..sentence(
                    " ",
                    "Yours leaves the workshop today.",
                    &[2],
                    Some(Verdict::Contradicted),
                )
            },
            Sentence {
                note: Some("No passage names the price.".into()),
                ..sentence("\n\n", "The 900 costs 24 euros more.", &[], Some(Verdict::Unsupported))
            },
            sentence(
                " ",
                "If you would like it instead, answer this message and we will write to <EMAIL_1>.",
                &[1, 2],
                Some(Verdict::Supported),
            ),
            sentence("\n\n", "Kind regards\nNorthlight Bikes", &[], None),
        ],
        grounding: Some(Grounding {
            supported: false,
            sentences_supported: 3,
            sentences_checked: 5,
        }),
    }
}

fn passages() -> Vec<Passage> {
    let passage = |number, title: &str, score: &str, text: &str, quote: &str| {
        let start = text.find(quote).unwrap_or(0);
        Passage {
            number,
            kind: PassageKind::Article,
            title: title.into(),
            article: Some(format!("kb-{}", 11 + number)),
            score: score.into(),
            pieces: highlight(text, std::iter::once(start..start + quote.len())),
            cited: true,
        }
    };
    vec![
        passage(
            1,
            "Damaged on arrival",
            "0.83",
            "A light that arrives damaged is replaced free of charge within 30 days of delivery. A photo of the damage is enough; the broken light need not be sent back.",
            "replaced free of charge within 30 days of delivery",
        ),
        passage(
            2,
            "Damaged on arrival",
            "0.71",
            "Replacements ordered before 14:00 leave the workshop on the next working day. Customers get a tracking link by e-mail.",
            "leave the workshop on the next working day",
        ),
        Passage {
            kind: PassageKind::PastReply,
            article: None,
            cited: false,
            ..passage(
                3,
                "Reply of 3 October",
                "0.64",
                "We have put a new light in the post for you today.",
                "",
            )
        },
    ]
}

fn envelope() -> Envelope {
    let restoration = |placeholder: &str, reason: Option<&str>| Restoration {
        placeholder: placeholder.into(),
        restored: reason.is_none(),
        reason: reason.map(Into::into),
    };
    Envelope {
        channel: Channel::Email,
        sender: "support@northlight.example".into(),
        recipients: vec![
            Recipient { role: RecipientRole::To, address: "<EMAIL_1>".into(), warning: None },
            Recipient {
                role: RecipientRole::Cc,
                address: "<EMAIL_2>".into(),
                warning: Some("new in this thread".into()),
            },
        ],
        subject: Some("Re: Order 48213: front light arrived cracked".into()),
        restorations: vec![
            restoration("<PERSON_1>", None),
            restoration("<EMAIL_1>", None),
            restoration("<CARD_1>", Some("card numbers are never sent")),
        ],
    }
}

fn snooze() -> Vec<SnoozeChoice> {
    [
        ("1h", "1 hour", "15:02"),
        ("4h", "4 hours", "18:02"),
        ("tomorrow", "Tomorrow", "Fri 09:00"),
        ("next_week", "Next week", "Mon 09:00"),
    ]
    .into_iter()
    .map(|(value, label, when)| SnoozeChoice {
        value: value.into(),
        label: label.into(),
        when: when.into(),
    })
    .collect()
}

fn history() -> Vec<AuditRow> {
    let row = |actor: &str, action: &str, detail: Option<&str>, sequence| AuditRow {
        at: when("2026-11-12T13:58:02Z", "12 Nov, 13:58", "4 min"),
        actor: actor.into(),
        action: action.into(),
        detail: detail.map(Into::into),
        sequence,
    };
    vec![
        row("system", "message received", None, Some(4811)),
        row("system", "draft written", Some("revision 1, extractive"), Some(4812)),
        row("Lena Brandt", "claimed", None, Some(4815)),
        row("Lena Brandt", "draft edited", Some("revision 2"), None),
    ]
}
