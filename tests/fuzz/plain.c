/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/plain.h"

#include "server/tls.h"
#include "tests/fuzz/fuzz.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <stdlib.h>
#include <string.h>

#define IV_LEN 12
#define SECRET_LEN 32
/* RFC 8446 section 6. */
#define ALERT_UNEXPECTED_MESSAGE 10

typedef struct plain_session {
  int stage;
} plain_session;

static fuzz_plain_mode mode;
static const char *protocol = "";

static const uint8_t zeros[64];

void fuzz_plain(fuzz_plain_mode new_mode, const char *alpn) {
  mode = new_mode;
  protocol = alpn;
}

static ngtcp2_crypto_ctx context(void) {
  ngtcp2_crypto_ctx ctx;

  memset(&ctx, 0, sizeof(ctx));
  ctx.aead.max_overhead = FUZZ_TAG_LEN;
  ctx.max_encryption = UINT64_C(1) << 23;
  ctx.max_decryption_failure = UINT64_C(1) << 36;
  return ctx;
}

/* ---- Instead of TLS ---- */

/* The names are the linker's. */
int __real_tls_session_new(tls_session **psession, tls_context *tls,
                           void *conn_ref);
int __wrap_tls_session_new(tls_session **psession, tls_context *tls,
                           void *conn_ref);
void __real_tls_session_free(tls_session *session);
void __wrap_tls_session_free(tls_session *session);
void __real_tls_session_finish(tls_session *session);
void __wrap_tls_session_finish(tls_session *session);
void *__real_tls_session_native_handle(tls_session *session);
void *__wrap_tls_session_native_handle(tls_session *session);
const char *__real_tls_session_alpn(tls_session *session, size_t *len);
const char *__wrap_tls_session_alpn(tls_session *session, size_t *len);
const uint8_t *__real_tls_session_certificate_hash(const tls_session *session);
const uint8_t *__wrap_tls_session_certificate_hash(const tls_session *session);
void __real_tls_context_unref(tls_context *tls);
void __wrap_tls_context_unref(tls_context *tls);

int __wrap_tls_session_new(tls_session **psession, tls_context *tls,
                           void *conn_ref) {
  if (mode != FUZZ_PLAIN_ALL) {
    return __real_tls_session_new(psession, tls, conn_ref);
  }
  *psession = calloc(1, sizeof(plain_session));
  return *psession ? 0 : TLS_ERR_NOMEM;
}

void __wrap_tls_session_free(tls_session *session) {
  if (mode != FUZZ_PLAIN_ALL) {
    __real_tls_session_free(session);
  } else {
    free(session);
  }
}

void __wrap_tls_session_finish(tls_session *session) {
  if (mode != FUZZ_PLAIN_ALL) {
    __real_tls_session_finish(session);
  }
}
void *__wrap_tls_session_native_handle(tls_session *session) {
  return mode != FUZZ_PLAIN_ALL ? __real_tls_session_native_handle(session)
                                : session;
}

const char *__wrap_tls_session_alpn(tls_session *session, size_t *len) {
  if (mode != FUZZ_PLAIN_ALL) {
    return __real_tls_session_alpn(session, len);
  }
  *len = strlen(protocol);
  return protocol;
}

const uint8_t *__wrap_tls_session_certificate_hash(const tls_session *session) {
  return mode != FUZZ_PLAIN_ALL ? __real_tls_session_certificate_hash(session)
                                : zeros;
}

void __wrap_tls_context_unref(tls_context *tls) {
  if (mode == FUZZ_PLAIN_NOTHING) {
    __real_tls_context_unref(tls);
  }
}

/* ---- Instead of keys ---- */

int __real_ngtcp2_crypto_recv_client_initial_cb(ngtcp2_conn *conn,
                                                const ngtcp2_cid *dcid,
                                                void *user_data);
int __wrap_ngtcp2_crypto_recv_client_initial_cb(ngtcp2_conn *conn,
                                                const ngtcp2_cid *dcid,
                                                void *user_data);
int __real_ngtcp2_crypto_version_negotiation_cb(ngtcp2_conn *conn,
                                                uint32_t version,
                                                const ngtcp2_cid *client_dcid,
                                                void *user_data);
int __wrap_ngtcp2_crypto_version_negotiation_cb(ngtcp2_conn *conn,
                                                uint32_t version,
                                                const ngtcp2_cid *client_dcid,
                                                void *user_data);
int __real_ngtcp2_crypto_recv_crypto_data_cb(ngtcp2_conn *conn,
                                             ngtcp2_encryption_level level,
                                             uint64_t offset,
                                             const uint8_t *data, size_t len,
                                             void *user_data);
int __wrap_ngtcp2_crypto_recv_crypto_data_cb(ngtcp2_conn *conn,
                                             ngtcp2_encryption_level level,
                                             uint64_t offset,
                                             const uint8_t *data, size_t len,
                                             void *user_data);

int __wrap_ngtcp2_crypto_recv_client_initial_cb(ngtcp2_conn *conn,
                                                const ngtcp2_cid *dcid,
                                                void *user_data) {
  const ngtcp2_crypto_aead_ctx aead = {NULL};
  const ngtcp2_crypto_cipher_ctx hp = {NULL};
  ngtcp2_crypto_ctx ctx = context();

  if (mode != FUZZ_PLAIN_ALL) {
    return __real_ngtcp2_crypto_recv_client_initial_cb(conn, dcid, user_data);
  }
  ngtcp2_conn_set_initial_crypto_ctx(conn, &ctx);
  return ngtcp2_conn_install_initial_key(conn, &aead, zeros, &hp, &aead, zeros,
                                         &hp, IV_LEN) == 0
             ? 0
             : NGTCP2_ERR_CALLBACK_FAILURE;
}

int __wrap_ngtcp2_crypto_version_negotiation_cb(ngtcp2_conn *conn,
                                                uint32_t version,
                                                const ngtcp2_cid *client_dcid,
                                                void *user_data) {
  const ngtcp2_crypto_aead_ctx aead = {NULL};
  const ngtcp2_crypto_cipher_ctx hp = {NULL};

  if (mode != FUZZ_PLAIN_ALL) {
    return __real_ngtcp2_crypto_version_negotiation_cb(conn, version,
                                                       client_dcid, user_data);
  }
  return ngtcp2_conn_install_vneg_initial_key(conn, version, &aead, zeros, &hp,
                                              &aead, zeros, &hp, IV_LEN) == 0
             ? 0
             : NGTCP2_ERR_CALLBACK_FAILURE;
}

/* The client has told its transport parameters: all that the server says. */
static int answer(ngtcp2_conn *conn, const uint8_t *params, size_t len) {
  const ngtcp2_crypto_aead_ctx aead = {NULL};
  const ngtcp2_crypto_cipher_ctx hp = {NULL};
  ngtcp2_crypto_ctx ctx = context();
  /* About as long as a certificate and what goes with it. */
  static const uint8_t flight[700];
  int rv =
      ngtcp2_conn_decode_and_set_remote_transport_params(conn, params, len);

  if (rv != 0) {
    ngtcp2_conn_set_tls_error(conn, rv);
    return rv;
  }
  ngtcp2_conn_set_crypto_ctx(conn, &ctx);
  if (ngtcp2_conn_install_rx_handshake_key(conn, &aead, zeros, IV_LEN, &hp) !=
          0 ||
      ngtcp2_conn_install_tx_handshake_key(conn, &aead, zeros, IV_LEN, &hp) !=
          0 ||
      ngtcp2_conn_submit_crypto_data(conn, NGTCP2_ENCRYPTION_LEVEL_INITIAL,
                                     flight, 90) != 0 ||
      ngtcp2_conn_submit_crypto_data(conn, NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE,
                                     flight, sizeof(flight)) != 0 ||
      ngtcp2_conn_install_tx_key(conn, zeros, SECRET_LEN, &aead, zeros, IV_LEN,
                                 &hp) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return 0;
}

int __wrap_ngtcp2_crypto_recv_crypto_data_cb(ngtcp2_conn *conn,
                                             ngtcp2_encryption_level level,
                                             uint64_t offset,
                                             const uint8_t *data, size_t len,
                                             void *user_data) {
  const ngtcp2_crypto_aead_ctx aead = {NULL};
  const ngtcp2_crypto_cipher_ctx hp = {NULL};
  plain_session *session;

  if (mode != FUZZ_PLAIN_ALL) {
    return __real_ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data,
                                                    len, user_data);
  }
  session = ngtcp2_conn_get_tls_native_handle2(conn);
  if (session->stage == 0 && level == NGTCP2_ENCRYPTION_LEVEL_INITIAL) {
    session->stage = 1;
    return answer(conn, data, len);
  }
  if (session->stage == 1 && level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE) {
    session->stage = 2;
    if (ngtcp2_conn_install_rx_key(conn, zeros, SECRET_LEN, &aead, zeros,
                                   IV_LEN, &hp) != 0) {
      return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    ngtcp2_conn_tls_handshake_completed(conn);
    return 0;
  }
  ngtcp2_conn_set_tls_alert(conn, ALERT_UNEXPECTED_MESSAGE);
  return NGTCP2_ERR_CRYPTO;
}

int __real_ngtcp2_crypto_update_key_cb(
    ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
    ngtcp2_crypto_aead_ctx *rx_aead_ctx, uint8_t *rx_iv,
    ngtcp2_crypto_aead_ctx *tx_aead_ctx, uint8_t *tx_iv,
    const uint8_t *current_rx_secret, const uint8_t *current_tx_secret,
    size_t secretlen, void *user_data);
int __wrap_ngtcp2_crypto_update_key_cb(
    ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
    ngtcp2_crypto_aead_ctx *rx_aead_ctx, uint8_t *rx_iv,
    ngtcp2_crypto_aead_ctx *tx_aead_ctx, uint8_t *tx_iv,
    const uint8_t *current_rx_secret, const uint8_t *current_tx_secret,
    size_t secretlen, void *user_data);

int __wrap_ngtcp2_crypto_update_key_cb(
    ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
    ngtcp2_crypto_aead_ctx *rx_aead_ctx, uint8_t *rx_iv,
    ngtcp2_crypto_aead_ctx *tx_aead_ctx, uint8_t *tx_iv,
    const uint8_t *current_rx_secret, const uint8_t *current_tx_secret,
    size_t secretlen, void *user_data) {
  if (mode != FUZZ_PLAIN_ALL) {
    return __real_ngtcp2_crypto_update_key_cb(
        conn, rx_secret, tx_secret, rx_aead_ctx, rx_iv, tx_aead_ctx, tx_iv,
        current_rx_secret, current_tx_secret, secretlen, user_data);
  }
  memset(rx_secret, 0, secretlen);
  memset(tx_secret, 0, secretlen);
  memset(rx_iv, 0, IV_LEN);
  memset(tx_iv, 0, IV_LEN);
  rx_aead_ctx->native_handle = NULL;
  tx_aead_ctx->native_handle = NULL;
  return 0;
}

/* ---- Instead of protection ---- */

int __real_ngtcp2_crypto_encrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *plaintext,
                                    size_t plaintextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen);
int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *plaintext,
                                    size_t plaintextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen);
int __real_ngtcp2_crypto_decrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *ciphertext,
                                    size_t ciphertextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen);
int __wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *ciphertext,
                                    size_t ciphertextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen);
int __real_ngtcp2_crypto_hp_mask_cb(uint8_t *dest,
                                    const ngtcp2_crypto_cipher *hp,
                                    const ngtcp2_crypto_cipher_ctx *hp_ctx,
                                    const uint8_t *sample);
int __wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dest,
                                    const ngtcp2_crypto_cipher *hp,
                                    const ngtcp2_crypto_cipher_ctx *hp_ctx,
                                    const uint8_t *sample);

int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *plaintext,
                                    size_t plaintextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen) {
  if (mode == FUZZ_PLAIN_NOTHING) {
    return __real_ngtcp2_crypto_encrypt_cb(dest, aead, aead_ctx, plaintext,
                                           plaintextlen, nonce, noncelen, aad,
                                           aadlen);
  }
  FUZZ_CHECK(aead->max_overhead == FUZZ_TAG_LEN);
  if (plaintextlen) {
    memmove(dest, plaintext, plaintextlen);
  }
  memset(dest + plaintextlen, 0, FUZZ_TAG_LEN);
  return 0;
}

int __wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dest,
                                    const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *aead_ctx,
                                    const uint8_t *ciphertext,
                                    size_t ciphertextlen, const uint8_t *nonce,
                                    size_t noncelen, const uint8_t *aad,
                                    size_t aadlen) {
  if (mode == FUZZ_PLAIN_NOTHING) {
    return __real_ngtcp2_crypto_decrypt_cb(dest, aead, aead_ctx, ciphertext,
                                           ciphertextlen, nonce, noncelen, aad,
                                           aadlen);
  }
  if (ciphertextlen < FUZZ_TAG_LEN || ciphertext[ciphertextlen - 1] == 0xff) {
    return NGTCP2_ERR_DECRYPT;
  }
  if (ciphertextlen > FUZZ_TAG_LEN) {
    memmove(dest, ciphertext, ciphertextlen - FUZZ_TAG_LEN);
  }
  return 0;
}

int __wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dest,
                                    const ngtcp2_crypto_cipher *hp,
                                    const ngtcp2_crypto_cipher_ctx *hp_ctx,
                                    const uint8_t *sample) {
  if (mode == FUZZ_PLAIN_NOTHING) {
    return __real_ngtcp2_crypto_hp_mask_cb(dest, hp, hp_ctx, sample);
  }
  memset(dest, 0, NGTCP2_HP_SAMPLELEN);
  return 0;
}
