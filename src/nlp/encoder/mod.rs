//! The sentence encoder: one pass over a text gives its embedding, the states that the heads for
//! sentiment and intent read, and token states for names.
//!
//! It is the hot path of the product, so the graph is our own (`graph`), with a tokenizer of our own
//! (`wordpiece`), on kernels that are chosen for the CPU at run time: our own (`kernels`) where it has
//! AVX-512 with VNNI, and for the 8-bit maps where it has AVX-VNNI; portable ones (`linear`,
//! `attention`, `simd`) elsewhere. Any folder of the BERT family loads: `model.safetensors` and `tokenizer.json`, and `config.json`
//! where the sizes can't be guessed.
//!
//! An [`Encoder`] is a pure function of the text. On one kind of CPU the same text gives the same bits,
//! whatever else is in the batch and however many threads are free; between kinds the bits differ by
//! rounding.

pub(in crate::nlp) mod affine;
mod attention;
mod config;
mod graph;
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vector instructions and pointers into checked slices; the contracts are on its page"
)]
mod kernels;
#[cfg(not(target_arch = "x86_64"))]
#[path = "kernels/none.rs"]
mod kernels;
mod lanes;
mod linear;
mod load;
mod normalise;
mod order;
mod reading;
mod run;
mod simd;
#[cfg(test)]
mod tests;
mod weights;
mod windows;
mod wordpiece;

use std::num::NonZeroUsize;
use std::path::Path;

pub use config::ConfigError;
pub use load::EncoderError;
pub use reading::{Reading, TokenStates};
pub use weights::WeightsError;
pub use wordpiece::TokenizerError;

/// How the encoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 32-bit floats: the reference.
    F32,
    /// 8-bit weights and activations in the affine maps: about three times as fast, with a cosine
    /// of .9996 to the reference on average, and of .998 at least on texts seen so far.
    Int8,
}

/// What the encoder gives for one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// The text's vector, of length one: mean of the last layer's token states, [`Encoder::dims`]
    /// numbers.
    pub embedding: Vec<f32>,
    /// Mean of the token states of layer 4 of 6 (two thirds of the depth of other models), not
    /// normalised; sentiment reads it.
    pub layer4: Vec<f32>,
    /// How many word pieces the text has; the opening and closing tokens don't count.
    pub tokens: usize,
}

/// One word piece and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Its number in the model's vocabulary.
    pub id: u32,
    /// First byte in the original text.
    pub start: usize,
    /// One past the last byte. Both lie on character boundaries and never decrease from token to
    /// token; accents that the tokenizer drops belong to their letter.
    pub end: usize,
    /// Whether a word begins here; the pieces after it up to the next such token belong to the word.
    pub starts_word: bool,
}

/// What turns texts into vectors; the encoder in the product, a stand-in in tests.
pub trait Embed: Send + Sync {
    /// One encoding for each text, in order.
    fn embed(&self, texts: &[&str]) -> Vec<Encoding>;
    /// One text with its token states; none from what has no tokens.
    fn read(&self, _text: &str) -> Option<Reading> {
        None
    }
    /// One reading for each text, in order; without token states from what has none.
    fn read_many(&self, texts: &[&str]) -> Vec<Reading> {
        self.embed(texts).into_iter().map(Reading::whole).collect()
    }
    /// Its weights and its mode; [`comparable`](crate::domain::vectors::comparable) says whose
    /// vectors compare.
    fn id(&self) -> &str;
    /// Length of the vectors.
    fn dims(&self) -> usize;
}

/// A loaded model with its threads. Share one per process: cloning isn't needed, all methods take
/// `&self`.
///
/// The methods block while they compute; call them from a blocking task in asynchronous code.
pub struct Encoder {
    id: String,
    tokenizer: wordpiece::WordPiece,
    graph: graph::Graph,
    pooling: config::Pooling,
    dims: usize,
    /// Longest sequence, opening and closing tokens included.
    window: usize,
    lanes: lanes::Lanes,
}

impl Encoder {
    /// Loads a model folder and starts one thread for each CPU that this process may use.
    ///
    /// # Errors
    /// A file is missing, unreadable, damaged or of a model that isn't understood; each error names
    /// the file and what is wrong with it.
    pub fn load(dir: &Path, mode: Mode) -> Result<Self, EncoderError> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::load_with_threads(dir, mode, threads)
    }

    /// Loads a model folder with a bound on the threads that compute at the same time, however many
    /// calls are under way. A lone text uses them together.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load_with_threads(
        dir: &Path,
        mode: Mode,
        threads: NonZeroUsize,
    ) -> Result<Self, EncoderError> {
        load::load(dir, mode, threads, linear::Kernels::for_cpu())
    }

    /// As [`Encoder::load_with_threads`], with the kernels that run on every CPU even where faster
    /// ones could: what other machines compute, to compare with.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load_portable(
        dir: &Path,
        mode: Mode,
        threads: NonZeroUsize,
    ) -> Result<Self, EncoderError> {
        load::load(dir, mode, threads, linear::Kernels::Portable)
    }

    /// The first 8 digits of the weights' SHA-256 and the mode, as `53aa5117/int8`: what the model's
    /// folder is called doesn't count. The mode reads `int8w7` on CPUs without 8-bit dot products,
    /// where the weights have 7 bits: those vectors are slightly other ones.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Length of the vectors.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// One encoding for each text, in order. Texts may have any length: those beyond 256 tokens are
    /// read in windows, and the means are taken over the tokens of all windows. An empty text has an
    /// encoding too (of its opening and closing tokens).
    pub fn encode(&self, texts: &[&str]) -> Vec<Encoding> {
        run::encode(self, texts)
    }

    /// The encoding of one text and the states of its tokens.
    pub fn read(&self, text: &str) -> Reading {
        run::read(self, &[text]).swap_remove(0)
    }

    /// As [`Encoder::read`] for each text, in order, in passes shared by several. Three states a token
    /// are kept, 4.5 KB with 384 dimensions: hand over no more text at a time than there is room for.
    pub fn read_many(&self, texts: &[&str]) -> Vec<Reading> {
        run::read(self, texts)
    }

    /// The word pieces of a text, without encoding it.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let mut pieces = Vec::new();
        self.tokenizer.tokenize(text, &mut pieces);
        pieces.into_iter().map(Token::from).collect()
    }
}

impl Embed for Encoder {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        self.encode(texts)
    }

    fn read(&self, text: &str) -> Option<Reading> {
        Some(self.read(text))
    }

    fn read_many(&self, texts: &[&str]) -> Vec<Reading> {
        self.read_many(texts)
    }

    fn id(&self) -> &str {
        self.id()
    }

    fn dims(&self) -> usize {
        self.dims()
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("id", &self.id)
            .field("threads", &self.lanes.count())
            .finish_non_exhaustive()
    }
}

impl From<wordpiece::Piece> for Token {
    fn from(piece: wordpiece::Piece) -> Self {
        Token { id: piece.id, start: piece.start, end: piece.end, starts_word: piece.starts_word }
    }
}
