/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD QUIC_MEMORY_HEAD

static void test_limit(void **state) {
  quic_memory m;
  void *a, *b;

  (void)state;
  quic_memory_init(&m, ngtcp2_mem_default(), NULL, 1000);
  a = m.mem.malloc(1000 - HEAD, &m);
  assert_non_null(a);
  assert_int_equal(m.octets, 1000);
  assert_null(m.mem.malloc(0, &m));
  assert_null(m.mem.calloc(1, 1, &m));
  m.mem.free(a, &m);
  assert_int_equal(m.octets, 0);
  assert_null(m.mem.malloc(1000 - HEAD + 1, &m));
  assert_null(m.mem.malloc(SIZE_MAX, &m));
  assert_null(m.mem.calloc(SIZE_MAX / 2, 3, &m));
  assert_null(m.mem.calloc(SIZE_MAX, SIZE_MAX, &m));

  a = m.mem.calloc(10, 10, &m);
  assert_non_null(a);
  memset(a, 7, 100);
  b = m.mem.realloc(a, 500, &m);
  assert_non_null(b);
  assert_int_equal(((uint8_t *)b)[99], 7);
  assert_int_equal(m.octets, 500 + HEAD);
  /* Refused: what is there stays. */
  assert_null(m.mem.realloc(b, 1000, &m));
  assert_null(m.mem.realloc(b, SIZE_MAX, &m));
  assert_int_equal(((uint8_t *)b)[99], 7);
  assert_int_equal(m.octets, 500 + HEAD);
  b = m.mem.realloc(b, 20, &m);
  assert_int_equal(m.octets, 20 + HEAD);
  m.mem.free(b, &m);
  m.mem.free(NULL, &m);
  a = m.mem.realloc(NULL, 3, &m);
  assert_int_equal(m.octets, 3 + HEAD);
  m.mem.free(a, &m);
  assert_int_equal(m.octets, 0);
}

/* What one has not left, its sister does not get. */
static void test_parent(void **state) {
  quic_memory all, one, two;
  void *a, *b;

  (void)state;
  quic_memory_init(&all, ngtcp2_mem_default(), NULL, 1000);
  quic_memory_init(&one, ngtcp2_mem_default(), &all, 600);
  quic_memory_init(&two, ngtcp2_mem_default(), &all, 600);
  a = one.mem.malloc(500 - HEAD, &one);
  b = two.mem.malloc(500 - HEAD, &two);
  assert_non_null(a);
  assert_non_null(b);
  assert_int_equal(all.octets, 1000);
  assert_null(one.mem.malloc(1, &one));
  /* Less may always be had. */
  a = one.mem.realloc(a, 100 - HEAD, &one);
  assert_non_null(a);
  assert_int_equal(all.octets, 600);
  assert_null(two.mem.realloc(b, 601 - HEAD, &two));
  b = two.mem.realloc(b, 600 - HEAD, &two);
  assert_non_null(b);
  two.mem.free(b, &two);
  one.mem.free(a, &one);
  assert_int_equal(all.octets, 0);
  assert_int_equal(one.octets, 0);
  assert_int_equal(two.octets, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_parent),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
