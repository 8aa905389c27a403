# `make demo` and `make test` set everything up by themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.NOTPARALLEL:  # demo and test fill one .venv
.PHONY: help demo test slow lint wheel-check models web clean

help:
	@echo 'make demo         install the runtime and classify two pictures'
	@echo 'make test         install everything and run the tests'
	@echo 'make slow         the long tests, on all of CIFAR-10'
	@echo 'make lint         ruff and mypy'
	@echo 'make wheel-check  build the wheel and use it alone, outside the checkout'
	@echo 'make models       export the shipped models again'
	@echo 'make web          build the browser page into web/dist; needs Node.js 20.19 or 22.12'
	@echo 'make clean        remove .venv and what was built'

demo: .venv/runtime
	$(BIN)/edge-classify edge_runtime/samples/ship.png examples/chelsea.png --top-k 3

test: .venv/everything .venv-clients/ready
	$(BIN)/pytest

slow: .venv/everything .venv-clients/ready
	$(BIN)/pytest -m slow

lint: .venv/everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-check: .venv/everything
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/wheel-check

models: .venv/everything
	$(BIN)/python -m export.tflite --quantize none --overwrite
	$(BIN)/python -m export.tflite --quantize int8 --overwrite
	$(BIN)/python -m export.tflite --quantize int8 --network resnet18 --overwrite
	cp exports/cnn-float32.tflite exports/cnn-int8.tflite exports/resnet18-int8.tflite \
	    edge_runtime/models/

web: web/node_modules/.package-lock.json
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@command -v npm >/dev/null || \
	    { echo 'Node.js 20.19, or 22.12 or newer, is needed, with npm: https://nodejs.org' >&2; exit 1; }
	cd web && npm ci --no-progress
	@touch $@

# MediaPipe wants another absl-py than TensorFlow Model Optimization.
.venv-clients/ready: pyproject.toml
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check 'mediapipe>=1.2,<2'
	@touch $@

clean:
	rm -rf .venv .venv-clients build dist exports *.egg-info web/dist web/node_modules

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/runtime: .venv/bin/python pyproject.toml
	$(PIP) -e .
	@touch $@

.venv/everything: .venv/bin/python pyproject.toml
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || \
	    { echo 'TensorFlow is not there for Python 3.14; make clean, then make PYTHON=python3.13 ...' >&2; exit 1; }
	$(PIP) -e '.[train,export,micro,camera,peers,ray,dev]'
	@touch $@ .venv/runtime
