//! What stands behind the ports: one file an outside thing. Only `app` names these.

pub mod chatwoot;
pub mod embedded_index;
pub mod extractive;
pub mod openai;
pub mod poster;
pub mod sandbox;
pub mod ssrf;
pub mod standard_webhooks;
pub mod webhook;
