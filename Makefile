# Every task of the project. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# One interpreter for every build, so that cargo and maturin share their artefacts.
export PYO3_PYTHON := $(BIN)/python
export VIRTUAL_ENV := $(VENV)

ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environment -----------------------------------------------------------------------------

.make/venv: pyproject.toml
	@mkdir -p .make
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) \
	  || { $(SUDO) apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install -q --disable-pip-version-check -U 'pip>=25.1'
	$(BIN)/python -m pip install -q --disable-pip-version-check --group dev 'pydantic>=2.7,<3'
	@touch $@

.PHONY: debian
debian: # Debian packages that the tests talk to
	@{ command -v redis-server && command -v redis-benchmark && command -v etcd; } >/dev/null || { \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq \
	    redis-server redis-tools etcd-server; }

.PHONY: develop
develop: .make/venv ## Build the extension with the development profile into .venv
	$(BIN)/maturin develop -q $(INSTALLED)
	@touch .make/installed

.PHONY: release
release: .make/venv ## Build the extension with the release profile into .venv
	$(BIN)/maturin develop -q --release $(INSTALLED)
	@touch .make/installed

# The package is installed once, editable; later builds only replace the extension.
INSTALLED = $(if $(shell [ .make/installed -nt .make/venv ] && echo y),--skip-install)

# --- work ------------------------------------------------------------------------------------

.PHONY: run
run: release ## Build and serve ./data on 127.0.0.1:6379 (ARGS="--port 7000 ./elsewhere")
	$(BIN)/aidb serve $(ARGS)

.PHONY: test
test: debian develop ## Run every test: cargo, then pytest
	cargo test -q --workspace --exclude aidb-py
	$(BIN)/python -m pytest -q $(ARGS)

.PHONY: unit
unit: develop ## Run the fast Python tests
	$(BIN)/python -m pytest -q tests/unit $(ARGS)

.PHONY: clients
clients: debian develop ## Real clients of other languages (needs Node, Go, Java with Maven)
	$(BIN)/python -m pytest -q tests/clients $(ARGS)

.PHONY: check
check: develop ## Format, lints, types, stubs, imports, tidy, fast tests
	cargo fmt --all --check
	cargo clippy -q --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python --warnings
	$(BIN)/python -m mypy.stubtest aidb._core
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/tidy.py
	$(BIN)/python tools/generate_commands.py --check
	$(BIN)/python -m pytest -q tests/unit

.PHONY: format
format: .make/venv ## Format Rust and Python
	cargo fmt --all
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

.PHONY: bench
bench: .make/venv ## Run the short benchmarks against their peers (ARGS="engine --full")
	$(BIN)/maturin develop -q --release --extras bench
	@touch .make/installed
	$(BIN)/python -m benches $(ARGS)

.PHONY: wheel
wheel: .make/venv ## Build a wheel into dist/
	$(BIN)/maturin build --release --strip -o dist

.PHONY: crash
crash: develop ## Long crash simulations and kill -9 loops
	AIDB_CRASH_STATES=$${AIDB_CRASH_STATES:-1000000} AIDB_FAULT_TRIALS=$${AIDB_FAULT_TRIALS:-50000} \
	  cargo test -q -p aidb-sim crash
	AIDB_KILL_ROUNDS=$${AIDB_KILL_ROUNDS:-200} $(BIN)/python -m pytest -q tests/fault --timeout=3600 \
	  tests/conformance/test_durability.py tests/conformance/test_counters.py

.PHONY: differential
differential: debian develop ## Millions of random commands to us and to a real Redis
	AIDB_DIFFERENTIAL_COMMANDS=$${AIDB_DIFFERENTIAL_COMMANDS:-3000000} \
	  $(BIN)/python -m pytest -q tests/conformance/test_differential.py --timeout=7200

.PHONY: generate
generate: .make/venv ## Write the command table and the reference pages again
	$(BIN)/python tools/generate_commands.py
	$(BIN)/python tools/generate_reference.py

.PHONY: golden
golden: develop ## Write the databases of tests/compat anew, in the current format
	$(BIN)/python -m tests.compat.golden

.PHONY: fuzz
fuzz: ## Fuzz every decoder, FUZZ_SECONDS each (default 60)
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	cd crates/engine/fuzz && cargo +nightly fuzz run -s none corpus -- -runs=0 2>/dev/null
	for crate in engine rdb redis; do cd $(CURDIR)/crates/$$crate/fuzz; \
	  for target in $$(cargo +nightly fuzz list | grep -v '^corpus$$'); do echo "== $$target"; \
	    cargo +nightly fuzz run -s none $$target -- -max_total_time=$${FUZZ_SECONDS:-60} \
	      -max_len=8192 -verbosity=0; done; done

.PHONY: planted
planted: develop ## Prove that every planted bug is caught
	cargo test -q -p aidb-sim --features planted --test planted -- --nocapture
	$(BIN)/python -m tests.simulation.cluster.planted

.PHONY: clean
clean: ## Remove what was built
	cargo clean -q
	rm -rf .make $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis python/aidb/*.so
