//! Classifying and masking in this process, for those who run no service. The models are loaded with
//! the first call, so that a client is not kept waiting at the start.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::ToolError;
use crate::app;
use crate::config::Config;
use crate::domain::masking::OperatorKey;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::{Input, Triage};
use crate::pipeline::anonymise::{Anonymiser, Conversation, Options};

/// The parts, loaded when they are first needed.
pub(super) struct Local {
    config: Config,
    loaded: OnceLock<Result<Loaded, String>>,
}

struct Loaded {
    encoder: Arc<dyn Embed>,
    triage: Triage,
    anonymiser: Anonymiser,
}

fn load(config: &Config) -> anyhow::Result<Loaded> {
    let encoder: Arc<dyn Embed> = app::encoder(config)?;
    let triage = app::triage(config, &*encoder)?;
    let detector = app::detector(&config.mask, None, Some(encoder.clone()))?;
    let operators = app::operators(&config.mask)?;
    anyhow::ensure!(
        !operators.need_key(),
        "the operators of [mask] need a service's key: set COUNTERSIGN_URL"
    );
    let key = OperatorKey::new([0; 32]);
    Ok(Loaded { encoder, triage, anonymiser: Anonymiser::new(Arc::new(detector), operators, key) })
}

impl Local {
    pub(super) fn new(config: Config) -> Self {
        Self { config, loaded: OnceLock::new() }
    }

    fn loaded(&self) -> Result<&Loaded, ToolError> {
        let loaded = self.loaded.get_or_init(|| load(&self.config).map_err(|e| format!("{e:#}")));
        loaded.as_ref().map_err(|e| ToolError::Unreached(e.clone()))
    }

    /// Classifies a text.
    pub(super) fn classify(&self, text: &str, subject: Option<&str>) -> Result<Value, ToolError> {
        crate::pipeline::blocking(|| {
            let l = self.loaded()?;
            let input = Input { subject, text, history: &[], ..Input::default() };
            let found = l.triage.read(&input, &*l.encoder);
            let found =
                found.ok_or_else(|| ToolError::Argument("the text can't be encoded".to_owned()))?;
            let mut found =
                serde_json::to_value(&found).map_err(|e| ToolError::Unreached(e.to_string()))?;
            if let Some(fields) = found.as_object_mut() {
                fields.retain(|name, _| super::OUTPUTS.contains(&name.as_str()));
            }
            Ok(found)
        })
    }

    /// Masks a text.
    pub(super) fn mask(&self, text: &str, language: Option<&str>) -> Result<Value, ToolError> {
        crate::pipeline::blocking(|| {
            let l = self.loaded()?;
            let options = Options { language, entities: None, min_score: 0.0, operators: None };
            let mut talk = Conversation::default();
            let out = l.anonymiser.text(text, &options, &mut talk);
            let out = out.map_err(|e| ToolError::Unreached(e.to_string()))?;
            let mut types = serde_json::Map::new();
            for r in &out.replacements {
                let n = types
                    .entry(r.finding.span.entity.as_str().to_owned())
                    .or_insert_with(|| json!(0));
                *n = json!(n.as_u64().unwrap_or(0) + 1);
            }
            Ok(json!({"masked": out.text, "types": types}))
        })
    }
}
