#!/usr/bin/env bash
# Installs what `make demo` and `make test` need and nothing else, says what it
# installs and why, and does nothing at all when everything is there.
# Usage: scripts/setup.sh demo|test
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-demo}
tools=$PWD/.tools
node_wanted=22
# Vite needs at least this Node; Debian 12 ships 18.
node_least="20.19"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'usher setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else fail "'$*' needs root; install the packages named above yourself and run again"
  fi
}

# install WHY DEBIAN_PACKAGES BREW_PACKAGES
install() {
  local why=$1 debian=$2 brew=$3
  if have apt-get; then
    say "installing $debian ($why)"
    if [ -z "${apt_fresh:-}" ]; then
      as_root apt-get update -qq || fail "apt-get update failed; check the network and run again"
      apt_fresh=1
    fi
    # Private servers only: a package must not start a system-wide one here.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then
      printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
      as_root chmod +x $policy
      made=1
    fi
    local ok=1
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $debian \
      >"$tools/apt.log" 2>&1 || ok=
    [ -z "$made" ] || as_root rm -f $policy
    [ -n "$ok" ] || { tail -n 5 "$tools/apt.log" >&2; fail "could not install $debian; see .tools/apt.log"; }
  elif have brew; then
    say "installing $brew ($why)"
    # shellcheck disable=SC2086
    brew install --quiet $brew || fail "brew could not install $brew"
  else
    fail "please install $debian ($why); this machine has neither apt-get nor brew"
  fi
}

have_postgres() {
  have postgres && return 0
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return 0
  compgen -G '/opt/homebrew/opt/postgresql*/bin/postgres' >/dev/null
}

node_is_enough() {
  have node && have npm || return 1
  local version
  version=$(node -p 'process.versions.node' 2>/dev/null) || return 1
  [ "$(printf '%s\n%s\n' "$node_least" "$version" | sort -V | head -n 1)" = "$node_least" ]
}

setup_node() {
  PATH="$tools/node/node_modules/node/bin:$PATH"
  node_is_enough && return 0
  { have node && have npm; } || install "builds the pages" "nodejs npm" "node"
  node_is_enough && return 0
  say "fetching Node $node_wanted into .tools (the system's is older than $node_least)"
  npm install --prefix "$tools/node" --no-save --no-audit --no-fund --loglevel=error "node@$node_wanted" \
    || fail "npm could not fetch Node $node_wanted"
  node_is_enough || fail "Node $node_least or newer is needed to build the pages"
}

setup_rust() {
  have cargo || fail "Rust is missing: install it from https://rustup.rs and run again"
  have cc || install "the linker that Rust uses" "build-essential" "gcc"
}

setup_rust_tool() {
  local name=$1 why=$2
  cargo "${name#cargo-}" --version >/dev/null 2>&1 && return 0
  say "building $name ($why); this takes some minutes, once"
  cargo install --quiet --locked "$name" || fail "could not build $name"
}

# The payment client is tried against an independent stand-in, never our own.
setup_localstripe() {
  local place=$tools/localstripe
  [ -x "$place/bin/localstripe" ] && return 0
  python3 -m venv "$place" 2>/dev/null || {
    install "holds the payment stand-in of the tests" "python3-venv" "python@3"
    python3 -m venv "$place" || fail "python3 cannot make an environment in .tools"
  }
  say "fetching localstripe into .tools (payments are tested against it)"
  "$place/bin/pip" install --quiet --disable-pip-version-check "localstripe==1.15.10" \
    || fail "pip could not fetch localstripe"
}

mkdir -p "$tools"
setup_rust
have redis-server || install "the line and the holds live in it" "redis-server" "redis"
have_postgres || install "orders are durable in it" "postgresql" "postgresql@16"
setup_node

if [ "$purpose" = test ]; then
  have nginx || [ -x /usr/sbin/nginx ] || install "the gate is tested behind it" "nginx-light" "nginx"
  have chromium || have google-chrome || install "the pages are tested in it" "chromium" "--cask chromium"
  setup_localstripe
  setup_rust_tool cargo-nextest "runs the suite in parallel"
  setup_rust_tool cargo-deny "checks licences, sources and forbidden dependencies"
fi
