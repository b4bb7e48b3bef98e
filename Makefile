# The two commands that matter: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
# Ansible and Molecule read only this project's configuration.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Images for containers often forbid it; every process would then compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint lint-ansible lint-rest bench bench-hardening clean lock

setup: .venv/.ready

# Ansible compiles the Python of collections itself each time, without a cache: two thirds of what pip would compile.
.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("opsproof needs Python 3.11 to 3.13, this is " + sys.version.split()[0] if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-compile --no-build-isolation --no-deps -e .
	-$(BIN)/python -m compileall -qq -j 0 -x /ansible_collections/ .venv/lib src action_plugins filter_plugins library
	touch $@

demo: setup
	$(BIN)/python scripts/demo.py

lint: setup
	$(MAKE) --no-print-directory -j2 --output-sync=target lint-ansible lint-rest

lint-ansible: setup
	$(BIN)/ansible-lint --offline --strict --profile production

lint-rest: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .

test: setup lint
	mkdir -p build
	$(BIN)/python scripts/check_tools.py
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --junitxml build/junit.xml

bench: setup
	$(BIN)/python -m bench

bench-hardening: setup
	$(BIN)/python -m bench hardening

clean:
	-$(BIN)/winlab down
	-WINLAB_STATE=.lab-molecule $(BIN)/winlab down
	rm -rf build .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible .lab .lab-molecule

# For maintainers: writes requirements.lock anew from pyproject.toml; needs `uv` on the PATH.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --extra lab --extra dask --extra signatures --extra sm2 --extra dev pyproject.toml -o requirements.lock
