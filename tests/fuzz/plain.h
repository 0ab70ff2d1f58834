/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC in the clear: what libFuzzer invents is not stopped by the first
 * authentication tag.  The linker puts the functions of plain.c in the place
 * of those of tls.c and of ngtcp2's crypto library (FUZZ_WRAPPED in build.mk);
 * ngtcp2 and all that is above it are as they always are.
 *
 * A packet in the clear has its header as it is, its payload as it is, and a
 * tag of FUZZ_TAG_LEN octets that passes unless the last one is 0xff.
 *
 * A handshake in the clear is: the client's transport parameters as they are
 * (RFC 9000 section 18) in CRYPTO of an Initial; then any octets in CRYPTO of a
 * Handshake packet.
 */
#ifndef TESTS_FUZZ_PLAIN_H
#define TESTS_FUZZ_PLAIN_H

#define FUZZ_TAG_LEN 16

typedef enum fuzz_plain_mode {
  /* Real TLS, real protection. */
  FUZZ_PLAIN_NOTHING,
  /* Real TLS, packets in the clear.  A tls_context is never freed: it serves
     all inputs. */
  FUZZ_PLAIN_PACKETS,
  /* No TLS at all: a tls_context is anything that is not NULL. */
  FUZZ_PLAIN_ALL
} fuzz_plain_mode;

/* Holds for connections to come; none may be there.  |alpn|: the protocol that
   handshakes in the clear agree on, static. */
void fuzz_plain(fuzz_plain_mode mode, const char *alpn);

#endif
