/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webtransport/error_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_known_codes(void **state) {
  (void)state;
  assert_true(wt_error_to_h3(0) == WT_APPLICATION_ERROR_FIRST);
  assert_true(wt_error_to_h3(1) == UINT64_C(0x52e4a40fa8dc));
  /* The last before, and the first behind a reserved codepoint. */
  assert_true(wt_error_to_h3(0x1d) == UINT64_C(0x52e4a40fa8f8));
  assert_true(wt_error_to_h3(0x1e) == UINT64_C(0x52e4a40fa8fa));
  assert_true(wt_error_to_h3(UINT32_MAX) == WT_APPLICATION_ERROR_LAST);
}

static void check_round_trip(uint32_t code) {
  uint64_t h3 = wt_error_to_h3(code);
  uint32_t back = ~code;

  assert_true((h3 - 0x21) % 0x1f != 0);
  assert_int_equal(h3_error_to_wt(h3, &back), 0);
  assert_true(back == code);
}

static void test_round_trip(void **state) {
  uint32_t random = 1;

  (void)state;
  for (uint32_t code = 0; code < 1000; code++) {
    check_round_trip(code);
    check_round_trip(UINT32_MAX - code);
  }
  for (int i = 0; i < 100000; i++) {
    random = random * 1664525 + 1013904223;
    check_round_trip(random);
  }
}

/* Every codepoint of a stretch is either reserved or the next application
   error: none is left out, none comes twice. */
static void test_every_codepoint(void **state) {
  uint32_t expected = 0;

  (void)state;
  for (uint64_t h3 = WT_APPLICATION_ERROR_FIRST;
       h3 < WT_APPLICATION_ERROR_FIRST + 10000; h3++) {
    uint32_t code = 4711;
    int rv = h3_error_to_wt(h3, &code);

    if ((h3 - 0x21) % 0x1f == 0) {
      assert_int_equal(rv, -1);
      assert_int_equal(code, 4711);
    } else {
      assert_int_equal(rv, 0);
      assert_int_equal(code, expected);
      expected++;
    }
  }
}

static void test_outside(void **state) {
  static const uint64_t codes[] = {0,
                                   0x100,
                                   0x10e,
                                   WT_SESSION_GONE,
                                   WT_BUFFERED_STREAM_REJECTED,
                                   WT_APPLICATION_ERROR_FIRST - 1,
                                   WT_APPLICATION_ERROR_LAST + 1,
                                   UINT64_MAX};
  uint32_t code = 4711;

  (void)state;
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    assert_int_equal(h3_error_to_wt(codes[i], &code), -1);
    assert_int_equal(code, 4711);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_codes),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_every_codepoint),
      cmocka_unit_test(test_outside),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
