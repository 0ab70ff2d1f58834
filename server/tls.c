/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls.h"

#include "server/quic_crypto.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdlib.h>
#include <string.h>

#define ALPN_MAX 64
#define GROUPS_COUNT 2
/* The TLS extension quic_transport_parameters (RFC 9001 section 8.2). */
#define QUIC_TRANSPORT_PARAMETERS 0x39

struct tls_context {
  WOLFSSL_CTX *ctx;
  /* The creator's reference and one for each session. */
  size_t references;
  tls_keylog keylog;
  void *keylog_user;
  uint8_t certificate_hash[CM_HASH_LEN];
  char alpn[ALPN_MAX];
};

struct tls_session {
  WOLFSSL *ssl;
  tls_context *context;
};

/* The context that a WOLFSSL belongs to, for the key log. */
static int ex_index = -1;

int tls_startup(void) {
  if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
    return TLS_ERR_REFUSED;
  }
  if (ex_index < 0) {
    ex_index = wolfSSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  }
  if (ex_index < 0) {
    wolfSSL_Cleanup();
    return TLS_ERR_REFUSED;
  }
  return 0;
}

void tls_cleanup(void) { wolfSSL_Cleanup(); }

static void on_keylog(const WOLFSSL *ssl, const char *line) {
  const tls_context *context =
      wolfSSL_CTX_get_ex_data(wolfSSL_get_SSL_CTX(ssl), ex_index);

  if (context && context->keylog) {
    context->keylog(context->keylog_user, line);
  }
}

/* What wolfSSL says to a certificate or key.  Without memory it may say that a
   "file" was bad. */
static int taken(int rv) {
  if (rv == WOLFSSL_SUCCESS) {
    return 0;
  }
  return rv == MEMORY_E || rv == WOLFSSL_BAD_FILE ? TLS_ERR_NOMEM
                                                  : TLS_ERR_REFUSED;
}

int tls_context_new(tls_context **pcontext, const cm_certificate *certificate,
                    const tls_config *config) {
  static const char *const ciphers[] = {
      [TLS_PREFER_AES_GCM] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"
                             "TLS13-CHACHA20-POLY1305-SHA256",
      [TLS_PREFER_CHACHA20_POLY1305] =
          "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256:"
          "TLS13-AES256-GCM-SHA384"};
  int groups[GROUPS_COUNT] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1};
  tls_context *context;
  int rv;

  *pcontext = NULL;
  if (strlen(config->alpn) >= ALPN_MAX) {
    return TLS_ERR_REFUSED;
  }
  context = calloc(1, sizeof(*context));
  if (!context) {
    return TLS_ERR_NOMEM;
  }
  context->references = 1;
  context->keylog = config->keylog;
  context->keylog_user = config->keylog_user;
  memcpy(context->certificate_hash, certificate->sha256, CM_HASH_LEN);
  strcpy(context->alpn, config->alpn);

  context->ctx = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
  if (!context->ctx) {
    free(context);
    return TLS_ERR_NOMEM;
  }
  rv = TLS_ERR_NOMEM;
  if (quic_crypto_configure(context->ctx) != 0 ||
      wolfSSL_CTX_set_ex_data(context->ctx, ex_index, context) !=
          WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_cipher_list(context->ctx, ciphers[config->prefer]) !=
          WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_groups(context->ctx, groups, GROUPS_COUNT) !=
          WOLFSSL_SUCCESS ||
      /* Tickets stay off: see the header. */
      wolfSSL_CTX_no_ticket_TLSv13(context->ctx) != 0) {
    goto fail;
  }
  rv = taken(wolfSSL_CTX_use_certificate_buffer(context->ctx, certificate->der,
                                                (long)certificate->der_len,
                                                WOLFSSL_FILETYPE_ASN1));
  if (rv != 0) {
    goto fail;
  }
  rv = taken(wolfSSL_CTX_use_PrivateKey_buffer(
      context->ctx, certificate->key_der, (long)certificate->key_der_len,
      WOLFSSL_FILETYPE_ASN1));
  if (rv != 0) {
    goto fail;
  }
  wolfSSL_CTX_set_verify(context->ctx, WOLFSSL_VERIFY_NONE, NULL);
  if (config->keylog) {
    wolfSSL_CTX_set_keylog_callback(context->ctx, on_keylog);
  }
  *pcontext = context;
  return 0;

fail:
  tls_context_unref(context);
  return rv;
}

tls_context *tls_context_ref(tls_context *context) {
  ++context->references;
  return context;
}

int tls_context_is_shared(const tls_context *context) {
  return context->references > 1;
}

void tls_context_unref(tls_context *context) {
  if (context && --context->references == 0) {
    wolfSSL_CTX_free(context->ctx);
    free(context);
  }
}

const char *tls_context_alpn(const tls_context *context) {
  return context->alpn;
}

const uint8_t *tls_context_certificate_hash(const tls_context *context) {
  return context->certificate_hash;
}

int tls_session_new(tls_session **psession, tls_context *context,
                    void *conn_ref) {
  tls_session *session = calloc(1, sizeof(*session));

  *psession = NULL;
  if (!session) {
    return TLS_ERR_NOMEM;
  }
  session->ssl = wolfSSL_new(context->ctx);
  if (!session->ssl) {
    free(session);
    return TLS_ERR_NOMEM;
  }
  session->context = context;
  ++context->references;
  if (wolfSSL_set_app_data(session->ssl, conn_ref) != WOLFSSL_SUCCESS ||
      /* wolfSSL never calls the ALPN selection callback of a context in this
         build, so the list is given to each session. */
      wolfSSL_UseALPN(session->ssl, context->alpn,
                      (unsigned)strlen(context->alpn),
                      WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS) {
    tls_session_free(session);
    return TLS_ERR_NOMEM;
  }
  wolfSSL_set_accept_state(session->ssl);
  wolfSSL_set_quic_transport_version(session->ssl, QUIC_TRANSPORT_PARAMETERS);
  *psession = session;
  return 0;
}

void tls_session_free(tls_session *session) {
  if (!session) {
    return;
  }
  wolfSSL_free(session->ssl);
  tls_context_unref(session->context);
  free(session);
}

void tls_session_finish(tls_session *session) {
  wolfSSL_free(session->ssl);
  session->ssl = NULL;
}

void *tls_session_native_handle(tls_session *session) { return session->ssl; }

const char *tls_session_alpn(tls_session *session, size_t *len) {
  char *name = NULL;
  unsigned short n = 0;

  if (!session->ssl ||
      wolfSSL_ALPN_GetProtocol(session->ssl, &name, &n) != WOLFSSL_SUCCESS ||
      !name) {
    *len = 0;
    return "";
  }
  *len = n;
  return name;
}

const uint8_t *tls_session_certificate_hash(const tls_session *session) {
  return session->context->certificate_hash;
}
