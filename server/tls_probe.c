/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls_probe.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/* Not without what ssl.h has configured. */
#include <wolfssl/quic.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <string.h>

/* ClientHello, the server's flight, Finished, and once more for a
   HelloRetryRequest. */
#define ROUNDS_MAX 3

#define GROUPS_COUNT 2

/* One end of the handshake; what it says, the other end hears. */
typedef struct side {
  WOLFSSL *ssl;
  struct side *peer;
  int done;
} side;

typedef struct probe {
  side client, server;
  const uint8_t *expected;
  /* The client saw a certificate; it was the one. */
  int seen, right;
} probe;

/* ---- CRYPTO frames without packets ---- */

static int on_secrets(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
                      const uint8_t *read_secret, const uint8_t *write_secret,
                      size_t len) {
  (void)ssl;
  (void)level;
  (void)read_secret;
  (void)write_secret;
  (void)len;
  return 1;
}

/* The peer only queues this; it is at rest while the other end works. */
static int on_handshake_data(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
                             const uint8_t *data, size_t len) {
  side *from = wolfSSL_get_app_data(ssl);

  return wolfSSL_provide_quic_data(from->peer->ssl, level, data, len) ==
         WOLFSSL_SUCCESS;
}

static int on_flush(WOLFSSL *ssl) {
  (void)ssl;
  return 1;
}

static int on_alert(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
                    uint8_t alert) {
  (void)ssl;
  (void)level;
  (void)alert;
  return 1;
}

static const WOLFSSL_QUIC_METHOD method = {on_secrets, on_handshake_data,
                                           on_flush, on_alert};

/* ---- The client ---- */

/* The hash is the whole of the verification, as for a browser that pins. */
static int on_certificate(int preverified, WOLFSSL_X509_STORE_CTX *store) {
  probe *p = store->userCtx;
  uint8_t sha256[CM_HASH_LEN];

  (void)preverified;
  if (store->totalCerts != 1 ||
      wc_Sha256Hash(store->certs[0].buffer, store->certs[0].length, sha256) !=
          0) {
    return 0;
  }
  p->seen = 1;
  p->right = memcmp(sha256, p->expected, CM_HASH_LEN) == 0;
  return p->right;
}

/* What an error of wolfSSL says.  Where memory fails it does not always say
   so, hence all that is no verdict must not be taken for one. */
static int verdict(const probe *p, int rv) {
  if ((p->seen && !p->right) || rv == VERIFY_SIGN_ERROR) {
    return TLS_ERR_REFUSED;
  }
  return rv == MEMORY_E || rv == MEMORY_ERROR ? TLS_ERR_NOMEM
                                              : TLS_ERR_HANDSHAKE;
}

/* Any will do: wolfSSL does not read what is in them. */
static const uint8_t transport_params[] = {0x01, 0x01, 0x1e};

static int prepare(side *s, side *peer, WOLFSSL *ssl) {
  s->ssl = ssl;
  s->peer = peer;
  return wolfSSL_set_app_data(ssl, s) == WOLFSSL_SUCCESS &&
                 wolfSSL_set_quic_method(ssl, &method) == WOLFSSL_SUCCESS &&
                 wolfSSL_set_quic_transport_params(ssl, transport_params,
                                                   sizeof(transport_params)) ==
                     WOLFSSL_SUCCESS
             ? 0
             : TLS_ERR_NOMEM;
}

static WOLFSSL_CTX *new_client_ctx(void) {
  int groups[GROUPS_COUNT] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1};
  WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());

  if (!ctx) {
    return NULL;
  }
  if (wolfSSL_CTX_set_quic_method(ctx, &method) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_groups(ctx, groups, GROUPS_COUNT) != WOLFSSL_SUCCESS) {
    wolfSSL_CTX_free(ctx);
    return NULL;
  }
  wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, on_certificate);
  return ctx;
}

static int new_client(probe *p, WOLFSSL_CTX *ctx, const char *alpn) {
  WOLFSSL *ssl = wolfSSL_new(ctx);

  if (!ssl) {
    return TLS_ERR_NOMEM;
  }
  wolfSSL_SetCertCbCtx(ssl, p);
  wolfSSL_set_connect_state(ssl);
  wolfSSL_set_quic_transport_version(
      ssl, NGTCP2_TLSEXT_QUIC_TRANSPORT_PARAMETERS_V1);
  if (prepare(&p->client, &p->server, ssl) != 0 ||
      wolfSSL_UseALPN(ssl, (char *)(uintptr_t)alpn, (unsigned)strlen(alpn),
                      WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) != WOLFSSL_SUCCESS) {
    wolfSSL_free(ssl);
    p->client.ssl = NULL;
    return TLS_ERR_NOMEM;
  }
  return 0;
}

/* ---- The handshake ---- */

/* 0 if the side is done or waits for the other. */
static int go_on(const probe *p, side *s) {
  int rv;

  if (s->done) {
    return 0;
  }
  rv = wolfSSL_quic_do_handshake(s->ssl);
  if (rv > 0) {
    s->done = 1;
    return 0;
  }
  rv = wolfSSL_get_error(s->ssl, rv);
  return rv == WOLFSSL_ERROR_WANT_READ ? 0 : verdict(p, rv);
}

static int shake_hands(probe *p) {
  int round, rv;

  for (round = 0; round < ROUNDS_MAX; ++round) {
    rv = go_on(p, &p->client);
    if (rv == 0) {
      rv = go_on(p, &p->server);
    }
    if (rv != 0) {
      return rv;
    }
    if (p->client.done && p->server.done) {
      return p->right ? 0 : TLS_ERR_REFUSED;
    }
  }
  return TLS_ERR_HANDSHAKE;
}

int tls_context_probe(tls_context *context, const uint8_t sha256[CM_HASH_LEN]) {
  probe p = {.expected = sha256};
  tls_session *session;
  WOLFSSL_CTX *ctx;
  size_t len;
  int rv;

  ctx = new_client_ctx();
  if (!ctx) {
    return TLS_ERR_NOMEM;
  }
  rv = new_client(&p, ctx, tls_context_alpn(context));
  if (rv != 0) {
    goto fail_ctx;
  }
  rv = tls_session_new(&session, context, &p.server);
  if (rv != 0) {
    goto fail_client;
  }
  rv = prepare(&p.server, &p.client, tls_session_native_handle(session));
  if (rv == 0) {
    rv = shake_hands(&p);
  }
  if (rv == 0) {
    tls_session_alpn(session, &len);
    rv = len ? 0 : TLS_ERR_HANDSHAKE;
  }
  tls_session_free(session);
fail_client:
  wolfSSL_free(p.client.ssl);
fail_ctx:
  wolfSSL_CTX_free(ctx);
  /* wolfSSL's queue of errors: nobody reads it. */
  wolfSSL_ERR_clear_error();
  return rv;
}
