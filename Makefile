# make run, make test: the two commands of the README. Options go in ARGS: make run ARGS="--port 8080 --no-demo"
PYTHON ?= python3
ARGS ?=

# Builds .venv from the hash-checked lock where that is needed, then runs .venv/bin/python with the words after.
LOCAL = $(PYTHON) dtm_ops/embedded/bootstrap.py local
TEST = $(PYTHON) dtm_ops/embedded/bootstrap.py test
DEV = $(PYTHON) dtm_ops/embedded/bootstrap.py dev

.PHONY: run test check bench lock messages clean

run: ## Everything on this machine, until Ctrl-C
	@exec $(LOCAL) manage.py up $(ARGS)

test: ## The whole suite on real PostgreSQL and Valkey
	@exec $(TEST) -m pytest $(ARGS)

check: ## Style, directions, types, migrations, production settings, translations
	$(DEV) -m ruff check .
	@$(DEV) -m ruff format --check .
	@$(DEV) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
	@$(DEV) -m mypy .
	@$(DEV) manage.py makemigrations --check --dry-run
	@env $$(grep -v '^#' .ci/production.env) $(DEV) manage.py check --deploy --fail-level WARNING
	@$(DEV) manage.py translations check
	@bash -n .ci/run

bench: ## Our times against a yardstick, as ratios
	@exec $(DEV) -m tests.benchmarks $(ARGS)

lock: ## requirements/*.txt from requirements/*.in, with hashes; ARGS=--upgrade for newer versions
	@cd requirements && for name in base local production test dev; do \
	  ../.venv/bin/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url $$name.in -o $$name.txt $(ARGS) || exit 1; \
	done

messages: ## New texts into the catalogues of Russian and Kazakh
	@$(DEV) manage.py translations update

clean: ## What can be built again; never the data in var/
	rm -rf .venv staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
