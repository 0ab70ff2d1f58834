/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/memory_store.h"

#include <stdio.h>
#include <string.h>

static int load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len) {
  const memory_store *s = (const memory_store *)store;

  if (s->len > destlen) {
    return CM_ERR_NOBUF;
  }
  memcpy(dest, s->body, s->len);
  *len = s->len;
  return 0;
}

static int save(cm_store *store, const uint8_t *body, size_t len) {
  memory_store *s = (memory_store *)store;

  if (len > sizeof(s->body)) {
    return CM_ERR_NOBUF;
  }
  if (s->error == 0 || s->leaks) {
    memcpy(s->body, body, len);
    s->len = len;
  }
  if (s->error != 0) {
    snprintf(store->message, sizeof(store->message), "the disk is full");
    return s->error;
  }
  s->saves++;
  return 0;
}

static void nothing(cm_store *store) { (void)store; }

static const cm_store_ops ops = {load, save, nothing, NULL, NULL};

void memory_store_init(memory_store *store) {
  memset(store, 0, sizeof(*store));
  store->base.ops = &ops;
}
