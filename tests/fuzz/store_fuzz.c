/* SPDX-License-Identifier: Apache-2.0 */
/* A slot of the store, with its MAC made right, and the state inside of it. */
#include "certmgr/state.h"
#include "certmgr/store.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

static const uint8_t key[CM_STORE_KEY_LEN] = "a key that is known to the test";

static void authenticate(uint8_t *mac, const uint8_t *data, size_t len) {
  Hmac hmac;

  FUZZ_CHECK(wc_HmacInit(&hmac, NULL, INVALID_DEVID) == 0);
  FUZZ_CHECK(wc_HmacSetKey(&hmac, WC_SHA256, key, sizeof(key)) == 0);
  FUZZ_CHECK(wc_HmacUpdate(&hmac, data, (word32)len) == 0);
  FUZZ_CHECK(wc_HmacFinal(&hmac, mac) == 0);
  wc_HmacFree(&hmac);
}

static void check_state(const uint8_t *body, size_t len) {
  static cm_keyring ring;
  static uint8_t again[CM_STORE_BODY_MAX];
  cm_identity identity;
  cm_lifecycle lc;
  size_t i;
  int rv = cm_state_decode(&lc, &identity, &ring, body, len);

  FUZZ_CHECK(rv == 0 || rv == CM_ERR_STORE_BAD || rv == CM_ERR_CRYPTO);
  if (rv != 0) {
    return;
  }
  for (i = 0; i < CM_SLOTS; ++i) {
    const cm_slot *slot = &lc.slots[i];
    const cm_certificate *certificate = cm_keyring_find(&ring, slot->id);

    if (slot->state == CM_CERT_EMPTY || slot->state == CM_CERT_QUARANTINED ||
        slot->state == CM_CERT_DESTROYED || slot->state == CM_CERT_REVOKED) {
      continue;
    }
    FUZZ_CHECK(certificate != NULL);
    FUZZ_CHECK(memcmp(certificate->sha256, slot->sha256, CM_HASH_LEN) == 0);
  }
  FUZZ_CHECK(cm_state_encode(again, sizeof(again), &lc, &identity, &ring) > 0);
  memset(&ring, 0, sizeof(ring));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t flags = fuzz_u8(&in);
  const uint8_t *body;
  uint8_t *slot;
  uint64_t seq;
  size_t len;
  int n;

  if (in.len > CM_STORE_BODY_MAX) {
    return 0;
  }
  slot = malloc(in.len + CM_STORE_OVERHEAD);
  FUZZ_CHECK(slot != NULL);
  if (flags & 1) {
    /* Sealed as it should be: the state is reached. */
    n = cm_store_seal(slot, in.len + CM_STORE_OVERHEAD, key, 7, in.data,
                      in.len);
    FUZZ_CHECK(n == (int)(in.len + CM_STORE_OVERHEAD));
    FUZZ_CHECK(cm_store_unseal(slot, (size_t)n, key, &seq, &body, &len) == 0);
    FUZZ_CHECK(seq == 7 && len == in.len);
    FUZZ_CHECK(len == 0 || memcmp(body, in.data, len) == 0);
    check_state(body, len);
  } else {
    /* Any header: it is reached behind the MAC. */
    if (in.len) {
      memcpy(slot, in.data, in.len);
    }
    authenticate(slot + in.len, slot, in.len);
    n = cm_store_unseal(slot, in.len + CM_STORE_MAC_LEN, key, &seq, &body,
                        &len);
    FUZZ_CHECK(n == 0 || n == CM_ERR_STORE_BAD);
    if (n == 0) {
      FUZZ_CHECK(len == in.len - CM_STORE_HEADER_LEN &&
                 body == slot + CM_STORE_HEADER_LEN);
      check_state(body, len);
    }
    /* A bit of it changed: it is none any more. */
    slot[flags * (in.len + CM_STORE_MAC_LEN - 1) / 255] ^= 0x10;
    FUZZ_CHECK(cm_store_unseal(slot, in.len + CM_STORE_MAC_LEN, key, &seq,
                               &body, &len) != 0);
  }
  free(slot);
  return 0;
}
