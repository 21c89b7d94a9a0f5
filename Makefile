# Everything happens in .venv; CmdStan is found or installed on first use.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help analysis models notebook test test-versions lint format docs gallery worms bench choosing calibration approximations clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

analysis: $(BIN)/.installed  ## fit the C. elegans network by every method: results in reports/celegans
	$(BIN)/lsm-stan setup
	$(BIN)/lsm-stan run reports/celegans.toml

models: $(BIN)/.installed-bench  ## compare the family on hidden dyads (hours): results in reports/celegans/models
	$(BIN)/lsm-stan setup
	$(BIN)/python -W ignore -m studies.held_out reports/celegans/models

notebook: $(BIN)/.installed-dev  ## execute reports/celegans.ipynb and keep its outputs
	$(BIN)/lsm-stan setup
	$(BIN)/python reports/execute.py reports/celegans.ipynb

test: $(BIN)/.installed-dev  ## run every test, those that need CmdStan included
	$(BIN)/lsm-stan setup
	$(BIN)/python -m pytest -n auto --dist loadfile

test-versions: $(BIN)/.installed  ## run the quick tests and a fit under the oldest and the newest dependencies
	$(BIN)/lsm-stan setup
	$(BIN)/python tests/support/versions.py

lint: $(BIN)/.installed-dev  ## check style and types, of the Stan files too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.support.stan_format --check

format: $(BIN)/.installed-dev  ## format Python and Stan files
	$(BIN)/ruff format .
	$(BIN)/python -m tests.support.stan_format

docs: $(BIN)/.installed-docs  ## build the documentation site, with every link checked: docs/_build
	$(BIN)/sphinx-build -W --keep-going -q -b html -c docs . docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

gallery: $(BIN)/.installed  ## fit the networks of the gallery: results in reports/gallery
	$(BIN)/lsm-stan setup
	for file in reports/gallery/*.toml; do $(BIN)/lsm-stan run $$file || exit 1; done

worms: $(BIN)/.installed  ## fit eight connectomes, and predict the eighth from seven: results in reports/worms
	$(BIN)/lsm-stan setup
	for file in reports/worms/*.toml; do $(BIN)/lsm-stan run $$file || exit 1; done
	$(BIN)/python -W ignore -m studies.worms reports/worms

bench: $(BIN)/.installed-bench  ## compare speed with JAX, PyMC and plain Stan: results in reports/benchmarks
	$(BIN)/lsm-stan setup
	$(BIN)/python -W ignore -m benchmarks reports/benchmarks

choosing: $(BIN)/.installed  ## see whether select finds K of simulated networks: results in reports/selection
	$(BIN)/lsm-stan setup
	$(BIN)/python -W ignore -m studies.choosing reports/selection

approximations: $(BIN)/.installed  ## count how often each method's intervals hold the truth: results in reports/approximations
	$(BIN)/lsm-stan setup
	$(BIN)/python -m studies.approximations reports/approximations

calibration: $(BIN)/.installed  ## rank known truths among posterior draws of every model: results in reports/calibration
	$(BIN)/lsm-stan setup
	$(BIN)/python -m studies.calibration reports/calibration

clean:  ## remove the virtual environment and caches (CmdStan and compiled models stay)
	rm -rf $(VENV) .venv-oldest .venv-newest .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python >= 3.11 is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(BIN)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@ $(BIN)/.installed

$(BIN)/.installed-bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	@touch $@ $(BIN)/.installed

$(BIN)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	@touch $@ $(BIN)/.installed
