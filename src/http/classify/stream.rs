//! JSON Lines in, JSON Lines out: batches of any size in bounded memory. Answers are written in the
//! order of the lines while further lines are still on their way; a line is read only when there is
//! room for its answer. When the client goes away, or stops reading, the work stops.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::Value;
use tokio::sync::mpsc;

use super::Asker;
use super::answer::{ClassifyAnswer, ItemAnswer, ItemError, ItemProblem};
use super::ask::Item;
use super::lines::{Broke, Line, Lines};
use super::options::Options;
use super::read::{Fault, Fields};
use crate::http::limits::Refused;
use crate::http::problem::Problem;
use crate::pipeline::blocking;
use crate::pipeline::classify::{ClassifyError, Pending, Place, Reading};

/// The media type.
pub const NDJSON: &str = "application/x-ndjson";
/// Answers that are written and not yet taken by the connection.
const AHEAD: usize = 16;
/// How many times longer than its texts a line may be: escapes, markup, names of fields.
const ROOM: usize = 16;
/// A line from this length on isn't read beside other requests' work.
const LONG: usize = 32 * 1024;

/// A line on its way.
enum Slot {
    /// It has its answer.
    Ready(Box<ItemAnswer>),
    /// It waits to be classified.
    Waiting { number: u64, item: Box<Item>, pending: Pending, since: Instant },
}

/// What was read in a line; it costs a unit either way.
type Read = Result<Box<Item>, (Option<Value>, ItemProblem)>;

/// A line that waits for its key's pace or for room in the queue.
struct Held {
    number: u64,
    read: Read,
    /// Since when it is paid for, or read.
    since: Instant,
    /// It is paid for.
    charged: bool,
    /// When to try again.
    again: tokio::time::Instant,
}

/// Why a stream ends before its lines do.
enum End {
    /// Nobody reads the answers.
    Unread,
    /// Something that the last line says.
    Told,
}

/// One stream.
struct Stream {
    asker: Asker,
    lines: Lines,
    out: mpsc::Sender<Bytes>,
    window: usize,
    most_lines: u64,
    patience: Duration,
    slots: VecDeque<Slot>,
    held: Option<Held>,
    /// No further line is read.
    ended: bool,
    first: bool,
    /// The request has cost a unit, which the first item takes.
    paid: bool,
    _place: Place,
}

/// Answers a body of lines. The first line may be `{"options": {…}}` instead of an item.
///
/// # Errors
/// [`ClassifyError::Busy`] when too many streams run, of all keys or of this one.
pub fn answer(asker: Asker, body: Body) -> Result<Response, ClassifyError> {
    let place = asker.app.classifier.stream(&asker.caller.0.family)?;
    let config = asker.app.config.clone();
    let set = &config.classify;
    let patience = Duration::from_secs(config.server.body_timeout_s);
    let (out, mut written) = mpsc::channel(AHEAD);
    let stream = Stream {
        lines: Lines::new(body, asker.most.saturating_mul(ROOM), patience),
        // Enough for each worker to fill a batch while the next is being made ready.
        window: (2 * set.batch * set.workers).min(set.queue.div_ceil(4)).max(1),
        most_lines: set.max_lines as u64,
        out,
        patience,
        slots: VecDeque::new(),
        held: None,
        ended: false,
        first: true,
        paid: true,
        _place: place,
        asker,
    };
    stream.asker.app.intake.clone().spawn(stream.run());
    let lines = futures::stream::poll_fn(move |cx| {
        written.poll_recv(cx).map(|line| line.map(Ok::<_, std::convert::Infallible>))
    });
    Ok(of_lines(Body::from_stream(lines)))
}

/// Answers that are there already, as lines.
pub fn written(answers: &[ItemAnswer]) -> Response {
    let lines = answers.iter().filter_map(|a| serde_json::to_vec(a).ok());
    let text: Vec<u8> = lines.flat_map(|line| line.into_iter().chain([b'\n'])).collect();
    of_lines(text.into())
}

fn of_lines(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}

impl Stream {
    async fn run(mut self) {
        let gone = self.out.clone();
        tokio::select! {
            () = gone.closed() => {}
            _ = self.all() => {}
        }
    }

    async fn all(&mut self) -> Result<(), End> {
        while !self.ended || self.held.is_some() || !self.slots.is_empty() {
            let stop = self.asker.app.classifier.closing().clone();
            let room = !self.ended && self.held.is_none() && self.slots.len() < self.window;
            let again = self.held.as_ref().map(|h| h.again);
            tokio::select! {
                biased;
                outcome = front(&mut self.slots), if !self.slots.is_empty() => {
                    if matches!(&outcome, Some(Err(e)) if e.is_refusal()) {
                        self.asker.caller.give_back(&self.asker.app, 1).await;
                    }
                    if let Some(answer) = self.slots.pop_front().map(|s| self.finish(s, outcome)) {
                        self.write(&answer).await?;
                        // How long that took is not the writer's fault.
                        self.lines.wait_anew();
                    }
                }
                () = tokio::time::sleep_until(again.unwrap_or_else(tokio::time::Instant::now)),
                    if again.is_some() =>
                {
                    if let Some(held) = self.held.take() {
                        self.queue(held).await;
                    }
                }
                () = stop.cancelled(), if !self.ended => {
                    if let Some(held) = self.held.take() {
                        self.queue(held).await;
                    }
                    self.ended = true;
                    let number = self.lines.number() + 1;
                    self.fail(number, None, ClassifyError::Stopping.into());
                }
                line = self.lines.next(), if room => match line {
                    Ok(Some(line)) => {
                        if let Some(held) = self.line(line).await {
                            self.queue(held).await;
                        }
                    }
                    Ok(None) => self.ended = true,
                    Err(broke) => self.broke(broke),
                },
            }
        }
        Ok(())
    }

    /// Reads one line; gives what is to be queued.
    async fn line(&mut self, line: Line) -> Option<Held> {
        let number = self.lines.number();
        if number > self.most_lines {
            let detail = format!("more than {} lines (classify.max_lines)", self.most_lines);
            self.fail(number, None, ItemProblem::new(422, "too_many_lines", detail, None));
            self.ended = true;
            return None;
        }
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong => {
                let fault = Fault::new("text_too_long", "", "the line is too long");
                return Some(self.held(number, Err((None, fault.into()))));
            }
        };
        let long = text.len() > LONG;
        let first = std::mem::take(&mut self.first);
        let most = self.asker.most;
        let read = || {
            let value: Value = match serde_json::from_slice(&text) {
                Ok(value) => value,
                Err(e) => {
                    let detail = format!("column {}: it isn't JSON", e.column());
                    return Err((None, ItemProblem::new(400, "bad_json", detail, None)));
                }
            };
            if first && value.get("options").is_some() {
                return Ok(Err(value));
            }
            let id = Item::id_of(&value);
            Item::read(value, "", most).map(Ok).map_err(|f| (id, f.into()))
        };
        let read = match if long { blocking(read) } else { read() } {
            Ok(Ok(item)) => Ok(Box::new(item)),
            Ok(Err(options)) => {
                if let Err(problem) = self.options(options).await {
                    // What all lines would be answered by isn't known.
                    self.fail(number, None, problem.into());
                    self.ended = true;
                }
                return None;
            }
            Err(bad) => Err(bad),
        };
        Some(self.held(number, read))
    }

    fn held(&mut self, number: u64, read: Read) -> Held {
        Held {
            number,
            read,
            since: Instant::now(),
            charged: std::mem::take(&mut self.paid),
            again: tokio::time::Instant::now(),
        }
    }

    async fn options(&mut self, line: Value) -> Result<(), Problem> {
        let mut fields = Fields::of(line, "", "bad_options")?;
        let options = fields.take("options").unwrap_or_default();
        fields.end("options")?;
        let mut fields = Fields::of(options, "/options", "bad_options")?;
        let options = Options::read(&mut fields)?;
        fields.end("outputs, taxonomy, vip")?;
        self.asker.choose(options).await
    }

    /// Pays for a line and queues it, or holds it back: for the key's pace as long as that takes, and while the
    /// queue is full for as long as a text may wait.
    async fn queue(&mut self, mut held: Held) {
        let id = |read: Read| match read {
            Ok(item) => item.id,
            Err((id, _)) => id,
        };
        if !held.charged {
            match self.asker.caller.charge_one(&self.asker.app).await {
                Ok(()) => (held.charged, held.since) = (true, Instant::now()),
                Err(Refused::Rate { after })
                    if !self.asker.app.classifier.closing().is_cancelled() =>
                {
                    return self.hold(held, after);
                }
                Err(refused) => {
                    // Further lines would find the same.
                    self.ended |= matches!(refused, Refused::Quota { .. } | Refused::Store(_));
                    return self.fail(held.number, id(held.read), refused.into());
                }
            }
        }
        let item = match &held.read {
            Ok(item) => item,
            Err((id, problem)) => return self.fail(held.number, id.clone(), problem.clone()),
        };
        match self.asker.submit(vec![self.asker.question(item)]) {
            Ok(mut pending) => match (pending.pop(), held) {
                (Some(pending), Held { number, read: Ok(item), since, .. }) => {
                    self.slots.push_back(Slot::Waiting { number, item, pending, since });
                }
                (_, held) => self.fail(held.number, id(held.read), ClassifyError::Failed.into()),
            },
            Err(ClassifyError::Busy { after })
                if held.since.elapsed() <= self.asker.app.config.classify.deadline() =>
            {
                self.hold(held, after);
            }
            Err(e) => {
                self.ended |= e == ClassifyError::Stopping;
                self.asker.caller.give_back(&self.asker.app, 1).await;
                self.fail(held.number, id(held.read), e.into());
            }
        }
    }

    fn hold(&mut self, held: Held, after: Duration) {
        let pause = after.clamp(Duration::from_millis(5), Duration::from_millis(250));
        self.held = Some(Held { again: tokio::time::Instant::now() + pause, ..held });
    }

    /// The answer of a line that has come to its end.
    fn finish(&self, slot: Slot, outcome: Option<Result<Reading, ClassifyError>>) -> ItemAnswer {
        let (number, item, since) = match slot {
            Slot::Ready(answer) => return *answer,
            Slot::Waiting { number, item, since, .. } => (number, item, since),
        };
        match outcome.unwrap_or(Err(ClassifyError::Failed)) {
            Ok(reading) => {
                let (options, total) = (&self.asker.options, since.elapsed());
                ItemAnswer::Answer(Box::new(ClassifyAnswer::of(*item, reading, options, total)))
            }
            Err(e) => {
                let error = e.into();
                ItemAnswer::Error(ItemError { id: item.id, index: None, line: Some(number), error })
            }
        }
    }

    fn fail(&mut self, number: u64, id: Option<Value>, error: ItemProblem) {
        let error = ItemError { id, index: None, line: Some(number), error };
        self.slots.push_back(Slot::Ready(Box::new(ItemAnswer::Error(error))));
    }

    fn broke(&mut self, broke: Broke) {
        let code = match broke {
            Broke::Slow => "too_slow",
            Broke::Gone => "broken_off",
        };
        let number = self.lines.number() + 1;
        self.fail(number, None, ItemProblem::new(408, code, broke.to_string(), None));
        self.ended = true;
    }

    /// Writes one line; a client that doesn't read ends the stream.
    async fn write(&mut self, answer: &ItemAnswer) -> Result<(), End> {
        let Ok(mut line) = serde_json::to_vec(answer) else { return Err(End::Told) };
        line.push(b'\n');
        let sent = tokio::time::timeout(self.patience, self.out.send(line.into())).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Unread),
        }
    }
}

/// What came of the first line; none if it has its answer already. Dropping the future loses nothing.
async fn front(slots: &mut VecDeque<Slot>) -> Option<Result<Reading, ClassifyError>> {
    match slots.front_mut() {
        Some(Slot::Waiting { pending, .. }) => Some(pending.answer().await),
        _ => None,
    }
}
