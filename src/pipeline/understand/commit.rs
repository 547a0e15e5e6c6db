//! What was understood, written in one transaction with the next job and the audit row.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sqlx::AnyConnection;

use super::letter::{Letter, auto_word};
use super::{CUT, MaskedParts, Read, settle_place};
use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::domain::ids::{Micros, ThreadId};
use crate::domain::message::{Direction, Party, is_nobody};
use crate::domain::review::State;
use crate::domain::triage::SpamLabel;
use crate::failpoint;
use crate::pipeline::answer::Blank;
use crate::pipeline::masking::Extent;
use crate::pipeline::normalise;
use crate::pipeline::threads::{self, Clues, Place};
use crate::pipeline::{Pipeline, StepError, report};
use crate::review::supersede;
use crate::store::channel::Channel;
use crate::store::chunk as chunks;
use crate::store::job::{self, Claim, Kind};
use crate::store::message::{self, Attachment, Message, Understood};
use crate::store::thread::{self, NewThread};
use crate::store::{self, audit, contact, event, tenant, vault};

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

pub(super) struct Commit<'a> {
    pub(super) p: &'a Pipeline,
    pub(super) job: &'a Claim,
    pub(super) row: &'a Message,
    pub(super) channel: &'a Channel,
    pub(super) letter: &'a Letter,
    pub(super) parts: &'a MaskedParts,
    pub(super) read: &'a Read,
}

impl Commit<'_> {
    pub(super) async fn run(
        &self,
        clues: &Clues<'_>,
        place: Place,
        id: ThreadId,
    ) -> Result<(), StepError> {
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
        self.write_reading(&mut tx, &id).await?;
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

    async fn write_reading(&self, c: &mut AnyConnection, thread: &ThreadId) -> store::Result<()> {
        let (store, t) = (&self.p.store, &self.job.tenant);
        if let Some(a) = &self.read.analysis {
            let id = &self.row.id;
            message::put_analysis(store, c, t, id, a).await?;
            let data = json!({"message": id, "thread": thread, "channel": self.channel.id,
                "revision": self.row.revision, "state": self.state(),
                "auto": auto_word(self.letter.parsed.auto), "analysis": a});
            let object = format!("message:{id}");
            event::append(store, c, t, EventKind::MessageClassified, object, &data).await?;
            if self.channel.settings.chatwoot.is_some() {
                report::tell_thread(store, c, t, thread).await?;
            }
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
