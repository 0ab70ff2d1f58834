/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/send_queue.h"

#include <string.h>

/* Small writes share a chunk, the larger the more waits already; a larger
   write has its own. */
#define CHUNK_MAX 16384

struct send_chunk {
  send_chunk *next;
  size_t len;
  size_t capacity;
  uint8_t data[];
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

void send_queue_init(send_queue *queue) { memset(queue, 0, sizeof(*queue)); }

void send_queue_clear(send_queue *queue, const ngtcp2_mem *mem) {
  send_chunk *chunk = queue->head;

  while (chunk) {
    send_chunk *next = chunk->next;

    mem->free(chunk, mem->user_data);
    chunk = next;
  }
  send_queue_init(queue);
}

int send_queue_append(send_queue *queue, const uint8_t *data, size_t len,
                      const ngtcp2_mem *mem) {
  send_chunk *tail = queue->tail;
  send_chunk *chunk;
  size_t room = tail ? tail->capacity - tail->len : 0;
  size_t first = len < room ? len : room;
  size_t rest = len - first;

  if (len == 0) {
    return 0;
  }
  if (rest) {
    size_t shared =
        least(CHUNK_MAX, most(SEND_QUEUE_CHUNK_MIN, queue->pending));
    size_t capacity = most(shared, rest);

    chunk = mem->malloc(sizeof(*chunk) + capacity, mem->user_data);
    if (!chunk) {
      return NGTCP2_ERR_NOMEM;
    }
    chunk->next = NULL;
    chunk->capacity = capacity;
    chunk->len = rest;
    memcpy(chunk->data, data + first, rest);
  } else {
    chunk = NULL;
  }
  if (first) {
    /* The octets before this position do not move: vectors that were handed
       out stay good. */
    memcpy(tail->data + tail->len, data, first);
    if (!queue->unsent) {
      queue->unsent = tail;
      queue->unsent_offset = tail->len;
    }
    tail->len += first;
  }
  if (chunk) {
    if (tail) {
      tail->next = chunk;
    } else {
      queue->head = chunk;
    }
    queue->tail = chunk;
    if (!queue->unsent) {
      queue->unsent = chunk;
      queue->unsent_offset = 0;
    }
  }
  queue->pending += len;
  return 0;
}

size_t send_queue_peek(const send_queue *queue, ngtcp2_vec *vec,
                       size_t veccnt) {
  send_chunk *chunk = queue->unsent;
  size_t offset = queue->unsent_offset;
  size_t n = 0;

  for (; chunk && n < veccnt; chunk = chunk->next, offset = 0) {
    if (chunk->len > offset) {
      vec[n].base = chunk->data + offset;
      vec[n].len = chunk->len - offset;
      ++n;
    }
  }
  return n;
}

void send_queue_sent(send_queue *queue, size_t len) {
  queue->pending -= len;
  queue->in_flight += len;
  while (len) {
    size_t left = queue->unsent->len - queue->unsent_offset;

    if (len < left) {
      queue->unsent_offset += len;
      return;
    }
    len -= left;
    queue->unsent = queue->unsent->next;
    queue->unsent_offset = 0;
  }
}

void send_queue_acked(send_queue *queue, size_t len, const ngtcp2_mem *mem) {
  if (len > queue->in_flight) {
    len = queue->in_flight;
  }
  queue->in_flight -= len;
  len += queue->acked_offset;
  while (queue->head && len >= queue->head->len) {
    send_chunk *chunk = queue->head;

    len -= chunk->len;
    queue->head = chunk->next;
    if (queue->unsent == chunk) {
      /* Only possible for a chunk that is sent to its end. */
      queue->unsent = chunk->next;
      queue->unsent_offset = 0;
    }
    if (!queue->head) {
      queue->tail = NULL;
    }
    mem->free(chunk, mem->user_data);
  }
  queue->acked_offset = len;
}
