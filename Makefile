# make install   an environment with everything in it (.venv, or the one that is active), checked at the end
# make table     baseline against ELMo on the sample; TASKS=sst5 and TABLE_ARGS=... choose otherwise
# make table PROFILE=open    the table of the results in results/, and which runs it still lacks; RUN=1 does them: hours
# make test      all that needs no network, no GPU and no licensed data
# make test-real what needs ../shared or takes long
# make lint      ruff, mypy and import-linter alone
#
# make install TORCH_ARGS='--index-url ...' takes torch from elsewhere, for example from its index of builds for the CPU.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell $(name) -V >/dev/null 2>&1 && echo $(name))))
ALLENNLP := allennlp==2.10.1

# conda's base environment is active all day on many machines without being meant.
ifdef VIRTUAL_ENV
ENVIRONMENT := $(VIRTUAL_ENV)
else ifneq ($(filter-out base,$(CONDA_DEFAULT_ENV)),)
ENVIRONMENT := $(CONDA_PREFIX)
else
ENVIRONMENT := .venv
endif
BIN := $(ENVIRONMENT)/bin
PIP := "$(BIN)/python" -m pip --disable-pip-version-check install -qq

# What is installed is remembered in the environment: by which recipe, and from which checkout.
STAMP := $(ENVIRONMENT)/elmo-tasks.installed
WANTED = $(shell cat requirements.txt setup.py pyproject.toml Makefile | cksum) $(CURDIR)
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# One thread in each process: the tests are two processes, and more threads than cores slow all of them down.
export OMP_NUM_THREADS ?= 1

# The steps of an installation follow each other, with `make -j` too; the tests divide themselves.
.NOTPARALLEL:
.PHONY: install installed environment packages check table test test-real lint

install: installed check

installed:
	@[ "$$(cat "$(STAMP)" 2>/dev/null)" = "$(WANTED)" ] || $(MAKE) --no-print-directory environment packages

environment:
	@if [ ! -x "$(BIN)/python" ]; then \
	    [ -n "$(PYTHON)" ] || { echo "No python3 was found: install Python 3.11, 3.12 or 3.13."; exit 1; }; \
	    $(PYTHON) -c '$(IS_SUPPORTED)' || { \
	        echo "$(PYTHON) is $$($(PYTHON) -V), but Python 3.11 to 3.13 is needed: run 'make install PYTHON=/path/to/python3.11'."; \
	        exit 1; }; \
	    echo "making the environment $(ENVIRONMENT) with $$($(PYTHON) -V)"; \
	    $(PYTHON) -m venv "$(ENVIRONMENT)" || { \
	        echo "That failed. On Debian and Ubuntu it needs the package python3-venv (or python3.11-venv)."; \
	        rm -rf "$(ENVIRONMENT)"; exit 1; }; \
	fi
	@"$(BIN)/python" -c '$(IS_SUPPORTED)' || { \
	    echo "$(ENVIRONMENT) holds $$("$(BIN)/python" -V), but Python 3.11 to 3.13 is needed: remove or deactivate it," \
	         "and run 'make install PYTHON=/path/to/python3.11'."; exit 1; }
	@"$(BIN)/python" -m pip --version >/dev/null 2>&1 || { \
	    echo "$(ENVIRONMENT) has no pip: run '$(BIN)/python -m ensurepip' and then this again."; exit 1; }

# AllenNLP comes last and without its dependencies: it demands torch<1.13, and pip would say so at every later step.
packages:
	@rm -f "$(STAMP)"
	@constraint=$$(mktemp); trap 'rm -f "$$constraint"' EXIT; \
	fail() { \
	    echo "That failed; pip's own words are above. It needs a network and free disk: 2.5 GB, or 8 GB where torch comes with CUDA. The same command goes on from here."; \
	    exit 1; }; \
	if torch=$$("$(BIN)/python" -c 'import torch; print(torch.__version__.partition("+")[0])' 2>/dev/null); then \
	    echo "1/4  torch $$torch is there and stays"; \
	else \
	    torch=$$(sed -n 's/^torch==\([^ ]*\).*/\1/p' requirements.txt); \
	    echo "1/4  torch $$torch (the largest download)"; \
	    $(PIP) $(TORCH_ARGS) "torch==$$torch" || fail; \
	fi; \
	echo "torch==$$torch" >"$$constraint"; \
	echo "2/4  what AllenNLP and the tests need (requirements.txt)"; \
	grep -v '^torch==' requirements.txt \
	    | $(PIP) --no-warn-conflicts --constraint "$$constraint" --requirement /dev/stdin || fail; \
	echo "3/4  $(ALLENNLP) itself"; \
	$(PIP) --no-deps $(ALLENNLP) || fail; \
	echo "4/4  this package, editable"; \
	$(PIP) --no-deps --no-build-isolation --editable . || fail
	@echo "$(WANTED)" >"$(STAMP)"

check:
	@"$(BIN)/elmo-tasks" check

table: installed
	@"$(BIN)/elmo-tasks" table $(if $(PROFILE),--profile $(PROFILE)) $(if $(TASKS),--tasks $(TASKS)) \
	    $(if $(RUN),,$(if $(filter-out sample,$(PROFILE)),--no-run)) $(TABLE_ARGS)

test: installed
	@"$(BIN)/python" -m pytest -n 2 --dist loadscope $(PYTEST_ARGS)

test-real: installed
	@"$(BIN)/python" -m pytest -m real $(PYTEST_ARGS)

lint: installed
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/ruff" check .
	@"$(BIN)/mypy"
	@"$(BIN)/lint-imports"
