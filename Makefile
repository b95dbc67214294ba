# `make demo` and `make test` are all that a newcomer needs; each installs what is missing first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed

FAULT_ROWS ?= build/faults.jsonl

.PHONY: install demo test check times audit-times faults bench bench-quick lock clean help

help:
	@echo "make demo     compress the embedded example, end to end (minutes)"
	@echo "make test     run all tests"
	@echo "make check    format, lint, types, layering"
	@echo "make times    wall times of plan and of an instant family, on this machine (half an hour)"
	@echo "make audit-times  wall times of the audit: one ResNet-18, 100 versions (ten minutes)"
	@echo "make faults   kill runs at random and more; goes on from its rows (an hour or more)"
	@echo "make bench    everything with a stated goal beside what others do, into docs/performance.md"
	@echo "make bench-quick  compare ratios with the recorded ones; fails if one fell by a third"
	@echo "make install  create $(VENV) with the exact versions of requirements.lock"
	@echo "make lock     resolve requirements.lock anew"

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
	$(BIN)/python -m pytest -q tests/test_architecture.py

audit-times: install
	$(BIN)/python benchmarks/audit_times.py

times: install
	$(BIN)/python benchmarks/command_times.py $(FASHION_MNIST)

faults: install
	mkdir -p $(dir $(FAULT_ROWS))
	$(BIN)/python benchmarks/faults.py $(FAULT_ROWS)

bench: install
	$(BIN)/python -m benchmarks.bench

bench-quick: install
	$(BIN)/python -m benchmarks.bench --quick

lock: install
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
