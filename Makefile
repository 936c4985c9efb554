# Two commands: `make demo` scores the bundled samples, `make test` runs the tests. Both make .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint models clean

demo: $(VENV)/.scoring
	$(BIN)/convqa demo demo

test: $(VENV)/.dev
	$(BIN)/pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Trains models/ from data/, in the order in which the recipes need each other; with PUBLIC=PATH of the treebanks the
# segmenter, too (training/README.md).
models: $(VENV)/.dev
	$(BIN)/convqa data check
	$(BIN)/python training/learning_curve.py
	$(BIN)/python training/data_card.py
	$(if $(PUBLIC),$(BIN)/python training/segmenter/train.py --public $(PUBLIC),@echo "no PUBLIC=PATH: the segmenter stays")
	$(BIN)/python training/utterances/train.py
	$(BIN)/python training/dialogue/train.py
	$(BIN)/python training/roles/train.py
	$(BIN)/python training/language/evaluate.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.scoring: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	touch $@ $(VENV)/.scoring

clean:
	rm -rf $(VENV) build dist demo
