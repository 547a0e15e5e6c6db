//! Finds texts by the words they share with a query, because embeddings blur exactly what customers quote: order
//! prefixes, model names, error codes, and any language that the encoder hardly knows.
//!
//! [`terms`] turns text into index terms without a dictionary; [`LexicalIndex`] is an inverted index in memory that
//! ranks by BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, formula 3.15, with the +1
//! inside the logarithm that keeps a frequent term's weight positive).

mod function_words;
mod index;
mod terms;

pub use function_words::is_function_word;
pub use index::{LexicalIndex, Ranked, top_k};
pub use terms::{keywords, keywords_among, stem, terms};
