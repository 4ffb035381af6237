# Everything a user or contributor types. Needs Python 3.11+ with venv, and make.

PYTHON ?= python3
PORT ?= 8080
# make fuzz: examples of each property, and seconds for each guided target
FUZZ_EXAMPLES ?= 5000
FUZZ_S ?= 150
BIN := .venv/bin
STAMPS := .stamps

.DEFAULT_GOAL := help
.PHONY: help run install models conformance test fuzz lint bench web clean

help:
	@echo "make run     install, pull the models, start the server, print its address"
	@echo "make test    every test, with what they need"
	@echo "make fuzz    whatever bytes a client can send, for half an hour"
	@echo "make lint    style, types, and the page's own checks"
	@echo "make bench   the benchmark tables"
	@echo "make web     rebuild the page (needs Node)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Antiphon needs Python 3.11 or newer: make run PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv …"
	@$(PYTHON) -m venv .venv

$(STAMPS)/install: $(BIN)/python pyproject.toml
	@echo "Installing Antiphon and what it needs (a minute or two the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: $(STAMPS)/install tests/browser/package-lock.json
	@echo "Installing what tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@if command -v npm >/dev/null; then cd tests/browser && npm ci --silent --no-audit --no-fund; else echo "npm is not here: the page's accessibility tests are skipped"; fi
	@mkdir -p $(STAMPS) && touch $@

# Other people's clients, for tests/conformance: in environments of their own, since what they need is not what we need.
$(STAMPS)/conformance: $(BIN)/python tests/conformance/requirements.txt tests/conformance/package-lock.json
	@echo "Installing the clients that the server is tried with …"
	@test -x .venv-conformance/bin/python || $(PYTHON) -m venv .venv-conformance
	@.venv-conformance/bin/python -m pip install --quiet --disable-pip-version-check -r tests/conformance/requirements.txt
	@if command -v npm >/dev/null; then cd tests/conformance && npm ci --silent --no-audit --no-fund; else echo "npm is not here: the clients in JavaScript are skipped"; fi
	@mkdir -p $(STAMPS) && touch $@

conformance: $(STAMPS)/conformance

install: $(STAMPS)/install

models: $(STAMPS)/install
	@$(BIN)/antiphon models pull

run: models
	@$(BIN)/antiphon serve --port $(PORT)

test: $(STAMPS)/dev $(STAMPS)/conformance models
	@$(BIN)/python tests/system_packages.py
	@$(BIN)/python tests/side_by_side.py

fuzz: $(STAMPS)/dev
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/fuzz -o timeout=0
	@if $(BIN)/python -c "import atheris" 2>/dev/null; then $(BIN)/python -m tests.fuzz.guided -max_total_time=$(FUZZ_S); else echo "atheris is not here: what coverage guides is skipped"; fi

lint: $(STAMPS)/dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if command -v npm >/dev/null; then cd web && npm ci --silent --no-audit --no-fund && npm test --silent; else echo "npm is not here: the page's checks are skipped"; fi

bench: $(STAMPS)/dev models
	@$(BIN)/python -m bench.latency
	@$(BIN)/python -m bench.websocket
	@$(BIN)/python -m bench.barge_in
	@$(BIN)/python -m bench.turns --quick 4
	@$(BIN)/python -m bench.turns --talkers 3
	@$(BIN)/python -m bench.footprint
	@$(BIN)/python -m bench.loss
	@$(BIN)/python -m bench.capacity
	@$(BIN)/python -m bench.rooms
	@$(BIN)/python -m bench.soak --calls 100 --hours 0.2
	@$(BIN)/python -m bench.flood
	@$(BIN)/python -m bench.asr_wer --model whisper-tiny.en
	@$(BIN)/python -m bench.page

web:
	@cd web && npm ci --no-audit --no-fund && npm run build

clean:
	@rm -rf .venv .venv-conformance $(STAMPS) build dist *.egg-info web/node_modules tests/browser/node_modules tests/conformance/node_modules
