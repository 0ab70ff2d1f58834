/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets on their way out of one stream.
 *
 * QUIC may have to send an octet again until the peer has acknowledged it, so
 * it stays here until then.  The queue is a list of chunks; three positions
 * run along it: appended, sent (taken by the transport), acknowledged.
 */
#ifndef SERVER_QUIC_SEND_QUEUE_H
#define SERVER_QUIC_SEND_QUEUE_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

/* Each chunk but the last has so many octets at least. */
#define SEND_QUEUE_CHUNK_MIN 2048

typedef struct send_chunk send_chunk;

typedef struct send_queue {
  send_chunk *head;
  send_chunk *tail;
  /* The chunk and the position in it where the next octet to send is. */
  send_chunk *unsent;
  size_t unsent_offset;
  /* Octets of |head| that were acknowledged. */
  size_t acked_offset;
  /* Octets appended and not sent. */
  size_t pending;
  /* Octets sent and not acknowledged. */
  size_t in_flight;
} send_queue;

void send_queue_init(send_queue *queue);

/* Frees all chunks; the queue is as after send_queue_init(). */
void send_queue_clear(send_queue *queue, const ngtcp2_mem *mem);

/* Copies |len| octets in.  NGTCP2_ERR_NOMEM: nothing was appended. */
int send_queue_append(send_queue *queue, const uint8_t *data, size_t len,
                      const ngtcp2_mem *mem);

/* Points up to |veccnt| vectors at what is to be sent next; returns how many
   were filled.  They hold until the octets are acknowledged or cleared. */
size_t send_queue_peek(const send_queue *queue, ngtcp2_vec *vec, size_t veccnt);

/* |len| octets, at most |pending|, were taken by the transport. */
void send_queue_sent(send_queue *queue, size_t len);

/* The next |len| octets, at most |in_flight|, were acknowledged. */
void send_queue_acked(send_queue *queue, size_t len, const ngtcp2_mem *mem);

#endif
