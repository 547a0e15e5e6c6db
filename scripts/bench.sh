#!/usr/bin/env bash
# Measures side by side with peers and prints one table (JSON Lines when it isn't a terminal).
# The Python peers are optional: without them our own figures are printed alone.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet --bin countersign
target/release/countersign models pull >/dev/null
venv=target/bench-venv
if [ ! -e "$venv/.complete" ]; then
  echo "bench: fetching the peers (langchain-text-splitters, onnxruntime) into $venv" >&2
  rm -rf "$venv"
  if python3 -m venv "$venv" >&2 && "$venv/bin/pip" install --quiet --disable-pip-version-check \
      --only-binary=:all: langchain-text-splitters onnx onnxruntime numpy tokenizers >&2; then
    touch "$venv/.complete"
  else
    echo "bench: the peers could not be installed; our figures are printed alone" >&2
  fi
fi
if [ -e "$venv/.complete" ]; then export COUNTERSIGN_BENCH_PYTHON="$PWD/$venv/bin/python"; fi
cargo bench --quiet --bench side_by_side
