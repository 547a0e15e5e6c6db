//! Turns the typed contexts into HTML, and serves the files that the HTML refers to.
//!
//! Templates and assets are part of the binary. Everything a template prints passes through one
//! formatter that escapes it and makes deceptive characters visible; nothing is marked safe except
//! what templates themselves produce. An undefined or absent value is an error, not an empty string.
//! Engine errors stay free of page content: the engine's debug mode, which quotes variables, is off.

mod asset;
mod escape;
#[cfg(test)]
mod tests;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;

pub use self::asset::{Asset, asset};
use super::view::{
    ArticlePage, DocsPage, ErrorPage, KnowledgePage, LearningPage, LoginPage, OutboxPage,
    QueuePage, ReviewPage,
};

/// `Content-Security-Policy` of every page: nothing inline, nothing from elsewhere, no framing.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Templates by name; the `.html` in the names is what switches escaping on.
const TEMPLATES: &[(&str, &str)] = &[
    ("actions.html", include_str!("../templates/actions.html")),
    ("analysis.html", include_str!("../templates/analysis.html")),
    ("article.html", include_str!("../templates/article.html")),
    ("docs.html", include_str!("../templates/docs.html")),
    ("draft.html", include_str!("../templates/draft.html")),
    ("error.html", include_str!("../templates/error.html")),
    ("icons.html", include_str!("../templates/icons.html")),
    ("knowledge.html", include_str!("../templates/knowledge.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("learning.html", include_str!("../templates/learning.html")),
    ("list.html", include_str!("../templates/list.html")),
    ("login.html", include_str!("../templates/login.html")),
    ("outbox.html", include_str!("../templates/outbox.html")),
    ("parts.html", include_str!("../templates/parts.html")),
    ("queue.html", include_str!("../templates/queue.html")),
    ("review.html", include_str!("../templates/review.html")),
    ("thread.html", include_str!("../templates/thread.html")),
];

/// A page that could not be rendered. Always a fault of ours, so the answer is a bare 500.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template doesn't parse.
    #[error("template {template} does not parse")]
    Parse {
        template: &'static str,
        #[source]
        source: Error,
    },
    /// A template and its context disagree.
    #[error("template {template} could not be rendered")]
    Render {
        template: &'static str,
        #[source]
        source: Error,
    },
}

/// The compiled templates. Built once, shared by all handlers.
pub struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    /// Compiles the embedded templates.
    pub fn new() -> Result<Self, RenderError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_debug(false);
        templates.set_syntax(whitespace()?);
        templates.set_formatter(escape::print);
        templates.add_filter("segments", escape::segment_values);
        templates.add_filter("plain", escape::plain);
        templates.add_filter("component", escape::component);
        templates.add_filter("short", escape::short);
        templates.add_function("asset", asset::asset_url);
        for (template, source) in TEMPLATES {
            templates
                .add_template(template, source)
                .map_err(|source| RenderError::Parse { template, source })?;
        }
        Ok(Self { templates })
    }

    /// `GET /login`.
    pub fn login(&self, page: &LoginPage) -> Result<String, RenderError> {
        self.render("login.html", page)
    }

    /// `GET /`.
    pub fn queue(&self, page: &QueuePage) -> Result<String, RenderError> {
        self.render("queue.html", page)
    }

    /// `GET /reviews/{id}`.
    pub fn review(&self, page: &ReviewPage) -> Result<String, RenderError> {
        self.render("review.html", page)
    }

    /// `GET /outbox`.
    pub fn outbox(&self, page: &OutboxPage) -> Result<String, RenderError> {
        self.render("outbox.html", page)
    }

    /// `GET /knowledge`.
    pub fn knowledge(&self, page: &KnowledgePage) -> Result<String, RenderError> {
        self.render("knowledge.html", page)
    }

    /// `GET /knowledge/{id}`.
    pub fn article(&self, page: &ArticlePage) -> Result<String, RenderError> {
        self.render("article.html", page)
    }

    /// `GET /learning`.
    pub fn learning(&self, page: &LearningPage) -> Result<String, RenderError> {
        self.render("learning.html", page)
    }

    /// `GET /docs`.
    pub fn docs(&self, page: &DocsPage) -> Result<String, RenderError> {
        self.render("docs.html", page)
    }

    /// Any failure shown to a person.
    pub fn error(&self, page: &ErrorPage) -> Result<String, RenderError> {
        self.render("error.html", page)
    }

    fn render(&self, template: &'static str, page: &impl Serialize) -> Result<String, RenderError> {
        self.templates
            .get_template(template)
            .and_then(|compiled| compiled.render(Value::from(Serde(page))))
            .map_err(|source| RenderError::Render { template, source })
    }
}

/// A block tag on a line of its own leaves no trace of that line.
fn whitespace() -> Result<SyntaxConfig, RenderError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|source| RenderError::Parse { template: "(syntax)", source })
}
