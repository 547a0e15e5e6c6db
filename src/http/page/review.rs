//! `GET /reviews/{id}`: the thread, what was read from it, the draft with its evidence, and exactly
//! what a signature would bind.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::Value;
use sqlx::AnyConnection;

use super::queue::{Asked, channel_word, claim, flags, list, rendered, state_word};
use super::view::{
    self, Analysis, Attachment, AuditRow, Can, Delivery, Editor, Envelope, Grounding, Hold,
    Injection, Language, Notice, Passage, PassageKind, Recipient, RecipientRole, RejectReason,
    Restoration, ReviewPage, Section, Sentence, Sentiment, Share, Sign, SnoozeChoice, Spam,
    Urgency, Verdict, highlight,
};
use super::{App, AppState, Failure, notice, page, percent, shell, shown, when};
use crate::domain::ids::{Micros, ReviewId, TenantId, UserId};
use crate::domain::masking::{MaskedText, Numbering, Refusal, Segment};
use crate::domain::message::Direction;
use crate::domain::review::{Event, State as Stand};
use crate::http::auth::Person;
use crate::http::id;
use crate::pipeline::answer::{StoredDetail, StoredPassage};
use crate::pipeline::masking::known_names;
use crate::pipeline::threads;
use crate::review::content::{self, Signable};
use crate::store::draft::{self, Draft};
use crate::store::review::{self, Review};
use crate::store::{self, approval, audit, message, send, user};

/// `GET /reviews/{id}`.
pub async fn show(
    State(app): AppState,
    person: Person,
    Path(path): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let said = asked.done.as_deref().and_then(notice);
    let html = draw(&app, &person, &path, &asked, said, None).await?;
    Ok(page(html))
}

/// Draws a review's page; after a conflict with what the reviewer had typed.
///
/// # Errors
/// 404; store errors.
pub async fn draw(
    app: &App,
    person: &Person,
    path: &str,
    asked: &Asked,
    said: Option<Notice>,
    typed: Option<(String, String)>,
) -> Result<String, Failure> {
    let wanted: ReviewId = id("review", path)?;
    let queue = list(app, person, asked).await?;
    let mut s = shell(app, person, Section::Queue).await?;
    s.notice = said;
    let mut c = app.store.db.read().await?;
    let tenant = &person.session.tenant;
    let r = review::get(&mut c, tenant, &wanted).await?;
    let now = app.store.db.now(&mut c).await?;
    let signable = content::signable(&app.store, &mut c, tenant, &r).await?;
    let draft = draft::get(&mut c, tenant, &r.draft, r.draft_revision).await?;
    let numbering = threads::numbering(&mut c, tenant, &r.thread).await?;
    let at = queue.rows.iter().position(|row| row.id == r.id.as_str());
    let beside = |i: Option<usize>| i.and_then(|i| queue.rows.get(i)).map(|row| row.id.clone());
    let (previous, next) =
        (beside(at.and_then(|i| i.checked_sub(1))), beside(at.map_or(Some(0), |i| Some(i + 1))));
    let mut d = Drawer { app, c: &mut c, tenant, person, r: &r, now, numbering: &numbering };
    let detail: StoredDetail = serde_json::from_str(&draft.detail).map_err(store::Error::from)?;
    let drawn = d.draft(&draft, &detail).await?;
    let subject = rendered(Some(&signable.content.subject), &numbering);
    let text = rendered(Some(&draft.body), &numbering);
    let open = typed.is_some();
    let (text, subject) = typed.unwrap_or((text, subject));
    let analysis = message::analysis(d.c, tenant, &r.message).await?;
    let thread_subject = rendered(signable.thread.subject_masked.as_deref(), &numbering);
    let messages = d.messages().await?;
    let first = messages.first().map(|m| m.text.clone()).unwrap_or_default();
    let claim = claim(d.c, tenant, person, &r, now).await?;
    let page = ReviewPage {
        shell: s,
        id: r.id.to_string(),
        state: state_word(&r, now),
        previous,
        next,
        subject: if thread_subject.trim().is_empty() { clip(&first) } else { thread_subject },
        customer: messages.iter().find(|m| m.inbound).map(|m| m.author.clone()).unwrap_or_default(),
        channel: channel_word(signable.channel.kind.as_str()),
        snoozed_until: r.snoozed_until.filter(|t| *t > now).map(shown),
        analysis: analysis.as_ref().map(reading),
        messages,
        passages: passages(&draft, &detail)?,
        alternatives: detail
            .alternatives
            .iter()
            .map(|a| view::Alternative {
                source: String::new(),
                text: rendered(Some(a), &numbering),
            })
            .collect(),
        envelope: envelope(&signable, &r, &draft, &numbering),
        sign: Sign {
            digest: signable.digest.to_string(),
            revision: u64::try_from(r.revision).unwrap_or(0),
            flags: flags(&r),
            needs_attention: !r.attention.is_empty(),
        },
        editor: Editor { text, subject, open },
        can: can(person, &r, claim.as_ref(), drawn.is_some()),
        hold: d.hold().await?,
        deliveries: d.deliveries().await?,
        snooze: choices(now),
        reject_reasons: RejectReason::ALL.to_vec(),
        people: d.people().await?,
        history: d.history().await?,
        claim,
        draft: drawn,
        queue,
    };
    Ok(app.pages.review(&page)?)
}

fn clip(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

fn can(person: &Person, r: &Review, claim: Option<&view::Claim>, drafted: bool) -> Can {
    let allowed = r.state != Stand::Escalated || person.is_lead();
    let free = claim.is_none_or(|c| c.mine) && allowed;
    let may = |e: Event| free && r.state.on(e).is_ok();
    let parked = r.state.awaits_person();
    Can {
        claim: may(Event::Park) && claim.is_none(),
        release: claim.is_some_and(|c| c.mine) && parked,
        approve: drafted && may(Event::Approve { hold: true }),
        edit: drafted && may(Event::Edit) && !r.state.signed(),
        reject: may(Event::Reject),
        respond: may(Event::Edit) && !r.state.signed(),
        snooze: may(Event::Park),
        assign: may(Event::Park),
        escalate: may(Event::Escalate),
        undo: allowed && r.state.on(Event::Undo).is_ok(),
    }
}

fn choices(now: Micros) -> Vec<SnoozeChoice> {
    super::act::SNOOZES
        .iter()
        .map(|(value, label)| SnoozeChoice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            when: super::act::snooze_until(value, now).map(shown).unwrap_or_default(),
        })
        .collect()
}

fn language(code: &str) -> Language {
    Language { code: code.to_owned(), name: language_name(code).to_owned() }
}

/// Names of the languages that messages usually come in; others keep their code.
fn language_name(code: &str) -> &str {
    match code {
        "en" => "English",
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "it" => "Italian",
        "pt" => "Portuguese",
        "nl" => "Dutch",
        "pl" => "Polish",
        "sv" => "Swedish",
        "da" => "Danish",
        "ja" => "Japanese",
        "zh" => "Chinese",
        "ru" => "Russian",
        "tr" => "Turkish",
        "ar" => "Arabic",
        "und" => "not recognised",
        other => other,
    }
}

fn reading(a: &crate::domain::triage::Analysis) -> Analysis {
    let cue = |c: &crate::domain::triage::Cue| {
        if c.words.is_empty() { c.kind.clone() } else { format!("{}: {}", c.kind, c.words) }
    };
    Analysis {
        intent: a.intent.label.to_string().replace('_', " "),
        intent_percent: percent(a.intent.confidence.get()),
        abstained: a.intent.abstained,
        alternatives: a
            .intent
            .alternatives
            .iter()
            .filter(|x| x.label != a.intent.label)
            .take(3)
            .map(|x| Share {
                label: x.label.to_string().replace('_', " "),
                percent: percent(x.confidence.get()),
            })
            .collect(),
        sentiment: Sentiment::from_key(a.sentiment.label.as_str()).unwrap_or(Sentiment::Neutral),
        sentiment_percent: percent(a.sentiment.confidence.get()),
        urgency: Urgency::from_key(a.urgency.level.as_str()).unwrap_or(Urgency::Normal),
        urgency_reasons: a.urgency.reasons.iter().map(cue).collect(),
        language: language(a.language.code.as_str()),
        spam: Spam::from_key(a.spam.label.as_str()).unwrap_or(Spam::Ham),
        spam_percent: percent(a.spam.score.get()),
        injection: Injection {
            flagged: a.injection.flagged,
            percent: percent(a.injection.score.get()),
            reasons: a.injection.reasons.iter().map(cue).collect(),
        },
        models: format!(
            "{} · taxonomy {} · heads {}",
            a.versions.encoder,
            a.versions.taxonomy.chars().take(8).collect::<String>(),
            a.versions.heads.chars().take(8).collect::<String>()
        ),
    }
}

fn passages(draft: &Draft, detail: &StoredDetail) -> store::Result<Vec<Passage>> {
    let all: Vec<StoredPassage> = serde_json::from_str(&draft.passages)?;
    Ok((1u32..)
        .zip(all)
        .map(|(number, p)| {
            let cited: Vec<std::ops::Range<usize>> = detail
                .sentences
                .iter()
                .filter(|s| s.citations.iter().any(|c| u32::try_from(*c).ok() == Some(number)))
                .filter_map(|s| p.text.find(s.text.trim()).map(|at| at..at + s.text.trim().len()))
                .collect();
            let is_cited = detail
                .sentences
                .iter()
                .any(|s| s.citations.iter().any(|c| u32::try_from(*c).ok() == Some(number)));
            Passage {
                number,
                kind: PassageKind::Article,
                title: p.title,
                article: Some(p.source),
                score: format!("{:.2}", p.score),
                pieces: highlight(&p.text, cited),
                cited: is_cited,
            }
        })
        .collect())
}

fn envelope(s: &Signable, r: &Review, draft: &Draft, numbering: &Numbering) -> Envelope {
    let warning = r.attention.iter().any(|a| a == "reply_to_differs").then(|| {
        "The message asked for replies to another domain; this goes to its sender.".to_owned()
    });
    let stored = MaskedText::from_store(draft.body.clone());
    let mut seen = Vec::new();
    let restorations = stored
        .segments()
        .filter_map(|x| match x {
            Segment::Token { id, .. } if !seen.contains(&id) => {
                seen.push(id);
                let refused = s.body.refused.iter().find(|(other, _)| *other == id);
                Some(Restoration {
                    placeholder: numbering
                        .placeholder(&id)
                        .map_or_else(|| "<MASKED>".into(), ToString::to_string),
                    restored: refused.is_none(),
                    reason: refused.map(|(_, why)| why_not(*why).to_owned()),
                })
            }
            _ => None,
        })
        .collect();
    Envelope {
        channel: channel_word(s.channel.kind.as_str()),
        sender: s.content.sender.clone(),
        recipients: s
            .content
            .to
            .iter()
            .map(|_| Recipient {
                role: RecipientRole::To,
                address: "the sender of the message".to_owned(),
                warning: warning.clone(),
            })
            .collect(),
        subject: (s.channel.kind == crate::domain::message::ChannelKind::Email)
            .then(|| rendered(Some(&s.content.subject), numbering)),
        restorations,
    }
}

fn why_not(r: Refusal) -> &'static str {
    match r {
        Refusal::NotSendable => "values of this type are never sent",
        Refusal::NotOwned => "it belongs to another conversation",
        Refusal::Erased => "the value has been erased",
    }
}

struct Drawer<'a> {
    app: &'a App,
    c: &'a mut AnyConnection,
    tenant: &'a TenantId,
    person: &'a Person,
    r: &'a Review,
    now: Micros,
    numbering: &'a Numbering,
}

impl Drawer<'_> {
    async fn name(&mut self, id: &UserId) -> store::Result<String> {
        if *id == self.person.user.id {
            return Ok(self.person.user.name.clone());
        }
        Ok(user::get(self.c, self.tenant, id).await?.name)
    }

    async fn draft(
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
        let good = |s: &&&crate::pipeline::answer::StoredSentence| {
            matches!(s.verdict.as_deref(), Some("supported" | "inferred"))
        };
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

    async fn messages(&mut self) -> store::Result<Vec<view::Message>> {
        let mut all = Vec::new();
        let known = known_names(&self.app.store, self.c, self.tenant, &self.r.thread).await?;
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
                        name: self.app.pipeline.masking.mask_note(&f.name, &known),
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

    async fn hold(&mut self) -> store::Result<Option<Hold>> {
        let (Some(until), Some(id)) = (self.r.hold_until, &self.r.approval) else {
            return Ok(None);
        };
        if !self.r.state.signed() {
            return Ok(None);
        }
        let a = approval::get(self.c, self.tenant, id).await?;
        let approver = match &a.approver {
            crate::domain::approval::Approver::Person(u) => self.name(u).await?,
            crate::domain::approval::Approver::Policy { version } => format!("policy {version}"),
        };
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

    async fn deliveries(&mut self) -> store::Result<Vec<Delivery>> {
        let Some(id) = &self.r.approval else { return Ok(Vec::new()) };
        let a = approval::get(self.c, self.tenant, id).await?;
        let Some(s) = send::of_approval(self.c, self.tenant, id).await? else {
            return Ok(Vec::new());
        };
        let approver = match &a.approver {
            crate::domain::approval::Approver::Person(u) => self.name(u).await?,
            crate::domain::approval::Approver::Policy { version } => format!("policy {version}"),
        };
        Ok(vec![Delivery {
            state: view::State::from_key(&s.state).unwrap_or(view::State::Unknown),
            at: when(s.updated_at, self.now),
            to: "the sender of the message".to_owned(),
            approver,
            digest: a.digest.to_string(),
            attempts: u32::try_from(send::attempts(self.c, self.tenant, &s.id).await?)
                .unwrap_or(u32::MAX),
            receipt: s.provider_ref,
            error: self.r.outcome.clone(),
        }])
    }

    async fn people(&mut self) -> store::Result<Vec<String>> {
        let all = user::list(self.c, self.tenant).await?;
        Ok(all.into_iter().filter(|u| !u.disabled).map(|u| u.name).collect())
    }

    async fn history(&mut self) -> store::Result<Vec<AuditRow>> {
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
