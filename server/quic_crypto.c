/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic_crypto.h"

#include "certmgr/random.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/kdf.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <string.h>

#define NONCE_LEN 12
#define TAG_LEN 16
#define HP_MASK_LEN 5

/* Packets that may be protected, or fail to be unprotected, with one key (RFC
   9001 section 6.6). */
#define GCM_ENCRYPTIONS_MAX (UINT64_C(1) << 23)
#define GCM_FAILURES_MAX (UINT64_C(1) << 52)
#define CHACHA_ENCRYPTIONS_MAX (UINT64_C(1) << 62)
#define CHACHA_FAILURES_MAX (UINT64_C(1) << 36)

/* An AEAD, and the cipher of header protection that belongs to it. */
typedef struct suite {
  size_t keylen;
  int is_chacha;
} suite;

static const suite aes_128_gcm = {16, 0}, aes_256_gcm = {32, 0},
                   chacha20_poly1305 = {32, 1};

typedef struct digest {
  int type;
  size_t len;
} digest;

static const digest sha256 = {WC_SHA256, WC_SHA256_DIGEST_SIZE},
                    sha384 = {WC_SHA384, WC_SHA384_DIGEST_SIZE};

/* A key: of an AEAD, or of header protection. */
typedef struct key {
  int is_chacha;
  union {
    Aes aes;
    uint8_t chacha[CHACHA20_POLY1305_AEAD_KEYSIZE];
  } of;
} key;

/* ---- What shared.c asks, and ngtcp2_crypto.h does not declare ---- */

ngtcp2_crypto_ctx *ngtcp2_crypto_ctx_initial(ngtcp2_crypto_ctx *ctx);
ngtcp2_crypto_aead *ngtcp2_crypto_aead_init(ngtcp2_crypto_aead *aead,
                                            void *aead_native_handle);
ngtcp2_crypto_aead *ngtcp2_crypto_aead_retry(ngtcp2_crypto_aead *aead);
ngtcp2_crypto_aead *ngtcp2_crypto_aead_aes_128_gcm(ngtcp2_crypto_aead *aead);
ngtcp2_crypto_md *ngtcp2_crypto_md_sha256(ngtcp2_crypto_md *md);
int ngtcp2_crypto_cipher_ctx_encrypt_init(ngtcp2_crypto_cipher_ctx *cipher_ctx,
                                          const ngtcp2_crypto_cipher *cipher,
                                          const uint8_t *secret);
void ngtcp2_crypto_cipher_ctx_free(ngtcp2_crypto_cipher_ctx *cipher_ctx);
int ngtcp2_crypto_set_local_transport_params(void *tls, const uint8_t *buf,
                                             size_t len);
int ngtcp2_crypto_set_remote_transport_params(ngtcp2_conn *conn, void *tls);
int ngtcp2_crypto_random(uint8_t *data, size_t datalen);

/* ---- Suites ---- */

static void *handle_of(const void *descriptor) {
  return (void *)(uintptr_t)descriptor;
}

ngtcp2_crypto_aead *ngtcp2_crypto_aead_init(ngtcp2_crypto_aead *aead,
                                            void *aead_native_handle) {
  aead->native_handle = aead_native_handle;
  aead->max_overhead = TAG_LEN;
  return aead;
}

ngtcp2_crypto_aead *ngtcp2_crypto_aead_aes_128_gcm(ngtcp2_crypto_aead *aead) {
  return ngtcp2_crypto_aead_init(aead, handle_of(&aes_128_gcm));
}

ngtcp2_crypto_aead *ngtcp2_crypto_aead_retry(ngtcp2_crypto_aead *aead) {
  return ngtcp2_crypto_aead_aes_128_gcm(aead);
}

ngtcp2_crypto_md *ngtcp2_crypto_md_sha256(ngtcp2_crypto_md *md) {
  md->native_handle = handle_of(&sha256);
  return md;
}

static void set_suite(ngtcp2_crypto_ctx *ctx, const suite *s, const digest *d) {
  ngtcp2_crypto_aead_init(&ctx->aead, handle_of(s));
  ctx->md.native_handle = handle_of(d);
  ctx->hp.native_handle = handle_of(s);
}

ngtcp2_crypto_ctx *ngtcp2_crypto_ctx_initial(ngtcp2_crypto_ctx *ctx) {
  set_suite(ctx, &aes_128_gcm, &sha256);
  ctx->max_encryption = 0;
  ctx->max_decryption_failure = 0;
  return ctx;
}

ngtcp2_crypto_ctx *ngtcp2_crypto_ctx_tls(ngtcp2_crypto_ctx *ctx,
                                         void *tls_native_handle) {
  const WOLFSSL_CIPHER *cipher = wolfSSL_get_current_cipher(tls_native_handle);

  /* RFC 8446 appendix B.4 */
  switch (wolfSSL_CIPHER_get_id(cipher) & 0xffff) {
  case 0x1301:
    set_suite(ctx, &aes_128_gcm, &sha256);
    break;
  case 0x1302:
    set_suite(ctx, &aes_256_gcm, &sha384);
    break;
  case 0x1303:
    set_suite(ctx, &chacha20_poly1305, &sha256);
    ctx->max_encryption = CHACHA_ENCRYPTIONS_MAX;
    ctx->max_decryption_failure = CHACHA_FAILURES_MAX;
    return ctx;
  default:
    return NULL;
  }
  ctx->max_encryption = GCM_ENCRYPTIONS_MAX;
  ctx->max_decryption_failure = GCM_FAILURES_MAX;
  return ctx;
}

ngtcp2_crypto_ctx *ngtcp2_crypto_ctx_tls_early(ngtcp2_crypto_ctx *ctx,
                                               void *tls_native_handle) {
  return ngtcp2_crypto_ctx_tls(ctx, tls_native_handle);
}

size_t ngtcp2_crypto_md_hashlen(const ngtcp2_crypto_md *md) {
  return ((const digest *)md->native_handle)->len;
}

size_t ngtcp2_crypto_aead_keylen(const ngtcp2_crypto_aead *aead) {
  return ((const suite *)aead->native_handle)->keylen;
}

size_t ngtcp2_crypto_aead_noncelen(const ngtcp2_crypto_aead *aead) {
  (void)aead;
  return NONCE_LEN;
}

/* ---- Keys ---- */

static void free_key(key *k) {
  if (!k) {
    return;
  }
  if (!k->is_chacha) {
    wc_AesFree(&k->of.aes);
  }
  wc_ForceZero(k, sizeof(*k));
  XFREE(k, NULL, DYNAMIC_TYPE_AES);
}

/* The key |secret| of |s|: for whole packets, or (|header|) for their headers.
   NULL for want of memory. */
static key *new_key(const suite *s, const uint8_t *secret, int header) {
  key *k = XMALLOC(sizeof(*k), NULL, DYNAMIC_TYPE_AES);
  word32 len = (word32)s->keylen;
  int rv;

  if (!k) {
    return NULL;
  }
  memset(k, 0, sizeof(*k));
  k->is_chacha = s->is_chacha;
  if (s->is_chacha) {
    memcpy(k->of.chacha, secret, sizeof(k->of.chacha));
    return k;
  }
  rv = wc_AesInit(&k->of.aes, NULL, INVALID_DEVID);
  if (rv == 0) {
    rv = header
             ? wc_AesSetKeyDirect(&k->of.aes, secret, len, NULL, AES_ENCRYPTION)
             : wc_AesGcmSetKey(&k->of.aes, secret, len);
  }
  if (rv != 0) {
    free_key(k);
    return NULL;
  }
  return k;
}

int ngtcp2_crypto_aead_ctx_encrypt_init(ngtcp2_crypto_aead_ctx *aead_ctx,
                                        const ngtcp2_crypto_aead *aead,
                                        const uint8_t *secret,
                                        size_t noncelen) {
  (void)noncelen;
  aead_ctx->native_handle = new_key(aead->native_handle, secret, 0);
  return aead_ctx->native_handle ? 0 : -1;
}

int ngtcp2_crypto_aead_ctx_decrypt_init(ngtcp2_crypto_aead_ctx *aead_ctx,
                                        const ngtcp2_crypto_aead *aead,
                                        const uint8_t *secret,
                                        size_t noncelen) {
  return ngtcp2_crypto_aead_ctx_encrypt_init(aead_ctx, aead, secret, noncelen);
}

void ngtcp2_crypto_aead_ctx_free(ngtcp2_crypto_aead_ctx *aead_ctx) {
  free_key(aead_ctx->native_handle);
}

int ngtcp2_crypto_cipher_ctx_encrypt_init(ngtcp2_crypto_cipher_ctx *cipher_ctx,
                                          const ngtcp2_crypto_cipher *cipher,
                                          const uint8_t *secret) {
  cipher_ctx->native_handle = new_key(cipher->native_handle, secret, 1);
  return cipher_ctx->native_handle ? 0 : -1;
}

void ngtcp2_crypto_cipher_ctx_free(ngtcp2_crypto_cipher_ctx *cipher_ctx) {
  free_key(cipher_ctx->native_handle);
}

/* ---- HKDF (RFC 5869) ---- */

int ngtcp2_crypto_hkdf_extract(uint8_t *dest, const ngtcp2_crypto_md *md,
                               const uint8_t *secret, size_t secretlen,
                               const uint8_t *salt, size_t saltlen) {
  const digest *d = md->native_handle;

  return wc_HKDF_Extract(d->type, salt, (word32)saltlen, secret,
                         (word32)secretlen, dest) == 0
             ? 0
             : -1;
}

int ngtcp2_crypto_hkdf_expand(uint8_t *dest, size_t destlen,
                              const ngtcp2_crypto_md *md, const uint8_t *secret,
                              size_t secretlen, const uint8_t *info,
                              size_t infolen) {
  const digest *d = md->native_handle;

  return wc_HKDF_Expand(d->type, secret, (word32)secretlen, info,
                        (word32)infolen, dest, (word32)destlen) == 0
             ? 0
             : -1;
}

int ngtcp2_crypto_hkdf(uint8_t *dest, size_t destlen,
                       const ngtcp2_crypto_md *md, const uint8_t *secret,
                       size_t secretlen, const uint8_t *salt, size_t saltlen,
                       const uint8_t *info, size_t infolen) {
  const digest *d = md->native_handle;

  return wc_HKDF(d->type, secret, (word32)secretlen, salt, (word32)saltlen,
                 info, (word32)infolen, dest, (word32)destlen) == 0
             ? 0
             : -1;
}

/* ---- Packets (RFC 9001 section 5) ---- */

int ngtcp2_crypto_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                          const ngtcp2_crypto_aead_ctx *aead_ctx,
                          const uint8_t *plaintext, size_t plaintextlen,
                          const uint8_t *nonce, size_t noncelen,
                          const uint8_t *aad, size_t aadlen) {
  key *k = aead_ctx->native_handle;
  word32 len = (word32)plaintextlen;
  int rv;

  (void)aead;
  rv = k->is_chacha ? wc_ChaCha20Poly1305_Encrypt(k->of.chacha, nonce, aad,
                                                  (word32)aadlen, plaintext,
                                                  len, dest, dest + len)
                    : wc_AesGcmEncrypt(&k->of.aes, dest, plaintext, len, nonce,
                                       (word32)noncelen, dest + len, TAG_LEN,
                                       aad, (word32)aadlen);
  return rv == 0 ? 0 : -1;
}

int ngtcp2_crypto_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                          const ngtcp2_crypto_aead_ctx *aead_ctx,
                          const uint8_t *ciphertext, size_t ciphertextlen,
                          const uint8_t *nonce, size_t noncelen,
                          const uint8_t *aad, size_t aadlen) {
  key *k = aead_ctx->native_handle;
  word32 len;
  int rv;

  (void)aead;
  if (ciphertextlen < TAG_LEN) {
    return -1;
  }
  len = (word32)(ciphertextlen - TAG_LEN);
  rv = k->is_chacha ? wc_ChaCha20Poly1305_Decrypt(k->of.chacha, nonce, aad,
                                                  (word32)aadlen, ciphertext,
                                                  len, ciphertext + len, dest)
                    : wc_AesGcmDecrypt(&k->of.aes, dest, ciphertext, len, nonce,
                                       (word32)noncelen, ciphertext + len,
                                       TAG_LEN, aad, (word32)aadlen);
  return rv == 0 ? 0 : -1;
}

int ngtcp2_crypto_hp_mask(uint8_t *dest, const ngtcp2_crypto_cipher *hp,
                          const ngtcp2_crypto_cipher_ctx *hp_ctx,
                          const uint8_t *sample) {
  static const uint8_t zeros[HP_MASK_LEN];
  key *k = hp_ctx->native_handle;
  ChaCha chacha;
  int rv;

  (void)hp;
  if (!k->is_chacha) {
    return wc_AesEncryptDirect(&k->of.aes, dest, sample) == 0 ? 0 : -1;
  }
  /* The sample is the block's number and the nonce (section 5.4.4). */
  rv = wc_Chacha_SetKey(&chacha, k->of.chacha, sizeof(k->of.chacha));
  if (rv == 0) {
    rv = wc_Chacha_SetIV(&chacha, sample + 4,
                         (word32)sample[0] | (word32)sample[1] << 8 |
                             (word32)sample[2] << 16 | (word32)sample[3] << 24);
  }
  if (rv == 0) {
    rv = wc_Chacha_Process(&chacha, dest, zeros, sizeof(zeros));
  }
  wc_ForceZero(&chacha, sizeof(chacha));
  return rv == 0 ? 0 : -1;
}

/* ---- Randomness ---- */

int ngtcp2_crypto_random(uint8_t *data, size_t datalen) {
  return cm_random_system.fill(cm_random_system.user, data, datalen) == 0 ? 0
                                                                          : -1;
}

int ngtcp2_crypto_get_path_challenge_data_cb(ngtcp2_conn *conn, uint8_t *data,
                                             void *user_data) {
  (void)conn;
  (void)user_data;
  return ngtcp2_crypto_random(data, NGTCP2_PATH_CHALLENGE_DATALEN) == 0
             ? 0
             : NGTCP2_ERR_CALLBACK_FAILURE;
}

int ngtcp2_crypto_get_path_challenge_data2_cb(ngtcp2_conn *conn,
                                              ngtcp2_path_challenge_data *data,
                                              void *user_data) {
  return ngtcp2_crypto_get_path_challenge_data_cb(conn, data->data, user_data);
}

/* ---- TLS (RFC 9001 section 4) ---- */

static const struct {
  WOLFSSL_ENCRYPTION_LEVEL tls;
  ngtcp2_encryption_level quic;
} levels[] = {{wolfssl_encryption_initial, NGTCP2_ENCRYPTION_LEVEL_INITIAL},
              {wolfssl_encryption_early_data, NGTCP2_ENCRYPTION_LEVEL_0RTT},
              {wolfssl_encryption_handshake, NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE},
              {wolfssl_encryption_application, NGTCP2_ENCRYPTION_LEVEL_1RTT}};

#define NLEVELS (sizeof(levels) / sizeof(levels[0]))

static ngtcp2_encryption_level level_of_quic(WOLFSSL_ENCRYPTION_LEVEL level) {
  size_t i = 0;

  while (i + 1 < NLEVELS && levels[i].tls != level) {
    ++i;
  }
  return levels[i].quic;
}

static WOLFSSL_ENCRYPTION_LEVEL level_of_tls(ngtcp2_encryption_level level) {
  size_t i = 0;

  while (i + 1 < NLEVELS && levels[i].quic != level) {
    ++i;
  }
  return levels[i].tls;
}

static ngtcp2_conn *conn_of(WOLFSSL *ssl) {
  ngtcp2_crypto_conn_ref *ref = wolfSSL_get_app_data(ssl);

  return ref->get_conn(ref);
}

static int on_secrets(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL tls_level,
                      const uint8_t *read_secret, const uint8_t *write_secret,
                      size_t len) {
  ngtcp2_encryption_level level = level_of_quic(tls_level);
  ngtcp2_conn *conn = conn_of(ssl);

  return (!read_secret ||
          ngtcp2_crypto_derive_and_install_rx_key(conn, NULL, NULL, NULL, level,
                                                  read_secret, len) == 0) &&
         (!write_secret ||
          ngtcp2_crypto_derive_and_install_tx_key(conn, NULL, NULL, NULL, level,
                                                  write_secret, len) == 0);
}

static int on_handshake_data(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
                             const uint8_t *data, size_t len) {
  ngtcp2_conn *conn = conn_of(ssl);
  int rv =
      ngtcp2_conn_submit_crypto_data(conn, level_of_quic(level), data, len);

  if (rv != 0) {
    ngtcp2_conn_set_tls_error(conn, rv);
  }
  return rv == 0;
}

static int on_flush(WOLFSSL *ssl) {
  (void)ssl;
  return 1;
}

static int on_alert(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
                    uint8_t alert) {
  (void)level;
  ngtcp2_conn_set_tls_alert(conn_of(ssl), alert);
  return 1;
}

static const WOLFSSL_QUIC_METHOD method = {on_secrets, on_handshake_data,
                                           on_flush, on_alert};

int quic_crypto_configure(WOLFSSL_CTX *ctx) {
  return wolfSSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ==
                     WOLFSSL_SUCCESS &&
                 wolfSSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ==
                     WOLFSSL_SUCCESS &&
                 wolfSSL_CTX_set_quic_method(ctx, &method) == WOLFSSL_SUCCESS
             ? 0
             : -1;
}

/* Whether |rv| of |ssl| is no failure: it waits for the peer. */
static int is_waiting(WOLFSSL *ssl, int rv) {
  int error = wolfSSL_get_error(ssl, rv);

  return error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE;
}

int ngtcp2_crypto_read_write_crypto_data(ngtcp2_conn *conn,
                                         ngtcp2_encryption_level level,
                                         const uint8_t *data, size_t datalen) {
  WOLFSSL *ssl = ngtcp2_conn_get_tls_native_handle2(conn);
  int rv;

  if (datalen > 0 && wolfSSL_provide_quic_data(ssl, level_of_tls(level), data,
                                               datalen) != WOLFSSL_SUCCESS) {
    return -1;
  }
  if (!ngtcp2_conn_get_handshake_completed2(conn)) {
    rv = wolfSSL_quic_do_handshake(ssl);
    if (rv <= 0) {
      return is_waiting(ssl, rv) ? 0 : -1;
    }
    ngtcp2_conn_tls_handshake_completed(conn);
  }
  rv = wolfSSL_process_quic_post_handshake(ssl);
  return rv == WOLFSSL_SUCCESS || is_waiting(ssl, rv) ? 0 : -1;
}

int ngtcp2_crypto_set_remote_transport_params(ngtcp2_conn *conn, void *tls) {
  const uint8_t *params;
  size_t len;
  int rv;

  wolfSSL_get_peer_quic_transport_params(tls, &params, &len);
  rv = ngtcp2_conn_decode_and_set_remote_transport_params(conn, params, len);
  if (rv != 0) {
    ngtcp2_conn_set_tls_error(conn, rv);
    return -1;
  }
  return 0;
}

int ngtcp2_crypto_set_local_transport_params(void *tls, const uint8_t *buf,
                                             size_t len) {
  return wolfSSL_set_quic_transport_params(tls, buf, len) == WOLFSSL_SUCCESS
             ? 0
             : -1;
}
