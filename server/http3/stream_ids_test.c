/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/stream_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int empty;

static void *store_realloc(void *ptr, size_t size, void *user) {
  (void)user;
  return empty ? NULL : realloc(ptr, size);
}

static void store_free(void *ptr, void *user) {
  (void)user;
  free(ptr);
}

static const ngtcp2_mem mem = {NULL, NULL, store_free, NULL, store_realloc};

static void test_order(void **state) {
  h3_stream_ids ids;

  (void)state;
  memset(&ids, 0, sizeof(ids));
  assert_false(h3_stream_ids_is_over(&ids, 0));
  /* 8 comes first: 0 and 4 have yet to come. */
  assert_int_equal(h3_stream_ids_opened(&ids, 8, &mem), 0);
  assert_int_equal(h3_stream_ids_closed(&ids, 8, &mem), 0);
  assert_true(h3_stream_ids_is_over(&ids, 8));
  assert_false(h3_stream_ids_is_over(&ids, 0));
  assert_false(h3_stream_ids_is_over(&ids, 4));
  assert_false(h3_stream_ids_is_over(&ids, 12));
  assert_false(h3_stream_ids_is_over(&ids, (UINT64_C(1) << 62) - 4));
  assert_int_equal(h3_stream_ids_opened(&ids, 0, &mem), 0);
  assert_int_equal(h3_stream_ids_closed(&ids, 0, &mem), 0);
  assert_int_equal(h3_stream_ids_closed(&ids, 0, &mem), 0);
  assert_true(h3_stream_ids_is_over(&ids, 0));
  assert_false(h3_stream_ids_is_over(&ids, 4));
  /* Closed, and never opened. */
  assert_int_equal(h3_stream_ids_closed(&ids, 20, &mem), 0);
  assert_true(h3_stream_ids_is_over(&ids, 20));
  assert_false(h3_stream_ids_is_over(&ids, 16));
  h3_stream_ids_clear(&ids, &mem);
}

/* The first goes on for ever, a million come and go. */
static void test_long(void **state) {
  h3_stream_ids ids;
  uint64_t i;

  (void)state;
  memset(&ids, 0, sizeof(ids));
  assert_int_equal(h3_stream_ids_opened(&ids, 0, &mem), 0);
  for (i = 1; i < 1000000; ++i) {
    assert_int_equal(h3_stream_ids_opened(&ids, 4 * i, &mem), 0);
    if (i > 100) {
      assert_int_equal(h3_stream_ids_closed(&ids, 4 * (i - 100), &mem), 0);
    }
  }
  assert_false(h3_stream_ids_is_over(&ids, 0));
  assert_true(h3_stream_ids_is_over(&ids, 4 * 899899));
  assert_false(h3_stream_ids_is_over(&ids, 4 * 999999));
  assert_int_equal(ids.capacity, 128);
  h3_stream_ids_clear(&ids, &mem);
}

static void test_no_memory(void **state) {
  h3_stream_ids ids;

  (void)state;
  memset(&ids, 0, sizeof(ids));
  empty = 1;
  assert_int_equal(h3_stream_ids_opened(&ids, 0, &mem), NGTCP2_ERR_NOMEM);
  assert_int_equal(h3_stream_ids_closed(&ids, 0, &mem), NGTCP2_ERR_NOMEM);
  assert_false(h3_stream_ids_is_over(&ids, 0));
  empty = 0;
  assert_int_equal(h3_stream_ids_opened(&ids, 28, &mem), 0);
  empty = 1;
  assert_int_equal(h3_stream_ids_opened(&ids, 32, &mem), NGTCP2_ERR_NOMEM);
  assert_int_equal(h3_stream_ids_closed(&ids, 12, &mem), 0);
  assert_int_equal(h3_stream_ids_opened(&ids, 32, &mem), 0);
  assert_true(h3_stream_ids_is_over(&ids, 12));
  empty = 0;
  assert_int_equal(h3_stream_ids_opened(&ids, (UINT64_C(1) << 62) - 4, &mem),
                   NGTCP2_ERR_NOMEM);
  h3_stream_ids_clear(&ids, &mem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_long),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
