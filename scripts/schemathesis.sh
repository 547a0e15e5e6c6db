#!/usr/bin/env bash
# Asks a throw-away service everything that its description allows, and much that it doesn't, for so many
# seconds: no answer may be a 5xx or one that docs/openapi.json does not have.
#   scripts/schemathesis.sh [SECONDS [ARGUMENT…]]
# COUNTERSIGN_BIN: the binary (target/debug/countersign). COUNTERSIGN_FUZZ_DATABASE: a PostgreSQL address
# instead of SQLite.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ "$#" -gt 0 ] && shift
bin=$(realpath "${COUNTERSIGN_BIN:-target/debug/countersign}")
here=$PWD
. scripts/setup.sh
find_schemathesis || exit 0

dir=$(mktemp -d /tmp/countersign-api.XXXXXX)
service=
end() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null || true; wait "$service" 2>/dev/null || true; }
  rm -rf "$dir"
}
trap end EXIT

port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
export COUNTERSIGN_DATABASE_URL=${COUNTERSIGN_FUZZ_DATABASE:-sqlite:$dir/api.db}
export COUNTERSIGN_SECURITY_MASTER_KEY_FILE="$dir/master.key"
export COUNTERSIGN_SERVER_LISTEN="127.0.0.1:$port" COUNTERSIGN_LOG_LEVEL=warn
export COUNTERSIGN_INGEST_BURST_WINDOW_S=0
"$bin" channels put chat --kind chat --adapter sandbox --sender help@example.com >"$dir/channel.json" 2>/dev/null
COUNTERSIGN_PASSWORD='a long test password' "$bin" users add anna --role lead >/dev/null
key=$("$bin" keys create fuzz --scopes ingest,read,review,knowledge,mask,classify,webhooks --user anna 2>/dev/null |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
"$bin" serve >"$dir/log" 2>&1 &
service=$!
base="http://127.0.0.1:$port"
for _ in $(seq 300); do
  curl -fs "$base/healthz" >/dev/null 2>&1 && break
  kill -0 "$service" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
  sleep 0.2
done

# Something to act on.
auth=(-H "Authorization: Bearer $key")
curl -fsS "${auth[@]}" "$base/v1/knowledge" -o /dev/null \
  -d '{"source": "returns.md", "text": "You can return any unworn item within 30 days of delivery."}'
for i in 1 2 3 4 5; do
  curl -fsS "${auth[@]}" "$base/v1/messages" -o /dev/null -d '{"channel": "chat", "external_id": "m-'"$i"'",
    "thread": "t-'"$i"'", "from": {"address": "robin-'"$i"'"}, "text": "How long do I have to return an item?"}'
done

say "asking the service for $seconds s"
code=0
export COUNTERSIGN_URL=$base COUNTERSIGN_KEY=$key
export PYTHONPATH="$here/scripts" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=schemathesis_hooks
# It keeps notes where it runs.
cd "$dir"
"$here/$SCHEMATHESIS" --no-color --config-file "$here/scripts/schemathesis.toml" run "$base/v1/openapi.json" \
  --checks all --header "Authorization: Bearer $key" --max-time "$seconds" "$@" || code=$?
kill -0 "$service" 2>/dev/null || { say "the service is gone"; code=1; }
if grep -E 'answered 5|panicked' "$dir/log" | head -n 20 >&2; then code=1; fi
[ "$code" = 0 ] || { say "the end of the service's log:"; tail -n 20 "$dir/log" >&2; }
exit "$code"
