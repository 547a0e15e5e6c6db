//! Runs the written cases of `fixtures/masking/cases-text.jsonl`, a line each: `{entity, text,
//! spans}`, spans in code points; the type is looked for alone, at the usual lowest score. No
//! spans: nothing of the type is there.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Hints, Masker, MaskerConfig};
use crate::domain::masking::Entity;

static CASES: &str = include_str!("../../../fixtures/masking/cases-text.jsonl");

#[derive(Deserialize)]
struct Case {
    entity: Entity,
    text: String,
    spans: Vec<(usize, usize)>,
}

#[test]
fn written_cases_pass() {
    let masker = Masker::new(MaskerConfig::default()).unwrap();
    let mut failures = Vec::new();
    let mut total = 0;
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let only = BTreeSet::from([case.entity.clone()]);
        let hints = Hints { entities: Some(&only), ..Hints::default() };
        let points = |byte: usize| case.text[..byte].chars().count();
        let found: Vec<(usize, usize)> = masker
            .explain(&case.text, &hints)
            .into_iter()
            .map(|f| (points(f.span.start), points(f.span.end)))
            .collect();
        total += 1;
        if found != case.spans {
            failures
                .push(format!("{} {:?}: {found:?}, not {:?}", case.entity, case.text, case.spans));
        }
    }
    assert!(total >= 450, "only {total} cases");
    assert!(failures.is_empty(), "{} of {total}:\n{}", failures.len(), failures.join("\n"));
}
