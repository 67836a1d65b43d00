# Two commands: `make demo` shows usher at work, `make test` checks everything.
# `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/bash
WEB := crates/edge/web
export PATH := $(CURDIR)/.tools/node/node_modules/node/bin:$(PATH)

# Builds the points at which the crash tests abort the process for real.
TEST_FEATURES := --features usher-booking/failpoints

# `make demo ARGS="--no-crowd --port 8080"` passes flags on to `usher demo`.
ARGS ?=

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: setup-demo pages ## a small on-sale on this machine, with private servers
	@cargo build --profile demo --bin usher
	@exec target/demo/usher demo $(ARGS)

BENCH := target/release/usher-bench

.PHONY: bench
bench: setup-demo pages build-bench ## measure usher on this machine, beside the ceilings of the same run
	@$(BENCH) run $(ARGS)

# Short runs are noisy: it fails only where a ratio fell by more than three tenths.
CHECKED := joins reads sales
RECORDED := crates/bench/recorded.json

.PHONY: bench-check
bench-check: setup-demo pages build-bench ## has a ratio fallen clearly below the recorded one?
	@$(BENCH) run $(CHECKED) --quick --out target/bench-check
	@$(BENCH) compare $(RECORDED) target/bench-check/results.json

.PHONY: bench-record
bench-record: setup-demo pages build-bench ## record the ratios that bench-check compares with
	@$(BENCH) run $(CHECKED) --quick --out target/bench-check
	@cp target/bench-check/results.json $(RECORDED)

.PHONY: build-bench
build-bench:
	@cargo build --release --locked --bin usher --bin usher-bench

.PHONY: test
test: setup-test pages lint deny suite pages-test e2e ## everything that must hold

.PHONY: setup-demo setup-test
setup-demo:
	@scripts/setup.sh demo
setup-test:
	@scripts/setup.sh test

.PHONY: pages
pages: $(WEB)/dist/.vite/manifest.json ## build what the browser loads

$(WEB)/node_modules: $(WEB)/package-lock.json
	@echo "==> fetching what the pages are built with"
	@npm --prefix $(WEB) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/.vite/manifest.json: $(WEB)/node_modules $(shell find $(WEB)/src -type f 2>/dev/null) $(WEB)/vite.config.ts
	@npm --prefix $(WEB) run --silent build
	@touch $@

.PHONY: lint
lint: ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(TEST_FEATURES) -- -D warnings
	scripts/planted-faults.sh --check

.PHONY: planted-faults
planted-faults: setup-test pages ## does the rehearsal notice a broken usher? (ten minutes)
	@scripts/planted-faults.sh $(ARGS)

FUZZ_SECONDS ?= 300

.PHONY: fuzz
fuzz: ## feed the parsers of tokens, frames and draw records with anything (needs nightly and cargo-fuzz)
	@for target in token frame draw_record; do \
	  mkdir -p fuzz/corpus/$$target && \
	  cargo +nightly fuzz run --fuzz-dir fuzz $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 || exit 1; \
	done

.PHONY: deny
deny: ## licences, sources, duplicates and forbidden dependencies
	cargo deny --log-level error check bans licenses sources

.PHONY: audit
audit: ## known vulnerabilities (needs the network)
	cargo deny check advisories

.PHONY: suite
suite: ## every Rust test, in parallel
	cargo nextest run --workspace --locked $(TEST_FEATURES)

.PHONY: mutants
mutants: pages ## plant known mistakes; a test must notice each
	@scripts/mutants.sh $(ARGS)

.PHONY: pages-test
pages-test: $(WEB)/node_modules ## types and unit tests of the pages
	npm --prefix $(WEB) run --silent check
	npm --prefix $(WEB) run --silent test

.PHONY: e2e
e2e: $(WEB)/node_modules ## a fan's and an operator's walk in a real browser
	cargo build --workspace --bin usher --locked $(TEST_FEATURES)
	npm --prefix $(WEB) run --silent e2e
