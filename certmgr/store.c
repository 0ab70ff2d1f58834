/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/store.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <string.h>

#define VERSION 1

static const uint8_t magic[8] = "FNSTORE";

static void put(uint8_t *dest, uint64_t value, size_t len) {
  for (size_t i = 0; i < len; i++) {
    dest[i] = (uint8_t)(value >> (8 * i));
  }
}

static uint64_t get(const uint8_t *src, size_t len) {
  uint64_t value = 0;

  for (size_t i = 0; i < len; i++) {
    value |= (uint64_t)src[i] << (8 * i);
  }
  return value;
}

static int make_mac(uint8_t mac[CM_STORE_MAC_LEN],
                    const uint8_t key[CM_STORE_KEY_LEN], const uint8_t *data,
                    size_t len) {
  Hmac hmac;
  int rv;

  if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0) {
    return CM_ERR_CRYPTO;
  }
  rv = wc_HmacSetKey(&hmac, WC_SHA256, key, CM_STORE_KEY_LEN);
  if (rv == 0) {
    rv = wc_HmacUpdate(&hmac, data, (word32)len);
  }
  if (rv == 0) {
    rv = wc_HmacFinal(&hmac, mac);
  }
  wc_HmacFree(&hmac);
  return rv == 0 ? 0 : CM_ERR_CRYPTO;
}

int cm_store_seal(uint8_t *dest, size_t destlen,
                  const uint8_t key[CM_STORE_KEY_LEN], uint64_t seq,
                  const uint8_t *body, size_t len) {
  int rv;

  if (len > CM_STORE_BODY_MAX || destlen < len + CM_STORE_OVERHEAD) {
    return CM_ERR_NOBUF;
  }
  memcpy(dest, magic, sizeof(magic));
  put(dest + 8, VERSION, 4);
  put(dest + 12, len, 4);
  put(dest + 16, seq, 8);
  memcpy(dest + CM_STORE_HEADER_LEN, body, len);
  rv = make_mac(dest + CM_STORE_HEADER_LEN + len, key, dest,
                CM_STORE_HEADER_LEN + len);
  return rv != 0 ? rv : (int)(len + CM_STORE_OVERHEAD);
}

int cm_store_unseal(const uint8_t *src, size_t srclen,
                    const uint8_t key[CM_STORE_KEY_LEN], uint64_t *seq,
                    const uint8_t **body, size_t *len) {
  uint8_t mac[CM_STORE_MAC_LEN], differ = 0;
  size_t n;
  int rv;

  if (srclen < CM_STORE_OVERHEAD || memcmp(src, magic, sizeof(magic)) != 0 ||
      get(src + 8, 4) != VERSION) {
    return CM_ERR_STORE_BAD;
  }
  n = (size_t)get(src + 12, 4);
  if (n > CM_STORE_BODY_MAX || n + CM_STORE_OVERHEAD != srclen) {
    return CM_ERR_STORE_BAD;
  }
  rv = make_mac(mac, key, src, CM_STORE_HEADER_LEN + n);
  if (rv != 0) {
    return rv;
  }
  for (size_t i = 0; i < sizeof(mac); i++) {
    differ |= (uint8_t)(mac[i] ^ src[CM_STORE_HEADER_LEN + n + i]);
  }
  if (differ != 0) {
    return CM_ERR_STORE_BAD;
  }
  *seq = get(src + 16, 8);
  *body = src + CM_STORE_HEADER_LEN;
  *len = n;
  return 0;
}

int cm_store_load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len) {
  store->message[0] = '\0';
  *len = 0;
  return store->ops->load(store, dest, destlen, len);
}

int cm_store_save(cm_store *store, const uint8_t *body, size_t len) {
  store->message[0] = '\0';
  return len > CM_STORE_BODY_MAX ? CM_ERR_NOBUF
                                 : store->ops->save(store, body, len);
}

int cm_store_begin(cm_store *store, const uint8_t *body, size_t len) {
  int rv;

  if (store->ops->begin == NULL) {
    return cm_store_save(store, body, len);
  }
  store->message[0] = '\0';
  rv = len > CM_STORE_BODY_MAX ? CM_ERR_NOBUF
                               : store->ops->begin(store, body, len);
  return rv == 0 ? CM_STORE_PENDING : rv;
}

int cm_store_poll(cm_store *store, int *result) {
  return store->ops->poll(store, result);
}

void cm_store_close(cm_store *store) {
  if (store != NULL) {
    store->ops->close(store);
  }
}
