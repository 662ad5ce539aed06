# Needs GNU make and Python 3.11 or newer. Everything else is installed into .venv/.
# pip uses its normal configuration, such as an index mirror or a proxy.

PYTHON ?= python3
AIRFLOW ?= 3

LINES := 3 3.1 2.11
# The release that `make constraints` pins for each line.
RELEASE_3 := 3.3.2
RELEASE_3.1 := 3.1.8
RELEASE_2.11 := 2.11.2

ifeq ($(filter $(AIRFLOW),$(LINES)),)
$(error AIRFLOW=$(AIRFLOW) is not supported: use AIRFLOW=3, AIRFLOW=3.1 or AIRFLOW=2.11)
endif

# On Airflow 3.1, only what differs there is tested: metadata, form, commands, runs of the examples.
TESTS_3.1 := tests/test_imports.py tests/test_packaging.py tests/test_provider_info.py tests/examples/test_parsing.py \
	tests/examples/test_updates.py tests/examples/test_syncs.py tests/examples/test_events.py

BIN := .venv/airflow-$(AIRFLOW)/bin
STAMP := .venv/airflow-$(AIRFLOW)/.installed
BIN_3 := .venv/airflow-3/bin
STAMP_3 := .venv/airflow-3/.installed
# In this environment the provider is installed from its wheel, as users install it.
SYSTEM := .venv/system-$(AIRFLOW)

# uv installs what only CI tests: versions other than the pinned ones.
UV := .venv/uv/bin/uv
UV_INSTALL = $(UV) pip install --quiet --python $(@D)/bin/python

# -qq: errors only. pip's warnings are about the machine, not about this project.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input
CHECK_PYTHON := command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed, but $(PYTHON) is older or missing: PYTHON=python3.12 make ..." >&2; exit 1; }

.PHONY: help
help:
	@echo "make test          run the whole test suite on Airflow 3 (AIRFLOW=2.11 make test: on Airflow 2.11)"
	@echo "make test-all      run it on Airflow 3 and 2.11, and a part of it on 3.1"
	@echo "make test-lowest   run it on the lowest versions that pyproject.toml allows"
	@echo "make test-newest   run it on the newest versions of everything"
	@echo "make test-official run it with Airflow's official constraints (also AIRFLOW=2.11), if they can be downloaded"
	@echo "make test-warehouses"
	@echo "                   run the tests with all databases, if Debian's default-libmysqlclient-dev is installed"
	@echo "make test-system   run the examples under a real scheduler, with the provider from its wheel (also AIRFLOW=2.11);"
	@echo "                   on Airflow 3 also with Celery, if PostgreSQL and Redis are running"
	@echo "make messages      record the messages that people read in tests/messages.txt, for review in its diff"
	@echo "make screenshots   take the pictures of README again, with the tests of Airflow's pages in Chromium"
	@echo "make lint          check style, format, types and known vulnerabilities"
	@echo "make demo          sync an SQLite warehouse with a local sandbox of Envoke, by Airflow"
	@echo "make airflow       run Airflow with the example DAGs, a warehouse and that sandbox, until Ctrl-C"
	@echo "make sandbox       start that sandbox on http://127.0.0.1:8025, until Ctrl-C"
	@echo "make venv          create the environment .venv/airflow-3 (the other targets create it when they need it)"
	@echo "make constraints   resolve the pinned versions in constraints/ again, with Python 3.11"
	@echo "make clean         remove .venv, caches and builds"

.PHONY: venv
venv: $(STAMP)

# Rebuilt when the dependencies change. The project itself is installed in editable mode.
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

$(UV):
	@$(CHECK_PYTHON)
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/python $(PIP_INSTALL) uv

# The tools of the tests, too, may not change the versions that pyproject.toml names.
.venv/lowest/.installed: pyproject.toml .ci/lowest | $(UV)
	@$(CHECK_PYTHON)
	@echo "Installing the lowest versions that pyproject.toml allows into .venv/lowest"
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" $(@D)
	@$(PYTHON) .ci/lowest > $(@D)/lowest.txt
	@$(UV_INSTALL) --resolution lowest-direct --constraint $(@D)/lowest.txt --editable .
	@$(UV_INSTALL) --constraint $(@D)/lowest.txt --editable '.[dev]'
	@touch $@

.PHONY: test-lowest
test-lowest: .venv/lowest/.installed
	@echo "Testing on the lowest versions that pyproject.toml allows"
	@.venv/lowest/bin/python -m pytest $(PYTEST_ARGS)

# Not kept: tomorrow, other versions are the newest.
.PHONY: .venv/newest/.installed
.venv/newest/.installed: | $(UV)
	@$(CHECK_PYTHON)
	@echo "Installing the newest versions into .venv/newest"
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" $(@D)
	@$(UV_INSTALL) --editable '.[dev]'

.PHONY: test-newest
test-newest: .venv/newest/.installed
	@echo "Testing on the newest versions of everything"
	@.venv/newest/bin/python -m pytest $(PYTEST_ARGS)

.PHONY: test-official
test-official: | $(UV)
	@$(CHECK_PYTHON)
	@$(PYTHON) .ci/official $(RELEASE_$(AIRFLOW)) $(UV) .venv/official-$(AIRFLOW) $(PYTEST_ARGS)

.venv/warehouses/.installed: pyproject.toml constraints/warehouses.txt | $(UV)
	@$(CHECK_PYTHON)
	@echo "Installing Airflow 3 and its providers of databases into .venv/warehouses (2 GB)"
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" $(@D)
	@$(UV_INSTALL) --constraint constraints/warehouses.txt --editable '.[dev,warehouses]'
	@touch $@

.PHONY: test-warehouses
test-warehouses: .venv/warehouses/.installed
	@echo "Testing with the databases in docs/warehouses.md"
	@ENVOKE_WAREHOUSES=required .venv/warehouses/bin/python -m pytest $(or $(PYTEST_ARGS),tests/warehouses)

.venv/system-%/.installed: pyproject.toml constraints/airflow-%.txt
	@$(CHECK_PYTHON)
	@echo "Installing Airflow $* into .venv/system-$* (a minute or two)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP_INSTALL) -c constraints/airflow-$*.txt '.[dev]'
	@touch $@

# -P: the tests, too, import the provider from the wheel and not from this directory.
.PHONY: test-system
test-system: $(SYSTEM)/.installed
	@echo "Building the wheel, and testing it under Airflow $(AIRFLOW)"
	@rm -rf $(SYSTEM)/wheel
	@$(SYSTEM)/bin/python -m build --wheel --no-isolation --outdir $(SYSTEM)/wheel . >$(SYSTEM)/build.log 2>&1 \
		|| { cat $(SYSTEM)/build.log; exit 1; }
	@$(SYSTEM)/bin/python $(PIP_INSTALL) --no-deps --force-reinstall $(SYSTEM)/wheel/*.whl
	@$(SYSTEM)/bin/python -P -m pytest $(or $(PYTEST_ARGS),tests/system)

# Runs the tests that check messages; they write the snapshot instead of comparing with it.
.PHONY: messages
messages: $(STAMP_3)
	@$(BIN_3)/python -m pytest -q --record-messages $(PYTEST_ARGS)

# The tests of Airflow's pages take the pictures. They need Chromium.
.PHONY: screenshots
screenshots:
	@SCREENSHOTS=docs/images $(MAKE) --no-print-directory test-system AIRFLOW=3 PYTEST_ARGS="tests/system/test_browser.py tests/sandbox/test_page_in_browser.py"

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

# -B: write no compiled Python, so that nothing is left outside of .venv.
.PHONY: demo
demo: $(STAMP)
	@$(BIN)/python -B -m demo

.PHONY: airflow
airflow: $(STAMP)
	@$(BIN)/python -B -m demo.run_airflow

.PHONY: sandbox
sandbox: $(STAMP)
	@$(BIN)/python -m airflow_provider_envoke.sandbox --port 8025

# Run this after the dependencies change, or to update the pins. It resolves them in a new environment, without
# constraints, and runs no tests. Use Python 3.11, the oldest supported version, so that the pins work with all.
.PHONY: constraints
constraints: | $(UV)
	@$(CHECK_PYTHON)
	@for pin in $(foreach line,$(LINES),$(line)=$(RELEASE_$(line))); do \
		line=$${pin%%=*} release=$${pin#*=}; \
		echo "Resolving Airflow $$release for constraints/airflow-$$line.txt"; \
		rm -rf .venv/fresh && $(PYTHON) -m venv .venv/fresh \
		&& .venv/fresh/bin/python $(PIP_INSTALL) apache-airflow==$$release -e '.[dev]' \
		&& { echo "# Made by 'make constraints': the versions that the tests of this line use."; \
			.venv/fresh/bin/python -m pip freeze --disable-pip-version-check --exclude-editable; } \
			> .venv/fresh/constraints.txt \
		&& mv .venv/fresh/constraints.txt constraints/airflow-$$line.txt && rm -rf .venv/fresh || exit 1; \
	done
	@echo "Resolving the providers of databases for constraints/warehouses.txt"
	@$(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" .venv/fresh
	@$(UV) pip install --quiet --python .venv/fresh/bin/python apache-airflow==$(RELEASE_3) \
		--editable '.[dev,warehouses]'
	@{ echo "# Made by 'make constraints': the versions that the tests of the databases use."; \
		$(UV) pip freeze --quiet --python .venv/fresh/bin/python --exclude-editable; } > constraints/warehouses.txt
	@rm -rf .venv/fresh

.PHONY: clean
clean:
	@echo "Removing .venv, caches and builds"
	@rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
