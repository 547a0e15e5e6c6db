//! The typed contexts of the page: one struct a template, everything in it already prepared.
//!
//! A template sees nothing but its struct, so what can reach a browser is written down here and
//! nowhere else. Texts are rendered masked text (`<EMAIL_1>`) unless a field says otherwise; times
//! and sizes are words; hyperlinks are built by the templates from ids, so no field can carry a
//! scheme. None of the structs derives `Debug`: they hold what people wrote to each other.
//!
//! Each page has a `sample()`, which the tests, the preview and the next designer use.

mod docs;
mod learning;
mod queue;
mod review;
mod sample;
mod sample_review;
mod text;
mod words;

use serde::Serialize;

pub use docs::DocsPage;
pub use learning::{Head, LearningPage, Proposal, Set, Topic, TopicExample};
pub use queue::{Claim, Flag, Queue, QueuePage, Row, RowIntent, TabCount};
pub use review::{
    Alternative, Analysis, Attachment, AuditRow, Can, Correct, Delivery, Draft, Editor, Envelope,
    Grounding, Hold, Injection, Language, Message, Passage, Piece, Recipient, Restoration,
    ReviewPage, Sentence, Share, Sign, SnoozeChoice, highlight,
};
pub use text::{Segment, Token, code_points, segments, tokens};
pub use words::{
    Channel, FlagKind, NoticeKind, PassageKind, QueueTab, RecipientRole, RejectReason, Section,
    SegmentKind, Sentiment, Spam, State, Task, Urgency, Verdict,
};

/// What surrounds every page of somebody who is signed in.
#[derive(Clone, Serialize)]
pub struct Shell {
    pub section: Section,
    /// The reviewer's name.
    pub user: String,
    pub tenant: String,
    /// Token of this session, in every form.
    pub csrf: String,
    /// Reviews that wait, shown in the navigation and in the title.
    pub to_review: u64,
    /// Whether sends end in the sandbox and reach nobody.
    pub sandbox: bool,
    pub notice: Option<Notice>,
}

/// What the last action did, or why it did not.
#[derive(Clone, Serialize)]
pub struct Notice {
    pub kind: NoticeKind,
    pub title: String,
    /// Details; for a conflict, what changed meanwhile, one change a line.
    pub lines: Vec<String>,
    /// Offers to take back an approval made on the page before.
    pub undo: Option<Undo>,
}

/// An approval that can still be taken back, of a review other than the one shown.
#[derive(Clone, Serialize)]
pub struct Undo {
    pub review: String,
    pub digest: String,
    pub revision: u64,
    /// Whole seconds until the send starts.
    pub seconds_left: u32,
}

/// A moment, three ways.
#[derive(Clone, Serialize)]
pub struct When {
    /// RFC 3339, for the `datetime` attribute.
    pub at: String,
    /// The moment in the reader's words (`12 Nov, 14:02`).
    pub shown: String,
    /// Its age (`4 min`).
    pub ago: String,
}

/// `GET /login`.
#[derive(Clone, Serialize)]
pub struct LoginPage {
    pub csrf: String,
    /// The name typed before, so that only the password is typed again.
    pub name: String,
    pub error: Option<String>,
    /// Path to go on to; the handler checks that it is one of ours.
    pub next: Option<String>,
    pub demo_hint: Option<DemoHint>,
}

/// Credentials of a throw-away demonstration.
#[derive(Clone, Serialize)]
pub struct DemoHint {
    pub name: String,
    pub password: String,
}

/// `GET /outbox`: what was sent, as the recipient sees it, and what waits.
#[derive(Clone, Serialize)]
pub struct OutboxPage {
    pub shell: Shell,
    /// Newest first.
    pub sends: Vec<Send>,
    /// Cursor of the page after this one.
    pub next: Option<String>,
}

/// One send. `to`, `subject` and `body` are what the recipient sees: restored text, personal data.
#[derive(Clone, Serialize)]
pub struct Send {
    pub id: String,
    pub state: State,
    pub channel: Channel,
    pub to: String,
    pub subject: Option<String>,
    pub body: String,
    pub at: When,
    /// The review that was approved.
    pub review: String,
    pub approver: String,
    /// Digest of the approval, hexadecimal.
    pub digest: String,
    pub attempts: u32,
    pub receipt: Option<String>,
    pub error: Option<String>,
}

/// `GET /knowledge`.
#[derive(Clone, Serialize)]
pub struct KnowledgePage {
    pub shell: Shell,
    pub query: String,
    pub articles: Vec<ArticleRow>,
    /// Cursor of the page after this one.
    pub next: Option<String>,
}

/// An article in the list.
#[derive(Clone, Serialize)]
pub struct ArticleRow {
    pub id: String,
    pub title: String,
    /// Its beginning, one line.
    pub summary: String,
    pub source: String,
    pub passages: u32,
    pub updated: When,
}

/// `GET /knowledge/{id}`.
#[derive(Clone, Serialize)]
pub struct ArticlePage {
    pub shell: Shell,
    pub id: String,
    pub title: String,
    pub source: String,
    /// ISO 639-1.
    pub language: Option<String>,
    pub passages: u32,
    pub updated: When,
    /// Plain text, white space kept.
    pub text: String,
}

/// Any failure that a person gets to see.
#[derive(Clone, Serialize)]
pub struct ErrorPage {
    /// `None` for somebody who isn't signed in.
    pub shell: Option<Shell>,
    /// HTTP status.
    pub status: u16,
    pub title: String,
    pub detail: String,
    /// Id to look for in the log.
    pub request: Option<String>,
}
