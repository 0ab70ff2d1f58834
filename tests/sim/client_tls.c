/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "server/quic_crypto.h"
#include "tests/sim/client_internal.h"

/*
 * The pin is the whole of the verification: whatever wolfSSL finds wrong
 * (there is no authority, so it always finds something and always calls) is
 * overruled if the hash is right, and nothing saves a wrong one.
 */
static int verify(int preverify, WOLFSSL_X509_STORE_CTX *store) {
  sim_client *client = store->userCtx;
  uint8_t digest[WC_SHA256_DIGEST_SIZE];
  size_t i;

  (void)preverify;
  if (client == NULL || store->totalCerts < 1 || store->error_depth != 0) {
    return 0;
  }
  if (wc_Sha256Hash(store->certs[0].buffer, store->certs[0].length, digest) !=
      0) {
    return 0;
  }
  for (i = 0; i < client->config.nhashes; ++i) {
    if (memcmp(client->hashes[i], digest, sizeof(digest)) == 0) {
      memcpy(client->certificate, digest, sizeof(digest));
      client->certificate_seen = 1;
      return 1;
    }
  }
  return 0;
}

int sim_tls_new(sim_tls **ptls) {
  static int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1};
  sim_tls *tls = calloc(1, sizeof(*tls));

  if (tls == NULL) {
    return SIM_ERR_NOMEM;
  }
  if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
    goto fail_tls;
  }
  tls->ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
  if (tls->ctx == NULL) {
    goto fail_tls;
  }
  if (quic_crypto_configure(tls->ctx) != 0 ||
      wolfSSL_CTX_UseSessionTicket(tls->ctx) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set1_groups(tls->ctx, groups, 2) != WOLFSSL_SUCCESS) {
    goto fail_ctx;
  }
  wolfSSL_CTX_set_verify(tls->ctx, WOLFSSL_VERIFY_PEER, verify);
  *ptls = tls;
  return 0;

fail_ctx:
  wolfSSL_CTX_free(tls->ctx);
fail_tls:
  free(tls);
  return SIM_ERR_NOMEM;
}

void sim_tls_free(sim_tls *tls) {
  if (tls == NULL) {
    return;
  }
  wolfSSL_CTX_free(tls->ctx);
  free(tls);
}

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref) {
  sim_client *client = ref->user_data;

  return client->conn;
}

int sim_tls_attach(sim_client *client) {
  const char *name = client->config.server_name;
  char alpn[4096];
  size_t len = strlen(client->config.alpn);
  WOLFSSL *ssl;

  if (len >= sizeof(alpn)) {
    return SIM_ERR_INVALID;
  }
  /* wolfSSL cuts the list in pieces where it stands. */
  memcpy(alpn, client->config.alpn, len + 1);
  ssl = wolfSSL_new(client->config.tls->ctx);
  if (ssl == NULL) {
    return SIM_ERR_NOMEM;
  }
  client->conn_ref.get_conn = get_conn;
  client->conn_ref.user_data = client;
  wolfSSL_set_app_data(ssl, &client->conn_ref);
  wolfSSL_SetCertCbCtx(ssl, client);
  wolfSSL_set_connect_state(ssl);
  wolfSSL_set_quic_transport_version(
      ssl, NGTCP2_TLSEXT_QUIC_TRANSPORT_PARAMETERS_V1);
  if (len > 0 &&
      wolfSSL_UseALPN(ssl, alpn, (unsigned int)len,
                      WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) != WOLFSSL_SUCCESS) {
    wolfSSL_free(ssl);
    return SIM_ERR_INVALID;
  }
  if (name != NULL &&
      wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name,
                     (unsigned short)strlen(name)) != WOLFSSL_SUCCESS) {
    wolfSSL_free(ssl);
    return SIM_ERR_INVALID;
  }
  client->ssl = ssl;
  return 0;
}
