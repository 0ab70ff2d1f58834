/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/memory.h"

#include <stdint.h>
#include <string.h>

_Static_assert(QUIC_MEMORY_HEAD % _Alignof(max_align_t) == 0 &&
                   QUIC_MEMORY_HEAD >= sizeof(size_t),
               "the head keeps the alignment");

static int fits(const quic_memory *memory, size_t size) {
  return memory->octets <= memory->limit &&
         size <= memory->limit - memory->octets;
}

static void count(quic_memory *memory, size_t more, size_t less) {
  for (; memory; memory = memory->parent) {
    memory->octets = memory->octets + more - less;
  }
}

/* Whether |more| octets may be used in the place of |less|. */
static int allowed(const quic_memory *memory, size_t more, size_t less) {
  for (; memory; memory = memory->parent) {
    if (more > less && !fits(memory, more - less)) {
      return 0;
    }
  }
  return 1;
}

static void *finish(quic_memory *memory, uint8_t *block, size_t size,
                    size_t old) {
  if (!block) {
    return NULL;
  }
  memcpy(block, &size, sizeof(size));
  count(memory, size, old);
  return block + QUIC_MEMORY_HEAD;
}

static void *get(size_t size, void *user_data) {
  quic_memory *memory = user_data;

  if (size > SIZE_MAX - QUIC_MEMORY_HEAD) {
    return NULL;
  }
  size += QUIC_MEMORY_HEAD;
  if (!allowed(memory, size, 0)) {
    return NULL;
  }
  return finish(memory, memory->base->malloc(size, memory->base->user_data),
                size, 0);
}

static void *get_zeroed(size_t nmemb, size_t size, void *user_data) {
  quic_memory *memory = user_data;

  if (size && nmemb > (SIZE_MAX - QUIC_MEMORY_HEAD) / size) {
    return NULL;
  }
  size = nmemb * size + QUIC_MEMORY_HEAD;
  if (!allowed(memory, size, 0)) {
    return NULL;
  }
  return finish(memory, memory->base->calloc(1, size, memory->base->user_data),
                size, 0);
}

static void give_back(void *ptr, void *user_data) {
  quic_memory *memory = user_data;
  uint8_t *block = ptr;
  size_t size;

  if (!ptr) {
    return;
  }
  block -= QUIC_MEMORY_HEAD;
  memcpy(&size, block, sizeof(size));
  count(memory, 0, size);
  memory->base->free(block, memory->base->user_data);
}

static void *get_again(void *ptr, size_t size, void *user_data) {
  quic_memory *memory = user_data;
  uint8_t *block = ptr;
  size_t old;

  if (!ptr) {
    return get(size, user_data);
  }
  if (size > SIZE_MAX - QUIC_MEMORY_HEAD) {
    return NULL;
  }
  size += QUIC_MEMORY_HEAD;
  block -= QUIC_MEMORY_HEAD;
  memcpy(&old, block, sizeof(old));
  if (!allowed(memory, size, old)) {
    return NULL;
  }
  return finish(memory,
                memory->base->realloc(block, size, memory->base->user_data),
                size, old);
}

void quic_memory_init(quic_memory *memory, const ngtcp2_mem *base,
                      quic_memory *parent, size_t limit) {
  memset(memory, 0, sizeof(*memory));
  memory->mem.user_data = memory;
  memory->mem.malloc = get;
  memory->mem.free = give_back;
  memory->mem.calloc = get_zeroed;
  memory->mem.realloc = get_again;
  memory->base = base;
  memory->parent = parent;
  memory->limit = limit;
}
