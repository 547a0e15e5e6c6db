//! `/docs`: the API's documentation, drawn from its description. It needs no login: the description is
//! not secret. Trying an operation needs a key, which stays in the page.

use std::sync::OnceLock;

use axum::response::Response;

use super::view::DocsPage;
use super::{AppState, Failure, State, page};
use crate::http::openapi;

/// `GET /docs`.
pub async fn show(State(app): AppState) -> Result<Response, Failure> {
    static HTML: OnceLock<String> = OnceLock::new();
    if let Some(html) = HTML.get() {
        return Ok(page(html.clone()));
    }
    let html = app.pages.docs(&DocsPage::of(&openapi::document()))?;
    Ok(page(HTML.get_or_init(|| html).clone()))
}
