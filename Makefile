# Every target makes the virtual environment it needs; `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

TASK ?= digits
DATA ?=
BACKBONE ?=
WEIGHTS ?=
METHOD ?=
SEED ?=
SET ?=
FRESH ?=
NO_TOKEN ?=
FRONT ?=
FAMILY ?=
CHECK ?=

# a path may have spaces and quotes; not every shell has replaced its ~ by now
quoted = '$(subst ','\'',$(if $(filter ~/%,$1),$(patsubst ~/%,$(HOME)/%,$1),$1))'

TRAIN_OPTIONS := $(if $(DATA),--data $(call quoted,$(DATA))) $(if $(BACKBONE),--backbone $(call quoted,$(BACKBONE))) \
	$(if $(WEIGHTS),--weights $(call quoted,$(WEIGHTS))) $(if $(METHOD),--method $(METHOD)) \
	$(if $(SEED),--seed $(SEED)) $(if $(FRESH),--fresh) $(foreach pair,$(SET),--set $(pair))
SERVE_OPTIONS := $(if $(FRONT),--front $(FRONT)) $(if $(BACKBONE),--backbone $(call quoted,$(BACKBONE))) $(if $(WEIGHTS),--weights $(call quoted,$(WEIGHTS))) \
	$(foreach pair,$(SET),--set $(pair)) $(if $(NO_TOKEN),--no-token)

BENCH ?=
STORE ?=
SHORT ?=
BENCH_OPTIONS := $(if $(SHORT),--short) $(if $(WEIGHTS),--weights $(call quoted,$(WEIGHTS))) \
	$(if $(STORE),--store $(call quoted,$(STORE))) $(if $(DATA),--data $(call quoted,$(DATA)))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-browser test-scale check docs reference audit train serve stop bench backbones operations faults clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## the virtual environment, with Java and Redis on its PATH

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed, found $$($(PYTHON) --version); set PYTHON=…"; exit 1; }
	@echo "setting up $(VENV): about 6 GB of packages, a few minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip setuptools wheel
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	$(BIN)/python -m serving link $(BIN)
	@touch $@

demo: $(READY)  ## train, publish, serve and ask three small tasks; about ten minutes
	$(BIN)/python -m clients demo

test: $(READY)  ## all tests, with real Redis and TorchServe processes
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-browser: $(READY)  ## the playground in headless Chromium, which this installs, with axe; some minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[browser]'
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest -m browser tests/browser

test-scale: $(READY)  ## the store in a real S3 server, raced and killed; some minutes
	$(BIN)/python -m pytest -m scale tests/scale

check: $(READY)  ## lint, types, import contracts, unused code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

docs: $(READY)  ## write the documents' tables anew, from the code
	$(BIN)/python -m tests.documents

reference: $(READY)  ## the names for programs, from their docstrings: runs/reference/index.html
	$(BIN)/python -m tests.documents.reference

audit: $(READY)  ## known vulnerabilities of the installed packages; asks PyPI, so it is no part of check
	@$(BIN)/python -m pip freeze --all --exclude-editable --disable-pip-version-check > $(VENV)/audited.txt
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)/audited.txt || \
		{ echo "error: a package has a known vulnerability, or PyPI's advisories cannot be read: see above"; exit 1; }

train: $(READY)  ## one task: TASK=digits [DATA= BACKBONE= WEIGHTS= METHOD= SEED= SET="optim.epochs=20 …" FRESH=1]
	$(BIN)/python -m trainer train $(TASK) $(TRAIN_OPTIONS)

serve: $(READY)  ## Redis and the service on loopback, port 8080 [FRONT=asgi BACKBONE= WEIGHTS= SET="precision=bfloat16 …" NO_TOKEN=1]
	$(BIN)/python -m serving start $(SERVE_OPTIONS)

stop: $(READY)  ## stop what `make serve` started
	$(BIN)/python -m serving stop

bench: $(READY)  ## measure [BENCH="engine tasks cold lookups http services decode training kmeans front image-tasks", or gpu WEIGHTS= STORE= DATA= SHORT=1]; about an hour
	$(BIN)/python -m tests.bench $(BENCH) $(BENCH_OPTIONS)

backbones: $(READY)  ## every family of backbones at full depth, trained and served [FAMILY="dinov3 eva02"]; some minutes
	$(BIN)/python -m tests.backbones $(FAMILY)

operations: $(READY)  ## dashboard, alerts, chart, unit and container file against Prometheus, Helm, systemd and hadolint [CHECK=chart]; two minutes
	$(BIN)/python -m tests.operations $(CHECK)

faults: $(READY)  ## break the service in every way that it must survive [SHORT=1]; under an hour
	$(BIN)/python -m tests.faults $(if $(SHORT),--short)

clean:  ## remove what the targets made, but neither the environment nor published adapters
	rm -rf runs/demo runs/train runs/serve runs/bench runs/reference .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
