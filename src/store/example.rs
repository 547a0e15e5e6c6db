//! Labels that people gave to messages, with the masked text that they saw.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Result, Store, parse, q};
use crate::domain::ids::{ContactId, MessageId, Micros, TenantId, UserId};

/// A labelled message.
#[derive(Debug, Clone)]
pub struct Example {
    /// The message.
    pub message: MessageId,
    /// `intent`, `sentiment`, `urgency`, `spam` or `injection`.
    pub task: String,
    /// What a person said.
    pub label: String,
    /// What the head had said, if it had said anything.
    pub found: Option<String>,
    /// Whether the head had abstained.
    pub abstained: bool,
    /// Whose text it is.
    pub writer: ContactId,
    /// Masked, stored form.
    pub text: Text,
    /// Who said it.
    pub user: UserId,
    /// When.
    pub at: Micros,
}

/// A masked text, in stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The subject line.
    pub subject: String,
    /// The visible text.
    pub text: String,
}

const COLUMN: &str = "example.text";

/// What seals a row: message and task.
fn row_name(message: &str, task: &str) -> String {
    format!("{message}/{task}")
}

/// Stores a label in the place of an earlier one of that message and task.
///
/// # Errors
/// Database and key errors.
pub async fn put(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    e: &Example,
) -> Result<()> {
    let (writer, name) = (e.writer.as_str(), row_name(e.message.as_str(), &e.task));
    store.keys.ensure(c, tenant, &[writer], store.host.now()).await?;
    let sealed = store.keys.seal(tenant, writer, COLUMN, &name, &serde_json::to_vec(&e.text)?)?;
    q("insert into example (tenant_id, message_id, task, label, found, abstained, subject_id,
         text_sealed, user_id, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
       on conflict (tenant_id, message_id, task) do update set label = excluded.label,
         found = excluded.found, abstained = excluded.abstained,
         subject_id = excluded.subject_id, text_sealed = excluded.text_sealed,
         user_id = excluded.user_id, created_at = excluded.created_at")
    .bind(tenant.as_str().to_owned())
    .bind(e.message.as_str().to_owned())
    .bind(e.task.clone())
    .bind(e.label.clone())
    .bind(e.found.clone())
    .bind(i64::from(e.abstained))
    .bind(writer.to_owned())
    .bind(sealed)
    .bind(e.user.as_str().to_owned())
    .bind(e.at.0)
    .execute(c)
    .await?;
    Ok(())
}

type Row = (String, String, String, Option<String>, i64, String, Vec<u8>, String, i64);

/// The labels of a task, oldest first. Those of people whose data was erased are left out.
///
/// # Errors
/// Database and key errors.
pub async fn of_task(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    task: &str,
) -> Result<Vec<Example>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select message_id, task, label, found, abstained, subject_id, text_sealed, user_id,
           created_at
         from example where tenant_id = $1 and task = $2 order by created_at, message_id",
    )
    .bind(tenant.as_str())
    .bind(task)
    .fetch_all(&mut *c)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (message, task, label, found, abstained, writer, sealed, user, at) in rows {
        let name = row_name(&message, &task);
        let plain = match store.keys.open(c, tenant, &writer, COLUMN, &name, &sealed).await {
            Ok(plain) => plain,
            Err(super::Error::Erased) => continue,
            Err(e) => return Err(e),
        };
        all.push(Example {
            message: parse("example.message_id", &message)?,
            task,
            label,
            found,
            abstained: abstained != 0,
            writer: parse("example.subject_id", &writer)?,
            text: serde_json::from_slice(&plain)?,
            user: parse("example.user_id", &user)?,
            at: Micros(at),
        });
    }
    Ok(all)
}

/// How many corrections there are, by task.
///
/// # Errors
/// Database errors.
pub async fn counts(c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(
        "select task, cast(count(*) as bigint) from example where tenant_id = $1 group by task",
    )
    .bind(tenant.as_str())
    .fetch_all(c)
    .await?)
}

/// What people said of a message: task and label.
///
/// # Errors
/// Database errors.
pub async fn of_message(
    c: &mut AnyConnection,
    tenant: &TenantId,
    message: &MessageId,
) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as(
        "select task, label from example where tenant_id = $1 and message_id = $2 order by task",
    )
    .bind(tenant.as_str())
    .bind(message.as_str())
    .fetch_all(c)
    .await?)
}

/// Forgets the labels of a message that is erased.
///
/// # Errors
/// Database errors.
pub async fn erase(c: &mut AnyConnection, tenant: &TenantId, message: &MessageId) -> Result<()> {
    q("delete from example where tenant_id = $1 and message_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(message.as_str().to_owned())
        .execute(c)
        .await?;
    Ok(())
}
