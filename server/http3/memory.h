/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one nghttp3_conn, with a limit.  nghttp3 sets aside the length
 * that a field claims to have, up to 128 KiB for a few octets of each stream,
 * and keeps what comes on streams that wait for QPACK's table.
 */
#ifndef SERVER_HTTP3_MEMORY_H
#define SERVER_HTTP3_MEMORY_H

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>

/* Must not move while nghttp3 has it. */
typedef struct h3_memory {
  /* For nghttp3. */
  nghttp3_mem mem;
  /* Octets in use, and how many there may be; an allocation beyond that fails
     as for want of memory, and sets |exceeded|. */
  size_t live;
  size_t max;
  int exceeded;
  /* Private. */
  const ngtcp2_mem *source;
} h3_memory;

/* |source| is borrowed. */
void h3_memory_init(h3_memory *memory, const ngtcp2_mem *source, size_t max);

#endif
