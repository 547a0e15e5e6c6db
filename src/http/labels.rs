//! `POST /v1/messages/{id}/labels`: what a person says that the heads should have said. The labels are
//! kept as examples to train on; the analysis stays as it was made.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, read_json};
use crate::domain::audit::Actor;
use crate::domain::ids::MessageId;
use crate::domain::message::Direction;
use crate::domain::triage::{Analysis, IntentLabel, SentimentLabel, SpamLabel, UrgencyLevel};
use crate::review::actions::Reviewer;
use crate::store::example::{self, Example, Text};
use crate::store::{audit, message, tenant as tenants};

/// The body: one label or more.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MessageLabels {
    /// An intent of the taxonomy.
    pub(super) intent: Option<String>,
    /// `very_negative`, `negative`, `neutral`, `positive` or `very_positive`.
    pub(super) sentiment: Option<String>,
    /// `low`, `normal`, `high` or `critical`.
    pub(super) urgency: Option<String>,
    /// `ham`, `spam`, `phishing` or `abuse`.
    pub(super) spam: Option<String>,
    /// Whether it tries to instruct the model.
    pub(super) injection: Option<bool>,
}

/// A label of a task, and what the head had said.
struct Label {
    task: &'static str,
    label: String,
    found: Option<String>,
    abstained: bool,
}

fn unknown(field: &str, expected: &str) -> Problem {
    // What was given isn't repeated: it may be anything.
    let why = format!("{field}: expected {expected}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_label", why)
}

/// A label of a closed set.
fn closed<T: std::str::FromStr + ToString>(
    field: &str,
    text: &str,
    all: &[T],
) -> Result<T, Problem> {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    text.parse().map_err(|_| unknown(field, &names.join(", ")))
}

impl MessageLabels {
    fn read(
        &self,
        known: impl Fn(&IntentLabel) -> bool,
        a: Option<&Analysis>,
    ) -> Result<Vec<Label>, Problem> {
        let mut all = Vec::new();
        let mut add = |task, label: String, found: Option<String>, abstained| {
            all.push(Label { task, label, found, abstained });
        };
        if let Some(text) = &self.intent {
            let label: Option<IntentLabel> = text.parse().ok().filter(|l| known(l));
            let label = label.ok_or_else(|| unknown("intent", "an intent of the taxonomy"))?;
            let found = a.map(|a| a.intent.label.to_string());
            add("intent", label.to_string(), found, a.is_some_and(|a| a.intent.abstained));
        }
        if let Some(text) = &self.sentiment {
            let label = closed("sentiment", text, SentimentLabel::ALL)?;
            add("sentiment", label.to_string(), a.map(|a| a.sentiment.label.to_string()), false);
        }
        if let Some(text) = &self.urgency {
            let label = closed("urgency", text, UrgencyLevel::ALL)?;
            add("urgency", label.to_string(), a.map(|a| a.urgency.level.to_string()), false);
        }
        if let Some(text) = &self.spam {
            let label = closed("spam", text, SpamLabel::ALL)?;
            add("spam", label.to_string(), a.map(|a| a.spam.label.to_string()), false);
        }
        if let Some(attack) = self.injection {
            let word = |yes| if yes { "injection" } else { "benign" }.to_owned();
            add("injection", word(attack), a.map(|a| word(a.injection.flagged)), false);
        }
        if all.is_empty() {
            return Err(unknown("labels", "intent, sentiment, urgency, spam or injection"));
        }
        Ok(all)
    }
}

/// Corrects what was read
///
/// Stores what a person says that the message is about; training reads it.
#[utoipa::path(
    post,
    path = "/messages/{id}/labels",
    operation_id = "label_message",
    tag = "Messages",
    request_body = MessageLabels,
    params(("id" = String, Path, description = "The message.")),
    responses(
        (status = 200, description = "`{message, labels}` with `{task, label, found, abstained}` for each.", body = Object),
        (status = 403, description = "person_needed: the key belongs to no person, or to one who is switched off"),
        (status = 404, description = "not_found: there is no such message"),
        (status = 409, description = "message_unread: it has not been read yet, or is not a customer's"),
        (status = 410, description = "erased: the data of this person has been erased"),
        (status = 422, description = "unknown_label: a task or a label that there isn't"),
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = caller.reviewer(&app).await?;
    let wanted: MessageId = id("message", &path)?;
    let asked: MessageLabels = read_json(&body)?;
    let said = keep(&app, &who, &wanted, &asked).await?;
    Ok(Json(json!({"message": wanted, "labels": said})))
}

/// Stores what a person says of a message, and gives what was stored.
///
/// # Errors
/// As [`create`].
pub(super) async fn keep(
    app: &App,
    who: &Reviewer,
    wanted: &MessageId,
    asked: &MessageLabels,
) -> Result<Vec<Value>, Problem> {
    let t = &who.tenant;
    let mut tx = app.store.db.begin().await?;
    tenants::lock(&mut tx, t).await?;
    let row = message::get(&mut tx, t, wanted).await?;
    let Some(text) =
        row.visible.clone().filter(|_| row.direction == Direction::In && row.is_read())
    else {
        let why = "only a customer's message that was read can be labelled";
        return Err(Problem::new(StatusCode::CONFLICT, "message_unread", why));
    };
    let analysis = message::analysis(&mut tx, t, wanted).await?;
    let known = |l: &IntentLabel| app.pipeline.heads.base().taxonomy().get(l).is_some();
    let labels = asked.read(known, analysis.as_ref())?;
    let text = Text { subject: row.subject_masked.clone().unwrap_or_default(), text };
    let mut said = Vec::with_capacity(labels.len());
    for l in labels {
        let told = json!({"task": l.task, "label": l.label, "found": l.found,
            "abstained": l.abstained});
        let e = Example {
            message: wanted.clone(),
            task: l.task.to_owned(),
            label: l.label,
            found: l.found,
            abstained: l.abstained,
            writer: row.subject.clone(),
            text: text.clone(),
            user: who.user.clone(),
            at: app.store.host.now(),
        };
        example::put(&app.store, &mut tx, t, &e).await?;
        let (by, object) = (Actor::User(who.user.clone()), format!("message:{wanted}"));
        audit::append(&app.store, &mut tx, t, &by, "message.labelled", object, told.clone())
            .await?;
        said.push(told);
    }
    tx.commit().await?;
    Ok(said)
}
