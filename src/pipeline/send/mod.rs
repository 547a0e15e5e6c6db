//! Step 12: an approval's delivery. Two commits stand around the socket: "it begins" (with the
//! approval checked once more, the send row that the database ties to it, and a token of the
//! sender's rate) and "it ended so". Between them nothing is known, so a process that dies there
//! leaves an attempt that is never repeated blindly.

mod begin;
mod end;

use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyConnection;

use self::begin::{Begun, begin};
use self::end::end;
pub use self::end::{give_up, reopen};
use super::{Pipeline, StepError};
use crate::domain::ids::ApprovalId;
use crate::failpoint;
use crate::ports::channel::{Channel, Content, Delivery};
use crate::store::approval::Approval;
use crate::store::channel::{self, AdapterKind};
use crate::store::job::Claim;
use crate::store::review::Review;
use crate::store::{self, approval, review};

/// The ways out, by adapter.
#[derive(Clone)]
pub struct Senders {
    /// The local outbox.
    pub sandbox: Arc<dyn Channel>,
    /// A signed POST.
    pub webhook: Arc<dyn Channel>,
    /// Chatwoot's API.
    pub chatwoot: Arc<dyn Channel>,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Senders")
    }
}

impl Senders {
    /// Whether a reply could be handed to a channel as it stands.
    ///
    /// # Errors
    /// Says to a person why not.
    pub fn accepts(&self, channel: &channel::Channel, content: &Content) -> Result<(), String> {
        if channel.disabled {
            return Err("the channel is switched off: nothing can be sent through it".to_owned());
        }
        let way = self.of(channel.adapter).ok_or(
            "nothing can be sent through this channel: answer there by hand, then reject this",
        )?;
        way.accepts(content)
    }

    fn of(&self, kind: AdapterKind) -> Option<&dyn Channel> {
        match kind {
            AdapterKind::Sandbox => Some(&*self.sandbox),
            AdapterKind::Webhook => Some(&*self.webhook),
            AdapterKind::Chatwoot => Some(&*self.chatwoot),
            AdapterKind::None => None,
        }
    }
}

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let Begun::Deliver { out, attempt, adapter } = begin(p, job).await? else { return Ok(()) };
    let sender =
        p.senders.of(adapter).ok_or_else(|| StepError::fail("the channel has no way out"))?;
    failpoint::point("send.begun");
    let limit = Duration::from_secs(p.config.send.timeout_s);
    let delivery = match tokio::time::timeout(limit, sender.deliver(&out)).await {
        Ok(d) => d,
        Err(_) => {
            let why = format!("no answer within {} s", limit.as_secs());
            // Where a repetition has no second effect, it settles what happened.
            if sender.idempotent() {
                Delivery::NotProcessed { retry_after: None, why }
            } else {
                Delivery::Unknown { why }
            }
        }
    };
    failpoint::point("send.delivered");
    end(p, job, out.send(), attempt, delivery).await
}

async fn load(c: &mut AnyConnection, job: &Claim) -> store::Result<(Approval, Review)> {
    let id: ApprovalId = store::parse("job.ref_id", &job.ref_id)?;
    let a = approval::get(c, &job.tenant, &id).await?;
    let r = review::get(c, &job.tenant, &a.review).await?;
    Ok((a, r))
}
