#!/usr/bin/env bash
# Runs Schemathesis against bin/orgd, which it starts on a port and a directory of its own.
# Environment: CASES (cases an operation and phase, default 60), SEED (default: a new one,
# which is printed).
set -euo pipefail
cd "$(dirname "$0")/../.."
program=.venv/bin/schemathesis
[ -x "$program" ] || { echo "$program is missing: run \`make test-schemathesis\`, which installs it" >&2; exit 1; }
[ -x bin/orgd ] || { echo "bin/orgd is missing: run \`make test-schemathesis\`, which builds it" >&2; exit 1; }

dir=$(mktemp -d)
server=
export OPERATOR_KEY=schemathesis-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
cleanup() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
  rm -rf "$dir"
}
trap cleanup EXIT

# The settings of a user, but for what would be in the way: limits, and slow hashes. .env is
# read from the working directory, so the server gets another one.
: >"$dir/log" # there from the start, whoever is first
orgd=$PWD/bin/orgd
( cd "$dir" && exec env -i PATH="$PATH" DATA_DIR="$dir/data" LISTEN_ADDR=127.0.0.1:0 BCRYPT_COST=4 \
    RATE_LIMIT_SIGNUP=0 RATE_LIMIT_LOGIN=0 LOG_FORMAT=json OPERATOR_KEY="$OPERATOR_KEY" "$orgd" serve ) 2>"$dir/log" &
server=$!
for _ in $(seq 200); do # at most 20 s
  url=$(sed -n 's/.*"msg":"orgd is ready","url":"\([^"]*\)".*/\1/p' "$dir/log")
  [ -n "$url" ] && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
[ -n "$url" ] || { echo "orgd did not start:" >&2; cat "$dir/log" >&2; exit 1; }

# An organization may end between two steps of a scenario, and what was created in it with it:
# that is the one check left out.
code=0
ORGD_URL=$url "$program" --config-file tools/schemathesis/schemathesis.toml run "$url/openapi.yaml" \
  --checks all --exclude-checks ensure_resource_availability --workers 2 --max-examples "${CASES:-60}" ${SEED:+--seed "$SEED"} --no-color || code=$?

kill -0 "$server" 2>/dev/null || { echo "orgd has ended:" >&2; tail -20 "$dir/log" >&2; code=1; }
if grep '"level":"ERROR"' "$dir/log" >&2; then
  echo "orgd's log has errors" >&2
  code=1
fi
exit "$code"
