/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 for QUIC (RFC 9001), by wolfSSL.
 *
 * A context holds one certificate for ever: a live WOLFSSL_CTX is never given
 * another.  A swap builds a new context and lets go of the old one;
 * connections made under the old one keep it alive as long as they need it.
 *
 * Session tickets (RFC 8446 section 4.6.1) are off, and every handshake shows
 * the certificate.  Were they ever turned on, their keys would have their
 * place here, in each context and not beside it: a client that resumes never
 * sees the new certificate, so a key shared by two contexts lets it past a
 * swap.  They would rotate within the life of a context, and the keys of all
 * contexts would go at once on a revoke.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "certmgr/x509.h"

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>

typedef enum tls_error {
  TLS_ERR_NOMEM = -601,
  /* The certificate or the key is at fault, or the configuration. */
  TLS_ERR_REFUSED = -602,
  /* A handshake came to no end, for want of memory or of something in
     common. */
  TLS_ERR_HANDSHAKE = -603
} tls_error;

/* In what order the server prefers cipher suites. */
typedef enum tls_cipher_preference {
  TLS_PREFER_AES_GCM,          /* where AES has hardware */
  TLS_PREFER_CHACHA20_POLY1305 /* where it has none: WebAssembly */
} tls_cipher_preference;

/* Receives one line of the NSS key log format, without the newline. */
typedef void (*tls_keylog)(void *user, const char *line);

typedef struct tls_config {
  /* The protocols spoken: "h3,echo".  Of those that a client offers too, the
     one that it names first is taken; if there is none, it is refused with
     no_application_protocol (RFC 7301). */
  const char *alpn;
  tls_cipher_preference prefer;
  /* NULL: secrets are told to nobody. */
  tls_keylog keylog;
  void *keylog_user;
} tls_config;

typedef struct tls_context tls_context;
typedef struct tls_session tls_session;

/*
 * Starts and ends wolfSSL for the process.  tls_startup() is called before
 * everything else here.  TLS_ERR_REFUSED.
 */
int tls_startup(void);
void tls_cleanup(void);

/*
 * Builds a server context for |certificate|, which is copied; the strings of
 * |config| are copied too.  The caller has one reference.  Whether the key
 * belongs to the certificate is left to tls_context_probe().  TLS_ERR_NOMEM,
 * TLS_ERR_REFUSED.
 */
int tls_context_new(tls_context **pcontext, const cm_certificate *certificate,
                    const tls_config *config);

/* Gives the caller one more reference; returns |context|. */
tls_context *tls_context_ref(tls_context *context);

/* Whether the caller's is not the only reference: sessions are made under it,
   or will be. */
int tls_context_is_shared(const tls_context *context);

/* Gives the caller's reference back; NULL is allowed. */
void tls_context_unref(tls_context *context);

/* The protocols that it was made for: "h3,echo". */
const char *tls_context_alpn(const tls_context *context);
/* SHA-256 of the certificate that it serves. */
const uint8_t *tls_context_certificate_hash(const tls_context *context);

/*
 * Makes the server side of one handshake and ties it to |conn_ref|, which must
 * outlive it.  Holds a reference on |context|.  TLS_ERR_NOMEM.
 */
int tls_session_new(tls_session **psession, tls_context *context,
                    void *conn_ref);

/* NULL is allowed. */
void tls_session_free(tls_session *session);

/*
 * The handshake is complete, and the client may say nothing more to TLS: gives
 * most of the memory back.  The native handle is gone and the protocol
 * forgotten; the certificate's hash stays, and the reference.
 */
void tls_session_finish(tls_session *session);

/* What ngtcp2_conn_set_tls_native_handle() wants. */
void *tls_session_native_handle(tls_session *session);

/* The negotiated protocol, "" before ALPN is known and after
   tls_session_finish().  Not NUL-terminated. */
const char *tls_session_alpn(tls_session *session, size_t *len);

/* SHA-256 of the certificate that this handshake serves. */
const uint8_t *tls_session_certificate_hash(const tls_session *session);

#endif
