//! The auditor: reads a quiet database and asserts the invariants I1–I5.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use countersign::store::{Store, audit as log, tenant};

/// Asserts that nothing acknowledged was lost, nothing sent twice or without a signature, the audit
/// log is whole, and nothing is still running. `acked` are ids of messages that were answered 202.
pub async fn audit(store: &Store, acked: &[String]) {
    audit_skewed(store, acked, Duration::ZERO).await;
}

/// The same where clocks were up to `skew` apart: what the log says of the order of two events of
/// different processes is then worth only so much.
pub async fn audit_skewed(store: &Store, acked: &[String], skew: Duration) {
    messages(store, acked).await;
    sends(store, i64::try_from(skew.as_micros()).unwrap()).await;
    chain(store).await;
    transitions(store).await;
    let mut c = store.db.read().await.unwrap();
    let running: Vec<(String, String)> =
        sqlx::query_as("select id, kind from job where state = 'running'")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    assert!(running.is_empty(), "I5: jobs still run: {running:?}");
}

async fn messages(store: &Store, acked: &[String]) {
    let mut c = store.db.read().await.unwrap();
    let rows: Vec<(String, String)> =
        sqlx::query_as("select id, state from message").fetch_all(&mut *c).await.unwrap();
    let states: HashMap<String, String> = rows.into_iter().collect();
    for id in acked {
        let state =
            states.get(id).unwrap_or_else(|| panic!("I1: acknowledged message {id} is lost"));
        assert!(
            matches!(state.as_str(), "understood" | "filed" | "deleted"),
            "I1: {id} is {state}"
        );
    }
    let twice: Vec<(String, i64)> = sqlx::query_as(
        "select thread_id, cast(count(*) as bigint) from review
         where state in ('no_match', 'pending', 'approved', 'held', 'escalated', 'sending')
         group by tenant_id, thread_id having count(*) > 1",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    assert!(twice.is_empty(), "I1: threads with several live reviews: {twice:?}");
    // A customer's last word has an answer after it, or a review that knows of it.
    let unanswered: Vec<(String, String)> = sqlx::query_as(
        "select m.thread_id, m.id from message m
         where m.direction = 'in' and m.state = 'understood'
           and not exists (select 1 from message o where o.tenant_id = m.tenant_id
             and o.thread_id = m.thread_id and o.direction = 'out' and o.thread_seq > m.thread_seq)
           and not exists (select 1 from review r where r.tenant_id = m.tenant_id
             and r.thread_id = m.thread_id and r.head_seq >= m.thread_seq)",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    assert!(
        unanswered.is_empty(),
        "I1: understood, but never came before a person: {unanswered:?}"
    );
}

async fn sends(store: &Store, skew: i64) {
    let mut c = store.db.read().await.unwrap();
    let twice: Vec<(String, i64)> = sqlx::query_as(
        "select s.approval_id, cast(count(*) as bigint) from sandbox_delivery d
         join send s on s.tenant_id = d.tenant_id and s.id = d.send_id
         group by s.tenant_id, s.approval_id having count(*) > 1",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    assert!(twice.is_empty(), "I2: delivered more than once: {twice:?}");
    let twice: Vec<(String, i64)> = sqlx::query_as(
        "select approval_id, cast(count(*) as bigint) from send
         group by tenant_id, approval_id having count(*) > 1",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    assert!(twice.is_empty(), "I2: several sends of one approval: {twice:?}");

    let sent: Vec<(String, String, String, String)> =
        sqlx::query_as("select id, approval_id, digest, review_id from send where state = 'sent'")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    let live: Vec<(String, String)> =
        sqlx::query_as("select id, digest from approval where live = 1")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    let live: HashSet<(String, String)> = live.into_iter().collect();
    let events: Vec<(String, String, i64, String)> = sqlx::query_as(
        "select object, action, at, detail from audit_event
         where action in ('review.approved', 'review.edited_and_approved', 'send.began')",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    for (id, approval, digest, review) in sent {
        assert!(
            live.contains(&(approval.clone(), digest.clone())),
            "I3: send {id} has no live approval"
        );
        let object = format!("review:{review}");
        let at = |began: bool| {
            events
                .iter()
                .filter(|(o, action, _, detail)| {
                    let d: serde_json::Value = serde_json::from_str(detail).unwrap();
                    *o == object
                        && (action == "send.began") == began
                        && d["digest"].as_str() == Some(digest.as_str())
                        && d["approval"].as_str() == Some(approval.as_str())
                })
                .map(|(_, _, at, _)| *at)
                .collect::<Vec<i64>>()
        };
        let (signed, began) = (at(false), at(true));
        assert_eq!(began.len(), 1, "I3: send {id} began {} times in the log", began.len());
        assert!(
            signed.iter().any(|s| *s <= began[0] + skew),
            "I3: send {id} began at {} before its approval {signed:?}",
            began[0]
        );
    }
}

async fn chain(store: &Store) {
    countersign::worker::chain(store, true).await.unwrap();
    let mut c = store.db.read().await.unwrap();
    for t in tenant::all(&mut c).await.unwrap() {
        let v = log::verify(&mut c, &t.id, &[]).await.unwrap();
        assert_eq!((v.fault.as_deref(), v.unchained), (None, 0), "I4: {v:?}");
    }
}

/// The state that an event leaves a review in; none for those that leave it where it is.
fn reached(action: &str, detail: &serde_json::Value) -> Option<String> {
    let said = |key: &str| detail[key].as_str().map(str::to_owned);
    let state = match action {
        "review.edited" | "review.undone" | "approval.voided" => "pending",
        "review.rejected" => "rejected",
        "review.escalated" => "escalated",
        "review.superseded" => "superseded",
        "send.began" => "sending",
        "send.sent" => "sent",
        "send.failed" => "failed",
        "send.unknown" => "unknown",
        "review.settled" if detail["arrived"] == true => "sent",
        "review.settled" => "failed",
        "review.approved" | "review.edited_and_approved" => "signed",
        _ => return said("state").or_else(|| said("to")),
    };
    Some(state.to_owned())
}

/// Every change has its row: a review was created by one event and changed once by each other, and
/// one of them says the state that it is in; so with messages and dead letters.
async fn transitions(store: &Store) {
    let mut c = store.db.read().await.unwrap();
    let events: Vec<(String, String, String)> =
        sqlx::query_as("select object, action, detail from audit_event order by id")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    let mut of: HashMap<String, Vec<(String, serde_json::Value)>> = HashMap::new();
    for (object, action, detail) in events {
        let detail = serde_json::from_str(&detail).unwrap();
        of.entry(object).or_default().push((action, detail));
    }
    let none = Vec::new();
    let reviews: Vec<(String, String, i64)> =
        sqlx::query_as("select id, state, revision from review").fetch_all(&mut *c).await.unwrap();
    for (id, state, revision) in reviews {
        let log = of.get(&format!("review:{id}")).unwrap_or(&none);
        let changes = log.iter().filter(|(action, _)| action != "review.created").count();
        assert_eq!(log.len() - changes, 1, "I4: review {id} ({state}) was created by {log:?}");
        assert_eq!(
            revision,
            1 + i64::try_from(changes).unwrap(),
            "I4: review {id} ({state}) changed otherwise than by {log:?}"
        );
        let state = match state.as_str() {
            "approved" | "held" => "signed".to_owned(),
            _ => state,
        };
        let says = log.iter().any(|(a, d)| reached(a, d).as_deref() == Some(&state));
        assert!(says, "I4: nothing says how review {id} became {state}: {log:?}");
    }
    let given_up: HashSet<&str> = of
        .values()
        .flatten()
        .filter(|(action, _)| action == "job.dead")
        .filter_map(|(_, detail)| detail["ref"].as_str())
        .collect();
    let received: Vec<(String, String)> =
        sqlx::query_as("select id, state from message where direction = 'in'")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    for (id, state) in received {
        let log = of.get(&format!("message:{id}")).unwrap_or(&none);
        let has = |action: &str| log.iter().any(|(a, _)| a == action);
        let ended = match state.as_str() {
            "understood" => has("message.understood"),
            "filed" => has("message.understood") || given_up.contains(id.as_str()),
            "deleted" => has("message.deleted"),
            _ => true,
        };
        assert!(has("message.received") && ended, "I4: message {id} ({state}) has only {log:?}");
    }
    let dead: Vec<(String,)> =
        sqlx::query_as("select id from job where state = 'dead'").fetch_all(&mut *c).await.unwrap();
    for (id,) in dead {
        let log = of.get(&format!("job:{id}")).unwrap_or(&none);
        assert!(log.iter().any(|(a, _)| a == "job.dead"), "I4: dead letter {id} has only {log:?}");
    }
}
