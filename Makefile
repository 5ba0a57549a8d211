# make demo         set up, train, evaluate and draw, on the embedded data set (CPU, minutes)
# make demo CUDA=1  the same with the CUDA wheels
# make test         set up and run the tests (minutes on two CPU cores)
# make test-all     with the slow ones, which repeat the same on more data
# make lint         style and types

PYTHON ?= python3
VENV := .venv
comma := ,
EXTRAS := dev,report$(if $(CUDA),$(comma)cuda)
# one stamp for each set of extras, so that CUDA=1 installs what is missing
STAMP := $(VENV)/installed-$(if $(CUDA),cuda,cpu)

.PHONY: demo test test-all lint clean

demo: $(STAMP)
	$(VENV)/bin/python train.py --config configs/demo.py --workdir runs/demo
	$(VENV)/bin/python eval.py --workdir runs/demo --split test --untrained

test: $(STAMP)
	$(VENV)/bin/python -m pytest -n 2 -m "not slow"

test-all: $(STAMP)
	$(VENV)/bin/python -m pytest -n 2

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jaxsoftras needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
