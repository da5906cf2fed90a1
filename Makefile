# Two commands: `make demo` builds four cluster images offline from stand-ins, `make test` runs every test and linter.
# Each makes its own .venv; PYTHON chooses the interpreter (3.11 or newer), JOBS how many tests run at once.
# What goes into .venv is pinned by version and hash in requirements/; `make requirements` refreshes it.

PYTHON ?= python3
JOBS ?= $(shell nproc)
VARIABLES = k8s cri platform cni flavor name kubefile context args ignore overlay mirror compression offline locked debug
CHOSEN = $(foreach variable,$(VARIABLES),$(if $($(variable)),$(variable)=$($(variable))))

PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check
# The project itself: all that it needs, the build backend too, is there from a pinned file.
INSTALL_PROJECT = $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
# One file for every Python from 3.11 on and every platform.
COMPILE = .venv/bin/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	--upgrade --quiet --custom-compile-command 'make requirements'

.PHONY: help demo build test test-slow cluster cluster-all bench requirements clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: .venv/ready ## build v1.22.15 from the embedded upstream: no network, no root, no Docker
	.venv/bin/doit build mirror=embedded

build: .venv/ready ## make build k8s=v1.22.15 [cri=… platform=… cni=… name=… mirror=…]
	.venv/bin/doit build $(CHOSEN)

test: .venv/tests ## run the tests, the linters among them
	.venv/bin/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow and not cluster"

test-slow: .venv/tests ## run the tests on real binaries, built once from Debian's sources
	.venv/bin/python -m pytest -m slow

cluster: .venv/tests ## boot nodes from real images, as sealer and sealos do: root, no network; the commit's sample
	CLUSTERIMAGE_SAMPLE=1 .venv/bin/python -m pytest -m cluster -q --capture=no --tb=line

cluster-all: .venv/tests ## the same with every case: both releases, flavors and runtimes
	.venv/bin/python -m pytest -m cluster -q --capture=no --tb=line

bench: .venv/ready ## measure against peers and write benchmarks/RESULTS.md: about 20 minutes, 14 GB [ONLY=saving|packing|building RUNS=3]
	.venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS))

requirements: .venv/python ## pin the newest dependencies that pyproject.toml allows, with hashes, in requirements/
	$(PIP_INSTALL) 'uv>=0.9,<1'
	$(COMPILE) --extra test --output-file requirements/test.txt
	$(COMPILE) --constraint requirements/test.txt --output-file requirements/run.txt

clean: ## remove what was built, and the .venv
	rm -rf _build dist .venv

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("clusterimage needs Python 3.11 or newer: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/ready: pyproject.toml requirements/run.txt | .venv/python
	$(PIP_INSTALL) --require-hashes --requirement requirements/run.txt
	$(INSTALL_PROJECT)
	@touch $@

.venv/tests: pyproject.toml requirements/test.txt | .venv/python
	$(PIP_INSTALL) --require-hashes --requirement requirements/test.txt
	$(INSTALL_PROJECT)
	@touch $@ .venv/ready
