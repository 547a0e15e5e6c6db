//! The page on which reviewers work: server-rendered, one handler a route, each filling one typed
//! context. Everything changes by POST with the session's token; nothing needs JavaScript.

mod act;
mod docs;
mod learning;
mod library;
mod login;
mod logins;
mod queue;
pub mod render;
mod review;
pub mod view;

use std::sync::OnceLock;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::App;
use super::auth::{NotIn, Person};
use super::problem::Problem;
use crate::domain::ids::Micros;
use crate::store::{self, review as reviews};
pub use login::hash_password;
pub use logins::Logins;
use render::RenderError;
use view::{ErrorPage, NoticeKind, Section, Shell, When};

/// Largest login or logout form, in bytes.
const SMALL_FORM: usize = 16 * 1024;
/// Largest form of a review: a reply of 50,000 characters, each of which may take twelve bytes.
const LARGE_FORM: usize = 1024 * 1024;

/// The page's routes.
pub fn routes() -> Router<App> {
    let small = || DefaultBodyLimit::max(SMALL_FORM);
    Router::new()
        .route("/", get(queue::show))
        .route("/login", get(login::show).post(login::enter).layer(small()))
        .route("/logout", post(login::leave).layer(small()))
        .route("/reviews/{id}", get(review::show))
        .route("/reviews/{id}/{action}", post(act::act).layer(DefaultBodyLimit::max(LARGE_FORM)))
        .route("/outbox", get(library::outbox))
        .route("/knowledge", get(library::knowledge))
        .route("/knowledge/{id}", get(library::article))
        .route("/learning", get(learning::show))
        .route("/learning/{action}", post(learning::act).layer(small()))
        .route("/docs", get(docs::show))
        .route("/assets/{file}", get(asset))
        .fallback(missing)
}

/// A failure that a person sees as a page.
#[derive(Debug)]
pub struct Failure(Problem);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl From<RenderError> for Problem {
    fn from(e: RenderError) -> Self {
        tracing::error!(error = %e, "a template did not render");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the page could not be drawn")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let p = self.0;
        let page = ErrorPage {
            shell: None,
            status: p.status().as_u16(),
            title: p.status().canonical_reason().unwrap_or("Error").to_owned(),
            detail: p.detail().to_owned(),
            request: None,
        };
        static PAGES: OnceLock<Result<render::Pages, RenderError>> = OnceLock::new();
        let pages = PAGES.get_or_init(render::Pages::new);
        match pages.as_ref().ok().and_then(|pages| pages.error(&page).ok()) {
            Some(html) => (p.status(), page_headers(), Html(html)).into_response(),
            None => p.into_response(),
        }
    }
}

impl From<NotIn> for Failure {
    fn from(e: NotIn) -> Self {
        match e {
            NotIn::Problem(p) => Self(p),
            NotIn::Login(_) => {
                Self(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "log in first"))
            }
        }
    }
}

fn page_headers() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(render::CSP))]
}

/// A rendered page with its headers.
fn page(html: String) -> Response {
    (page_headers(), Html(html)).into_response()
}

async fn missing(person: Option<Person>) -> Response {
    let _ = person;
    Failure(Problem::not_found("page")).into_response()
}

async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(a) = render::asset(&file) else {
        return Problem::not_found("file").into_response();
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let cache = [
        (header::ETAG, a.etag),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_TYPE, a.content_type),
    ];
    if known == Some(a.etag) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, a.bytes).into_response()
}

/// What surrounds a page.
///
/// # Errors
/// Store errors.
async fn shell(app: &App, who: &Person, section: Section) -> store::Result<Shell> {
    let mut c = app.store.db.read().await?;
    let counts = reviews::counts(&mut c, &who.session.tenant).await?;
    let waiting: i64 = counts.iter().filter(|(s, _)| s.awaits_person()).map(|(_, n)| n).sum();
    Ok(Shell {
        section,
        user: who.user.name.clone(),
        tenant: String::new(),
        csrf: who.session.csrf.clone(),
        to_review: u64::try_from(waiting).unwrap_or(0),
        sandbox: app.demo.is_some(),
        notice: None,
    })
}

/// A moment in words.
fn when(at: Micros, now: Micros) -> When {
    When { at: at.rfc3339(), shown: shown(at), ago: ago(now.since(at)) }
}

fn shown(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map(|t| t.strftime("%-d %b, %H:%M UTC").to_string())
        .unwrap_or_default()
}

fn ago(d: std::time::Duration) -> String {
    match d.as_secs() {
        s if s < 60 => "now".to_owned(),
        s if s < 3600 => format!("{} min", s / 60),
        s if s < 86_400 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// A share in per cent.
fn percent(p: f32) -> u8 {
    // Between 0 and 100 by the clamp.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0–100")]
    let n = (p.clamp(0.0, 1.0) * 100.0).round() as u8;
    n
}

/// The one-line notice after an action, carried over the redirect as a code, never as text.
fn notice(code: &str) -> Option<view::Notice> {
    let (kind, title) = match code {
        "claimed" => (NoticeKind::Done, "It's yours for now."),
        "released" => (NoticeKind::Done, "Given back to the queue."),
        "approved" => (NoticeKind::Done, "Signed. It goes out when the hold has run out."),
        "edited" => (NoticeKind::Done, "Saved as a new revision."),
        "rejected" => (NoticeKind::Done, "Rejected: nothing is sent."),
        "snoozed" => (NoticeKind::Done, "Snoozed."),
        "escalated" => (NoticeKind::Done, "Escalated to a lead."),
        "assigned" => (NoticeKind::Done, "Assigned."),
        "undone" => (NoticeKind::Done, "Taken back: nothing was sent."),
        "labelled" => (NoticeKind::Done, "Noted: heads can learn from it."),
        "promoted" => (NoticeKind::Done, "Promoted: it reads new messages within a second or two."),
        "rolled_back" => (NoticeKind::Done, "Taken back: what ran before runs again."),
        "settled" => (NoticeKind::Done, "Noted."),
        _ => return None,
    };
    Some(view::Notice { kind, title: title.to_owned(), lines: Vec::new(), undo: None })
}

/// What handlers get from the router.
type AppState = State<App>;
