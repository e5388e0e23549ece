# make run, make test: the two commands of the README. Options go in ARGS: make run ARGS="--port 8080 --no-demo"
PYTHON ?= python3
ARGS ?=

# Builds .venv from the hash-checked lock where that is needed, then runs .venv/bin/python with the words after.
LOCAL = $(PYTHON) dtm_ops/embedded/bootstrap.py local
TEST = $(PYTHON) dtm_ops/embedded/bootstrap.py test
DEV = $(PYTHON) dtm_ops/embedded/bootstrap.py dev

CHECKS = check-style check-directions check-types check-migrations check-production check-translations check-scripts

.PHONY: run test check $(CHECKS) bench lock messages clean

run: ## Everything on this machine, until Ctrl-C
	@exec $(LOCAL) manage.py up $(ARGS)

# Two at work, each with a database and Valkey numbers of its own; servers of somebody else's (REDIS_URL) have too few.
test: ## The whole suite on real PostgreSQL and Valkey; ARGS instead of all of it, by one
	@exec $(TEST) -m pytest $(or $(ARGS),$(if $(REDIS_URL),,-n 2 --dist worksteal))

check: ## Style, directions, types, migrations, production settings, translations: all of them, also after a fault
	@$(DEV) -c ""
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

check-style:
	@$(DEV) -m ruff check .
	@$(DEV) -m ruff format --check .

check-directions:
	@$(DEV) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"

check-types:
	@$(DEV) -m mypy .

check-migrations:
	@$(DEV) manage.py makemigrations --check --dry-run

check-production:
	@env $$(grep -v '^#' .ci/production.env) $(DEV) manage.py check --deploy --fail-level WARNING

check-translations:
	@$(DEV) manage.py translations check

check-scripts:
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
