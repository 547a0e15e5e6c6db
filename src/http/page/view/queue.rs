//! What the queue shows: the list of reviews, alone on `/` and beside a review on `/reviews/{id}`.

use serde::Serialize;

use super::words::{Channel, FlagKind, QueueTab, Sentiment, State, Urgency};
use super::{Shell, When};

/// `GET /`: the queue on its own.
#[derive(Clone, Serialize)]
pub struct QueuePage {
    pub shell: Shell,
    pub queue: Queue,
}

/// One page of reviews under one tab.
#[derive(Clone, Serialize)]
pub struct Queue {
    /// The tab whose rows these are.
    pub tab: QueueTab,
    /// Every tab with its number of reviews, in the order shown.
    pub tabs: Vec<TabCount>,
    /// What the reviewer typed into the filter, or empty.
    pub query: String,
    /// The rows, the most pressing first (the store's order).
    pub rows: Vec<Row>,
    /// Cursor of the page after this one.
    pub next: Option<String>,
    /// Whether a cursor led here, so that a link back to the first page is offered.
    pub paged: bool,
}

/// A tab and how many reviews stand under it.
#[derive(Clone, Serialize)]
pub struct TabCount {
    pub tab: QueueTab,
    pub count: u64,
}

/// One review in the list.
#[derive(Clone, Serialize)]
pub struct Row {
    pub id: String,
    /// The sender as rendered masked text (`<PERSON_1>`) or a handle.
    pub sender: String,
    pub channel: Channel,
    /// The subject, or the first line where the channel has none.
    pub subject: String,
    /// The beginning of the customer's message, one line.
    pub preview: String,
    /// Messages in the thread.
    pub messages: u32,
    pub intent: Option<RowIntent>,
    pub sentiment: Option<Sentiment>,
    pub urgency: Option<Urgency>,
    /// ISO 639-1, lower case.
    pub language: Option<String>,
    pub state: State,
    pub flags: Vec<Flag>,
    pub claim: Option<Claim>,
    /// When the newest customer message arrived.
    pub arrived: When,
}

/// The best guess of the intent, as a badge.
#[derive(Clone, Serialize)]
pub struct RowIntent {
    pub label: String,
    /// Confidence in per cent, 0–100.
    pub percent: u8,
    /// Whether the classifier declined to commit itself.
    pub abstained: bool,
}

/// Something a reviewer has to see before deciding.
#[derive(Clone, Serialize)]
pub struct Flag {
    pub kind: FlagKind,
    /// The reason in a sentence, as rendered masked text.
    pub detail: String,
}

/// Who works on a review, and until when the lease runs.
#[derive(Clone, Serialize)]
pub struct Claim {
    pub name: String,
    /// Whether it is the person who looks at the page.
    pub mine: bool,
    /// The end of the lease, as a time of day.
    pub until: String,
}
