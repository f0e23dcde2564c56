# Two commands for a newcomer: `make demo` and `make test`. Both do their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WEB := src/azureml_replay/report_page/web
PAGE := src/azureml_replay/report_page/bundle/made-from

.PHONY: setup setup-tests browser postgres demo test test-all sweep bench docs lint types clean

setup: $(STAMP) $(PAGE) browser

$(PAGE): $(WEB)/package.json $(WEB)/package-lock.json $(WEB)/build.mjs $(wildcard $(WEB)/src/*) | $(STAMP)
	$(BIN)/python packaging/bundle_page.py
	@touch $@

# The report's tests need a browser; without one they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no chromium here: the tests of the report will be skipped (Debian: apt-get install chromium)"

# Some of the slow tests need it; without it they are skipped, and say so.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { test "$$(id -u)" = 0 \
	  && command -v apt-get >/dev/null && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
	  || echo "no PostgreSQL here: tests of MLflow on it will be skipped (Debian: apt-get install postgresql)"

$(STAMP): pyproject.toml constraints.txt src/azureml_sandbox/storage/azurite/package.json
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip==26.3  # 23.2 fails to resolve azure-ai-ml's telemetry pins
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sandbox,dev]'
	$(BIN)/azureml-sandbox install
	touch $(STAMP)

# Environments of the tests' own: old clients of Microsoft's, and MLflow's server, want other versions than ours. Without
# one its tests are skipped, and say so.
setup-tests: setup
	@cd tests && ../$(BIN)/python -c "from e2e import old_sdk; old_sdk.installed()" || true
	@cd tests && ../$(BIN)/python -c "from e2e import mlflow_window; mlflow_window.installed()" || true

demo: setup
	$(BIN)/azureml-sandbox demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy
	$(BIN)/mypy --platform win32
	$(BIN)/python packaging/bundle_page.py --types

# A compiled file is written once, whatever the shell says: else each of some thousand processes compiles the code anew.
test test-all sweep: export PYTHONDONTWRITEBYTECODE =

# Three processes on two cores: much of the time each waits, for a clock or for processes that it started.
test: lint types setup-tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# With an eighth of the sweep, another one each day; pytest says which, and AZUREML_REPLAY_SWEEP_PART=N names one.
# Beyond `make test` there are a few long ones in few files, so processes take single tests from each other.
test-all: test postgres
	$(BIN)/python -m pytest -m "(slow and not sweep) or sampled" --numprocesses 3 --dist worksteal

# Processes that are started, stopped and killed at random moments, fifty times: about half an hour.
sweep: setup
	$(BIN)/python -m pytest -m sweep

# Small sizes, about ten minutes; each script takes others: `python -m benchmarks.verbs --help`.
bench: setup
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/sphinx-build --fail-on-warning --quiet docs docs/_build/html

clean:
	rm -rf $(VENV) sandbox docs/_build
