# Each target does its own set-up: a fresh Debian 12 or 13 needs only `make` and `python3`.
#   make demo    the lab, then one whole night in it (root; half an hour the first time)
#   make try     the smallest run that ends in a verified image: from nothing in about eight minutes, then in two (root)
#   make demo-instance   a repository downstream in the tiny lab: its pipelines, its image, a new base (root)
#   make test    every test, with a floor for the coverage of the unit tests; the ones that need images share one night
#   make soak    what is rare, or long: thousands of questions to an image, twenty runs on end, kernels in both
#                directions, every large image booted, a host upgraded, Secure Boot, the image of the jobs
#   make unit    the tests that need neither root nor network, in about three minutes
#   make unit-newest   tests/unit with the newest Python that can be had: Debian's as root, else one that is here
#   make check   lint, types, imports, generated files
#   make other-cosign COSIGN=FOLDER   what signs and verifies in the lab, with the cosign of that folder (root)
#   make bench   the figures in docs/reference/benchmarks.md
#   make clean   the virtual environment and caches; the lab's state is `immutable-base lab down`'s

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/development.txt
RUNTIME_LOCK := requirements/runtime.txt
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --universal --python-version 3.11
PRODUCT := $(BIN)/immutable-base
SETUP := $(VENV)/.made-from
COVERAGE := $(BIN)/coverage
PYTEST := $(BIN)/pytest
NEWEST := .newest-python
BENCHED := .benched
INTO_NEWEST := $(BIN)/uv pip install --quiet --python $(NEWEST)/venv/bin/python

# A test's own connection that is still open when it ends is no failure of the product.
LAB_TESTS := --durations=15 -W default::ResourceWarning -W default::pytest.PytestUnraisableExceptionWarning
SIGNING := second_opinion publish killed_while_publishing host_policy admission prune tiny_night

.PHONY: setup demo demo-instance try test other-cosign soak unit unit-here unit-newest lab-large lab-small lab-apart check generate bench clean lock

setup: $(SETUP)

$(SETUP): $(LOCK) pyproject.toml lab/pyproject.toml scripts/install-debian-packages
	scripts/install-debian-packages
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e lab
	sha256sum $(LOCK) > $@

demo: setup
	$(PRODUCT) lab up
	eval "$$($(PRODUCT) lab env)" && $(PRODUCT) run
	@echo 'In your own shell, first: eval "$$($(PRODUCT) lab env)"'

try: setup
	$(PRODUCT) lab scenario tiny
	eval "$$($(PRODUCT) lab env --scenario tiny)" && $(PRODUCT) run && \
	  $(PRODUCT) verify "$$IMMUTABLE_BASE_REGISTRY/tiny-metronome:latest"
	@echo 'In your own shell, first: eval "$$($(PRODUCT) lab env --scenario tiny)"'

demo-instance: try
	eval "$$($(PRODUCT) lab env --scenario tiny)" && \
	  scripts/demo-instance "$${XDG_STATE_HOME:-$$HOME/.local/state}/immutable-base/demo-instance"

unit: setup
	$(COVERAGE) erase
	$(MAKE) unit-here
	$(COVERAGE) combine --quiet
	$(COVERAGE) report

unit-here: setup
	$(COVERAGE) run -m pytest tests/unit tests/repository

# It says which it found. Debian's Python has no pip of its own: uv makes the environment.
unit-newest: setup
	newest=$$($(BIN)/python scripts/newest_python.py $(NEWEST)) && if [[ $$newest ]]; then \
	  export UV_CACHE_DIR=$(NEWEST)/cache && \
	  $(BIN)/uv venv --quiet --clear --python $$newest $(NEWEST)/venv && \
	  $(INTO_NEWEST) --require-hashes -r $(LOCK) && \
	  $(INTO_NEWEST) --no-deps --no-build-isolation -e . -e lab && \
	  $(NEWEST)/venv/bin/pytest tests/unit; fi

test: setup
	$(COVERAGE) erase
	$(MAKE) --jobs=3 --output-sync=target lab-large lab-small lab-apart unit-here check unit-newest
	$(PYTEST) $(LAB_TESTS) -m alone tests/lab
	$(COVERAGE) combine --quiet
	$(COVERAGE) report

# The run of all four variants takes longest, with a compiler on every core; what goes beside it waits
# half of its time. Unit tests, which never wait, come last and fill what is left. Both variants
# with modules are on one kernel in the large run, so that OpenZFS is compiled once;
# tests/lab/test_plan.py plans kernels in both directions, `make soak` has a whole run of them.
lab-large: setup
	$(PYTEST) $(LAB_TESTS) -m "large and not alone and not long" tests/lab

lab-small: setup
	$(PYTEST) $(LAB_TESTS) -m "not large and not apart and not alone and not long" tests/lab

lab-apart: setup
	$(PYTEST) $(LAB_TESTS) -m "apart and not alone and not long" tests/lab

other-cosign: setup
	IMMUTABLE_BASE_TEST_COSIGN=$(abspath $(or $(COSIGN),$(error COSIGN names no folder))) \
	  $(PYTEST) $(LAB_TESTS) $(SIGNING:%=tests/lab/test_%.py)

soak: setup
	IMMUTABLE_BASE_SOAK_QUESTIONS=3000 $(PYTEST) $(LAB_TESTS) tests/lab/test_buildah.py -k cut_off
	IMMUTABLE_BASE_SOAK_NIGHTS=20 $(PYTEST) $(LAB_TESTS) tests/lab/test_soak.py
	$(PYTEST) $(LAB_TESTS) -m "long and not large" tests/lab
	IMMUTABLE_BASE_BOTH_KERNELS=1 IMMUTABLE_BASE_WALK_COMPILES=1 $(PYTEST) $(LAB_TESTS) -m large tests/lab

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate.py --check

generate: setup
	$(BIN)/python scripts/generate.py

# What is measured is what users have: the wheel, and nothing that only tests and linters need.
bench: setup
	$(PRODUCT) lab up
	rm -rf build
	python3 -m venv --clear $(BENCHED)
	$(BENCHED)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(RUNTIME_LOCK)
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir $(BENCHED) .
	$(BENCHED)/bin/pip install --quiet --disable-pip-version-check --no-deps $(BENCHED)/*.whl
	eval "$$($(PRODUCT) lab env)" && PYTHONPATH=tests $(BIN)/python bench/measure.py

lock: setup
	# The lab needs the product, which no registry has.
	echo "immutable-base @ file://$(CURDIR)" | \
	  $(COMPILE) --extra dev --no-emit-package immutable-base -o $(LOCK) - pyproject.toml lab/pyproject.toml
	# What the product itself needs, in the versions that are tested here.
	$(COMPILE) --no-annotate --constraint $(LOCK) -o $(RUNTIME_LOCK) pyproject.toml

clean:
	rm -rf $(VENV) $(NEWEST) $(BENCHED) .coverage.d build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
