//! `/v1/messages`: in by API, and what became of a message. Answers hold ids and masked text.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, read_json};
use crate::domain::audit::Actor;
use crate::domain::ids::{ChannelId, MessageId, Slug, TenantId, ThreadId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::domain::message::{Direction, NewMessage, Raw};
use crate::domain::triage::Analysis;
use crate::intake::{Accepted, Request};
use crate::pipeline::{threads, understand};
use crate::receive;
use crate::store::channel::{self, Channel};
use crate::store::hook::{self, Delivery};
use crate::store::message::{self, Message, Receipt};
use crate::store::{self, Store, Tx, tenant as tenants};

/// What came of a message.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    pub(super) id: MessageId,
    /// `received` for a new one, `duplicate` for one that was there, `edited`; for webhooks also the
    /// delivery's type, or `outdated` when a later change had been applied already.
    pub(super) result: String,
}

/// An attachment, described.
#[derive(Serialize, ToSchema)]
pub(super) struct AttachmentView {
    /// Its media type.
    #[serde(rename = "type")]
    content_type: String,
    /// In bytes.
    size: u64,
    /// The same for the same content; keyed, so it is no plain hash.
    hash: String,
    /// Whether the policy allows it.
    allowed: bool,
    /// Why not.
    #[schema(required)]
    reason: Option<String>,
}

/// A message; its texts are masked.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageView {
    id: MessageId,
    channel: ChannelId,
    /// Its conversation, once it has one.
    #[schema(required)]
    thread: Option<ThreadId>,
    /// The message that it answers.
    #[schema(required)]
    parent: Option<MessageId>,
    direction: Direction,
    /// `received`, `understood`, `filed` (not answered) or `deleted`.
    #[schema(pattern = "^(received|understood|filed|deleted|unsent)$")]
    state: String,
    /// Counts edits, from 1.
    #[schema(minimum = 1)]
    revision: i64,
    #[schema(format = DateTime)]
    received_at: String,
    /// When it says it was sent.
    #[schema(required, format = DateTime)]
    sent_at: Option<String>,
    #[schema(required)]
    sender: Option<String>,
    #[schema(required)]
    subject: Option<String>,
    /// What the customer wrote, without quoted history and signature.
    #[schema(required)]
    text: Option<String>,
    /// What it quotes.
    #[schema(required)]
    quoted: Option<String>,
    #[schema(required)]
    signature: Option<String>,
    /// The kind of automatic message it is.
    #[schema(required)]
    auto: Option<String>,
    /// What was odd about it, in words.
    oddities: Vec<String>,
    attachments: Vec<AttachmentView>,
    /// Once it has been read.
    #[schema(required)]
    analysis: Option<Analysis>,
}

/// Why a body of [`NewMessage`] is refused.
const REFUSED: &str = "\
unknown_channel: there is no channel of this name
external_id_missing: `external_id` is needed
from_missing: `from.address` is needed
empty: there is no text, html or subject
bad_time: `sent_at` is no time
bad_base64: `eml_b64` is not base64
id_too_long: an id or address is longer than 998 bytes
too_many_recipients: `to` and `cc` together have more than 200
bad_message_id: the mail's Message-ID is empty or too long
mail_too_large: the mail is larger than `ingest` allows
mail_headers_too_large: its headers are larger than `ingest` allows
mail_too_many_parts: it has too many parts
mail_too_deep: its parts are nested too deeply
mail_too_complex: it would take too long to read
mail_without_header: it is no mail";

/// Takes a message in
///
/// The answer comes after the commit. Needed are `channel`, `external_id`, `from.address` and one of
/// `text`, `html`, `subject`; or `channel` and `eml_b64`, a whole mail.
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "create_message",
    tag = "Messages",
    security(("key" = ["ingest"])),
    request_body(content = NewMessage, example = json!({
        "channel": "chat", "external_id": "m-1", "thread": "t-1",
        "from": {"address": "robin@example.com", "name": "Robin"},
        "text": "How long do I have to return an item?"})),
    responses(
        (status = 202, description = "Stored; `result` is `received`.", body = Taken,
            example = json!({"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e10", "result": "received"})),
        (status = 200, description = "The same message was there before; `result` is `duplicate`.", body = Taken,
            example = json!({"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e10", "result": "duplicate"})),
        (status = 409, description = "message_conflict: this `external_id` was delivered before with another body; `id` is that message's\nchannel_disabled: the channel is switched off"),
        (status = 422, description = REFUSED),
        (status = 429, description = "busy: too many messages wait to be stored"),
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("ingest")?;
    let m: NewMessage = read_json(&body)?;
    let channel = named(&app, caller.tenant(), m.channel.as_deref()).await?;
    take(&app, caller.tenant(), &channel, m, caller.actor(), None).await
}

/// Refuses what comes in on a channel that is switched off. Deletions aren't refused: losing one would
/// keep what a customer took back.
///
/// # Errors
/// 409.
pub fn switched_on(channel: &Channel) -> Result<(), Problem> {
    if !channel.disabled {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "channel_disabled",
        "this channel is switched off: nothing was taken",
    ))
}

/// The channel of a slug.
///
/// # Errors
/// 422 when there is none of that name, 409 when it is switched off.
pub async fn named(app: &App, tenant: &TenantId, slug: Option<&str>) -> Result<Channel, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_channel",
            "there is no channel of this name",
        )
    };
    let slug: Slug = slug.and_then(|s| s.parse().ok()).ok_or_else(unknown)?;
    let mut c = app.store.db.read().await?;
    let channel = channel::by_slug(&app.store, &mut c, tenant, &slug).await?.ok_or_else(unknown)?;
    switched_on(&channel)?;
    Ok(channel)
}

/// Hands a message to the intake and says what came of it: 202 new, 200 known, 409 taken.
///
/// # Errors
/// Refusals and store errors.
pub async fn take(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    m: NewMessage,
    actor: Actor,
    webhook: Option<Delivery>,
) -> Result<Response, Problem> {
    // Only a whole mail takes long enough to be read beside the other tasks of this thread.
    let long = m.eml_b64.is_some();
    let read = || receive::json(m, &app.config.ingest);
    let incoming = if long { crate::pipeline::blocking(read)? } else { read()? };
    let prepared = receive::prepare(&app.store, tenant, channel, incoming)?;
    let request = Request { tenant: tenant.clone(), message: prepared, actor, webhook };
    match app.intake.accept(request).await? {
        Accepted::WebhookDiffers => Err(Problem::new(
            StatusCode::CONFLICT,
            "webhook_conflict",
            "this webhook-id was delivered before with another body",
        )),
        Accepted::Message(Receipt::New(id)) => Ok(answer(StatusCode::ACCEPTED, &id, "received")),
        Accepted::Message(Receipt::Duplicate(id)) => Ok(answer(StatusCode::OK, &id, "duplicate")),
        Accepted::Message(Receipt::Conflict(id)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "message_conflict",
            "this external id was delivered before with another body; edits go to PATCH",
        )
        .with("id", id.as_str())),
    }
}

fn answer(status: StatusCode, id: &MessageId, result: &str) -> Response {
    (status, Json(Taken { id: id.clone(), result: result.to_owned() })).into_response()
}

/// Shows a message
///
/// Its masked text, attachments and analysis.
#[utoipa::path(
    get,
    path = "/messages/{id}",
    operation_id = "get_message",
    tag = "Messages",
    params(("id" = MessageId, Path, description = "The message.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The message.", body = MessageView)),
)]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<MessageView>, Problem> {
    caller.need("read")?;
    let mut c = app.store.db.read().await?;
    let m = message::get(&mut c, caller.tenant(), &id("message", &path)?).await?;
    let numbering = match &m.thread {
        Some(t) => threads::numbering(&mut c, caller.tenant(), t).await?,
        None => Numbering::new(),
    };
    Ok(Json(view(&app.store, &mut c, caller.tenant(), m, &numbering).await?))
}

/// Reports an edit
///
/// The customer edited the message: `text`, `html` and `subject` are taken, the rest stays as it was.
#[utoipa::path(
    patch,
    path = "/messages/{id}",
    operation_id = "edit_message",
    tag = "Messages",
    params(("id" = MessageId, Path, description = "The message.")),
    security(("key" = ["ingest"])),
    request_body(content = NewMessage, example = json!({"text": "How long do I have to return shoes?"})),
    responses(
        (status = 202, description = "Taken; `result` is `edited`.", body = Taken,
            example = json!({"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e10", "result": "edited"})),
        (status = 409, description = "channel_disabled: the channel is switched off"),
        (status = 410, description = "erased: the data of this person has been erased"),
        (status = 422, description = "not_editable: it is a mail, and a mail can't be edited after it was sent\nempty: nothing would be left of it"),
    ),
)]
pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("ingest")?;
    let id: MessageId = id("message", &path)?;
    let m: NewMessage = read_json(&body)?;
    let (tenant, now) = (caller.tenant(), app.store.host.now());
    let mut tx = app.store.db.begin().await?;
    tenants::lock(&mut tx, tenant).await?;
    let row = message::get(&mut tx, tenant, &id).await?;
    switched_on(&channel::get(&app.store, &mut tx, tenant, &row.channel).await?)?;
    // A webhook's older edit that arrives after this one is outdated.
    hook::is_newest(&mut tx, tenant, &id, now).await?;
    edit_in(&app, &mut tx, tenant, &id, m, &caller.actor()).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(answer(StatusCode::ACCEPTED, &id, "edited"))
}

/// Replaces a message's text in the caller's transaction, which holds the tenant's lock; sender,
/// references and ids stay as they were received.
///
/// # Errors
/// 404, 422.
pub async fn edit_in(
    app: &App,
    tx: &mut Tx,
    tenant: &TenantId,
    id: &MessageId,
    change: NewMessage,
    actor: &Actor,
) -> Result<(), Problem> {
    let old = message::raw(&app.store, tx, tenant, id).await?;
    let raw = match old.raw {
        Raw::Json(mut m) => {
            m.text = change.text;
            m.html = change.html;
            m.subject = change.subject.or(m.subject);
            Raw::Json(Box::new(receive_edited(*m, app)?))
        }
        Raw::Mime { .. } => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not_editable",
                "a mail can't be edited after it was sent",
            ));
        }
    };
    Ok(understand::edit_in(&app.store, tx, tenant, id, &raw, actor).await?)
}

fn receive_edited(m: NewMessage, app: &App) -> Result<NewMessage, Problem> {
    receive::json(m.clone(), &app.config.ingest)?;
    Ok(m)
}

/// Reports a deletion
///
/// The customer deleted the message. It is shown as `deleted` from then on, without its text.
#[utoipa::path(
    delete,
    path = "/messages/{id}",
    operation_id = "delete_message",
    tag = "Messages",
    params(("id" = MessageId, Path, description = "The message.")),
    security(("key" = ["ingest"])),
    responses((status = 204, description = "Taken.")),
)]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("ingest")?;
    let id: MessageId = id("message", &path)?;
    understand::delete(&app.store, caller.tenant(), &id, &caller.actor()).await?;
    app.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// A message as the API shows it: masked text, rendered.
///
/// # Errors
/// Store errors.
pub(super) async fn view(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    m: Message,
    numbering: &Numbering,
) -> store::Result<MessageView> {
    let files = message::attachments(store, c, tenant, &m).await?;
    let analysis = message::analysis(c, tenant, &m.id).await?;
    let text = |stored: Option<String>| {
        stored.map(|s| MaskedText::from_store(s).render(numbering).into_string())
    };
    Ok(MessageView {
        id: m.id,
        channel: m.channel,
        thread: m.thread,
        parent: m.parent,
        direction: m.direction,
        state: m.state,
        revision: m.revision,
        received_at: m.received_at.rfc3339(),
        sent_at: m.sent_at.map(|t| t.rfc3339()),
        sender: text(m.sender),
        subject: text(m.subject_masked),
        text: text(m.visible),
        quoted: text(m.quoted),
        signature: text(m.signature),
        auto: m.auto,
        oddities: m.oddities,
        attachments: files
            .into_iter()
            .map(|f| AttachmentView {
                content_type: f.content_type,
                size: f.size,
                hash: f.hash,
                allowed: f.allowed,
                reason: f.reason,
            })
            .collect(),
        analysis,
    })
}
