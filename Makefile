# Every target works on a fresh machine: it makes the virtual environment and installs what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PLUGINS := $(wildcard plugins/*/pyproject.toml)
BENCH := $(basename $(notdir $(wildcard benchmarks/*.py)))
PLUGINS_INSTALLED := $(VENV)/.plugins-installed

.PHONY: help install plugins demo test test-all test-docs test-tutorial test-gpu browser check docs bench clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(INSTALLED)  ## Make the virtual environment and install reidctl into it

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q reidctl  # which pip does not do for an editable package
	@touch $@

$(PLUGINS_INSTALLED): $(INSTALLED) $(PLUGINS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(foreach file,$(PLUGINS),--editable ./$(dir $(file)))
	@touch $@

plugins: $(PLUGINS_INSTALLED)  ## Install the packages of plugins/ beside reidctl

demo: $(INSTALLED)  ## Train, test, export, verify and benchmark a network on drawn pedestrians (6 minutes on 2 cores)
	$(BIN)/reidctl demo --force

# A process for every core: threads of several processes would wait for each other.
test: $(INSTALLED)  ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist worksteal

test-all: $(INSTALLED) $(PLUGINS_INSTALLED)  ## Run the slow tests and those of the packages in plugins/, too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist worksteal -m 'not gpu' tests plugins

test-docs: $(INSTALLED)  ## Run every command and program of README.md and docs/, and name those that cannot be run
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m docs tests/docs

test-tutorial: $(INSTALLED)  ## Follow the tutorial of docs/plugins.md in a fresh environment
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m docs tests/docs/test_tutorial.py

test-gpu: $(INSTALLED)  ## Run the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

browser:  ## Install Debian's Chromium, in which the tests open reports (needs root)
	apt-get update
	apt-get install --yes --no-install-recommends chromium

check: $(INSTALLED)  ## Lint, types, import layers, freshness of the generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/architecture
	$(BIN)/python docs/generate.py --check

docs: $(INSTALLED)  ## Write the generated parts of docs/
	$(BIN)/python docs/generate.py

# A script ends with 3 where this machine lacks what it measures; any other failure fails the target, after all have run.
bench: $(INSTALLED)  ## Measure all beside plain ways into outputs/bench, or some: BENCH="loader startup"
	@failed=; for name in $(BENCH); do \
		echo "== benchmarks/$$name.py"; \
		$(BIN)/python benchmarks/$$name.py --json outputs/bench/$$name.json || [ $$? -eq 3 ] || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

clean:  ## Remove what the targets made, the virtual environment included
	rm -rf $(VENV) build dist outputs .pytest_cache .mypy_cache .ruff_cache .hypothesis
