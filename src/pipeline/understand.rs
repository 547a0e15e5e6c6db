//! Steps 2–7: from the stored original to masked, chunked, embedded, classified text in a thread.
//!
//! The thread is resolved twice: before the work, because placeholders belong to a thread, and
//! again in the commit under the tenant's lock. When the answers differ (its parent arrived in
//! between), the work is thrown away and done again. An edit while the message is being read brings
//! a job of its own, so the job that read the text before the edit ends without a result.

mod given_up;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sqlx::AnyConnection;

pub use self::given_up::give_up;
use super::answer::Blank;
use super::masking::{Extent, Mint};
use super::normalise::{self, AttachmentPolicy, AutoKind, MimeLimits, Parsed};
use super::threads::{self, Clues, Place};
use super::{Pipeline, StepError, blocking};
use crate::domain::audit::Actor;
use crate::domain::ids::{ContactId, MessageId, Micros, TenantId, ThreadId};
use crate::domain::masking::{Masked, MaskedText};
use crate::domain::message::{
    Direction, Incoming, NewMessage, Party, Raw, SAME_ID_MARK, is_nobody,
};
use crate::domain::review::State;
use crate::domain::triage::{Analysis, SpamLabel};
use crate::failpoint;
use crate::nlp::heads::Input;
use crate::nlp::{chunk, clean};
use crate::review::supersede;
use crate::store::channel::{self, Channel};
use crate::store::chunk::{self as chunks, NewChunk};
use crate::store::job::{self, Claim, Kind};
use crate::store::message::{self, Attachment, Message, Understood};
use crate::store::thread::{self, NewThread};
use crate::store::{self, Store, Tx, audit, contact, tenant, vault};

/// Messages longer than this many chunks are indexed in part; the text itself is kept whole.
const MAX_CHUNKS: usize = 200;
/// Characters of a message that classification reads.
const READ_CHARS: usize = 8_000;

/// Said of a message of which only the first `ingest.max_text_kib` are masked; the rest stays in the
/// sealed original.
pub(super) const CUT: &str =
    "It is longer than what is read and shown here; its end is kept in the original only.";

/// A message's parts before masking, whatever form it came in.
struct Letter {
    parsed: Parsed,
    from: Party,
    others: Vec<Party>,
    refs: Vec<String>,
    external_thread: Option<String>,
    at: Micros,
    reply_to_differs: bool,
}

/// The parts after masking, with what the vault must learn.
struct MaskedParts {
    subject: Masked,
    visible: Masked,
    quoted: Masked,
    signature: Masked,
    sender: MaskedText,
    entries: Vec<vault::Entry>,
    /// Whether one of the texts was too long to be masked whole.
    extent: Extent,
}

/// What the encoder and the heads make of the visible text.
struct Read {
    chunks: Vec<NewChunk>,
    analysis: Option<Analysis>,
}

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let id: MessageId = store::parse("job.ref_id", &job.ref_id)?;
    failpoint::at("understand.read", id.as_str());
    let (row, channel, incoming) = match load(p, &job.tenant, &id).await {
        Ok(loaded) => loaded,
        // Deleted or erased since: there is nothing to understand.
        Err(store::Error::NotFound("message") | store::Error::Erased) => {
            return done_without_result(p, job).await;
        }
        Err(e) => return Err(e.into()),
    };
    // Two jobs of one message, after an edit while the first one ran: the text was understood by one
    // of them, and doing it again would void what a person has signed since.
    if row.is_read() {
        return done_without_result(p, job).await;
    }
    let stage = std::time::Instant::now();
    let letter = blocking(|| letter(p, &row, &incoming));
    let normalise_us = micros(stage);

    let sender = contact::id_of(&p.store, &job.tenant, channel.kind, &letter.from.address);
    let clues = clues(p, &channel, &incoming, &letter, &sender);
    let (place, thread_id, known) = {
        let mut c = p.store.db.read().await?;
        let place = settle_place(p, &mut c, &job.tenant, &row, &clues).await?;
        let thread_id =
            place.thread.clone().unwrap_or_else(|| ThreadId::from_uuid(p.store.host.uuid()));
        let known = match &place.thread {
            Some(t) => super::masking::known_names(&p.store, &mut c, &job.tenant, t).await?,
            None => Vec::new(),
        };
        (place, thread_id, known)
    };

    let stage = std::time::Instant::now();
    let parts = blocking(|| mask(p, &job.tenant, &thread_id, &letter, &known));
    let mask_us = micros(stage);
    let stage = std::time::Instant::now();
    let read = blocking(|| read(p, &parts, incoming.direction));
    let read_us = micros(stage);
    tracing::info!(message = %id, normalise_us, mask_us, read_us, chunks = read.chunks.len(), "understood");

    let commit = Commit {
        p,
        job,
        row: &row,
        channel: &channel,
        letter: &letter,
        parts: &parts,
        read: &read,
    };
    commit.run(&clues, place, thread_id).await
}

fn micros(since: std::time::Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn load(
    p: &Pipeline,
    tenant: &TenantId,
    id: &MessageId,
) -> store::Result<(Message, Channel, Incoming)> {
    let mut c = p.store.db.read().await?;
    let row = message::get(&mut c, tenant, id).await?;
    if row.state == "deleted" {
        return Err(store::Error::NotFound("message"));
    }
    let channel = channel::get(&p.store, &mut c, tenant, &row.channel).await?;
    let incoming = message::raw(&p.store, &mut c, tenant, id).await?;
    Ok((row, channel, incoming))
}

async fn done_without_result(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let mut tx = p.store.db.begin().await?;
    let now = p.store.db.now(&mut tx).await?;
    job::complete(&mut tx, job, now).await?;
    tx.commit().await?;
    Ok(())
}

/// An edited message keeps its thread; anything else is resolved.
async fn settle_place(
    p: &Pipeline,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
    clues: &Clues<'_>,
) -> store::Result<Place> {
    match &row.thread {
        Some(t) => Ok(Place { thread: Some(t.clone()), parent: row.parent.clone(), related: None }),
        None => threads::resolve(&p.store, c, tenant, clues).await,
    }
}

fn clues<'a>(
    p: &Pipeline,
    channel: &'a Channel,
    incoming: &'a Incoming,
    letter: &'a Letter,
    sender: &'a ContactId,
) -> Clues<'a> {
    Clues {
        channel,
        sender,
        direction: incoming.direction,
        own: incoming.external_id.split(SAME_ID_MARK).next().unwrap_or_default(),
        refs: &letter.refs,
        external: letter.external_thread.as_deref(),
        subject: &letter.parsed.subject,
        at: letter.at,
        window: Duration::from_secs(p.config.ingest.subject_window_days * 86_400),
    }
}

fn letter(p: &Pipeline, row: &Message, incoming: &Incoming) -> Letter {
    let mut letter = match &incoming.raw {
        Raw::Mime { bytes, thread } => {
            let limits = mime_limits(&p.config.ingest);
            // It was readable at the door; only a limit that was lowered since can refuse it now.
            let parsed = normalise::parse_mime(bytes, &limits)
                .unwrap_or_else(|e| Parsed { oddities: vec![e.to_string()], ..Parsed::default() });
            from_mail(parsed, thread.clone(), row)
        }
        Raw::Json(m) => from_json(m, row),
    };
    if incoming.external_id.contains(SAME_ID_MARK) {
        letter.parsed.oddities.push("another message has the same Message-ID".to_owned());
    }
    letter
}

/// The limits of mail, from the configuration.
pub fn mime_limits(c: &crate::config::Ingest) -> MimeLimits {
    let d = MimeLimits::default();
    MimeLimits {
        max_parts: c.mime_max_parts,
        max_multiparts: c.mime_max_depth,
        max_nested_mails: c.mime_max_depth.min(d.max_nested_mails),
        attachments: AttachmentPolicy {
            allowed_types: c.attachment_types.clone(),
            max_bytes: c.attachment_max_bytes,
        },
        ..d
    }
}

/// The kind of automatic mail, as stored and on every interface.
pub fn auto_word(kind: AutoKind) -> &'static str {
    match kind {
        AutoKind::None => "none",
        AutoKind::AutoReply => "auto_reply",
        AutoKind::Bounce => "bounce",
        AutoKind::List => "list",
    }
}

fn party(a: &normalise::Address) -> Party {
    Party { address: a.address.clone(), name: a.name.clone() }
}

fn from_mail(parsed: Parsed, thread: Option<String>, row: &Message) -> Letter {
    let from = parsed.from.as_ref().map_or_else(|| Party::nobody(&row.id), party);
    let domain = |a: &str| a.rsplit_once('@').map(|(_, d)| d.to_lowercase());
    let reply_to_differs =
        parsed.reply_to.iter().any(|r| domain(&r.address) != domain(&from.address));
    let mut refs = parsed.references.clone();
    for r in &parsed.in_reply_to {
        if !refs.contains(r) {
            refs.push(r.clone());
        }
    }
    // A chain longer than this is kept from its newest end.
    let skip = refs.len().saturating_sub(100);
    refs.drain(..skip);
    Letter {
        from,
        others: parsed.to.iter().chain(&parsed.cc).take(200).map(party).collect(),
        refs,
        external_thread: thread,
        at: parsed.date_micros.map(Micros).or(row.sent_at).unwrap_or(row.received_at),
        reply_to_differs,
        parsed,
    }
}

fn from_json(m: &NewMessage, row: &Message) -> Letter {
    let (body, format) = match (&m.text, &m.html) {
        (Some(text), _) => (text.as_str(), normalise::Format::Text),
        (None, Some(html)) => (html.as_str(), normalise::Format::Html),
        (None, None) => ("", normalise::Format::Text),
    };
    let mut parsed = normalise::parse_text(body, format);
    parsed.subject = m.subject.as_deref().map(|s| clean::clean(s).text).unwrap_or_default();
    Letter {
        from: m.from.clone().unwrap_or_else(|| Party::nobody(&row.id)),
        others: m.to.iter().chain(&m.cc).take(200).cloned().collect(),
        refs: m.references.iter().take(100).cloned().collect(),
        external_thread: m.thread.clone(),
        at: row.sent_at.unwrap_or(row.received_at),
        reply_to_differs: false,
        parsed,
    }
}

fn mask(
    p: &Pipeline,
    tenant: &TenantId,
    thread: &ThreadId,
    letter: &Letter,
    known: &[String],
) -> MaskedParts {
    let mut mint = Mint::new(&p.store, tenant, thread);
    let masking = p.masking.of(tenant);
    let sender = match is_nobody(&letter.from.address) {
        true => MaskedText::default(),
        false => masking.mask_party(&mut mint, &letter.from),
    };
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    names.extend(letter.from.name.as_deref().filter(|n| n.trim().len() > 2));
    names.extend(
        letter.others.iter().filter_map(|o| o.name.as_deref()).filter(|n| n.trim().len() > 2),
    );
    let most = p.config.ingest.max_text_kib * 1024;
    let mut extent = Extent::Whole;
    let mut one = |text: &str| {
        let (masked, how) = masking.mask(&mut mint, text, &names, most);
        if how == Extent::Cut {
            extent = how;
        }
        masked
    };
    let parsed = &letter.parsed;
    let subject = one(&parsed.subject);
    let visible = one(&parsed.visible);
    let quoted = one(&parsed.quoted);
    let signature = one(&parsed.signature);
    MaskedParts { subject, visible, quoted, signature, sender, entries: mint.entries, extent }
}

fn read(p: &Pipeline, parts: &MaskedParts, direction: Direction) -> Read {
    let stored = &parts.visible.text;
    let pieces = chunk::chunk(stored.as_stored(), &chunk::ChunkOptions::default());
    let texts: Vec<(usize, usize, String)> = pieces
        .iter()
        .take(MAX_CHUNKS)
        .filter_map(|k| stored.slice(k.start..k.end).map(|s| (k.start, k.end, s.as_words())))
        .collect();
    let words: Vec<&str> = texts.iter().map(|(.., w)| w.as_str()).collect();
    let encoded = p.encoder.embed(&words);
    let analysis = (direction == Direction::In).then(|| {
        let subject = parts.subject.text.as_words();
        let text: String = stored.as_words().chars().take(READ_CHARS).collect();
        let input = Input {
            subject: (!subject.trim().is_empty()).then_some(subject.as_str()),
            text: &text,
            history: &[],
        };
        p.triage.read(&input, &*p.encoder)
    });
    let analysis = analysis.flatten();
    let chunks = texts
        .into_iter()
        .zip(encoded)
        .map(|((start, end, _), e)| NewChunk {
            start,
            end,
            body: stored.as_stored()[start..end].to_owned(),
            embedding: e.embedding,
        })
        .collect();
    Read { chunks, analysis }
}

/// A span as it is sealed beside its message.
#[derive(Serialize)]
struct SpanRow<'a> {
    field: &'static str,
    entity: &'a str,
    vault: String,
    source: [usize; 2],
    stored: [usize; 2],
    surface: &'a str,
}

fn span_rows(parts: &MaskedParts) -> Result<Vec<u8>, serde_json::Error> {
    let fields = [
        ("subject", &parts.subject),
        ("visible", &parts.visible),
        ("quoted", &parts.quoted),
        ("signature", &parts.signature),
    ];
    let rows: Vec<SpanRow<'_>> = fields
        .into_iter()
        .flat_map(|(field, m)| {
            m.spans.iter().map(move |s| SpanRow {
                field,
                entity: s.entity.as_str(),
                vault: s.vault_id.to_string(),
                source: [s.source.start, s.source.end],
                stored: [s.stored.start, s.stored.end],
                surface: s.surface.expose(),
            })
        })
        .collect();
    serde_json::to_vec(&rows)
}

struct Commit<'a> {
    p: &'a Pipeline,
    job: &'a Claim,
    row: &'a Message,
    channel: &'a Channel,
    letter: &'a Letter,
    parts: &'a MaskedParts,
    read: &'a Read,
}

impl Commit<'_> {
    async fn run(&self, clues: &Clues<'_>, place: Place, id: ThreadId) -> Result<(), StepError> {
        let (p, t) = (self.p, &self.job.tenant);
        let mut tx = p.store.db.begin().await?;
        tenant::lock(&mut tx, t).await?;
        let now = p.store.db.now(&mut tx).await?;
        let current = message::get(&mut tx, t, &self.row.id).await?;
        if current.revision != self.row.revision || current.state != self.row.state {
            // Edited, deleted or understood by another job meanwhile: what was read is stale, and
            // an edit has its own job.
            job::complete(&mut tx, self.job, now).await?;
            return Ok(tx.commit().await?);
        }
        if settle_place(p, &mut tx, t, self.row, clues).await? != place {
            return Err(StepError::Later(Duration::ZERO));
        }
        let seq = self.write_thread(&mut tx, &place, &id, clues).await?;
        vault::put(&p.store, &mut tx, t, &id, clues.sender, &self.parts.entries).await?;
        self.write_message(&mut tx, &place, &id, seq).await?;
        self.write_reading(&mut tx).await?;
        self.next(&mut tx, &id, now).await?;
        let detail = json!({"thread": id, "state": self.state(), "auto": auto_word(self.letter.parsed.auto),
            "masked": self.parts.entries.len(),
            "versions": self.read.analysis.as_ref().map(|a| &a.versions)});
        let object = format!("message:{}", self.row.id);
        audit::append(&p.store, &mut tx, t, &Actor::System, "message.understood", object, detail)
            .await?;
        job::complete(&mut tx, self.job, now).await?;
        failpoint::point("understand.before");
        tx.commit().await?;
        failpoint::point("understand.after");
        Ok(())
    }

    fn spam(&self) -> bool {
        self.read.analysis.as_ref().is_some_and(|a| a.spam.label != SpamLabel::Ham)
    }

    fn state(&self) -> &'static str {
        let auto = self.letter.parsed.auto != normalise::AutoKind::None;
        if auto || self.spam() { "filed" } else { "understood" }
    }

    async fn write_thread(
        &self,
        c: &mut AnyConnection,
        place: &Place,
        id: &ThreadId,
        clues: &Clues<'_>,
    ) -> store::Result<i64> {
        let (store, t) = (&self.p.store, &self.job.tenant);
        let kind = self.channel.kind;
        let mut people =
            contact::ensure(store, c, t, kind, std::slice::from_ref(&self.letter.from)).await?;
        people.extend(contact::ensure(store, c, t, kind, &self.letter.others).await?);
        if is_nobody(&self.letter.from.address) {
            // Whoever looks for the sender by the key that seals the message finds nobody, too.
            let none = Party { address: String::new(), name: None };
            contact::ensure(store, c, t, kind, &[none]).await?;
        }
        if place.thread.is_none() {
            let subject = threads::normalise_subject(clues.subject);
            // The customer is who wrote; of a message that we sent, who got it.
            let customer = match self.row.direction {
                Direction::In => people.first(),
                Direction::Out => people.get(1).or(people.first()),
            };
            thread::create(
                store,
                c,
                t,
                &NewThread {
                    id,
                    channel: &self.channel.id,
                    contact: customer,
                    external: clues.external,
                    subject: Some(&subject),
                    subject_masked: self.parts.subject.text.as_stored(),
                    related: place.related.as_ref(),
                    at: clues.at,
                },
            )
            .await?;
        }
        let own = (clues.own, &self.row.id);
        thread::add_refs(store, c, t, &self.channel.id, id, own, clues.refs).await?;
        thread::add_participants(c, t, id, &people).await?;
        match self.row.thread_seq {
            // An edit: the message keeps its number, but whatever answered it is void.
            Some(seq) => {
                thread::touch(c, t, id).await?;
                Ok(seq)
            }
            None => {
                let filed = self.state() == "filed";
                thread::advance(c, t, id, &self.row.id, clues.at, filed).await
            }
        }
    }

    async fn write_message(
        &self,
        c: &mut AnyConnection,
        place: &Place,
        id: &ThreadId,
        seq: i64,
    ) -> store::Result<()> {
        let (store, t) = (&self.p.store, &self.job.tenant);
        let parsed = &self.letter.parsed;
        let spans = span_rows(self.parts)?;
        let mut oddities = parsed.oddities.clone();
        if self.parts.extent == Extent::Cut {
            oddities.push(CUT.to_owned());
        }
        let u = Understood {
            state: self.state(),
            thread: id,
            parent: place.parent.as_ref(),
            seq,
            sent_at: Some(self.letter.at),
            subject: self.parts.subject.text.as_stored(),
            visible: self.parts.visible.text.as_stored(),
            quoted: self.parts.quoted.text.as_stored(),
            signature: self.parts.signature.text.as_stored(),
            sender: self.parts.sender.as_stored(),
            spans: &spans,
            auto: auto_word(parsed.auto),
            oddities: &oddities,
            reply_to_differs: self.letter.reply_to_differs,
        };
        store.keys.ensure(c, t, &[self.row.subject.as_str()], store.host.now()).await?;
        message::understood(store, c, t, self.row, &u).await?;
        let files: Vec<Attachment> = parsed
            .attachments
            .iter()
            .map(|a| Attachment {
                name: a.name.clone(),
                content_type: a.content_type.clone(),
                size: a.size,
                sha256: hex::encode(a.sha256),
                allowed: a.allowed,
                reason: a.reason.clone(),
            })
            .collect();
        message::put_attachments(store, c, t, self.row, &files).await
    }

    async fn write_reading(&self, c: &mut AnyConnection) -> store::Result<()> {
        let (store, t) = (&self.p.store, &self.job.tenant);
        if let Some(a) = &self.read.analysis {
            message::put_analysis(store, c, t, &self.row.id, a).await?;
        }
        let encoder = self.p.encoder.id();
        chunks::replace(store, c, t, "message", self.row.id.as_str(), encoder, &self.read.chunks)
            .await
    }

    /// What follows: an answer when the customer waits for one; what was on its way is void.
    async fn next(&self, c: &mut AnyConnection, id: &ThreadId, now: Micros) -> store::Result<()> {
        let (store, t) = (&self.p.store, &self.job.tenant);
        if self.state() == "filed" {
            return self.file(c, id).await;
        }
        let why = match (self.row.direction, self.row.revision) {
            (Direction::Out, _) => "answered elsewhere",
            (Direction::In, 1) if self.row.thread.is_some() => "the message could be read at last",
            (Direction::In, 1) => "a newer message came",
            (Direction::In, _) => "the message was edited",
        };
        supersede::thread(store, c, t, id, why).await?;
        if self.row.direction == Direction::In && is_nobody(&self.letter.from.address) {
            return self.show(c, id, State::NoMatch, Some("no_sender")).await;
        }
        if self.row.direction == Direction::In {
            let due = now.plus(Duration::from_secs(self.p.config.ingest.burst_window_s));
            job::enqueue_once(store, c, t, Kind::Answer, id.as_str(), due).await?;
        }
        Ok(())
    }
}

impl Commit<'_> {
    /// Never answered by itself, but there for a person to look at.
    async fn file(&self, c: &mut AnyConnection, id: &ThreadId) -> store::Result<()> {
        if self.row.direction == Direction::Out || self.row.revision > 1 {
            return Ok(());
        }
        self.show(c, id, State::Filed, None).await
    }

    /// Puts the message before a person without a draft.
    async fn show(
        &self,
        c: &mut AnyConnection,
        id: &ThreadId,
        state: State,
        reason: Option<&'static str>,
    ) -> store::Result<()> {
        let head_seq = thread::get(c, &self.job.tenant, id).await?.head_seq;
        let spam = (state == State::Filed && self.spam()).then_some("spam");
        let blank = Blank {
            thread: id,
            message: &self.row.id,
            head_seq,
            state,
            reason,
            attention: reason.or(spam).map(str::to_owned).into_iter().collect(),
            priority: i64::from(state != State::Filed),
        };
        blank.create(&self.p.store, c, &self.job.tenant).await?;
        Ok(())
    }
}

/// The platform reported that a message was deleted: it is emptied and what answered it is void.
///
/// # Errors
/// [`store::Error::NotFound`].
pub async fn delete(
    store: &Store,
    tenant_id: &TenantId,
    id: &MessageId,
    actor: &Actor,
) -> store::Result<()> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant_id).await?;
    delete_in(store, &mut tx, tenant_id, id, actor).await?;
    Ok(tx.commit().await?)
}

/// [`delete`] in the caller's transaction, which holds the tenant's lock.
///
/// # Errors
/// As [`delete`].
pub async fn delete_in(
    store: &Store,
    tx: &mut Tx,
    tenant_id: &TenantId,
    id: &MessageId,
    actor: &Actor,
) -> store::Result<()> {
    let row = message::get(tx, tenant_id, id).await?;
    message::erase(tx, tenant_id, id).await?;
    chunks::remove(tx, tenant_id, "message", id.as_str()).await?;
    if let Some(t) = &row.thread {
        thread::touch(tx, tenant_id, t).await?;
        supersede::thread(store, tx, tenant_id, t, "the message was deleted").await?;
        // Earlier messages of the thread may still wait for an answer.
        let now = store.db.now(tx).await?;
        job::enqueue_once(store, tx, tenant_id, Kind::Answer, t.as_str(), now).await?;
    }
    let object = format!("message:{id}");
    audit::append(store, tx, tenant_id, actor, "message.deleted", object, json!({})).await
}

/// The platform reported an edit: the message is understood anew, and what answered it is void from
/// this moment, not from when the worker gets to it. The caller's transaction holds the tenant's lock.
///
/// # Errors
/// [`store::Error::NotFound`].
pub async fn edit_in(
    store: &Store,
    tx: &mut Tx,
    tenant_id: &TenantId,
    id: &MessageId,
    raw: &Raw,
    actor: &Actor,
) -> store::Result<()> {
    let row = message::get(tx, tenant_id, id).await?;
    message::replace_raw(store, tx, tenant_id, id, raw).await?;
    if let Some(t) = &row.thread {
        thread::touch(tx, tenant_id, t).await?;
        supersede::thread(store, tx, tenant_id, t, "the message was edited").await?;
    }
    let now = store.db.now(tx).await?;
    job::enqueue_once(store, tx, tenant_id, Kind::Understand, id.as_str(), now).await?;
    let object = format!("message:{id}");
    let detail = json!({"revision": row.revision + 1});
    audit::append(store, tx, tenant_id, actor, "message.edited", object, detail).await
}
