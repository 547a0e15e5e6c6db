//! `GET /`: the queue, and the same list beside an open review.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use sqlx::AnyConnection;

use super::view::{
    self, Channel, Claim, Flag, FlagKind, Queue, QueuePage, QueueTab, Row, RowIntent, Section,
    Sentiment, TabCount, Urgency,
};
use super::{App, AppState, Failure, notice, page, percent, shell, when};
use crate::domain::ids::{Micros, TenantId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::domain::review::State as Stand;
use crate::http::auth::Person;
use crate::http::reviews::{cursor, read_cursor};
use crate::pipeline::threads;
use crate::store::review::{self, Filter, Review};
use crate::store::{self, channel, message, thread, user};

/// Rows of a page.
const ROWS: i64 = 40;
/// Rows that a filter looks through.
const SEARCHED: i64 = 400;

/// The list's parameters.
#[derive(Deserialize, Default)]
pub struct Asked {
    /// Which tab.
    pub tab: Option<String>,
    /// What the rows must contain.
    pub q: Option<String>,
    /// The cursor.
    pub after: Option<String>,
    /// What has just been done.
    pub done: Option<String>,
}

/// `GET /`.
pub async fn show(
    State(app): AppState,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut s = shell(&app, &person, Section::Queue).await?;
    s.notice = asked.done.as_deref().and_then(notice);
    let queue = list(&app, &person, &asked).await?;
    Ok(page(app.pages.queue(&QueuePage { shell: s, queue })?))
}

fn states(tab: QueueTab) -> Vec<Stand> {
    match tab {
        QueueTab::Review => vec![Stand::Pending, Stand::NoMatch, Stand::Escalated],
        QueueTab::Held => vec![Stand::Approved, Stand::Held, Stand::Sending],
        QueueTab::Sent => vec![Stand::Sent],
        QueueTab::Trouble => vec![Stand::Failed, Stand::Unknown],
        QueueTab::Filed => vec![Stand::Filed, Stand::Rejected, Stand::Superseded],
        QueueTab::All => Stand::ALL.to_vec(),
    }
}

/// The list under a tab.
///
/// # Errors
/// 400 for a cursor that isn't ours; store errors.
pub async fn list(app: &App, person: &Person, asked: &Asked) -> Result<Queue, Failure> {
    let tab = asked.tab.as_deref().and_then(QueueTab::from_key).unwrap_or(QueueTab::Review);
    let query: String = asked.q.as_deref().unwrap_or_default().trim().chars().take(100).collect();
    let after = asked.after.as_deref().filter(|a| !a.is_empty()).map(read_cursor).transpose()?;
    let tenant = &person.session.tenant;
    let now = app.store.host.now();
    let paged = after.is_some();
    let limit = if query.is_empty() { ROWS } else { SEARCHED };
    let all = matches!(tab, QueueTab::All);
    let filter = Filter { states: states(tab), snoozed: all, now, after, limit };
    let mut c = app.store.db.read().await?;
    let found = review::list(&mut c, tenant, &filter).await?;
    let next = (i64::try_from(found.len()).unwrap_or(0) == limit)
        .then(|| found.last().map(cursor))
        .flatten();
    let mut rows = Vec::with_capacity(found.len());
    for r in &found {
        let built = row(app, &mut c, person, r, now).await?;
        if query.is_empty() || mentions(&built, &query) {
            rows.push(built);
        }
    }
    let counts = review::counts(&mut c, tenant).await?;
    let tabs = QueueTab::ALL
        .iter()
        .map(|t| {
            let wanted = states(*t);
            let n: i64 = counts.iter().filter(|(s, _)| wanted.contains(s)).map(|(_, n)| n).sum();
            TabCount { tab: *t, count: u64::try_from(n).unwrap_or(0) }
        })
        .collect();
    Ok(Queue { tab, tabs, query, rows, next, paged })
}

fn mentions(r: &Row, query: &str) -> bool {
    let q = query.to_lowercase();
    let intent = r.intent.as_ref().map(|i| i.label.as_str()).unwrap_or_default();
    [&r.sender, &r.subject, &r.preview, intent]
        .iter()
        .any(|text: &&str| text.to_lowercase().contains(&q))
}

async fn row(
    app: &App,
    c: &mut AnyConnection,
    person: &Person,
    r: &Review,
    now: Micros,
) -> store::Result<Row> {
    let t = &person.session.tenant;
    let m = message::get(c, t, &r.message).await?;
    let th = thread::get(c, t, &r.thread).await?;
    let ch = channel::get(&app.store, c, t, &th.channel).await?;
    let numbering = threads::numbering(c, t, &r.thread).await?;
    let analysis = message::analysis(c, t, &r.message).await?;
    let text = rendered(m.visible.as_deref(), &numbering);
    let first: String =
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    let subject = rendered(m.subject_masked.as_deref(), &numbering);
    let (subject, preview) =
        if subject.trim().is_empty() { (first, String::new()) } else { (subject, first) };
    let messages = message::of_thread(c, t, &r.thread).await?.len();
    Ok(Row {
        id: r.id.to_string(),
        sender: short_sender(&rendered(m.sender.as_deref(), &numbering)),
        channel: channel_word(ch.kind.as_str()),
        subject,
        preview,
        messages: u32::try_from(messages).unwrap_or(u32::MAX),
        intent: analysis.as_ref().map(|a| RowIntent {
            label: a.intent.label.to_string().replace('_', " "),
            percent: percent(a.intent.confidence.get()),
            abstained: a.intent.abstained,
        }),
        sentiment: analysis.as_ref().and_then(|a| Sentiment::from_key(a.sentiment.label.as_str())),
        urgency: analysis.as_ref().and_then(|a| Urgency::from_key(a.urgency.level.as_str())),
        language: analysis
            .as_ref()
            .filter(|a| a.language.code.is_known())
            .map(|a| a.language.code.as_str().to_owned()),
        state: state_word(r, now),
        flags: flags(r),
        claim: claim(c, t, person, r, now).await?,
        arrived: when(m.sent_at.unwrap_or(m.received_at), now),
    })
}

/// In a list the name stands for name and address.
fn short_sender(whole: &str) -> String {
    whole.split_whitespace().next().unwrap_or_default().to_owned()
}

/// A stored text as people see it.
pub fn rendered(stored: Option<&str>, numbering: &Numbering) -> String {
    MaskedText::from_store(stored.unwrap_or_default().to_owned()).render(numbering).into_string()
}

/// A channel kind's word.
pub fn channel_word(kind: &str) -> Channel {
    Channel::from_key(kind).unwrap_or(Channel::Webhook)
}

/// A review's state as shown; a sleeping one says so.
pub fn state_word(r: &Review, now: Micros) -> view::State {
    if r.state.awaits_person() && r.snoozed_until.is_some_and(|t| t > now) {
        return view::State::Snoozed;
    }
    view::State::from_key(r.state.as_str()).unwrap_or(view::State::Unknown)
}

/// Why a person must look twice, in words.
pub fn flags(r: &Review) -> Vec<Flag> {
    r.attention
        .iter()
        .map(|code| {
            let (kind, detail) = match code.as_str() {
                "injection" => {
                    (FlagKind::Injection, "The message tries to instruct the assistant.")
                }
                "reply_to_differs" => (
                    FlagKind::ReplyTo,
                    "Its Reply-To names another domain; the reply goes to the sender.",
                ),
                "related_thread" => (
                    FlagKind::NewSender,
                    "It refers to a conversation in which its sender takes no part.",
                ),
                "other_recipient" => (
                    FlagKind::NewSender,
                    "Somebody else than who began the conversation wrote last; the reply goes to them.",
                ),
                "not_delivered" => {
                    (FlagKind::Other, "It was signed before, but could not be delivered.")
                }
                "attachment_refused" => (FlagKind::Attachment, "An attachment was refused."),
                "ungrounded" => {
                    (FlagKind::Ungrounded, "A sentence of the draft isn't in its evidence.")
                }
                "unanswered" => {
                    (FlagKind::Other, "Part of the question has no answer in the draft.")
                }
                "spam" => (FlagKind::Spam, "Filed as unwanted mail."),
                "draft_failed" => {
                    (FlagKind::Other, "No draft could be made: see the dead letters.")
                }
                "unreadable" => {
                    (FlagKind::Other, "The message could not be read: see the dead letters.")
                }
                "no_sender" => {
                    (FlagKind::Other, "The message names no sender: no reply can be sent.")
                }
                "text_cut" => (FlagKind::Other, "The message is longer than what is shown."),
                _ => (FlagKind::Other, "Look twice."),
            };
            Flag { kind, detail: detail.to_owned() }
        })
        .collect()
}

/// Who holds the claim, if it still runs.
///
/// # Errors
/// Store errors.
pub async fn claim(
    c: &mut AnyConnection,
    t: &TenantId,
    person: &Person,
    r: &Review,
    now: Micros,
) -> store::Result<Option<Claim>> {
    let (Some(who), Some(until)) = (&r.claimed_by, r.claim_until) else { return Ok(None) };
    if until <= now {
        return Ok(None);
    }
    Ok(Some(Claim {
        name: user::get(c, t, who).await?.name,
        mine: *who == person.user.id,
        until: super::shown(until),
    }))
}
