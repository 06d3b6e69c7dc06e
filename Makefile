# Jumpseat: everything by one command each. `make help` lists them.

PYTHON ?= /usr/bin/python3
PORT ?= 8080
SANITIZE ?=
EVERY_INTERPRETER ?=
JOBS ?= 2
# Some of these tests wait.
UNIT_JOBS ?= 3
# These mostly do.
INTEGRATION_JOBS ?= 4
# Of `make fuzz`.
HOURS ?= 1
# Of `make bench` and `make bench-memory`: names between commas, and a folder.
SCENARIO ?=
PEERS ?=
OUTPUT ?=
bench_options = $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(PEERS),--peers $(PEERS)) $(if $(OUTPUT),--output $(OUTPUT))

# Where `make install` puts things.
home ?= /usr/lib/jumpseat
bindir ?= /usr/local/bin
mandir ?= /usr/local/share/man
datadir ?= /usr/local/share
sysconfdir ?= /etc

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

ENVIRONMENT := $(VENV)/.environment
MODULE := $(VENV)/.module
SANITIZED_MODULE := $(VENV)/.module-sanitized
# What tests load. The ordinary module is built too: some tests look at it.
TESTED_MODULE := $(MODULE) $(if $(filter 1,$(SANITIZE)),$(SANITIZED_MODULE))
TEST_TOOLS := $(VENV)/.test-tools
APP_RUNTIMES := $(VENV)/.app-runtimes
BENCH_TOOLS := $(VENV)/.bench-tools
SCRATCH := $(VENV)/tmp

AS_ROOT := $(if $(filter-out 0,$(shell id -u)),$(if $(shell command -v sudo 2>/dev/null),sudo -E))

module_sources := $(wildcard apache_module/*.py) $(shell find apache_module/src -name "*.[ch]")

export PYTHON SANITIZE EVERY_INTERPRETER
# /tmp may be small: what pip and the compiler write meanwhile goes into the environment.
$(ENVIRONMENT) $(MODULE) $(SANITIZED_MODULE) $(TEST_TOOLS) $(BENCH_TOOLS): export TMPDIR = $(CURDIR)/$(SCRATCH)
# What tests and tools print and read does not follow the user's language.
test lint types unit fuzz-test fuzz integration languages-test faults soak provision-test: export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help setup bytecode demo test lint types unit fuzz-test fuzz integration languages-test faults soak provision-test bench bench-memory install uninstall generate clean

help: ## list the commands
	@echo "Jumpseat: Python apps in Apache httpd. Commands:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@echo "Variables: PYTHON=$(PYTHON) (the interpreter to build for), PORT=$(PORT) (of the demo), SANITIZE=1 (tests with sanitizers), EVERY_INTERPRETER=1 (tests of the loader)"

setup: $(MODULE) bytecode ## install what is missing, make .venv, build the module

$(ENVIRONMENT): setup.py pyproject.toml spawner/version.py
	@scripts/packages build
	@if [ -e $(VENV)/pyvenv.cfg ] && ! $(BIN)/python -c '' 2>/dev/null; then rm -rf $(VENV); fi
	@mkdir -p $(SCRATCH)
	@[ -e $(BIN)/python ] || { echo "making $(VENV) with $(PYTHON)" && "$(PYTHON)" -m venv $(VENV); }
	@rm -f $(TEST_TOOLS)
	$(PIP) install --editable .
	@touch $@

$(MODULE): $(ENVIRONMENT) $(module_sources)
	$(BIN)/python -m apache_module.build
	@touch $@

# In a folder of its own, so that neither module is ever taken for the other.
$(SANITIZED_MODULE): $(ENVIRONMENT) $(module_sources)
	$(BIN)/python -m apache_module.build --sanitize --output build/sanitized
	@touch $@

# Spawner and loaders are started often, and the environment may forbid Python to keep what it has compiled.
bytecode: $(ENVIRONMENT)
	@$(BIN)/python -m compileall -q spawner

$(TEST_TOOLS): $(ENVIRONMENT)
	@scripts/packages test
	$(PIP) install --editable '.[test]'
	@touch $@

$(BENCH_TOOLS): $(TEST_TOOLS) scripts/packages
	@scripts/packages bench
	$(PIP) install --editable '.[test,bench]'
	@touch $@

$(APP_RUNTIMES): $(ENVIRONMENT) scripts/packages
	@scripts/packages apps
	@touch $@

demo: setup ## serve the sample app on 127.0.0.1:8080 (PORT=) in the foreground; Ctrl-C ends it
	@PORT=$(PORT) exec scripts/demo

test: $(TEST_TOOLS) $(TESTED_MODULE) ## set up, then lint, types and all tests
	@$(MAKE) --no-print-directory -j $(JOBS) lint types
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory fuzz-test
	@$(MAKE) --no-print-directory provision-test
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory faults

lint: $(TEST_TOOLS) ## check style, shell scripts, generated files and the Vagrantfile; look for insecure calls
	$(BIN)/ruff check .
	@# It warns of each reason that stands beside a line: what it says there is shown only when it fails.
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive spawner apache_module 2>$(SCRATCH)/bandit.log || { cat $(SCRATCH)/bandit.log >&2; exit 1; }
	$(BIN)/python -m apache_module.generate --check
	for script in scripts/* vagrant/*.sh .ci/run; do sh -n "$$script" || exit 1; done
	cd vagrant && vagrant validate --ignore-provider

types: $(TEST_TOOLS) ## check the types
	$(BIN)/mypy

unit: $(TEST_TOOLS) $(MODULE) $(APP_RUNTIMES) bytecode ## run the tests that need no httpd
	$(BIN)/python -m pytest -n $(UNIT_JOBS) --timeout 120 tests/unit tests/conformance

fuzz-test: $(TEST_TOOLS) ## fuzz each target for some seconds, a minute in all, after the inputs that are kept
	$(BIN)/python -m tests.fuzz.run test

fuzz: $(TEST_TOOLS) ## the same for longer: HOURS=0.5 in all; ends with a finding and the path of its input
	$(BIN)/python -m tests.fuzz.run fuzz --hours $(HOURS)

integration: $(TEST_TOOLS) $(TESTED_MODULE) $(APP_RUNTIMES) bytecode ## run the tests that start an httpd
	$(BIN)/python -m pytest -n $(INTEGRATION_JOBS) tests/integration

languages-test: $(TEST_TOOLS) $(TESTED_MODULE) bytecode ## programs in Go, Java and Rust; not part of make test: their compilers are 1.1 GB of packages
	@scripts/packages languages
	$(BIN)/python -m pytest tests/languages

faults: $(TEST_TOOLS) $(TESTED_MODULE) bytecode ## break things while requests come in; says how many were sent, failed and late
	$(BIN)/python -m pytest -n $(JOBS) tests/faults

soak: $(TEST_TOOLS) $(TESTED_MODULE) bytecode ## the same for longer: 1,100 graceful restarts, 100 touches, 1,000 forks, minutes of random faults (FAULT_SEED=)
	FAULT_ROUNDS=10 $(BIN)/python -m pytest tests/faults

provision-test: $(TEST_TOOLS) ## as root or with sudo: vagrant/provision.sh, make demo and the start of make test in bare Debian 12 trees
	$(AS_ROOT) $(BIN)/python -B -m pytest -p no:cacheprovider -n $(JOBS) --dist loadfile tests/provision

bench: $(BENCH_TOOLS) $(MODULE) bytecode ## measure the speed beside peers (SCENARIO=rack,rails PEERS=puma,unicorn OUTPUT=build/bench)
	$(BIN)/python -m bench.run $(bench_options)

bench-memory: $(BENCH_TOOLS) $(MODULE) bytecode ## measure what each added worker costs, beside peers (SCENARIO=, PEERS=, OUTPUT=)
	$(BIN)/python -m bench.memory $(bench_options)

install: ## as root: install for this machine's Apache and enable the module
	@[ -z "$(DESTDIR)" ] || { echo "jumpseat: DESTDIR is not supported: environment and module hold absolute paths" >&2; exit 1; }
	@scripts/packages install
	@HOME_DIRECTORY="$(home)" BINDIR="$(bindir)" MANDIR="$(mandir)" DATADIR="$(datadir)" SYSCONFDIR="$(sysconfdir)" scripts/install

uninstall: ## as root: take away what `make install` put there
	@HOME_DIRECTORY="$(home)" BINDIR="$(bindir)" MANDIR="$(mandir)" DATADIR="$(datadir)" SYSCONFDIR="$(sysconfdir)" scripts/uninstall

generate: $(ENVIRONMENT) ## write the generated files anew: option table, directives.md, log-messages.md
	$(BIN)/python -m apache_module.generate

clean: ## remove everything built, and .venv
	rm -rf $(VENV) .demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
