#!/usr/bin/env bash
# Checks licences and advisories where cargo-deny is installed.
set -euo pipefail
if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources
else echo "cargo-deny is not installed: licences were not checked (cargo install cargo-deny)" >&2
fi
