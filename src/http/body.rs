//! A request's body on its way in. While a body trickles, its request holds no place among those at
//! work, so slow clients can't use them up; what has arrived counts against a budget of bytes, so
//! they can't use up the memory either; and the whole body has a deadline.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use super::problem::Problem;

/// One permit of the budget, in bytes.
const UNIT: u64 = 1024;
/// How long a body that is refused is read on.
const LINGER: Duration = Duration::from_secs(2);

/// How much is taken at once.
#[derive(Debug, Clone)]
pub struct Limits {
    at_work: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    time: Duration,
}

impl Limits {
    /// `at_work` requests, `budget_mib` MiB of bodies, `time` for each body.
    pub fn new(at_work: usize, budget_mib: usize, time: Duration) -> Self {
        let units = budget_mib.saturating_mul(1024).min(Semaphore::MAX_PERMITS);
        Self {
            at_work: Arc::new(Semaphore::new(at_work)),
            bytes: Arc::new(Semaphore::new(units)),
            time,
        }
    }

    /// Requests that could be taken at once.
    pub fn free(&self) -> usize {
        self.at_work.available_permits()
    }

    /// MiB of the budget that no body holds.
    pub fn free_mib(&self) -> usize {
        self.bytes.available_permits() / 1024
    }

    /// A place for a request; none when all are taken.
    pub fn place(&self) -> Option<Place> {
        let at_work = self.at_work.clone().try_acquire_owned().ok()?;
        Some(Place(Arc::new(Mutex::new(Held { at_work: Some(at_work), bytes: None, broke: None }))))
    }
}

/// Why a body did not come in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broke {
    /// It took too long.
    #[error("the request's body did not arrive in time")]
    Slow,
    /// All bodies together would be larger than the budget.
    #[error("too many bytes of requests are on their way in")]
    Budget,
    /// It came in, but no place became free for its request.
    #[error("too many requests at once")]
    NoPlace,
}

impl From<Broke> for Problem {
    fn from(b: Broke) -> Self {
        let (status, code) = match b {
            Broke::Slow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Broke::Budget | Broke::NoPlace => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        };
        let p = Self::new(status, code, b.to_string());
        if b == Broke::Slow { p } else { p.retry_after(1) }
    }
}

/// What a request holds while it runs; given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    at_work: Option<OwnedSemaphorePermit>,
    bytes: Option<OwnedSemaphorePermit>,
    broke: Option<Broke>,
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    /// Why the body broke off, if it did.
    pub fn broke(&self) -> Option<Broke> {
        lock(&self.0).broke
    }

    /// The body, metered. The clock starts now.
    pub fn meter(&self, inner: Body, limits: &Limits) -> Body {
        Body::new(Metered {
            inner,
            held: self.0.clone(),
            budget: limits.bytes.clone(),
            places: PollSemaphore::new(limits.at_work.clone()),
            seen: 0,
            over: false,
            deadline: Box::pin(tokio::time::sleep(limits.time)),
        })
    }
}

struct Metered {
    inner: Body,
    held: Arc<Mutex<Held>>,
    budget: Arc<Semaphore>,
    places: PollSemaphore,
    /// Bytes so far.
    seen: u64,
    /// Whether the budget is used up.
    over: bool,
    deadline: Pin<Box<tokio::time::Sleep>>,
}

impl Metered {
    fn fail(&self, why: Broke) -> axum::BoxError {
        lock(&self.held).broke.get_or_insert(why);
        Box::new(why)
    }

    /// Counts bytes that have arrived, until the request ends. Beyond the budget nothing more is kept;
    /// a little longer it is read all the same, as a client that is cut off while it writes may never
    /// see the answer.
    fn charge(&mut self, more: usize) -> bool {
        let before = self.seen.div_ceil(UNIT);
        self.seen = self.seen.saturating_add(more as u64);
        let units = u32::try_from(self.seen.div_ceil(UNIT) - before).unwrap_or(u32::MAX);
        if units == 0 {
            return true;
        }
        let Ok(new) = self.budget.clone().try_acquire_many_owned(units) else {
            self.over = true;
            let soon = tokio::time::Instant::now() + LINGER;
            if soon < self.deadline.deadline() {
                self.deadline.as_mut().reset(soon);
            }
            return false;
        };
        let mut held = lock(&self.held);
        match &mut held.bytes {
            Some(bytes) => bytes.merge(new),
            none => *none = Some(new),
        }
        true
    }

    /// Whether time is up; wakes the task when it will be.
    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }

    /// At the end of the body: a place among the requests at work again.
    fn back_to_work(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), axum::BoxError>> {
        if lock(&self.held).at_work.is_some() {
            return Poll::Ready(Ok(()));
        }
        match self.places.poll_acquire(cx) {
            Poll::Ready(Some(place)) => {
                lock(&self.held).at_work = Some(place);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(None) => Poll::Ready(Err(self.fail(Broke::NoPlace))),
            Poll::Pending if self.late(cx) => Poll::Ready(Err(self.fail(Broke::NoPlace))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl hyper::body::Body for Metered {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Ready(None) if self.over => {
                    return Poll::Ready(Some(Err(self.fail(Broke::Budget))));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(ready!(self.back_to_work(cx)).err().map(Err));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    let more = frame.data_ref().map_or(0, Bytes::len);
                    if !self.over && self.charge(more) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Some(Err(e.into()))),
                Poll::Pending => {
                    lock(&self.held).at_work = None;
                    if self.late(cx) {
                        let why = if self.over { Broke::Budget } else { Broke::Slow };
                        return Poll::Ready(Some(Err(self.fail(why))));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Never before the end was asked for: that is where a place is taken again.
    fn is_end_stream(&self) -> bool {
        lock(&self.held).at_work.is_some() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    fn trickling(chunks: usize) -> Body {
        let each = futures::stream::iter(0..chunks).then(|_| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1500]))
        });
        Body::from_stream(each)
    }

    #[tokio::test]
    async fn a_trickling_body_holds_bytes_but_no_place() {
        let limits = Limits::new(1, 1, Duration::from_secs(5));
        let place = limits.place().unwrap();
        assert!(limits.place().is_none());
        let mut body = place.meter(trickling(3), &limits);
        body.frame().await.unwrap().unwrap();
        let other = limits.place().expect("the place is free while the body trickles");
        assert_eq!(limits.bytes.available_permits(), 1024 - 2);
        drop(other);
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(rest.len(), 3000);
        assert!(limits.place().is_none(), "at the end of the body the place is taken again");
        assert_eq!(limits.bytes.available_permits(), 1024 - 5, "4,500 bytes");
        drop(place);
        assert_eq!((limits.free(), limits.free_mib()), (1, 1));
    }

    #[tokio::test]
    async fn a_body_breaks_off_for_a_reason_that_is_told() {
        let limits = Limits::new(2, 1, Duration::from_millis(200));
        let slow = limits.place().unwrap();
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
        assert!(slow.meter(never, &limits).collect().await.is_err());
        assert_eq!(slow.broke(), Some(Broke::Slow));
        let large = limits.place().unwrap();
        let body = Body::from(vec![0u8; 1024 * 1024 + 1]);
        assert!(large.meter(body, &limits).collect().await.is_err());
        assert_eq!(large.broke(), Some(Broke::Budget));
        drop((slow, large));

        let waiting = limits.place().unwrap();
        let mut body = waiting.meter(trickling(1), &limits);
        body.frame().await.unwrap().unwrap();
        let (_a, _b) = (limits.place().unwrap(), limits.place().unwrap());
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(waiting.broke(), Some(Broke::NoPlace));
    }
}
