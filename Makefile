# Only Python 3.11+ and make are needed: every target sets up what it uses, once.
# Recipes use paths relative to this directory, so the checkout may live anywhere, spaces included.
# Written for GNU make 3.81, the one macOS ships.

.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

PYTHON ?= python3
STORE ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --no-input -q install
# Every distribution is pinned, checked against its hash, and a wheel.
PIP_LOCKED := $(PIP_INSTALL) --require-hashes --only-binary :all:

# Exits 0 if the interpreter in $$python is new enough.
NEW_ENOUGH := "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null

.PHONY: help
help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  PYTHON=...       interpreter to make .venv with (3.11 or newer; default: python3)'
	@echo '  STORE=neo4j      demo: on a Neo4j, the one that LINEAGE_STORE names or one of its own'
	@echo '  PYTEST_ARGS=...  test: more arguments for pytest, e.g. PYTEST_ARGS="-k ledger"'

.PHONY: demo
demo: $(VENV)/.demo $(VENV)/.editable ## train, capture, ask and reproduce, end to end
	@$(BIN)/python -m demo $(if $(STORE),--store '$(STORE)')

.PHONY: test
test: $(VENV)/.dev $(VENV)/.editable ## run the test suite
	@echo '==> pytest'
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -q $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/.dev $(VENV)/.editable ## run ruff, mypy and the layer contract, all of them
	@failed=; \
	run() { echo "==> $$*"; "$$@" || failed=yes; }; \
	run $(BIN)/python -m ruff check; \
	run $(BIN)/python -m ruff format --check; \
	run $(BIN)/python -m mypy $(wildcard lineage tests demo); \
	run $(BIN)/lint-imports --no-logo; \
	if [ -n "$$failed" ]; then echo 'lint: see the findings above' >&2; exit 1; fi

.PHONY: bench
bench: $(VENV)/.dev $(VENV)/.editable ## measure, and print a table
	@$(BIN)/python -m tests.bench

.PHONY: clean
clean: ## remove .venv and every cache (never a store)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------
# One stamp per step, newer than what the step read. A moved or copied checkout starts again,
# because a virtual environment holds absolute paths.

ifneq ($(shell cat $(VENV)/.created 2>/dev/null),$(CURDIR))
$(VENV)/.created: FORCE
endif
FORCE:

$(VENV)/.created:
	@found=; \
	for python in '$(PYTHON)' $(if $(filter file default,$(origin PYTHON)),python3.14 python3.13 python3.12 python3.11); do \
	  if $(NEW_ENOUGH); then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  has=$$('$(PYTHON)' --version 2>/dev/null) || has='not there'; \
	  echo "lineage needs Python 3.11 or newer; '$(PYTHON)' is $$has." >&2; \
	  echo 'Install one, or name it: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; \
	fi; \
	echo "==> creating $(VENV) with $$("$$found" --version)"; \
	rm -rf $(VENV); \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$$found -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@printf '%s\n' '$(subst ','\'',$(CURDIR))' > $@

$(VENV)/.build: requirements/build.txt $(VENV)/.created
	@echo '==> installing the build tools'
	@$(PIP_LOCKED) -r requirements/build.txt
	@touch $@

$(VENV)/.demo: requirements/demo.txt $(VENV)/.build
	@echo '==> installing what the service and the demo need (requirements/demo.txt)'
	@$(PIP_LOCKED) -r requirements/demo.txt
	@touch $@

# Holds everything demo.txt holds, at the same versions.
$(VENV)/.dev: requirements/dev.txt $(VENV)/.build
	@echo '==> installing what the service, the demo and the tests need (requirements/dev.txt)'
	@$(PIP_LOCKED) -r requirements/dev.txt
	@touch $(VENV)/.demo $@

$(VENV)/.editable: pyproject.toml $(VENV)/.build
	@echo '==> installing lineage itself, editable'
	@$(PIP_INSTALL) --no-build-isolation --no-deps -e .
	@touch $@
