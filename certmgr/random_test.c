/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* More than getentropy(3) gives at once, and no multiple of it. */
#define LEN 1000

/* Each octet of |a| has been written: over some draws none stays the same. */
static void check(int (*draw)(uint8_t *dest, size_t len)) {
  uint8_t a[LEN + 1], first[LEN], changed[LEN];

  memset(changed, 0, sizeof(changed));
  a[LEN] = 0xaa;
  assert_int_equal(draw(first, LEN), 0);
  for (int i = 0; i < 16; i++) {
    memset(a, 0, LEN);
    assert_int_equal(draw(a, LEN), 0);
    assert_memory_not_equal(a, first, LEN);
    for (size_t j = 0; j < LEN; j++) {
      changed[j] |= a[j] != first[j];
    }
  }
  for (size_t j = 0; j < LEN; j++) {
    assert_true(changed[j]);
  }
  assert_int_equal(a[LEN], 0xaa);
  assert_int_equal(draw(a, 0), 0);
}

static int draw_system(uint8_t *dest, size_t len) {
  return cm_random_system.fill(cm_random_system.user, dest, len);
}

static int draw_seed(uint8_t *dest, size_t len) {
  return cm_seed(dest, (unsigned int)len);
}

static void test_system(void **state) {
  (void)state;
  check(draw_system);
}

static void test_seed(void **state) {
  (void)state;
  check(draw_seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system),
      cmocka_unit_test(test_seed),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
