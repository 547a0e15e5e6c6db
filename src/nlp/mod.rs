//! Text in, values out: no IO but the loading of models, no clock, no database.

pub mod chunk;
pub mod clean;
pub mod cluster;
pub mod detect;
pub mod encoder;
pub mod ground;
mod half;
pub mod heads;
pub mod html;
pub mod lexical;
pub mod mask;
pub mod names;
pub mod once;
pub mod quote;
pub mod remembered;
pub mod sentence;
