# make demo    a first run: installs into .venv, then `unbend demo`
# make test    installs into .venv, then the tests
# make help    the other targets
#
# Needs make and Python 3.11 or newer, nothing else. PYTHON=… says which Python; VENV=… where to install.

VENV ?= .venv
BIN := $(VENV)/bin
CASE ?=
PYTEST_ARGS ?=
# How to install torch: any version that satisfies the extra in pyproject.toml.
TORCH_PACKAGE ?= torch
# TORCH=1 installs the torch extra as well, so that its tests run too.
TORCH ?=

# The first Python on the PATH that is new enough, unless the caller names one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One BLAS thread a worker: the tests run side by side.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help demo test all-tests lint format benchmark clean

help:  ## this list
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/installed-base  ## a first run on real data; CASE=diabetes|nuclei|terrain
	@$(BIN)/unbend demo $(CASE)

test: $(VENV)/installed-test $(if $(TORCH),$(VENV)/installed-torch)  ## the tests; PYTEST_ARGS=… goes to pytest
	@$(ONE_THREAD) $(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

all-tests:  ## the tests, the parts that need torch included
	@$(MAKE) --no-print-directory test TORCH=1

lint: $(VENV)/installed-lint  ## ruff, pyright and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/installed-lint  ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/installed-benchmark  ## measure against peers, write benchmarks/RESULTS.md
	$(ONE_THREAD) $(BIN)/python -m benchmarks

clean:  ## remove .venv and what the tools left behind
	rm -rf $(VENV) build dist src/*.egg-info src/unbend/exact/*.so .pytest_cache .ruff_cache .hypothesis .import_linter_cache unbend-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp a set of packages: the second call installs nothing unless pyproject.toml or the compiled part has changed.
$(VENV)/installed-base: pyproject.toml setup.py $(wildcard src/unbend/exact/*.[ch])
	@test -n '$(PYTHON)' || { echo 'error: no Python 3.11 or newer on the PATH'; \
		echo '  name one: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.12'; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'error: $(PYTHON) is not Python 3.11 or newer'; \
		echo '  name another: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.12'; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { echo 'error: $(PYTHON) cannot make a virtual environment'; \
		echo '  on Debian and Ubuntu: apt-get install python3-venv'; exit 1; } >&2
	@echo 'installing unbend into $(VENV) (once; takes a minute or two) …' >&2
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --editable .
	@touch $@

# `installed-test` needs the dependency group `test`, and so on.
$(VENV)/installed-test $(VENV)/installed-lint $(VENV)/installed-benchmark: $(VENV)/installed-%: $(VENV)/installed-base
	@echo 'installing what "$*" needs …' >&2
	@$(PIP) --group $*
	@touch $@

# pyright reads the tests' packages as well.
$(VENV)/installed-lint: $(VENV)/installed-test

$(VENV)/installed-torch: $(VENV)/installed-base
	@echo 'installing torch …' >&2
	@$(PIP) '$(TORCH_PACKAGE)'
	@$(PIP) --editable '.[torch]'
	@touch $@
