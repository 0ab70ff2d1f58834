/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/cid_table.h"

#include <string.h>

#define CAPACITY_MIN 64

/* Vector multiply-shift (Dietzfelbinger): with a secret key no choice of
   inputs collides more often than chance. */
static size_t slot_of(const cid_table *table, const uint8_t *cid,
                      size_t cidlen) {
  uint64_t word[3] = {0, 0, 0};
  uint64_t hash = table->key[3] + (uint64_t)cidlen;
  size_t i;

  memcpy(word, cid, cidlen <= NGTCP2_MAX_CIDLEN ? cidlen : NGTCP2_MAX_CIDLEN);
  for (i = 0; i < 3; ++i) {
    uint64_t low = word[i] & 0xffffffffu;
    uint64_t high = word[i] >> 32;

    hash += (table->key[i] + low) * ((table->key[i] >> 7 | 1) + high);
  }
  /* The sum keeps the order of counters, and slots in a row are one long
     search: so it is mixed (MurmurHash3's end, which loses nothing). */
  hash ^= hash >> 33;
  hash *= UINT64_C(0xff51afd7ed558ccd);
  hash ^= hash >> 33;
  hash *= UINT64_C(0xc4ceb9fe1a85ec53);
  return (size_t)(hash >> 32) & (table->capacity - 1);
}

void cid_table_init(cid_table *table, const uint8_t key[CID_TABLE_KEYLEN],
                    const ngtcp2_mem *mem) {
  memset(table, 0, sizeof(*table));
  memcpy(table->key, key, CID_TABLE_KEYLEN);
  table->mem = mem;
}

void cid_table_free(cid_table *table) {
  table->mem->free(table->entries, table->mem->user_data);
  table->entries = NULL;
  table->capacity = 0;
  table->count = 0;
}

/* The entry that holds the ID, or the free one where it would go. */
static cid_table_entry *probe(const cid_table *table, const uint8_t *cid,
                              size_t cidlen) {
  size_t i = slot_of(table, cid, cidlen);

  for (;; i = (i + 1) & (table->capacity - 1)) {
    cid_table_entry *entry = &table->entries[i];

    if (!entry->conn || (entry->cid.datalen == cidlen &&
                         memcmp(entry->cid.data, cid, cidlen) == 0)) {
      return entry;
    }
  }
}

struct quic_conn *cid_table_find(const cid_table *table, const uint8_t *cid,
                                 size_t cidlen) {
  if (table->count == 0 || cidlen > NGTCP2_MAX_CIDLEN) {
    return NULL;
  }
  return probe(table, cid, cidlen)->conn;
}

static int grow(cid_table *table) {
  cid_table_entry *old = table->entries;
  size_t old_capacity = table->capacity;
  size_t capacity = old_capacity ? old_capacity * 2 : CAPACITY_MIN;
  size_t i;

  table->entries =
      table->mem->calloc(capacity, sizeof(*old), table->mem->user_data);
  if (!table->entries) {
    table->entries = old;
    return NGTCP2_ERR_NOMEM;
  }
  table->capacity = capacity;
  for (i = 0; i < old_capacity; ++i) {
    if (old[i].conn) {
      *probe(table, old[i].cid.data, old[i].cid.datalen) = old[i];
    }
  }
  table->mem->free(old, table->mem->user_data);
  return 0;
}

int cid_table_insert(cid_table *table, const ngtcp2_cid *cid,
                     struct quic_conn *conn) {
  cid_table_entry *entry;
  int rv;

  if (2 * (table->count + 1) > table->capacity) {
    rv = grow(table);
    if (rv != 0) {
      return rv;
    }
  }
  entry = probe(table, cid->data, cid->datalen);
  if (entry->conn) {
    return NGTCP2_ERR_INVALID_STATE;
  }
  entry->cid = *cid;
  entry->conn = conn;
  ++table->count;
  return 0;
}

void cid_table_remove(cid_table *table, const ngtcp2_cid *cid) {
  cid_table_entry *hole;
  size_t mask, i;

  if (table->count == 0) {
    return;
  }
  hole = probe(table, cid->data, cid->datalen);
  if (!hole->conn) {
    return;
  }
  hole->conn = NULL;
  --table->count;
  /* Entries behind the hole move up into it, so that no search stops short
     and no tombstones gather. */
  mask = table->capacity - 1;
  i = (size_t)(hole - table->entries);
  for (;;) {
    cid_table_entry *entry;
    size_t home, at;

    i = (i + 1) & mask;
    entry = &table->entries[i];
    if (!entry->conn) {
      return;
    }
    home = slot_of(table, entry->cid.data, entry->cid.datalen);
    at = (size_t)(hole - table->entries);
    if (((i - home) & mask) >= ((i - at) & mask)) {
      *hole = *entry;
      entry->conn = NULL;
      hole = entry;
    }
  }
}
