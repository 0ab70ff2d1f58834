/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC's cryptography (RFC 9001) over wolfCrypt: what ngtcp2's helper library
 * (ngtcp2_crypto.h, crypto/shared.c) asks of the library below it, in the place
 * of ngtcp2's own crypto/wolfssl, whose way by wolfSSL's EVP layer allocates
 * for each key that is derived and takes each packet through five calls.
 */
#ifndef SERVER_QUIC_CRYPTO_H
#define SERVER_QUIC_CRYPTO_H

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/* Not without what ssl.h has configured. */
#include <wolfssl/quic.h>

/* Has the TLS of |ctx| speak to ngtcp2: TLS 1.3 and no other version, and each
   WOLFSSL's app data is an ngtcp2_crypto_conn_ref.  0, or -1 for want of
   memory. */
int quic_crypto_configure(WOLFSSL_CTX *ctx);

#endif
