# Gatehouse: `make` lists the commands. Needs Python 3.11 or newer and make; all else it gets itself.

PYTHON ?= python3
PYTEST_ARGS ?=
LOCK_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --require-hashes
NODE_STAMP := tests/node_modules/.package-lock.json
EDITORS_STAMP := tests/editors/node_modules/.package-lock.json
PAGE := frontend/dist/index.html
PAGE_MODULES := frontend/node_modules/.package-lock.json
PAGE_SOURCES := $(shell find frontend/src frontend/public) \
	$(addprefix frontend/,index.html package.json package-lock.json vite.config.ts tsconfig.json)
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet $(LOCK_ARGS)
LOCK := $(COMPILE) pyproject.toml

# Options of `make torture`, where they are given on the command line: SECONDS is also a variable of bash.
TORTURE_ARGS = $(foreach name,seconds processes clients rooms users write-ms growth-mib seed,$(call \
	torture_option,$(name),$(shell echo $(name) | tr a-z- A-Z_)))
FUZZ_ARGS = $(foreach name,seconds seed,$(call torture_option,$(name),$(shell echo $(name) | tr a-z- A-Z_)))
torture_option = $(if $(filter command line,$(origin $(2))),--$(1) $($(2)))

# What `check --deploy` looks at: the settings of a production server.
PRODUCTION = DEBUG=0 ALLOWED_HOSTS=gatehouse.example ALLOWED_ORIGINS=https://gatehouse.example \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')"

.DELETE_ON_ERROR:
.PHONY: help run frontend test screenshots test-editors torture fuzz bench check format lock clean

help:
	@echo "make run     set up, load the demo data, serve http://127.0.0.1:8000 (Ctrl-C ends it)"
	@echo "make frontend   build the page, if its sources changed; make run does it too"
	@echo "make test    set up, run every test; PYTEST_ARGS='-k name' passes options to pytest"
	@echo "make screenshots   take the pictures of the page in docs/images/ anew"
	@echo "make test-editors   the editors of docs/editors.md in Chromium: takes 300 MB of packages, and a minute"
	@echo "make torture break everything at random while clients write; SECONDS=120 PROCESSES=3 CLIENTS=40 SEED=7"
	@echo "make fuzz    random bytes for the codec, the gate, presence and live rooms; SECONDS=600 SEED=7"
	@echo "make bench   the same loads on Gatehouse and its peers, in turn; BENCH_ARGS='--quick' for a short try"
	@echo "make check   formatter, linter, types (the page's too), import layers, deployment settings, migrations, schema"
	@echo "make format  format the sources"
	@echo "make lock    write requirements/ from pyproject.toml; LOCK_ARGS=--upgrade takes newer versions"
	@echo "make clean   remove what the other commands made, except the data in var/"
	@echo "PYTHON=python3.12 after any of them uses that Python."

run: $(VENV)/base.stamp
	@$(MAKE) --no-print-directory frontend || \
		echo "The page could not be built (see above): the API serves without it. Then: make frontend" >&2
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py load_demo
	@exec $(BIN)/python manage.py serve

frontend: $(PAGE)

test: $(VENV)/dev.stamp services browser $(NODE_STAMP)
	@$(MAKE) --no-print-directory frontend || \
		echo "The page could not be built (see above): it can't be tested. Then: make frontend" >&2
	@$(BIN)/python -m tests.support.run $(PYTEST_ARGS)

screenshots: $(VENV)/dev.stamp services browser frontend
	@tests/support/install_missing.sh fonts-inter fonts-jetbrains-mono
	@$(BIN)/python -m tests.browser.screenshots

test-editors: $(VENV)/dev.stamp services browser $(NODE_STAMP) $(EDITORS_STAMP)
	@$(BIN)/python -m pytest tests/e2e/check_editors.py $(PYTEST_ARGS)

torture: $(VENV)/dev.stamp services $(NODE_STAMP)
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

# Guided by coverage where atheris has wheels (Linux x86-64); elsewhere changed inputs of the corpus.
fuzz: $(VENV)/fuzz.stamp
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

# BENCH_ARGS="--quick --server gatehouse --scenario fan-out-50": names and sizes; --help lists them.
bench: $(VENV)/dev.stamp services
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: $(VENV)/dev.stamp $(PAGE_MODULES)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@echo "manage.py check --deploy"
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	frontend/npm.sh run --silent check

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check uv
	$(LOCK) --output-file requirements/base.txt
	$(LOCK) --extra dev --constraint requirements/base.txt --output-file requirements/dev.txt
	$(LOCK) --extra fuzz --constraint requirements/base.txt --output-file requirements/fuzz.txt
	$(COMPILE) requirements/frontend.in --output-file requirements/frontend.txt

clean:
	rm -rf $(VENV) frontend/dist frontend/node_modules tests/node_modules tests/editors/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The virtual environment; pip is the last thing that venv puts into it.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Gatehouse needs Python 3.11 or newer; $(PYTHON) is not. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/support/install_missing.sh python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/base.stamp: requirements/base.txt | $(BIN)/pip
	@$(PIP_INSTALL) -r $< || { echo "The dependencies could not be installed (see above); then: make $(MAKECMDGOALS)" >&2; exit 1; }
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/base.stamp
	@$(PIP_INSTALL) -r $< || { echo "The dependencies could not be installed (see above); then: make $(MAKECMDGOALS)" >&2; exit 1; }
	@touch $@

$(PAGE_MODULES): frontend/package.json frontend/package-lock.json frontend/.npmrc | $(BIN)/pip
	@echo "frontend/npm.sh ci"
	@frontend/npm.sh ci --silent || { echo "npm could not get the packages of the page; \"frontend/npm.sh ci\" says why" >&2; exit 1; }
	@touch $@

$(PAGE): $(PAGE_SOURCES) $(PAGE_MODULES)
	frontend/npm.sh run --silent build

$(VENV)/fuzz.stamp: requirements/fuzz.txt $(VENV)/dev.stamp
	@$(PIP_INSTALL) -r $< || { echo "The dependencies could not be installed (see above); then: make $(MAKECMDGOALS)" >&2; exit 1; }
	@touch $@

# Tests whose service is missing are named at the end; with CI=true they fail.
.PHONY: services
services:
	@tests/support/install_missing.sh postgresql redis-server nodejs npm curl

.PHONY: browser
browser: services
	@tests/support/install_missing.sh chromium

# services comes first, because it may bring npm.
$(NODE_STAMP): tests/package.json tests/package-lock.json tests/.npmrc | services
	@if command -v npm >/dev/null; then cd tests && npm ci && touch node_modules/.package-lock.json; \
	else echo "npm is missing: the tests with real clients can't run"; fi

$(EDITORS_STAMP): tests/editors/package.json tests/editors/package-lock.json tests/editors/.npmrc | services
	cd tests/editors && npm ci && touch node_modules/.package-lock.json
