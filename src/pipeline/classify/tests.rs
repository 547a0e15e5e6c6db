//! The queue and its workers with an encoder that does as it is told.

use std::sync::mpsc;

use super::*;
use crate::nlp::encoder::Encoding;
use crate::nlp::heads::Taxonomy as Intents;

/// Waits for a permit before each call, says how many texts it was given, and panics at `boom`.
pub(super) struct Stub {
    permits: Mutex<mpsc::Receiver<()>>,
    seen: mpsc::Sender<Vec<String>>,
    held: bool,
}

impl Embed for Stub {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        if self.held {
            let _ = self.permits.lock().unwrap().recv();
            let _ = self.seen.send(texts.iter().map(|t| (*t).to_owned()).collect());
        }
        assert!(!texts.contains(&"boom"), "as asked");
        let one = |text: &&str| {
            let letters = text.bytes().map(f32::from).sum::<f32>();
            let embedding = vec![letters.sin(), letters.cos()];
            Encoding { layer4: embedding.clone(), embedding, tokens: text.len() }
        };
        texts.iter().map(one).collect()
    }

    fn id(&self) -> &str {
        "stub"
    }

    fn dims(&self) -> usize {
        2
    }
}

pub(super) fn stub(held: bool) -> (Arc<Stub>, mpsc::Sender<()>, mpsc::Receiver<Vec<String>>) {
    let ((permit, permits), (seen, said)) = (mpsc::channel(), mpsc::channel());
    (Arc::new(Stub { permits: Mutex::new(permits), seen, held }), permit, said)
}

pub(super) fn triage() -> Arc<Triage> {
    static FITTED: std::sync::OnceLock<Arc<Triage>> = std::sync::OnceLock::new();
    let fit = || {
        let taxonomy = Intents::parse(crate::nlp::heads::DEFAULT_TAXONOMY).unwrap();
        Arc::new(Triage::load(taxonomy, &*stub(false).0, None).unwrap())
    };
    FITTED.get_or_init(fit).clone()
}

pub(super) fn usual() -> Arc<Promoted> {
    Arc::new(Promoted::new(triage()))
}

fn tenant() -> TenantId {
    TenantId::from_uuid(uuid::Uuid::from_u128(1))
}

pub(super) fn limits() -> config::Classify {
    let none = |_: &str| None;
    let mut limits = config::Config::load(None, &none, &[]).unwrap().classify;
    (limits.queue, limits.batch) = (8, 3);
    limits
}

fn owner(n: u8) -> KeyId {
    format!("018f0000-0000-7000-8000-0000000000{n:02x}").parse().unwrap()
}

fn ask(c: &Classifier, text: &str) -> Question {
    Question {
        subject: None,
        text: text.to_owned(),
        history: Arc::new([]),
        earlier: Vec::new(),
        taxonomy: c.taxonomy(&tenant(), "default").unwrap(),
        vip: false,
        explain: false,
    }
}

fn asks(c: &Classifier, texts: &[&str]) -> Vec<Question> {
    texts.iter().map(|t| ask(c, t)).collect()
}

fn worker(c: &Classifier) -> std::thread::JoinHandle<()> {
    let c = c.clone();
    std::thread::spawn(move || c.work())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_read_together_and_owners_take_turns() {
    let (encoder, permit, said) = stub(true);
    let c = Classifier::new(limits(), usual(), [], encoder);
    let mut first = c.submit(&owner(1), asks(&c, &["a1"])).unwrap();
    let w = worker(&c);
    // The worker holds the first text; the others come in meanwhile.
    while c.depth().0 > 0 {
        tokio::task::yield_now().await;
    }
    let many = c.submit(&owner(1), asks(&c, &["a2", "a3", "a4", "a5"])).unwrap();
    let few = c.submit(&owner(2), asks(&c, &["b1"])).unwrap();
    for _ in 0..3 {
        permit.send(()).unwrap();
    }
    let batches: Vec<Vec<String>> = (0..3).map(|_| said.recv().unwrap()).collect();
    assert_eq!(batches[0], ["a1"]);
    assert!(batches[1].contains(&"b1".to_owned()) && batches[1].len() == 3, "{batches:?}");
    assert_eq!(batches[2], ["a4", "a5"]);
    first[0].answer().await.unwrap();
    for mut p in many.into_iter().chain(few) {
        p.answer().await.unwrap();
    }
    c.close();
    w.join().unwrap();
    assert!(c.submit(&owner(1), asks(&c, &["x"])).is_err_and(|e| e == ClassifyError::Stopping));
}

#[tokio::test]
async fn beyond_its_bound_the_queue_refuses_and_one_owner_gets_half_of_it() {
    let c = Classifier::new(limits(), usual(), [], stub(false).0);
    let busy = |r: Result<Vec<Pending>, _>| matches!(r, Err(ClassifyError::Busy { .. }));
    let five = ["1", "2", "3", "4", "5"];
    assert!(busy(c.submit(&owner(1), asks(&c, &five))));
    assert_eq!(c.depth(), (0, 8), "all or none");
    let kept = c.submit(&owner(1), asks(&c, &five[..4])).unwrap();
    assert!(busy(c.submit(&owner(1), asks(&c, &["6"]))));
    let other = c.submit(&owner(2), asks(&c, &five[..4])).unwrap();
    assert!(busy(c.submit(&owner(3), asks(&c, &["6"]))));
    // Callers that went away leave their places.
    drop(other);
    assert!(c.submit(&owner(3), asks(&c, &five[..4])).is_ok());
    let text = c.figures().text(c.depth());
    assert!(text.contains("reason=\"refused\"} 7\n"), "{text}");
    assert!(text.contains("reason=\"gone\"} 4\n"), "{text}");
    // At the end of all time what waits is told.
    c.abandon();
    for mut p in kept {
        assert_eq!(p.answer().await, Err(ClassifyError::Stopping));
    }
}

#[tokio::test]
async fn who_waits_for_himself_does_not_shut_the_others_out() {
    let (encoder, ..) = stub(false);
    let c = Classifier::new(config::Classify { queue: 64, ..limits() }, usual(), [], encoder);
    let many = asks(&c, &["text"; 30]);
    let cost = many[0].cost();
    let kept = c.submit(&owner(1), many).unwrap();
    // Thirty texts take a minute, and a text may take ten seconds.
    c.0.lock().pace = 2e9 / cost as f64;
    let busy = c.submit(&owner(1), asks(&c, &["one more"])).unwrap_err();
    assert!(matches!(busy, ClassifyError::Busy { after } if after.as_secs() >= 59), "{busy:?}");
    assert_eq!(c.admit(&owner(1), &asks(&c, &["one more"])), Err(busy));
    let other = c.submit(&owner(2), asks(&c, &["one", "two"])).unwrap();
    assert!(c.submit(&owner(2), asks(&c, &["text"; 8])).is_err(), "their last would be too late");
    // What nobody waits for any more holds nobody up.
    drop((kept, other));
    assert!(c.submit(&owner(3), asks(&c, &["text"; 32])).is_ok());
}

#[test]
fn streams_are_bounded_for_each_owner_and_for_all() {
    let bounds = config::Classify { max_streams: 3, streams_per_key: 2, ..limits() };
    let c = Classifier::new(bounds, usual(), [], stub(false).0);
    let first = [1, 1, 2].map(|n| c.stream(&owner(n)).unwrap());
    assert!(c.stream(&owner(3)).is_err(), "all are taken");
    let [a, b, d] = first;
    drop(d);
    assert!(c.stream(&owner(1)).is_err(), "one owner has two");
    let d = c.stream(&owner(3)).unwrap();
    drop((a, b, d));
    assert!(c.0.lock().streams.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_or_comes_too_late_is_not_read() {
    let (encoder, permit, said) = stub(true);
    let c = Classifier::new(config::Classify { deadline_ms: 40, ..limits() }, usual(), [], encoder);
    let gone = c.submit(&owner(1), asks(&c, &["gone"])).unwrap();
    drop(gone);
    let mut late = c.submit(&owner(1), asks(&c, &["late"])).unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let mut kept = c.submit(&owner(1), asks(&c, &["kept"])).unwrap();
    permit.send(()).unwrap();
    let w = worker(&c);
    assert!(matches!(late[0].answer().await, Err(ClassifyError::Late { .. })));
    kept[0].answer().await.unwrap();
    assert_eq!(said.recv().unwrap(), ["kept"]);
    c.close();
    w.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_breaks_the_heads_fails_alone() {
    let c = Classifier::new(limits(), usual(), [], stub(false).0);
    let pending = c.submit(&owner(1), asks(&c, &["one", "boom", "two"])).unwrap();
    let w = worker(&c);
    let mut answers = Vec::new();
    for mut p in pending {
        answers.push(p.answer().await.map(|_| ()));
    }
    assert_eq!(answers, [Ok(()), Err(ClassifyError::Failed), Ok(())]);
    c.close();
    w.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_has_a_trend_and_a_neighbour_keeps_its_own() {
    let c = Classifier::new(limits(), usual(), [], stub(false).0);
    let thread = Question {
        earlier: vec!["Thank you, wonderful!".to_owned(), "Fine.".to_owned()],
        ..ask(&c, "This is a disgrace, I hate it!")
    };
    let pending = c.submit(&owner(1), vec![ask(&c, "Hello"), thread, ask(&c, "Bye")]).unwrap();
    let w = worker(&c);
    let mut trends = Vec::new();
    for mut p in pending {
        trends.push(p.answer().await.unwrap().analysis.trend.is_some());
    }
    assert_eq!(trends, [false, true, false]);
    c.close();
    w.join().unwrap();
}
