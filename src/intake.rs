//! The way in: everything that a webhook, the API or an import accepts goes through here. Requests
//! that arrive while a commit is under way are committed together by the next (one fsync for up to
//! 64), and each is answered only after its commit. A group doesn't wait for company: under load one
//! half of the callers is being answered while the other half is being stored.

use std::fmt;
use std::time::Duration;

use serde_json::json;
use sqlx::AnyConnection;
use tokio::sync::{mpsc, oneshot};

use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::domain::ids::TenantId;
use crate::failpoint;
use crate::lifecycle::Lifecycle;
use crate::store::hook::{self, Delivery, Seen};
use crate::store::inbound::{self, Inbound};
use crate::store::job::{self, Kind};
use crate::store::message::{self, Prepared, Receipt};
use crate::store::{self, ROWS, Store, audit, event};

/// Requests in one commit.
const GROUP: usize = ROWS;
/// Requests that may wait; above it the caller gets [`IntakeError::Busy`].
const QUEUE: usize = 1024;

/// What is handed in.
pub struct Request {
    /// Whose.
    pub tenant: TenantId,
    /// The message, hashed.
    pub message: Prepared,
    /// Who hands it in.
    pub actor: Actor,
    /// For a webhook: its delivery, remembered against replays.
    pub webhook: Option<Delivery>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("message", &self.message.id).finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Stored, or known already.
    Message(Receipt),
    /// This webhook id was taken with another body.
    WebhookDiffers,
}

/// Why it was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Too many requests wait.
    #[error("the intake is busy")]
    Busy,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::Error),
}

type Waiting = (Request, oneshot::Sender<Result<Accepted, IntakeError>>);

/// A handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
    life: Lifecycle,
}

impl Intake {
    /// Starts the committer.
    pub fn start(
        store: Store,
        wake: std::sync::Arc<tokio::sync::Notify>,
        life: &Lifecycle,
    ) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(QUEUE);
        let (stop, abort) = (life.stopping().clone(), life.aborting().clone());
        life.spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            loop {
                // After the stop, requests that are still running get a moment to hand in.
                let idle = async {
                    stop.cancelled().await;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                };
                let got = tokio::select! {
                    biased;
                    n = waiting.recv_many(&mut group, GROUP) => n,
                    () = abort.cancelled() => 0,
                    () = idle => 0,
                };
                if got == 0 {
                    return;
                }
                commit_group(&store, std::mem::take(&mut group)).await;
                wake.notify_one();
            }
        });
        Self { queue, life: life.clone() }
    }

    /// Runs something small beside the request that asked for it; shutdown waits for it.
    pub fn spawn<F>(&self, task: F)
    where
        F: std::future::Future<Output = ()> + Send + 'static,
    {
        self.life.spawn(task);
    }

    /// Stores a message and waits for the commit.
    ///
    /// # Errors
    /// [`IntakeError::Busy`] when the queue is full; store errors.
    pub async fn accept(&self, request: Request) -> Result<Accepted, IntakeError> {
        let (tell, told) = oneshot::channel();
        self.queue.try_send((request, tell)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => IntakeError::Busy,
            mpsc::error::TrySendError::Closed(_) => IntakeError::Stopping,
        })?;
        told.await.map_err(|_| IntakeError::Stopping)?
    }
}

async fn commit_group(store: &Store, mut group: Vec<Waiting>) {
    // In a fixed order, so that several committers on one database can't wait for each other.
    group.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
    let requests: Vec<&Request> = group.iter().map(|(r, _)| r).collect();
    match commit(store, &requests).await {
        Ok(all) => {
            for ((_, tell), accepted) in group.into_iter().zip(all) {
                let _ = tell.send(Ok(accepted));
            }
        }
        Err(e) if group.len() == 1 || e.is_transient() => {
            tracing::error!(error = %e, requests = group.len(), "could not store what came in");
            let mut first = Some(e);
            for (_, tell) in group {
                let e = first.take().unwrap_or(store::Error::Unavailable(sqlx::Error::PoolClosed));
                let _ = tell.send(Err(e.into()));
            }
        }
        // One bad request must not take the others down with it.
        Err(_) => {
            for (request, tell) in group {
                let one = commit(store, &[&request]).await;
                let _ = tell.send(one.map(|mut v| v.remove(0)).map_err(IntakeError::from));
            }
        }
    }
}

fn key(r: &Request) -> (&str, &str, &str) {
    (r.tenant.as_str(), r.message.channel.as_str(), &r.message.external_hash)
}

async fn commit(store: &Store, requests: &[&Request]) -> store::Result<Vec<Accepted>> {
    let mut tx = store.db.begin().await?;
    let inbound: Vec<Inbound<'_>> = requests
        .iter()
        .map(|r| Inbound {
            tenant: &r.tenant,
            message: &r.message,
            actor: &r.actor,
            webhook: r.webhook.as_ref(),
        })
        .collect();
    let new = inbound::insert(store, &mut tx, &inbound).await?;
    let mut all = Vec::with_capacity(requests.len());
    for r in requests {
        let id = &r.message.id;
        all.push(match new.contains(id) {
            true => Accepted::Message(Receipt::New(id.clone())),
            false => take(store, &mut tx, r).await?,
        });
    }
    failpoint::point("intake.before");
    tx.commit().await?;
    failpoint::point("intake.after");
    Ok(all)
}

/// Looks at one request by itself.
async fn take(store: &Store, c: &mut AnyConnection, r: &Request) -> store::Result<Accepted> {
    let m = &r.message;
    if let Some(delivery) = &r.webhook
        && hook::remember(store, c, delivery).await? == Seen::Differs
    {
        refused(store, c, r, "webhook.conflict").await?;
        return Ok(Accepted::WebhookDiffers);
    }
    store.keys.ensure(c, &r.tenant, &[m.subject.as_str()], store.host.now()).await?;
    let receipt = message::insert(store, c, &r.tenant, m).await?;
    match &receipt {
        Receipt::New(id) => {
            let due = store.db.now(c).await?;
            job::enqueue(store, c, &r.tenant, Kind::Understand, id.as_str(), due).await?;
            let detail = json!({"channel": m.channel, "direction": m.incoming.direction});
            let object = format!("message:{id}");
            event::append(
                store,
                c,
                &r.tenant,
                EventKind::MessageReceived,
                object.clone(),
                &inbound::told(m),
            )
            .await?;
            audit::append(store, c, &r.tenant, &r.actor, "message.received", object, detail)
                .await?;
        }
        Receipt::Duplicate(_) => {}
        Receipt::Conflict(_) => refused(store, c, r, "message.conflict").await?,
    }
    Ok(Accepted::Message(receipt))
}

async fn refused(
    store: &Store,
    c: &mut AnyConnection,
    r: &Request,
    action: &str,
) -> store::Result<()> {
    let detail = json!({"external": r.message.external_hash, "body": r.message.body_hash});
    let channel = format!("channel:{}", r.message.channel);
    audit::append(store, c, &r.tenant, &r.actor, action, channel, detail).await
}
