//! What stands against guessing passwords, and against being made to check too many: failures are
//! counted by name and by address, and only a few passwords are checked at once, as each check takes
//! 19 MiB and a core.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::Semaphore;

use super::App;
use crate::config::Security;
use crate::domain::ids::Micros;
use crate::http::server::Peer;
use crate::pipeline::blocking;

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Checks that may wait for each one that runs.
const WAITING: usize = 16;
/// When to come back if too many checks wait, in seconds.
const BUSY_S: u32 = 2;

/// Where a login comes from, as far as it can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(Option<IpAddr>);

impl Origin {
    /// An IPv6 network counts as one; a loopback address is a proxy that says nothing.
    fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|a| a.to_canonical()).filter(|a| !a.is_loopback()).map(|a| match a {
            IpAddr::V6(a) => {
                let [s0, s1, s2, s3, ..] = a.segments();
                Ipv6Addr::new(s0, s1, s2, s3, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        }))
    }
}

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let header = app.config.server.client_header.as_str();
        let address = if header.is_empty() {
            parts.extensions.get::<Peer>().map(|p| p.0)
        } else {
            // Only the last entry is the proxy's own; those before it are what the client claims.
            let last = parts.headers.get_all(header).iter().next_back();
            last.and_then(|v| v.to_str().ok()?.rsplit(',').next()?.trim().parse().ok())
        };
        Ok(Self::new(address))
    }
}

/// Failures of the last quarter of an hour.
struct Failures<K>(HashMap<K, Vec<Micros>>);

impl<K: Hash + Eq> Failures<K> {
    /// Seconds to wait, when there were `limit` or more. What is old is forgotten, so that guessing
    /// names fills no memory.
    fn wait(&mut self, key: &K, limit: u32, now: Micros) -> Option<u32> {
        self.0.retain(|_, times| {
            times.retain(|t| now.since(*t) < WINDOW);
            !times.is_empty()
        });
        let times = self.0.get(key)?;
        let full = times.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let ends = times.first()?.plus(WINDOW);
        full.then(|| u32::try_from(ends.since(now).as_secs() + 1).unwrap_or(u32::MAX))
    }

    fn note(&mut self, key: K, now: Micros) {
        self.0.entry(key).or_default().push(now);
    }

    fn take_back(&mut self, key: &K) {
        if let Some(times) = self.0.get_mut(key) {
            times.pop();
        }
    }
}

struct Counted {
    names: Failures<String>,
    origins: Failures<IpAddr>,
}

/// Logins that failed, and the room for checking passwords.
pub struct Logins {
    counted: Mutex<Counted>,
    per_name: u32,
    per_origin: u32,
    /// Checks that run.
    running: Semaphore,
    /// Checks that run or wait.
    room: Semaphore,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

/// An attempt may not be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Too many failures of this name or from this address; seconds to wait.
    Failed(u32),
    /// Too many passwords are being checked; seconds to wait.
    Busy(u32),
}

impl Logins {
    /// Nothing has failed yet.
    pub fn new(s: &Security) -> Self {
        let nothing =
            Counted { names: Failures(HashMap::new()), origins: Failures(HashMap::new()) };
        let checks = s.password_checks.min(1024);
        Self {
            counted: Mutex::new(nothing),
            per_name: s.login_attempts,
            per_origin: s.login_attempts_per_address,
            running: Semaphore::new(checks),
            room: Semaphore::new(checks * (1 + WAITING)),
        }
    }

    fn counted<T>(&self, f: impl FnOnce(&mut Counted) -> T) -> T {
        f(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an attempt as failed before it is made, so that guesses in parallel don't slip past the
    /// limit; success takes it back ([`Self::succeeded`]).
    fn begin(&self, name: &str, from: Origin, now: Micros) -> Result<(), NotNow> {
        self.counted(|c| {
            let name = name.to_owned();
            let by_name = c.names.wait(&name, self.per_name, now);
            let by_origin = from.0.and_then(|o| c.origins.wait(&o, self.per_origin, now));
            if let Some(s) = by_name.max(by_origin) {
                return Err(NotNow::Failed(s));
            }
            c.names.note(name, now);
            if let Some(o) = from.0 {
                c.origins.note(o, now);
            }
            Ok(())
        })
    }

    /// Makes an attempt: `check` runs beside only a few others.
    ///
    /// # Errors
    /// [`NotNow`]; then nothing was checked.
    pub async fn attempt(
        &self,
        name: &str,
        from: Origin,
        now: Micros,
        check: impl FnOnce() -> bool,
    ) -> Result<bool, NotNow> {
        self.begin(name, from, now)?;
        let Ok(_room) = self.room.try_acquire() else {
            // Nobody's guess was looked at, so nobody's name has to wait for it.
            self.counted(|c| {
                c.names.take_back(&name.to_owned());
                from.0.inspect(|o| c.origins.take_back(o));
            });
            return Err(NotNow::Busy(BUSY_S));
        };
        let Ok(_running) = self.running.acquire().await else { return Err(NotNow::Busy(BUSY_S)) };
        Ok(blocking(check))
    }

    /// A login went through: the name starts afresh, the address loses this attempt only.
    pub fn succeeded(&self, name: &str, from: Origin) {
        self.counted(|c| {
            c.names.0.remove(name);
            from.0.inspect(|o| c.origins.take_back(o));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NOW: Micros = Micros(1_700_000_000_000_000);

    fn logins(sets: &[&str]) -> Logins {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        Logins::new(&crate::config::Config::load(None, &|_| None, &sets).unwrap().security)
    }

    fn from(address: &str) -> Origin {
        Origin::new(Some(address.parse().unwrap()))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn never_more_checks_at_once_than_set_however_many_log_in() {
        let l = Arc::new(logins(&["security.password_checks=2"]));
        let counts: Arc<[AtomicUsize; 3]> = Arc::default();
        let mut all = tokio::task::JoinSet::new();
        for n in 0..150 {
            let (l, counts) = (l.clone(), counts.clone());
            all.spawn(async move {
                let check = || {
                    let [now, most, done] = &*counts;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                    now.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    false
                };
                l.attempt(&format!("name-{n}"), Origin(None), NOW, check).await
            });
        }
        let all = all.join_all().await;
        let busy = all.iter().filter(|r| matches!(r, Err(NotNow::Busy(_)))).count();
        let [_, most, done] = &*counts;
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} at once");
        assert_eq!(done.load(Ordering::SeqCst) + busy, 150);
        assert!(busy > 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn names_and_addresses_wait_until_the_window_has_passed() {
        let l = logins(&["security.login_attempts=3", "security.login_attempts_per_address=5"]);
        let wrong = async |name: &str, a: &str, now| l.attempt(name, from(a), now, || false).await;
        for _ in 0..3 {
            assert_eq!(wrong("anna", "192.0.2.1", NOW).await, Ok(false));
        }
        assert_eq!(wrong("anna", "192.0.2.2", NOW).await, Err(NotNow::Failed(901)));
        // One network of IPv6 is one client.
        for n in 0..5 {
            let a = format!("2001:db8::{n}");
            assert_eq!(wrong(&format!("guess-{n}"), &a, NOW).await, Ok(false));
        }
        assert_eq!(wrong("berta", "2001:db8::9", NOW).await, Err(NotNow::Failed(901)));
        assert_eq!(wrong("berta", "2001:db8:0:1::9", NOW).await, Ok(false));
        let later = NOW.plus(WINDOW);
        assert_eq!(wrong("anna", "192.0.2.1", later).await, Ok(false));
        l.succeeded("anna", from("192.0.2.1"));
        for _ in 0..3 {
            assert_eq!(wrong("anna", "127.0.0.1", later).await, Ok(false));
        }
        // A proxy's own address doesn't lock everybody out.
        for n in 0..20 {
            assert_eq!(wrong(&format!("other-{n}"), "127.0.0.1", later).await, Ok(false));
        }
    }
}
