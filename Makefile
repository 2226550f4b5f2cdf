# Stepwell: every command a developer needs. `make` alone lists them.

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
CODE := app.py chalicelib infra tests
# Extra arguments, such as: make test ARGS="-k onboarding", or make keys ARGS="show event"
ARGS ?=
# The stage that infra, deploy, address, check-stage, keys and destroy work on.
STAGE ?= dev
# Deploying packages for Lambda, and so needs a Python that Lambda has; this file holds the way to it.
DEPLOY_READY := .venv-deploy/.python
# The end-to-end tests and the benchmark of cold starts deploy, too; where .venv has too old a Python they have an environment of their own.
E2E_VENV := .venv-e2e

# What a Python must bring along to make the environment. Version managers put commands on the path that exist
# but fail, so each candidate is run.
USABLE := import sys, venv, ensurepip, ssl; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev dev-reset test test-sdk check lint types template crash hostile audit e2e soak drill bench-engine bench-cost bench-cold bench-match bench-wait bench-flow \
  bench-scale bench-sdk load record-fixtures upgrade clean infra deploy address check-stage keys destroy

help: ## List these targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

dev: $(READY) ## Run everything on this machine: http://127.0.0.1:8288 (PORT=…, WORKERS=…, APPS=URL,URL)
	@$(PY) -m infra.local dev

dev-reset: $(READY) ## Forget the local cloud's state
	@$(PY) -m infra.local reset

test: $(READY) ## Run the tests (ARGS="-k name" for some)
	@$(PY) -m pytest -q -n auto -m "not sdk and not whole" $(ARGS)

test-sdk: $(READY) ## Apps on the published SDKs against `make dev` (ARGS="-k sleeping"); TypeScript where node is there
	@sh tests/sdk/typescript/install.sh
	@$(PY) -m pytest -q tests/sdk $(ARGS)

check: lint types template test ## Everything that must be green: format, lint, types, template, tests

lint: $(READY) ## Format and lint (ruff)
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .

types: $(READY) ## Types (mypy, strict)
	@$(PY) -m mypy $(CODE)

template: $(READY) ## The CloudFormation templates (cfn-lint)
	@$(VENV)/bin/cfn-lint infra/template.yaml infra/root.yaml && echo "infra/template.yaml, infra/root.yaml: no findings"

e2e: $(READY) ## Deploy into an emulated AWS, and see what must be true of it (ARGS="--only killed")
	@sh tests/e2e/run.sh $(PY) $(E2E_VENV) tests.e2e $(ARGS)

hostile: $(READY) ## Every hostile request, answer and message, not only those of the suite (a quarter of an hour)
	@$(PY) -m pytest -q -n auto -m "whole or not whole" tests/hostile tests/unit/hostile $(ARGS)

audit: $(READY) ## Known vulnerabilities of what is installed and deployed (asks osv.dev)
	@$(PY) -m infra.audit

crash: $(READY) ## Crash every scenario before and after each call to AWS, and in pairs (ARGS="--scenario steps", "--pairs 300 --seed 7")
	@$(PY) -m tests.faults.crash $(ARGS)
	@test -n "$(ARGS)" || $(PY) -m pytest -q -n auto -m whole tests/faults tests/contract

soak: $(READY) ## Try thousands of seeds of message faults, and random expressions and events (ARGS="--help")
	@$(PY) -m tests.soak $(ARGS)

load: $(READY) ## A burst and a steady stream on the local cloud: no loss, memory flat, cost (3 minutes; ARGS="--rate 20")
	@$(PY) -m tests.load $(ARGS)

record-fixtures: $(READY) ## Keep what this release stores, where its form is new (CONTRIBUTING.md)
	@$(PY) -m tests.fixtures.record
	@$(PY) -m tests.upgrade.record

upgrade: $(READY) ## Update from another release, and back to it, with its real code (FROM=COMMIT)
	@$(PY) -m tests.upgrade.against "$(FROM)"

drill: $(READY) ## The incident: thousands of runs, 250,000 waits, every message twice (a quarter of an hour; ARGS="--help")
	@$(PY) -m tests.drill $(ARGS)

bench-engine: $(READY) ## Print the engine's numbers: calls, write units, times
	@$(PY) -m tests.bench.engine

bench-wait: $(READY) ## Print how soon an event resumes a step among 1,000 to 250,000 waits (ARGS="--sizes 1000")
	@$(PY) -m tests.bench.wait $(ARGS)

bench-sdk: $(READY) ## Print what an app on the Python SDK sees of `make dev`: start, step, resume, throughput (ARGS="--help")
	@$(PY) -m tests.bench.sdk $(ARGS)

bench-flow: $(READY) ## Print what flow control costs, and how soon runs drain through a limit (ARGS="--runs 10000")
	@$(PY) -m tests.bench.flow $(ARGS)

bench-match: $(READY) ## Print what it costs to find a run among a million that wait (ARGS="--json", "--full")
	@$(PY) -m tests.bench.match $(ARGS)

bench-cost: $(READY) ## Print what a run and an idle month cost, by list prices
	@$(PY) -m tests.bench.cost

bench-scale: $(READY) ## Print where AWS's limits bite at 10 to 100,000 events a second, and the price of a month
	@$(PY) -m tests.bench.scale

bench-cold: $(READY) ## Print how soon a deployed handler is ready, and how large the package is
	@sh tests/e2e/run.sh $(PY) $(E2E_VENV) tests.bench.cold

infra: $(READY) ## Tables, queues, bus, alarms and keys of a stage in AWS (STAGE=dev)
	@$(PY) -m infra.deploy infra --stage "$(STAGE)" $(ARGS)

deploy: $(DEPLOY_READY) ## infra, then the functions, a check, a smoke event (STAGE=dev)
	@"$$(cat $(DEPLOY_READY))" -m infra.deploy deploy --stage "$(STAGE)" $(ARGS)

address: $(READY) ## The address without a path, which SDKs need: made if need be, and told (STAGE=dev)
	@$(PY) -m infra.deploy address --stage "$(STAGE)" $(ARGS)

check-stage: $(READY) ## What AWS has of a stage, what is wrong and what mends it (STAGE=dev)
	@$(PY) -m infra.deploy check --stage "$(STAGE)" $(ARGS)

keys: $(READY) ## Keys of a stage, masked (STAGE=dev, ARGS="show event | add event | remove event OLD")
	@$(PY) -m infra.deploy keys --stage "$(STAGE)" $(ARGS)

destroy: $(READY) ## Take a stage down; asks, and keeps its data (STAGE=dev, ARGS="--data delete")
	@$(PY) -m infra.deploy destroy --stage "$(STAGE)" $(ARGS)

clean: ## Remove the environment and caches (not the local cloud's state: make dev-reset)
	rm -rf $(VENV) $(dir $(DEPLOY_READY)) $(E2E_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The Python to deploy with: the environment's own where it fits.
$(DEPLOY_READY): $(READY) pyproject.toml infra/python/find.sh infra/python/environment.sh
	@mkdir -p $(@D)
	@python="$$(sh infra/python/environment.sh $(PY) $(@D))" && echo "$$python" > $@

# The environment: made once, and brought up to date whenever pyproject.toml changes.
$(READY): pyproject.toml
	@if ! $(PY) -c '$(USABLE)' >/dev/null 2>&1; then \
	  for candidate in python3.13 python3.12 python3.11 python3 python; do \
	    if "$$candidate" -c '$(USABLE)' >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Stepwell needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv)." >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$($$found --version) (once; takes a minute)"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@$(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	@touch $(READY)
