//! Drafts from any endpoint that speaks the OpenAI chat protocol: a vendor's, or a model on the same machine.
//!
//! The endpoint is not trusted with anything but masked text, and its answers are not trusted at all: they are cut off
//! at a size, read as JSON of our schema, asked for again at most twice, and then left to a person. Waiting follows
//! [`Backoff`]; the library's own retries are switched off by giving it our own transport.

mod answer;
mod wire;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, ResponseFormat,
    ResponseFormatJsonSchema,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tiktoken_rs::CoreBPE;
use tokio::time::{Instant, sleep, timeout_at};

use crate::domain::draft::DraftOutcome;
use crate::domain::retry::{Backoff, Circuit};
use crate::ports::host::Host;
use crate::ports::{ChatError, ChatModel, ChatRequest, Prompt};
use answer::Flaw;
use wire::{Wire, WireError};

/// How often an answer that can't be used is asked for again.
const MAX_REPAIRS: usize = 2;
/// Tries of one request within its time-out; later ones are the worker's business.
const MAX_TRIES: u32 = 3;
/// Longest pause between two tries, unless the endpoint asks for a longer one.
const PAUSE_CAP: Duration = Duration::from_secs(60);
/// Failures in a row after which the endpoint is left alone, and for how long.
const CIRCUIT: (u32, Duration) = (5, Duration::from_secs(30));

/// A key that Debug doesn't show.
#[derive(Clone, Default)]
pub struct ApiKey(String);

impl ApiKey {
    /// Wraps a key; an empty one means that the endpoint wants none.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// How the endpoint is told to answer in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonOutput {
    /// `response_format: json_schema`: the endpoint enforces the schema.
    #[default]
    Schema,
    /// `response_format: json_object`: the endpoint enforces JSON only.
    Object,
    /// Nothing but the prompt says so.
    Prompted,
}

/// Where the model is and how it is asked.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// As `http://127.0.0.1:8081/v1`; `/chat/completions` is added.
    pub base_url: String,
    /// The model's name at the endpoint.
    pub model: String,
    /// The endpoint's key.
    pub api_key: ApiKey,
    /// Time for a draft, pauses and repairs included.
    pub timeout: Duration,
    /// Tokens that an answer may have.
    pub max_tokens: u32,
    /// Tokens that prompt and answer may have together.
    pub context_tokens: usize,
    /// Bytes that an answer may have, as it comes over the wire.
    pub max_response_bytes: usize,
    /// 0 is the most repeatable; none leaves it to the endpoint, as reasoning models demand.
    pub temperature: Option<f32>,
    /// How JSON is demanded.
    pub json: JsonOutput,
}

impl OpenAiSettings {
    /// Ordinary settings for an endpoint and a model.
    #[must_use]
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let base_url = base_url.into();
        let temperature = (!is_vendor(&base_url)).then_some(0.0);
        Self {
            base_url,
            model: model.into(),
            api_key: ApiKey::default(),
            timeout: Duration::from_secs(25),
            max_tokens: 800,
            context_tokens: 8_000,
            max_response_bytes: 256 * 1024,
            temperature,
            json: JsonOutput::default(),
        }
    }
}

/// The vendor's newest models refuse `max_tokens` and `temperature`; many other servers know only these.
fn is_vendor(base_url: &str) -> bool {
    base_url.contains("://api.openai.com")
}

/// Settings that can't work.
#[derive(Debug, thiserror::Error)]
pub enum OpenAiSetupError {
    /// The answer alone fills the context.
    #[error("context_tokens ({context}) must be greater than max_tokens ({answer})")]
    NoRoomForPrompt {
        /// Tokens in all.
        context: usize,
        /// Tokens for the answer.
        answer: u32,
    },
    /// The HTTP client can't be made.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
    /// The token counter's vocabulary can't be read.
    #[error("the token counter could not be set up: {0}")]
    Tokenizer(String),
}

/// A model behind an HTTP endpoint.
pub struct OpenAi {
    id: String,
    settings: OpenAiSettings,
    client: Client<OpenAIConfig>,
    tokenizer: &'static CoreBPE,
    backoff: Backoff,
    circuit: Mutex<Circuit>,
    host: Arc<dyn Host>,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A client for the endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`OpenAiSetupError`].
    pub fn new(settings: OpenAiSettings, host: Arc<dyn Host>) -> Result<Self, OpenAiSetupError> {
        if settings.context_tokens <= settings.max_tokens as usize {
            let (context, answer) = (settings.context_tokens, settings.max_tokens);
            return Err(OpenAiSetupError::NoRoomForPrompt { context, answer });
        }
        // A redirect would carry the prompt to a host that nobody configured.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(OpenAiSetupError::Client)?;
        let mut config = OpenAIConfig::new()
            .with_api_base(settings.base_url.trim_end_matches('/'))
            .with_api_key(settings.api_key.0.clone());
        // Whatever the environment says is not ours to pass on.
        config = config.with_org_id("").with_project_id("");
        let wire = Wire::new(http.clone(), settings.max_response_bytes, host.clone());
        let client = Client::build(http, config).with_http_service(wire);
        // Unknown models are counted with the newest vocabulary; the margin of the prompt covers the difference.
        let tokenizer = tiktoken_rs::bpe_for_model(&settings.model)
            .or_else(|_| {
                tiktoken_rs::bpe_for_tokenizer(tiktoken_rs::tokenizer::Tokenizer::O200kBase)
            })
            .map_err(|e| OpenAiSetupError::Tokenizer(e.to_string()))?;
        Ok(Self {
            id: format!("model:{}", settings.model),
            settings,
            client,
            tokenizer,
            backoff: Backoff::new(PAUSE_CAP),
            circuit: Mutex::new(Circuit::new(CIRCUIT.0, CIRCUIT.1)),
            host,
        })
    }

    async fn draft_in_time(&self, request: &ChatRequest) -> Result<DraftOutcome, ChatError> {
        let deadline = Instant::now() + self.settings.timeout;
        let prompt =
            request.prompt.as_ref().ok_or_else(|| ChatError::Permanent(NoPrompt.into()))?;
        let mut flaw: Option<Flaw> = None;
        for _ in 0..=MAX_REPAIRS {
            let body = self.body(prompt, flaw.as_ref());
            flaw = Some(match self.ask(&body, deadline).await {
                Ok(response) => match answer::read(&response, &request.draft, prompt.passages) {
                    Ok(outcome) => return Ok(outcome),
                    Err(flaw) if flaw.is_final() => return Err(needs_person(&flaw)),
                    Err(flaw) => flaw,
                },
                Err(Refusal::Unusable(flaw)) => flaw,
                Err(Refusal::Error(error)) => return Err(error),
            });
        }
        Err(flaw.map_or_else(
            || ChatError::NeedsPerson { reason: "no answer".into() },
            |f| needs_person(&f),
        ))
    }

    fn body(&self, prompt: &Prompt, flaw: Option<&Flaw>) -> CreateChatCompletionRequest {
        let system = ChatCompletionRequestSystemMessage::from(prompt.system.as_str());
        let user = ChatCompletionRequestUserMessage::from(prompt.user.as_str());
        let mut messages = vec![
            ChatCompletionRequestMessage::System(system),
            ChatCompletionRequestMessage::User(user),
        ];
        // The answer itself is not sent back: our words only, so nothing unmasked can slip in this way.
        messages.extend(flaw.map(|f| {
            ChatCompletionRequestMessage::User(ChatCompletionRequestUserMessage::from(
                f.repair_request(),
            ))
        }));
        let schema = || ResponseFormatJsonSchema {
            description: None,
            name: "draft".into(),
            schema: prompt.schema.clone(),
            strict: Some(true),
        };
        let vendor = is_vendor(&self.settings.base_url);
        let mut body = CreateChatCompletionRequest {
            model: self.settings.model.clone(),
            messages,
            temperature: self.settings.temperature,
            response_format: match self.settings.json {
                JsonOutput::Schema => Some(ResponseFormat::JsonSchema { json_schema: schema() }),
                JsonOutput::Object => Some(ResponseFormat::JsonObject),
                JsonOutput::Prompted => None,
            },
            max_completion_tokens: vendor.then_some(self.settings.max_tokens),
            ..CreateChatCompletionRequest::default()
        };
        if !vendor {
            #[expect(
                deprecated,
                reason = "the only spelling that most servers other than the vendor's know"
            )]
            {
                body.max_tokens = Some(self.settings.max_tokens);
            }
        }
        body
    }

    /// Sends one request, again where that may help and time allows.
    async fn ask(
        &self,
        body: &CreateChatCompletionRequest,
        deadline: Instant,
    ) -> Result<Value, Refusal> {
        let mut attempt = 0;
        loop {
            // One caller was told when to come again: that holds for all.
            if attempt == 0
                && let Some(wait) = self.circuit().resting(self.host.now())
            {
                return Err(Refusal::Error(retry(wait, true, Resting)));
            }
            if let Err(wait) = self.circuit().admit(self.host.now()) {
                return Err(Refusal::Error(retry(wait, false, CircuitOpen)));
            }
            let sent = timeout_at(deadline, self.client.chat().create_byot::<_, Value>(body)).await;
            let failure = match sent {
                Ok(Ok(response)) => {
                    self.circuit().succeeded();
                    return Ok(response);
                }
                Ok(Err(error)) => Failure::from(error),
                Err(_) => {
                    Failure::transient(WireError::TimedOut(self.settings.timeout), None, false)
                }
            };
            let (error, asked_wait, asked) = match failure {
                Failure::Transient { error, wait, asked } => (error, wait, asked),
                Failure::Unusable(flaw) => {
                    self.circuit().succeeded();
                    return Err(Refusal::Unusable(flaw));
                }
                Failure::Permanent(error) => {
                    self.circuit().succeeded();
                    return Err(Refusal::Error(ChatError::Permanent(error.into())));
                }
            };
            // An endpoint that names a time is alive; only silence and errors open the circuit.
            let now = self.host.now();
            if !asked {
                self.circuit().failed(now);
            } else if let Some(wait) = asked_wait {
                self.circuit().rest(now.plus(wait));
            }
            let pause = self.backoff.delay(attempt, asked_wait, self.host.unit());
            attempt += 1;
            if attempt >= MAX_TRIES || Instant::now() + pause >= deadline {
                return Err(Refusal::Error(retry(pause, asked, error)));
            }
            sleep(pause).await;
        }
    }

    fn circuit(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatModel for OpenAi {
    fn id(&self) -> &str {
        &self.id
    }

    fn prompt_budget(&self) -> Option<usize> {
        Some(self.settings.context_tokens - self.settings.max_tokens as usize)
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.count_ordinary(text)
    }

    fn draft<'a>(
        &'a self,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<DraftOutcome, ChatError>> {
        self.draft_in_time(request).boxed()
    }
}

/// The pipeline forgot to render one.
#[derive(Debug, thiserror::Error)]
#[error("a model needs a rendered prompt")]
struct NoPrompt;

/// The endpoint failed too often to be asked now.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint failed {} times in a row and is left alone for a while", CIRCUIT.0)]
struct CircuitOpen;

/// The endpoint asked for a pause that isn't over.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint asked for a pause")]
struct Resting;

/// Why a request gave no response.
enum Refusal {
    /// It did, but not one that can be used.
    Unusable(Flaw),
    /// What the caller is told.
    Error(ChatError),
}

/// What a failed try means.
enum Failure {
    Transient { error: WireError, wait: Option<Duration>, asked: bool },
    Unusable(Flaw),
    Permanent(OpenAIError),
}

impl Failure {
    fn transient(error: WireError, wait: Option<Duration>, asked: bool) -> Self {
        Self::Transient { error, wait, asked }
    }
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        let boxed = match error {
            OpenAIError::Boxed(boxed) => boxed,
            other => return Self::Permanent(other),
        };
        match boxed.downcast::<WireError>() {
            Ok(error) => match *error {
                WireError::Status { status, wait, .. } if error.may_pass() => {
                    // 429 says "slow down" even without a time.
                    Self::transient(*error, wait, status == 429 || wait.is_some())
                }
                WireError::Connection(_) | WireError::TimedOut(_) => {
                    Self::transient(*error, None, false)
                }
                WireError::TooLarge(_) => Self::Unusable(Flaw::TooLong),
                WireError::NotJson => Self::Unusable(Flaw::NotAResponse),
                WireError::Status { .. } => Self::Permanent(OpenAIError::Boxed(error)),
            },
            Err(other) => Self::Permanent(OpenAIError::Boxed(other)),
        }
    }
}

fn retry(
    after: Duration,
    asked: bool,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ChatError {
    ChatError::Retry { after, asked, source: Box::new(source) }
}

fn needs_person(flaw: &Flaw) -> ChatError {
    ChatError::NeedsPerson { reason: flaw.to_string() }
}

#[cfg(test)]
mod tests;
