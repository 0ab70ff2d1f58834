# SPDX-License-Identifier: Apache-2.0
#
# The one way in; `make help` lists the targets.  Each sets up the tools it
# needs (scripts/bootstrap.sh) and builds (scripts/build.mk) before it does its
# work; what is there already costs well under a second.  Progress goes to
# standard error: standard output belongs to the program that is run.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

ARGS ?=
# SANITIZE=1: what is native alone, under ASAN and UBSAN (serve, test, browser)
NATIVE := $(if $(SANITIZE),asan,native)
SANITIZED = $(if $(SANITIZE),env FORTNIGHT=build/asan/fortnight)

# What `make bundle` does without the app.
BUNDLED = $(filter --help --new-key% --verify% --app%,$(ARGS))

SETUP = exec scripts/bootstrap.sh $(1) >&2
BUILD = exec $(MAKE) -s -f scripts/build.mk $(if $(findstring -j,$(MAKEFLAGS)),,\
  -j$(shell nproc)) VARIANT=$(1) $(2) >&2
# The tools that were set up come first on the PATH of what is run.
WITH = eval "$$(sed -n 's/^NODE := \(.*\)/node=\1/p' build/tools.mk)" && exec

help:
	@echo 'usage: make TARGET [ARGS="..."]'
	@echo
	@sed -n 's/^## /  /p' Makefile

## run         Fortnight as an Isolated Web App, in Chromium
run:
	@$(call SETUP,wasm npm chromium)
	@$(call BUILD,wasm,program)
	@$(WITH) "$$node" scripts/run.mjs $(ARGS)

## bundle      the app as a signed bundle to install; ARGS="--key FILE"
bundle:
	@$(call SETUP,$(if $(BUNDLED),,wasm) npm)
	@$(if $(BUNDLED),,$(call BUILD,wasm,program))
	@$(WITH) "$$node" scripts/bundle.mjs $(ARGS)

## serve       the native appliance
serve:
	@$(call SETUP,$(NATIVE))
	@$(call BUILD,$(NATIVE),program)
	@exec build/$(NATIVE)/fortnight serve $(ARGS)

## serve-wasm  the WebAssembly appliance, on Node.js
serve-wasm:
	@$(call SETUP,wasm)
	@$(call BUILD,wasm,program)
	@$(WITH) "$$node" scripts/serve-wasm.mjs $(ARGS)

## test        all tests: C natively and as WebAssembly, JavaScript, browsers
test:
	@$(call SETUP,native asan wasm npm chromium firefox)
	@$(call BUILD,native)
	@$(call BUILD,asan,tests $(if $(SANITIZE),program))
	@$(call BUILD,wasm)
	@$(WITH) $(SANITIZED) "$$node" scripts/test.mjs \
	  $(if $(SANITIZE),asan browser) $(ARGS)

## unit        the unit tests alone (C and JavaScript)
unit:
	@$(call SETUP,native asan wasm npm)
	@$(call BUILD,native)
	@$(call BUILD,asan,tests)
	@$(call BUILD,wasm)
	@$(WITH) "$$node" scripts/test.mjs native asan wasm js

## browser     the end-to-end tests alone; ARGS go to tests/browser/main.mjs
browser:
	@$(call SETUP,native wasm npm chromium firefox)
	@$(call BUILD,native,program clock bench)
	@$(if $(SANITIZE),$(call BUILD,asan,program))
	@$(call BUILD,wasm,program)
	@$(WITH) $(SANITIZED) "$$node" tests/browser/main.mjs \
	  $(if $(SANITIZE),--server native) $(ARGS)

## sim         years of the certificates' life in many virtual worlds
sim:
	@$(call SETUP,native)
	@$(call BUILD,native,sim)
	@exec build/native/sim $(ARGS)

## coverage    lines and branches of certmgr/ that its tests reach
coverage:
	@$(call SETUP,native)
	@$(call BUILD,coverage,tests)
	@$(WITH) "$$node" scripts/coverage.mjs $(ARGS)

## bench       native, WebAssembly on Node.js and the web app side by side
bench:
	@$(call SETUP,native wasm npm chromium)
	@$(call BUILD,native,program bench)
	@$(call BUILD,wasm,program bench)
	@$(WITH) "$$node" tests/bench/main.mjs $(ARGS)

## fuzz        libFuzzer on all that peers send; ARGS="--target N --seconds N"
fuzz:
	@$(call SETUP,fuzz node)
	@$(call BUILD,fuzz,fuzz)
	@$(WITH) "$$node" scripts/fuzz.mjs $(ARGS)

## lint        formatting, warnings of gcc and clang, cppcheck, types of the JS
lint:
	@$(call SETUP,native wasm npm lint)
	@scripts/lint.sh

## format      formats the C sources
format:
	@$(call SETUP,lint)
	@find certmgr directsockets scripts server tests -name '*.[ch]' \
	  -exec clang-format -i {} +

## build       everything, natively and as WebAssembly; runs nothing
build: build-native build-wasm

build-native build-asan build-wasm: build-%:
	@$(call SETUP,$*)
	@$(call BUILD,$*)

# One file: make build/native/fortnight
build/%: FORCE
	@$(call SETUP,$(firstword $(subst /, ,$*)))
	@$(call BUILD,$(firstword $(subst /, ,$*)),$@)

## clean       removes what was built here; the cache of tools stays
clean:
	rm -rf build

FORCE:
.PHONY: FORCE bench browser build build-asan build-native build-wasm bundle \
  clean coverage format fuzz help lint run serve serve-wasm sim test unit
