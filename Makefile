# Needs GNU make and Python 3.11 or newer; everything else goes into .venv/.
# pip's own configuration (an index mirror, a proxy) counts as it does anywhere.

PYTHON ?= python3
AIRFLOW ?= 3

LINES := 3 3.1 2.11
# The release that `make constraints` pins for each line.
RELEASE_3 := 3.3.2
RELEASE_3.1 := 3.1.8
RELEASE_2.11 := 2.11.2

ifeq ($(filter $(AIRFLOW),$(LINES)),)
$(error AIRFLOW=$(AIRFLOW) is not known here: say AIRFLOW=3, AIRFLOW=3.1 or AIRFLOW=2.11)
endif

# Of Airflow 3.1, what it does otherwise: metadata, form, commands, runs of the examples.
TESTS_3.1 := tests/test_imports.py tests/test_packaging.py tests/test_example_dags.py tests/test_example_syncs.py \
	tests/test_example_events.py

BIN := .venv/airflow-$(AIRFLOW)/bin
STAMP := .venv/airflow-$(AIRFLOW)/.installed
BIN_3 := .venv/airflow-3/bin
STAMP_3 := .venv/airflow-3/.installed
# Here the provider is installed from its wheel, as users install it.
SYSTEM := .venv/system-$(AIRFLOW)

# -qq: errors only. Warnings of pip are about the machine, not about this project.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input
CHECK_PYTHON := command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: PYTHON=python3.12 make ..." >&2; exit 1; }

.PHONY: help
help:
	@echo "make test          run the whole test suite on Airflow 3 (AIRFLOW=2.11 make test: on Airflow 2.11)"
	@echo "make test-all      run it on both, and a part of it on Airflow 3.1"
	@echo "make test-system   run the examples under a real scheduler, with the provider from its wheel (AIRFLOW=2.11 too);"
	@echo "                   on Airflow 3 with Celery as well, where PostgreSQL and Redis run"
	@echo "make screenshots   take the pictures in README anew, by the tests of Airflow's pages in Chromium"
	@echo "make lint          check style, format, types and known vulnerabilities"
	@echo "make demo          update contacts of a local stand-in of Envoke from an SQLite warehouse, by Airflow"
	@echo "make airflow       play: Airflow with the example DAGs, a warehouse and that stand-in, until Ctrl-C"
	@echo "make sandbox       start that stand-in on http://127.0.0.1:8025, until Ctrl-C"
	@echo "make venv          make the environment .venv/airflow-3 that all of these use (they do it themselves)"
	@echo "make constraints   resolve the pinned versions in constraints/ anew, on Python 3.11"
	@echo "make clean         remove .venv and what the tools left behind"

.PHONY: venv
venv: $(STAMP)

# Rebuilt when what is to be installed has changed; the project itself is installed in editable mode.
.venv/airflow-%/.installed: pyproject.toml constraints/airflow-%.txt
	@$(CHECK_PYTHON)
	@echo "Installing Airflow $* into .venv/airflow-$* (a minute or two)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP_INSTALL) -c constraints/airflow-$*.txt -e '.[dev]'
	@touch $@

.PHONY: test
test: $(STAMP)
	@echo "Testing on Airflow $(AIRFLOW)"
	@$(BIN)/python -m pytest $(or $(PYTEST_ARGS),$(TESTS_$(AIRFLOW)))

.PHONY: test-all
test-all:
	@for line in $(LINES); do $(MAKE) --no-print-directory test AIRFLOW=$$line || exit 1; done

.venv/system-%/.installed: pyproject.toml constraints/airflow-%.txt
	@$(CHECK_PYTHON)
	@echo "Installing Airflow $* into .venv/system-$* (a minute or two)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP_INSTALL) -c constraints/airflow-$*.txt '.[dev]'
	@touch $@

# -P: the tests' own process, too, has the provider from the wheel and not from this directory.
.PHONY: test-system
test-system: $(SYSTEM)/.installed
	@echo "Building the wheel, and testing it under Airflow $(AIRFLOW)"
	@rm -rf $(SYSTEM)/wheel
	@$(SYSTEM)/bin/python -m build --wheel --no-isolation --outdir $(SYSTEM)/wheel . >$(SYSTEM)/build.log 2>&1 \
		|| { cat $(SYSTEM)/build.log; exit 1; }
	@$(SYSTEM)/bin/python $(PIP_INSTALL) --no-deps --force-reinstall $(SYSTEM)/wheel/*.whl
	@$(SYSTEM)/bin/python -P -m pytest $(or $(PYTEST_ARGS),tests/system)

# The tests that write them are the tests of Airflow's pages; Chromium has to be there.
.PHONY: screenshots
screenshots:
	@SCREENSHOTS=docs/images $(MAKE) --no-print-directory test-system AIRFLOW=3 PYTEST_ARGS=tests/system/test_browser.py

.PHONY: lint
lint: $(STAMP_3)
	@echo "Checking style (ruff check)"
	@$(BIN_3)/ruff check .
	@echo "Checking format (ruff format)"
	@$(BIN_3)/ruff format --check .
	@echo "Checking the pinned versions for known vulnerabilities (pip-audit)"
	@$(BIN_3)/python .ci/audit $(LINES:%=constraints/airflow-%.txt)
	@echo "Checking types (mypy --strict)"
	@$(BIN_3)/mypy

# -B: nothing is left behind outside of .venv, not even compiled Python.
.PHONY: demo
demo: $(STAMP)
	@$(BIN)/python -B -m demo

.PHONY: airflow
airflow: $(STAMP)
	@$(BIN)/python -B -m demo.play

.PHONY: sandbox
sandbox: $(STAMP)
	@$(BIN)/python -m airflow_provider_envoke.sandbox --port 8025

# After a change of the dependencies, or to take newer releases: resolves without constraints in a fresh
# environment, tests nothing. Use Python 3.11, the oldest one supported, so that the pins exist for all.
.PHONY: constraints
constraints:
	@$(CHECK_PYTHON)
	@for pin in $(foreach line,$(LINES),$(line)=$(RELEASE_$(line))); do \
		line=$${pin%%=*} release=$${pin#*=}; \
		echo "Resolving Airflow $$release for constraints/airflow-$$line.txt"; \
		rm -rf .venv/fresh && $(PYTHON) -m venv .venv/fresh \
		&& .venv/fresh/bin/python $(PIP_INSTALL) apache-airflow==$$release -e '.[dev]' \
		&& { echo "# Made by 'make constraints': what the tests of this line run with."; \
			.venv/fresh/bin/python -m pip freeze --disable-pip-version-check --exclude-editable; } \
			> .venv/fresh/constraints.txt \
		&& mv .venv/fresh/constraints.txt constraints/airflow-$$line.txt && rm -rf .venv/fresh || exit 1; \
	done

.PHONY: clean
clean:
	@echo "Removing .venv, caches and builds"
	@rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
