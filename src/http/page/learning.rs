//! `/learning`: heads that were learnt from corrections, to promote and to take back, and topics that the taxonomy
//! lacks.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sqlx::AnyConnection;

use super::view::{self, Head, LearningPage, Proposal, Section, Set, Topic, TopicExample};
use super::{AppState, Failure, notice, page, shell, when};
use crate::domain::ids::{Micros, ModelId, TenantId};
use crate::http::auth::{self, Person};
use crate::http::id;
use crate::http::models::{self, NEWEST};
use crate::http::problem::Problem;
use crate::pipeline::learning::{self, LearningError, Outcome, Share};
use crate::pipeline::topics::{self, Options};
use crate::store::model::{self, Model, ModelState};
use crate::store::{self, example, message, review};

/// Topics that are shown.
const TOPICS: usize = 20;

/// The page's parameters.
#[derive(Deserialize)]
pub struct Asked {
    done: Option<String>,
}

/// `GET /learning`.
pub async fn show(
    State(app): AppState,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut s = shell(&app, &person, Section::Learning).await?;
    s.notice = asked.done.as_deref().and_then(notice);
    let t = &person.session.tenant;
    let options = Options { newest: NEWEST, ..Options::default() };
    let found = topics::discover(&app.store, t, options).await?;
    let now = app.store.host.now();
    let mut c = app.store.db.read().await?;
    let corrections = example::counts(&mut c, t).await?;
    let models = model::list(&mut c, t).await?;
    let mut heads = Vec::with_capacity(view::Task::ALL.len());
    for task in view::Task::ALL {
        let said = corrections.iter().find(|(name, _)| name == task.key()).map_or(0, |(_, n)| *n);
        heads.push(head(*task, u32::try_from(said).unwrap_or(u32::MAX), &models, now)?);
    }
    let mut shown = Vec::new();
    for topic in found.found.into_iter().take(TOPICS) {
        shown.push(Topic {
            size: count(topic.size),
            words: topic.words.join(", "),
            examples: examples(&mut c, t, topic.examples).await?,
        });
    }
    Ok(page(app.pages.learning(&LearningPage {
        shell: s,
        may_decide: person.is_lead(),
        heads,
        messages: count(found.messages),
        topics: shown,
    })?))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A task: what runs, and what waits.
fn head(task: view::Task, corrections: u32, all: &[Model], now: Micros) -> Result<Head, Problem> {
    let of = |state| all.iter().find(|m| m.task == task.key() && m.state == state);
    let running = of(ModelState::Promoted);
    let proposal = of(ModelState::Proposed)
        .map(|m| {
            let against = learning::against(m, running.map(|m| &m.id))?;
            let sets = learning::outcomes(m)?.iter().map(set).collect();
            let made = when(m.created_at, now);
            let (id, name) = (m.id.to_string(), m.name.clone());
            Ok::<_, LearningError>(Proposal { id, name, made, sets, against })
        })
        .transpose()?;
    Ok(Head {
        task,
        corrections,
        runs: running.map(|m| m.name.clone()),
        since: running.map(|m| when(m.changed_at, now)),
        proposal,
    })
}

fn set(o: &Outcome) -> Set {
    let cell = |share: &Share| {
        let [value, low, high] = [share.value, share.low, share.high].map(|x| x * 100.0);
        format!("{value:.1} % ({low:.0}–{high:.0})")
    };
    Set {
        name: o.set.to_owned(),
        rows: count(o.rows),
        now: cell(&o.now),
        proposed: cell(&o.proposed),
        gained: count(o.gained),
        lost: count(o.lost),
    }
}

/// Examples, each with the review about it.
async fn examples(
    c: &mut AnyConnection,
    t: &TenantId,
    all: Vec<topics::Example>,
) -> store::Result<Vec<TopicExample>> {
    let mut shown = Vec::with_capacity(all.len());
    for e in all {
        let reviews = match message::get(c, t, &e.message).await?.thread {
            Some(thread) => review::of_thread(c, t, &thread).await?,
            None => Vec::new(),
        };
        let about = reviews.iter().find(|r| r.message == e.message).or(reviews.first());
        shown.push(TopicExample { review: about.map(|r| r.id.to_string()), text: e.text });
    }
    Ok(shown)
}

/// The page's forms.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Fields {
    csrf: String,
    model: String,
    task: String,
    reason: Option<String>,
}

/// `POST /learning/promote` and `/learning/rollback`.
pub async fn act(
    State(app): AppState,
    person: Person,
    headers: HeaderMap,
    Path(action): Path<String>,
    Form(f): Form<Fields>,
) -> Result<Response, Failure> {
    auth::same_site(&app, &headers, &person.session.csrf, &f.csrf)?;
    let who = person.reviewer();
    let done = match action.as_str() {
        "promote" => {
            let wanted: ModelId = id("model", &f.model)?;
            models::promoted(&app, &who, &wanted, f.reason.as_deref()).await?;
            "promoted"
        }
        "rollback" => {
            models::rolled_back(&app, &who, &f.task, false).await?;
            "rolled_back"
        }
        _ => return Err(Problem::not_found("action").into()),
    };
    Ok(Redirect::to(&format!("/learning?done={done}")).into_response())
}
