//! Classifying texts that the service doesn't keep, for many callers at once.
//!
//! The encoder does several texts in one pass for less than the same texts one by one, so what waits
//! is read together: a batch is whatever stands in the queue when a worker is free. Nothing waits for
//! company while a worker is idle, so a lone text costs what it costs. The queue is bounded and fair
//! between keys ([`fair`]); what is no longer wanted (its caller went away, its time is up) is dropped
//! from it instead of being read.

mod fair;
mod figures;
mod own;
mod work;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use figures::Figures;
pub use own::OwnError;

use crate::config;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::triage::Analysis;
use crate::nlp::encoder::Embed;
pub use crate::nlp::heads::own::OwnLabel;
use crate::nlp::heads::{LOOK_BACK, Triage, beginning, may_look_back};
use crate::nlp::quote;
use crate::pipeline::promoted::Promoted;
use fair::Fair;
use own::Own;

/// What a text costs besides its bytes: the heads, and the pass of a short one.
const COST_OF_ONE: u64 = 256;

/// A message to classify. Its text is personal data: nothing of this shows in `Debug`.
#[derive(Clone)]
pub struct Question {
    /// The subject line.
    pub subject: Option<String>,
    /// The text, without quotes and signature.
    pub text: String,
    /// Earlier messages, the latest last; shared between the messages of a thread.
    pub history: Arc<[String]>,
    /// What the writer said before, the latest last; for the trend of their mood.
    pub earlier: Vec<String>,
    /// Whose intents.
    pub taxonomy: Taxonomy,
    /// The writer is somebody whose messages come first.
    pub vip: bool,
    /// Say which words moved each decision.
    pub explain: bool,
}

/// Heads whose intents are those of one taxonomy; cheap to clone.
#[derive(Debug, Clone)]
pub struct Taxonomy(Arc<Triage>);

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Question {
    fn cost(&self) -> u64 {
        let own = self.text.len() + self.subject.as_ref().map_or(0, String::len);
        let earlier: usize = self.earlier.iter().map(String::len).sum();
        // What is read when the text says little by itself.
        let back = self.history.iter().rev().take(LOOK_BACK);
        let (looked_at, back) = match may_look_back(&self.text) {
            true => (back.len(), back.map(|text| beginning(text).len()).sum()),
            false => (0, 0),
        };
        let passes = 1 + self.earlier.len() + looked_at;
        COST_OF_ONE * passes as u64 + (own + earlier + back) as u64
    }
}

/// How long a text took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// In the queue.
    pub queue: Duration,
    /// In the encoder, together with the others of its batch.
    pub encode: Duration,
    /// In everything else that reads it, together with the others of its batch.
    pub heads: Duration,
}

/// What was read in a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The labels.
    pub analysis: Analysis,
    /// How long it took.
    pub timing: Timing,
}

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassifyError {
    /// The queue is full, or the text would wait for longer than its deadline.
    #[error("too many texts wait to be classified")]
    Busy {
        /// When it is worth another try.
        after: Duration,
    },
    /// Its deadline passed while it waited.
    #[error("the text was not classified within classify.deadline_ms")]
    Late {
        /// When it is worth another try.
        after: Duration,
    },
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The text broke something of ours.
    #[error("the text could not be classified")]
    Failed,
}

impl ClassifyError {
    /// Whether the text was refused for want of time, and not for anything in it: it costs nothing of a quota.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Failed)
    }
}

/// A text's answer, once it is there.
pub struct Pending(oneshot::Receiver<Result<Reading, ClassifyError>>);

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

impl Pending {
    /// Waits for it. Whoever drops this instead gives the text's place in the queue back. May be
    /// dropped and called again.
    ///
    /// # Errors
    /// As [`ClassifyError`] says.
    pub async fn answer(&mut self) -> Result<Reading, ClassifyError> {
        (&mut self.0).await.unwrap_or(Err(ClassifyError::Failed))
    }
}

struct Waiting {
    question: Question,
    since: Instant,
    deadline: Instant,
    tell: oneshot::Sender<Result<Reading, ClassifyError>>,
}

struct State {
    queue: Fair<KeyId, Waiting>,
    /// Who has how many streams open.
    streams: HashMap<KeyId, usize>,
    /// Takes nothing new.
    closed: bool,
    /// Workers that are reading a batch.
    busy: usize,
    /// Nanoseconds a unit of cost lately; what waits times this is how long it will wait.
    pace: f64,
}

/// A place among the streams.
pub struct Place {
    shared: Arc<Shared>,
    owner: KeyId,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(open) = state.streams.get_mut(&self.owner) {
            *open -= 1;
            if *open == 0 {
                state.streams.remove(&self.owner);
            }
        }
    }
}

/// The queue and what reads it; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Classifier(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    limits: config::Classify,
    usual: Arc<Promoted>,
    named: HashMap<String, Taxonomy>,
    encoder: Arc<dyn Embed>,
    own: Own,
    closing: CancellationToken,
    figures: Figures,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Classifier")
    }
}

impl Classifier {
    /// With an empty queue; somebody has to call [`Classifier::work`].
    pub fn new(
        limits: config::Classify,
        usual: Arc<Promoted>,
        named: impl IntoIterator<Item = (String, Arc<Triage>)>,
        encoder: Arc<dyn Embed>,
    ) -> Self {
        let (queue, streams) = (Fair::new(), HashMap::new());
        let state = State { queue, streams, closed: false, busy: 0, pace: 0.0 };
        Self(Arc::new(Shared {
            own: Own::new(limits.own_taxonomies),
            closing: CancellationToken::new(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            limits,
            usual,
            named: named.into_iter().map(|(name, triage)| (name, Taxonomy(triage))).collect(),
            encoder,
            figures: Figures::default(),
        }))
    }

    /// The configured taxonomy of a name; `default` is the service's own, read by the tenant's own heads where it
    /// has promoted some.
    pub fn taxonomy(&self, tenant: &TenantId, name: &str) -> Option<Taxonomy> {
        match name {
            "default" => Some(Taxonomy(self.0.usual.of(tenant))),
            name => self.0.named.get(name).cloned(),
        }
    }

    /// What came of all texts so far.
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// How many texts wait, and the bound on them.
    pub fn depth(&self) -> (usize, usize) {
        (self.0.lock().queue.len(), self.0.limits.queue)
    }

    /// Queues texts: all of them or none. One owner (keys that took each other's place are one) may fill half of
    /// the queue; the rest is for the others.
    ///
    /// # Errors
    /// [`ClassifyError::Busy`] when there is no room, or when others and what the owner has brought before would keep
    /// them waiting for longer than `classify.deadline_ms`; [`ClassifyError::Stopping`].
    pub fn submit(
        &self,
        owner: &KeyId,
        questions: Vec<Question>,
    ) -> Result<Vec<Pending>, ClassifyError> {
        let Shared { limits, changed, .. } = &*self.0;
        let costs: Vec<u64> = questions.iter().map(Question::cost).collect();
        let mut state = self.0.lock();
        self.0.admit(&mut state, owner, &costs)?;
        let since = Instant::now();
        let deadline = since + limits.deadline();
        let mut pending = Vec::with_capacity(questions.len());
        for (question, cost) in questions.into_iter().zip(costs) {
            let (tell, told) = oneshot::channel();
            state.queue.push(owner, cost, Waiting { question, since, deadline, tell });
            pending.push(Pending(told));
        }
        drop(state);
        if pending.len() == 1 {
            changed.notify_one();
        } else {
            changed.notify_all();
        }
        Ok(pending)
    }

    /// Whether texts would be taken now: for who pays first. [`Classifier::submit`] may refuse them all the same.
    ///
    /// # Errors
    /// As [`Classifier::submit`].
    pub fn admit(&self, owner: &KeyId, questions: &[Question]) -> Result<(), ClassifyError> {
        let costs: Vec<u64> = questions.iter().map(Question::cost).collect();
        self.0.admit(&mut self.0.lock(), owner, &costs)
    }

    /// A place among the streams of JSON Lines; given back when it is dropped.
    ///
    /// # Errors
    /// [`ClassifyError::Busy`] when all are taken, or all that one owner may have.
    pub fn stream(&self, owner: &KeyId) -> Result<Place, ClassifyError> {
        let mut state = self.0.lock();
        let own = state.streams.get(owner).copied().unwrap_or_default();
        let all: usize = state.streams.values().sum();
        if own >= self.0.limits.streams_per_key || all >= self.0.limits.max_streams {
            return Err(ClassifyError::Busy { after: Duration::from_secs(1) });
        }
        state.streams.insert(owner.clone(), own + 1);
        Ok(Place { shared: self.0.clone(), owner: owner.clone() })
    }

    /// Whether it takes nothing new, for those that would bring something later.
    pub fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// Takes nothing new; workers end when the queue is empty.
    pub fn close(&self) {
        self.0.closing.cancel();
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }

    /// Drops what waits: its callers are told that the service stops.
    pub fn abandon(&self) {
        self.close();
        let mut state = self.0.lock();
        while let Some((.., waiting)) = state.queue.pop() {
            let _ = waiting.tell.send(Err(ClassifyError::Stopping));
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Reads what waits until the queue is closed and empty. Blocks: it is for a thread of its own.
    pub fn work(&self) {
        work::run(&self.0);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long work of a cost takes at the latest pace.
    fn wait(state: &State, cost: u64) -> Duration {
        Duration::from_nanos((cost as f64 * state.pace) as u64)
    }

    /// Whether there is room for further texts of an owner, and whether the last of them would have its turn within
    /// the deadline. How long they take themselves doesn't count: that is no shorter at another time.
    fn admit(&self, state: &mut State, owner: &KeyId, costs: &[u64]) -> Result<(), ClassifyError> {
        if state.closed {
            return Err(ClassifyError::Stopping);
        }
        let (more, cost) = (costs.len(), costs.iter().sum());
        let refused = |state: &State| {
            let wait = Self::wait(state, state.queue.ahead_of(owner, cost));
            let fits = state.queue.len() + more <= self.limits.queue
                && state.queue.len_of(owner) + more <= self.limits.queue.div_ceil(2);
            (!fits || wait > self.limits.deadline()).then_some(ClassifyError::Busy { after: wait })
        };
        if refused(state).is_none() {
            return Ok(());
        }
        // Perhaps some of what waits has nobody left who waits for it.
        state.queue.retain(|w| {
            let wanted = !w.tell.is_closed();
            if !wanted {
                self.figures.dropped();
            }
            wanted
        });
        refused(state).map_or(Ok(()), |busy| {
            self.figures.refused(more);
            Err(busy)
        })
    }
}

/// What a person reads in HTML, without quoted messages and signature; where that is nothing, all of it.
pub fn visible(html: &str) -> String {
    let split = quote::split_html(html);
    let parts = [split.visible, split.quoted, split.signature];
    let filled = parts.into_iter().find(|p| !p.trim().is_empty());
    filled.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
