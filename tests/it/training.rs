//! Training from labelled files, and classifying with what came of it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::filters::run;

/// What the shop sells.
pub const OBJECTS: [&str; 12] = [
    "kettle",
    "lamp",
    "red chair",
    "bicycle",
    "phone",
    "radio",
    "blue jacket",
    "printer",
    "camera",
    "table",
    "backpack",
    "mirror",
];

/// Messages of a small shop: (label, text), as many of each label as there are objects.
fn shop() -> Vec<(&'static str, String)> {
    let ways = [
        ("refund", "I want my money back for the"),
        ("delivery", "When will the courier bring the"),
        ("repair", "Please mend the broken"),
    ];
    ways.iter()
        .flat_map(|(label, way)| OBJECTS.iter().map(move |o| (*label, format!("{way} {o}"))))
        .collect()
}

fn lines<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let line = |(i, (label, text)): (usize, (&str, String))| {
        format!("{}\n", json!({"id": format!("m{i}"), "text": text, "label": label}))
    };
    rows.into_iter().enumerate().map(line).collect()
}

/// Trains on a text; what was printed, standard error, the status, and the head's folder.
fn train(
    dir: &TempDir,
    task: &str,
    name: &str,
    data: &str,
    more: &[&str],
) -> (Option<Value>, String, Option<i32>, PathBuf) {
    let file = dir.path().join(name);
    std::fs::write(&file, data).unwrap();
    let out = dir.path().join(format!("{task}-head"));
    // As a shell completes it.
    let (file, head) = (file.to_str().unwrap(), &*format!("{}/", out.display()));
    let mut args = vec!["train", task, "--data", file, "--out", head];
    args.extend(more);
    let (rows, err, status) = run(&args, "");
    (rows.into_iter().next(), err, status, out)
}

#[test]
fn a_head_is_trained_and_takes_the_place_of_the_built_in_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = shop();
    // One row under the wrong label, one of no use, one label with a single row.
    rows[3].0 = "repair";
    rows.push(("lonely", "What a fine day for a walk".to_owned()));
    let data = lines(rows) + "not json\n{\"text\": \"no label\"}\n";
    let (report, err, status, head) = train(&dir, "intent", "shop.jsonl", &data, &[]);
    let report = report.unwrap_or_else(|| panic!("{err}"));
    assert_eq!(status, Some(0), "{err}");
    assert_eq!((&report["rows"], &report["left_out"]), (&json!(37), &json!(2)));
    assert!(err.contains("line 38: not JSON") && err.contains("line 39: `label`"), "{err}");
    assert!(err.contains("`lonely` has a single example"), "{err}");
    let accuracy = &report["metrics"]["accuracy"];
    assert!(accuracy["value"].as_f64().unwrap() > 0.85, "{report}");
    assert!(accuracy["low"].as_f64() < accuracy["value"].as_f64());
    assert_eq!(report["mislabelled"][0]["id"], "m3", "{report}");
    assert_eq!(report["mislabelled"][0]["suggested"], "refund");
    assert!(!report.to_string().contains("kettle"), "no text leaves the data");
    for name in ["head.json", "weights.safetensors", "card.md"] {
        assert!(head.join(name).is_file(), "{name}");
    }
    assert!(std::fs::read_to_string(head.join("card.md")).unwrap().contains("leave-one-out"));

    let input = format!(
        "{}\n{}\n",
        json!({"id": 1, "text": "When will the courier bring the sofa"}),
        json!({"id": 2, "subject": "Re: broken", "text": "Please mend the sofa", "kept": true}),
    );
    let model = head.to_str().unwrap();
    let (all, err, status) = run(&["classify", "--model", model], &input);
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(all[0]["intent"]["label"], "delivery");
    assert_eq!(all[1]["intent"]["label"], "repair");
    assert!(all[0]["spam"]["label"].is_string() && all[0]["language"].is_string());
    // What moved it are its own words.
    let (moved, err, _) = run(&["classify", "--model", model, "--explain"], &input);
    let evidence = moved[0]["intent"]["evidence"].as_array().unwrap_or_else(|| panic!("{err}"));
    let text = "When will the courier bring the sofa";
    let words: Vec<&str> = evidence
        .iter()
        .map(|e| &text[e["start"].as_u64().unwrap() as usize..e["end"].as_u64().unwrap() as usize])
        .collect();
    assert_eq!(words[0], "courier", "{words:?}");
    // Alone it says the same, and nothing else.
    let (alone, err, _) = run(&["classify", "--model", model, "--only", "intent"], &input);
    for (a, b) in alone.iter().zip(&all) {
        assert_eq!(a["intent"]["label"], b["intent"]["label"], "{err}");
        assert_eq!(a["intent"]["confidence"], b["intent"]["confidence"], "{err}");
        assert!(a.get("spam").is_none() && a.get("versions").is_none());
    }
    assert_eq!((&alone[1]["kept"], alone[1].get("text")), (&json!(true), None));
    let read_alone = alone;

    // With a thread behind it, too: a message that says nothing is about what the thread is about.
    let terse = json!({"id": 3, "text": "and?", "history": [{"direction": "in",
        "text": "When will the courier bring the sofa"}]});
    let input = format!("{terse}\n");
    let (all, err, _) = run(&["classify", "--model", model], &input);
    let (alone, ..) = run(&["classify", "--model", model, "--only", "intent"], &input);
    assert_eq!(alone[0]["intent"], all[0]["intent"], "{err}");

    // Judged against right labels, of which one is another.
    let gold = dir.path().join("gold.jsonl");
    std::fs::write(&gold, "{\"id\":2,\"label\":\"refund\"}\n{\"id\":1,\"label\":\"delivery\"}\n")
        .unwrap();
    let printed: String = read_alone.iter().map(|r| format!("{r}\n")).collect();
    let args = ["eval", "classify", "--gold", gold.to_str().unwrap(), "--pred", "-"];
    let (figures, err, status) = run(&args, &printed);
    assert_eq!(status, Some(0), "{err}");
    assert_eq!((&figures[0]["rows"], &figures[0]["accuracy"]["value"]), (&json!(2), &json!(0.5)));
}

/// How the built-in head does on labelled messages of ours that are none of its examples.
fn built_in(file: &str) -> Value {
    let gold = Path::new(env!("CARGO_MANIFEST_DIR")).join("eval/datasets").join(file);
    let texts = std::fs::read_to_string(&gold).unwrap();
    let (found, err, status) = run(&["classify", "--only", "intent"], &texts);
    assert_eq!(status, Some(0), "{err}");
    let printed: String = found.iter().map(|r| format!("{r}\n")).collect();
    let args = ["eval", "classify", "--gold", gold.to_str().unwrap(), "--pred", "-"];
    let (figures, err, status) = run(&args, &printed);
    assert_eq!(status, Some(0), "{err}");
    figures.into_iter().next().unwrap()
}

#[test]
fn the_built_in_taxonomy_knows_what_customers_of_a_shop_want() {
    let value = |figures: &Value, of: &str| figures[of]["value"].as_f64().unwrap();
    let shop = built_in("support_intents.jsonl");
    assert!(value(&shop, "accuracy_kept") >= 0.85 && value(&shop, "abstained") <= 0.2, "{shop}");
    let follow_ups = built_in("followups.jsonl");
    assert!(value(&follow_ups, "accuracy") >= 0.77, "{follow_ups}");
}

#[test]
fn the_same_data_give_the_same_head_and_a_table_reads_like_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (one, _, _, head) = train(&dir, "intent", "a.jsonl", &lines(shop()), &[]);
    let weights = std::fs::read(head.join("weights.safetensors")).unwrap();
    let table: String = shop().iter().map(|(l, t)| format!("\"{t}\",{l}\n")).collect();
    let data = format!("body,topic\n{table}");
    let fields = ["--text-field", "body", "--label-field", "topic"];
    let (two, err, status, head) = train(&dir, "intent", "a.csv", &data, &fields);
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(one.unwrap()["name"], two.unwrap()["name"]);
    assert_eq!(weights, std::fs::read(head.join("weights.safetensors")).unwrap());
}

#[test]
fn what_is_out_of_scope_is_abstained_on() {
    let dir = tempfile::tempdir().unwrap();
    let outside = [
        "tell me a joke",
        "who won the match",
        "sing me a song",
        "what is the capital of peru",
        "how tall is the tower",
        "play some music",
        "is it raining",
        "what time is it in tokyo",
    ];
    let rows = shop().into_iter().chain(outside.map(|text| ("oos", text.to_owned())));
    let (report, err, status, head) = train(&dir, "intent", "o.jsonl", &lines(rows), &[]);
    assert_eq!(status, Some(0), "{err}");
    let metrics = &report.unwrap()["metrics"];
    assert_eq!((&metrics["rows"], &metrics["outside_rows"]), (&json!(36), &json!(8)));
    assert!(metrics["outside_auroc"].as_f64().unwrap() > 0.9, "{metrics}");
    let input = format!(
        "{}\n{}\n",
        json!({"text": "what is the capital of france"}),
        json!({"text": "I want my money back for the sofa"})
    );
    let model = head.to_str().unwrap();
    let (rows, err, _) = run(&["classify", "--model", model, "--only", "intent"], &input);
    assert_eq!(rows[0]["intent"]["abstained"], true, "{err}");
    assert_ne!(rows[0]["intent"]["label"], "oos");
    assert_eq!(rows[1]["intent"]["abstained"], false, "{rows:?}");
    assert!(rows[0]["intent"]["confidence"].as_f64() < rows[1]["intent"]["confidence"].as_f64());
}

#[test]
fn other_tasks_have_their_wire_form() {
    let dir = tempfile::tempdir().unwrap();
    let moods = shop().into_iter().map(|(label, text)| match label {
        "refund" => ("negative", format!("Awful, I hate it. {text}")),
        "delivery" => ("neutral", text),
        _ => ("positive", format!("Wonderful, I love it! {text}")),
    });
    let (_, err, status, mood) = train(&dir, "sentiment", "s.jsonl", &lines(moods), &[]);
    assert_eq!(status, Some(0), "{err}");
    let spam = shop().into_iter().map(|(label, text)| match label {
        "refund" => ("1", format!("WINNER!!! Claim your prize now, call 0800 555 111: {text}")),
        _ => ("0", text),
    });
    let (_, err, status, spam) = train(&dir, "spam", "p.jsonl", &lines(spam), &[]);
    assert_eq!(status, Some(0), "{err}");
    let input =
        json!({"text": "Awful, I hate it. WINNER!!! Claim your prize now, call 0800 555 111"});
    let (mood, spam) = (mood.to_str().unwrap(), spam.to_str().unwrap());
    let args = ["classify", "--model", mood, "--model", spam];
    let (rows, err, _) = run(&args, &format!("{input}\n"));
    assert_eq!(rows[0]["sentiment"]["label"], "negative", "{err}");
    assert!(rows[0]["sentiment"]["score"].as_f64().unwrap() < 0.0);
    assert_eq!(rows[0]["spam"]["label"], "spam", "{rows:?}");
    assert!(rows[0]["intent"]["label"].is_string());
}

#[test]
fn a_damaged_head_and_one_of_another_encoder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, err, status, head) = train(&dir, "intent", "a.jsonl", &lines(shop()), &[]);
    assert_eq!(status, Some(0), "{err}");
    let model = head.to_str().unwrap();
    let refused = |why: &str, more: &[&str]| {
        let mut args = vec!["classify", "--model", model];
        args.extend(more);
        let (rows, err, status) = run(&args, "{\"text\": \"hello\"}\n");
        assert_eq!((rows.len(), status), (0, Some(2)), "{err}");
        assert!(err.contains(why), "{err}");
    };
    refused("trained on the encoder", &["--set", "model.mode=f32"]);
    refused("trained on the encoder", &["--only", "intent", "--set", "model.mode=f32"]);
    let weights = head.join("weights.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    refused("damaged", &[]);
    std::fs::write(&weights, &bytes).unwrap();
    let about = head.join("head.json");
    let text = std::fs::read_to_string(&about).unwrap();
    std::fs::write(&about, text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    refused("train it again", &[]);
    std::fs::write(&about, "{}").unwrap();
    refused("description of a head", &[]);
    std::fs::remove_file(&about).unwrap();
    refused("head.json", &[]);
}

#[test]
fn nothing_to_learn_is_status_one() {
    let dir = tempfile::tempdir().unwrap();
    for (task, data, why) in [
        ("intent", String::new(), "two labels or more"),
        ("intent", lines([("a", "one".to_owned()), ("a", "two".to_owned())]), "two labels or more"),
        ("spam", lines([("spam", "win".to_owned()), ("abuse", "fool".to_owned())]), "labelled ham"),
    ] {
        let (_, err, status, head) = train(&dir, task, "n.jsonl", &data, &[]);
        assert_eq!(status, Some(1), "{err}");
        assert!(err.contains(why) && !head.exists(), "{err}");
    }
    let secret = lines([("my secret label", "win".to_owned())]);
    let (_, err, _, _) = train(&dir, "sentiment", "l.jsonl", &secret, &[]);
    assert!(err.contains("line 1") && !err.contains("secret"), "{err}");
}

/// On public data, where they lie beside the repository: a slice that is quickly learnt.
#[test]
fn ten_examples_of_each_of_twenty_intents_are_enough_for_nine_of_ten() {
    let data = std::env::var("COUNTERSIGN_DATA").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(data.join("clinc150.train.jsonl")) else { return };
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut labels: Vec<&str> = rows.iter().map(|r| r["label"].as_str().unwrap()).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.retain(|l| *l != "oos");
    let (mut few, mut rest) = (String::new(), String::new());
    for label in labels.iter().take(20) {
        for (i, row) in rows.iter().filter(|r| r["label"] == **label).take(20).enumerate() {
            let side = if i < 10 { &mut few } else { &mut rest };
            side.push_str(&format!("{row}\n"));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let dev = dir.path().join("dev.jsonl");
    std::fs::write(&dev, rest).unwrap();
    let more = ["--dev", dev.to_str().unwrap()];
    let (report, err, _, _) = train(&dir, "intent", "few.jsonl", &few, &more);
    let report = report.unwrap_or_else(|| panic!("{err}"));
    assert!(report["dev"]["accuracy"]["value"].as_f64().unwrap() >= 0.9, "{}", report["dev"]);
}
