//! WordPiece: text to token ids, with the bytes of the original text that each token stands for.
//!
//! Our own because the encoder's callers need byte offsets, no allocation per token and a small
//! build; the ids are those of the reference tokenizer for any `tokenizer.json` of the BERT kind
//! (`BertNormalizer`, `BertPreTokenizer`, `WordPiece`). Anything else in the file is refused at load.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

use super::normalise::{Normaliser, Word};

/// Why a `tokenizer.json` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Not JSON, or not of the shape that tokenizer files have.
    #[error("is not a tokenizer file")]
    Json(#[from] serde_json::Error),
    /// A tokenizer of another family.
    #[error("its {part} is {found}, and only {wanted} is understood: use a BERT-family model")]
    Unsupported {
        /// Which part of the file.
        part: &'static str,
        /// What the file says.
        found: String,
        /// What would be understood.
        wanted: &'static str,
    },
    /// A token that every BERT vocabulary has is missing.
    #[error("its vocabulary has no {token} token")]
    NoToken {
        /// The token.
        token: String,
    },
    /// The vocabulary is larger than the embedding table.
    #[error(
        "it gives id {id} to {token:?}, but the weights have {rows} embeddings: the two files belong to different models"
    )]
    BeyondTable {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Rows of the embedding table.
        rows: usize,
    },
    /// The special tokens could not be compiled into a matcher.
    #[error("its added tokens can't be matched")]
    Added(#[from] aho_corasick::BuildError),
}

/// A token and the bytes of the original text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub id: u32,
    pub start: usize,
    pub end: usize,
    /// Whether a word begins here.
    pub starts_word: bool,
}

/// A loaded WordPiece vocabulary.
#[derive(Debug)]
pub(super) struct WordPiece {
    heads: Vocabulary,
    continuations: Vocabulary,
    normaliser: Normaliser,
    added: Added,
    unknown: u32,
    /// Words of more characters than this are unknown.
    max_chars: usize,
    /// Id put before every sequence (`[CLS]`).
    pub open: u32,
    /// Id put after every sequence (`[SEP]`).
    pub close: u32,
}

impl WordPiece {
    /// Reads the bytes of a `tokenizer.json`; `rows` is the height of the embedding table.
    pub(super) fn parse(json: &[u8], rows: usize) -> Result<Self, TokenizerError> {
        let file: TokenizerFile = serde_json::from_slice(json)?;
        let prefix = file.model.continuing_subword_prefix.as_str();
        expect_part("model", file.model.kind.as_deref().unwrap_or("WordPiece"), "WordPiece")?;
        let normaliser = file.normaliser()?;
        let pre_tokenizer = file.pre_tokenizer.as_ref().map_or("null", |part| part.kind.as_str());
        expect_part("pre_tokenizer", pre_tokenizer, "BertPreTokenizer")?;

        let known = file.model.vocab.iter().map(|(token, id)| (token.as_str(), *id));
        let added = file.added_tokens.iter().map(|token| (token.content.as_str(), token.id));
        if let Some((token, id)) = known.chain(added).find(|(_, id)| *id as usize >= rows) {
            return Err(TokenizerError::BeyondTable { token: token.to_owned(), id, rows });
        }
        let (open, close) = file.frame()?;
        let (mut heads, mut continuations) = (Vocabulary::default(), Vocabulary::default());
        for (token, id) in &file.model.vocab {
            match token.strip_prefix(prefix) {
                Some(rest) if !prefix.is_empty() && !rest.is_empty() => {
                    continuations.insert(rest, *id)
                }
                _ => heads.insert(token, *id),
            }
        }
        Ok(WordPiece {
            heads,
            continuations,
            normaliser,
            added: Added::new(&file.added_tokens)?,
            unknown: file.id(&file.model.unk_token)?,
            max_chars: file.model.max_input_chars_per_word,
            open,
            close,
        })
    }

    /// Appends the tokens of `text` to `out`, without the opening and closing ids.
    ///
    /// Source ranges never decrease and lie on character boundaries; two tokens share a range where
    /// one character was decomposed into several.
    pub(super) fn tokenize(&self, text: &str, out: &mut Vec<Piece>) {
        let mut word = Word::with_limit(self.max_chars);
        let mut done = 0;
        // Special tokens inside the text are read as such, as the reference does.
        for (start, end, id) in self.added.find(text) {
            self.plain(&text[done..start], done, &mut word, out);
            out.push(Piece { id, start, end, starts_word: true });
            done = end;
        }
        self.plain(&text[done..], done, &mut word, out);
    }

    fn plain(&self, text: &str, base: usize, word: &mut Word, out: &mut Vec<Piece>) {
        self.normaliser.words(text, base, word, |word| self.split(word, out));
    }

    /// Greedy longest match from the left; a word with a hole in it is unknown as a whole.
    fn split(&self, word: &Word, out: &mut Vec<Piece>) {
        let text = word.text();
        let before = out.len();
        let mut from = 0;
        while from < text.len() {
            let vocabulary = if from == 0 { &self.heads } else { &self.continuations };
            let found =
                if word.is_too_long() { None } else { vocabulary.longest_prefix(&text[from..]) };
            let (id, to) = match found {
                Some((id, len)) => (id, from + len),
                None => {
                    out.truncate(before);
                    from = 0;
                    (self.unknown, text.len())
                }
            };
            let (start, end) = word.source(from..to);
            out.push(Piece { id, start, end, starts_word: from == 0 });
            from = to;
        }
    }
}

/// Tokens by their bytes. The keys are the model's, never a user's, so a fast hash is safe.
#[derive(Debug, Default)]
struct Vocabulary {
    ids: HashMap<Box<[u8]>, u32, BuildHasherDefault<FastHasher>>,
    longest: usize,
}

impl Vocabulary {
    fn insert(&mut self, token: &str, id: u32) {
        self.longest = self.longest.max(token.len());
        self.ids.insert(token.as_bytes().into(), id);
    }

    /// The longest token that `text` begins with, and its length in bytes.
    fn longest_prefix(&self, text: &str) -> Option<(u32, usize)> {
        (1..=text.len().min(self.longest))
            .rev()
            .filter(|&len| text.is_char_boundary(len))
            .find_map(|len| self.ids.get(&text.as_bytes()[..len]).map(|&id| (id, len)))
    }
}

/// Multiply-and-rotate over eight bytes at a time; the multiplier is 2⁶⁴ divided by the golden ratio.
#[derive(Debug, Default)]
struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}

/// Tokens that are looked for in the raw text before anything else.
#[derive(Debug)]
struct Added {
    matcher: AhoCorasick,
    tokens: Vec<(u32, bool)>,
}

impl Added {
    fn new(tokens: &[AddedToken]) -> Result<Self, TokenizerError> {
        if let Some(token) =
            tokens.iter().find(|token| token.normalized && !token.content.is_empty())
        {
            return Err(TokenizerError::Unsupported {
                part: "added token",
                found: format!("{:?} with \"normalized\": true", token.content),
                wanted: "\"normalized\": false",
            });
        }
        let tokens = || tokens.iter().filter(|token| !token.content.is_empty());
        Ok(Added {
            matcher: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(tokens().map(|token| &token.content))?,
            tokens: tokens().map(|token| (token.id, token.single_word)).collect(),
        })
    }

    /// `(start, end, id)` of each added token in `text`, left to right.
    fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize, u32)> + 'a {
        self.matcher.find_iter(text).filter_map(|found| {
            let (id, single_word) = *self.tokens.get(found.pattern().as_usize())?;
            let inside_word = |c: char| c.is_alphanumeric() || c == '_';
            let glued = text[..found.start()].chars().next_back().is_some_and(inside_word)
                || text[found.end()..].chars().next().is_some_and(inside_word);
            (!single_word || !glued).then_some((found.start(), found.end(), id))
        })
    }
}

fn expect_part(
    part: &'static str,
    found: &str,
    wanted: &'static str,
) -> Result<(), TokenizerError> {
    if found == wanted {
        return Ok(());
    }
    Err(TokenizerError::Unsupported { part, found: found.to_owned(), wanted })
}

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<NormaliserPart>,
    pre_tokenizer: Option<Part>,
    post_processor: Option<PostProcessor>,
    model: ModelPart,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    normalized: bool,
}

#[derive(Deserialize)]
struct NormaliserPart {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "yes")]
    clean_text: bool,
    #[serde(default = "yes")]
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default = "yes")]
    lowercase: bool,
}

#[derive(Deserialize)]
struct ModelPart {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, u32>,
    #[serde(default = "unk_token")]
    unk_token: String,
    #[serde(default = "subword_prefix")]
    continuing_subword_prefix: String,
    #[serde(default = "max_chars")]
    max_input_chars_per_word: usize,
}

/// Either kind of post-processor that BERT files have; both put one token before and one after.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    BertProcessing {
        cls: (String, u32),
        sep: (String, u32),
    },
    TemplateProcessing {
        single: Vec<TemplatePiece>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
enum TemplatePiece {
    SpecialToken { id: String },
    Sequence {},
}

fn yes() -> bool {
    true
}

fn unk_token() -> String {
    "[UNK]".to_owned()
}

fn subword_prefix() -> String {
    "##".to_owned()
}

fn max_chars() -> usize {
    100
}

impl TokenizerFile {
    fn normaliser(&self) -> Result<Normaliser, TokenizerError> {
        let kind = self.normalizer.as_ref().map_or("null", |part| part.kind.as_str());
        expect_part("normalizer", kind, "BertNormalizer")?;
        let part = self.normalizer.as_ref();
        let lowercase = part.is_none_or(|part| part.lowercase);
        Ok(Normaliser {
            clean_text: part.is_none_or(|part| part.clean_text),
            isolate_cjk: part.is_none_or(|part| part.handle_chinese_chars),
            // Left open, it follows the lower-casing, as in the original BERT.
            strip_accents: part.and_then(|part| part.strip_accents).unwrap_or(lowercase),
            lowercase,
        })
    }

    fn id(&self, token: &str) -> Result<u32, TokenizerError> {
        let added =
            || self.added_tokens.iter().find(|added| added.content == token).map(|added| added.id);
        self.model
            .vocab
            .get(token)
            .copied()
            .or_else(added)
            .ok_or_else(|| TokenizerError::NoToken { token: token.to_owned() })
    }

    /// The ids put before and after every sequence.
    fn frame(&self) -> Result<(u32, u32), TokenizerError> {
        match &self.post_processor {
            None => Ok((self.id("[CLS]")?, self.id("[SEP]")?)),
            Some(PostProcessor::BertProcessing { cls, sep }) => {
                Ok((self.id(&cls.0)?, self.id(&sep.0)?))
            }
            Some(PostProcessor::TemplateProcessing { single }) => match single.as_slice() {
                [
                    TemplatePiece::SpecialToken { id: open },
                    TemplatePiece::Sequence {},
                    TemplatePiece::SpecialToken { id: close },
                ] => Ok((self.id(open)?, self.id(close)?)),
                _ => Err(TokenizerError::Unsupported {
                    part: "post_processor",
                    found: "another template".to_owned(),
                    wanted: "[CLS] text [SEP]",
                }),
            },
            Some(PostProcessor::Other) => Err(TokenizerError::Unsupported {
                part: "post_processor",
                found: "of another kind".to_owned(),
                wanted: "TemplateProcessing or BertProcessing",
            }),
        }
    }
}
