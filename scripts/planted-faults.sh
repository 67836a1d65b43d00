#!/usr/bin/env bash
# Does the rehearsal notice what must never be? Builds usher with one planted fault
# at a time (a patch in a scratch worktree, so that no fault is ever in the source),
# lets a small crowd rehearse against it, and demands that the report says "no-go"
# and names the fault; and that it says "go" about the same run without one.
# Usage: scripts/planted-faults.sh [--check] [none | halved-wait | seat-sold-twice | skipped-fan ...]
#   --check only asks whether each patch still fits the source.
# While it runs nothing else may build here: it shares the target folder.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
patches=$root/scripts/planted-faults
work=$root/target/planted-faults
source=$work/source
usher=target/debug/usher
fans=300
rate_per_minute=300
ready_within_s=120

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'planted faults: %s\n' "$*" >&2; exit 1; }

if [ "${1:-}" = --check ]; then
  for patch in "$patches"/*.patch; do
    git apply --check "$patch" || fail "$(basename "$patch") no longer fits the source; write it anew"
  done
  exit 0
fi

faults=("$@")
[ ${#faults[@]} -gt 0 ] || faults=(none halved-wait seat-sold-twice skipped-fan)

demo=
clean_up() {
  [ -z "$demo" ] || { kill -INT "$demo" 2>/dev/null && wait "$demo" || true; }
  git -C "$root" worktree remove --force "$source" 2>/dev/null || true
  # A binary with a fault in it must not be what the next command finds there.
  rm -f "$usher"
}
trap clean_up EXIT

# What a fault's patch says must name it.
named_by() { sed -n 's/^# Must be named by: //p' "$patches/$1.patch"; }

# The judge, and the usher without a fault: built from the source as it is.
build_judge() {
  cargo build --quiet --bin usher
  cp "$usher" "$work/none"
}

# The last commit with one fault in it. The scratch tree shares the target folder, so
# that only usher's own crates are built again.
build_with() {
  [ -d "$source" ] || git worktree add --quiet --detach "$source" HEAD
  git -C "$source" checkout --quiet -- .
  git -C "$source" apply "$patches/$1.patch"
  mkdir -p "$source/crates/edge/web/dist"
  cp -r crates/edge/web/dist/. "$source/crates/edge/web/dist/"
  (cd "$source" && CARGO_TARGET_DIR=$root/target cargo build --quiet --bin usher)
  cp "$usher" "$work/$1"
}

# Starts a demo of its own and waits for the line that says where it is.
start_demo() {
  local data=$work/data.$1
  rm -rf "$data" "$work/ready"
  "$work/$1" demo --no-crowd --port 0 --json --data "$data" >"$work/ready" 2>"$work/$1.log" &
  demo=$!
  for _ in $(seq $ready_within_s); do
    [ ! -s "$work/ready" ] || return 0
    sleep 1
  done
  fail "the demo is not ready within $ready_within_s s; see $work/$1.log"
}

rehearse() {
  local base key event
  base=$(jq -r .base_url "$work/ready")
  key=$(jq -r .api_key "$work/ready")
  event=$(jq -r '.events[0].id' "$work/ready")
  curl --fail --silent --show-error --output /dev/null -X PUT \
    "$base/api/v1/admin/events/$event/admission" \
    -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
    -d "{\"mode\": \"manual\", \"rate_per_minute\": $rate_per_minute}"
  "$work/none" rehearse --target "$base" --event "$event" --api-key "$key" \
    --fans $fans --profile calm --arrive-seconds 8 --hesitation-seconds 3 --max-seconds 120 \
    --objectives "$patches/objectives.toml" --out "$work/report.$1" >"$work/$1.rehearsal" 2>&1 || true
}

# The objectives that a report says were missed, each with what was measured.
missed() { jq -r '.checks[] | select(.passed == false) | "\(.name): \(.measured) (\(.goal))"' "$work/report.$1/report.json"; }

judge() {
  local go wanted=false missed
  go=$(jq .go "$work/report.$1/report.json")
  missed=$(missed "$1")
  [ "$1" != none ] || wanted=true
  say "$1: $([ "$go" = true ] && echo GO || echo NO-GO)${missed:+; missed: ${missed//$'\n'/; }}"
  [ "$go" = $wanted ] || fail "$1: wrong verdict; see $work/report.$1/report.html"
  [ "$1" = none ] || grep -q "^$(named_by "$1"):" <<<"$missed" || fail "$1: the report does not name the fault"
}

mkdir -p "$work"
build_judge
for fault in "${faults[@]}"; do
  [ "$fault" = none ] || [ -f "$patches/$fault.patch" ] || fail "there is no fault '$fault'"
  [ "$fault" = none ] || build_with "$fault"
  rm -rf "$work/report.$fault"
  start_demo "$fault"
  rehearse "$fault"
  kill -INT "$demo" && wait "$demo" || true
  demo=
  judge "$fault"
done
