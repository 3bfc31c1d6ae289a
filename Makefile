# Two commands for everybody: `make demo` and `make test`. Each does its own set-up first.
SHELL := /bin/sh
# Every hacore that a test starts would compile it all anew.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q
# A test that fails fails the run, also where it passes when it is run again: that only classifies it.
RUN_TESTS := $(BIN)/python scripts/run_tests.py
# What decides and what is written: which of their branches do the unit tests take?
COVERED := plan journal walk store

.PHONY: help demo quickstart test check lint types unit machine schedules soak canaries mutants twins both bench docs site dist setup system clean

help:
	@echo "make demo    run the whole life of the nginx + keepalived pair on two twins"
	@echo "make test    run all tests: check, then machine, schedules, and twins (root, Linux)"
	@echo "make check   run lint, types, import rules, and the tests that need no root and are safe on any machine"
	@echo "make soak    run ten thousand runs that are killed at random moments, for hours (SCHEDULES=100000: more)"
	@echo "make docs    generate the references in docs/, and the manual pages and completion files in share/"
	@echo "make site    build the documentation as a site into site/, and check it"
	@echo "make dist    build the sdist and the wheel, and check them with each Python of PATH"
	@echo "make clean   delete the virtual environment and caches"

# -- set-up -----------------------------------------------------------------------------------------
setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cannot go on: Python 3.11 or newer is needed" >&2; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV) || { ./scripts/setup-system && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints-dev.txt -e '.[dev]'
	@touch $@

system:
	@./scripts/setup-system

# -- the two commands -------------------------------------------------------------------------------
demo:
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then \
	  $(MAKE) --no-print-directory system setup && $(BIN)/python scripts/demo.py; \
	else \
	  echo "the demo of the pair requires root on Linux, for its twins: running the quickstart on this machine instead"; \
	  $(MAKE) --no-print-directory setup quickstart; \
	fi

quickstart: setup
	@$(BIN)/hacore apply --auto-approve stacks/quickstart
	@$(BIN)/hacore plan stacks/quickstart
	@$(BIN)/hacore destroy --auto-approve stacks/quickstart

test:
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory system; fi
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory machine
	@$(MAKE) --no-print-directory both

# Twins wait more than they compute: the schedules take what is left of the processors, and tell afterwards.
both: setup
	@if [ "$${HACORE_NO_TWINS:-}" = 1 ] || [ "$$(id -u)" != 0 ] || ! command -v systemd-nspawn >/dev/null; then \
	  $(MAKE) --no-print-directory schedules && $(MAKE) --no-print-directory twins; \
	else \
	  log=$$(mktemp); setsid ./scripts/aside $(MAKE) --no-print-directory schedules >"$$log" 2>&1 & pid=$$!; \
	  trap 'kill -- "-$$pid" 2>/dev/null; rm -f "$$log"' EXIT; trap 'exit 130' INT TERM HUP; \
	  twins=0; $(MAKE) --no-print-directory twins || twins=$$?; \
	  schedules=0; wait "$$pid" || schedules=$$?; cat "$$log"; \
	  [ "$$twins" = 0 ] && [ "$$schedules" = 0 ]; \
	fi

# -- parts ------------------------------------------------------------------------------------------
check: setup lint types unit

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@found=$$($(BIN)/lint-imports --no-cache 2>&1) && echo "$$found" | sed -n '$$p' || { echo "$$found"; exit 1; }

types: setup
	@$(BIN)/mypy

unit: setup
	@HACORE_NO_TWINS=1 $(RUN_TESTS) -n auto --dist loadfile -m 'not twins and not machine and not site' --cov --cov-report=
	@echo "branches taken by these tests:"
	@for part in $(COVERED); do \
	  printf '  hacore/%-8s %s%%\n' $$part "$$($(BIN)/coverage report --include="hacore/$$part/*" --format=total)"; \
	done

# Many sshds of its own; connections, disks and processes that break; users of its own: longer, and mostly as root.
machine: setup
	@HACORE_NO_TWINS=1 $(RUN_TESTS) -n auto --dist loadfile -m machine

# A thousand runs that are killed at random moments; a failure names its seed: HACORE_SEED=n repeats it.
SCHEDULES ?= 1000
SEEDS_FROM ?= 0
HISTORIES ?= 8
SELECTIONS ?= 20
schedules: setup
	@echo "$(SCHEDULES) runs are killed at random moments, from seed $(SEEDS_FROM)"
	@HACORE_SCHEDULES=$(SCHEDULES) HACORE_SEEDS_FROM=$(SEEDS_FROM) HACORE_HISTORIES=$(HISTORIES) HACORE_SELECTIONS=$(SELECTIONS) $(PYTEST) \
	  -p no:cacheprovider -n auto --dist worksteal $(addprefix tests/engine/test_,schedules.py histories.py targets_random.py adopted_random.py)

# Hours rather than minutes, and other seeds each day: for a night, or before a release. SCHEDULES=100000 asks for more.
soak: SCHEDULES = 10000
soak: HISTORIES = 200
soak: SELECTIONS = 400
soak: SEEDS_FROM := $(if $(filter 0,$(SEEDS_FROM)),$(shell date +%Y%m%d)00000,$(SEEDS_FROM))
soak: schedules canaries
	@HACORE_QUIET_MACHINE=1 HACORE_DRILL_KILLS=20 $(PYTEST) -n 0 -m twins tests/hosts/test_rehearse.py tests/hosts/test_drill.py tests/hosts/test_shapes.py
	@HACORE_FUZZ=200 $(PYTEST) -n 0 --timeout 7200 tests/providers/keepalived/test_read.py
	@HACORE_ATTACKS=5000 $(PYTEST) -n 0 tests/providers/test_attacker.py

# Stacks with secrets, drawn at random: nothing that a run leaves or prints may have one of them.
# Each commit has seeds of its own: CANARY_SEED=n repeats those that it printed.
CANARIES ?= 500
CANARY_SEED ?= $(shell printf '%d' 0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1))
canaries: setup
	@echo "stacks with secrets: seeds $(CANARY_SEED) to $$(($(CANARY_SEED) + $(CANARIES) - 1)) in memory, \
	the first $$(($(CANARIES) / 10)) of them on this machine"
	@HACORE_CANARIES=$(CANARIES) HACORE_SEED=$(CANARY_SEED) $(PYTEST) -n auto --dist loadgroup \
	  tests/cli/test_canaries_memory.py tests/cli/test_canaries.py

# Single faults, planted one at a time; which of them the tests of their own package catch. PACKAGES="plan engine" has
# those packages only.
SEED ?= 1
SAMPLE ?= 100
PACKAGES ?=
mutants: setup
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints-dev.txt -e '.[mutants]'
	@$(BIN)/python scripts/mutants.py --seed $(SEED) --sample $(SAMPLE) $(PACKAGES)

twins: setup
	@if [ "$${HACORE_NO_TWINS:-}" = 1 ]; then \
	  echo "TWINS NOT RUN"; \
	elif [ "$$(uname -s)" != Linux ] || [ "$$(id -u)" != 0 ] || ! command -v systemd-nspawn >/dev/null; then \
	  echo "twins need root on Linux and systemd-nspawn; HACORE_NO_TWINS=1 accepts going without"; \
	  echo "TWINS NOT RUN"; exit 1; \
	else \
	  $(RUN_TESTS) -m twins -n 3 --dist loadfile --no-loadscope-reorder --durations=25; \
	fi

docs: setup
	@$(BIN)/python scripts/stack-reference.py >docs/stack-reference.md
	@$(BIN)/python scripts/provider-reference.py >docs/provider-reference.md
	@$(BIN)/python scripts/rules.py >docs/rules.md
	@$(BIN)/python scripts/command-reference.py >docs/command-reference.md
	@$(BIN)/python scripts/error-reference.py >docs/errors.md
	@rm -rf share && $(BIN)/python scripts/man_pages.py . >/dev/null

# The documentation as a site, in site/: built without a warning, each link followed, each page opened in a browser.
site: setup
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints-dev.txt -e '.[site]'
	@$(BIN)/python scripts/build_site.py
	@$(PYTEST) -n 0 -m site tests/site

# PYTHONS="python3.11 /opt/python3.13/bin/python3" checks the wheel with these.
PYTHONS ?=
dist: setup
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints-dev.txt -e '.[dist]'
	@$(BIN)/python scripts/dist.py $(PYTHONS)

bench: setup
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build site
