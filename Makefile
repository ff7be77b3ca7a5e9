# Everything a contributor or a user runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PACKAGES := schemas domain write_api projections query_api process_managers infra

# uv installs the locked wheels several times faster than pip; where it cannot, pip does the same from the same hashes.
# It trusts whom the system trusts, or it could not behind a proxy that looks into TLS.
define install
	$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --require-hashes --requirement $(1) 2>$(VENV)/uv.log \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(1)
endef

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  \033[36m%-10s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: $(VENV)/.project ## Start the whole platform on this machine; options go into ARGS="..."
	@exec $(BIN)/orderflow up $(ARGS)

.PHONY: demo
demo: $(VENV)/.project ## The same with a seeded coffee shop and a stream of orders
	@exec $(BIN)/orderflow up --demo $(ARGS)

.PHONY: cluster
cluster: $(VENV)/.project ## Every part as a process of its own, over Kafka, RabbitMQ, PostgreSQL and Valkey
	@exec $(BIN)/orderflow up --cluster $(ARGS)

.PHONY: venv
venv: $(VENV)/.project $(VENV)/.dev ## Create or refresh .venv with everything to run, check and test

.PHONY: test
test: venv ## Run the whole suite
	@$(BIN)/python -m pytest -n 3 $(ARGS)

.PHONY: test-fast
test-fast: venv ## Run only what needs no server
	@$(BIN)/python -m pytest -n 2 -m "not servers and not acceptance and not faults" $(ARGS)

.PHONY: check
check: venv ## Lint, format, types, import rules and drift checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q tests/architecture

.PHONY: format
format: venv ## Format and apply the safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: venv ## Measure side by side and print the ratios
	@for file in tests/benchmarks/bench_*.py; do \
		name=$$(basename $$file .py); \
		echo "== $$name: $$(sed -n '1s/^"""\(.*\): `.*/\1/p' $$file)"; \
		$(BIN)/python -m tests.benchmarks.$$name $(ARGS); \
	done

.PHONY: proto
proto: venv ## Compile the contracts in proto/ into typed Python beside them
	@$(BIN)/buf format --write proto
	@$(BIN)/python proto/generate.py

.PHONY: contracts
contracts: proto ## Write every contract and the catalogue anew from the code
	@$(BIN)/python -m tests.architecture.exports

.PHONY: lock
lock: venv ## Resolve the *.in files into hashed locks; ARGS="--upgrade" takes newer versions
	@for name in requirements-uv requirements requirements-dev; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header $(ARGS) \
			--output-file $$name.lock $$name.in; \
	done
	@! grep -nE '://|--index-url|--find-links' requirements*.lock || { echo "A lock names a package host." >&2; exit 1; }

.PHONY: clean
clean: ## Remove .venv, caches and build output; data folders stay
	@rm -rf $(VENV) build dist *.egg-info htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.uv: requirements-uv.lock
	@command -v $(PYTHON) >/dev/null || { echo "OrderFlow needs Python 3.11 or newer: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "OrderFlow needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) cannot create virtual environments: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(VENV)/.runtime: requirements.lock $(VENV)/.uv
	@echo "Installing the locked packages ..."
	@$(call install,$<)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the tools to check and test ..."
	@$(call install,$<)
	@# Tests start hundreds of processes; where PYTHONDONTWRITEBYTECODE is set, each would compile all libraries anew.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . 2>$(VENV)/uv.log \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
