//! What an inbox platform is told: of a thread the labels and priority of its latest message, of a review its
//! draft as a private note. The job looks at what is stored when it runs, so an edit in between is told
//! as it ended; telling it again changes nothing. One job at a time tells of a thread, so that an older
//! message's labels never come after a newer one's.

use std::collections::BTreeSet;

use sqlx::AnyConnection;

use super::{Pipeline, StepError, threads};
use crate::domain::ids::{MessageId, ReviewId, TenantId, ThreadId};
use crate::domain::masking::MaskedText;
use crate::domain::platform::numbers;
use crate::domain::review::State;
use crate::domain::triage::{Analysis, SpamLabel, UrgencyLevel};
use crate::ports::platform::{Access, NotTold, Note, Telling};
use crate::store::channel::{self, ChatwootSettings};
use crate::store::job::{self, Claim, Kind};
use crate::store::{self, Store, draft, message, review, tenant};

/// What a job is about.
enum Subject {
    Thread(ThreadId),
    Review(ReviewId),
}

/// What was read in the latest message of a thread.
type Latest = Option<(MessageId, Analysis)>;

/// Makes sure that a thread's labels are told of. A job at work sees by itself, when it ends, that there is more. The
/// caller holds the tenant's lock.
///
/// # Errors
/// Store errors.
pub(super) async fn tell_thread(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    thread: &ThreadId,
) -> store::Result<()> {
    let told = format!("thread:{thread}");
    if !job::is_running(c, t, Kind::Report, &told).await? {
        let now = store.db.now(c).await?;
        job::enqueue_once(store, c, t, Kind::Report, &told, now).await?;
    }
    Ok(())
}

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let Some(subject) = subject(p, job).await? else { return finish(store, job, None).await };
    let told = match &subject {
        Subject::Thread(id) => of_thread(p, t, id).await,
        Subject::Review(id) => of_review(p, t, id).await.map(|telling| (telling, None)),
    };
    let (telling, latest) = match told {
        Ok(told) => told,
        // Deleted or erased since.
        Err(store::Error::NotFound(_) | store::Error::Erased) => (None, None),
        Err(e) => return Err(e.into()),
    };
    if let Some((access, telling)) = telling
        && let Err(not) = p.platform.tell(&access, &telling).await
    {
        return Err(match not {
            NotTold::Later { after, why } => StepError::Retry { why, after },
            // What has come meanwhile counted on this job.
            NotTold::Never { why } if is_stale(store, t, &subject, &latest).await? => {
                StepError::Retry { why, after: None }
            }
            NotTold::Never { why } => StepError::Fail { why },
        });
    }
    finish(store, job, Some((&subject, latest))).await
}

/// Whether something newer than what was told has been read in a thread.
async fn is_stale(
    store: &Store,
    t: &TenantId,
    subject: &Subject,
    told: &Latest,
) -> store::Result<bool> {
    let Subject::Thread(id) = subject else { return Ok(false) };
    let mut c = store.db.read().await?;
    Ok(message::latest_analysis(&mut c, t, id).await? != *told)
}

/// Ends the job and, where something newer was read meanwhile, makes the next. Under the lock, so that what was read
/// a moment ago is either seen here or finds no job at work.
async fn finish(
    store: &Store,
    job: &Claim,
    told: Option<(&Subject, Latest)>,
) -> Result<(), StepError> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, &job.tenant).await?;
    let now = store.db.now(&mut tx).await?;
    job::complete(&mut tx, job, now).await?;
    if let Some((Subject::Thread(id), told)) = told
        && message::latest_analysis(&mut tx, &job.tenant, id).await? != told
    {
        tell_thread(store, &mut tx, &job.tenant, id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a job is about; nothing if that is no more.
async fn subject(p: &Pipeline, job: &Claim) -> Result<Option<Subject>, StepError> {
    match job.ref_id.split_once(':') {
        Some(("thread", id)) => Ok(Some(Subject::Thread(store::parse("job.ref_id", id)?))),
        Some(("review", id)) => Ok(Some(Subject::Review(store::parse("job.ref_id", id)?))),
        // A job that an earlier version of the program has left.
        Some(("message", id)) => {
            let id: MessageId = store::parse("job.ref_id", id)?;
            let mut c = p.store.db.read().await?;
            match message::get(&mut c, &job.tenant, &id).await {
                Ok(row) => Ok(row.thread.map(Subject::Thread)),
                Err(store::Error::NotFound(_)) => Ok(None),
                Err(e) => Err(e.into()),
            }
        }
        _ => Err(StepError::fail("the job names neither a thread nor a review")),
    }
}

/// Where a message is on its platform, with the channel's settings; none if it is on none.
async fn place(
    p: &Pipeline,
    t: &TenantId,
    id: &MessageId,
) -> store::Result<Option<(Access, ChatwootSettings, Telling)>> {
    let mut c = p.store.db.read().await?;
    let row = message::get(&mut c, t, id).await?;
    let ch = channel::get(&p.store, &mut c, t, &row.channel).await?;
    let raw = message::raw(&p.store, &mut c, t, id).await?;
    let (Some(access), Some(set), Some((conversation, after))) =
        (ch.access(), ch.settings.chatwoot.clone(), numbers(&raw.external_id))
    else {
        return Ok(None);
    };
    let telling = Telling { conversation, after, ..Telling::default() };
    Ok((row.state != "deleted" && !ch.disabled).then_some((access, set, telling)))
}

async fn of_thread(
    p: &Pipeline,
    t: &TenantId,
    thread: &ThreadId,
) -> store::Result<(Option<(Access, Telling)>, Latest)> {
    let latest = {
        let mut c = p.store.db.read().await?;
        message::latest_analysis(&mut c, t, thread).await?
    };
    let Some((id, analysis)) = &latest else { return Ok((None, None)) };
    let place = match place(p, t, id).await {
        // Erased since: there is nobody to tell, and nothing newer either.
        Err(store::Error::NotFound(_) | store::Error::Erased) => None,
        found => found?,
    };
    let Some((access, set, mut telling)) = place else { return Ok((None, latest)) };
    (telling.labels, telling.without) = labels(&set, analysis);
    telling.priority = set.priority.then(|| priority(analysis.urgency.level));
    Ok((Some((access, telling)), latest))
}

/// The labels that a conversation should have, and those of ours that it should not.
fn labels(set: &ChatwootSettings, a: &Analysis) -> (Vec<String>, Vec<String>) {
    let found: BTreeSet<&str> =
        findings(a).iter().filter_map(|f| set.labels.get(f)).map(String::as_str).collect();
    let rest = set.labels.values().map(String::as_str).filter(|l| !found.contains(l));
    let rest: BTreeSet<&str> = rest.collect();
    let owned = |all: BTreeSet<&str>| all.into_iter().map(str::to_owned).collect();
    (owned(found), owned(rest))
}

/// An analysis as the words of a mapping. What the heads abstained from is none.
fn findings(a: &Analysis) -> Vec<String> {
    let mut all = vec![
        format!("sentiment:{}", a.sentiment.label),
        format!("urgency:{}", a.urgency.level),
        format!("language:{}", a.language.code),
    ];
    if !a.intent.abstained {
        all.push(format!("intent:{}", a.intent.label));
    }
    if a.spam.label != SpamLabel::Ham {
        all.push(format!("spam:{}", a.spam.label));
    }
    if a.injection.flagged {
        all.push("injection".to_owned());
    }
    all
}

fn priority(u: UrgencyLevel) -> &'static str {
    match u {
        UrgencyLevel::Low => "low",
        UrgencyLevel::Normal => "medium",
        UrgencyLevel::High => "high",
        UrgencyLevel::Critical => "urgent",
    }
}

async fn of_review(
    p: &Pipeline,
    t: &TenantId,
    id: &ReviewId,
) -> store::Result<Option<(Access, Telling)>> {
    let (r, text) = {
        let mut c = p.store.db.read().await?;
        let r = review::get(&mut c, t, id).await?;
        let numbering = threads::numbering(&mut c, t, &r.thread).await?;
        let d = draft::get(&mut c, t, &r.draft, r.draft_revision).await?;
        (r, MaskedText::from_store(d.body).render(&numbering))
    };
    // Superseded or answered meanwhile: the agents have no use for it any more.
    if !matches!(r.state, State::Pending | State::Escalated) {
        return Ok(None);
    }
    let Some((access, set, mut telling)) = place(p, t, &r.message).await? else { return Ok(None) };
    if !set.notes {
        return Ok(None);
    }
    let page = p.config.server.public_url.join(&format!("/reviews/{id}"));
    let page = page.map(|u| u.to_string()).unwrap_or_default();
    telling.note = Some(Note { mark: format!("note:{id}"), text, page });
    Ok(Some((access, telling)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn analysis(abstained: bool) -> Analysis {
        let all = json!({
            "intent": {"label": "refund_request", "confidence": 0.9, "abstained": abstained,
                "alternatives": []},
            "sentiment": {"label": "negative", "score": -0.4, "confidence": 0.8},
            "urgency": "critical",
            "language": "en", "language_confidence": 0.9,
            "spam": {"label": "phishing", "score": 0.9},
            "injection": {"flagged": false, "score": 0.1, "reasons": []},
            "versions": {"encoder": "e", "taxonomy": "t", "heads": "h"},
        });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn only_labels_of_the_mapping_are_touched() {
        let map = [
            ("intent:refund_request", "refund"),
            ("intent:complaint", "complaint"),
            ("spam:phishing", "spam"),
            ("spam:spam", "spam"),
            ("urgency:low", "later"),
        ];
        let set = ChatwootSettings {
            labels: map.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect(),
            ..ChatwootSettings::default()
        };
        let (with, without) = labels(&set, &analysis(false));
        assert_eq!(with, ["refund", "spam"]);
        assert_eq!(without, ["complaint", "later"]);
        let (with, without) = labels(&set, &analysis(true));
        assert_eq!((with.as_slice(), without.len()), (["spam".to_owned()].as_slice(), 3));
        let none = ChatwootSettings { labels: BTreeMap::new(), ..set };
        assert_eq!(labels(&none, &analysis(false)), (Vec::new(), Vec::new()));
    }
}
