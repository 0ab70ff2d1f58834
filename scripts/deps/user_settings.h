/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wolfSSL as Fortnight wants it: TLS 1.3 for QUIC, P-256 certificates, and
 * nothing that a browser never asks for.  The library and everything that
 * includes its headers must see this same file; it is installed beside them.
 *
 * The one #if below is the platform's: wolfSSL takes all its configuration
 * from a single header, so here a file for each platform is not to be had.
 */
#ifndef FORTNIGHT_USER_SETTINGS_H
#define FORTNIGHT_USER_SETTINGS_H

/* Protocol: TLS 1.3 under QUIC (RFC 9001), no version before it. */
#define WOLFSSL_TLS13
#define WOLFSSL_NO_TLS12
#define NO_OLD_TLS
#define WOLFSSL_QUIC
#define WOLFSSL_EARLY_DATA
#define HAVE_SESSION_TICKET
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_ENCRYPT_THEN_MAC
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_EX_DATA
#define HAVE_EX_DATA_CRYPTO  /* wolfSSL_CTX_get_ex_new_index */
#define HAVE_SECRET_CALLBACK /* the key log */
#define OPENSSL_EXTRA        /* ngtcp2_crypto_wolfssl uses the EVP layer */

/*
 * The length a peer declares for a handshake message is allocated before
 * anything has been authenticated.  The default of 1 MiB would let 4 octets
 * of CRYPTO cost a mebibyte; a ClientHello of a browser is under 2 KiB.
 */
#define WOLFSSL_QUIC_MAX_RECORD_CAPACITY 16384

/* Algorithms. */
#define HAVE_AESGCM
/* Else the EVP layer copies each packet to a buffer of its own first. */
#define WOLFSSL_AESGCM_STREAM
#define HAVE_AES_ECB /* header protection */
#define WOLFSSL_AES_COUNTER
#define WOLFSSL_AES_DIRECT
#define GCM_TABLE_4BIT
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define HAVE_HKDF
#define HAVE_ECC
#define HAVE_ECC384
#define ECC_SHAMIR
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
/*
 * Else X25519 keys are made with a table of Ed25519's, and on x86-64 with AVX2
 * its fe_cmov_table_avx2 takes over what the upper half of YMM9 happens to
 * hold: after a P-256 operation every second key was wrong.
 */
#define WOLFSSL_CURVE25519_NOT_USE_ED25519
#define HAVE_FFDHE_2048
#define HAVE_DH_DEFAULT_PARAMS
#define WC_RSA_BLINDING
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define TFM_TIMING_RESISTANT
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define NO_DSA
#define NO_RC4
#define NO_MD4
#define NO_DES3

/* RFC 6979: a certificate made from the same inputs is the same octets. */
#define WOLFSSL_ECDSA_DETERMINISTIC_K

/* Making and reading certificates. */
#define WOLFSSL_CERT_GEN
#define WOLFSSL_CERT_EXT
#define WOLFSSL_ALT_NAMES
#define WOLFSSL_KEY_GEN
#define WOLFSSL_DER_TO_PEM
#define WOLFSSL_PEM_TO_DER
#define WOLFSSL_ENCRYPTED_KEYS
#define WOLFSSL_BASE64_ENCODE

/* Big numbers: single precision for P-256 and P-384. */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_SP_384

#define WC_NO_ASYNC_THREADING
#define HAVE_LIMITS_H 1
#define NO_WRITE_TEMP_FILES

/*
 * All randomness straight from the system (certmgr/random_posix.c and
 * random_web.c).  A generator of wolfSSL's own would be seeded, and tested,
 * several times for each handshake: its EVP layer makes one for each key that
 * HKDF derives.
 */
#ifndef __ASSEMBLER__
extern int cm_seed(unsigned char *out, unsigned int len);
#endif
#define CUSTOM_RAND_GENERATE_BLOCK cm_seed
#define CUSTOM_RAND_GENERATE_SEED cm_seed

/* tls13.c calls gettimeofday() and does not include this on every path. */
#ifndef __ASSEMBLER__
#include <sys/time.h>
#endif

#ifdef __EMSCRIPTEN__

/* I/O is ngtcp2's.  Not WOLFSSL_NO_SOCK, which takes types away that the
   library needs. */
#define WOLFSSL_USER_IO
#define NO_WRITEV
#define NO_FILESYSTEM
#define SINGLE_THREADED
#define SP_WORD_SIZE 32 /* 64 is slower on wasm32 */

#else /* native */

#define HAVE_PTHREAD 1
#define HAVE_THREAD_LS
#define WOLFSSL_GETRANDOM

#ifdef __x86_64__
#define WOLFSSL_X86_64_BUILD
#define WOLFSSL_USE_ALIGN
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#define HAVE___UINT128_T 1
/* WOLFSSL_CURVE25519_NOT_USE_ED25519 has it called without a declaration. */
#ifndef __ASSEMBLER__
extern int curve25519_base(unsigned char *pub, const unsigned char *priv);
#endif
#endif

#endif /* native */

#endif /* !defined(FORTNIGHT_USER_SETTINGS_H) */
