#!/usr/bin/env bash
# Sets up what the tests need, then runs them. Arguments go to the integration tests as a filter.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
trap stop_postgres EXIT
find_chromium
find_node
start_postgres
cargo build --bin countersign
target/debug/countersign models pull >/dev/null
if [ "$#" -gt 0 ]; then
  cargo test --test it -- "$@"
else
  cargo test
  scripts/schemathesis.sh 60
fi
