# Two commands: `make demo` builds four cluster images offline from stand-ins, `make test` runs every test and linter.
# Each makes its own .venv; PYTHON chooses the interpreter (3.11 or newer).

PYTHON ?= python3
VARIABLES = k8s cri platform cni flavor name kubefile context args ignore overlay mirror compression offline locked debug
CHOSEN = $(foreach name,$(VARIABLES),$(if $($(name)),$(name)=$($(name))))

.PHONY: help demo build test test-slow cluster bench clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: .venv/ready ## build v1.22.15 from the embedded upstream: no network, no root, no Docker
	.venv/bin/doit build mirror=embedded

build: .venv/ready ## make build k8s=v1.22.15 [cri=… platform=… cni=… name=… mirror=…]
	.venv/bin/doit build $(CHOSEN)

test: .venv/tests ## run the tests, the linters among them
	.venv/bin/python -m pytest -m "not slow and not cluster"

test-slow: .venv/tests ## run the tests on real binaries, built once from Debian's sources
	.venv/bin/python -m pytest -m slow

cluster: .venv/tests ## boot nodes from real images, as sealer and sealos do: root, systemd-nspawn, no network
	.venv/bin/python -m pytest -m cluster -q --capture=no --tb=line

bench: .venv/ready ## measure against peers and write benchmarks/RESULTS.md: about 20 minutes, 14 GB [ONLY=saving|packing|building RUNS=3]
	.venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS))

clean: ## remove what was built, and the .venv
	rm -rf _build dist .venv

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("clusterimage needs Python 3.11 or newer: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/ready: pyproject.toml | .venv/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/tests: pyproject.toml | .venv/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ .venv/ready
