/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/stream_ids.h"

#include <string.h>

#define CAPACITY_MIN 8
/* Far more than a client may ever have open. */
#define CAPACITY_MAX (UINT64_C(1) << 20)

void h3_stream_ids_clear(h3_stream_ids *ids, const ngtcp2_mem *mem) {
  mem->free(ids->open, mem->user_data);
  memset(ids, 0, sizeof(*ids));
}

/* The place of the first that is not less than |ordinal|. */
static size_t lower_bound(const h3_stream_ids *ids, uint64_t ordinal) {
  size_t low = 0, high = ids->nopen;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (ids->open[middle] < ordinal) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static int reserve(h3_stream_ids *ids, uint64_t more, const ngtcp2_mem *mem) {
  uint64_t need = ids->nopen + more;
  size_t capacity = ids->capacity ? ids->capacity : CAPACITY_MIN;
  uint64_t *open;

  if (need <= ids->capacity) {
    return 0;
  }
  if (need > CAPACITY_MAX) {
    return NGTCP2_ERR_NOMEM;
  }
  while (capacity < need) {
    capacity *= 2;
  }
  open = mem->realloc(ids->open, capacity * sizeof(*open), mem->user_data);
  if (!open) {
    return NGTCP2_ERR_NOMEM;
  }
  ids->open = open;
  ids->capacity = capacity;
  return 0;
}

int h3_stream_ids_opened(h3_stream_ids *ids, uint64_t id,
                         const ngtcp2_mem *mem) {
  uint64_t ordinal = id / 4;
  int rv;

  if (ordinal < ids->next) {
    return 0;
  }
  /* Those between were opened with it (RFC 9000 section 2.1). */
  rv = reserve(ids, ordinal - ids->next + 1, mem);
  if (rv != 0) {
    return rv;
  }
  while (ids->next <= ordinal) {
    ids->open[ids->nopen++] = ids->next++;
  }
  return 0;
}

int h3_stream_ids_closed(h3_stream_ids *ids, uint64_t id,
                         const ngtcp2_mem *mem) {
  size_t at;
  int rv = h3_stream_ids_opened(ids, id, mem);

  if (rv != 0) {
    return rv;
  }
  at = lower_bound(ids, id / 4);
  if (at < ids->nopen && ids->open[at] == id / 4) {
    --ids->nopen;
    memmove(ids->open + at, ids->open + at + 1,
            (ids->nopen - at) * sizeof(ids->open[0]));
  }
  return 0;
}

int h3_stream_ids_is_over(const h3_stream_ids *ids, uint64_t id) {
  size_t at;

  if (id / 4 >= ids->next) {
    return 0;
  }
  at = lower_bound(ids, id / 4);
  return at == ids->nopen || ids->open[at] != id / 4;
}
