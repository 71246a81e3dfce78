# What people type. Everything runs in .venv, which is made by the lock file and touches nothing outside this folder.

.DEFAULT_GOAL := help
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
# A particular interpreter: make demo PYTHON=/path/to/python3.12
PYTHON ?=
# A particular PyTorch for test-backends: TORCH=torch==2.12
TORCH ?=
# Processes that the fast tests are dealt to, a file at a time; each loads TensorFlow: make test JOBS=4
JOBS ?= 2

.PHONY: help setup demo test test-slow test-all test-browser test-backends lint format docs findings bench wheel lock clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv by requirements.lock (TensorFlow is large: some minutes)

$(READY): requirements.lock scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV)

demo: $(READY) ## draw 4,000 letters, train 8 networks, show what became of them
	@$(RUN)/bboxbench generate --n 4000 --quiet
	@$(RUN)/bboxbench preview data/letters-n4000-seed0
	@$(RUN)/bboxbench sweep --preset quick

test: $(READY) ## the fast tests
	@$(RUN)/python -m pytest -m "not slow and not browser" -n $(JOBS) --dist loadfile

test-slow: $(READY) ## the slow ones, one after the other: kills and full disks want their time for themselves
	@$(RUN)/python -m pytest -m "slow and not browser"

test-all: test test-slow ## the fast and the slow ones

test-browser: $(READY) ## the report in Chromium (needs it: apt-get install chromium); pictures in build/screenshots
	@$(RUN)/python -m pytest tests/browser

test-backends: $(READY) ## the losses on JAX and PyTorch (installs both beside .venv)
	@TORCH="$(TORCH)" sh scripts/test_backends.sh $(VENV) $(VENV)-backends

lint: $(READY) ## ruff, format and the strict type check
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy

format: $(READY) ## put the code into the house's form
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

docs: $(READY) ## write the pages of losses, results and findings and draw their pictures anew (a minute)
	@$(RUN)/python scripts/results_page.py > docs/results.md
	@$(RUN)/python scripts/findings_page.py > docs/findings.md
	@$(RUN)/python scripts/findings_figure.py
	@$(RUN)/python scripts/cluster_page.py > docs/cluster.md
	@$(RUN)/python scripts/losses_page.py > docs/losses.md
	@$(RUN)/python scripts/losses_pictures.py
	@$(RUN)/python scripts/dataset_pictures.py
	@$(RUN)/python scripts/looking_pictures.py
	@$(RUN)/python scripts/importing_pictures.py

findings: $(READY) ## train anew what docs/findings.md reports, and copy its tables (some 3 hours)
	@sh scripts/findings.sh $(VENV)

bench: $(READY) ## time training, losses, estimates, drawing, streaming and exporting, verify a million pictures (some 4 hours, 15 GB)
	@$(RUN)/python benchmarks/training.py
	@$(RUN)/python benchmarks/levers.py > docs/data/levers.csv
	@$(RUN)/python benchmarks/losses.py
	@$(RUN)/python benchmarks/estimate.py
	@$(RUN)/python benchmarks/eta.py
	@$(RUN)/python benchmarks/driver.py
	@$(RUN)/python benchmarks/generate.py
	@$(RUN)/python benchmarks/streaming.py
	@$(RUN)/python benchmarks/exports.py
	@$(RUN)/python scripts/verify_pictures.py
	@$(RUN)/python scripts/performance_page.py > docs/performance.md

wheel: $(READY) ## build sdist and wheel, install the wheel into an environment of its own, use it from elsewhere
	@sh scripts/try_wheel.sh $(VENV)

UV_COMPILE := uv pip compile --universal --python-version 3.11 --fork-strategy fewest --upgrade --generate-hashes \
  --no-emit-index-url --no-annotate --no-header --quiet

lock: ## renew requirements.lock and requirements-backends.lock (needs uv)
	$(UV_COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(UV_COMPILE) --group backends --constraint requirements.lock --output-file requirements-backends.lock

clean: ## remove .venv, caches and builds; data/ and results/ stay
	rm -rf $(VENV) $(VENV)-backends dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
