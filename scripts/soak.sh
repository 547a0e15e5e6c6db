#!/usr/bin/env bash
# Ten minutes (SECONDS_OF_LOAD) of twice the load that the release binary can bear; writes docs/soak.md.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_OF_LOAD:-600}
cargo build --release --quiet --bin countersign
target/release/countersign models pull >/dev/null
COUNTERSIGN_SOAK_BIN="$PWD/target/release/countersign" COUNTERSIGN_SOAK_SECONDS=$seconds \
  COUNTERSIGN_SOAK_REPORT="$PWD/docs/soak.md" cargo test --quiet --test it -- soak::
cat docs/soak.md
# The API asked at random, for half an hour.
COUNTERSIGN_BIN=target/release/countersign scripts/schemathesis.sh "${SECONDS_OF_QUESTIONS:-1800}"
