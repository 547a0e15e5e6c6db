#!/usr/bin/env bash
# Measures side by side with peers and prints one table (JSON Lines when it isn't a terminal).
# The peers are optional: without them our own figures are printed alone.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet --bin countersign
target/release/countersign models pull >/dev/null

wanted() { [ -z "${COUNTERSIGN_BENCH_ONLY:-}" ] || [[ ",$COUNTERSIGN_BENCH_ONLY," == *",$1,"* ]]; }

# Installs packages into an environment, unless the same ones are there; wheels only.
venv=target/bench-venv
fetch() {
  local part=$1 stamp="$venv/.$1"
  shift
  if [ "$(cat "$stamp" 2>/dev/null)" = "$*" ]; then return; fi
  echo "bench: fetching the peers for $part ($*) into $venv" >&2
  if { [ -e "$venv/bin/python" ] || python3 -m venv "$venv" >&2; } &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$@" >&2; then
    echo "$*" >"$stamp"
  else
    echo "bench: those could not be installed; our figures stay alone" >&2
  fi
}
if wanted chunk || wanted encode || wanted classify; then
  fetch texts langchain-text-splitters onnx onnxruntime numpy tokenizers
fi
if wanted mask; then
  fetch mask presidio-analyzer
  fetch mask-model --no-deps --requirement benches/peers/spacy_model.txt
  if cargo build --release --quiet --manifest-path benches/peers/mask/Cargo.toml \
      --target-dir target/peers; then
    export COUNTERSIGN_BENCH_MASK_PEERS="$PWD/target/peers/release/mask-peers"
  else
    echo "bench: the peers in Rust could not be built; our figures stay alone" >&2
  fi
fi
if [ -e "$venv/bin/python" ]; then export COUNTERSIGN_BENCH_PYTHON="$PWD/$venv/bin/python"; fi
if wanted classify; then
  # An environment of its own: torch alone fills some gigabytes.
  venv=target/bench-service-venv
  fetch service sentence-transformers scikit-learn fastapi uvicorn
  if [ -e "$venv/bin/python" ]; then export COUNTERSIGN_BENCH_SERVICE_PYTHON="$PWD/$venv/bin/python"; fi
fi
cargo bench --quiet --bench side_by_side
