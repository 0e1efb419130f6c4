# make run   - serve the register at http://127.0.0.1:8000/ (PORT=8001 for another port)
# make test  - the tests but the slow ones, on SQLite or on DATABASE_URL;  make test-all - all of them
# make check - linters, types, import rules, migrations
# make bench - measure speed on made-up registers
# make golden - accept what every public answer is now
# make lock  - renew the lock files;  make vendor - rebuild the vendored style sheet
.PHONY: run test test-all check bench golden lock vendor format
.DEFAULT_GOAL := run

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
export PORT
# Compiled code is kept: each worker of the tests would compile all of it again.
export PYTHONDONTWRITEBYTECODE :=

run: .venv/base
	@$(BIN)/python manage.py serve

test: .venv/dev
	$(BIN)/pytest -n auto --dist worksteal -m "not slow" $(ARGS)

test-all: .venv/dev
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --cache-dir=/dev/null .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --check --lint
	$(BIN)/python manage.py makemigrations --check --dry-run
	MOCTRACKER_HOSTS=example.org MOCTRACKER_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint templates --reformat --quiet

bench: .venv/dev
	$(BIN)/python -m tests.bench $(ARGS)

golden: .venv/dev
	$(BIN)/python -m tests.golden $(ARGS)

lock: .venv/dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--output-file requirements/base.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--constraint requirements/base.txt --group dev --output-file requirements/dev.txt pyproject.toml

vendor:
	agreements/static/agreements/vendor/build.sh

.venv/python:
	@test -n "$(PYTHON)" || { echo "moctracker needs Python 3.11 or newer, and none was found on the PATH."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python cannot make a virtual environment here; on Debian install python3-venv."; exit 1; }
	@touch $@

.venv/base: requirements/base.txt | .venv/python
	@echo "Installing what moctracker needs ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.venv/dev: requirements/dev.txt | .venv/base
	@echo "Installing what the tests need ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
