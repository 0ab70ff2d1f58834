/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/state.h"

#include <string.h>

#define VERSION 1

static const uint8_t magic[8] = "FNSTATE";

/* --- the keyring -------------------------------------------------------- */

static size_t place_of(const cm_keyring *ring, uint64_t id) {
  size_t i = 0;

  while (i < CM_SLOTS && ring->ids[i] != id) {
    i++;
  }
  return i;
}

const cm_certificate *cm_keyring_find(const cm_keyring *ring, uint64_t id) {
  size_t i = id != 0 ? place_of(ring, id) : CM_SLOTS;

  return i < CM_SLOTS ? &ring->certificates[i] : NULL;
}

cm_certificate *cm_keyring_add(cm_keyring *ring, uint64_t id) {
  size_t i = place_of(ring, 0);

  if (i == CM_SLOTS) {
    return NULL;
  }
  ring->ids[i] = id;
  return &ring->certificates[i];
}

void cm_keyring_remove(cm_keyring *ring, uint64_t id) {
  size_t i = id != 0 ? place_of(ring, id) : CM_SLOTS;

  if (i < CM_SLOTS) {
    ring->ids[i] = 0;
    cm_certificate_wipe(&ring->certificates[i]);
  }
}

/* --- writing ------------------------------------------------------------ */

/* A place in a body; |failed| once something did not fit. */
typedef struct cursor {
  uint8_t *dest;
  const uint8_t *src;
  size_t left;
  int failed;
} cursor;

static void put(cursor *c, const uint8_t *data, size_t len) {
  if (c->failed || c->left < len) {
    c->failed = 1;
    return;
  }
  memcpy(c->dest, data, len);
  c->dest += len;
  c->left -= len;
}

static void put_number(cursor *c, uint64_t value, size_t len) {
  uint8_t octets[8];

  for (size_t i = 0; i < len; i++) {
    octets[i] = (uint8_t)(value >> (8 * i));
  }
  put(c, octets, len);
}

/* Whether the certificate of |slot| is kept with it. */
static int is_kept(const cm_slot *slot) {
  return slot != NULL && slot->state != CM_CERT_EMPTY &&
         slot->state != CM_CERT_DESTROYED;
}

int cm_state_encode(uint8_t *dest, size_t destlen, const cm_lifecycle *lc,
                    const cm_identity *identity, const cm_keyring *ring) {
  cursor c = {dest, NULL, destlen, 0};
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int len = cm_lifecycle_encode(lc, image, sizeof(image));
  uint64_t count = 0;

  if (len < 0) {
    return len;
  }
  put(&c, magic, sizeof(magic));
  put_number(&c, VERSION, 4);
  put_number(&c, (uint64_t)len, 4);
  put(&c, image, (size_t)len);
  put(&c, identity->scalar, sizeof(identity->scalar));
  for (size_t i = 0; i < CM_SLOTS; i++) {
    count += ring->ids[i] != 0 && is_kept(cm_lifecycle_find(lc, ring->ids[i]));
  }
  put_number(&c, count, 4);
  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_certificate *cert = &ring->certificates[i];

    if (ring->ids[i] != 0 && is_kept(cm_lifecycle_find(lc, ring->ids[i]))) {
      put_number(&c, ring->ids[i], 8);
      put_number(&c, cert->der_len, 4);
      put_number(&c, cert->key_der_len, 4);
      put(&c, cert->der, cert->der_len);
      put(&c, cert->key_der, cert->key_der_len);
    }
  }
  return c.failed ? CM_ERR_NOBUF : (int)(destlen - c.left);
}

/* --- reading ------------------------------------------------------------ */

/* |len| octets of the body, or NULL. */
static const uint8_t *take(cursor *c, size_t len) {
  const uint8_t *here = c->src;

  if (c->failed || c->left < len) {
    c->failed = 1;
    return NULL;
  }
  c->src += len;
  c->left -= len;
  return here;
}

static uint64_t take_number(cursor *c, size_t len) {
  const uint8_t *octets = take(c, len);
  uint64_t value = 0;

  for (size_t i = 0; octets != NULL && i < len; i++) {
    value |= (uint64_t)octets[i] << (8 * i);
  }
  return value;
}

/* Whether |cert| is what |slot| says that it is. */
static int is_of(const cm_slot *slot, const cm_certificate *cert) {
  uint8_t key_id[CM_HASH_LEN];

  return memcmp(cert->sha256, slot->sha256, sizeof(slot->sha256)) == 0 &&
         memcmp(cert->serial, slot->serial, sizeof(slot->serial)) == 0 &&
         cert->not_before == slot->not_before &&
         cert->not_after == slot->not_after &&
         cm_x509_key_id(key_id, cert) == 0 &&
         memcmp(key_id, slot->key_id, sizeof(key_id)) == 0;
}

/* Reads one certificate into |ring|, if it passes its check. */
static int take_certificate(cursor *c, const cm_lifecycle *lc,
                            cm_keyring *ring) {
  uint64_t id = take_number(c, 8);
  size_t der_len = (size_t)take_number(c, 4);
  size_t key_len = (size_t)take_number(c, 4);
  const uint8_t *der = take(c, der_len), *key = take(c, key_len);
  const cm_slot *slot = id != 0 ? cm_lifecycle_find(lc, id) : NULL;
  cm_certificate *cert;
  int rv;

  if (c->failed || slot == NULL || cm_keyring_find(ring, id) != NULL) {
    return CM_ERR_STORE_BAD;
  }
  cert = cm_keyring_add(ring, id);
  if (cert == NULL) {
    return CM_ERR_STORE_BAD;
  }
  rv = cm_x509_load(cert, der, der_len, key, key_len);
  if (rv == 0 && !is_of(slot, cert)) {
    rv = CM_ERR_SELF_CHECK;
  }
  if (rv != 0) {
    cm_keyring_remove(ring, id);
  }
  return rv == CM_ERR_SELF_CHECK ? 0 : rv;
}

int cm_state_decode(cm_lifecycle *lc, cm_identity *identity, cm_keyring *ring,
                    const uint8_t *src, size_t len) {
  cursor c = {NULL, src, len, 0};
  const uint8_t *head = take(&c, sizeof(magic)), *image, *scalar;
  int known = head != NULL && memcmp(head, magic, sizeof(magic)) == 0 &&
              take_number(&c, 4) == VERSION;
  size_t image_len = known ? (size_t)take_number(&c, 4) : 0;
  int rv = CM_ERR_STORE_BAD;
  uint64_t count;

  memset(ring, 0, sizeof(*ring));
  image = take(&c, image_len);
  scalar = take(&c, sizeof(identity->scalar));
  if (!known || c.failed || cm_lifecycle_decode(lc, image, image_len) != 0) {
    goto fail;
  }
  rv = cm_identity_from_scalar(identity, scalar);
  if (rv != 0) {
    goto fail;
  }
  count = take_number(&c, 4);
  for (uint64_t i = 0; i < count && rv == 0; i++) {
    rv = take_certificate(&c, lc, ring);
  }
  if (rv == 0 && (c.failed || c.left != 0)) {
    rv = CM_ERR_STORE_BAD;
  }
  if (rv != 0) {
    goto fail;
  }
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (is_kept(&lc->slots[i]) &&
        cm_keyring_find(ring, lc->slots[i].id) == NULL) {
      cm_lifecycle_quarantine(lc, lc->slots[i].id);
    }
  }
  return 0;

fail:
  memset(lc, 0, sizeof(*lc));
  cm_identity_wipe(identity);
  explicit_bzero(ring, sizeof(*ring));
  return rv;
}
