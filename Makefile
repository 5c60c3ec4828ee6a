# Two commands matter: `make app` and `make test`. The rest is how Pocket is made.
PYTHON ?= python3
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
# A spinning OpenMP pool and a trimming allocator each cost a training run more than a tenth of its speed.
TRAIN_ENV := OMP_WAIT_POLICY=PASSIVE ONEDNN_PRIMITIVE_CACHE_CAPACITY=128 MALLOC_TOP_PAD_=268435456 MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296
RECIPE ?= training/recipes/pocket.yaml
# More files of test problems that the data must keep clear of.
AGAINST ?=

.PHONY: help setup setup-dev app test lint static static-serve data dataset pocket evals noise speedrun screenshots clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.app: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the app needs (once; some minutes) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.txt $(VENV)/.app
	@echo "Installing what tests and training need (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt -e '.[dev]'
	@touch $@

setup: $(VENV)/.app  ## the app's environment
setup-dev: $(VENV)/.dev  ## the environment of tests and training

app: $(VENV)/.app  ## set up and open the tutor on http://127.0.0.1:7860 (PORT=... changes it)
	@PORT=$(PORT) $(BIN)/python app.py

# The two libraries of the page in browser/. Where npm is missing its tests are skipped; in CI they must run.
PACKAGES := browser/node_modules/.installed
$(PACKAGES): browser/package-lock.json
	@if command -v npm >/dev/null; then echo "Installing what the page without a server needs (once) ..."; \
	  npm ci --silent --prefix browser && touch $@; \
	elif [ "$$CI" = true ]; then echo "npm is missing: CI needs it for the page without a server" >&2; exit 1; \
	else echo "npm is missing: the tests of the page without a server are skipped"; fi

static: $(VENV)/.dev $(PACKAGES)  ## Pocket as a page without any server: build/static, for whatever hands out files
	@$(BIN)/python -m training.static --out build/static

static-serve: static  ## the same, opened on http://127.0.0.1:8000 (PORT=... changes it)
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/static $(if $(filter file,$(origin PORT)),8000,$(PORT))

test: $(VENV)/.dev $(PACKAGES)  ## set up and run all tests
	@$(BIN)/ruff check .
	@$(BIN)/python -m pytest

lint: $(VENV)/.dev  ## ruff, with fixes
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

data: data/pocket/report.json  ## Pocket's data set: bank and GSM8K train (hub, or MATHTUTOR_DATA)

# The build removes the report first and writes it last, so it stands for the whole data set. Remove it
# to build again.
data/pocket/report.json: | $(VENV)/.dev
	@$(BIN)/python -m pipeline.build --recipe pipeline/recipes/pocket.yaml --out data/pocket $(if $(AGAINST),--against $(AGAINST))

dataset: data/synth-50k/report.json  ## the published data set: 50,000 rows of the bank through every filter, in minutes, with its card

data/synth-50k/report.json: | $(VENV)/.dev
	@$(BIN)/python -m pipeline.build --recipe pipeline/recipes/synth-50k.yaml --out data/synth-50k $(if $(AGAINST),--against $(AGAINST))

pocket: data  ## Pocket itself, from nothing: hours on two cores; stop it and start it at will (TRAIN_FLAGS=--compile with g++)
	$(TRAIN_ENV) nice $(BIN)/python -m training.pretrain --recipe $(RECIPE) $(TRAIN_FLAGS)
	$(TRAIN_ENV) nice $(BIN)/python -m training.sft --recipe $(RECIPE) $(TRAIN_FLAGS)
	$(BIN)/python -m training.export --recipe $(RECIPE) --to assets/models/pocket

EVAL = $(BIN)/python -m eval.run --max-tokens 320 --engine

evals: $(VENV)/.dev  ## every figure of the README, and more; stop it and start it at will (MATHTUTOR_DATA, or the hub)
	$(EVAL) pocket --benchmark bank --out evals/pocket-bank
	$(EVAL) pocket --benchmark bank-known --out evals/pocket-bank-known
	$(EVAL) pocket --benchmark svamp --out evals/pocket-svamp
	$(EVAL) pocket --benchmark gsm8k --out evals/pocket-gsm8k
	$(EVAL) pocket --benchmark file:assets/typed/problems.jsonl --out evals/pocket-typed
	$(EVAL) pocket --benchmark file:assets/typed/problems.jsonl --samples 5 --temperature 0.7 --out evals/pocket-typed-5
	for b in bank bank-known svamp gsm8k; do \
	  $(EVAL) pocket --no-calculator --benchmark $$b --out evals/pocket-$$b-no-calculator && \
	  $(EVAL) pocket-base --benchmark $$b --out evals/pocket-base-$$b || exit 1; \
	done
	$(BIN)/python -m eval.withheld evals/*svamp* evals/*gsm8k*
	$(BIN)/python -m training.export --recipe $(RECIPE) --to assets/models/pocket --card-only --readme README.md

noise: $(VENV)/.dev  ## what changes when nothing is changed: Pocket on SVAMP at two batch sizes
	for b in 64 16; do $(BIN)/python -m eval.run --engine pocket --benchmark svamp --batch-size $$b --out evals/noise/svamp-$$b || exit 1; done
	$(BIN)/python -m eval.withheld evals/noise/svamp-64 evals/noise/svamp-16
	$(BIN)/python -m eval.compare evals/noise/svamp-64 evals/noise/svamp-16 --noise

speedrun: $(VENV)/.dev  ## the whole road at toy size, in minutes: data, tokenizer, base, tuned, evaluation
	@$(BIN)/python -m pipeline.build --recipe pipeline/recipes/speedrun.yaml --out runs/speedrun/data --no-tests
	@$(TRAIN_ENV) $(BIN)/python -m training.pretrain --recipe training/recipes/speedrun.yaml
	@$(TRAIN_ENV) $(BIN)/python -m training.sft --recipe training/recipes/speedrun.yaml
	@$(BIN)/python -m eval.run --engine hf:runs/speedrun/tuned --benchmark bank-known --limit 50 --out runs/speedrun/eval
	@echo "It talks: $(BIN)/python app.py with MATHTUTOR_ENGINE=hf:runs/speedrun/tuned"

screenshots: static  ## the pictures of the README
	@$(BIN)/python -m tests.screenshots
	@$(BIN)/python -m tests.screenshots --static build/static

clean:  ## remove the environment and all runs
	rm -rf $(VENV) runs data build browser/node_modules
