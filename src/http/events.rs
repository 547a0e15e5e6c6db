//! `GET /v1/events`: what happens, as server-sent events. A stream reads the table by number, some
//! events at a time and only as fast as its client reads, so a slow client holds one such portion
//! and nothing else. It is woken when this process has numbered events, and looks by itself for
//! those that another process has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::App;
use super::auth::Caller;
use super::problem::Problem;
use crate::config;
use crate::domain::event::{Event, EventKind};
use crate::domain::ids::KeyId;
use crate::store::{self, Store, event, key};

/// Events that are read at once.
const PORTION: i64 = 50;
/// How often it is looked for events that another process has numbered.
const LOOK: Duration = Duration::from_millis(500);

/// The streams of this process.
pub struct Streams {
    most: usize,
    most_per_key: usize,
    heartbeat: Duration,
    news: watch::Receiver<u64>,
    stopping: CancellationToken,
    open: Mutex<HashMap<KeyId, usize>>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

impl Streams {
    /// None open. `news` changes when events were numbered.
    pub fn new(
        set: &config::Events,
        news: watch::Receiver<u64>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            most: set.streams,
            most_per_key: set.streams_per_key,
            heartbeat: Duration::from_secs(set.heartbeat_s),
            news,
            stopping,
            open: Mutex::default(),
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn open(self: &Arc<Self>, key: &KeyId) -> Result<Place, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(key).copied().unwrap_or(0);
        if own >= self.most_per_key || all >= self.most {
            let why = "too many streams are open, of this key or in all";
            return Err(
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", why).retry_after(5)
            );
        }
        open.insert(key.clone(), own + 1);
        Ok(Place { streams: self.clone(), key: key.clone() })
    }
}

/// One open stream; closed when it is dropped.
struct Place {
    streams: Arc<Streams>,
    key: KeyId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.key) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Types, separated by commas; all if it is left out.
    types: Option<String>,
    /// Events after this number; 0 for everything that is kept. The header `Last-Event-ID` comes
    /// first. Without either the stream begins with what happens next.
    after: Option<i64>,
}

/// Streams events
///
/// Server-sent events, resumable: `id` is an event's number, `event` its type, `data` the event as JSON.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "stream_events",
    tag = "Events",
    params(
        Wanted,
        ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last event that was seen."),
    ),
    security(("key" = ["read"])),
    responses(
        (status = 200, description = "A stream that does not end by itself.", content_type = "text/event-stream", body = String),
        (status = 400, description = "bad_event_type: `types` names no event\nbad_cursor: the number is none of an event"),
        (status = 410, description = "events_expired: what followed that number is no longer kept"),
        (status = 429, description = "too_many_streams: the key has too many streams open"),
    )
)]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.need("read")?;
    let Query(wanted) = wanted
        .map_err(|_| Problem::bad_request("bad_cursor", "expected `types` and a number `after`"))?;
    let kinds = EventKind::list(wanted.types.as_deref().unwrap_or_default())
        .map_err(|e| Problem::bad_request("bad_event_type", e.to_string()))?;
    let last = match headers.get("last-event-id").map(|v| v.to_str()) {
        None | Some(Ok("")) => wanted.after,
        Some(text) => Some(text.ok().and_then(|t| t.parse().ok()).ok_or_else(|| {
            Problem::bad_request("bad_cursor", "Last-Event-ID: expected the number of an event")
        })?),
    };
    let head = event::head(&mut *app.store.db.read().await?, caller.tenant()).await?;
    let at = match last {
        None => head.last,
        Some(n) if n > head.last || n < 0 => {
            let why = "no event has that number yet: begin without one";
            return Err(Problem::bad_request("bad_cursor", why));
        }
        Some(n) if n > 0 && n < head.pruned => {
            let why = "what followed that event is no longer kept: read the present state and \
                       begin without a number";
            return Err(Problem::new(StatusCode::GONE, "events_expired", why)
                .with("oldest", head.pruned + 1));
        }
        Some(n) => n.max(head.pruned),
    };
    let place = app.streams.open(&caller.0.id)?;
    let feed = Feed {
        store: app.store.clone(),
        news: app.streams.news.clone(),
        beat: Instant::now() + app.streams.heartbeat,
        check: Instant::now() + app.streams.heartbeat,
        caller,
        kinds,
        at,
        place,
        greeted: false,
    };
    let body = futures::stream::unfold(feed, |mut f| async move {
        let bytes = f.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), f))
    });
    let mut r = Response::new(Body::from_stream(body));
    let h = r.headers_mut();
    h.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies that collect answers would hold events back.
    h.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(r)
}

/// One client's stream.
struct Feed {
    store: Store,
    news: watch::Receiver<u64>,
    caller: Caller,
    kinds: Vec<EventKind>,
    /// The number up to which the client has seen what it wants.
    at: i64,
    /// When the next heartbeat is due.
    beat: Instant,
    /// When the key is to be asked about next: events must not put that off as they do the heartbeat.
    check: Instant,
    place: Place,
    greeted: bool,
}

impl Feed {
    /// The next bytes; none when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        let streams = self.place.streams.clone();
        if !self.greeted {
            // So that the client sees at once that it is connected, and where it stands.
            self.greeted = true;
            return Some(self.heartbeat());
        }
        loop {
            if streams.stopping.is_cancelled() {
                return None;
            }
            if Instant::now() >= self.check {
                self.check = Instant::now() + streams.heartbeat;
                if !self.stands().await {
                    return None;
                }
            }
            self.news.borrow_and_update();
            match self.read().await {
                Ok(events) if !events.is_empty() => {
                    self.beat = Instant::now() + streams.heartbeat;
                    return Some(frames(&events));
                }
                Ok(_) => {}
                Err(e) => tracing::warn!(error = %e, "could not read events"),
            }
            if Instant::now() >= self.beat {
                self.beat = Instant::now() + streams.heartbeat;
                return Some(self.heartbeat());
            }
            let wait = LOOK.min(self.beat.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = streams.stopping.cancelled() => return None,
                told = self.news.changed() => if told.is_err() {
                    tokio::time::sleep(wait).await;
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The next portion; moves past what isn't wanted.
    async fn read(&mut self) -> store::Result<Vec<Event>> {
        let mut c = self.store.db.read().await?;
        let tenant = self.caller.tenant();
        let head = event::head(&mut c, tenant).await?;
        if head.last <= self.at {
            return Ok(Vec::new());
        }
        let events =
            event::page(&mut c, tenant, &self.kinds, (self.at, head.last), PORTION).await?;
        let full = i64::try_from(events.len()).is_ok_and(|n| n == PORTION);
        self.at = events.last().filter(|_| full).map_or(head.last, |e| e.seq);
        Ok(events)
    }

    /// Whether the key that opened the stream still stands.
    async fn stands(&self) -> bool {
        let asked = async {
            let mut c = self.store.db.read().await?;
            key::stands(&mut c, &self.caller.0, self.store.host.now()).await
        };
        asked.await.unwrap_or(true)
    }

    /// A comment, and the number up to which the client has seen everything it wants, so that it
    /// resumes there and not at the last event of a rare type.
    fn heartbeat(&self) -> Bytes {
        Bytes::from(format!(": here\nid: {}\n\n", self.at))
    }
}

fn frames(events: &[Event]) -> Bytes {
    let all: Vec<String> = events
        .iter()
        .map(|e| format!("id: {}\nevent: {}\ndata: {}\n\n", e.seq, e.kind, e.to_json()))
        .collect();
    Bytes::from(all.concat())
}
