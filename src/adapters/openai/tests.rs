//! The adapter against servers on this machine: what it sends, what it makes of answers, and of
//! those that are late, torn or no answer at all.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::*;
use crate::domain::draft::{Draft, DraftRequest, NoMatchReason, Passage, SentenceRole, Tone};
use crate::domain::ids::Micros;
use crate::domain::masking::{Numbering, Outbound, PublicText, RenderedText};
use crate::domain::message::ChannelKind;
use crate::domain::triage::{LanguageCode, SentimentLabel};
use crate::ports::PromptText;

/// 22 November 2026, 12:00:00 UTC, standing still; jitter is always 0.
struct Frozen;

impl Host for Frozen {
    fn now(&self) -> Micros {
        Micros(1_795_348_800_000_000)
    }
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
    fn fill(&self, buf: &mut [u8]) {
        buf.fill(0);
    }
}

fn rendered(text: &str) -> RenderedText {
    Outbound::from(&PublicText::new(text)).render(&Numbering::new())
}

fn request() -> ChatRequest {
    let passage = |n: usize| Passage {
        id: format!("c{n}"),
        source_id: "a".into(),
        title: "Returns".into(),
        text: rendered("You can return it within 30 days."),
        score: 0.5,
        public: true,
    };
    let draft = DraftRequest {
        subject: None,
        message: rendered("How long?"),
        history: vec![],
        passages: vec![passage(1), passage(2)],
        addressee: None,
        language: LanguageCode::EN,
        channel: ChannelKind::Email,
        mood: SentimentLabel::Neutral,
        intent: None,
        tone: None,
    };
    let prompt = Prompt {
        system: PromptText::sample("the rules"),
        user: PromptText::sample("the question"),
        schema: json!({"type": "object"}),
        version: "v".into(),
        passages: 2,
    };
    ChatRequest { draft, prompt: Some(prompt) }
}

fn model(base_url: &str, timeout: Duration) -> OpenAi {
    let mut settings = OpenAiSettings::new(format!("{base_url}/v1"), "local");
    settings.api_key = ApiKey::new("secret");
    settings.timeout = timeout;
    OpenAi::new(settings, Arc::new(Frozen)).unwrap()
}

fn completion(content: &str) -> Value {
    json!({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]})
}

fn good() -> Value {
    let answer = json!({
        "sentences": [
            {"text": "Hello,", "citations": []},
            {"text": "\n\nYou can return it within 30 days.", "citations": [1]},
        ],
        "unanswered": ["Is it blue?"],
        "tone": "friendly",
    });
    completion(&answer.to_string())
}

async fn server(responder: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .respond_with(responder)
        .mount(&server)
        .await;
    server
}

/// Answers in turn, the last one for ever.
struct InTurn(std::sync::Mutex<Vec<ResponseTemplate>>);

impl InTurn {
    fn new(answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        Self(std::sync::Mutex::new(answers.into_iter().collect()))
    }
}

impl Respond for InTurn {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut left = self.0.lock().unwrap();
        if left.len() > 1 { left.remove(0) } else { left[0].clone() }
    }
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

const SECOND: Duration = Duration::from_secs(1);

fn drafted(outcome: Result<DraftOutcome, ChatError>) -> Draft {
    match outcome {
        Ok(DraftOutcome::Draft(draft)) => draft,
        other => panic!("no draft but {other:?}"),
    }
}

#[tokio::test]
async fn a_draft_comes_back_and_the_request_is_as_documented() {
    let server = MockServer::start().await;
    let body = json!({"model": "local", "max_tokens": 800, "temperature": 0.0,
        "response_format": {"type": "json_schema", "json_schema": {"name": "draft", "strict": true}},
        "messages": [{"role": "system", "content": "the rules"}, {"role": "user", "content": "the question"}]});
    Mock::given(header("authorization", "Bearer secret"))
        .and(body_partial_json(body))
        .respond_with(ok(&good()))
        .expect(1)
        .mount(&server)
        .await;
    let model = model(&server.uri(), 5 * SECOND);
    let draft = drafted(model.draft(&request()).await);
    assert_eq!(draft.text, "Hello,\n\nYou can return it within 30 days.");
    assert_eq!(draft.sentences[0].role, SentenceRole::Courtesy);
    assert_eq!(draft.sentences[1].citations, [1]);
    assert_eq!((draft.tone, draft.unanswered), (Tone::Friendly, vec!["Is it blue?".to_owned()]));
    assert!(!format!("{model:?}").contains("secret"));
}

#[tokio::test]
async fn a_rate_limit_is_never_broken() {
    // What the header says, and the least that must be waited for.
    let tenth = Duration::from_millis(100);
    for (value, at_least) in [
        ("5", 5 * SECOND),
        ("Sun, 22 Nov 2026 12:00:40 GMT", 40 * SECOND),
        ("999999999999", 86_400 * SECOND),
        ("inf", SECOND),
        ("1e18", SECOND),
        ("-1", SECOND),
        ("soon", SECOND),
    ] {
        let server = server(ResponseTemplate::new(429).insert_header("retry-after", value)).await;
        match model(&server.uri(), 9 * tenth).draft(&request()).await {
            Err(ChatError::Retry { after, asked: true, .. }) => {
                assert!(after >= at_least, "{value}: {after:?}")
            }
            other => panic!("{value}: {other:?}"),
        }
        assert_eq!(calls(&server).await, 1, "{value}");
    }
}

/// Another conversation's request doesn't go out before the pause is over either.
#[tokio::test]
async fn a_pause_that_was_asked_for_holds_for_all() {
    let server = server(ResponseTemplate::new(429).insert_header("retry-after", "5")).await;
    let model = model(&server.uri(), SECOND);
    for _ in 0..2 {
        let error = model.draft(&request()).await.unwrap_err();
        assert!(
            matches!(error, ChatError::Retry { after, asked: true, .. } if after >= 5 * SECOND)
        );
    }
    assert_eq!(calls(&server).await, 1);
}

#[tokio::test]
async fn a_short_wait_is_waited_out() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "1");
    let server = server(InTurn::new([limited, ok(&good())])).await;
    let begun = std::time::Instant::now();
    drafted(model(&server.uri(), 10 * SECOND).draft(&request()).await);
    assert!(begun.elapsed() >= SECOND);
    assert_eq!(calls(&server).await, 2);
}

#[tokio::test]
async fn server_errors_are_retried_and_then_left_to_the_worker() {
    let server = server(ResponseTemplate::new(500)).await;
    let model = model(&server.uri(), 10 * SECOND);
    let begun = std::time::Instant::now();
    let error = model.draft(&request()).await.unwrap_err();
    assert!(
        matches!(error, ChatError::Retry { after, asked: false, .. } if after == 4 * SECOND),
        "{error:?}"
    );
    assert!(begun.elapsed() >= 3 * SECOND, "1 s, then 2 s");
    assert_eq!(calls(&server).await, 3);
    // Two more failures open the circuit: the endpoint is left alone.
    let error = model.draft(&request()).await.unwrap_err();
    assert!(matches!(error, ChatError::Retry { .. }));
    assert_eq!(calls(&server).await, 5);
    let before = calls(&server).await;
    let error = model.draft(&request()).await.unwrap_err();
    assert!(
        matches!(error, ChatError::Retry { after, asked: false, .. } if after <= 30 * SECOND),
        "{error:?}"
    );
    assert_eq!(calls(&server).await, before);
}

#[tokio::test]
async fn refusals_are_permanent() {
    for (status, code) in [
        (400, "context_length_exceeded"),
        (401, "invalid_api_key"),
        (404, "x"),
        (429, "insufficient_quota"),
        (302, "x"),
    ] {
        let body = json!({"error": {"code": code, "message": "the prompt was: secret words"}});
        let server = server(
            ResponseTemplate::new(status)
                .set_body_json(&body)
                .insert_header("location", "http://127.0.0.1:1/"),
        )
        .await;
        let error = model(&server.uri(), 5 * SECOND).draft(&request()).await.unwrap_err();
        assert!(matches!(error, ChatError::Permanent(_)), "{status}: {error:?}");
        assert!(!format!("{error:?}").contains("secret words"));
        assert_eq!(calls(&server).await, 1);
    }
}

#[tokio::test]
async fn useless_answers_are_asked_for_twice_more_and_then_a_person_writes() {
    let huge = "x".repeat(300 * 1024);
    let cut = json!({"choices": [{"message": {"content": "{\"sentences\": [{\"te"}, "finish_reason": "length"}]});
    let long = json!({"sentences": vec![json!({"text": "x", "citations": []}); 61], "unanswered": [], "tone": "neutral"});
    for (name, answer) in [
        ("garbage", ResponseTemplate::new(200).set_body_string("<html>gateway</html>")),
        ("no completion", ok(&json!({"hello": 1}))),
        ("no choice", ok(&json!({"choices": []}))),
        ("not json", ok(&completion("Sure! Here is your draft"))),
        ("half json", ok(&completion("{\"sentences\": [{\"text\": \"Hi"))),
        ("wrong schema", ok(&completion("{\"reply\": \"Hi\"}"))),
        ("wrong types", ok(&completion("{\"sentences\": [\"Hi\"], \"unanswered\": []}"))),
        ("cut off", ok(&cut)),
        ("too many", ok(&completion(&long.to_string()))),
        ("huge", ok(&completion(&huge))),
    ] {
        let server = server(answer).await;
        let error = model(&server.uri(), 10 * SECOND).draft(&request()).await.unwrap_err();
        assert!(matches!(error, ChatError::NeedsPerson { .. }), "{name}: {error:?}");
        assert_eq!(calls(&server).await, 3, "{name}");
    }
}

#[tokio::test]
async fn a_repaired_answer_counts_and_the_flawed_one_is_not_sent_back() {
    let flawed = ok(&completion("oops 4711"));
    let server = server(InTurn::new([flawed, ok(&good())])).await;
    drafted(model(&server.uri(), 10 * SECOND).draft(&request()).await);
    let sent = server.received_requests().await.unwrap();
    let second = String::from_utf8_lossy(&sent[1].body);
    assert!(second.contains("could not be read") && !second.contains("4711"));
}

#[tokio::test]
async fn filtered_and_refused_answers_go_to_a_person_at_once() {
    let filtered =
        json!({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]});
    let refused = json!({"choices": [{"message": {"content": null, "refusal": "I can't"}, "finish_reason": "stop"}]});
    for body in [filtered, refused] {
        let server = server(ok(&body)).await;
        let error = model(&server.uri(), 5 * SECOND).draft(&request()).await.unwrap_err();
        assert!(matches!(error, ChatError::NeedsPerson { .. }), "{error:?}");
        assert_eq!(calls(&server).await, 1);
    }
}

#[tokio::test]
async fn silence_is_cut_off() {
    let server = server(ok(&good()).set_delay(20 * SECOND)).await;
    let begun = std::time::Instant::now();
    let error = model(&server.uri(), SECOND / 2).draft(&request()).await.unwrap_err();
    assert!(matches!(error, ChatError::Retry { asked: false, .. }), "{error:?}");
    assert!(begun.elapsed() < 5 * SECOND);
}

/// A peer that does to each connection what `act` says.
fn raw_server(act: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            act(stream);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn dripping_and_broken_connections_are_transient() {
    let drip = raw_server(|mut s| {
        let mut head = [0; 1024];
        let _ = s.read(&mut head);
        let _ = s.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
        );
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(100));
            if s.write_all(b" ").is_err() {
                return;
            }
        }
    });
    let reset = raw_server(|mut s| {
        let mut head = [0; 16];
        let _ = s.read(&mut head);
    });
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for address in [drip, reset, closed] {
        let begun = std::time::Instant::now();
        let error =
            model(&address, Duration::from_millis(700)).draft(&request()).await.unwrap_err();
        assert!(matches!(error, ChatError::Retry { asked: false, .. }), "{error:?}");
        assert!(begun.elapsed() < 3 * SECOND);
    }
}

fn read(answer: &Value) -> Result<DraftOutcome, Flaw> {
    answer::read(&completion(&answer.to_string()), &request().draft, 2)
}

#[test]
fn citations_out_of_range_leave_the_sentence_uncited() {
    let answer = json!({"sentences": [{"text": "It takes 30 days.", "citations": [0, -1, 3, 99]}], "unanswered": [], "tone": "x"});
    let Ok(DraftOutcome::Draft(draft)) = read(&answer) else { panic!() };
    assert_eq!(
        (draft.sentences[0].role, draft.sentences[0].citations.len()),
        (SentenceRole::Statement, 0)
    );
    assert_eq!(draft.tone, Tone::Neutral, "an unknown tone is the one that was asked for");
}

#[test]
fn nothing_answered_is_no_match() {
    for sentences in [json!([]), json!([{"text": "Hello,", "citations": []}])] {
        let answer = json!({"sentences": sentences, "unanswered": ["How?"], "tone": "neutral"});
        assert_eq!(
            read(&answer),
            Ok(DraftOutcome::NoMatch { reason: NoMatchReason::NotAnswered, best_score: 0.5 })
        );
    }
}

#[test]
fn a_code_block_is_opened_and_paragraphs_are_set() {
    let answer = json!({"sentences": [{"text": "Hello,"}, {"text": "It takes 30 days.", "citations": [2, 2]}, {"text": "Kind regards"}], "unanswered": []});
    let fenced = completion(&format!("```json\n{answer}\n```"));
    let Ok(DraftOutcome::Draft(draft)) = answer::read(&fenced, &request().draft, 2) else {
        panic!()
    };
    assert_eq!(draft.text, "Hello,\n\nIt takes 30 days.\n\nKind regards");
    assert_eq!(draft.sentences[1].citations, [2]);
}

#[test]
fn settings_are_checked() {
    let mut settings = OpenAiSettings::new("http://x/v1", "m");
    settings.context_tokens = 800;
    assert!(matches!(
        OpenAi::new(settings, Arc::new(Frozen)),
        Err(OpenAiSetupError::NoRoomForPrompt { .. })
    ));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(
                prop_oneof![
                    Just("sentences".to_owned()),
                    Just("text".to_owned()),
                    Just("citations".to_owned()),
                    Just("choices".to_owned()),
                    Just("message".to_owned()),
                    Just("content".to_owned())
                ],
                inner,
                0..4
            )
            .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader(response in json_value(), content in "\\PC{0,60}") {
        let _ = answer::read(&response, &request().draft, 2);
        let _ = answer::read(&completion(&content), &request().draft, 2);
        if let Ok(DraftOutcome::Draft(draft)) = read(&response) {
            prop_assert!(draft.sentences.iter().all(|s| s.citations.iter().all(|c| (1..=2).contains(c))));
        }
    }
}
