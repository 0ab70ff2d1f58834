/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* In front of each block. */
typedef union header {
  size_t len;
  max_align_t align;
} header;

/* Whether |more| octets may be had in place of |less|. */
static int may_have(h3_memory *memory, size_t more, size_t less) {
  if (more > memory->max - (memory->live - less)) {
    memory->exceeded = 1;
    return 0;
  }
  return 1;
}

static void *budget_realloc(void *ptr, size_t size, void *user_data) {
  h3_memory *memory = user_data;
  const ngtcp2_mem *source = memory->source;
  header *block = ptr ? (header *)ptr - 1 : NULL;
  size_t before = block ? block->len : 0;

  if (!may_have(memory, size, before)) {
    return NULL;
  }
  block = source->realloc(block, sizeof(*block) + size, source->user_data);
  if (!block) {
    return NULL;
  }
  block->len = size;
  memory->live += size - before;
  return block + 1;
}

static void *budget_malloc(size_t size, void *user_data) {
  return budget_realloc(NULL, size, user_data);
}

static void *budget_calloc(size_t nmemb, size_t size, void *user_data) {
  void *ptr;

  if (size && nmemb > SIZE_MAX / size) {
    return NULL;
  }
  ptr = budget_realloc(NULL, nmemb * size, user_data);
  if (ptr) {
    memset(ptr, 0, nmemb * size);
  }
  return ptr;
}

static void budget_free(void *ptr, void *user_data) {
  h3_memory *memory = user_data;
  const ngtcp2_mem *source = memory->source;
  header *block;

  if (!ptr) {
    return;
  }
  block = (header *)ptr - 1;
  memory->live -= block->len;
  source->free(block, source->user_data);
}

void h3_memory_init(h3_memory *memory, const ngtcp2_mem *source, size_t max) {
  memset(memory, 0, sizeof(*memory));
  memory->mem.user_data = memory;
  memory->mem.malloc = budget_malloc;
  memory->mem.free = budget_free;
  memory->mem.calloc = budget_calloc;
  memory->mem.realloc = budget_realloc;
  memory->source = source;
  memory->max = max;
}
