/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator that counts and has a limit, and may be part of another that
 * has one too: a connection's within the endpoint's.  Beyond either limit
 * there is no memory, as if there were none.
 */
#ifndef SERVER_QUIC_MEMORY_H
#define SERVER_QUIC_MEMORY_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>

/* What each allocation costs more. */
#define QUIC_MEMORY_HEAD 16

typedef struct quic_memory quic_memory;

struct quic_memory {
  /* To be used; |user_data| is this structure, which must not move. */
  ngtcp2_mem mem;
  const ngtcp2_mem *base;
  quic_memory *parent;
  size_t octets; /* in use now, with heads */
  size_t limit;
};

/* |parent| may be NULL; |base| is where memory comes from. */
void quic_memory_init(quic_memory *memory, const ngtcp2_mem *base,
                      quic_memory *parent, size_t limit);

#endif
