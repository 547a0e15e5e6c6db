//! What makes a reply pointless: a newer message, an edit or deletion, an answer from elsewhere.

use serde_json::json;
use sqlx::AnyConnection;

use crate::domain::audit::Actor;
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::review::{Event, State};
use crate::store::review::{self, Review};
use crate::store::{self, Store, approval, audit};

/// Supersedes whatever of the thread is pending, approved or held, and voids its approval. What is
/// being sent already stays. The caller holds the tenant's lock. Returns how many.
///
/// # Errors
/// Store errors.
pub async fn thread(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    why: &str,
) -> store::Result<usize> {
    those(store, c, tenant, thread, why, |_| true).await
}

/// Supersedes the reviews of the thread that are empty because their draft could not be made and
/// that nobody has touched. Returns how many.
///
/// # Errors
/// Store errors.
pub async fn failed_draft(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    why: &str,
) -> store::Result<usize> {
    let empty = |r: &Review| {
        r.state == State::NoMatch && r.no_match_reason.as_deref() == Some("draft_failed")
    };
    those(store, c, tenant, thread, why, empty).await
}

async fn those(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    why: &str,
    which: impl Fn(&Review) -> bool,
) -> store::Result<usize> {
    let mut n = 0;
    for mut r in review::of_thread(c, tenant, thread).await?.into_iter().filter(|r| which(r)) {
        let Ok(next) = r.state.on(Event::Supersede) else { continue };
        let from = r.state;
        if let Some(id) = r.approval.take() {
            approval::void(store, c, tenant, &id, why).await?;
        }
        r.state = next;
        r.outcome = Some(why.to_owned());
        r.hold_until = None;
        review::update(store, c, tenant, &r).await?;
        let detail = json!({"from": from.as_str(), "why": why});
        audit::append(
            store,
            c,
            tenant,
            &Actor::System,
            "review.superseded",
            format!("review:{}", r.id),
            detail,
        )
        .await?;
        n += 1;
    }
    Ok(n)
}
