//! The claim loops, one a lane: claims jobs with a lease, runs them, renews leases, sweeps up claims whose
//! worker died, and chains the audit log. Stateless: any number of these may run on PostgreSQL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::config;
use crate::domain::ids::Micros;
use crate::domain::retry::Backoff;
use crate::failpoint;
use crate::lifecycle::Lifecycle;
use crate::pipeline::{self, Pipeline, StepError, events};
use crate::store::job::{self, Claim, Kind, Lane};
use crate::store::{self, Store, audit, event, hook, idempotency, tenant};

/// Longest wait for work when nothing is known to be due.
const IDLE: Duration = Duration::from_secs(2);
/// Finished jobs and webhook ids are forgotten after a week.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shortest wait for work: so near it counts as due.
const DUE: Duration = Duration::from_millis(2);
/// How often it is looked for events that nobody has told of yet.
const RELAY: Duration = Duration::from_millis(200);
/// Pause between jobs whose workers died more than once.
const SUSPECT: Duration = Duration::from_secs(2);
/// A job that was put off for longer than this in all is given up.
const MAX_AGE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Claims and runs jobs until the lifecycle stops.
#[derive(Clone)]
pub struct Worker {
    store: Store,
    pipeline: Arc<Pipeline>,
    config: Arc<config::Worker>,
    retry_cap: Duration,
    keep_events: Duration,
    owner: String,
    wake: Arc<Notify>,
    outside: Arc<Notify>,
    told: Arc<watch::Sender<u64>>,
    running: Arc<Mutex<HashMap<String, Claim>>>,
}

impl Worker {
    /// A worker with a name of its own for this process.
    pub fn new(
        store: Store,
        pipeline: Arc<Pipeline>,
        config: &config::Config,
        wake: Arc<Notify>,
    ) -> Self {
        let owner = format!("{}-{}", std::process::id(), &store.host.token()[..8]);
        Self {
            store,
            pipeline,
            config: Arc::new(config.worker.clone()),
            retry_cap: Duration::from_secs(config.send.retry_cap_s),
            keep_events: Duration::from_secs(config.events.keep_days.saturating_mul(86_400)),
            owner,
            wake,
            outside: Arc::default(),
            told: Arc::new(watch::Sender::new(0)),
            running: Arc::default(),
        }
    }

    /// Changes whenever this worker has numbered events.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.config.lease_s)
    }

    /// Starts the loops on the lifecycle.
    pub fn start(self, life: &Lifecycle) {
        let me = self.clone();
        let l = life.clone();
        life.spawn(async move {
            // Before the first claim: answers wait for knowledge that has to be embedded anew.
            if let Err(e) = me.pipeline.refill().await {
                tracing::warn!(error = %e, "could not look for chunks of another encoder");
            }
            me.claim_loop(Lane::Messages, &l).await;
        });
        let me = self.clone();
        let l = life.clone();
        life.spawn(async move { me.claim_loop(Lane::Outside, &l).await });
        let me = self.clone();
        let l = life.clone();
        life.spawn(async move { me.relay_loop(&l).await });
        let me = self.clone();
        let l = life.clone();
        life.spawn(async move { me.heartbeat_loop(&l).await });
        let me = self;
        let l = life.clone();
        life.spawn(async move { me.sweep_loop(&l).await });
    }

    /// Tells of what has happened, soon after it was committed, in whichever process.
    async fn relay_loop(&self, life: &Lifecycle) {
        while !life.stopping().is_cancelled() {
            let pause = match events::relay(&self.store).await {
                Ok((n, planned)) => {
                    if n > 0 {
                        self.told.send_modify(|rounds| *rounds += 1);
                    }
                    if planned {
                        self.outside.notify_one();
                    }
                    RELAY
                }
                Err(e) => {
                    tracing::warn!(error = %e, "could not number events");
                    IDLE
                }
            };
            tokio::select! {
                () = life.stopping().cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// How many jobs of a lane run at once, and what wakes it.
    fn lane(&self, lane: Lane) -> (usize, &Notify) {
        match lane {
            Lane::Messages => (self.config.concurrency, &self.wake),
            Lane::Outside => (self.config.outside, &self.outside),
        }
    }

    async fn claim_loop(&self, lane: Lane, life: &Lifecycle) {
        let (places, wake) = self.lane(lane);
        let mut jobs = JoinSet::new();
        while !life.stopping().is_cancelled() {
            while jobs.try_join_next().is_some() {}
            let free = places.saturating_sub(jobs.len());
            let claimed = if free == 0 || !self.worth_a_claim(lane).await {
                Vec::new()
            } else {
                self.claim(lane, free).await
            };
            let n = claimed.len();
            for claim in claimed {
                let me = self.clone();
                let abort = life.aborting().clone();
                let span = tracing::info_span!("job", kind = claim.kind.as_str(), job = %claim.id,
                    tenant = %claim.tenant, attempt = claim.attempt);
                jobs.spawn(async move { me.run(claim, &abort).await }.instrument(span));
            }
            if n == free && n > 0 {
                continue;
            }
            let wait = if free == 0 { IDLE } else { self.until_due(lane).await };
            tokio::select! {
                () = life.stopping().cancelled() => {}
                () = wake.notified() => {}
                Some(_) = jobs.join_next(), if !jobs.is_empty() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        // Running jobs either finish or, at the hard stop, hand their claims back themselves.
        while jobs.join_next().await.is_some() {}
    }

    async fn claim(&self, lane: Lane, free: usize) -> Vec<Claim> {
        let limit = i64::try_from(free).unwrap_or(1);
        match job::claim(&self.store, &self.owner, lane, limit, self.lease()).await {
            Ok(claims) => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.extend(claims.iter().map(|c| (c.id.to_string(), c.clone())));
                claims
            }
            Err(e) => {
                tracing::warn!(error = %e, "could not claim work");
                tokio::time::sleep(Duration::from_millis(500)).await;
                Vec::new()
            }
        }
    }

    /// A claim is a write, and what waits for others is rare: it is looked for first.
    async fn worth_a_claim(&self, lane: Lane) -> bool {
        lane == Lane::Messages || self.until_due(lane).await <= DUE
    }

    async fn until_due(&self, lane: Lane) -> Duration {
        let due = async {
            let mut c = self.store.db.read().await?;
            let now = self.store.db.now(&mut c).await?;
            Ok::<_, store::Error>(job::next_due(&mut c, lane).await?.map(|at| at.since(now)))
        };
        match due.await {
            Ok(Some(d)) => d.clamp(DUE, IDLE),
            _ => IDLE,
        }
    }

    async fn run(&self, claim: Claim, abort: &tokio_util::sync::CancellationToken) {
        failpoint::point("job.claimed");
        let begun = std::time::Instant::now();
        let token = claim.token.clone();
        let work = self.pipeline.run(&claim);
        // A panic in a step must cost that job, not the worker.
        let work = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(work));
        let done = tokio::select! {
            // It may have come of what else was going on, so it counts like any failure.
            r = work => r.unwrap_or_else(|_| Err(StepError::retry("the step panicked"))),
            () = abort.cancelled() => Err(StepError::Later(Duration::ZERO)),
        };
        let ms = begun.elapsed().as_millis();
        match done {
            Ok(()) => tracing::debug!(ms, "done"),
            Err(e) => self.settle(&claim, e).await,
        }
        {
            // It may have been put back and claimed again meanwhile, under another token.
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.get(claim.id.as_str()).is_some_and(|c| c.token == token) {
                running.remove(claim.id.as_str());
            }
        }
        match claim.kind {
            Kind::Deliver | Kind::Report => self.outside.notify_one(),
            _ => {
                self.wake.notify_one();
                // It may have left something to tell.
                self.outside.notify_one();
            }
        }
    }

    /// Puts a failed job back, or gives it up.
    async fn settle(&self, claim: &Claim, error: StepError) {
        let settled = match &error {
            StepError::Store(store::Error::Fenced) => {
                tracing::info!("the claim was lost: its result was discarded");
                return;
            }
            StepError::Later(after) => self.put_off(claim, *after).await,
            StepError::Store(store::Error::Stale) => self.put_off(claim, Duration::ZERO).await,
            StepError::Store(e) if e.is_transient() => {
                tracing::warn!(error = %e, "the database is not available: trying again");
                self.put_off(claim, Duration::from_secs(1)).await
            }
            StepError::Fail { .. } => self.bury(claim, &error).await,
            _ if claim.attempt >= self.config.max_attempts => self.bury(claim, &error).await,
            _ => {
                let wanted = error.retry_after();
                let attempt = u32::try_from(claim.attempt.max(1) - 1).unwrap_or(0);
                let after =
                    Backoff::new(self.retry_cap).delay(attempt, wanted, self.store.host.unit());
                tracing::warn!(error = %error, retry_s = after.as_secs_f32(), "will try again");
                self.retry(claim, after, &error.to_string()).await
            }
        };
        if let Err(e) = settled {
            tracing::warn!(error = %e, "could not put the job back; its lease will run out");
        }
    }

    async fn put_off(&self, claim: &Claim, after: Duration) -> store::Result<()> {
        let mut tx = self.store.db.begin().await?;
        let now = self.store.db.now(&mut tx).await?;
        if now.since(claim.created_at) > MAX_AGE && claim.snoozes > 10 {
            drop(tx);
            return self.bury(claim, &StepError::fail("it was put off for three days")).await;
        }
        job::snooze(&mut tx, claim, now, after).await?;
        Ok(tx.commit().await?)
    }

    async fn retry(&self, claim: &Claim, after: Duration, error: &str) -> store::Result<()> {
        let mut tx = self.store.db.begin().await?;
        let now = self.store.db.now(&mut tx).await?;
        job::retry(&mut tx, claim, now, after, error).await?;
        Ok(tx.commit().await?)
    }

    async fn bury(&self, claim: &Claim, error: &StepError) -> store::Result<()> {
        tracing::error!(error = %error, job = %claim.id, kind = claim.kind.as_str(), "dead letter");
        pipeline::bury(&self.store, claim, &error.to_string()).await
    }

    async fn heartbeat_loop(&self, life: &Lifecycle) {
        let every = Duration::from_secs(self.config.heartbeat_s.max(1));
        loop {
            tokio::select! {
                () = life.aborting().cancelled() => return,
                () = life.stopping().cancelled() => {
                    // From here on renew more often than needed, so as to end soon after the jobs.
                    tokio::time::sleep(every.min(Duration::from_millis(200))).await;
                }
                () = tokio::time::sleep(every) => {}
            }
            let claims: Vec<Claim> = {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.values().cloned().collect()
            };
            if claims.is_empty() {
                if life.stopping().is_cancelled() {
                    return;
                }
                continue;
            }
            if let Err(e) = job::heartbeat(&self.store, &claims, self.lease()).await {
                tracing::warn!(error = %e, "could not renew leases");
            }
        }
    }

    async fn sweep_loop(&self, life: &Lifecycle) {
        let every = Duration::from_secs(self.config.sweep_s.max(1));
        let mut round = 0u64;
        while !life.stopping().is_cancelled() {
            self.sweep(round).await;
            round += 1;
            tokio::select! {
                () = life.stopping().cancelled() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
        // What was decided in the last seconds gets its place in the chain before we go.
        if let Err(e) = chain(&self.store, true).await {
            tracing::warn!(error = %e, "could not chain the audit log");
        }
    }

    /// Each part by itself: what stops one of them, or one job of the first, must not stop the rest.
    async fn sweep(&self, round: u64) {
        if let Err(e) = self.recover().await {
            tracing::warn!(error = %e, "could not look for abandoned claims");
        }
        if let Err(e) = chain(&self.store, round.is_multiple_of(120)).await {
            tracing::warn!(error = %e, "could not chain the audit log");
        }
        if round.is_multiple_of(120)
            && let Err(e) = self.prune().await
        {
            tracing::warn!(error = %e, "could not forget what is over");
        }
    }

    async fn recover(&self) -> store::Result<()> {
        let expired = {
            let mut c = self.store.db.read().await?;
            job::expired(&self.store, &mut c).await?
        };
        let mut suspects = 0;
        for e in expired {
            let claim = e.claim;
            tracing::warn!(job = %claim.id, kind = claim.kind.as_str(), attempt = claim.attempt,
                "its worker is gone: claiming again");
            let again = if claim.attempt >= self.config.max_attempts {
                let e = StepError::fail("its worker died in every attempt");
                self.bury(&claim, &e).await
            } else {
                // Jobs that have died together twice go on one after the other, so that the one that
                // kills its process takes the others with it no further.
                let after = SUSPECT * suspects;
                suspects += u32::from(claim.attempt > 1);
                self.retry(&claim, after, "the worker's lease ran out").await
            };
            match again {
                // Its worker was only late, or another sweeper was faster.
                Ok(()) | Err(store::Error::Fenced) => self.wake.notify_one(),
                Err(e) => tracing::warn!(job = %claim.id, error = %e, "could not recover it"),
            }
        }
        Ok(())
    }

    async fn prune(&self) -> store::Result<()> {
        let mut tx = self.store.db.begin().await?;
        let now = self.store.db.now(&mut tx).await?;
        let before = Micros(now.0 - i64::try_from(KEEP.as_micros()).unwrap_or(0));
        job::prune(&mut tx, before).await?;
        hook::prune(&mut tx, before).await?;
        idempotency::prune(&mut tx, now).await?;
        let tenants = tenant::all(&mut tx).await?;
        tx.commit().await?;
        let before = Micros(now.0 - i64::try_from(self.keep_events.as_micros()).unwrap_or(0));
        for t in tenants {
            loop {
                let mut tx = self.store.db.begin().await?;
                let gone = event::prune(&mut tx, &t.id, before).await?;
                tx.commit().await?;
                if gone == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Chains what every tenant's audit log has gained, and publishes the new heads in the log, from
/// where they reach whatever collects it: a chain that is cut later no longer matches. `whole` also
/// looks for events that committed long after their neighbours.
///
/// # Errors
/// Store errors.
pub async fn chain(store: &Store, whole: bool) -> store::Result<()> {
    let tenants = {
        let mut c = store.db.read().await?;
        tenant::all(&mut c).await?
    };
    for t in tenants {
        loop {
            let (n, head) = audit::sequence(store, &t.id, 500, whole).await?;
            if let Some(h) = head.filter(|_| n > 0) {
                tracing::info!(target: "countersign::audit", tenant = %t.id, seq = h.seq, hash = %h.hash,
                    "audit head");
            }
            if n < 500 {
                break;
            }
        }
    }
    Ok(())
}
