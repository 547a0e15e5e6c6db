//! Runs the written cases: `fixtures/masking/cases-ids.jsonl`, and published cases of other engines
//! where `COUNTERSIGN_PII_CASES` names a file of them.
//!
//! A line of ours is `{entity, text, spans, mode}`, spans in code points. In mode `only` the type
//! is looked for alone with the lowest score, as published test suites do; in mode `all` with all
//! types on at the usual score, and no other type may touch its place; in mode `none` nothing at
//! all may be found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::*;

static CASES: &str = include_str!("../../../fixtures/masking/cases-ids.jsonl");

#[derive(Deserialize)]
struct Case {
    entity: String,
    text: String,
    spans: Vec<(usize, usize)>,
    mode: Mode,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Only,
    All,
    None,
}

/// A published case: exact spans, or where those are not known, how many.
#[derive(Deserialize)]
struct Published {
    id: String,
    entity: String,
    kind: String,
    text: String,
    #[serde(default)]
    expected_len: usize,
    #[serde(default)]
    expected_spans: Vec<(usize, usize)>,
    #[serde(default)]
    full_spans: bool,
}

fn masker(min_score: f32) -> Masker {
    Masker::new(MaskerConfig { min_score, ..MaskerConfig::default() }).unwrap()
}

/// Type and code points of what is found.
fn found(masker: &Masker, text: &str, only: Option<&str>) -> Vec<(String, (usize, usize))> {
    let only = only.map(|e| BTreeSet::from([e.parse::<Entity>().unwrap()]));
    let hints = Hints { entities: only.as_ref(), ..Hints::default() };
    let point = |byte: usize| text[..byte].chars().count();
    let findings = masker.explain(text, &hints);
    let of = |f: Finding| (f.span.entity.to_string(), (point(f.span.start), point(f.span.end)));
    findings.into_iter().map(of).collect()
}

fn touches(span: (usize, usize), wanted: &[(String, (usize, usize))]) -> bool {
    wanted.iter().any(|(_, w)| span.0 < w.1 && w.0 < span.1)
}

#[test]
fn our_own_cases_pass() {
    let (eager, usual) = (masker(0.0), masker(DEFAULT_MIN_SCORE));
    let mut count = 0;
    let mut failures = Vec::new();
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let got = match case.mode {
            Mode::Only => found(&eager, &case.text, Some(&case.entity)),
            Mode::All | Mode::None => found(&usual, &case.text, None),
        };
        let want: Vec<_> = case.spans.iter().map(|&s| (case.entity.clone(), s)).collect();
        let got: Vec<_> = match case.mode {
            Mode::All => {
                got.into_iter().filter(|f| f.0 == case.entity || touches(f.1, &want)).collect()
            }
            _ => got,
        };
        count += 1;
        if got != want {
            failures.push(format!("{line}\n    found {got:?}"));
        }
    }
    assert!(count >= 700, "only {count} cases");
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_row_has_cases() {
    let cases: BTreeSet<String> =
        CASES.lines().map(|l| serde_json::from_str::<Case>(l).unwrap().entity).collect();
    let missing: Vec<&Entity> =
        table::rows().map(|r| &r.entity).filter(|e| !cases.contains(e.as_str())).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn published_cases_pass() {
    let Ok(file) = std::env::var("COUNTERSIGN_PII_CASES") else { return };
    let eager = masker(0.0);
    let (mut count, mut passed) = (0, 0);
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let case: Published = serde_json::from_str(line).unwrap();
        if case.kind != "analyze" {
            continue;
        }
        let got: Vec<_> =
            found(&eager, &case.text, Some(&case.entity)).into_iter().map(|f| f.1).collect();
        let passes = match case.full_spans {
            true => got == case.expected_spans,
            false => got.len() == case.expected_len,
        };
        count += 1;
        passed += usize::from(passes);
        if !passes {
            let why = format!("{} {:?}: found {got:?}", case.id, case.text);
            failures.entry(case.entity).or_default().push(why);
        }
    }
    assert!(passed * 100 >= count * 99, "{passed} of {count} pass: {failures:#?}");
}
