//! `/outbox` and `/knowledge`: what went out, and what drafts are grounded in.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::queue::channel_word;
use super::view::{self, ArticlePage, ArticleRow, KnowledgePage, OutboxPage, Section};
use super::{AppState, Failure, page, shell, when};
use crate::domain::approval::Approver;
use crate::domain::ids::{ArticleId, SendId};
use crate::http::auth::Person;
use crate::http::id;
use crate::store::outbox::Content;
use crate::store::{approval, article, channel, chunk, outbox, review, send, user};

/// Rows of the outbox.
const SENDS: i64 = 100;

/// `GET /outbox`.
pub async fn outbox(State(app): AppState, person: Person) -> Result<Response, Failure> {
    let s = shell(&app, &person, Section::Outbox).await?;
    let t = &person.session.tenant;
    let now = app.store.host.now();
    let mut c = app.store.db.read().await?;
    let delivered: Vec<(SendId, Content, _)> = outbox::list(&app.store, &mut c, t, SENDS).await?;
    let mut sends = Vec::new();
    for x in send::list(&mut c, t, SENDS).await? {
        let a = approval::get(&mut c, t, &x.approval).await?;
        let r = review::get(&mut c, t, &x.review).await?;
        let approver = match &a.approver {
            Approver::Person(u) => user::get(&mut c, t, u).await?.name,
            Approver::Policy { version } => format!("policy {version}"),
        };
        let kind = channel::get(&app.store, &mut c, t, &x.channel).await?.kind;
        let content = delivered.iter().find(|(id, ..)| *id == x.id).map(|(_, content, _)| content);
        sends.push(view::Send {
            id: x.id.to_string(),
            state: view::State::from_key(&x.state).unwrap_or(view::State::Unknown),
            channel: channel_word(kind.as_str()),
            to: content.map(|c| c.to.clone()).unwrap_or_default(),
            subject: content.map(|c| c.subject.clone()).filter(|s| !s.is_empty()),
            body: content.map(|c| c.body.clone()).unwrap_or_default(),
            at: when(x.updated_at, now),
            review: r.id.to_string(),
            approver,
            digest: x.digest,
            attempts: u32::try_from(send::attempts(&mut c, t, &x.id).await?).unwrap_or(u32::MAX),
            receipt: x.provider_ref,
            error: r.outcome,
        });
    }
    Ok(page(app.pages.outbox(&OutboxPage { shell: s, sends, next: None })?))
}

/// The list's parameters.
#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
}

/// `GET /knowledge`.
pub async fn knowledge(
    State(app): AppState,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let s = shell(&app, &person, Section::Knowledge).await?;
    let t = &person.session.tenant;
    let now = app.store.host.now();
    let query: String = asked.q.unwrap_or_default().trim().chars().take(100).collect();
    let wanted = query.to_lowercase();
    let mut c = app.store.db.read().await?;
    let mut articles = Vec::new();
    for a in article::list(&mut c, t, 1000).await? {
        let hit =
            a.title.to_lowercase().contains(&wanted) || a.body.to_lowercase().contains(&wanted);
        if !hit {
            continue;
        }
        let passages = chunk::count_of(&mut c, t, "article", a.id.as_str()).await?;
        articles.push(ArticleRow {
            id: a.id.to_string(),
            title: a.title,
            summary: a
                .body
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(140)
                .collect(),
            source: a.source,
            passages: u32::try_from(passages).unwrap_or(u32::MAX),
            updated: when(a.updated_at, now),
        });
    }
    Ok(page(app.pages.knowledge(&KnowledgePage { shell: s, query, articles, next: None })?))
}

/// `GET /knowledge/{id}`.
pub async fn article(
    State(app): AppState,
    person: Person,
    Path(path): Path<String>,
) -> Result<Response, Failure> {
    let wanted: ArticleId = id("article", &path)?;
    let s = shell(&app, &person, Section::Knowledge).await?;
    let t = &person.session.tenant;
    let mut c = app.store.db.read().await?;
    let a = article::get(&mut c, t, &wanted).await?;
    let passages = chunk::count_of(&mut c, t, "article", a.id.as_str()).await?;
    Ok(page(app.pages.article(&ArticlePage {
        shell: s,
        id: a.id.to_string(),
        title: a.title,
        source: a.source,
        language: (a.language != "und").then_some(a.language),
        passages: u32::try_from(passages).unwrap_or(u32::MAX),
        updated: when(a.updated_at, app.store.host.now()),
        text: a.body,
    })?))
}
