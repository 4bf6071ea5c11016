# Every action a person or CI needs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SAMPLE := .books/sample/book.json
ACCOUNTS ?= 200000
SEED ?= 1
AS_OF ?= 2026-06-30
# Runs at a time.
WORKERS ?= 2

export COLLECT_BOOKS ?= $(CURDIR)/.books
export COLLECT_POLICY ?= $(CURDIR)/parameters/policy
export COLLECT_REPORTS ?= $(CURDIR)/reports
export COLLECT_DATA ?= ../shared/data

.PHONY: help setup sample import reports pages lab test lint bench lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(READY)  ## build the environment from the lock

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	@# uv, itself installed by its hash, is three to five times faster than pip for the rest and checks the same hashes.
	awk '/^[a-z]/ {keep = /^uv==/} keep' requirements.lock > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m ipykernel install --prefix .venv --name collect-analysis --display-name "Collect Analysis" > /dev/null
	@touch $(READY)

sample: $(SAMPLE)  ## make the synthetic shop (ACCOUNTS=200000 SEED=1)

$(SAMPLE): $(READY) $(shell find lib/collect_analysis/book -name '*.py')
	$(BIN)/collect sample --accounts $(ACCOUNTS) --seed $(SEED) --as-of $(AS_OF)

import: $(READY)  ## load every source under parameters/sources whose files are here
	$(BIN)/collect import --skip-absent parameters/sources

reports: sample import  ## run every report file and publish the pages
	$(BIN)/collect run --skip-absent --workers $(WORKERS) parameters

pages: $(READY)  ## serve the published pages (Voila)
	$(BIN)/collect serve

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks --LabApp.extension_manager=readonly

test: $(READY)  ## run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)  ## style, formats, types, clean notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-count --extra-keys "metadata.language_info metadata.kernelspec.display_name" $$(git ls-files 'notebooks/*.ipynb')

bench: $(READY)  ## time the measures against the same in pandas
	$(BIN)/python -m tests.bench

lock: $(READY)  ## resolve pyproject.toml into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml --output-file requirements.lock

clean:  ## remove the environment, the books and the reports
	rm -rf .venv .books
	find reports -mindepth 1 ! -name README.md ! -name example.png -delete
