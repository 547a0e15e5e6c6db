//! Steps 2–7: from the stored original to masked, chunked, embedded, classified text in a thread.
//!
//! The thread is resolved twice: before the work, because placeholders belong to a thread, and
//! again in the commit under the tenant's lock. When the answers differ (its parent arrived in
//! between), the work is thrown away and done again. An edit while the message is being read brings
//! a job of its own, so the job that read the text before the edit ends without a result.

mod change;
mod commit;
mod earlier;
mod given_up;
mod letter;

use std::time::Duration;

use sqlx::AnyConnection;

pub use self::change::{delete, delete_in, edit_in};
use self::commit::Commit;
use self::earlier::{Earlier, earlier};
pub use self::given_up::give_up;
use self::letter::{Letter, letter};
pub use self::letter::{auto_word, mime_limits};
use super::masking::{Extent, Mint};
use super::threads::{self, Clues, Place};
use super::{Pipeline, StepError, blocking};
use crate::domain::ids::{ContactId, MessageId, TenantId, ThreadId};
use crate::domain::masking::{Masked, MaskedText};
use crate::domain::message::{Direction, Incoming, SAME_ID_MARK, is_nobody};
use crate::domain::triage::Analysis;
use crate::failpoint;
use crate::nlp::chunk;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::Input;
use crate::nlp::once::Once;
use crate::store::channel::{self, Channel};
use crate::store::chunk::NewChunk;
use crate::store::job::{self, Claim};
use crate::store::message::{self, Message};
use crate::store::{self, contact, vault};

/// Messages longer than this many chunks are indexed in part; the text itself is kept whole.
const MAX_CHUNKS: usize = 200;
/// Characters of a message that classification reads.
const READ_CHARS: usize = 8_000;

/// Said of a message of which only the first `ingest.max_text_kib` are masked; the rest stays in the
/// sealed original.
pub(super) const CUT: &str =
    "It is longer than what is read and shown here; its end is kept in the original only.";

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
    let (place, thread_id, known, before) = {
        let mut c = p.store.db.read().await?;
        let place = settle_place(p, &mut c, &job.tenant, &row, &clues).await?;
        let thread_id =
            place.thread.clone().unwrap_or_else(|| ThreadId::from_uuid(p.store.host.uuid()));
        let known = match &place.thread {
            Some(t) => super::masking::known_names(&p.store, &mut c, &job.tenant, t).await?,
            None => Vec::new(),
        };
        let before = match &place.thread {
            Some(t) => earlier(&mut c, &job.tenant, t, &row).await?,
            None => Earlier::default(),
        };
        (place, thread_id, known, before)
    };

    // Names, heads and vectors share a pass where they read the same text.
    let once = Once::new(&*p.encoder);
    let stage = std::time::Instant::now();
    let parts = blocking(|| mask(p, &once, &job.tenant, &thread_id, &letter, &known));
    let mask_us = micros(stage);
    let stage = std::time::Instant::now();
    let read = blocking(|| read(p, &once, &job.tenant, &parts, &before, incoming.direction));
    let read_us = micros(stage);
    drop(once);
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

fn mask(
    p: &Pipeline,
    encoder: &dyn Embed,
    tenant: &TenantId,
    thread: &ThreadId,
    letter: &Letter,
    known: &[String],
) -> MaskedParts {
    let mut mint = Mint::new(&p.store, tenant, thread).reading_by(encoder);
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

fn read(
    p: &Pipeline,
    encoder: &dyn Embed,
    tenant: &TenantId,
    parts: &MaskedParts,
    before: &Earlier,
    direction: Direction,
) -> Read {
    let stored = &parts.visible.text;
    let pieces = chunk::chunk(stored.as_stored(), &chunk::ChunkOptions::default());
    let texts: Vec<(usize, usize, String)> = pieces
        .iter()
        .take(MAX_CHUNKS)
        .filter_map(|k| stored.slice(k.start..k.end).map(|s| (k.start, k.end, s.as_words())))
        .collect();
    let analysis = (direction == Direction::In).then(|| {
        let subject = parts.subject.text.as_words();
        let text: String = stored.as_words().chars().take(READ_CHARS).collect();
        let history: Vec<&str> = before.texts.iter().map(String::as_str).collect();
        let input = Input {
            subject: (!subject.trim().is_empty()).then_some(subject.as_str()),
            text: &text,
            history: &history,
            moods: &before.moods,
            ..Input::default()
        };
        p.heads.of(tenant).read(&input, encoder)
    });
    let analysis = analysis.flatten();
    let words: Vec<&str> = texts.iter().map(|(.., w)| w.as_str()).collect();
    let encoded = encoder.embed(&words);
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
