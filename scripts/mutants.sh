#!/usr/bin/env bash
# The mutation check. Each patch of scripts/mutants/ plants one mistake in a scratch
# copy of what is committed, and the tests that its head names must go red. A mistake
# that no test notices fails the check; so does a patch that no longer fits, or a test
# that is red without any mistake. Builds incrementally under target/mutants.
# Usage: scripts/mutants.sh [NAME...]
set -euo pipefail
cd "$(dirname "$0")/.."

mistakes=$PWD/scripts/mutants
work=$PWD/target/mutants
tree=$work/tree
log=$work/last.log
export CARGO_TARGET_DIR=$work/build

fail() { printf 'mutants: %s\n' "$*" >&2; exit 1; }

# head FIELD PATCH: what the patch says of itself
head_of() { sed -n "s/^$1: //p;/^diff /q" "$2"; }

prepare() {
  mkdir -p "$work"
  [ -e "$tree/.git" ] || git clone --quiet --shared --no-checkout "$PWD" "$tree"
  git -C "$tree" fetch --quiet origin HEAD
  git -C "$tree" checkout --quiet --force --detach FETCH_HEAD
  # The pages are built, not committed.
  ln -sfn "$PWD/crates/edge/web/dist" "$tree/crates/edge/web/dist"
}

# tests ARGUMENTS: green, red or broken (does not build)
tests() {
  local arguments=$1
  # shellcheck disable=SC2086
  (cd "$tree" && cargo nextest run --locked --no-run $arguments) >"$log" 2>&1 || { echo broken; return; }
  # shellcheck disable=SC2086
  if (cd "$tree" && cargo nextest run --locked --fail-fast $arguments) >"$log" 2>&1; then echo green; else echo red; fi
}

# The first test that went red, as nextest names it.
red_test() { sed -nE 's/^ +(FAIL|TIMEOUT|SIG[A-Z]+|ABORT) \[[^]]*\] (\([^)]*\) )?//p' "$log" | head -n 1; }

patches=()
if [ $# -eq 0 ]; then
  patches=("$mistakes"/*.patch)
else
  for name; do patches+=("$mistakes/$name.patch"); done
fi
for patch in "${patches[@]}"; do
  [ -n "$(head_of What "$patch")" ] && [ -n "$(head_of Red "$patch")" ] || fail "$patch has no What or no Red"
done

prepare
while read -r arguments; do
  echo "without a mistake: $arguments"
  [ "$(tests "$arguments")" = green ] || { tail -n 40 "$log" >&2; fail "red without any mistake: $arguments"; }
done < <(for patch in "${patches[@]}"; do head_of Red "$patch"; done | sort -u)

survived=0
rows=()
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  git -C "$tree" apply "$patch" || fail "$name no longer fits; make the patch anew"
  began=$SECONDS
  verdict=$(tests "$(head_of Red "$patch")")
  git -C "$tree" apply --reverse "$patch"
  case $verdict in
    red) told=$(red_test) ;;
    green) told="SURVIVED: no test noticed it" survived=$((survived + 1)) ;;
    broken) tail -n 20 "$log" >&2; fail "$name does not build" ;;
  esac
  rows+=("$(printf '%-26s %4ss  %s' "$name" $((SECONDS - began)) "$told")")
  printf '%s\n' "${rows[-1]}"
done

printf '\n%s mistakes, %s unnoticed\n' "${#rows[@]}" "$survived"
[ "$survived" -eq 0 ]
