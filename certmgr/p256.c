/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/p256.h"

#include <wolfssl/wolfcrypt/hash.h>

#include <string.h>

/* 2^-32 of all draws are not below the order of P-256: a source that gives
   that many in a row is broken. */
#define DRAWS_MAX 8

/* Whether |scalar| is in 1..n-1. */
static int is_private_key(const uint8_t scalar[CM_P256_LEN]) {
  static const uint8_t order[CM_P256_LEN] = {
      0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
  static const uint8_t zero[CM_P256_LEN];

  return memcmp(scalar, order, CM_P256_LEN) < 0 &&
         memcmp(scalar, zero, CM_P256_LEN) != 0;
}

int cm_p256_draw(uint8_t scalar[CM_P256_LEN], const cm_random *random) {
  for (int i = 0; i < DRAWS_MAX; i++) {
    if (random->fill(random->user, scalar, CM_P256_LEN) != 0) {
      return CM_ERR_RANDOM;
    }
    if (is_private_key(scalar)) {
      return 0;
    }
  }
  return CM_ERR_RANDOM;
}

int cm_p256_import(ecc_key *key, const uint8_t scalar[CM_P256_LEN]) {
  if (!is_private_key(scalar) ||
      wc_ecc_import_private_key_ex(scalar, CM_P256_LEN, NULL, 0, key,
                                   ECC_SECP256R1) != 0 ||
      wc_ecc_make_pub(key, NULL) != 0 ||
      wc_ecc_set_deterministic_ex(key, 1, WC_HASH_TYPE_SHA256) != 0) {
    return CM_ERR_CRYPTO;
  }
  return 0;
}
