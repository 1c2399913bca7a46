# Every target does its own set-up from a clean clone; the second run of each is quick.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PEERS := .venv/peers/.installed

# The SDKs are thousands of modules: compiled once, not at every start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup up down demo test test-slow drills soak load cluster engine providers preview bench lint mutants audit docs inventory lock mobile mobile-test mobile-client

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml locks/bootstrap.txt locks/platform.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this one is %d.%d (set PYTHON=…)" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes locks/platform.txt
	@TMPDIR="$(CURDIR)/.venv" $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## Make .venv with everything the project needs
	@echo "ready: $(BIN)/kingdom --help"

up: $(STAMP) ## Bring the whole platform up on this machine
	@$(BIN)/kingdom up --stack local

down: $(STAMP) ## Stop the platform and delete its data
	@$(BIN)/kingdom down --stack local

SUITE := not drill and not soak and not cluster and not engine and not providers
test: $(STAMP) ## Run the quick tests
	@echo "Not among them: make test-slow, make engine (with the real Pulumi CLI on PATH), make providers (with real provider plugins), make cluster, make drills, make soak"
	@$(BIN)/pytest --numprocesses auto --dist loadfile -m "not slow and $(SUITE)"

test-slow: $(STAMP) ## Run the tests that start many commands, plan whole stacks or wait for time-outs
	@$(BIN)/pytest --numprocesses auto --dist loadfile -m "slow and $(SUITE)"

drills: $(STAMP) ## Run the slow fault drills
	@$(BIN)/pytest --numprocesses auto --dist loadgroup -m drill

soak: $(STAMP) ## Load the service for ten minutes and check its memory; long hangs; the webhook of alerts
	@$(BIN)/pytest -m soak

demo: $(STAMP) ## Seed the platform that is up with demo accounts, content, credit and an order
	@$(BIN)/python -m tools.demo

SCENARIO ?= low
load: $(STAMP) ## Load the platform that is up: SCENARIO=low|medium|high|peak|stress
	@mkdir -p .rehearsal/reports
	@$(BIN)/kingdom load run $(SCENARIO) --html .rehearsal/reports/load-$(SCENARIO).html --json .rehearsal/reports/load-$(SCENARIO).json $(ARGS)

cluster: $(STAMP) ## Apply production to a real control plane
	@$(BIN)/pytest -m cluster tests/cluster

engine: $(STAMP) ## Compare with the real Pulumi CLI, where it is on PATH
	@$(BIN)/pytest -m engine

providers: $(STAMP) ## Compare with the real providers: Pulumi's plugins, Terraform's in PROVIDERS=DIR
	@PROVIDERS="$(PROVIDERS)" $(BIN)/pytest -m providers -rs tests/rehearsal/parity/test_provider_plugins.py tests/rehearsal/parity/terraform

preview: $(STAMP) ## Plan every environment and evaluate its policies
	@$(BIN)/kingdom preview --all

# The peers live in an environment of their own: their pins (SAQ's redis<8) must not restrict those of the service.
$(PEERS): $(STAMP) locks/peers.txt
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv/peers
	@$(BIN)/uv pip sync --quiet --python .venv/peers/bin/python --require-hashes locks/peers.txt
	@touch $@

bench: $(STAMP) $(PEERS) ## Measure against named peers and floors
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(STAMP) ## Check format, style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyrefly check

# The mobile client has an npm environment of its own; without Node its tests are skipped with a message.
MOBILE := mobile/node_modules/.installed
MOBILE_BUILD := CI=1 EXPO_OFFLINE=1 EXPO_NO_TELEMETRY=1 npx expo export
$(MOBILE): mobile/package.json mobile/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20.19 or later is needed for the mobile client"; exit 1; }
	@cd mobile && npm ci --no-progress --prefer-offline --loglevel=error
	@touch $@

mobile: $(STAMP) $(MOBILE) ## Build the mobile client's web build and serve it under /app/ of the platform
	@cd mobile && $(MOBILE_BUILD) --platform web --output-dir dist/web && node scripts/finish-web.mjs dist/web
	@$(BIN)/kingdom up --stack local
	@$(BIN)/kingdom outputs --stack local --json | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["url"] + "/app/")'

mobile-test: $(STAMP) ## Check the mobile client: format, lint, types, unit tests
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(MOBILE) && cd mobile && npm run --silent check; \
	else echo "SKIPPED: the mobile client's checks need Node.js 20.19 or later"; fi

mobile-client: $(STAMP) $(MOBILE) ## Generate the mobile client's types from the service's OpenAPI document
	@$(BIN)/python -m tools.docs
	@cd mobile && npm run --silent client

mutants: $(STAMP) ## Run the tests against a sample of changed conditions (SAMPLE, SEED, ARGS: areas)
	@$(BIN)/python -m tools.mutants --sample $(or $(SAMPLE),30) --seed $(or $(SEED),1) $(ARGS)

audit: $(STAMP) ## Check the locked packages for known vulnerabilities
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off $(ARGS) -r locks/platform.txt

docs: $(STAMP) ## Write the documents that follow from the code
	@$(BIN)/python -m tools.docs

inventory: $(STAMP) ## Write the inventories of planned resources, for review
	@$(BIN)/python -W ignore::DeprecationWarning -m tools.inventory

lock: $(STAMP) ## Resolve the locks again, with hashes and no registry address
	@UV="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(ARGS)"; set -e; \
	eval "$$UV --group all -o locks/platform.txt"; \
	eval "$$UV --group service -c locks/platform.txt --overrides locks/overrides-service.in -o locks/service.txt"; \
	eval "$$UV --group load -c locks/platform.txt -o locks/load.txt"; \
	eval "$$UV --group peers -o locks/peers.txt"; \
	printf 'uv\n' | eval "$$UV - -c locks/platform.txt -o locks/bootstrap.txt"
