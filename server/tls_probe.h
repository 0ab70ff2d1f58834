/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves a TLS context before anybody is served with it: a whole TLS 1.3
 * handshake for QUIC (RFC 9001 section 4), in memory, against a client of our
 * own.
 */
#ifndef SERVER_TLS_PROBE_H
#define SERVER_TLS_PROBE_H

#include "server/tls.h"

#include <stdint.h>

/*
 * Does one handshake with |context|, offering all its protocols, as a browser
 * does that was given |sha256| in serverCertificateHashes: both sides finish,
 * the certificate's DER has that SHA-256, its CertificateVerify is right
 * (RFC 8446 section 4.4.3), and a protocol was agreed on.  Dates and names are
 * not looked at; see cm_x509_check() for those.  No packets, no clock, nothing
 * is kept.
 *
 * Returns 0, or TLS_ERR_REFUSED: the certificate is another, or the key does
 * not belong to it.  TLS_ERR_NOMEM and TLS_ERR_HANDSHAKE say nothing about the
 * certificate.
 */
int tls_context_probe(tls_context *context, const uint8_t sha256[CM_HASH_LEN]);

#endif
