//! SIGTERM under load: it ends well and in time, what was acknowledged is there, no claim is left
//! behind, and the next process carries on.

use std::time::{Duration, Instant};

use super::set_up;
use crate::auditor;
use crate::harness::Database;
use crate::on_both;
use crate::process::{Driver, Process, long, one, open, watch};

/// Hands in and signs for ever.
async fn load(driver: &mut Driver, base: &str) {
    loop {
        driver.say(base).await;
        driver.approve(base).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_both!(a_stop_under_load_loses_nothing, engine, {
    let database = Database::new(engine).await;
    let url = database.url.as_str();
    let mut driver = set_up(url).await;
    let mut others = [1000, 2000].map(|next| Driver { next, ..Driver::new(driver.key.clone()) });
    let look = {
        let mut p = Process::serve(url, None);
        p.ready(&driver.http).await;
        driver.teach(&p.base).await;
        p.stop().await;
        watch(url).await
    };
    let running = "select cast(count(*) as bigint) from job where state = 'running'";
    for round in 0..if long() { 20 } else { 3 } {
        let mut p = Process::serve(url, None);
        p.ready(&driver.http).await;
        let (base, acked) = (p.base.clone(), driver.acked.len());
        while driver.acked.len() < acked + 3 {
            driver.say(&base).await;
        }
        let [second, third] = &mut others;
        let stop = async {
            tokio::time::sleep(Duration::from_millis(100 * round)).await;
            let asked = Instant::now();
            (p.terminate().await, asked.elapsed())
        };
        let (ended, took) = tokio::select! {
            stopped = stop => stopped,
            () = load(&mut driver, &base) => unreachable!(),
            () = load(second, &base) => unreachable!(),
            () = load(third, &base) => unreachable!(),
        };
        assert!(ended.is_some_and(|s| s.success()), "{ended:?} after {took:?}");
        assert_eq!(one(&look, running).await, 0, "a claim was left behind");
    }
    let mut p = Process::serve(url, None);
    p.ready(&driver.http).await;
    assert!(driver.say(&p.base).await);
    driver.finish(&p.base, &look).await;
    look.close().await;
    p.stop().await;
    let store = open(url).await;
    let acked: Vec<String> =
        [&driver].into_iter().chain(&others).flat_map(|d| d.acked.clone()).collect();
    assert!(acked.len() > 10, "{} messages are no load", acked.len());
    auditor::audit(&store, &acked).await;
    store.db.close().await;
});
