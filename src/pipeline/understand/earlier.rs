//! What was said in the thread before: a short answer is read by it, and a mood has a direction.

use sqlx::AnyConnection;

use super::READ_CHARS;
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::masking::MaskedText;
use crate::domain::message::Direction;
use crate::domain::triage::Polarity;
use crate::store;
use crate::store::message::{self, Message};

/// Messages that are looked at, of both sides.
const TURNS: usize = 8;

/// Earlier messages of a thread, the latest last.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Masked texts, of both sides.
    pub(super) texts: Vec<String>,
    /// How the customer felt each time.
    pub(super) moods: Vec<Polarity>,
}

/// What stands in the thread before a message.
pub(super) async fn earlier(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    row: &Message,
) -> store::Result<Earlier> {
    let messages = message::of_thread(c, tenant, thread).await?;
    let before = |m: &Message| {
        m.id != row.id
            && m.state == "understood"
            && row.thread_seq.is_none_or(|own| m.thread_seq.is_some_and(|seq| seq < own))
    };
    let mut latest: Vec<Message> = messages.into_iter().rev().filter(before).take(TURNS).collect();
    latest.reverse();
    let mut earlier = Earlier::default();
    for m in latest {
        if m.direction == Direction::In {
            let analysis = message::analysis(c, tenant, &m.id).await?;
            earlier.moods.extend(analysis.map(|a| a.sentiment.score));
        }
        let text = MaskedText::from_store(m.visible.unwrap_or_default()).as_words();
        earlier.texts.push(text.chars().take(READ_CHARS).collect());
    }
    Ok(earlier)
}
