#!/usr/bin/env bash
# Builds the binary, fetches the model on the first run, starts the demonstration.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo >/dev/null || { echo "Rust is needed: install it with rustup, then try again." >&2; exit 1; }
command -v python3 >/dev/null || { echo "Python 3 with pip is needed to fetch the model." >&2; exit 1; }
echo "Building (about ten minutes on two cores the first time) …" >&2
cargo build --release --bin countersign
target/release/countersign models pull
exec target/release/countersign demo "$@"
