# `make demo` and `make test` are all a newcomer needs. Stamp files in .venv remember what is installed, so that the
# second run installs nothing; they depend on pyproject.toml and constraints.txt only, because the install is editable.
# PYTHON=python3.12 picks the interpreter; a .venv made by another one is then made anew.

VENV := .venv
BIN := $(VENV)/bin
# --quiet leaves warnings and errors.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

ifdef PYTHON
VENV_MADE := $(VENV)/.made-by-$(notdir $(PYTHON))
else
VENV_MADE := $(VENV)/.made
endif
BASE := $(or $(PYTHON),python3)
RIGHT_PYTHON := (3, 11) <= sys.version_info < (3, 15) or sys.exit("$(BASE) is Python %d.%d, and trajscope needs \
3.11 to 3.14; name another one: make PYTHON=python3.12 ..." % sys.version_info[:2])

# One pip at a time in one .venv, whatever -j says.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench calibrate docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## install into .venv, then see a real campaign, live, in a minute
	$(BIN)/trajscope demo

test: lint $(VENV)/.group-test ## lint, then the whole suite; REQUIRE_ALL=1 turns skips for missing programs into failures
	REQUIRE_ALL=$(REQUIRE_ALL) $(BIN)/pytest --numprocesses auto --maxprocesses 8

lint: $(VENV)/.installed $(VENV)/.group-lint $(VENV)/.group-test ## ruff, its formatter and mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.installed $(VENV)/.group-bench ## measure the budgets beside what one would use instead
	$(BIN)/python -m benchmarks

calibrate: $(VENV)/.installed ## simulate campaigns, and write how often gate and alarms are right into the documentation
	$(BIN)/python -m benchmarks.calibrate

docs: $(VENV)/.installed ## rewrite the generated parts of the documentation
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/field_study.py

clean: ## remove .venv, caches and build outputs
	rm -rf $(VENV) build dist demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Asked before an existing .venv is touched. Dependency groups need pip 25.1, newer than what most interpreters bring.
$(VENV_MADE):
	@$(BASE) -c 'import sys; $(RIGHT_PYTHON)'
	$(BASE) -m venv --clear $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $(VENV)/.made $@

$(VENV)/.installed: $(VENV_MADE) pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.group-%: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --group $*
	@touch $@
