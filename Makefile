# make demo         set up; train and evaluate on the embedded data set, and turn pictures
#                   to meshes with the pretrained model (CPU, minutes)
# make demo CUDA=1  the same with the CUDA wheels
# make test         set up and run the tests (minutes on two CPU cores)
# make test-all     with the slow ones, which repeat the same on more data
# make lint         style and types
# make docs         the documentation as a site, in build/docs
# make dist         the wheel and the source distribution, checked, in dist/

PYTHON ?= python3
VENV := .venv
comma := ,
WITH_CUDA := $(if $(CUDA),$(comma)cuda)
# one stamp for each set of extras, so that what is missing is installed
TRAIN := $(VENV)/installed-train$(WITH_CUDA)
DEV := $(VENV)/installed-dev$(WITH_CUDA)
DOCS := $(VENV)/installed-docs

.PHONY: demo test test-all lint docs dist clean

demo: $(TRAIN)
	$(VENV)/bin/python train.py --config configs/demo.py --workdir runs/demo
	$(VENV)/bin/python eval.py --workdir runs/demo --split test --untrained
	$(VENV)/bin/python -m jaxsoftras predict examples/pictures --out runs/demo/pictures

test: $(DEV)
	$(VENV)/bin/python -m pytest -n 2 -m "not slow"

test-all: $(DEV)
	$(VENV)/bin/python -m pytest -n 2

lint: $(DEV)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --quiet --strict

dist: $(DEV)
	rm -rf build dist
	$(VENV)/bin/python -m pip install --quiet build twine
	$(VENV)/bin/python -m build --quiet
	$(VENV)/bin/twine check --strict dist/*

$(VENV)/installed-%: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jaxsoftras needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
