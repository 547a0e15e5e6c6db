//! Whether the process lives, whether it can work, and its counts.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::Problem;
use crate::store::job;

/// `GET /healthz`: the process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers.
pub async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    let mut c = app.store.db.read().await?;
    app.store.db.now(&mut c).await?;
    Ok("ready\n")
}

/// `GET /metrics`: counts in the Prometheus text format. No label holds anything of a message.
pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let mut c = app.store.db.read().await?;
    let mut text = String::from(
        "# HELP countersign_jobs Jobs by kind and state.\n# TYPE countersign_jobs gauge\n",
    );
    for (kind, state, n) in job::counts(&mut c).await? {
        text.push_str(&format!("countersign_jobs{{kind=\"{kind}\",state=\"{state}\"}} {n}\n"));
    }
    let (free, bytes) = (app.limits.free(), app.limits.free_mib());
    text.push_str(&format!(
        "# HELP countersign_requests_free Requests that could be taken at once.\n\
         # TYPE countersign_requests_free gauge\ncountersign_requests_free {free}\n\
         # HELP countersign_body_budget_free_mib Room for bodies on their way in, in MiB.\n\
         # TYPE countersign_body_budget_free_mib gauge\n\
         countersign_body_budget_free_mib {bytes}\n"
    ));
    text.push_str(&app.classifier.figures().text(app.classifier.depth()));
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((StatusCode::OK, kind, text).into_response())
}
