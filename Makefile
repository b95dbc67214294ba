# `make demo` and `make test` are all that a newcomer needs; each installs what is missing first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	--python-version 3.11
FAULT_ROWS ?= build/faults.jsonl
BENCH_VENV := build/bench-venv
SCALING_ROWS ?= build/scaling.jsonl

.PHONY: install demo test check times audit-times faults scaling experiment bench bench-quick lock clean help

help:
	@echo "make demo     compress the embedded example, end to end (minutes)"
	@echo "make test     run all tests"
	@echo "make check    format, lint, types, layering; Dockerfile and compose file"
	@echo "make times    wall times of plan and of an instant family, on this machine (half an hour)"
	@echo "make audit-times  wall times of the audit: one ResNet-18, 100 versions (ten minutes)"
	@echo "make faults   kill runs at random and more; goes on from its rows (an hour or more)"
	@echo "make scaling  a thousand results, and two workers beside one, into docs/scaling.md (half an hour)"
	@echo "make experiment  the studies of docs/results (a night; PARTS='resnet18 ...' does only those)"
	@echo "make bench    everything with a stated goal beside what others do, into docs/performance.md"
	@echo "              (SECTIONS='masks steps ...' measures those anew; half an hour for all)"
	@echo "make bench-quick  compare ratios with the recorded ones; fails if one fell by a third"
	@echo "make install  create $(VENV) with the exact versions of requirements.lock"
	@echo "make lock     resolve requirements.lock anew, and the image's"

install: $(STAMP)

# uv installs the locked set in a minute where pip needs many, and checks the hashes. Bytecode is
# compiled at once: where the shell forbids writing it later, every process would compile torch anew.
$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: install
	$(BIN)/mixmatch demo

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec infra/compose*.yaml
	$(BIN)/hadolint infra/Dockerfile
	$(BIN)/python -m pytest -q tests/test_architecture.py

audit-times: install
	$(BIN)/python benchmarks/audit_times.py

times: install
	$(BIN)/python benchmarks/command_times.py $(FASHION_MNIST)

faults: install
	mkdir -p $(dir $(FAULT_ROWS))
	$(BIN)/python -m benchmarks.faults $(FAULT_ROWS)

bench: install $(BENCH_VENV)/.installed
	$(BIN)/python -m benchmarks.bench $(SECTIONS)

# What the product is compared with never enters its own environment.
$(BENCH_VENV)/.installed: benchmarks/peers.txt | install
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BENCH_VENV)
	$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python -r benchmarks/peers.txt
	touch $@

scaling: install
	mkdir -p $(dir $(SCALING_ROWS))
	$(BIN)/python benchmarks/scaling.py $(SCALING_ROWS)

experiment: install
	$(BIN)/python -m benchmarks.experiment $(PARTS)

bench-quick: install
	$(BIN)/python -m benchmarks.bench --quick

lock: install
	$(COMPILE) --extra dev --extra team pyproject.toml -o requirements.lock
	$(COMPILE) --extra team --constraint requirements.lock pyproject.toml -o infra/requirements.lock

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
