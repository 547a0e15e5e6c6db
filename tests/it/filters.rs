//! The filters, as a pipe sees them: JSON Lines in and out, ids and unknown fields carried through,
//! bad lines named, offsets in code points, answers at once.
#![expect(clippy::print_stdout, reason = "the measured share of right replies")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::model_folder;

fn command(args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_countersign"));
    c.args(["--set", &format!("model.folder={}", model_folder().display())])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    c
}

/// Runs a filter: the rows, standard error, the status.
pub fn run(args: &[&str], input: &str) -> (Vec<Value>, String, Option<i32>) {
    let mut child = command(args).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(text.as_bytes());
    });
    let o = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let err = String::from_utf8_lossy(&o.stderr).into_owned();
    let rows = String::from_utf8(o.stdout)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
        .collect();
    (rows, err, o.status.code())
}

const TEXT: &str = "Hello 😀, my mail is robin@example.com. How long do I have to return an item?";

/// One good line of every filter, and a field that its answer must have.
fn sample(filter: &str, id: &str) -> (Value, &'static str) {
    let (mut line, field) = match filter {
        "parse" => (
            json!({"raw": "Thanks!\n\nOn Mon, Nov 2, 2026 at 10:00 AM Robin <r@example.com> wrote:\n> Hi\n",
            "format": "text"}),
            "visible",
        ),
        "unmask" => (
            json!({"masked": "Hi <PERSON_1>", "spans": [{"placeholder": "<PERSON_1>", "text": "Ann"}]}),
            "text",
        ),
        "draft" => (
            json!({"text": "How long do I have to return an item?", "passages": [
            {"id": "a", "title": "Returns", "text": "You can return any unworn item within 30 days of delivery."}]}),
            "sentences",
        ),
        "ground" => (
            json!({"answer": "Hello! You can return it within 30 days. It costs 99 dollars.",
            "passages": [{"text": "You can return any unworn item within 30 days of delivery."}]}),
            "sentences",
        ),
        "mask" => (json!({"text": TEXT}), "masked"),
        "chunk" => (json!({"text": TEXT}), "chunks"),
        "embed" => (json!({"text": TEXT}), "embedding"),
        "classify" => (json!({"text": TEXT}), "intent"),
        "search" => (json!({"text": "How long do I have to return an item?"}), "hits"),
        other => panic!("{other}"),
    };
    line["id"] = json!(id);
    line["order"] = json!({"kept": [1, "two"]});
    (line, field)
}

#[test]
fn every_filter_carries_fields_through_and_names_bad_lines() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = dir.path().join("corpus.jsonl");
    std::fs::write(
        &corpus,
        "{\"id\": \"ship\", \"text\": \"We ship to all of Europe within a week.\"}\n\
         {\"id\": \"ret\", \"title\": \"Returns\", \"text\": \"You can return any item within 30 days of delivery.\"}\n",
    )
    .unwrap();
    for filter in
        ["parse", "mask", "unmask", "chunk", "embed", "classify", "search", "draft", "ground"]
    {
        let mut args = vec![filter];
        if filter == "search" {
            args.extend(["--corpus", corpus.to_str().unwrap(), "--k", "1"]);
        }
        let (first, field) = sample(filter, "first");
        let (last, _) = sample(filter, "last");
        let input = format!("{first}\n{{\"id\": oops\n[1]\n{last}\n");
        let (rows, err, status) = run(&args, &input);
        assert_eq!(status, Some(1), "{filter}: {err}");
        assert!(err.contains("line 2: ") && err.contains("line 3: "), "{filter}: {err}");
        assert!(!err.contains("line 1: ") && !err.contains("line 4: "), "{filter}: {err}");
        let ids: Vec<&str> = rows.iter().map(|r| r["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["first", "last"], "{filter}");
        for r in &rows {
            assert_eq!(r["order"], json!({"kept": [1, "two"]}), "{filter}: {r}");
            assert!(!r[field].is_null(), "{filter}: no `{field}` in {r}");
        }
        let r = &rows[0];
        match filter {
            "parse" => assert_eq!(r["visible"].as_str().unwrap().trim(), "Thanks!"),
            "unmask" => assert_eq!(r["text"], "Hi Ann"),
            "embed" => assert_eq!(r["embedding"].as_array().unwrap().len(), 384),
            "search" => assert_eq!(r["hits"][0]["id"], "ret", "{r}"),
            "ground" => {
                let verdicts: Vec<&str> = r["sentences"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|s| s["verdict"].as_str().unwrap())
                    .collect();
                assert!(verdicts[1] == "supported" || verdicts[1] == "inferred", "{r}");
                assert!(verdicts[2] == "unsupported" || verdicts[2] == "contradicted", "{r}");
                assert_eq!(r["supported"], false, "{r}");
            }
            "draft" => assert!(r["text"].as_str().unwrap().contains("30 days"), "{r}"),
            _ => {}
        }
        // A good line alone is a success, a missing field names itself.
        let (rows, err, status) = run(&args, &format!("{first}\n"));
        assert_eq!((rows.len(), status), (1, Some(0)), "{filter}: {err}");
        let (rows, err, status) = run(&args, "{\"id\": 1}\n");
        assert_eq!((rows.len(), status), (0, Some(1)), "{filter}: {err}");
        assert!(err.contains("is missing"), "{filter}: {err}");
    }
}

fn slice(text: &str, start: &Value, end: &Value) -> String {
    let at = |v: &Value| usize::try_from(v.as_u64().unwrap()).unwrap();
    text.chars().skip(at(start)).take(at(end) - at(start)).collect()
}

#[test]
fn offsets_are_code_points() {
    let (rows, err, _) = run(&["mask"], &format!("{}\n", json!({"id": 1, "text": TEXT})));
    let spans = rows[0]["spans"].as_array().unwrap();
    let mail = spans
        .iter()
        .find(|s| s["type"] == "EMAIL_ADDRESS")
        .unwrap_or_else(|| panic!("{rows:?} {err}"));
    assert_eq!(mail["text"], "robin@example.com");
    assert_eq!(slice(TEXT, &mail["start"], &mail["end"]), "robin@example.com");
    assert!(!rows[0]["masked"].as_str().unwrap().contains("robin@"));

    let long = "😀 The parcel went to Zürich. 🎉 It came back the next day. ".repeat(80);
    let (rows, err, _) = run(&["chunk"], &format!("{}\n", json!({"id": 1, "text": long})));
    let chunks = rows[0]["chunks"].as_array().unwrap();
    assert!(chunks.len() > 1, "{err}");
    for c in chunks {
        assert_eq!(slice(&long, &c["start"], &c["end"]), c["text"].as_str().unwrap());
    }
}

#[test]
fn mask_and_unmask_are_inverse() {
    let texts = [
        TEXT,
        "Call me: +44 20 7946 0958 or robin@example.com, again robin@example.com. <EMAIL_1> is no token. 😀",
        "Nothing personal here.",
        "",
        "⟦PERSON:1⟧ \\<PERSON_1> \\\\ IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111.",
    ];
    let mut input = String::new();
    for (i, t) in texts.iter().enumerate() {
        input.push_str(&format!("{}\n", json!({"id": i, "text": t})));
    }
    let (masked, err, status) = run(&["mask"], &input);
    assert_eq!(status, Some(0), "{err}");
    let piped: String = masked.iter().map(|r| format!("{r}\n")).collect();
    let (rows, err, status) = run(&["unmask"], &piped);
    assert_eq!(status, Some(0), "{err}");
    for (r, t) in rows.iter().zip(texts) {
        assert_eq!(r["text"].as_str().unwrap(), t);
    }
    assert_eq!(rows.len(), texts.len());
}

#[test]
fn a_line_is_answered_while_the_pipe_stays_open() {
    // An empty line after it must not hold the answer back.
    for tail in ["\n", "\n\n"] {
        let mut child = command(&["chunk"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        for i in 0..2 {
            // One write, so that the line and what follows it arrive together.
            let text = format!("{}{tail}", json!({"id": i, "text": "Hello there."}));
            stdin.write_all(text.as_bytes()).unwrap();
            stdin.flush().unwrap();
            let line = told.recv_timeout(Duration::from_secs(20));
            if line.is_err() {
                child.kill().unwrap();
            }
            let line =
                line.unwrap_or_else(|e| panic!("no answer to line {i} ended by {tail:?}: {e}"));
            let row: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(row["id"], json!(i));
        }
        drop(stdin);
        assert!(child.wait().unwrap().success());
        reader.join().unwrap();
    }
}

#[test]
fn replies_are_cut_as_their_authors_asserted() {
    let data =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reply_parsing.train.jsonl");
    let Ok(text) = std::fs::read_to_string(&data) else { return };
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let rows: Vec<&Value> = rows.iter().filter(|r| r["gold"] == "test-asserted").collect();
    assert!(rows.len() > 20);
    let input: String = rows
        .iter()
        .map(|r| format!("{}\n", json!({"id": r["id"], "raw": r["raw"], "format": r["format"]})))
        .collect();
    let (found, err, status) = run(&["parse"], &input);
    assert_eq!((found.len(), status), (rows.len(), Some(0)), "{err}");
    let folded = |v: &Value| v.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut wrong = Vec::new();
    for (want, got) in rows.iter().zip(&found) {
        assert_eq!(want["id"], got["id"]);
        if folded(&want["visible"]) != folded(&got["visible"]) {
            wrong.push(want["id"].to_string());
        }
    }
    let right = rows.len() - wrong.len();
    println!("{right} of {} replies exactly right; wrong: {wrong:?}", rows.len());
    assert!(right * 100 >= rows.len() * 85, "only {right} of {} are right: {wrong:?}", rows.len());
}

/// A message in, all that `classify` reads out of it, and what a taxonomy file of one's own adds.
#[test]
fn classify_tells_what_it_read_and_by_which_words() {
    let list = |texts: [&str; 5]| texts.map(|t| format!("{t:?}")).join(", ");
    let returns = list([
        "I want to send the lamp back",
        "how do I return an item",
        "please send me a return label",
        "can I return this within 30 days",
        "return of my order",
    ]);
    let refunds = list([
        "where is my refund",
        "when do I get my money back",
        "still no refund after three weeks",
        "you owe me the money for the shoes I returned",
        "refund not received",
    ]);
    let hours = list([
        "when do you open",
        "are you open on Sunday",
        "opening hours please",
        "what time does the shop close",
        "is the store open today",
    ]);
    let file = format!(
        "[taxonomy]\nname = \"own\"\nmax_abstention = 0.0\n\
         [[intent]]\nname = \"back\"\ndescription = \"d\"\nqueue = \"returns\"\nsla = \"1d\"\n\
         [[intent]]\nname = \"return\"\nparent = \"back\"\ndescription = \"d\"\nexamples = [{returns}]\n\
         products = [\"Nova lamp\"]\n\
         [[intent]]\nname = \"refund\"\nparent = \"back\"\ndescription = \"d\"\nsla = \"4h\"\nexamples = [{refunds}]\n\
         [[intent]]\nname = \"hours\"\ndescription = \"d\"\nexamples = [{hours}]\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let taxonomy = folder.path().join("own.toml");
    std::fs::write(&taxonomy, &file).unwrap();
    let text = "Größe passt nicht. When do I get the refund of 49.90 EUR for my Nova lamp, \
                order 48213? I need it by tomorrow, this is the last time I buy from you!";
    let line = json!({"id": "a", "text": text, "vip": true, "own": 1});
    let taxonomy = taxonomy.display().to_string();
    let args = ["classify", "--explain", "--taxonomy", &taxonomy];
    let (rows, err, status) = run(&args, &format!("{line}\n"));
    assert_eq!(status, Some(0), "{err}");
    let row = &rows[0];
    assert_eq!(row["own"], 1);
    let intent = &row["intent"];
    assert_eq!(intent["label"], "refund", "{row}");
    // What is abstained on goes where its parent goes.
    let sla = if intent["abstained"] == true { "1d" } else { "4h" };
    assert_eq!((&intent["queue"], &intent["sla"]), (&json!("returns"), &json!(sla)));
    assert_eq!(intent["parent"]["label"], "back");
    assert_eq!(intent["may_be_automated"], false);
    let said: Vec<String> = intent["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| slice(text, &e["start"], &e["end"]))
        .collect();
    assert!(said.iter().any(|word| word == "refund"), "{said:?}");
    let entities: Vec<String> = row["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("{} {}", e["type"].as_str().unwrap(), slice(text, &e["start"], &e["end"])))
        .collect();
    for entity in ["AMOUNT 49.90 EUR", "PRODUCT Nova lamp", "ORDER_NUMBER 48213"] {
        assert!(entities.iter().any(|e| e == entity), "{entities:?}");
    }
    assert_eq!(row["deadlines"][0]["words"], "by … tomorrow");
    assert_eq!(row["auto_reply"], false);
    assert!(row["summary"].as_str().unwrap().contains("refund"), "{row}");
    let reasons = row["urgency_reasons"].to_string();
    assert!(reasons.contains("vip") && reasons.contains("deadline"), "{reasons}");

    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, file.replace("\"4h\"", "\"soon\"")).unwrap();
    let (_, err, status) = run(&["classify", "--taxonomy", &wrong.display().to_string()], "");
    assert!(status != Some(0) && err.contains("line ") && err.contains("soon"), "{err}");
}
