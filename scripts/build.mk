# SPDX-License-Identifier: Apache-2.0
#
# Compiles and links everything of one variant below build/VARIANT:
#
#   make -f scripts/build.mk VARIANT=native|asan|coverage|fuzz|wasm [WERROR=1]
#     [GOAL...]
#
# Sources are found by their place and name, see CONTRIBUTING.md: a new file
# needs no entry here.  Called by the Makefile, which has set up the tools.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

include build/tools.mk

VARIANT ?= native
B := build/$(VARIANT)
TOOLS := $(VARIANT:coverage=native)
DEPS := $(DEPS_$(TOOLS))
CC := $(CC_$(TOOLS))
AR := $(AR_$(TOOLS))
LD := $(LD_$(TOOLS))
OTHER := $(if $(filter wasm,$(VARIANT)),posix,web)

comma := ,

# --- flags -------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
  -Wmissing-prototypes $(if $(WERROR),-Werror)
# HAVE_UINTPTR_T: cmocka.h would define the type again where <stdint.h> is musl's.
CPPFLAGS := -I. -isystem $(DEPS)/include -DWOLFSSL_USER_SETTINGS -DHAVE_UINTPTR_T
CFLAGS_native := -O2 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer
# Without optimization, a branch is one in the source.
CFLAGS_coverage := -O0 -g --coverage
CFLAGS_fuzz := $(patsubst -fsanitize=%,-fsanitize=fuzzer-no-link$(comma)%,\
  $(CFLAGS_asan))
CFLAGS_wasm := -O3
CFLAGS := -std=gnu11 $(CFLAGS_$(VARIANT)) $(WARNINGS)

LDFLAGS_native := -g
LDFLAGS_asan := -g -fsanitize=address,undefined
LDFLAGS_fuzz := -g -fsanitize=fuzzer,address,undefined
LDFLAGS_coverage := -g --coverage
LDLIBS_native := -pthread -lm
LDLIBS_asan := $(LDLIBS_native)
LDLIBS_fuzz := $(LDLIBS_native)
LDLIBS_coverage := $(LDLIBS_native)

THIRD_PARTY := $(addprefix $(DEPS)/lib/,libngtcp2_crypto_wolfssl.a \
  libngtcp2.a libnghttp3.a libwolfssl.a libcjson.a \
  $(if $(filter-out wasm,$(VARIANT)),libmicrohttpd.a))
CMOCKA := $(DEPS)/lib/libcmocka.a

# JavaScript that the WASM imports, and what every WASM link has in common.
# The pages' CSP forbids eval; the worker suspends by JSPI; there are no files.
# Binaryen has nothing to add to what clang has optimized: -O1 here is as fast
# as -O3, and links in one second instead of ten.
JS_LIBRARIES := $(wildcard directsockets/libdirectsockets.js \
  certmgr/libstore_web.js server/libappliance_web.js)
LDFLAGS_wasm := -Wno-experimental -sSTRICT -sSUPPORT_LONGJMP=wasm -sJSPI -sFILESYSTEM=0 \
  -sALLOW_MEMORY_GROWTH -sSTACK_SIZE=262144 -sMODULARIZE -sEXPORT_ES6 \
  -sDYNAMIC_EXECUTION=0 -sDEFAULT_TO_CXX=0 -sAUTO_NATIVE_LIBRARIES=0 \
  $(JS_LIBRARIES:%=--js-library %)
LDFLAGS_wasm_app := -O1 --no-entry -sENVIRONMENT=worker,node \
  -sEXPORTED_RUNTIME_METHODS=ccall,UTF8ToString,HEAPU8 \
  -sINCOMING_MODULE_JS_API=locateFile,wasmBinary,instantiateWasm,print,printErr,onAbort
LDFLAGS_wasm_test := -O1 -g -sENVIRONMENT=worker,node -sEXIT_RUNTIME \
  -sSTACK_OVERFLOW_CHECK=1 -sEXPORTED_RUNTIME_METHODS=ENV \
  -sINCOMING_MODULE_JS_API=preRun,print,printErr

# --- sources -----------------------------------------------------------------

PROGRAMS := server/main.c server/main_web.c directsockets/bare_echo.c \
  tests/sim/main_posix.c
found := $(wildcard certmgr/*.c server/*.c server/*/*.c) \
  $(if $(filter wasm,$(VARIANT)),$(wildcard directsockets/*.c))
found_sim := $(wildcard tests/sim/*.c)
for_us = $(filter-out %_$(OTHER).c %_$(OTHER)_test.c,$(1))

SOURCES := $(call for_us,$(filter-out $(PROGRAMS) %_test.c,$(found)))
SIM := $(call for_us,$(filter-out $(PROGRAMS) %_test.c,$(found_sim)))
TESTS := $(call for_us,$(filter %_test.c,$(found) $(found_sim)))
BENCH := $(wildcard tests/bench/*.c)
MAINS := $(wildcard $(if $(filter wasm,$(VARIANT)), \
  server/main_web.c directsockets/bare_echo.c, \
  server/main.c tests/sim/main_posix.c))
BENCH_SOURCES := $(if $(filter-out wasm,$(VARIANT)),$(BENCH))
# Each takes what a peer may send; as a test it takes its corpus alone.
FUZZ := $(if $(filter native asan fuzz,$(VARIANT)),$(wildcard \
  tests/fuzz/*_fuzz.c))
FUZZ_MAIN := tests/fuzz/replay.c
FUZZ_SOURCES := $(filter-out $(FUZZ) $(FUZZ_MAIN),$(if $(FUZZ),$(wildcard \
  tests/fuzz/*.c)))
# What tests/fuzz/plain.c stands in for, so that TLS is not in the way.
FUZZ_WRAPPED := $(addprefix ngtcp2_crypto_,recv_client_initial_cb \
  recv_crypto_data_cb encrypt_cb decrypt_cb hp_mask_cb update_key_cb \
  version_negotiation_cb) $(addprefix tls_,context_unref session_new \
  session_finish session_free session_native_handle session_alpn \
  session_certificate_hash)
# A clock that tests can move, and what tests that.
CLOCK := $(if $(filter-out wasm asan,$(VARIANT)),$(wildcard tests/clock/*.c))

objects = $(patsubst %.c,$(B)/%.o,$(1))

LIB := $(B)/libfortnight.a
LIBSIM := $(B)/libsim.a
LIBS := $(LIBSIM) $(LIB)

# --- what there is to make ---------------------------------------------------

EXE := $(if $(filter wasm,$(VARIANT)),.mjs)
TEST_PROGRAMS := $(TESTS:%.c=$(B)/%$(EXE))
ifeq ($(VARIANT),wasm)
PROGRAM := $(if $(wildcard server/main_web.c),$(B)/fortnight.mjs) $(B)/licenses.txt
BENCH_PROGRAMS := $(if $(wildcard directsockets/bare_echo.c),$(B)/bare_echo.mjs)
else
PROGRAM := $(if $(wildcard server/main.c),$(B)/fortnight)
TEST_PROGRAMS += $(FUZZ:%.c=$(B)/%)
BENCH_PROGRAMS := $(BENCH:tests/bench/%.c=$(B)/%)
SIM_PROGRAM := $(B)/sim
endif

all: lib program tests bench clock sim
fuzz: $(FUZZ:%.c=$(B)/%)
lib: $(LIBS)
program: $(PROGRAM)
tests: $(TEST_PROGRAMS)
bench: $(BENCH_PROGRAMS)
sim: $(SIM_PROGRAM)
clock: $(if $(CLOCK),$(B)/tests/clock/clock_posix.so $(B)/tests/clock/probe_posix)
# Every object of this variant, for the compiler's warnings (scripts/lint.sh).
objects: $(call objects,$(SOURCES) $(SIM) $(TESTS) $(MAINS) $(BENCH_SOURCES) \
  $(CLOCK) $(FUZZ) $(FUZZ_SOURCES) $(if $(FUZZ),$(FUZZ_MAIN)))
list-tests:
	@echo $(TEST_PROGRAMS)
.PHONY: all fuzz lib program tests bench clock sim objects list-tests

# --- rules -------------------------------------------------------------------

# record FILE TEXT: FILE is as new as the last change of TEXT.
record = $(if $(filter-out $(2),$(file <$(1)))$(filter-out $(file <$(1)),$(2)),$\
  $(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))

FLAGS := $(B)/flags
$(call record,$(FLAGS),$(CC) $(CPPFLAGS) $(CFLAGS))
LINK_FLAGS := $(B)/link-flags
$(call record,$(LINK_FLAGS),$(LDFLAGS_$(VARIANT)) $(LDLIBS_$(VARIANT)) \
  $(LDFLAGS_wasm_app) $(LDFLAGS_wasm_test))
MEMBERS := $(B)/members
$(call record,$(MEMBERS),$(SOURCES) $(SIM))

.SECONDARY:

$(B)/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(call objects,$(SOURCES)) $(MEMBERS)
	@echo "  AR    $@"
	@rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

$(LIBSIM): $(call objects,$(SIM)) $(MEMBERS)
	@echo "  AR    $@"
	@rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

needs := $(LIB) $(THIRD_PARTY) $(LINK_FLAGS)
link = @echo "  LINK  $@" && $(LD) $(LDFLAGS_$(VARIANT)) $(1) -o $@ \
  $(filter %.o %.a,$^) $(LIB) $(LDLIBS_$(VARIANT))

ifeq ($(VARIANT),wasm)

$(B)/%_test.mjs: $(B)/%_test.o $(CMOCKA) $(LIBSIM) $(needs) $(JS_LIBRARIES)
	$(call link,$(LDFLAGS_wasm_test))

$(B)/fortnight.mjs: $(B)/server/main_web.o $(needs) $(JS_LIBRARIES)
	$(call link,$(LDFLAGS_wasm_app) -sJSPI_EXPORTS=fortnight_run \
	  -sEXPORTED_FUNCTIONS=_fortnight_run,_malloc,_free)

# What goes with the WASM to whoever gets it.
$(B)/licenses.txt: $(patsubst %,$(DEPS)/licenses/%.txt, \
  cjson nghttp3 ngtcp2 wolfssl)
	@for file in $^; do \
	  printf '\n==== %s ====\n\n' "$$(basename $$file .txt)" && cat $$file || exit 1; \
	done >$@

$(B)/bare_echo.mjs: $(B)/directsockets/bare_echo.o $(needs) $(JS_LIBRARIES)
	$(call link,$(LDFLAGS_wasm_app) -sJSPI_EXPORTS=bare_echo_run \
	  -sEXPORTED_FUNCTIONS=_bare_echo_run,_malloc,_free)

else

# What a test puts in the place of the C library's functions.
comma := ,
WRAP := malloc calloc realloc free strdup
WRAPPING := $(B)/tests/sim/torture_posix_test \
  $(B)/tests/sim/torture_swap_posix_test $(B)/server/nomem_posix_test
$(B)/tests/sim/torture_posix_test: WRAP += openat open read pread write fsync \
  close renameat rename unlinkat fstat flock mkdir

$(WRAPPING): %: %.o $(CMOCKA) $(LIBSIM) $(needs)
	$(call link,$(WRAP:%=-Wl$(comma)--wrap=%))

$(B)/%_test: $(B)/%_test.o $(CMOCKA) $(LIBSIM) $(needs)
	$(call link)

# libFuzzer brings a main of its own.
$(B)/%_fuzz: $(B)/%_fuzz.o $(call objects,$(FUZZ_SOURCES) \
  $(if $(filter fuzz,$(VARIANT)),,$(FUZZ_MAIN))) $(LIBSIM) $(needs)
	$(call link,$(FUZZ_WRAPPED:%=-Wl,--wrap=%))

$(B)/fortnight: $(B)/server/main.o $(needs)
	$(call link)

$(BENCH_PROGRAMS): $(B)/%: $(B)/tests/bench/%.o $(LIBSIM) $(needs)
	$(call link)

$(B)/sim: $(B)/tests/sim/main_posix.o $(LIBSIM) $(needs)
	$(call link)

# For the tests of programs as they are, so without a sanitizer and in one piece.
$(B)/tests/clock/%.so: tests/clock/%.c $(FLAGS)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(CPPFLAGS) -std=gnu11 -O2 $(WARNINGS) -fPIC -shared $< -o $@

$(B)/tests/clock/probe_posix: $(B)/tests/clock/probe_posix.o
	@echo "  LINK  $@" && $(LD) $(LDFLAGS_$(VARIANT)) -o $@ $^

endif

-include $(patsubst %.c,$(B)/%.d,$(SOURCES) $(SIM) $(TESTS) $(BENCH) $(CLOCK) $(PROGRAMS) \
  $(FUZZ) $(FUZZ_SOURCES) $(FUZZ_MAIN))
