//! A running service, asked with an API key.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::ToolError;

/// Most of an answer that is read, in bytes.
const MOST: usize = 8 * 1024 * 1024;

/// The service.
pub(super) struct Remote {
    base: Url,
    key: String,
    client: reqwest::Client,
}

impl Remote {
    /// # Errors
    /// When the URL can't be used or the key is missing.
    pub(super) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let base: Url = url.parse().context("COUNTERSIGN_URL is not a URL")?;
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https"),
            "COUNTERSIGN_URL: expected http or https"
        );
        anyhow::ensure!(!key.is_empty(), "COUNTERSIGN_API_KEY is not set");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .user_agent("countersign-mcp")
            .build()?;
        Ok(Self { base, key: key.to_owned(), client })
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, ToolError> {
        let unusable = |_| ToolError::Unreached("COUNTERSIGN_URL can't be used".to_owned());
        let mut url = self.base.join(path).map_err(unusable)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut answer = request.send().await.map_err(|e| {
            let why = if e.is_timeout() { "it did not answer in time" } else { "no connection" };
            ToolError::Unreached(format!("countersign can't be reached: {why}"))
        })?;
        let status = answer.status();
        let mut bytes = Vec::new();
        let broken = |_| ToolError::Unreached("countersign's answer broke off".to_owned());
        while let Some(more) = answer.chunk().await.map_err(broken)? {
            if bytes.len() + more.len() > MOST {
                return Err(ToolError::Unreached("countersign's answer is too long".to_owned()));
            }
            bytes.extend_from_slice(&more);
        }
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let text = |k: &str| value[k].as_str().unwrap_or("unknown").to_owned();
        Err(ToolError::Refused {
            status: status.as_u16(),
            code: text("code"),
            detail: text("detail"),
        })
    }

    /// A GET.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ToolError> {
        self.ask(Method::GET, path, query, None).await
    }

    /// Classifies a text.
    pub(super) async fn classify(
        &self,
        text: &str,
        subject: Option<&str>,
    ) -> Result<Value, ToolError> {
        let mut body = json!({"text": text, "outputs": super::OUTPUTS});
        if let Some(subject) = subject {
            body["subject"] = json!(subject);
        }
        self.ask(Method::POST, "/v1/classify", &[], Some(&body)).await
    }

    /// Masks a text.
    pub(super) async fn mask(
        &self,
        text: &str,
        language: Option<&str>,
    ) -> Result<Value, ToolError> {
        let mut body = json!({"text": text});
        if let Some(language) = language {
            body["language"] = json!(language);
        }
        let answer = self.ask(Method::POST, "/v1/mask", &[], Some(&body)).await?;
        Ok(json!({"masked": answer["masked"], "types": types(&answer)}))
    }
}

/// How often each type was found.
fn types(answer: &Value) -> Value {
    let mut all = serde_json::Map::new();
    for span in answer["spans"].as_array().into_iter().flatten() {
        let kind = span["type"].as_str().unwrap_or_default().to_owned();
        let n = all.entry(kind).or_insert_with(|| json!(0));
        *n = json!(n.as_u64().unwrap_or(0) + 1);
    }
    Value::Object(all)
}
