//! `GET /reviews/{id}`: the thread, what was read from it, the draft with its evidence, and exactly
//! what a signature would bind.

mod drawer;
mod envelope;
mod reading;

use axum::extract::{Path, Query, State};
use axum::response::Response;

use self::drawer::Drawer;
use self::envelope::{envelope, passages, recipient};
use self::reading::reading;
use super::queue::{Asked, channel_word, claim, flags, list, rendered, state_word};
use super::view::{
    self, Can, Editor, Notice, RejectReason, ReviewPage, Section, Sign, SnoozeChoice,
};
use super::{App, AppState, Failure, act, notice, page, shell, shown};
use crate::domain::ids::{Micros, ReviewId};
use crate::domain::review::{Event, State as Stand};
use crate::http::auth::Person;
use crate::http::id;
use crate::pipeline::answer::StoredDetail;
use crate::pipeline::threads;
use crate::review::content;
use crate::store::review::{self, Review};
use crate::store::{self, draft, example, message};

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
    let said = example::of_message(d.c, tenant, &r.message).await?;
    let taxonomy = app.pipeline.heads.base().taxonomy();
    let intents: Vec<_> = taxonomy.intents().iter().map(|i| i.name.clone()).collect();
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
        analysis: analysis.as_ref().map(|a| reading(a, &intents, &said)),
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
        deliveries: d.deliveries(&recipient(&signable, &numbering)).await?,
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
    let edit = Event::Edit { escalated: r.escalated };
    Can {
        claim: may(Event::Park) && claim.is_none(),
        release: claim.is_some_and(|c| c.mine) && parked,
        approve: drafted && may(Event::Approve { hold: true }),
        edit: drafted && may(edit) && !r.state.signed(),
        reject: may(Event::Reject),
        respond: may(edit) && !r.state.signed(),
        snooze: may(Event::Park),
        assign: may(Event::Park),
        escalate: may(Event::Escalate),
        undo: allowed && r.state.on(Event::Undo { escalated: r.escalated }).is_ok(),
    }
}

fn choices(now: Micros) -> Vec<SnoozeChoice> {
    act::SNOOZES
        .iter()
        .map(|(value, label)| SnoozeChoice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            when: act::snooze_until(value, now).map(shown).unwrap_or_default(),
        })
        .collect()
}
