/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The memory behind it: blocks that are out, and whether there is any. */
typedef struct store {
  size_t blocks;
  int empty;
} store;

static void *store_realloc(void *ptr, size_t size, void *user) {
  store *s = user;

  if (s->empty) {
    return NULL;
  }
  s->blocks += ptr == NULL;
  return realloc(ptr, size);
}

static void store_free(void *ptr, void *user) {
  store *s = user;

  s->blocks -= ptr != NULL;
  free(ptr);
}

static void test_budget(void **state) {
  store s = {0, 0};
  ngtcp2_mem source = {&s, NULL, store_free, NULL, store_realloc};
  h3_memory memory;
  const nghttp3_mem *mem = &memory.mem;
  uint8_t *a, *b;
  size_t i;

  (void)state;
  h3_memory_init(&memory, &source, 1000);
  a = mem->malloc(600, mem->user_data);
  assert_non_null(a);
  memset(a, 7, 600);
  b = mem->calloc(20, 20, mem->user_data);
  assert_non_null(b);
  for (i = 0; i < 400; ++i) {
    assert_int_equal(b[i], 0);
  }
  assert_int_equal(memory.live, 1000);
  assert_int_equal(s.blocks, 2);
  assert_false(memory.exceeded);

  /* Full. */
  assert_null(mem->malloc(1, mem->user_data));
  assert_true(memory.exceeded);
  memory.exceeded = 0;
  assert_null(mem->realloc(b, 401, mem->user_data));
  assert_null(mem->calloc(SIZE_MAX / 2, 3, mem->user_data));
  assert_null(mem->malloc(SIZE_MAX, mem->user_data));
  assert_true(memory.exceeded);
  assert_int_equal(memory.live, 1000);

  /* Room is room again. */
  b = mem->realloc(b, 100, mem->user_data);
  assert_non_null(b);
  assert_int_equal(memory.live, 700);
  a = mem->realloc(a, 900, mem->user_data);
  assert_non_null(a);
  for (i = 0; i < 600; ++i) {
    assert_int_equal(a[i], 7);
  }
  mem->free(b, mem->user_data);
  mem->free(NULL, mem->user_data);
  assert_int_equal(memory.live, 900);

  /* Nothing behind it: that is another matter. */
  memory.exceeded = 0;
  s.empty = 1;
  assert_null(mem->malloc(1, mem->user_data));
  assert_null(mem->realloc(a, 1000, mem->user_data));
  assert_false(memory.exceeded);
  assert_int_equal(memory.live, 900);
  mem->free(a, mem->user_data);
  assert_int_equal(memory.live, 0);
  assert_int_equal(s.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_budget),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
