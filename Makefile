# `make demo` and `make test` set up everything they need, in .venv and .venv-clients.
PYTHON ?= python3
BIN := .venv/bin
CLIENTS := 'mediapipe>=1.2,<2'
EXTRAS := train,export,micro,camera,peers,ray,dev
NODE_NEEDED := Node.js 20.19, 22.12, or 24 or newer, with npm (https://nodejs.org)
HAS_NODE := command -v npm >/dev/null && node -e 'const [major, minor] = \
    process.versions.node.split(".").map(Number); process.exit( \
    major > 23 || (major == 22 && minor >= 12) || (major == 20 && minor >= 19) ? 0 : 1)' 2>/dev/null

# Install $(2) into the environment $(1). The packages of `make test` are large, and uv installs
# them several times faster than pip.
define install
@command -v uv >/dev/null || [ ! -d .venv ] || \
    $(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
@PATH="$$PATH:$(CURDIR)/$(BIN)"; \
if ! command -v uv >/dev/null || ! uv pip install --python $(1)/bin/python $(2); then \
    echo 'uv is not available or failed, so pip installs: this takes longer.'; \
    $(1)/bin/python -m pip install --disable-pip-version-check $(2); \
fi
endef

.NOTPARALLEL:  # demo and test fill one .venv
.PHONY: help demo test slow arm needs lint wheel-check release-check models web web-if-possible clean

help:
	@echo 'make demo           install the runtime and classify two images'
	@echo 'make test           install everything and run the tests'
	@echo 'make slow           run the long tests, on all of CIFAR-10'
	@echo 'make arm            test the runtime on emulated Raspberry Pi CPUs'
	@echo 'make lint           check the code with ruff, import-linter and mypy'
	@echo 'make wheel-check    build the wheel and try it alone, outside the checkout'
	@echo 'make release-check  check the version, build the wheel and the page, and try both'
	@echo 'make models         export the shipped models again'
	@echo 'make web            build the browser page into web/dist; requires Node.js'
	@echo 'make clean          remove .venv and build outputs; keep exports/ and runs/'

demo: .venv/runtime
	$(BIN)/edge-classify edge_runtime/samples/ship.png examples/chelsea.png --top-k 3

test: needs .venv/everything .venv-clients/ready web-if-possible
	@if $(HAS_NODE); then cd web && npm test --silent --if-present; fi
	$(BIN)/pytest -n 2 --dist loadfile

slow: needs .venv/everything .venv-clients/ready web-if-possible
	$(BIN)/pytest -m slow
	$(BIN)/python -m tests.arm --all

arm: .venv/everything
	$(BIN)/python -m tests.arm

needs:
	@[ -e .venv/everything ] || { \
	    echo 'The first run downloads TensorFlow, Ray and other large packages into .venv and'; \
	    echo '.venv-clients: 4.5 GB on disk, 1 to 5 minutes. The tests take about 12 minutes on'; \
	    echo 'two cores.'; }

lint: .venv/everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

wheel-check: .venv/everything
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/wheel-check

release-check: wheel-check web-if-possible
	$(BIN)/python -m tests.release_check

models: .venv/everything
	$(BIN)/python -m export.tflite --quantize none --overwrite
	$(BIN)/python -m export.tflite --quantize int8 --overwrite
	$(BIN)/python -m export.tflite --quantize int8 --network resnet18 --overwrite
	$(BIN)/python -m export.tflite --quantize int8 --network efficientnet-lite0 --features --overwrite
	[ -z "$$EDGE_CIFAR10" ] || $(BIN)/python -m export.second_opinion exports/cnn-int8.tflite \
	    exports/resnet18-int8.tflite --overwrite
	cp exports/cnn-float32.tflite exports/cnn-int8.tflite exports/resnet18-int8.tflite \
	    edge_runtime/models/
	$(BIN)/python -m export.record_measured
	$(BIN)/python -m export.record_scores
	cp exports/efficientnet-lite0-features-int8.tflite \
	    edge_runtime/backbones/efficientnet-lite0-int8.tflite

web: web/dist/index.html

web-if-possible:
	@if $(HAS_NODE); then \
	    $(MAKE) --no-print-directory web; \
	else \
	    echo 'The browser page is not built, and its tests are skipped. They require $(NODE_NEEDED).'; \
	fi

# The page contains the shipped models and samples.
web/dist/index.html: web/node_modules/.package-lock.json $(wildcard web/*.* edge_runtime/models/* \
    edge_runtime/samples/*) $(shell find web/src web/public -type f)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@$(HAS_NODE) || { echo 'make web requires $(NODE_NEEDED).' >&2; exit 1; }
	cd web && npm ci --no-progress
	@touch $@

# MediaPipe and TensorFlow Model Optimization require different versions of absl-py.
.venv-clients/ready: .venv/bin/python pyproject.toml
	$(PYTHON) -m venv .venv-clients
	$(call install,.venv-clients,$(CLIENTS))
	@touch $@

clean:
	rm -rf .venv .venv-clients build dist *.egg-info web/dist web/node_modules

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'Expected Python 3.11 or newer; name one: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/runtime: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/everything: .venv/bin/python pyproject.toml
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || { \
	    echo 'TensorFlow has no release for Python 3.14; run: make clean, then' \
	    'make PYTHON=python3.13 ...' >&2; exit 1; }
	$(call install,.venv,-e '.[$(EXTRAS)]')
	@touch $@ .venv/runtime
