/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/script_record.h"

#include <string.h>

/* What an empty batch may keep. */
#define KEEP_MAX (256 * 1024)
#define FIRST_SIZE 4096

static void put32(uint8_t *dest, uint32_t n) {
  dest[0] = (uint8_t)n;
  dest[1] = (uint8_t)(n >> 8);
  dest[2] = (uint8_t)(n >> 16);
  dest[3] = (uint8_t)(n >> 24);
}

static uint32_t get32(const uint8_t *src) {
  return (uint32_t)src[0] | (uint32_t)src[1] << 8 | (uint32_t)src[2] << 16 |
         (uint32_t)src[3] << 24;
}

void script_batch_init(script_batch *batch, const ngtcp2_mem *mem) {
  memset(batch, 0, sizeof(*batch));
  batch->mem = mem;
}

void script_batch_free(script_batch *batch) {
  batch->mem->free(batch->data, batch->mem->user_data);
  script_batch_init(batch, batch->mem);
}

void script_batch_clear(script_batch *batch) {
  if (batch->size > KEEP_MAX) {
    script_batch_free(batch);
  }
  batch->len = batch->last = 0;
}

/* Makes room for |len| octets more. */
static int reserve(script_batch *batch, size_t len) {
  size_t size = batch->size ? batch->size : FIRST_SIZE;
  uint8_t *data;

  if (len > UINT32_MAX - SCRIPT_HEAD - batch->len) {
    return -1;
  }
  while (size < batch->len + len) {
    size *= 2;
  }
  if (size == batch->size) {
    return 0;
  }
  data = batch->mem->realloc(batch->data, size, batch->mem->user_data);
  if (!data) {
    return -1;
  }
  batch->data = data;
  batch->size = size;
  return 0;
}

int script_batch_add(script_batch *batch, const script_record *record) {
  uint8_t *at;

  if (record->len > UINT32_MAX / 2 ||
      reserve(batch, SCRIPT_HEAD + record->len) != 0) {
    return -1;
  }
  at = batch->data + batch->len;
  put32(at, (uint32_t)(SCRIPT_HEAD + record->len));
  at[4] = record->type;
  at[5] = record->flags;
  at[6] = at[7] = 0;
  put32(at + 8, record->handle);
  put32(at + 12, record->value);
  if (record->len) {
    memcpy(at + SCRIPT_HEAD, record->data, record->len);
  }
  batch->last = batch->len;
  batch->len += SCRIPT_HEAD + record->len;
  return 0;
}

int script_batch_extend(script_batch *batch, uint8_t type, uint32_t handle,
                        const uint8_t *data, size_t len, uint8_t flags) {
  const script_record record = {type, flags, handle, 0, data, len};
  uint8_t *at;

  if (batch->last < batch->len) {
    at = batch->data + batch->last;
    if (at[4] == type && at[5] == 0 && get32(at + 8) == handle) {
      if (reserve(batch, len) != 0) {
        return -1;
      }
      at = batch->data + batch->last;
      if (len) {
        memcpy(batch->data + batch->len, data, len);
      }
      batch->len += len;
      at[5] = flags;
      put32(at, (uint32_t)(batch->len - batch->last));
      return 0;
    }
  }
  return script_batch_add(batch, &record);
}

int script_record_next(script_record *record, const uint8_t **pdata,
                       size_t *plen) {
  const uint8_t *at = *pdata;
  size_t size;

  if (*plen == 0) {
    return 0;
  }
  if (*plen < SCRIPT_HEAD) {
    return -1;
  }
  size = get32(at);
  if (size < SCRIPT_HEAD || size > *plen) {
    return -1;
  }
  record->type = at[4];
  record->flags = at[5];
  record->handle = get32(at + 8);
  record->value = get32(at + 12);
  record->data = at + SCRIPT_HEAD;
  record->len = size - SCRIPT_HEAD;
  *pdata += size;
  *plen -= size;
  return 1;
}
