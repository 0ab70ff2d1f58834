/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap of deadlines; each knows its own place in it. */
#ifndef SERVER_QUIC_TIMER_HEAP_H
#define SERVER_QUIC_TIMER_HEAP_H

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NOT_QUEUED SIZE_MAX

typedef struct timer {
  uint64_t deadline; /* nanoseconds, monotonic */
  size_t index;      /* TIMER_NOT_QUEUED or the place in the heap */
} timer;

typedef struct timer_heap {
  timer **timers;
  size_t count;
  size_t capacity;
  const ngtcp2_mem *mem;
} timer_heap;

void timer_heap_init(timer_heap *heap, const ngtcp2_mem *mem);
void timer_heap_free(timer_heap *heap);

/* Makes room for |count| timers, so that timer_heap_set() cannot fail for as
   many.  NGTCP2_ERR_NOMEM. */
int timer_heap_reserve(timer_heap *heap, size_t count);

/* Queues |t| or moves it; UINT64_MAX takes it out.  Needs reserved room. */
void timer_heap_set(timer_heap *heap, timer *t, uint64_t deadline);

void timer_heap_remove(timer_heap *heap, timer *t);

/* The earliest, or NULL. */
timer *timer_heap_first(const timer_heap *heap);

#endif
