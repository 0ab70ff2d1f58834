/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a client's bidirectional streams there have been.  A stream of
 * WebTransport names a session by the ID of a request; whether that request is
 * over or has only not come yet, QUIC does not tell once it has forgotten the
 * stream.
 *
 * Kept are the IDs that are not over and below one that was seen: no more than
 * the client may have open at once, since each of them holds one's credit.
 */
#ifndef SERVER_HTTP3_STREAM_IDS_H
#define SERVER_HTTP3_STREAM_IDS_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

/* Members are private; all 0 at first. */
typedef struct h3_stream_ids {
  /* Ordinals, that is IDs divided by 4: those below |next| that are not over,
     in ascending order. */
  uint64_t *open;
  size_t nopen, capacity;
  uint64_t next;
} h3_stream_ids;

void h3_stream_ids_clear(h3_stream_ids *ids, const ngtcp2_mem *mem);

/* The stream |id| is there.  0, or NGTCP2_ERR_NOMEM and nothing is changed. */
int h3_stream_ids_opened(h3_stream_ids *ids, uint64_t id,
                         const ngtcp2_mem *mem);

/* It is over; it need not have been told before.  As above. */
int h3_stream_ids_closed(h3_stream_ids *ids, uint64_t id,
                         const ngtcp2_mem *mem);

/* Whether it is over. */
int h3_stream_ids_is_over(const h3_stream_ids *ids, uint64_t id);

#endif
