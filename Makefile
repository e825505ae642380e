# Tasks. A fresh machine needs make and Python 3.11 or newer; everything else is installed into $(VENV).
#
#   make demo          real models, the proxy, a report                 ARGS="--duration 60" is passed on
#   make test          every test but the slow campaigns                ARGS="tests/core -x" is passed on
#   make lint          ruff and mypy
#   make compiled      what a request passes through, compiled: benches and end-to-end tests run it
#   make bench         point figures of everything in under 15 minutes   ARGS="--docs" is passed on; needs nginx
#   make bench-proof   the same with intervals: hours
#   make bench-quick   ratios only, in under three minutes
#   make campaign      the slow test campaigns
#   make honesty       the verdict over simulated logs, naive tests beside it    ARGS="--logs 40 outages" is passed on
#   make clean         removes $(VENV), caches and builds, never logs or state
#
# JOBS=1 runs the tests one after the other.
# PYTHON=python3.13 names the interpreter that $(VENV) is made with, VENV=.venv-313 another place for it.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
JOBS ?= 3

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The build backend is pinned by the same file: without --build-constraint each build would take the newest.
INSTALL := $(PIP) install --constraint constraints.txt --build-constraint constraints.txt
# An editable install runs its sources; to ask for a compiler's tools would only take time.
EDITABLE := SHADOWPROXY_COMPILE=0 $(INSTALL) --editable

.DEFAULT_GOAL := help
.PHONY: help demo test lint compiled bench bench-quick bench-proof campaign honesty clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.demo-ready
	@$(BIN)/python -m shadowproxy demo $(ARGS)

test: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -m 'not campaign' --numprocesses $(JOBS) --dist loadfile $(ARGS)

campaign: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -m campaign $(ARGS)

honesty: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.stats.simulate $(ARGS)

lint: $(VENV)/.dev-ready
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

compiled: $(VENV)/.compiled-ready

bench: $(VENV)/.compiled-ready
	@$(BIN)/python -m bench all $(ARGS)

bench-quick: $(VENV)/.compiled-ready
	@$(BIN)/python -m bench all --quick $(ARGS)

bench-proof: $(VENV)/.compiled-ready
	@$(BIN)/python -m bench all --proof $(ARGS)

# A stamp is newer than what it was made from exactly while the environment is as the files ask.
$(VENV)/.demo-ready: $(VENV)/.pip-ready pyproject.toml
	@echo "installing shadowproxy and its demo into $(VENV)" >&2
	@$(EDITABLE) '.[demo]'
	@touch $@

$(VENV)/.dev-ready: $(VENV)/.demo-ready
	@echo "installing the tools for tests and lint into $(VENV)" >&2
	@$(EDITABLE) '.[demo]' --group test --group lint
	@touch $@

# Beside the checkout, which goes on running its sources: who changes one need not compile to see what it does.
$(VENV)/.compiled-ready: $(VENV)/.demo-ready hatch_build.py $(shell find shadowproxy -name '*.py')
	@echo "compiling into $(VENV)/compiled, if there is a C compiler: a minute" >&2
	@rm -rf $(VENV)/compiled
	@$(INSTALL) --no-deps --target $(VENV)/compiled .
	@$(BIN)/python -m bench.builds >&2
	@touch $@

# pip first: dependency groups and build constraints are newer than the pip that many systems bring.
$(VENV)/.pip-ready: constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "no '$(PYTHON)' here: install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "'$(PYTHON)' is $$($(PYTHON) -V 2>&1): Python 3.11 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' comes without venv: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@touch $@

clean:
	@test ! -e $(VENV)/pyvenv.cfg || rm -rf $(VENV)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
