//! How much API keys may do: a rate, kept in memory, and a quota, counted in the database in blocks that
//! are taken ahead. The answers say what is left (`RateLimit`, `RateLimit-Policy`, as in
//! draft-ietf-httpapi-ratelimit-headers-10) and a refusal says when to come back.
//!
//! A request costs one unit; where it brings several items, each costs one. What is answered by 429 costs nothing
//! of the quota. Keys that took each other's place by rotation count together.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Pace, RateLimiter};

use super::App;
use super::auth::{self, Caller};
use super::problem::Problem;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::limit::{KeyLimits, Quota, Rate};
use crate::store::key::Key;
use crate::store::{self, Store, spend};

/// A block is this share of the quota, and at most so many units.
const BLOCK_SHARE: u32 = 100;
const BLOCK_MOST: u32 = 1000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    units: u32,
    of: u32,
    window: Duration,
    /// Until it is whole again.
    reset: Duration,
}

/// What is left of a key's limits; shared with the answer's headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    rate: Option<Left>,
    quota: Option<Left>,
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

impl Standing {
    fn write(&self, headers: &mut HeaderMap) {
        let limits = [("rate", self.rate), ("quota", self.quota)];
        let limits: Vec<(&str, Left)> =
            limits.into_iter().filter_map(|(name, left)| Some((name, left?))).collect();
        let list = |one: fn(&(&str, Left)) -> String| {
            limits.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let now = list(|(name, l)| format!("\"{name}\";r={};t={}", l.units, seconds(l.reset)));
        let policy = list(|(name, l)| format!("\"{name}\";q={};w={}", l.of, seconds(l.window)));
        for (name, value) in [("ratelimit", now), ("ratelimit-policy", policy)] {
            if let Ok(value) = HeaderValue::from_str(&value)
                && !value.is_empty()
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Why a key may not.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Too fast.
    #[error("too many requests: see RateLimit for this key's pace")]
    Rate {
        /// When there is room.
        after: Duration,
    },
    /// At no pace: it is more than may come at once.
    #[error("this costs {cost} units, and this key's burst is {burst}: send fewer items at once")]
    Burst {
        /// What it costs.
        cost: u32,
        /// What may come at once.
        burst: u32,
    },
    /// Too much.
    #[error("this key's quota is used up")]
    Quota {
        /// When the next period begins.
        after: Duration,
    },
    /// The database doesn't say.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Refused> for Problem {
    fn from(r: Refused) -> Self {
        let code = match &r {
            Refused::Rate { .. } | Refused::Burst { .. } => "rate_limited",
            Refused::Quota { .. } => "quota_exceeded",
            Refused::Store(_) => "internal",
        };
        let p = Self::new(StatusCode::TOO_MANY_REQUESTS, code, r.to_string());
        match r {
            Refused::Rate { after } | Refused::Quota { after } => {
                p.retry_after(u32::try_from(seconds(after)).unwrap_or(u32::MAX).max(1))
            }
            Refused::Burst { burst, .. } => p.with("burst", burst),
            Refused::Store(e) => e.into(),
        }
    }
}

/// Units of a quota that this process has taken and not used yet.
#[derive(Debug, Default)]
struct Ahead {
    period: String,
    left: u32,
    /// Taken altogether, by all processes, when it was last asked.
    taken: u32,
}

/// What is kept of a family of keys.
struct Account {
    limits: KeyLimits,
    tenant: TenantId,
    bucket: Option<(Bucket, NonZeroU32, Rate)>,
    ahead: Arc<tokio::sync::Mutex<Ahead>>,
}

/// The accounts of all keys that were used lately.
#[derive(Clone)]
pub struct Limits {
    usual: KeyLimits,
    accounts: Arc<Mutex<HashMap<KeyId, Arc<Account>>>>,
    /// From now on nothing is taken ahead.
    closing: Arc<std::sync::atomic::AtomicBool>,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").field("usual", &self.usual).finish_non_exhaustive()
    }
}

fn bucket(limits: &KeyLimits) -> Option<(Bucket, NonZeroU32, Rate)> {
    let rate = limits.rate?;
    // What a second brings, at least one.
    let each_second = rate.count().get() / u32::try_from(rate.per().as_secs()).unwrap_or(1).max(1);
    let burst = limits.burst.or(NonZeroU32::new(each_second)).unwrap_or(NonZeroU32::MIN);
    let pace = Pace::with_period(rate.per() / rate.count().get())?.allow_burst(burst);
    let bucket = RateLimiter::direct(pace).with_middleware::<StateInformationMiddleware>();
    Some((bucket, burst, rate))
}

impl Limits {
    /// With the limits of keys that have none of their own.
    pub fn new(usual: KeyLimits) -> Self {
        Self { usual, accounts: Arc::default(), closing: Arc::default() }
    }

    fn account(&self, key: &Key) -> Arc<Account> {
        let limits = key.limits.over(self.usual);
        let mut all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&key.family);
        if let Some(known) = known.filter(|a| a.limits == limits) {
            return known.clone();
        }
        // With other limits it is still the same quota that was taken from.
        let ahead = known.map(|a| a.ahead.clone()).unwrap_or_default();
        let new = Arc::new(Account {
            bucket: bucket(&limits),
            limits,
            tenant: key.tenant.clone(),
            ahead,
        });
        all.insert(key.family.clone(), new.clone());
        new
    }

    /// Takes `cost` units of a key's rate and quota, both or none, of `whole` that the request costs.
    ///
    /// # Errors
    /// [`Refused`]; the standing is told in any case.
    async fn charge(
        &self,
        store: &Store,
        key: &Key,
        (cost, whole): (u32, u32),
        spent: &mut Cost,
    ) -> Result<(), Refused> {
        let account = self.account(key);
        let Some(units) = NonZeroU32::new(cost) else { return Ok(()) };
        if let Some((_, burst, _)) = account.bucket.as_ref().filter(|(_, b, _)| whole > b.get()) {
            return Err(Refused::Burst { cost: whole, burst: burst.get() });
        }
        // The quota first: what is refused for its pace gives it back.
        if let Some(quota) = account.limits.quota {
            // Before it is charged: at the turn of the period too little is given back rather than too much.
            let now = store.host.now();
            self.spend(store, key, &account, quota, cost, &mut spent.standing).await?;
            let period = quota.period.name(now);
            if spent.period != period {
                (spent.units, spent.period) = (0, period);
            }
            spent.units = spent.units.saturating_add(cost);
        }
        let paced = account.pace(units, &mut spent.standing).map_err(|refused| match refused {
            // Who comes back pays for the whole again.
            Refused::Rate { after } => {
                Refused::Rate { after: after + account.time_of(whole - cost) }
            }
            other => other,
        });
        if paced.is_err() {
            self.give_back(store, key, cost, spent).await?;
        }
        paced
    }

    /// Gives units of the quota back: what they were for was refused. The pace stays as it is, so that being
    /// refused is no reason to ask more often.
    async fn give_back(
        &self,
        store: &Store,
        key: &Key,
        units: u32,
        spent: &mut Cost,
    ) -> store::Result<()> {
        let units = units.min(spent.units);
        if units == 0 {
            return Ok(());
        }
        spent.units -= units;
        let account = self.account(key);
        let mut ahead = account.ahead.lock().await;
        if ahead.period != spent.period {
            // They were those of a period that is over.
            return Ok(());
        }
        if self.closing.load(std::sync::atomic::Ordering::Relaxed) {
            // What was taken ahead has been given back, or is about to be.
            let mut tx = store.db.begin().await?;
            let (tenant, family) = (&account.tenant, &key.family);
            spend::give_back(&mut tx, tenant, family, &spent.period, units).await?;
            tx.commit().await?;
        } else {
            ahead.left = ahead.left.saturating_add(units);
        }
        if let Some(left) = &mut spent.standing.quota {
            left.units = left.units.saturating_add(units);
        }
        Ok(())
    }

    async fn spend(
        &self,
        store: &Store,
        key: &Key,
        account: &Account,
        quota: Quota,
        cost: u32,
        standing: &mut Standing,
    ) -> Result<(), Refused> {
        let now = store.host.now();
        let period = quota.period.name(now);
        let reset = quota.period.left(now);
        let mut ahead = account.ahead.lock().await;
        if ahead.period != period {
            *ahead = Ahead { period: period.clone(), ..Ahead::default() };
        }
        let mut enough = ahead.left >= cost;
        if !enough {
            let least = cost - ahead.left;
            let block = (quota.units / BLOCK_SHARE).clamp(1, BLOCK_MOST);
            let closing = self.closing.load(std::sync::atomic::Ordering::Relaxed);
            let most = if closing { least } else { block.max(least) };
            let (tenant, family) = (&account.tenant, &key.family);
            let took =
                spend::take(store, tenant, family, &period, quota.units, (least, most)).await?;
            ahead.taken = took.1;
            ahead.left += took.0.unwrap_or(0);
            enough = took.0.is_some();
        }
        if enough {
            ahead.left -= cost;
        }
        let units = quota.units.saturating_sub(ahead.taken).saturating_add(ahead.left);
        let window = quota.period.length();
        standing.quota = Some(Left { units, of: quota.units, window, reset });
        if enough { Ok(()) } else { Err(Refused::Quota { after: reset }) }
    }

    /// Gives back what was taken ahead; from now on only what is used is taken.
    ///
    /// # Errors
    /// Database errors.
    pub async fn close(&self, store: &Store) -> store::Result<()> {
        self.closing.store(true, std::sync::atomic::Ordering::Relaxed);
        let all: Vec<(KeyId, Arc<Account>)> = {
            let all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|(family, account)| (family.clone(), account.clone())).collect()
        };
        for (family, account) in all {
            let mut ahead = account.ahead.lock().await;
            if ahead.left > 0 {
                let mut tx = store.db.begin().await?;
                let (period, left) = (&ahead.period, ahead.left);
                spend::give_back(&mut tx, &account.tenant, &family, period, left).await?;
                tx.commit().await?;
                ahead.left = 0;
            }
        }
        Ok(())
    }
}

impl Account {
    /// How long the pace takes to bring so many units.
    fn time_of(&self, units: u32) -> Duration {
        self.bucket.as_ref().map_or(Duration::ZERO, |(.., rate)| {
            (rate.per() / rate.count().get()).saturating_mul(units)
        })
    }

    fn pace(&self, units: NonZeroU32, standing: &mut Standing) -> Result<(), Refused> {
        let Some((bucket, burst, rate)) = &self.bucket else { return Ok(()) };
        let each = rate.per() / rate.count().get();
        let left = |units: u32| Left {
            units,
            of: burst.get(),
            window: each * burst.get(),
            reset: each * (burst.get() - units.min(burst.get())),
        };
        match bucket.check_n(units) {
            Ok(Ok(state)) => {
                standing.rate = Some(left(state.remaining_burst_capacity()));
                Ok(())
            }
            Ok(Err(not)) => {
                let after = not.wait_time_from(DefaultClock::default().now());
                standing.rate = Some(Left { reset: after, ..left(0) });
                Err(Refused::Rate { after })
            }
            Err(_) => Err(Refused::Burst { cost: units.get(), burst: burst.get() }),
        }
    }
}

/// What a request has cost so far; its handler may add to it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Cost>>);

#[derive(Debug, Clone, Default)]
struct Cost {
    standing: Standing,
    /// Units of the quota that were charged in this period of it.
    units: u32,
    period: String,
}

impl Meter {
    fn cost(&self) -> MutexGuard<'_, Cost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> Standing {
        self.cost().standing
    }

    /// Charges a key `cost` of the `whole` that its request costs.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn charge(
        &self,
        app: &App,
        key: &Key,
        (cost, whole): (usize, usize),
    ) -> Result<(), Refused> {
        let units = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let cost = (units(cost), units(whole));
        let mut spent = self.cost().clone();
        let charged = app.key_limits.charge(&app.store, key, cost, &mut spent).await;
        *self.cost() = spent;
        charged
    }

    /// Gives back what the quota was charged for something that was refused: so many units, or all of the request.
    pub async fn give_back(&self, app: &App, key: &Key, units: Option<u32>) {
        let mut spent = self.cost().clone();
        let units = units.unwrap_or(u32::MAX);
        let back = app.key_limits.give_back(&app.store, key, units, &mut spent).await;
        if let Err(e) = back {
            tracing::warn!(error = %e, units, "not given back to the key's quota");
        }
        *self.cost() = spent;
    }
}

/// Over everything that an API key opens: looks the key up, charges one unit, and writes on the answer
/// what is left. A request without a key that stands goes on and is refused where a key is needed.
pub async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let found = match auth::caller(request.headers(), &app).await {
        Ok(found) => found,
        // Whether a key is needed, and what to say without one, is for the handler.
        Err(refused) if refused.status() == StatusCode::UNAUTHORIZED => {
            return next.run(request).await;
        }
        // The handler would ask a database that is away a second time, and wait for it again.
        Err(unknown) => return unknown.into_response(),
    };
    let meter = found.meter().clone();
    let key = found.0.clone();
    let charged = meter.charge(&app, &key, (1, 1)).await;
    let mut answer = match charged {
        Ok(()) => {
            request.extensions_mut().insert::<Caller>(found);
            next.run(request).await
        }
        Err(refused) => Problem::from(refused).into_response(),
    };
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        meter.give_back(&app, &key, None).await;
    }
    meter.standing().write(answer.headers_mut());
    answer
}
