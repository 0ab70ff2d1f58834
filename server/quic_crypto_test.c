/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of RFC 9001, appendix A. */
#include "server/quic_crypto.h"

#include "tests/sim/check.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <stdio.h>
#include <string.h>

/* Of crypto/shared.c and below it. */
ngtcp2_crypto_ctx *ngtcp2_crypto_ctx_initial(ngtcp2_crypto_ctx *ctx);
int ngtcp2_crypto_derive_packet_protection_key(uint8_t *key, uint8_t *iv,
                                               uint8_t *hp, uint32_t version,
                                               const ngtcp2_crypto_aead *aead,
                                               const ngtcp2_crypto_md *md,
                                               const uint8_t *secret,
                                               size_t secretlen);
int ngtcp2_crypto_cipher_ctx_encrypt_init(ngtcp2_crypto_cipher_ctx *cipher_ctx,
                                          const ngtcp2_crypto_cipher *cipher,
                                          const uint8_t *key);
void ngtcp2_crypto_cipher_ctx_free(ngtcp2_crypto_cipher_ctx *cipher_ctx);

static size_t unhex(uint8_t *dest, const char *hex) {
  size_t n = strlen(hex) / 2, i;

  for (i = 0; i < n; ++i) {
    unsigned octet;

    assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
    dest[i] = (uint8_t)octet;
  }
  return n;
}

static void assert_octets(const uint8_t *octets, const char *hex) {
  uint8_t expected[64];
  size_t n = unhex(expected, hex);

  assert_memory_equal(octets, expected, n);
}

static void assert_keys(const ngtcp2_crypto_ctx *ctx, const char *secret,
                        const char *key, const char *iv, const char *hp) {
  uint8_t octets[64], k[32], v[12], h[32];
  size_t n = unhex(octets, secret);

  assert_int_equal(
      ngtcp2_crypto_derive_packet_protection_key(
          k, v, h, NGTCP2_PROTO_VER_V1, &ctx->aead, &ctx->md, octets, n),
      0);
  assert_octets(k, key);
  assert_octets(v, iv);
  assert_octets(h, hp);
}

static void assert_mask(const ngtcp2_crypto_ctx *ctx, const char *hp,
                        const char *sample, const char *mask) {
  ngtcp2_crypto_cipher_ctx cipher = {0};
  uint8_t key[32], in[16], out[16];

  unhex(key, hp);
  unhex(in, sample);
  assert_int_equal(
      ngtcp2_crypto_cipher_ctx_encrypt_init(&cipher, &ctx->hp, key), 0);
  assert_int_equal(ngtcp2_crypto_hp_mask(out, &ctx->hp, &cipher, in), 0);
  assert_octets(out, mask);
  ngtcp2_crypto_cipher_ctx_free(&cipher);
}

/* A.1 and A.2 */
static void test_initial(void **state) {
  static const char salt[] = "38762cf7f55934b34d179ae6a4c80cadccbb7f0a";
  uint8_t octets[32], dcid[8], secret[32];
  ngtcp2_crypto_ctx ctx;
  size_t n = unhex(octets, salt);

  (void)state;
  ngtcp2_crypto_ctx_initial(&ctx);
  unhex(dcid, "8394c8f03e515708");
  assert_int_equal(
      ngtcp2_crypto_hkdf_extract(secret, &ctx.md, dcid, 8, octets, n), 0);
  assert_octets(
      secret,
      "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44");
  assert_keys(
      &ctx, "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea",
      "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
      "9f50449e04a0e810283a1e9933adedd2");
  assert_keys(
      &ctx, "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b",
      "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e",
      "c206b8d9b9f0f37644430b490eeaa314");
  assert_mask(&ctx, "9f50449e04a0e810283a1e9933adedd2",
              "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36");
}

/* Before a cipher suite is agreed upon there is none. */
static void test_none(void **state) {
  WOLFSSL_CTX *tls = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
  ngtcp2_crypto_ctx ctx;
  WOLFSSL *ssl;

  (void)state;
  assert_non_null(tls);
  assert_int_equal(quic_crypto_configure(tls), 0);
  ssl = wolfSSL_new(tls);
  assert_non_null(ssl);
  assert_null(ngtcp2_crypto_ctx_tls(&ctx, ssl));
  wolfSSL_free(ssl);
  wolfSSL_CTX_free(tls);
}

/* What was changed, or cut off, is not taken for a packet. */
static void test_refused(void **state) {
  static const uint8_t key[16] = {1}, nonce[12] = {2}, aad[3] = {3};
  ngtcp2_crypto_aead_ctx aead = {0};
  uint8_t packet[100 + 16], plain[100], copy[100] = {4};
  ngtcp2_crypto_ctx ctx;
  size_t i;

  (void)state;
  ngtcp2_crypto_ctx_initial(&ctx);
  assert_int_equal(
      ngtcp2_crypto_aead_ctx_encrypt_init(&aead, &ctx.aead, key, 12), 0);
  assert_int_equal(ngtcp2_crypto_encrypt(packet, &ctx.aead, &aead, copy, 100,
                                         nonce, 12, aad, 3),
                   0);
  assert_int_equal(ngtcp2_crypto_decrypt(plain, &ctx.aead, &aead, packet, 116,
                                         nonce, 12, aad, 3),
                   0);
  assert_memory_equal(plain, copy, 100);
  for (i = 0; i < sizeof(packet); ++i) {
    assert_int_equal(ngtcp2_crypto_decrypt(plain, &ctx.aead, &aead, packet, i,
                                           nonce, 12, aad, 3),
                     -1);
    packet[i] ^= 1;
    assert_int_equal(ngtcp2_crypto_decrypt(plain, &ctx.aead, &aead, packet, 116,
                                           nonce, 12, aad, 3),
                     -1);
    packet[i] ^= 1;
  }
  ngtcp2_crypto_aead_ctx_free(&aead);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_initial),
      cmocka_unit_test(test_none),
      cmocka_unit_test(test_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
