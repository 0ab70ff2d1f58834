/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connection a connection ID belongs to.
 *
 * Open addressing with a keyed hash: clients choose the IDs of their first
 * packets, and must not be able to choose them so that they collide.
 */
#ifndef SERVER_QUIC_CID_TABLE_H
#define SERVER_QUIC_CID_TABLE_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

#define CID_TABLE_KEYLEN 32

struct quic_conn;

typedef struct cid_table_entry {
  struct quic_conn *conn; /* NULL: free */
  ngtcp2_cid cid;
} cid_table_entry;

typedef struct cid_table {
  cid_table_entry *entries;
  size_t capacity; /* 0 or a power of two */
  size_t count;
  uint64_t key[4];
  const ngtcp2_mem *mem;
} cid_table;

/* |key|: secret random octets, copied. */
void cid_table_init(cid_table *table, const uint8_t key[CID_TABLE_KEYLEN],
                    const ngtcp2_mem *mem);

void cid_table_free(cid_table *table);

/* NULL if |cid| belongs to no connection. */
struct quic_conn *cid_table_find(const cid_table *table, const uint8_t *cid,
                                 size_t cidlen);

/* NGTCP2_ERR_NOMEM, or NGTCP2_ERR_INVALID_STATE if |cid| is there already:
   the table is unchanged. */
int cid_table_insert(cid_table *table, const ngtcp2_cid *cid,
                     struct quic_conn *conn);

/* Forgets |cid|; nothing happens if it is not there. */
void cid_table_remove(cid_table *table, const ngtcp2_cid *cid);

#endif
