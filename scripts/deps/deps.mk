# SPDX-License-Identifier: Apache-2.0
#
# Builds the third-party libraries statically, with plain rules: their own
# build systems probe for a minute what is known here, and wolfSSL's would
# silently drop settings of ours.  Called by scripts/bootstrap.sh:
#
#   make -f scripts/deps/deps.mk SRC=… PREFIX=… CC=… AR=… CFLAGS=…
#
# SRC holds the unpacked sources, one folder each, named without version.
# PREFIX gets lib/, include/, licenses/ and, while it runs, obj/.

.DELETE_ON_ERROR:
.SECONDEXPANSION:

HERE := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
O := $(PREFIX)/obj
I := $(PREFIX)/include
L := $(PREFIX)/lib

MACHINE := $(shell $(CC) -dumpmachine)
X86_64 := $(findstring x86_64,$(MACHINE))
LINUX := $(findstring linux,$(MACHINE))

WOLFCRYPT := $(wildcard $(SRC)/wolfssl/wolfcrypt/src/*.c)
# Included by other files, or for builds of another kind.
WOLFCRYPT_NOT := evp misc async fips fips_test selftest wolfcrypt_first \
  wolfcrypt_last
WOLFSSL_ASM := aes_asm aes_gcm_asm chacha_asm poly1305_asm sha256_asm \
  sha512_asm sp_x86_64_asm fe_x25519_asm

libwolfssl := \
  $(addprefix $(SRC)/wolfssl/src/,crl.c internal.c keys.c ocsp.c quic.c \
    ssl.c tls.c tls13.c wolfio.c) \
  $(filter-out $(WOLFCRYPT_NOT:%=$(SRC)/wolfssl/wolfcrypt/src/%.c),$(WOLFCRYPT)) \
  $(if $(X86_64),$(WOLFSSL_ASM:%=$(SRC)/wolfssl/wolfcrypt/src/%.S))
libngtcp2 := $(wildcard $(SRC)/ngtcp2/lib/*.c)
libngtcp2_crypto_wolfssl := $(SRC)/ngtcp2/crypto/shared.c \
  $(SRC)/ngtcp2/crypto/wolfssl/wolfssl.c
libnghttp3 := $(wildcard $(SRC)/nghttp3/lib/*.c) \
  $(SRC)/nghttp3/lib/sfparse/sfparse.c
libcjson := $(SRC)/cjson/cJSON.c
libcmocka := $(SRC)/cmocka/src/cmocka.c
libmicrohttpd := $(addprefix $(SRC)/libmicrohttpd/src/microhttpd/, \
  connection.c daemon.c internal.c memorypool.c mhd_compat.c mhd_itc.c \
  mhd_mono_clock.c mhd_panic.c mhd_send.c mhd_sockets.c mhd_str.c \
  mhd_threads.c reason_phrase.c response.c)

LIBS := libwolfssl libngtcp2 libngtcp2_crypto_wolfssl libnghttp3 libcjson \
  libcmocka $(if $(LINUX),libmicrohttpd)

# What configure would have found out, on Linux and on Emscripten alike.
HAVE := -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_UNISTD_H \
  -DHAVE_ENDIAN_H -DHAVE_BYTESWAP_H -DHAVE_DECL_BE64TOH=1 \
  -DHAVE_DECL_BSWAP_64=1 -DHAVE_EXPLICIT_BZERO
HAVE_CMOCKA := -DHAVE_ASSERT_H -DHAVE_INTTYPES_H -DHAVE_MALLOC_H \
  -DHAVE_SETJMP_H -DHAVE_SIGNAL_H -DHAVE_STDINT_H -DHAVE_STDIO_H \
  -DHAVE_STDLIB_H -DHAVE_STRINGS_H -DHAVE_STRING_H -DHAVE_SYS_STAT_H \
  -DHAVE_SYS_TYPES_H -DHAVE_TIME_H -DHAVE_UNISTD_H -DHAVE_STRUCT_TIMESPEC \
  -DHAVE_UINTPTR_T -DHAVE_STRSIGNAL -DHAVE_CLOCK_GETTIME \
  -DHAVE_CLOCK_REALTIME -DHAVE_GCC_THREAD_LOCAL_STORAGE \
  -DWORDS_SIZEOF_VOID_P=__SIZEOF_POINTER__

CPPFLAGS_libwolfssl := -DBUILDING_WOLFSSL -I$(SRC)/wolfssl
CPPFLAGS_libngtcp2 := $(HAVE) -DBUILDING_NGTCP2 -I$(SRC)/ngtcp2/lib \
  -I$(SRC)/ngtcp2/lib/includes
CPPFLAGS_libngtcp2_crypto_wolfssl := $(CPPFLAGS_libngtcp2) \
  -I$(SRC)/ngtcp2/crypto/includes -I$(SRC)/ngtcp2/crypto -I$(SRC)/wolfssl
CPPFLAGS_libnghttp3 := $(HAVE) -DBUILDING_NGHTTP3 -I$(SRC)/nghttp3/lib \
  -I$(SRC)/nghttp3/lib/includes
CPPFLAGS_libcjson :=
CPPFLAGS_libcmocka := $(HAVE_CMOCKA) -I$(SRC)/cmocka/include
# Upstream's own flags.
CPPFLAGS_libmicrohttpd := -fno-strict-aliasing -DNDEBUG -DBUILDING_MHD_LIB \
  -I$(SRC)/libmicrohttpd/src/include

all: $(LIBS:%=$(L)/%.a) headers licenses

define library
$(L)/$(1).a: $(patsubst $(SRC)/%,$(O)/%.o,$($(1)))
	@mkdir -p $$(@D)
	rm -f $$@
	$(AR) qcs $$@ $$^
$(patsubst $(SRC)/%,$(O)/%.o,$($(1))): CPPFLAGS := $(CPPFLAGS_$(1))
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

ifneq ($(X86_64),)
$(O)/wolfssl/wolfcrypt/src/aes.c.o: override CFLAGS += -maes -msse4.1 -mpclmul
endif

# What gcc 14 makes of them by itself.
ERRORS := $(addprefix -Werror=,implicit-function-declaration implicit-int \
  int-conversion incompatible-pointer-types)

# The assertions' file names are the same on every machine.
$(O)/%.o: $(SRC)/%
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(ERRORS) -fmacro-prefix-map=$(SRC)/= -DWOLFSSL_USER_SETTINGS \
	  -I$(HERE) $(CPPFLAGS) -c $< -o $@

headers:
	mkdir -p $I/cjson $I/wolfssl
	cp -R $(SRC)/wolfssl/wolfssl/. $I/wolfssl/
	find $I/wolfssl -type f ! -name '*.h' -delete
	cp $(HERE)/user_settings.h $I/
	cp $(HERE)/wolfssl/options.h $I/wolfssl/
	cp -R $(SRC)/ngtcp2/lib/includes/ngtcp2 $(SRC)/ngtcp2/crypto/includes/ngtcp2 \
	  $(SRC)/nghttp3/lib/includes/nghttp3 $I/
	cp $(SRC)/cjson/cJSON.h $I/cjson/
	cp $(SRC)/cmocka/include/*.h $I/
	cp $(SRC)/libmicrohttpd/src/include/microhttpd.h $I/

# The terms of what a program of ours is linked with.
licenses: $(patsubst %,$(PREFIX)/licenses/%.txt, \
  cjson libmicrohttpd nghttp3 ngtcp2 wolfssl)

$(PREFIX)/licenses/%.txt: $$(wildcard $$(addprefix $(SRC)/$$*/, \
  LICENS* COPYING* lib/sfparse/COPYING))
	@mkdir -p $(@D)
	cat $(if $^,$^,$(error no license of $*)) >$@

.PHONY: all headers licenses
