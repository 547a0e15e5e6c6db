//! `GET /learning`: what was learnt from corrections, and what the taxonomy may lack.

use serde::Serialize;

use super::sample::when;
use super::words::{Section, Task};
use super::{Shell, When};

/// `GET /learning`.
#[derive(Clone, Serialize)]
pub struct LearningPage {
    pub shell: Shell,
    /// Whether this person may promote and take back.
    pub may_decide: bool,
    /// One a task.
    pub heads: Vec<Head>,
    /// The newest messages without an intent that were looked at for topics.
    pub messages: u32,
    /// The largest first.
    pub topics: Vec<Topic>,
}

/// What decides a task.
#[derive(Clone, Serialize)]
pub struct Head {
    pub task: Task,
    /// Corrections that reviewers have made.
    pub corrections: u32,
    /// The promoted model's name; `None` while the built-in head runs.
    pub runs: Option<String>,
    pub since: Option<When>,
    /// What waits for a decision.
    pub proposal: Option<Proposal>,
}

/// A head that was learnt and doesn't run yet.
#[derive(Clone, Serialize)]
pub struct Proposal {
    pub id: String,
    pub name: String,
    pub made: When,
    pub sets: Vec<Set>,
    /// Why it shouldn't take over, a reason a line.
    pub against: Vec<String>,
}

/// How a proposal did on a set of messages, beside what runs.
#[derive(Clone, Serialize)]
pub struct Set {
    pub name: String,
    pub rows: u32,
    /// Right answers of what runs, with the interval (`82.1 % (75–88)`).
    pub now: String,
    pub proposed: String,
    /// Messages that only the proposal labels right.
    pub gained: u32,
    /// Messages that only what runs labels right.
    pub lost: u32,
}

/// Messages without an intent that belong together.
#[derive(Clone, Serialize)]
pub struct Topic {
    pub size: u32,
    /// Words that set it apart, with commas.
    pub words: String,
    pub examples: Vec<TopicExample>,
}

/// A message of a topic.
#[derive(Clone, Serialize)]
pub struct TopicExample {
    /// The review about it, if there is one.
    pub review: Option<String>,
    /// How it begins, masked.
    pub text: String,
}

impl LearningPage {
    /// Intents wait for a decision with something against it, moods are learnt, spam is as it came.
    pub fn sample() -> Self {
        let set = |name: &str, rows, now: &str, proposed: &str| Set {
            name: name.into(),
            rows,
            now: now.into(),
            proposed: proposed.into(),
            gained: 6,
            lost: 1,
        };
        let head =
            |task, corrections| Head { task, corrections, runs: None, since: None, proposal: None };
        let proposal = Proposal {
            id: "md-0192a7".into(),
            name: "intent-4f1c9a".into(),
            made: when("2026-11-12T09:00:00Z", "12 Nov, 09:00 UTC", "2 h"),
            sets: vec![
                set("held out", 143, "91.2 % (85–95)", "93.0 % (88–96)"),
                set("latest corrections", 20, "35.0 % (18–57)", "30.0 % (15–52)"),
            ],
            against: vec!["it is worse on the latest corrections".into()],
        };
        Self {
            shell: Shell::sample(Section::Learning),
            may_decide: true,
            heads: vec![
                Head { proposal: Some(proposal), ..head(Task::Intent, 61) },
                Head {
                    runs: Some("sentiment-77ab01".into()),
                    since: Some(when("2026-11-10T16:30:00Z", "10 Nov, 16:30 UTC", "2 d")),
                    ..head(Task::Sentiment, 24)
                },
                head(Task::Spam, 0),
            ],
            messages: 212,
            topics: vec![Topic {
                size: 17,
                words: "battery, swells, charger".into(),
                examples: vec![
                    TopicExample {
                        review: Some("rv-0192a7".into()),
                        text: "The battery of my light swells. Write to <EMAIL_1>.".into(),
                    },
                    TopicExample { review: None, text: "battery bulging after a month".into() },
                ],
            }],
        }
    }

    /// A reviewer's first day: nothing learnt, nothing to decide.
    pub fn sample_empty() -> Self {
        let page = Self::sample();
        let heads = page.heads.into_iter().skip(2).collect();
        Self { may_decide: false, heads, messages: 0, topics: Vec::new(), ..page }
    }
}
