//! A webhook endpoint that takes a reply and gives no answer: nobody knows whether it arrived, so
//! nothing sends it again, and a person decides.
#![expect(clippy::disallowed_methods, reason = "an endpoint runs beside the test")]

use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::set_up_endpoint;
use crate::harness::Database;
use crate::on_both;
use crate::process::{Driver, Process, Start, audited, one, until, watch};

/// What the endpoint does with a delivery that it has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Says 200.
    Answer,
    /// Drops the connection.
    Drop,
    /// Keeps it, and says nothing.
    Hang,
    /// Says 429 the first time, and 200 later, after thinking about it.
    BusyThenSlow { retry_after_s: u64, think: Duration },
}

type Calls = Arc<Mutex<Vec<(String, Instant)>>>;

/// An endpoint that writes down whatever it was sent.
pub struct Endpoint {
    pub url: String,
    calls: Calls,
    manner: Arc<Mutex<Manner>>,
    task: tokio::task::JoinHandle<()>,
}

impl Endpoint {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/replies", listener.local_addr().unwrap());
        let (calls, manner) = (Calls::default(), Arc::new(Mutex::new(manner)));
        let (c, m) = (calls.clone(), manner.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (c, m) = (c.clone(), m.clone());
                tokio::spawn(async move { take(stream, &c, &m).await });
            }
        });
        Self { url, calls, manner, task }
    }

    pub fn turn(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The ids of all deliveries that were read to their end, and when.
    pub fn calls(&self) -> Vec<(String, Instant)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(mut stream: TcpStream, calls: &Calls, manner: &Mutex<Manner>) {
    let Some(id) = read(&mut stream).await else { return };
    let (manner, earlier) = {
        let mut calls = calls.lock().unwrap();
        let earlier = calls.iter().filter(|(other, _)| *other == id).count();
        calls.push((id, Instant::now()));
        (*manner.lock().unwrap(), earlier)
    };
    let answer = match manner {
        Manner::Answer => "200 OK".to_owned(),
        Manner::Drop => return,
        Manner::Hang => {
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 64]).await;
            return;
        }
        Manner::BusyThenSlow { retry_after_s, .. } if earlier == 0 => {
            format!("429 Too Many Requests\r\nretry-after: {retry_after_s}")
        }
        Manner::BusyThenSlow { think, .. } => {
            tokio::time::sleep(think).await;
            "200 OK".to_owned()
        }
    };
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Reads a request to its end; gives its `webhook-id`.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let field = |name: &str| {
                head.lines().find_map(|l| {
                    let (n, value) = l.split_once(':')?;
                    n.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
                })
            };
            if body.len() >= field("content-length")?.parse::<usize>().ok()? {
                return field("webhook-id");
            }
        }
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..n]);
    }
}

/// What nothing is known about stays so until a person settles it, and nothing sends it again.
async fn settles(url: &str, driver: &Driver, endpoint: &Endpoint, unknown: usize, calls: usize) {
    let mut p = Process::serve(url, None);
    p.ready(&driver.http).await;
    let look = watch(url).await;
    driver.finish(&p.base, &look).await;
    assert_eq!(endpoint.calls().len(), calls, "it was sent again by itself");
    let list = driver.get(format!("{}/v1/reviews?state=unknown", p.base)).await.unwrap().1;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), unknown, "{list}");
    for (i, review) in items.iter().enumerate() {
        let settle = format!("{}/v1/reviews/{}/settle", p.base, review["id"].as_str().unwrap());
        let arrived = i % 2 == 0;
        let (status, said) =
            driver.post(settle.clone(), &json!({"arrived": arrived})).await.unwrap();
        assert_eq!(status, 200, "{said}");
        assert_eq!(said["state"], if arrived { "sent" } else { "failed" }, "{said}");
        let (status, said) = driver.post(settle, &json!({"arrived": true})).await.unwrap();
        assert_eq!(status, 409, "settled twice: {said}");
    }
    assert_eq!(endpoint.calls().len(), calls, "settling sent it again");
    // What did not arrive is back in the queue: signed once more, it goes out under an id of its own.
    endpoint.turn(Manner::Answer);
    driver.finish(&p.base, &look).await;
    let calls = calls + unknown / 2;
    assert_eq!(endpoint.calls().len(), calls);
    let mut ids: Vec<String> = endpoint.calls().into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), calls, "one delivery an id");
    look.close().await;
    p.stop().await;
    audited(url, &driver.acked).await;
}

/// Signs what comes up until the endpoint has been called `n` times or the process has ended.
async fn until_called(p: &mut Process, driver: &Driver, endpoint: &Endpoint, n: usize) {
    let begun = Instant::now();
    while p.ended().is_none() && endpoint.calls().len() < n {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was sent");
        driver.approve(&p.base).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

on_both!(a_reply_without_an_answer_is_never_repeated, engine, {
    let database = Database::new(engine).await;
    let url = database.url.as_str();
    let endpoint = Endpoint::start(Manner::Drop).await;
    let mut driver = set_up_endpoint(url, &endpoint.url).await;
    let mut p = Process::serve(url, None);
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    let look = watch(url).await;
    for (n, manner) in [(1, Manner::Drop), (2, Manner::Hang)] {
        endpoint.turn(manner);
        assert!(driver.say(&p.base).await);
        driver.finish(&p.base, &look).await;
        assert_eq!(endpoint.calls().len(), n, "{manner:?}");
    }
    look.close().await;
    p.stop().await;
    // Killed before it went out, and after.
    for (n, place) in [(2, "send.begun"), (3, "send.delivered")] {
        let mut p = Process::serve(url, Some(place));
        p.ready(&driver.http).await;
        assert!(driver.say(&p.base).await);
        until_called(&mut p, &driver, &endpoint, usize::MAX).await;
        let ended = p.ended().unwrap();
        assert_eq!(ended.signal(), Some(6), "{place}: {ended}");
        assert_eq!(endpoint.calls().len(), n, "{place}");
    }
    settles(url, &driver, &endpoint, 4, 3).await;
});

on_both!(a_send_that_holds_up_the_stop_is_cut_off_without_loss, engine, {
    let database = Database::new(engine).await;
    let url = database.url.as_str();
    let endpoint = Endpoint::start(Manner::Hang).await;
    let mut driver = set_up_endpoint(url, &endpoint.url).await;
    for (n, twice) in [(1, false), (2, true)] {
        // Twice: a second signal, long before the drain is over.
        let [lease, timeout, drain] = match twice {
            true => ["worker.lease_s=6", "send.timeout_s=5", "worker.drain_s=60"],
            false => ["worker.lease_s=12", "send.timeout_s=10", "worker.drain_s=1"],
        };
        let mut p = Start::new("serve", url).set(lease).set(timeout).set(drain).begin();
        p.ready(&driver.http).await;
        driver.teach(&p.base).await;
        assert!(driver.say(&p.base).await);
        until_called(&mut p, &driver, &endpoint, n).await;
        let asked = Instant::now();
        p.signal("-TERM");
        if twice {
            let health = format!("{}/healthz", p.base);
            until("it takes no more requests", async || {
                driver.http.get(&health).send().await.is_err()
            })
            .await;
            assert!(p.ended().is_none(), "it did not wait for what was running");
            p.signal("-TERM");
        }
        let ended = p.wait(Duration::from_secs(if twice { 4 } else { 9 })).await;
        assert_eq!(
            ended.and_then(|e| e.code()),
            Some(if twice { 130 } else { 0 }),
            "{ended:?} after {:?} (none: not in time)",
            asked.elapsed()
        );
        if !twice {
            let look = watch(url).await;
            let running = "select cast(count(*) as bigint) from job where state = 'running'";
            assert_eq!(one(&look, running).await, 0, "a claim was not handed back");
            look.close().await;
        }
    }
    settles(url, &driver, &endpoint, 2, 2).await;
});
