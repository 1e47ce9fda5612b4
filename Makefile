# Two commands for a newcomer: `make quickstart` and `make test`. Both make their own environment in .venv first.
PYTHON ?= python3
BIN := .venv/bin

TESTS ?= tests

.PHONY: quickstart test check lint types examples moments index findings notebook clean install-lowest install-newest test-lowest test-newest
quickstart: .venv/installed
	$(BIN)/actlab run configs/quickstart.yaml

# Each of the two takes one half of the tests, and of the other half what is left: a module's fixtures are made once.
test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal tests

# What CI runs before the tests: lint, types, and the examples in the docstrings; with -j 2 side by side.
check: lint types examples

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

examples: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 -c pyproject.toml --doctest-modules actlab

# What theory says of each activation, for plans that compile nothing: after a change to one, or to how it is found.
moments: .venv/installed
	$(BIN)/python -m actlab.theory.moments

# The names that completion offers, and the schema that editors check studies by: after a change to what may be named.
index: .venv/installed
	$(BIN)/python -m actlab.cli.index
	$(BIN)/python -m actlab.cli.schema_file

# What the README says of the two studies: after they are trained anew, or their claims are changed.
findings: .venv/installed
	$(BIN)/python -m experiments.findings README.md

# The notebook of docs/, executed: after a change to what it shows.
notebook: .venv/installed-dev
	$(BIN)/python -m tests.notebooks docs/first_study.ipynb

# With the oldest versions that pyproject.toml allows (on Python 3.11), and with the newest that there are; each in an
# environment of its own. TESTS="tests/test_house.py ..." runs some of the tests only.
install-lowest:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "constraints-lowest.txt is for Python 3.11; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)"; exit 1; }
	test -d .venv-lowest || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints-lowest.txt -e '.[test]'

install-newest:
	test -d .venv-newest || $(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  --upgrade --upgrade-strategy eager -e '.[test]'

test-lowest: install-lowest
	.venv-lowest/bin/python -m pytest -n 2 --dist worksteal $(TESTS)

test-newest: install-newest
	.venv-newest/bin/python -m pytest -n 2 --dist worksteal $(TESTS)

clean:
	rm -rf .venv .venv-lowest .venv-newest results/quickstart

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "actlab needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/installed
