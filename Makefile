# Needs Python 3.11 to 3.13, make and git; everything else is put into .venv by the first target that wants it.
# Another interpreter: make test PYTHON=/path/to/python3.12

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage test-services test-browser lint format bench lock records-format docs-figures clean

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/ci.txt
AXE := $(VENV)/browser/node_modules/axe-core/axe.min.js
SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c "$(SUPPORTED)" >/dev/null 2>&1 && { echo "$$p"; break; }; done)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Python compiles a module when it is first imported; compiling all of them here takes a minute.
INSTALL := $(PIP) install --no-compile --constraint $(LOCK) --editable .

# Two workers on two cores: one thread each, and an OpenMP that waits without spinning.
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := passive
export MLFLOW_DISABLE_TELEMETRY := true

help:
	@echo "make demo            train on the synthetic sample, evaluate, write runs/demo/review.html"
	@echo "make test            every test"
	@echo "make coverage        every test, and which lines none of them runs (a third slower)"
	@echo "make test-services   the tests that start servers on this machine: MLflow's, PostgreSQL where it is installed"
	@echo "make test-browser    the pages in headless Chromium, with axe-core from npm where it can be fetched"
	@echo "make lint            ruff and mypy, as CI runs them"
	@echo "make format          let ruff put the code in order"
	@echo "make bench           every benchmark, small"
	@echo "make lock            resolve the newest versions and pin them in $(LOCK)"
	@echo "make records-format  write docs/records-format.md again from the code"
	@echo "make docs-figures    draw the pictures of the docs again; needs DIAGNOSIS_DATA"
	@echo "make clean           remove everything that was built"

demo: $(VENV)/runtime.stamp
	@$(BIN)/diagnosis demo

test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(PYTEST_ARGS)

coverage: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-fail-under=90 $(PYTEST_ARGS)

test-services: $(VENV)/dev.stamp
	@DIAGNOSIS_SERVICES=1 $(BIN)/python -m pytest -q -m services $(PYTEST_ARGS)

# axe-core looks for what a screen reader stumbles over; without npm or a network the rest is tested all the same.
test-browser: $(VENV)/dev.stamp
	@test -f $(AXE) || npm install --silent --no-save --prefix $(VENV)/browser axe-core@4 || echo "axe-core was not fetched"
	@DIAGNOSIS_BROWSER=1 DIAGNOSIS_AXE=$(AXE) $(BIN)/python -m pytest -q -m browser tests/browser $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy src

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp
	@for file in benchmarks/bench_*.py; do \
	  echo "== $$file"; \
	  if [ -z "$$DIAGNOSIS_DATA" ] && grep -q DIAGNOSIS_DATA "$$file"; then \
	    echo "skipped: needs real data, and DIAGNOSIS_DATA names no folder"; \
	  else $(BIN)/python "$$file" --size small || exit 1; fi; \
	done

lock:
	@$(if $(PYTHON),,$(error no Python 3.11 to 3.13 with venv and ensurepip was found; name one with PYTHON=))
	@rm -rf $(VENV).lock && $(PYTHON) -m venv $(VENV).lock
	@$(VENV).lock/bin/python -m pip --quiet --disable-pip-version-check install --upgrade pip
	@$(VENV).lock/bin/python -m pip --quiet --disable-pip-version-check install --editable . --group dev
	@mkdir -p $(dir $(LOCK))
	@{ echo "# What make and CI install, made by 'make lock'. Constraints only: pyproject.toml says what is needed."; \
	   $(VENV).lock/bin/python -m pip --disable-pip-version-check freeze --exclude-editable; } > $(LOCK)
	@rm -rf $(VENV).lock
	@echo "$$(grep -c == $(LOCK)) versions in $(LOCK)"

docs-figures: $(VENV)/dev.stamp
	@PYTHONPATH=. $(BIN)/python docs/make_page_figures.py
	@$(BIN)/python docs/make_figures.py

records-format: $(VENV)/dev.stamp
	@$(BIN)/python docs/make_records_format.py

clean:
	@rm -rf $(VENV) $(VENV).lock build dist runs mlruns mlartifacts mlflow.db htmlcov .coverage .coverage.* coverage.json
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, or is made again.
$(VENV)/pip.stamp:
	@$(if $(PYTHON),,$(error no Python 3.11 to 3.13 with venv and ensurepip was found; name one with PYTHON=))
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip
	@touch $@

$(VENV)/runtime.stamp: pyproject.toml $(LOCK) | $(VENV)/pip.stamp
	@echo "Installing diagnosis and what it runs on (first time: a few minutes)"
	@$(INSTALL)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(LOCK) | $(VENV)/pip.stamp
	@echo "Installing diagnosis and what its tests use (first time: a few minutes)"
	@$(INSTALL) --group dev
	@touch $(VENV)/runtime.stamp $@
