#!/usr/bin/env bash
# Sourced by the scripts that run tests: finds or installs what they need, and says so.

say() { printf '%s\n' "setup: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else say "needs root to install: $*"; return 1
  fi
}

apt_install() {
  say "installing $* from Debian's packages"
  [ -n "${APT_UPDATED:-}" ] || { as_root apt-get update -qq; APT_UPDATED=1; }
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

postgres_bin() {
  local d
  for d in /usr/lib/postgresql/*/bin; do [ -x "$d/initdb" ] && echo "$d"; done | sort -V | tail -n 1
}

# Starts a throw-away cluster on a socket of its own and exports COUNTERSIGN_TEST_POSTGRES.
start_postgres() {
  if [ -n "${COUNTERSIGN_TEST_POSTGRES:-}" ]; then return; fi
  [ -n "$(postgres_bin)" ] || apt_install postgresql
  local bin user
  bin=$(postgres_bin)
  PG_DIR=$(mktemp -d /tmp/countersign-pg.XXXXXX)
  # initdb refuses root: then the package's own user runs it.
  PG_RUN=()
  if [ "$(id -u)" = 0 ]; then
    user=postgres; id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$PG_DIR"
    PG_RUN=(runuser -u "$user" --)
  fi
  PG_CTL="$bin/pg_ctl"
  "${PG_RUN[@]}" "$bin/initdb" -D "$PG_DIR/data" -U test -A trust --no-sync >/dev/null
  PG_PORT=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
  "${PG_RUN[@]}" "$PG_CTL" -D "$PG_DIR/data" -w -l "$PG_DIR/log" \
    -o "-p $PG_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories=$PG_DIR -c max_connections=300 -c shared_buffers=64MB" start >/dev/null
  export COUNTERSIGN_TEST_POSTGRES="postgres://test@127.0.0.1:$PG_PORT/postgres"
  say "a throw-away PostgreSQL runs on port $PG_PORT"
}

stop_postgres() {
  [ -n "${PG_DIR:-}" ] || return 0
  "${PG_RUN[@]}" "$PG_CTL" -D "$PG_DIR/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$PG_DIR"
}

find_chromium() {
  command -v chromium >/dev/null && command -v chromedriver >/dev/null || apt_install chromium chromium-driver
}

find_node() {
  command -v node >/dev/null || apt_install nodejs
}

# Sets SCHEMATHESIS, which asks the API at random; fails, and says so, when it can't be installed.
find_schemathesis() {
  local venv=target/schemathesis-venv wanted=schemathesis==4.32.5
  if [ "$(cat "$venv/.wanted" 2>/dev/null)" != "$wanted" ]; then
    say "installing $wanted into $venv"
    python3 -c "import ensurepip" 2>/dev/null || apt_install python3-venv || true
    if python3 -m venv --clear "$venv" >&2 &&
      "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --constraint scripts/schemathesis.txt "$wanted" >&2; then
      echo "$wanted" >"$venv/.wanted"
    else
      say "NOT RUN: the property-based API test (schemathesis could not be installed)"
      return 1
    fi
  fi
  SCHEMATHESIS="$venv/bin/schemathesis"
}
