//! Masking from outside: the route, the filters' further inputs, a tenant's own recognizers.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Engine, TestApp, eventually, message, model_folder};
use crate::on_both;

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

on_both!(a_tenants_own_settings_bind_in_its_threads_and_on_the_route, engine, {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("acme.toml");
    std::fs::write(
        &rules,
        "[[recognizers]]\nname = \"badge\"\nentity = \"BADGE\"\npatterns = [\"B-[0-9]{5}\"]\nscore = 0.9\n",
    )
    .unwrap();
    let file = format!(
        "[tenants.acme.mask]\nnames = false\ntypes = [\"ORDER_NUMBER\"]\nrecognizers = '{}'\n\
         operators = [\"EMAIL_ADDRESS=redact\", \"URL=keep\", \"CREDIT_CARD=partial\"]\n",
        rules.display()
    );
    let a = TestApp::start_from(engine, &file).await;
    let acme = a.tenant("acme").await;
    let text = "My friend Zoe Kowalska wrote from zoe@shop.example about badge B-12345 and order \
        number 7781234, card 4111 1111 1111 1111, see https://shop.example/help";
    let seen = |key: String| {
        let a = &a;
        async move {
            let body = message("m-1", "t-1", text);
            let (status, said) = a.post(&key, "/v1/messages", &body).await;
            assert_eq!(status, 202, "{said}");
            let path = format!("/v1/messages/{}", said["id"].as_str().unwrap());
            let visible = eventually(|| async {
                let (_, m) = a.get(&key, &path).await;
                m["text"].as_str().filter(|t| !t.is_empty()).map(str::to_owned)
            });
            let (status, masked) = a.post(&key, "/v1/mask", &json!({"text": text})).await;
            assert_eq!(status, 200, "{masked}");
            (visible.await.unwrap(), masked["masked"].as_str().unwrap().to_owned())
        }
    };
    let (thread, route) = seen(a.home.key.clone()).await;
    for said in [&thread, &route] {
        for part in ["<PERSON_", "<EMAIL_1>", "<CARD_1>", "<URL_1>", "B-12345", "7781234"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let (thread, route) = seen(acme.key.clone()).await;
    for said in [&thread, &route] {
        for part in ["Zoe Kowalska", "<BADGE_1>", "https://shop.example/help", "<ORDER_"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(thread.contains("from <EMAIL> about") && thread.contains("<CARD_1>"), "{thread}");
    assert!(route.contains("from  about") && route.contains("**** **** **** 1111"), "{route}");
    // What is redacted has no entry that could be restored.
    let mut c = a.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from vault_entry v join tenant t on t.id = v.tenant_id
         where t.slug = 'acme' and v.entity = 'EMAIL_ADDRESS'",
    )
    .fetch_one(&mut *c)
    .await
    .unwrap();
    drop(c);
    assert_eq!(n, 0, "a redacted value is in the vault");
    a.quiet().await;
    a.stop().await;
});

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
    let string = json!({"id": 4, "json": "write to anna@shop.example"});
    // A space that HTML mail is full of, in front of a name.
    let wide = json!({"id": 5, "text": "Dear\u{a0}Anna Smith, thanks"});
    let lines = [
        json!({"id": 1, "eml_b64": eml}),
        json!({"id": 2, "json": doc}),
        headers,
        string.clone(),
        wide.clone(),
    ];
    let (rows, err) = filter(&["mask"], &lines);
    assert_eq!(rows.len(), 5, "{err}");
    let masked = rows[0]["masked"].to_string();
    for raw in ["anna@", "Kowalska", "3704", "901820", "bob@"] {
        assert!(!masked.contains(raw), "{raw}: {masked}");
    }
    assert!(masked.contains("<IBAN_1>") && masked.contains("list.csv"), "{masked}");
    assert!(!rows[2]["masked"].to_string().contains("Quibble"), "{}", rows[2]["masked"]);
    let (back, err) = filter(&["unmask"], &rows);
    assert_eq!(back.len(), 5, "{err}");
    assert_eq!((&back[3]["json"], &back[3]["text"]), (&string["json"], &Value::Null));
    assert_eq!(back[4]["text"], wide["text"]);
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
fn what_another_program_found_is_judged_by_the_same_scorer() {
    let dir = tempfile::tempdir().unwrap();
    let (data, found) = (dir.path().join("data.jsonl"), dir.path().join("found.jsonl"));
    let text = "😀 Call Anna Kowalska in Bonn";
    let gold = json!({"text": text, "spans": [{"type": "PER", "start": 7, "end": 20}, {"type": "GPE", "start": 24, "end": 28}]});
    std::fs::write(&data, format!("{gold}\n{gold}\n")).unwrap();
    let right = json!({"spans": [{"type": "PERSON", "start": 7, "end": 20}, {"type": "DATE_TIME", "start": 0, "end": 1}]});
    let wrong = json!({"spans": [{"type": "PERSON", "start": 0, "end": 5}, {"type": "LOCATION", "start": 24, "end": 900}]});
    std::fs::write(&found, format!("{right}\n{wrong}\n")).unwrap();
    let args =
        ["eval", "mask", "--data", data.to_str().unwrap(), "--found", found.to_str().unwrap()];
    let (rows, err) = filter(&args, &[]);
    let of = |name: &str| {
        rows.iter().find(|r| r["type"] == name).unwrap_or_else(|| panic!("{name}: {err}"))
    };
    let counts = |r: &Value| ["labelled", "found", "right"].map(|k| r[k].as_u64().unwrap());
    assert_eq!(counts(of("PERSON")), [2, 2, 1]);
    assert_eq!(counts(of("LOCATION")), [2, 0, 0]);
    assert!(!rows.iter().any(|r| r["type"] == "DATE_TIME"), "not among the judged types");
    std::fs::write(&found, format!("{right}\n")).unwrap();
    let (rows, err) = filter(&args, &[]);
    assert!(rows.is_empty() && err.contains("expected as many"), "{err}");
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
