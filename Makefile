# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STUDY := analysis/synthetic_cohort

.PHONY: help setup demo test test-all lint format bench docs docs-check wheel clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(READY)  ## create the environment in .venv (Python 3.11 or newer, a C compiler)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, {v.major}.{v.minor} found: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)  ## make the synthetic cohort, run the whole study, print the path of the report
	$(BIN)/radiomics-vert demo $(STUDY) --output reports/synthetic_cohort

test: $(READY)  ## run the tests (minutes)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-all: $(READY)  ## run all tests and studies, the long ones too
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)  ## style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy radiomics_vert
	$(BIN)/lint-imports

format: $(READY)  ## rewrite the sources in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## measure against stock pyradiomics, other engines (PEERS='--peer NAME=PYTHON') and statsmodels
	$(BIN)/python analysis/benchmarks/bench_engines.py $(PEERS)
	$(BIN)/python analysis/benchmarks/bench_workers.py --images original --scans 120 --pairs 1
	$(BIN)/python analysis/benchmarks/bench_workers.py --images 'LoG 1, 2, 3 mm + wavelet' --scans 24 --pairs 1
	$(BIN)/python analysis/benchmarks/bench_scale.py 100 1000
	$(BIN)/python analysis/benchmarks/bench_statistics.py

docs: $(READY)  ## rewrite the generated pages and the JSON Schema
	$(BIN)/python -m docs.generate

docs-check: $(READY)  ## run the commands of the README; fail when a generated page is out of date
	$(BIN)/python -m docs.generate --check
	$(BIN)/python -m docs.run_readme

wheel: $(READY)  ## build the wheel and test it in a clean environment
	$(BIN)/python -m pytest -m slow tests/integration/test_wheel.py

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
