# Works in a fresh clone with Python 3.11 or newer, pip and make. PYTHON=... and VENV=... can be given.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FAST := not servers and not dagster and not slow and not browser
PARALLEL ?= -n 2 --dist worksteal
# The others wait for daemons, leases and servers half of their time: three workers fill two cores. Each worker has
# servers of its own; a module stays on one, and the longest come first (ingest_project_tests/conftest.py).
MIXED ?= -n 3 --dist loadscope --no-loadscope-reorder

export DAGSTER_DISABLE_TELEMETRY := yes
# Hundreds of Python processes are started: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo demo-gazettes up down services fetch lint types test check bench bench-short docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv and install everything, pinned

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Load sample dumps through Dagster from nothing, print what happened, stop
	$(BIN)/ingest demo

demo-gazettes: $(STAMP) ## The same for gazettes: PDF to ranked excerpts; needs PostgreSQL, Java and Maven
	$(BIN)/ingest demo --gazettes

up: $(STAMP) ## Start the embedded services and Dagster, and keep them running
	$(BIN)/ingest up

services: $(STAMP) ## Start all servers that can be had here, real ones too, and show them
	$(BIN)/ingest services up --all
	$(BIN)/ingest services status

down: $(STAMP) ## Stop what `make up` and `make services` started
	$(BIN)/ingest down

# What cannot be had says so, and skips its tests (or fails them where INGEST_REQUIRE_SERVERS=1).
fetch: $(STAMP) ## Fetch the servers for the tests into the cache folder
	-@$(BIN)/ingest services fetch

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

# Cheap tests first: a failure shows early. Each part closes with its own count.
test: lint types fetch ## Lint, types and all tests
	$(BIN)/pytest $(PARALLEL) -m '$(FAST)'
	$(BIN)/pytest $(MIXED) -m 'not ($(FAST))'

check: lint types ## Lint, types, and Dagster's own look at the definitions
	$(BIN)/dagster definitions validate -w workspace.yaml

# BENCH takes names of claims and --full; `python -m benchmarks --list` names them.
bench: $(STAMP) ## Measure against the peers; results, plots and docs/benchmarks.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks $(BENCH)

bench-short: $(STAMP) ## Short measurements; fails under 70 % of a committed ratio
	$(BIN)/python -m benchmarks --short

docs: $(STAMP) ## Write docs/configuration.md from the table of variables
	$(BIN)/python -c 'from ingest_project.resources.variables import page; open("docs/configuration.md", "w").write(page())'

clean: ## Remove .venv and caches; keeps the state folder .ingest
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
