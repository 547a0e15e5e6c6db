//! What a model folder says about itself: `config.json` and `1_Pooling/config.json` where they are,
//! the shapes of the weights where they aren't.

use serde::Deserialize;

use super::weights::{Weights, WeightsError};

/// Why a model's configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or a field of the wrong type.
    #[error("is not a model configuration")]
    Json(#[from] serde_json::Error),
    /// A variant of the architecture that the graph doesn't compute.
    #[error("says {field} = {found:?}, and only {wanted} is understood")]
    Unsupported {
        /// The field of `config.json`.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be understood.
        wanted: &'static str,
    },
    /// `config.json` and the weights contradict each other.
    #[error(
        "says {field} = {said}, but the weights have {found}: the two files belong to different models"
    )]
    Mismatch {
        /// The field of `config.json`.
        field: &'static str,
        /// Its value.
        said: usize,
        /// What the shapes of the tensors say.
        found: usize,
    },
    /// The hidden size can't be split into the attention heads.
    #[error("a hidden size of {hidden} can't be split into {heads} attention heads")]
    Heads {
        /// Width of the hidden states.
        hidden: usize,
        /// Number of heads.
        heads: usize,
    },
}

/// The non-linearity of the feed-forward blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// x Φ(x), by the error function.
    Gelu,
    /// The tanh approximation of it.
    GeluTanh,
    Relu,
}

/// How token states become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Mean over all tokens, the opening and closing ones included.
    Mean,
    /// The state of the opening token.
    First,
}

/// The sizes and switches of a BERT encoder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Architecture {
    pub hidden: usize,
    pub heads: usize,
    pub layers: usize,
    pub intermediate: usize,
    /// Longest sequence that has position embeddings.
    pub positions: usize,
    pub vocabulary: usize,
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub epsilon: f32,
    pub pooling: Pooling,
}

impl Architecture {
    /// From the bytes of `config.json` and `1_Pooling/config.json`, where there are such files, and
    /// from the shapes of the tensors.
    pub(super) fn read(
        config: Option<&[u8]>,
        pooling: Option<&[u8]>,
        weights: &Weights<'_>,
    ) -> Result<Self, ArchitectureError> {
        let config: ConfigFile = config
            .map_or(Ok(ConfigFile::default()), serde_json::from_slice)
            .map_err(ConfigError::from)?;
        let pooling: PoolingFile = pooling
            .map_or(Ok(PoolingFile::default()), serde_json::from_slice)
            .map_err(ConfigError::from)?;
        config.check_kind()?;

        let [vocabulary, hidden] = weights.shape("embeddings.word_embeddings.weight")?;
        let [positions, _] = weights.shape("embeddings.position_embeddings.weight")?;
        let layers = weights.layers();
        // A missing first layer is reported by the name of the tensor looked for.
        let [intermediate, _] = weights.shape("encoder.layer.0.intermediate.dense.weight")?;
        for (field, said, found) in [
            ("hidden_size", config.hidden_size, hidden),
            ("num_hidden_layers", config.num_hidden_layers, layers),
            ("intermediate_size", config.intermediate_size, intermediate),
            ("vocab_size", config.vocab_size, vocabulary),
        ] {
            if let Some(said) = said.filter(|said| *said != found) {
                return Err(ConfigError::Mismatch { field, said, found }.into());
            }
        }
        let heads = config.num_attention_heads.unwrap_or_else(|| usual_heads(hidden));
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            return Err(ConfigError::Heads { hidden, heads }.into());
        }
        Ok(Architecture {
            hidden,
            heads,
            layers,
            intermediate,
            positions,
            vocabulary,
            activation: config.activation()?,
            epsilon: config.epsilon()?,
            pooling: pooling.pooling()?,
        })
    }

    /// Width of one attention head.
    pub(super) fn head_size(&self) -> usize {
        self.hidden / self.heads
    }

    /// The layers, counted from 1, whose states are handed out besides the last: half and two thirds
    /// of the depth, which is 3 and 4 of 6.
    pub(super) fn taps(&self) -> (usize, usize) {
        ((self.layers / 2).max(1), (self.layers * 2 / 3).max(1))
    }
}

/// Either half of what a model's sizes are read from is at fault.
#[derive(Debug)]
pub(super) enum ArchitectureError {
    Config(ConfigError),
    Weights(WeightsError),
}

impl From<ConfigError> for ArchitectureError {
    fn from(error: ConfigError) -> Self {
        ArchitectureError::Config(error)
    }
}

impl From<WeightsError> for ArchitectureError {
    fn from(error: WeightsError) -> Self {
        ArchitectureError::Weights(error)
    }
}

/// Heads of 64 are the rule; MiniLM (384) has twelve of 32.
fn usual_heads(hidden: usize) -> usize {
    match hidden {
        384 => 12,
        _ if hidden.is_multiple_of(64) => hidden / 64,
        _ => hidden / 32,
    }
}

#[derive(Debug, Default, Deserialize)]
struct ConfigFile {
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    intermediate_size: Option<usize>,
    vocab_size: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f32>,
    position_embedding_type: Option<String>,
    model_type: Option<String>,
}

impl ConfigFile {
    fn check_kind(&self) -> Result<(), ConfigError> {
        let fields = [
            ("model_type", &self.model_type, "bert"),
            ("position_embedding_type", &self.position_embedding_type, "absolute"),
        ];
        for (field, found, wanted) in fields {
            if let Some(found) = found.as_deref().filter(|found| *found != wanted) {
                let found = found.to_owned();
                return Err(ConfigError::Unsupported { field, found, wanted });
            }
        }
        Ok(())
    }

    fn activation(&self) -> Result<Activation, ConfigError> {
        match self.hidden_act.as_deref() {
            None | Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
            Some("relu") => Ok(Activation::Relu),
            Some(other) => Err(ConfigError::Unsupported {
                field: "hidden_act",
                found: other.to_owned(),
                wanted: "gelu, gelu_new or relu",
            }),
        }
    }

    fn epsilon(&self) -> Result<f32, ConfigError> {
        match self.layer_norm_eps {
            None => Ok(1e-12),
            Some(epsilon) if epsilon.is_finite() && epsilon >= 0.0 => Ok(epsilon),
            Some(epsilon) => Err(ConfigError::Unsupported {
                field: "layer_norm_eps",
                found: epsilon.to_string(),
                wanted: "a small positive number",
            }),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PoolingFile {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: Option<bool>,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
}

impl PoolingFile {
    fn pooling(&self) -> Result<Pooling, ConfigError> {
        let other = self.pooling_mode_max_tokens || self.pooling_mode_mean_sqrt_len_tokens;
        match (self.pooling_mode_cls_token, self.pooling_mode_mean_tokens) {
            (true, None | Some(false)) if !other => Ok(Pooling::First),
            (false, None | Some(true)) if !other => Ok(Pooling::Mean),
            _ => Err(ConfigError::Unsupported {
                field: "pooling_mode",
                found: "another mode or several".to_owned(),
                wanted: "the mean of the tokens or the first token",
            }),
        }
    }
}
