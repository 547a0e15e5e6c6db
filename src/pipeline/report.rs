//! What an inbox platform is told: of a message that was read its labels and priority, of a review its
//! draft as a private note. The job looks at what is stored when it runs, so an edit in between is told
//! as it ended; telling it again changes nothing.

use std::collections::BTreeSet;

use super::{Pipeline, StepError, threads};
use crate::domain::ids::{MessageId, ReviewId, TenantId};
use crate::domain::masking::MaskedText;
use crate::domain::platform::numbers;
use crate::domain::review::State;
use crate::domain::triage::{Analysis, SpamLabel, UrgencyLevel};
use crate::ports::platform::{Access, NotTold, Note, Telling};
use crate::store::channel::{self, ChatwootSettings};
use crate::store::job::{self, Claim};
use crate::store::{self, draft, message, review};

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    if let Some((access, telling)) = prepare(p, job).await? {
        p.platform.tell(&access, &telling).await.map_err(|e| match e {
            NotTold::Later { after, why } => StepError::Retry { why, after },
            NotTold::Never { why } => StepError::Fail { why },
        })?;
    }
    let mut tx = p.store.db.begin().await?;
    let now = p.store.db.now(&mut tx).await?;
    job::complete(&mut tx, job, now).await?;
    tx.commit().await?;
    Ok(())
}

/// What is to be told; nothing if it has become pointless.
async fn prepare(p: &Pipeline, job: &Claim) -> Result<Option<(Access, Telling)>, StepError> {
    let told = match job.ref_id.split_once(':') {
        Some(("message", id)) => of_message(p, &job.tenant, &store::parse("job.ref_id", id)?).await,
        Some(("review", id)) => of_review(p, &job.tenant, &store::parse("job.ref_id", id)?).await,
        _ => return Err(StepError::fail("the job names neither a message nor a review")),
    };
    match told {
        Ok(told) => Ok(told),
        // Deleted or erased since.
        Err(store::Error::NotFound(_) | store::Error::Erased) => Ok(None),
        Err(e) => Err(e.into()),
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

async fn of_message(
    p: &Pipeline,
    t: &TenantId,
    id: &MessageId,
) -> store::Result<Option<(Access, Telling)>> {
    let Some((access, set, mut telling)) = place(p, t, id).await? else { return Ok(None) };
    let mut c = p.store.db.read().await?;
    let Some(analysis) = message::analysis(&mut c, t, id).await? else { return Ok(None) };
    (telling.labels, telling.without) = labels(&set, &analysis);
    telling.priority = set.priority.then(|| priority(analysis.urgency.level));
    Ok(Some((access, telling)))
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
