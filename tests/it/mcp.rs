//! The MCP server as clients start it: the real binary over standard input and output.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::{ARTICLE, Engine, QUESTION, TestApp, model_folder};

struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    next: i64,
}

impl Client {
    fn start(env: &[(&str, &str)]) -> Self {
        let mut c = Command::new(env!("CARGO_BIN_EXE_countersign"));
        c.args(["--set", &format!("model.folder={}", model_folder().display()), "mcp"])
            .env_remove("COUNTERSIGN_URL")
            .env_remove("COUNTERSIGN_API_KEY")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = c.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines(), next: 1 }
    }

    async fn write(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// Every line of standard output is a message of the protocol.
    async fn read(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line());
        let line = line.await.expect("no answer").unwrap().expect("it ended");
        let v: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert_eq!(v["jsonrpc"], "2.0");
        v
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let answer = self.read().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn initialize(&mut self) {
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"}});
        let a = self.ask("initialize", hello).await;
        assert_eq!(a["result"]["serverInfo"]["name"], "countersign", "{a}");
        assert!(a["result"]["capabilities"]["tools"].is_object(), "{a}");
        self.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The JSON in a good result.
    async fn good(&mut self, tool: &str, arguments: Value) -> Value {
        let a = self.call(tool, arguments).await;
        assert_ne!(a["result"]["isError"], true, "{a}");
        let text = a["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{a}"));
        serde_json::from_str(text).unwrap()
    }

    /// The words of a failure, by whichever way it is told.
    async fn bad(&mut self, tool: &str, arguments: Value) -> String {
        let a = self.call(tool, arguments).await;
        let error = a["error"]["message"].as_str();
        let failed = (a["result"]["isError"] == true)
            .then(|| a["result"]["content"][0]["text"].as_str())
            .flatten();
        error.or(failed).unwrap_or_else(|| panic!("no failure: {a}")).to_owned()
    }

    /// Closes standard input; the server ends by itself.
    async fn end(mut self) {
        drop(self.stdin.take());
        let ended = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await;
        assert!(ended.expect("it goes on after the end of its input").unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_assistant_reads_the_queue_and_can_t_approve() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", &format!("{QUESTION} I am robin@example.com.")).await;
    let review = app.review_in(&id, &["pending"]).await;
    let review = review["id"].as_str().unwrap();
    let mut c = Client::start(&[
        ("COUNTERSIGN_URL", app.base.as_str()),
        ("COUNTERSIGN_API_KEY", app.home.key.as_str()),
    ]);
    c.initialize().await;
    let list = c.ask("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap();
    let mut names: Vec<&str> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["classify", "get_review", "list_reviews", "mask", "search_knowledge"]);
    for t in tools {
        assert_eq!(t["annotations"]["readOnlyHint"], true, "{t}");
        assert_eq!(t["inputSchema"]["type"], "object", "{t}");
        let fields = t["inputSchema"]["properties"].as_object().unwrap();
        assert!(fields.values().all(|f| f["description"].is_string()), "{t}");
    }

    let masked = c.good("mask", json!({"text": "Write to robin@example.com"})).await;
    assert_eq!(masked["masked"], "Write to <EMAIL_1>", "{masked}");
    assert_eq!(masked["types"]["EMAIL_ADDRESS"], 1);
    let found = c.good("search_knowledge", json!({"query": "returns", "limit": 3})).await;
    assert!(found["items"][0]["text"].as_str().unwrap().contains("30 days"), "{found}");
    let queue = c.good("list_reviews", json!({"state": "pending"})).await;
    assert_eq!(queue["items"][0]["id"], review, "{queue}");
    let one = c.good("get_review", json!({"id": review})).await;
    assert!(one["draft"]["text"].as_str().unwrap().contains("30 days"), "{one}");
    let said = one["conversation"].to_string();
    assert!(said.contains("<EMAIL_1>") && !said.contains("robin@example.com"), "{said}");

    for (tool, arguments, word) in [
        ("mask", json!({}), "text"),
        ("mask", json!({"text": 5}), "wrong type"),
        ("mask", json!({"text": "  "}), "empty"),
        ("mask", json!({"text": "x", "txt": "y"}), "expected `text`"),
        ("classify", json!({"text": "x".repeat(200_001)}), "longer"),
        ("search_knowledge", json!({"query": ""}), "empty"),
        ("list_reviews", json!({"state": "nonsense"}), "bad_state"),
        ("get_review", json!({"id": "../keys"}), "id"),
        ("get_review", json!({"id": "0198d9a0-0000-7000-8000-000000000001"}), "not_found"),
        ("approve", json!({"id": review}), "approve"),
    ] {
        let why = c.bad(tool, arguments.clone()).await;
        assert!(why.contains(word) || tool == "approve", "{tool} {arguments}: {why}");
    }
    // A name may be made to look like the rest of the sentence.
    for name in ["expected jane@example.com", "x`, expected jane@example.com"] {
        let why = c.bad("mask", json!({"text": "x", name: 1})).await;
        assert!(why.contains("`text`") && !why.contains("jane"), "{why}");
    }
    let still = app.review_in(&id, &["pending"]).await;
    assert_eq!(still["revision"], 1, "reading changed nothing");
    let unknown = c.ask("nonsense/method", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    c.end().await;

    let mut c = Client::start(&[
        ("COUNTERSIGN_URL", app.base.as_str()),
        ("COUNTERSIGN_API_KEY", "cs_live_wrong"),
    ]);
    c.initialize().await;
    let why = c.bad("list_reviews", json!({})).await;
    assert!(why.contains("unauthorized") && !why.contains("cs_live_wrong"), "{why}");
    c.end().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_service_texts_are_read_in_the_process() {
    let mut c = Client::start(&[]);
    c.initialize().await;
    let masked = c.good("mask", json!({"text": "Write to robin@example.com"})).await;
    assert_eq!(masked["masked"], "Write to <EMAIL_1>", "{masked}");
    let text = "I want my money back, this is the third time I ask!";
    let read = c.good("classify", json!({"text": text, "subject": "Refund"})).await;
    assert_eq!(read["language"], "en", "{read}");
    assert!(read["intent"]["confidence"].is_number(), "{read}");
    let mut said: Vec<&String> = read.as_object().unwrap().keys().collect();
    said.sort();
    assert_eq!(said, ["injection", "intent", "language", "sentiment", "spam", "urgency"]);
    let why = c.bad("list_reviews", json!({})).await;
    assert!(why.contains("COUNTERSIGN_URL"), "{why}");
    c.end().await;
    // A client that says nothing and leaves.
    Client::start(&[]).end().await;
    // A service that isn't there.
    let env = [("COUNTERSIGN_URL", "http://127.0.0.1:9"), ("COUNTERSIGN_API_KEY", "cs_live_x")];
    let mut c = Client::start(&env);
    c.initialize().await;
    let why = c.bad("mask", json!({"text": "x"})).await;
    assert!(why.contains("can't be reached"), "{why}");
    c.end().await;
}
