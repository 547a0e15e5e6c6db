//! Masking from outside: the route, the filters' further inputs, a tenant's own recognizers.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Engine, TestApp, model_folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_route_masks_and_stores_nothing() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let mask = |body: Value| {
        let (app, key) = (&app, app.home.key.clone());
        async move { app.post(&key, "/v1/mask", &body).await }
    };
    let text = "I am Anna Kowalska 😀, anna@shop.example, card 4111 1111 1111 1111.";
    let (status, b) = mask(json!({"text": text, "explain": true})).await;
    assert_eq!(status, 200, "{b}");
    assert_eq!(b["masked"], "I am <PERSON_1> 😀, <EMAIL_1>, card <CARD_1>.");
    let card = &b["spans"][2];
    assert_eq!((&card["type"], &card["validator"]), (&json!("CREDIT_CARD"), &json!("luhn")));
    let points: Vec<char> = text.chars().collect();
    let at = |name: &str| usize::try_from(card[name].as_u64().unwrap()).unwrap();
    let value: String = points[at("start")..at("end")].iter().collect();
    assert_eq!(value, "4111 1111 1111 1111");
    assert!(!b.to_string().contains("4111"), "values only on request");

    let (_, b) = mask(json!({"text": text, "entities": ["CREDIT_CARD"],
        "operators": {"CREDIT_CARD": "partial"}, "values": true}))
    .await;
    assert_eq!(b["masked"], "I am Anna Kowalska 😀, anna@shop.example, card **** **** **** 1111.");
    assert_eq!(b["spans"][0]["text"], "4111 1111 1111 1111");

    let (_, b) = mask(json!({"json": {"user": {"mail": "anna@shop.example"}, "n": 3}})).await;
    assert_eq!(b["masked"], json!({"user": {"mail": "<EMAIL_1>"}, "n": 3}));
    assert_eq!(b["spans"][0]["path"], "/user/mail");

    // One thread, one numbering; a bad item is named and the others are answered.
    let (status, b) = mask(json!({"items": [
        {"id": 1, "thread": "t", "text": "a@shop.example and b@shop.example"},
        {"id": 2, "text": 7},
        {"id": 3, "thread": "t", "text": "B@shop.example"},
        {"id": 4, "text": "b@shop.example"},
    ]}))
    .await;
    assert_eq!(status, 200);
    let of = |i: usize| b["items"][i]["masked"].as_str().unwrap_or_default();
    assert_eq!([of(0), of(2), of(3)], ["<EMAIL_1> and <EMAIL_2>", "<EMAIL_2>", "<EMAIL_1>"]);
    assert_eq!(
        (&b["items"][1]["id"], &b["items"][1]["error"]["code"]),
        (&json!(2), &json!("bad_item"))
    );

    // Hashes are the tenant's own.
    let ask = json!({"text": "a@shop.example", "operators": {"*": "hash"}});
    let (_, here) = app.post(&app.home.key, "/v1/mask", &ask).await;
    let (_, again) = app.post(&app.home.key, "/v1/mask", &ask).await;
    let other = app.tenant("other").await;
    let (_, there) = app.post(&other.key, "/v1/mask", &ask).await;
    assert_eq!(here["masked"], again["masked"]);
    assert_ne!(here["masked"], there["masked"]);

    for bad in [
        json!({}),
        json!({"text": "x", "items": []}),
        json!({"text": "x", "min_score": 2}),
        json!({"text": "x", "operators": {"EMAIL_ADDRESS": "hide"}}),
        json!({"items": vec![json!({"text": "x"}); 257]}),
    ] {
        let (status, b) = mask(bad.clone()).await;
        assert_eq!((status, &b["code"]), (422, &json!("bad_options")), "{bad}");
    }
    let (status, b) = mask(json!({"text": "anna@shop.example", "txet": 1})).await;
    assert_eq!(status, 400);
    assert!(!b.to_string().contains("anna"), "{b}");

    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as("select cast(count(*) as bigint) from vault_entry")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(n, 0);
}

/// Runs a filter on lines; gives its rows and standard error.
fn filter(args: &[&str], lines: &[Value]) -> (Vec<Value>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--set", &format!("model.folder={}", model_folder().display())])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let o = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    let rows = String::from_utf8(o.stdout).unwrap();
    let rows = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (rows, String::from_utf8_lossy(&o.stderr).into_owned())
}

#[test]
fn mail_and_documents_go_through_the_filter_and_back() {
    use base64::Engine as _;
    let mail = "From: Anna Kowalska <anna@shop.example>\r\nTo: help@larkfield.example\r\n\
        Subject: Refund to DE89 3704 0044 0532 0130 00\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
        Please call +49 30 901820. Kowalska\r\n--b\r\nContent-Type: text/csv; name=list.csv\r\n\
        Content-Disposition: attachment; filename=list.csv\r\n\r\nmail\r\nbob@shop.example\r\n--b--\r\n";
    let eml = base64::engine::general_purpose::STANDARD.encode(mail);
    let doc =
        json!({"a": ["anna@shop.example", {"card": 4_111_111_111_111_111_u64}], "b": "<EMAIL_1>"});
    let headers = json!({"id": 3, "headers": {"From": "Xandor Quibble <xq@shop.example>"}, "text": "Regards, Xandor"});
    let lines = [json!({"id": 1, "eml_b64": eml}), json!({"id": 2, "json": doc}), headers];
    let (rows, err) = filter(&["mask"], &lines);
    assert_eq!(rows.len(), 3, "{err}");
    let masked = rows[0]["masked"].to_string();
    for raw in ["anna@", "Kowalska", "3704", "901820", "bob@"] {
        assert!(!masked.contains(raw), "{raw}: {masked}");
    }
    assert!(masked.contains("<IBAN_1>") && masked.contains("list.csv"), "{masked}");
    assert!(!rows[2]["masked"].to_string().contains("Quibble"), "{}", rows[2]["masked"]);
    let (back, err) = filter(&["unmask"], &rows);
    assert_eq!(back.len(), 3, "{err}");
    assert_eq!(back[1]["json"], doc);
    assert_eq!(back[2]["json"]["text"], "Regards, Xandor");
}

#[test]
fn many_lines_with_names_go_through_at_once() {
    let line = |n: u32| json!({"id": n, "text": format!("I am Anna Kowalska, order {n}.")});
    let lines: Vec<Value> = (0..150).map(line).collect();
    let (rows, err) = filter(&["mask"], &lines);
    let ids: Vec<u64> = rows.iter().filter_map(|r| r["id"].as_u64()).collect();
    assert_eq!(ids, (0..150).collect::<Vec<u64>>(), "{err}");
    assert!(
        rows.iter().all(|r| r["masked"].as_str().is_some_and(|m| m.starts_with("I am <PERSON_1>")))
    );
}

#[test]
fn operators_own_recognizers_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, key) = (dir.path().join("rules.toml"), dir.path().join("key"));
    std::fs::write(
        &rules,
        "allow_list = [\"help@shop.example\"]\n[[recognizers]]\nname = \"member\"\n\
         entity = \"MEMBER_ID\"\npatterns = ['M[0-9]{6}']\nscore = 0.9\n",
    )
    .unwrap();
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let line = json!({"id": 1, "text": "Member M123456, anna@shop.example or help@shop.example"});
    let (rules, key) = (rules.to_str().unwrap(), key.to_str().unwrap());
    let args = [
        "mask",
        "--no-names",
        "--recognizers",
        rules,
        "--key-file",
        key,
        "--operator",
        "EMAIL_ADDRESS=hash",
        "--stats",
    ];
    let (rows, err) = filter(&args, std::slice::from_ref(&line));
    let masked = rows[0]["masked"].as_str().unwrap();
    assert!(masked.starts_with("Member <MEMBER_ID_1>, <EMAIL:"), "{masked}");
    assert!(masked.ends_with("> or help@shop.example"), "{masked}");
    let stats: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    assert_eq!(stats["types"], json!({"EMAIL_ADDRESS": 1, "MEMBER_ID": 1}));
    let (back, _) = filter(&["unmask"], &rows);
    assert_eq!(back[0]["text"], line["text"]);

    let (rows, err) = filter(&["mask", "--no-names", "--operator", "URL=fake"], &[line]);
    assert!(rows.is_empty() && err.contains("--key-file"), "{err}");
}

#[test]
fn the_documentation_holds_the_table_of_recognizers() {
    let o =
        Command::new(env!("CARGO_BIN_EXE_countersign")).args(["mask", "--list"]).output().unwrap();
    let table = String::from_utf8(o.stdout).unwrap();
    assert!(table.lines().count() > 80, "{table}");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/masking.md");
    let doc = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- recognizers -->\n", "<!-- end -->");
    let (head, rest) = doc.split_once(begin).unwrap();
    let (old, tail) = rest.split_once(end).unwrap();
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert!(old == table, "run this test with COUNTERSIGN_BLESS=1 to renew the table");
    }
}
