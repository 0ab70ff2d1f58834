/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/timer_heap.h"

#include <string.h>

void timer_heap_init(timer_heap *heap, const ngtcp2_mem *mem) {
  memset(heap, 0, sizeof(*heap));
  heap->mem = mem;
}

void timer_heap_free(timer_heap *heap) {
  heap->mem->free(heap->timers, heap->mem->user_data);
  timer_heap_init(heap, heap->mem);
}

int timer_heap_reserve(timer_heap *heap, size_t count) {
  size_t capacity = heap->capacity ? heap->capacity : 16;
  timer **timers;

  if (count <= heap->capacity) {
    return 0;
  }
  while (capacity < count) {
    capacity *= 2;
  }
  timers = heap->mem->realloc(heap->timers, capacity * sizeof(*timers),
                              heap->mem->user_data);
  if (!timers) {
    return NGTCP2_ERR_NOMEM;
  }
  heap->timers = timers;
  heap->capacity = capacity;
  return 0;
}

static void place(timer_heap *heap, timer *t, size_t index) {
  heap->timers[index] = t;
  t->index = index;
}

static void sift(timer_heap *heap, timer *t, size_t i) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;

    if (heap->timers[parent]->deadline <= t->deadline) {
      break;
    }
    place(heap, heap->timers[parent], i);
    i = parent;
  }
  for (;;) {
    size_t child = 2 * i + 1;

    if (child >= heap->count) {
      break;
    }
    if (child + 1 < heap->count &&
        heap->timers[child + 1]->deadline < heap->timers[child]->deadline) {
      ++child;
    }
    if (heap->timers[child]->deadline >= t->deadline) {
      break;
    }
    place(heap, heap->timers[child], i);
    i = child;
  }
  place(heap, t, i);
}

void timer_heap_set(timer_heap *heap, timer *t, uint64_t deadline) {
  if (deadline == UINT64_MAX) {
    timer_heap_remove(heap, t);
    return;
  }
  if (t->index != TIMER_NOT_QUEUED && t->deadline == deadline) {
    return;
  }
  t->deadline = deadline;
  sift(heap, t, t->index == TIMER_NOT_QUEUED ? heap->count++ : t->index);
}

void timer_heap_remove(timer_heap *heap, timer *t) {
  size_t index = t->index;

  if (index == TIMER_NOT_QUEUED) {
    return;
  }
  t->index = TIMER_NOT_QUEUED;
  --heap->count;
  if (index != heap->count) {
    sift(heap, heap->timers[heap->count], index);
  }
}

timer *timer_heap_first(const timer_heap *heap) {
  return heap->count ? heap->timers[0] : NULL;
}
