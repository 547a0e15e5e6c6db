//! The parts of the page that have to be looked up: the thread, the draft's author, deliveries, history.

use serde_json::Value;
use sqlx::AnyConnection;

use super::reading::language;
use crate::domain::approval::Approver;
use crate::domain::ids::{Micros, TenantId, UserId};
use crate::domain::masking::Numbering;
use crate::domain::message::Direction;
use crate::http::auth::Person;
use crate::http::page::queue::rendered;
use crate::http::page::view::{
    self, Attachment, AuditRow, Delivery, Grounding, Hold, Sentence, Verdict,
};
use crate::http::page::{App, when};
use crate::pipeline::answer::{StoredDetail, StoredSentence};
use crate::pipeline::masking::known_names;
use crate::store::approval::Approval;
use crate::store::draft::Draft;
use crate::store::review::Review;
use crate::store::{self, approval, audit, message, send, user};

/// Looks things up and puts them into the page's words.
pub(super) struct Drawer<'a> {
    pub(super) app: &'a App,
    pub(super) c: &'a mut AnyConnection,
    pub(super) tenant: &'a TenantId,
    pub(super) person: &'a Person,
    pub(super) r: &'a Review,
    pub(super) now: Micros,
    pub(super) numbering: &'a Numbering,
}

impl Drawer<'_> {
    async fn name(&mut self, id: &UserId) -> store::Result<String> {
        if *id == self.person.user.id {
            return Ok(self.person.user.name.clone());
        }
        Ok(user::get(self.c, self.tenant, id).await?.name)
    }

    async fn approver(&mut self, a: &Approval) -> store::Result<String> {
        Ok(match &a.approver {
            Approver::Person(u) => self.name(u).await?,
            Approver::Policy { version } => format!("policy {version}"),
        })
    }

    pub(super) async fn draft(
        &mut self,
        d: &Draft,
        detail: &StoredDetail,
    ) -> store::Result<Option<view::Draft>> {
        if d.body.is_empty() {
            return Ok(None);
        }
        let author = match d.author.strip_prefix("person:").and_then(|id| id.parse().ok()) {
            Some(id) => self.name(&id).await?,
            None => d.author.clone(),
        };
        let checked: Vec<_> = detail.sentences.iter().filter(|s| s.verdict.is_some()).collect();
        let good =
            |s: &&&StoredSentence| matches!(s.verdict.as_deref(), Some("supported" | "inferred"));
        let n = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
        let supported = n(checked.iter().filter(good).count());
        let sentences = if detail.sentences.is_empty() {
            vec![Sentence {
                before: String::new(),
                text: rendered(Some(&d.body), self.numbering),
                citations: Vec::new(),
                verdict: None,
                note: None,
            }]
        } else {
            detail
                .sentences
                .iter()
                .map(|s| Sentence {
                    before: s.before.clone(),
                    text: rendered(Some(&s.text), self.numbering),
                    citations: s.citations.iter().map(|c| n(*c)).collect(),
                    verdict: s.verdict.as_deref().and_then(Verdict::from_key),
                    note: None,
                })
                .collect()
        };
        Ok(Some(view::Draft {
            author,
            tone: detail.tone.clone(),
            language: detail.language.as_deref().filter(|l| *l != "und").map(language),
            sentences,
            grounding: detail.grounding.map(|_| Grounding {
                supported: supported == n(checked.len()),
                sentences_supported: supported,
                sentences_checked: n(checked.len()),
            }),
        }))
    }

    pub(super) async fn messages(&mut self) -> store::Result<Vec<view::Message>> {
        let mut all = Vec::new();
        let known = known_names(&self.app.store, self.c, self.tenant, &self.r.thread).await?;
        let masking = self.app.pipeline.masking.of(self.tenant);
        for m in message::of_thread(self.c, self.tenant, &self.r.thread).await? {
            if m.state == "unsent" {
                continue;
            }
            let files = message::attachments(&self.app.store, self.c, self.tenant, &m).await?;
            let read = message::analysis(self.c, self.tenant, &m.id).await?;
            let inbound = m.direction == Direction::In;
            let text = |s: &Option<String>| {
                s.as_deref()
                    .filter(|s| !s.trim().is_empty())
                    .map(|s| rendered(Some(s), self.numbering))
            };
            let author = match text(&m.sender) {
                Some(name) => name,
                None if inbound => "Customer".to_owned(),
                None => "Reply, countersigned".to_owned(),
            };
            all.push(view::Message {
                id: m.id.to_string(),
                inbound,
                author,
                at: when(m.sent_at.unwrap_or(m.received_at), self.now),
                text: if m.state == "deleted" {
                    "(deleted by the customer)".to_owned()
                } else {
                    text(&m.visible).unwrap_or_default()
                },
                language: read
                    .filter(|a| a.language.code.is_known())
                    .map(|a| a.language.code.as_str().to_owned()),
                quoted: text(&m.quoted),
                signature: text(&m.signature),
                attachments: files
                    .into_iter()
                    .map(|f| Attachment {
                        name: masking.mask_note(&f.name, &known),
                        media_type: f.content_type,
                        size: size(f.size),
                        allowed: f.allowed,
                        reason: f.reason,
                    })
                    .collect(),
                oddities: m.oddities,
                answered_here: m.id == self.r.message,
            });
        }
        Ok(all)
    }

    pub(super) async fn hold(&mut self) -> store::Result<Option<Hold>> {
        let (Some(until), Some(id)) = (self.r.hold_until, &self.r.approval) else {
            return Ok(None);
        };
        if !self.r.state.signed() {
            return Ok(None);
        }
        let a = approval::get(self.c, self.tenant, id).await?;
        let approver = self.approver(&a).await?;
        let left = until.since(self.now).as_secs_f64().ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a hold"
        )]
        let seconds_left = left.min(86_400.0) as u32;
        let total = u32::try_from(self.app.config.review.hold_s).unwrap_or(u32::MAX);
        Ok(Some(Hold {
            seconds_left,
            seconds_total: total.max(seconds_left),
            approver,
            at: when(a.created_at, self.now),
        }))
    }

    pub(super) async fn deliveries(&mut self, to: &str) -> store::Result<Vec<Delivery>> {
        let Some(id) = &self.r.approval else { return Ok(Vec::new()) };
        let a = approval::get(self.c, self.tenant, id).await?;
        let Some(s) = send::of_approval(self.c, self.tenant, id).await? else {
            return Ok(Vec::new());
        };
        let approver = self.approver(&a).await?;
        Ok(vec![Delivery {
            state: view::State::from_key(&s.state).unwrap_or(view::State::Unknown),
            at: when(s.updated_at, self.now),
            to: to.to_owned(),
            approver,
            digest: a.digest.to_string(),
            attempts: u32::try_from(send::attempts(self.c, self.tenant, &s.id).await?)
                .unwrap_or(u32::MAX),
            receipt: s.provider_ref,
            error: self.r.outcome.clone(),
        }])
    }

    pub(super) async fn people(&mut self) -> store::Result<Vec<String>> {
        let all = user::list(self.c, self.tenant).await?;
        Ok(all.into_iter().filter(|u| !u.disabled).map(|u| u.name).collect())
    }

    pub(super) async fn history(&mut self) -> store::Result<Vec<AuditRow>> {
        let object = format!("review:{}", self.r.id);
        let mut rows = Vec::new();
        for e in audit::of_object(self.c, self.tenant, &object).await? {
            let actor = match e.actor.strip_prefix("user:").and_then(|id| id.parse().ok()) {
                Some(id) => self.name(&id).await?,
                None => e.actor.clone(),
            };
            rows.push(AuditRow {
                at: when(e.at, self.now),
                actor,
                action: e.action.replace(['.', '_'], " "),
                detail: detail(&e.detail),
                sequence: None,
            });
        }
        Ok(rows)
    }
}

fn detail(v: &Value) -> Option<String> {
    let from = v.get("from").and_then(Value::as_str);
    let to = v.get("to").and_then(Value::as_str);
    let why = v.get("why").and_then(Value::as_str);
    let digest = v.get("digest").and_then(Value::as_str);
    match (from, to, why, digest) {
        (Some(a), Some(b), ..) => Some(format!("{a} → {b}")),
        (_, _, Some(w), _) => Some(w.to_owned()),
        (_, _, _, Some(d)) => Some(format!("signed {}", d.chars().take(12).collect::<String>())),
        _ => None,
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b < 1000 => format!("{b} B"),
        b if b < 1_000_000 => format!("{} kB", b / 1000),
        b => format!("{}.{} MB", b / 1_000_000, b % 1_000_000 / 100_000),
    }
}
