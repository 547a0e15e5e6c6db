//! `POST /reviews/{id}/{action}`: what the page's forms ask. Success redirects (so that a reload
//! repeats nothing); a conflict draws the page anew with what was typed and what changed.

use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::queue::Asked;
use super::review::draw;
use super::view::{Notice, NoticeKind, RejectReason};
use super::{AppState, Failure, page};
use crate::domain::approval::Digest;
use crate::domain::ids::{Micros, ReviewId};
use crate::http::auth::{self, Person};
use crate::http::labels::{self, MessageLabels};
use crate::http::problem::Problem;
use crate::http::{App, id};
use crate::review::ReviewError;
use crate::review::actions::Written;
use crate::store::user;

/// Lengths of sleep on offer.
pub const SNOOZES: [(&str, &str); 4] =
    [("1h", "1 hour"), ("4h", "4 hours"), ("tomorrow", "Tomorrow"), ("next_week", "Next week")];

/// When a sleep ends; mornings are 08:00 UTC.
pub fn snooze_until(value: &str, now: Micros) -> Option<Micros> {
    const DAY: i64 = 86_400_000_000;
    let morning = |days: i64| Micros(now.0 - now.0.rem_euclid(DAY) + days * DAY + DAY / 3);
    Some(match value {
        "1h" => now.plus(Duration::from_secs(3600)),
        "4h" => now.plus(Duration::from_secs(4 * 3600)),
        "tomorrow" => morning(1),
        "next_week" => morning(7),
        _ => return None,
    })
}

/// Any of the page's forms.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Fields {
    csrf: String,
    digest: String,
    revision: i64,
    tab: Option<String>,
    text: String,
    subject: Option<String>,
    then: Option<String>,
    reason: Option<String>,
    note: String,
    until: String,
    to: Option<String>,
    flags_read: Option<String>,
    arrived: Option<String>,
    intent: Option<String>,
    sentiment: Option<String>,
    urgency: Option<String>,
}

/// Does it.
pub async fn act(
    State(app): AppState,
    person: Person,
    headers: HeaderMap,
    Path((path, action)): Path<(String, String)>,
    Form(f): Form<Fields>,
) -> Result<Response, Failure> {
    auth::same_site(&app, &headers, &person.session.csrf, &f.csrf)?;
    let wanted: ReviewId = id("review", &path)?;
    let done = match action.as_str() {
        "label" => label(&app, &person, &wanted, &f).await,
        action => run(&app, &person, &wanted, action, &f).await.map_err(Problem::from),
    };
    match done {
        Ok(done) => {
            app.wake.notify_one();
            let tab: String = f
                .tab
                .as_deref()
                .unwrap_or("review")
                .chars()
                .filter(char::is_ascii_lowercase)
                .collect();
            Ok(Redirect::to(&format!("/reviews/{wanted}?tab={tab}&done={done}")).into_response())
        }
        Err(e) => refused(&app, &person, &path, f, e).await,
    }
}

/// Keeps what a person says that should have been read from the message.
async fn label(
    app: &App,
    person: &Person,
    id: &ReviewId,
    f: &Fields,
) -> Result<&'static str, Problem> {
    let given = |field: &Option<String>| field.clone().filter(|label| !label.is_empty());
    let asked = MessageLabels {
        intent: given(&f.intent),
        sentiment: given(&f.sentiment),
        urgency: given(&f.urgency),
        ..MessageLabels::default()
    };
    let message = {
        let mut c = app.store.db.read().await?;
        crate::store::review::get(&mut c, &person.session.tenant, id).await?.message
    };
    labels::keep(app, &person.reviewer(), &message, &asked).await?;
    Ok("labelled")
}

async fn run(
    app: &App,
    person: &Person,
    id: &ReviewId,
    action: &str,
    f: &Fields,
) -> Result<&'static str, ReviewError> {
    let who = person.reviewer();
    let desk = &app.desk;
    Ok(match action {
        "claim" => desk.claim(&who, id).await.map(|_| "claimed")?,
        "release" => desk.release(&who, id).await.map(|_| "released")?,
        "approve" => {
            flags_read(app, person, id, f).await?;
            let seen: Digest = f.digest.parse().map_err(|_| stale())?;
            desk.approve(&who, id, &seen).await.map(|_| "approved")?
        }
        "edit" | "respond" => {
            let sign = f.then.as_deref() == Some("approve");
            if sign {
                flags_read(app, person, id, f).await?;
            }
            let written = Written { text: &f.text, subject: f.subject.as_deref() };
            desk.edit(&who, id, f.revision, &written, sign).await?;
            if sign { "approved" } else { "edited" }
        }
        "reject" => {
            let reason = f.reason.as_deref().and_then(RejectReason::from_key);
            let reason = reason.map_or(String::new(), |r| r.label().to_owned());
            let text = [reason.as_str(), f.note.trim()].join(" ");
            desk.reject(&who, id, text.trim()).await.map(|_| "rejected")?
        }
        "escalate" => {
            if let Some(to) = named(app, person, f).await? {
                desk.assign(&who, id, Some(to)).await?;
            }
            desk.escalate(&who, id, &f.note).await.map(|_| "escalated")?
        }
        "snooze" => {
            let until = snooze_until(&f.until, app.store.host.now())
                .ok_or_else(|| ReviewError::Invalid("choose how long it should sleep".into()))?;
            desk.snooze(&who, id, until).await.map(|_| "snoozed")?
        }
        "assign" => {
            let to = named(app, person, f).await?;
            desk.assign(&who, id, to).await.map(|_| "assigned")?
        }
        "undo" => desk.undo(&who, id).await.map(|_| "undone")?,
        "settle" => {
            let arrived = f.arrived.as_deref() == Some("yes");
            desk.settle(&who, id, arrived).await.map(|_| "settled")?
        }
        _ => return Err(ReviewError::NotFound),
    })
}

fn stale() -> ReviewError {
    ReviewError::Changed {
        code: "digest_changed",
        what: "the page was too old to be signed from".into(),
    }
}

/// With flags raised, signing takes the tick that they were read.
async fn flags_read(
    app: &App,
    person: &Person,
    id: &ReviewId,
    f: &Fields,
) -> Result<(), ReviewError> {
    let mut c = app.store.db.read().await?;
    let r = crate::store::review::get(&mut c, &person.session.tenant, id).await?;
    if r.attention.is_empty() || f.flags_read.is_some() {
        return Ok(());
    }
    Err(ReviewError::Invalid("read the flags and tick the box first".into()))
}

async fn named(
    app: &App,
    person: &Person,
    f: &Fields,
) -> Result<Option<crate::domain::ids::UserId>, ReviewError> {
    let Some(name) = f.to.as_deref().filter(|n| !n.is_empty()) else { return Ok(None) };
    let mut c = app.store.db.read().await?;
    match user::by_name(&mut c, &person.session.tenant, name).await? {
        Some(u) if !u.disabled => Ok(Some(u.id)),
        _ => Err(ReviewError::Invalid("there is no such person".into())),
    }
}

async fn refused(
    app: &App,
    person: &Person,
    path: &str,
    f: Fields,
    p: Problem,
) -> Result<Response, Failure> {
    if !matches!(
        p.status(),
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::FORBIDDEN
    ) {
        return Err(p.into());
    }
    let conflict = p.status() == StatusCode::CONFLICT;
    let said = Notice {
        kind: if conflict { NoticeKind::Conflict } else { NoticeKind::Error },
        title: if conflict { "Changed meanwhile: nothing was done." } else { "That was not done." }
            .to_owned(),
        lines: vec![p.detail().to_owned()],
        undo: None,
    };
    let asked = Asked { tab: f.tab, ..Asked::default() };
    let typed = (!f.text.is_empty()).then(|| (f.text, f.subject.unwrap_or_default()));
    let html = draw(app, person, path, &asked, Some(said), typed).await?;
    let mut r = page(html);
    *r.status_mut() = p.status();
    Ok(r)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_end_in_the_future() {
        let now = Micros(1_763_805_600_000_000); // 2025-11-22 10:00 UTC
        for (value, _) in SNOOZES {
            assert!(snooze_until(value, now).is_some_and(|t| t > now), "{value}");
        }
        assert_eq!(
            snooze_until("tomorrow", now).map(Micros::rfc3339).as_deref(),
            Some("2025-11-23T08:00:00.000Z")
        );
        assert_eq!(snooze_until("never", now), None);
    }
}
