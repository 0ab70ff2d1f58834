# SPDX-License-Identifier: Apache-2.0
#
# The one way in.  `make help` lists the targets.  Everything here sets up its
# tools first (scripts/bootstrap.sh) and then builds (scripts/build.mk); what
# is there already costs well under a second.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

ARGS ?=
# The sanitized build stands in for the native one: make test SANITIZE=1
NATIVE := $(if $(SANITIZE),asan,native)

JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SETUP = @scripts/bootstrap.sh
BUILD = @$(MAKE) -f scripts/build.mk $(JOBS)

help:
	@echo 'usage: make TARGET [ARGS="..."]'
	@sed -n 's/^## //p' Makefile

## build       everything, natively and as WebAssembly
build: build-$(NATIVE) build-wasm

build-native build-asan build-wasm: build-%:
	$(SETUP) $* >&2
	$(BUILD) VARIANT=$* all >&2

build/%: FORCE
	$(SETUP) $(firstword $(subst /, ,$*)) >&2
	$(BUILD) VARIANT=$(firstword $(subst /, ,$*)) $@ >&2

## clean       removes build/; the cache of tools and libraries stays
clean:
	rm -rf build

FORCE:
.PHONY: help build build-native build-asan build-wasm clean FORCE
