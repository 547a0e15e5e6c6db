//! Claims: each job once, fenced, fair between tenants, dead in the end; and the rate bucket.
#![expect(clippy::disallowed_methods, reason = "a test races claimers with tokio::spawn")]

use std::collections::HashMap;
use std::time::Duration;

use countersign::domain::ids::{ChannelId, Micros, TenantId};
use countersign::pipeline;
use countersign::store::job::{self, Claim, Kind, Lane};
use countersign::store::{Error, Store, send};

use crate::harness::TestApp;
use crate::on_both;

const LEASE: Duration = Duration::from_secs(60);

async fn enqueue(store: &Store, tenant: &TenantId, n: usize) {
    let mut tx = store.db.begin().await.unwrap();
    let now = store.db.now(&mut tx).await.unwrap();
    for i in 0..n {
        job::enqueue(store, &mut tx, tenant, Kind::Understand, &format!("job-{i}"), now)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn sql_on(store: &Store, statement: &'static str) {
    let mut tx = store.db.begin().await.unwrap();
    sqlx::query(statement).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn now(store: &Store) -> Micros {
    let mut c = store.db.read().await.unwrap();
    store.db.now(&mut c).await.unwrap()
}

/// Does what the sweeper does with claims whose lease ran out; returns how many.
async fn sweep(store: &Store) -> usize {
    let expired = {
        let mut c = store.db.read().await.unwrap();
        job::expired(store, &mut c).await.unwrap()
    };
    for e in &expired {
        let mut tx = store.db.begin().await.unwrap();
        let now = store.db.now(&mut tx).await.unwrap();
        job::retry(&mut tx, &e.claim, now, Duration::ZERO, "the worker's lease ran out")
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    expired.len()
}

async fn complete(store: &Store, claim: &Claim) -> Result<(), Error> {
    let mut tx = store.db.begin().await.unwrap();
    let now = store.db.now(&mut tx).await.unwrap();
    job::complete(&mut tx, claim, now).await?;
    tx.commit().await.unwrap();
    Ok(())
}

on_both!(every_job_is_claimed_exactly_once, engine, {
    let app = TestApp::idle(engine, &["database.acquire_timeout_ms=20000"]).await;
    enqueue(&app.store, &app.home.id, 400).await;
    let claimers: Vec<_> = (0..32)
        .map(|i| {
            let store = app.store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                let mut empty = 0;
                // A round may find nothing while others hold the locks; three in a row mean the end.
                while empty < 3 {
                    let got = job::claim(&store, &format!("w-{i}"), Lane::Messages, 7, LEASE)
                        .await
                        .unwrap();
                    assert!(got.len() <= 7, "{} claims in a batch of 7", got.len());
                    if got.is_empty() {
                        empty += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    } else {
                        empty = 0;
                    }
                    mine.extend(got);
                }
                mine
            })
        })
        .collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for c in claimers {
        for claim in c.await.unwrap() {
            assert_eq!(claim.attempt, 1);
            *seen.entry(claim.ref_id).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 400, "some jobs were never claimed");
    assert!(seen.values().all(|n| *n == 1), "claimed twice: {seen:?}");
    app.stop().await;
});

on_both!(a_lost_claim_changes_nothing, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let store = &app.store;
    enqueue(store, &app.home.id, 1).await;
    let first = job::claim(store, "first", Lane::Messages, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(first.attempt, 1);
    assert_eq!(sweep(store).await, 0, "a lease that runs was swept up");
    assert!(job::claim(store, "other", Lane::Messages, 1, LEASE).await.unwrap().is_empty());

    sql_on(store, "update job set lease_until = 0").await;
    assert_eq!(sweep(store).await, 1);
    let second = job::claim(store, "second", Lane::Messages, 1, LEASE).await.unwrap().remove(0);
    assert_eq!((second.id.as_str(), second.attempt), (first.id.as_str(), 2));
    assert_ne!(first.token, second.token);

    assert!(matches!(complete(store, &first).await, Err(Error::Fenced)));
    assert_eq!(job::heartbeat(store, std::slice::from_ref(&first), LEASE).await.unwrap(), 0);
    let at = now(store).await;
    let mut tx = store.db.begin().await.unwrap();
    assert!(matches!(job::snooze(&mut tx, &first, at, LEASE).await, Err(Error::Fenced)));
    assert!(matches!(job::retry(&mut tx, &first, at, LEASE, "x").await, Err(Error::Fenced)));
    assert!(matches!(job::bury(&mut tx, &first, at, "x").await, Err(Error::Fenced)));
    drop(tx);
    assert_eq!(job::heartbeat(store, std::slice::from_ref(&second), LEASE).await.unwrap(), 1);
    complete(store, &second).await.unwrap();
    assert!(matches!(complete(store, &second).await, Err(Error::Fenced)), "completed twice");
    app.stop().await;
});

on_both!(a_flood_does_not_hold_up_another_tenant, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let other = app.tenant("other").await;
    enqueue(&app.store, &app.home.id, 500).await;
    enqueue(&app.store, &other.id, 1).await;
    let batch = job::claim(&app.store, "w", Lane::Messages, 4, LEASE).await.unwrap();
    assert_eq!(batch.len(), 4);
    assert!(batch.iter().any(|c| c.tenant == other.id), "the small tenant waits behind the flood");
    app.stop().await;
});

on_both!(what_is_given_up_stays_visible, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let store = &app.store;
    let poison = app.say("p-1", "t-1", "How long do I have to return an item?").await;
    for attempt in 1..=8 {
        let claim = job::claim(store, "w", Lane::Messages, 1, LEASE).await.unwrap().remove(0);
        assert_eq!((claim.attempt, claim.ref_id.as_str()), (attempt, poison.as_str()));
        if attempt < 8 {
            sql_on(store, "update job set lease_until = 0 where state = 'running'").await;
            assert_eq!(sweep(store).await, 1);
        } else {
            pipeline::bury(store, &claim, "its worker died in every attempt").await.unwrap();
        }
    }
    assert!(
        job::claim(store, "w", Lane::Messages, 1, LEASE).await.unwrap().is_empty(),
        "a dead letter was claimed"
    );
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{poison}")).await;
    assert_eq!(m["state"], "filed", "{m}");

    // A message that was understood but can't be answered comes before a person.
    let good = app.say("p-2", "t-2", "How long do I have to return an item?").await;
    let claim = job::claim(store, "w", Lane::Messages, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(claim.ref_id, good);
    app.app.pipeline.run(&claim).await.unwrap();
    let claim = job::claim(store, "w", Lane::Messages, 1, LEASE).await.unwrap().remove(0);
    assert_eq!(claim.kind, Kind::Answer);
    pipeline::bury(store, &claim, "the drafter always fails").await.unwrap();
    let review = app.review_in(&good, &["no_match"]).await;
    assert_eq!(review["no_match_reason"], "draft_failed", "{review}");
    let mut c = store.db.read().await.unwrap();
    let dead: i64 = job::counts(&mut c)
        .await
        .unwrap()
        .iter()
        .filter(|(_, s, _)| s == "dead")
        .map(|(.., n)| n)
        .sum();
    assert_eq!(dead, 2);
    drop(c);

    // A person replays them: both are claimed again, with fresh attempts.
    assert_eq!(pipeline::replay(store, &app.home.id).await.unwrap(), 2);
    let again = job::claim(store, "w", Lane::Messages, 9, LEASE).await.unwrap();
    assert_eq!(again.iter().map(|c| c.attempt).collect::<Vec<_>>(), [1, 1]);
    // The empty review makes room for the new draft.
    let answer = again.iter().find(|c| c.kind == Kind::Answer).unwrap();
    app.app.pipeline.run(answer).await.unwrap();
    let fresh = app.review_in(&good, &["pending", "no_match"]).await;
    assert_ne!(fresh["id"], review["id"]);
    assert_ne!(fresh["no_match_reason"], "draft_failed", "{fresh}");
    app.stop().await;
});

on_both!(no_window_holds_more_than_burst_and_rate, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let channel: ChannelId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    let (rate, burst) = (2.0, 5.0);
    let start = 1_800_000_000_000_000i64;
    let mut taken: Vec<(i64, f64)> = Vec::new();
    for step in 0..300i64 {
        let at = start + step * 100_000;
        let want = if step % 7 == 0 { 3.0 } else { 1.0 };
        let mut tx = app.store.db.begin().await.unwrap();
        let got = send::take_tokens(
            &mut tx,
            &app.home.id,
            &channel,
            "shop",
            rate,
            burst,
            want,
            Micros(at),
        )
        .await
        .unwrap();
        match got {
            Ok(()) => taken.push((at, want)),
            Err(wait) => {
                assert!(wait > Duration::ZERO && wait < Duration::from_secs(60), "{wait:?}")
            }
        }
        tx.commit().await.unwrap();
    }
    for (i, (from, _)) in taken.iter().enumerate() {
        let mut sum = 0.0;
        for (to, n) in &taken[i..] {
            sum += n;
            let seconds = (to - from) as f64 / 1e6;
            assert!(sum <= burst + rate * seconds + 1e-6, "{sum} within {seconds} s");
        }
    }
    let all: f64 = taken.iter().map(|(_, n)| n).sum();
    assert!(all >= rate * 30.0 * 0.8, "only {all} went through: the bucket holds back too much");
    app.stop().await;
});
