# make run: from an empty machine to ranked stocks.   make test: every test.   make help: the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
PORT ?= 3000
MLFLOW_PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help install run ui mlflow test chaos lint bench clean

help:  ## show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(VENV)/.installed  ## make the virtual environment with the locked dependencies

run: install  ## run the full pipeline once on the embedded sample, or with ARGS='--source files --path my.csv'
	@$(BIN)/stock-pipeline run $(ARGS)

ui: install  ## the web UI and the daemon with every schedule and sensor, on http://127.0.0.1:3000 (PORT=...)
	@$(BIN)/stock-pipeline ui --port $(PORT)

mlflow: install  ## every training in MLflow, on http://127.0.0.1:5000 (MLFLOW_PORT=...)
	@$(BIN)/stock-pipeline mlflow --port $(MLFLOW_PORT)

# A file's tests stay in one process, for they share what takes long to make. Those that start a daemon come after the others.
test: install  ## every test, two files at a time (JOBS=...)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not live and not browser and not chaos"
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "(live or browser) and not chaos"

chaos: install  ## a data directory through many kills of whole commands and of the daemon, full disks, lost and damaged files
	@$(BIN)/python -m pytest -m chaos

lint: install  ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: install  ## every benchmark, or NAME=run alone, on a panel of yours with DATA=path; quality also takes MEMBERS and RENAMES
	@$(BIN)/python -m benchmarks $(NAME) $(if $(DATA),--data $(DATA)) $(if $(MEMBERS),--members $(MEMBERS)) $(if $(RENAMES),--renames $(RENAMES))

clean:  ## remove the virtual environment and the caches, never the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
