# Each target in one line; `make run` and `make test` need nothing typed before them.
.DEFAULT_GOAL := help
TARGET ?= mask
.PHONY: help run test test-faults soak bench fuzz lint fmt clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: ## Build, fetch the model, start the demonstration on 127.0.0.1:8080.
	@scripts/run.sh

test: ## Set up what the tests need (model, Chromium, PostgreSQL) and run all of them.
	@scripts/test.sh

test-faults: ## The long fault tests: every boundary, 50 random kills and all outages on both databases.
	@COUNTERSIGN_TEST_FAULTS=all scripts/test.sh faults:: outages::

soak: ## Ten minutes of twice the load that it can bear, on the release binary (SECONDS=60); writes docs/soak.md; then half an hour of random questions.
	@SECONDS_OF_LOAD="$(or $(SECONDS),600)" scripts/soak.sh

bench: ## Measure, side by side with peers, and print one table (ONLY=ingest,pipeline,classify,mask,heads,chunk,encode for parts).
	@COUNTERSIGN_BENCH_ONLY="$(ONLY)" scripts/bench.sh

fuzz: ## Fuzz the masker, or TARGET=intake (SECONDS=60).
	@cd fuzz && mkdir -p corpus/$(TARGET) && cargo run --release --bin $(TARGET) -- corpus/$(TARGET) -dict=$(TARGET).dict -max_len=4096 -timeout=10 -max_total_time=$(or $(SECONDS),60)

lint: ## rustfmt, clippy, licences.
	@cargo fmt --check && cargo clippy --all-targets -- -D warnings && scripts/deny.sh

fmt: ## Format the code.
	@cargo fmt

clean: ## Remove what builds and demonstrations left.
	@cargo clean && rm -rf data/demo
