//! Logging: text on a terminal, JSON Lines otherwise; spans carry request ids and stage timings.
//! Nothing personal goes in: types that hold raw data print nothing of it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Installs the subscriber and the panic hook; a second call does nothing.
pub fn init(log: &Log) {
    // The default hook prints the panic's message, which may quote the text that was at hand.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: panicked");
    }));
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Statements are logged by sqlx at debug with their text only; the parameters never are.
    let base = tracing_subscriber::registry().with(filter);
    let text = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let _ = if text {
        base.with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false),
        )
        .try_init()
    } else {
        base.with(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_span_events(FmtSpan::NONE)
                .with_writer(std::io::stderr),
        )
        .try_init()
    };
}
