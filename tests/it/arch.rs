//! The source itself: which module may import which, and who may make masked text and prompts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Today's truth. An arrow that isn't here is either wrong or a decision, to be written down here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("adapters", &["adapters", "domain", "nlp", "ports", "store"]),
    (
        "app",
        &[
            "adapters",
            "config",
            "domain",
            "http",
            "intake",
            "knowledge",
            "lifecycle",
            "models",
            "nlp",
            "pipeline",
            "ports",
            "review",
            "store",
            "worker",
        ],
    ),
    (
        "cli",
        &[
            "adapters",
            "app",
            "cli",
            "config",
            "domain",
            "eval",
            "http",
            "intake",
            "knowledge",
            "lifecycle",
            "models",
            "nlp",
            "pipeline",
            "ports",
            "receive",
            "review",
            "store",
            "telemetry",
            "worker",
        ],
    ),
    ("config", &[]),
    ("domain", &["domain"]),
    ("failpoint", &[]),
    ("eval", &["eval"]),
    (
        "http",
        &[
            "adapters",
            "config",
            "domain",
            "http",
            "intake",
            "knowledge",
            "lifecycle",
            "pipeline",
            "ports",
            "receive",
            "review",
            "store",
        ],
    ),
    ("intake", &["domain", "failpoint", "lifecycle", "store"]),
    ("knowledge", &["domain", "nlp", "pipeline", "store"]),
    ("lifecycle", &[]),
    ("models", &[]),
    ("nlp", &["domain", "eval", "nlp"]),
    ("pipeline", &["config", "domain", "failpoint", "nlp", "pipeline", "ports", "review", "store"]),
    ("ports", &["domain", "ports"]),
    ("receive", &["config", "domain", "pipeline", "store"]),
    ("review", &["config", "domain", "nlp", "pipeline", "ports", "review", "store"]),
    ("store", &["domain", "ports", "store"]),
    ("telemetry", &["config"]),
    ("worker", &["config", "domain", "failpoint", "lifecycle", "pipeline", "store"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file: its path under `src` and its code without comments and inline test modules.
fn sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && path.file_name().is_some_and(|n| n != "tests.rs")
            {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                all.push((name, code(&std::fs::read_to_string(&path).unwrap())));
            }
        }
    }
    assert!(all.len() > 100, "only {} files were found", all.len());
    all
}

fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The top-level modules that code names by `crate::`.
fn named(code: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>()
    };
    let mut all = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split(';').next().unwrap_or_default();
                all.extend(list.split([',', '{', '\n']).map(|p| word(p.trim())));
            }
            None => {
                all.insert(word(rest));
            }
        }
    }
    all.remove("");
    all
}

fn top(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

#[test]
fn the_scanner_sees_arrows() {
    let found = named(
        "use crate::store::x;\nlet y = crate::http::z();\nuse crate::{nlp, review::content};",
    );
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["http", "nlp", "review", "store"]);
    assert_eq!(code("a\n// crate::store\nb\n#[cfg(test)]\nmod tests {\ncrate::http\n}"), "a\nb");
    assert_eq!((top("store/job.rs"), top("ports.rs")), ("store", "ports"));
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (file, code) in sources() {
        let from = top(&file).to_owned();
        if from == "lib" || from == "main" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(m, _)| *m == from) else {
            wrong.push(format!("{file}: the module `{from}` is not in the table"));
            continue;
        };
        for to in named(&code) {
            // Macros of ours live at the top, too; only modules are arrows.
            if !ALLOWED.iter().any(|(m, _)| *m == to) {
                continue;
            }
            arrows += 1;
            if !allowed.contains(&to.as_str()) {
                wrong.push(format!("{file}: {from} → {to}"));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} imports were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_itself_points_one_way() {
    let may = |from: &str, to: &str| ALLOWED.iter().any(|(m, all)| *m == from && all.contains(&to));
    for (from, to) in [
        ("store", "pipeline"),
        ("store", "http"),
        ("store", "review"),
        ("nlp", "store"),
        ("nlp", "ports"),
        ("pipeline", "http"),
        ("review", "http"),
        ("ports", "store"),
        ("intake", "http"),
        ("adapters", "http"),
        ("adapters", "pipeline"),
        ("worker", "http"),
        ("knowledge", "http"),
        ("receive", "http"),
    ] {
        assert!(!may(from, to), "{from} → {to}");
    }
    for (m, all) in ALLOWED {
        assert!(*m != "domain" || *all == ["domain"], "domain imports nothing of ours");
        assert!(*m == "app" || *m == "cli" || !all.contains(&"app"), "{m} → app");
        assert!(*m == "cli" || !all.contains(&"cli"), "{m} → cli");
    }
}

/// The files whose code holds `what`, and each of them must be in `allowed`; all of those must.
fn only_in(what: &str, allowed: &[&str]) {
    let mut found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| code.contains(what))
        .map(|(file, _)| file)
        .collect();
    found.sort();
    let mut allowed: Vec<&str> = allowed.to_vec();
    allowed.sort_unstable();
    assert_eq!(found, allowed, "`{what}`");
}

#[test]
fn masked_text_is_read_back_in_few_places() {
    only_in(
        "MaskedText::from_store",
        &[
            "cli/examples.rs",
            "http/messages.rs",
            "http/page/queue.rs",
            "http/page/review/envelope.rs",
            "http/reviews/view.rs",
            "http/threads.rs",
            "pipeline/answer/question.rs",
            "pipeline/learning.rs",
            "pipeline/reembed.rs",
            "pipeline/report.rs",
            "pipeline/retrieve.rs",
            "pipeline/topics.rs",
            "pipeline/understand/earlier.rs",
            "review/content.rs",
        ],
    );
}

/// A route of the API is made from its handler's annotation, so none is without a description.
#[test]
fn routes_without_a_description_are_those_outside_the_api() {
    only_in(".route(\"/", &["http/mod.rs", "http/page/mod.rs"]);
    let (_, code) = sources().into_iter().find(|(file, _)| file == "http/mod.rs").unwrap();
    let bare: Vec<_> =
        code.split(".route(\"").skip(1).map(|r| r.split('"').next().unwrap()).collect();
    assert_eq!(bare, ["/healthz", "/readyz", "/metrics"]);
}

#[test]
fn prompts_are_made_by_the_renderer_alone() {
    only_in("PromptText::from_template", &["pipeline/prompt.rs"]);
    only_in("fn from_template", &["ports.rs"]);
}

#[test]
fn signatures_and_sends_begin_in_one_place_each() {
    only_in("approval::create(", &["review/actions.rs"]);
    only_in("insert into approval ", &["store/approval.rs"]);
    only_in("insert into send ", &["store/send.rs"]);
}

#[test]
fn every_migration_is_in_the_binary() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("src/store/migrate.rs")).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(root.join("migrations")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(list.contains(&format!("migrations/{name}")), "{name} is never run");
        files += 1;
    }
    assert!(files >= 2);
}
