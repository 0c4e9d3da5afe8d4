# `make search` and `make test` set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: search test lint bench bench-short

search: $(VENV)/.installed
	$(BIN)/python pipelines/run.py --algo optuna

# Two processes, each with its own Ray: tests spend much of their time waiting for processes to start.
test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,peers,panel]'
	$(BIN)/python -m benchmarks.tables

bench-short: $(VENV)/.installed
	$(BIN)/python -m benchmarks.tables --short

# The environment is created anew when pyproject.toml changes, not just updated, so that packages
# that are no longer dependencies do not stay in it.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
