//! Heads that a team trains on its own labelled messages.
//!
//! [`fit`] makes one from examples, [`Head::save`] writes it as a folder, [`load`] reads it, and
//! [`Triage::with_head`](super::Triage::with_head) puts it in the place of the shipped head of its task.
//!
//! The learner is the one of the shipped heads, kernel ridge regression on the encoder's states and hashed
//! words: on labelled sets of ten thousand it beats logistic regression on the same features by a point.

mod alone;
mod card;
mod file;
mod fit;
mod head;
mod judge;
mod report;
mod settle;
mod task;
mod texts;

pub use alone::{Alone, AloneError, Outputs};
pub use file::{FileError, load};
pub use fit::{Choice, Example, FitError, Fitted, MOST_ROWS, Options, Progress, fit};
pub(super) use head::features;
pub use head::{About, Data, Head, Seen};
pub(super) use report::share;
pub use report::{Figure, Findings, Given, LabelFigures, Metrics, Pair, Suspect};
pub(super) use settle::own_injection;
pub use task::{LabelError, Task};
pub(super) use texts::{BuiltIn, Texts};
