//! What the heads read in a message: whole as JSON, and in columns what is filtered by.

use sqlx::AnyConnection;

use crate::domain::ids::{MessageId, TenantId, ThreadId};
use crate::domain::triage::Analysis;
use crate::store::{Result, Store, parse, q};

/// Stores a message's analysis (as JSON beside the columns that are filtered by).
///
/// # Errors
/// Database errors.
pub async fn put_analysis(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
    a: &Analysis,
) -> Result<()> {
    q("insert into analysis (tenant_id, message_id, intent, intent_confidence, abstained,
         sentiment, sentiment_score, urgency, language, spam, injection_flagged, detail,
         created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (tenant_id, message_id) do update set intent = excluded.intent,
         intent_confidence = excluded.intent_confidence, abstained = excluded.abstained,
         sentiment = excluded.sentiment, sentiment_score = excluded.sentiment_score,
         urgency = excluded.urgency, language = excluded.language, spam = excluded.spam,
         injection_flagged = excluded.injection_flagged, detail = excluded.detail,
         created_at = excluded.created_at")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(a.intent.label.as_str().to_owned())
    .bind(f64::from(a.intent.confidence.get()))
    .bind(i64::from(a.intent.abstained))
    .bind(a.sentiment.label.as_str())
    .bind(f64::from(a.sentiment.score.get()))
    .bind(a.urgency.level.as_str())
    .bind(a.language.code.as_str().to_owned())
    .bind(a.spam.label.as_str())
    .bind(i64::from(a.injection.flagged))
    .bind(serde_json::to_string(a)?)
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(())
}

/// A message's analysis.
///
/// # Errors
/// Database errors.
pub async fn analysis(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
) -> Result<Option<Analysis>> {
    let row: Option<(String,)> =
        sqlx::query_as("select detail from analysis where tenant_id = $1 and message_id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(c)
            .await?;
    row.map(|(d,)| Ok(serde_json::from_str(&d)?)).transpose()
}

/// What was read in the latest message of a thread that came in, is still there and was read.
///
/// # Errors
/// Database errors.
pub async fn latest_analysis(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Option<(MessageId, Analysis)>> {
    let row: Option<(String, String)> = sqlx::query_as(
        "select m.id, a.detail from message m
         join analysis a on a.tenant_id = m.tenant_id and a.message_id = m.id
         where m.tenant_id = $1 and m.thread_id = $2 and m.direction = 'in' and m.state <> 'deleted'
         order by m.thread_seq desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .fetch_optional(c)
    .await?;
    row.map(|(id, detail)| Ok((parse("message.id", &id)?, serde_json::from_str(&detail)?)))
        .transpose()
}
