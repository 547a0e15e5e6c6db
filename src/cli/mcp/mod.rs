//! `mcp`: the Model Context Protocol on standard input and output, so that an assistant can classify,
//! mask, search the knowledge base and read the queue. It can't approve, write or send anything, and
//! what it reads is masked text.
//!
//! It asks a running service (`COUNTERSIGN_URL`, `COUNTERSIGN_API_KEY`), as SQLite has one owner. Without
//! a URL, classifying and masking are done in this process. Standard output carries the protocol and
//! nothing else.

mod local;
mod remote;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, ServiceExt as _, schemars, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::local::Local;
use self::remote::Remote;
use crate::config::Config;
use crate::http::data_error;

/// Most characters of a tool's result; an assistant's context is not the place for more.
const MOST: usize = 40_000;
/// What is said of a classified text: all that is no part of it.
const OUTPUTS: [&str; 6] = ["intent", "sentiment", "urgency", "language", "spam", "injection"];
/// Longest text that is classified or masked, in bytes.
const LONGEST: usize = 200_000;

/// A text to classify.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classify {
    /// The message's text, up to 200,000 bytes.
    text: String,
    /// Its subject line, if it has one.
    subject: Option<String>,
}

/// A text to mask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// The text, up to 200,000 bytes.
    text: String,
    /// Its language as an ISO 639-1 code, if known.
    language: Option<String>,
}

/// What to look for in the knowledge base.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchKnowledge {
    /// A question or some words.
    query: String,
    /// How many passages, 1 to 20; 5 if it is left out.
    #[schemars(range(min = 1, max = 20))]
    limit: Option<u8>,
}

/// Which part of the queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListReviews {
    /// States separated by commas (as `pending,escalated`), or `all`; what waits for a person if it is
    /// left out.
    state: Option<String>,
    /// How many, 1 to 50; 20 if it is left out.
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u8>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Which review.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetReview {
    /// The review's id.
    id: String,
}

/// Arguments of a tool. What is wrong with them is the tool's own answer, which repeats none of their values; the
/// protocol's library would quote them.
struct Asked<T>(Result<T, ToolError>);

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Asked<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = serde_json::from_value(Value::deserialize(from)?);
        Ok(Self(read.map_err(|e| ToolError::Argument(format!("arguments: {}", data_error(&e))))))
    }
}

impl<T: JsonSchema> JsonSchema for Asked<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// Why a tool could not do its work, for whoever reads the assistant's transcript.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolError {
    /// The arguments make no sense.
    #[error("{0}")]
    Argument(String),
    /// The service said no.
    #[error("countersign answered {status} `{code}`: {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: String,
        /// For people.
        detail: String,
    },
    /// The service can't be reached or read.
    #[error("{0}")]
    Unreached(String),
    /// This tool needs a service.
    #[error("this tool needs a running service: set COUNTERSIGN_URL and COUNTERSIGN_API_KEY")]
    NoService,
}

enum Backend {
    Remote(Remote),
    Local(Box<Local>),
}

/// The server.
#[derive(Clone)]
struct Countersign {
    backend: Arc<Backend>,
    tool_router: ToolRouter<Self>,
}

/// A result as text, cut where it is too long: first the lists, then the text itself.
fn told(result: Result<Value, ToolError>) -> CallToolResult {
    match result {
        Ok(value) => CallToolResult::success(vec![ContentBlock::text(bounded(value))]),
        Err(e) => CallToolResult::error(vec![ContentBlock::text(e.to_string())]),
    }
}

fn bounded(mut value: Value) -> String {
    let mut text = value.to_string();
    while text.chars().count() > MOST {
        let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) else { break };
        if items.pop().is_none() {
            break;
        }
        value["cut"] = json!("the result was too long: ask for fewer");
        text = value.to_string();
    }
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}… (cut: the result was too long)", &text[..at]),
        None => text,
    }
}

fn whole(text: &str) -> Result<(), ToolError> {
    if text.trim().is_empty() {
        return Err(ToolError::Argument("`text` is empty".to_owned()));
    }
    if text.len() > LONGEST {
        return Err(ToolError::Argument(format!("`text` is longer than {LONGEST} bytes")));
    }
    Ok(())
}

#[tool_router]
impl Countersign {
    fn new(backend: Backend) -> Self {
        Self { backend: Arc::new(backend), tool_router: Self::tool_router() }
    }

    fn remote(&self) -> Result<&Remote, ToolError> {
        match &*self.backend {
            Backend::Remote(r) => Ok(r),
            Backend::Local(_) => Err(ToolError::NoService),
        }
    }

    /// Reads a customer's message.
    #[tool(
        name = "classify",
        description = "Read a customer's message: intent, sentiment, urgency, language, spam and \
                       injection, each with confidence. Nothing is stored.",
        annotations(title = "Classify a message", read_only_hint = true, open_world_hint = false)
    )]
    async fn classify(&self, Parameters(asked): Parameters<Asked<Classify>>) -> CallToolResult {
        let work = async {
            let a = asked.0?;
            whole(&a.text)?;
            match &*self.backend {
                Backend::Remote(r) => r.classify(&a.text, a.subject.as_deref()).await,
                Backend::Local(l) => l.classify(&a.text, a.subject.as_deref()),
            }
        };
        told(work.await)
    }

    /// Replaces personal data.
    #[tool(
        name = "mask",
        description = "Replace personal data in a text by typed placeholders such as <EMAIL_1>. \
                       Nothing is stored and the values are not returned.",
        annotations(title = "Mask personal data", read_only_hint = true, open_world_hint = false)
    )]
    async fn mask(&self, Parameters(asked): Parameters<Asked<Mask>>) -> CallToolResult {
        let work = async {
            let a = asked.0?;
            whole(&a.text)?;
            match &*self.backend {
                Backend::Remote(r) => r.mask(&a.text, a.language.as_deref()).await,
                Backend::Local(l) => l.mask(&a.text, a.language.as_deref()),
            }
        };
        told(work.await)
    }

    /// Searches published articles.
    #[tool(
        name = "search_knowledge",
        description = "Search the published knowledge base; returns passages with their article and \
                       score, best first.",
        annotations(
            title = "Search the knowledge base",
            read_only_hint = true,
            open_world_hint = false
        )
    )]
    async fn search_knowledge(
        &self,
        Parameters(asked): Parameters<Asked<SearchKnowledge>>,
    ) -> CallToolResult {
        let work = async {
            let a = asked.0?;
            let limit = a.limit.unwrap_or(5).clamp(1, 20).to_string();
            if a.query.trim().is_empty() {
                return Err(ToolError::Argument("`query` is empty".to_owned()));
            }
            let query = [("q", a.query.as_str()), ("limit", limit.as_str())];
            self.remote()?.get("/v1/knowledge/search", &query).await
        };
        told(work.await)
    }

    /// Lists the queue.
    #[tool(
        name = "list_reviews",
        description = "List the review queue, most urgent first. Read only: reviews are approved by \
                       people on the page, never here.",
        annotations(title = "List reviews", read_only_hint = true, open_world_hint = false)
    )]
    async fn list_reviews(
        &self,
        Parameters(asked): Parameters<Asked<ListReviews>>,
    ) -> CallToolResult {
        let work = async {
            let a = asked.0?;
            let limit = a.limit.unwrap_or(20).clamp(1, 50).to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(a.state.as_deref().map(|s| ("state", s)));
            query.extend(a.cursor.as_deref().map(|c| ("cursor", c)));
            self.remote()?.get("/v1/reviews", &query).await
        };
        told(work.await)
    }

    /// Shows one review.
    #[tool(
        name = "get_review",
        description = "Show one review: the draft as masked text, its sentences with verdicts, and the \
                       conversation it answers. Read only.",
        annotations(title = "Show a review", read_only_hint = true, open_world_hint = false)
    )]
    async fn get_review(&self, Parameters(asked): Parameters<Asked<GetReview>>) -> CallToolResult {
        let work = async {
            let a = asked.0?;
            let id: crate::domain::ids::ReviewId =
                a.id.parse()
                    .map_err(|_| ToolError::Argument("`id` is not a review's id".into()))?;
            let remote = self.remote()?;
            let mut review = remote.get(&format!("/v1/reviews/{id}"), &[]).await?;
            let thread = review["thread"].as_str().unwrap_or_default();
            let thread = remote.get(&format!("/v1/threads/{thread}"), &[]).await?;
            review["conversation"] = thread["messages"].clone();
            Ok(review)
        };
        told(work.await)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Countersign {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("countersign", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Triage of customer messages. All tools only read; texts are masked, with \
                 placeholders such as <EMAIL_1>. Replies are approved by people on the review page.",
            )
    }
}

/// Serves until the client closes standard input.
pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let backend = match std::env::var("COUNTERSIGN_URL") {
        Ok(url) if !url.trim().is_empty() => {
            let key = std::env::var("COUNTERSIGN_API_KEY").unwrap_or_default();
            Backend::Remote(Remote::new(url.trim(), key.trim())?)
        }
        _ => Backend::Local(Box::new(Local::new(config))),
    };
    let serving = Countersign::new(backend).serve(rmcp::transport::stdio()).await;
    let service = match serving {
        Ok(service) => service,
        // A client that leaves before it has said anything is no failure.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => {
            return Ok(ExitCode::SUCCESS);
        }
        Err(e) => return Err(e).context("the client did not begin as the protocol says"),
    };
    service.waiting().await.context("serving")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_results_lose_their_last_items_first() {
        let item = "x".repeat(1000);
        let text = bounded(json!({"items": vec![item; 100], "next": "n"}));
        assert!(text.len() <= MOST);
        let v: Value = serde_json::from_str(&text).unwrap();
        assert!(v["items"].as_array().unwrap().len() > 30 && v["cut"].is_string());
        let text = bounded(json!({"draft": "é".repeat(MOST)}));
        assert!(text.ends_with("(cut: the result was too long)"), "{}", text.len());
        assert!(text.chars().count() < MOST + 100);
    }
}
