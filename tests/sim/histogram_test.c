/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static sim_histogram histogram;

static void test_empty(void **state) {
  (void)state;
  memset(&histogram, 0, sizeof(histogram));
  assert_int_equal(sim_histogram_percentile(&histogram, 50), 0);
}

static void test_small_values_are_exact(void **state) {
  uint64_t i;

  (void)state;
  memset(&histogram, 0, sizeof(histogram));
  for (i = 1; i <= 60; ++i) {
    sim_histogram_add(&histogram, i);
  }
  assert_int_equal(sim_histogram_percentile(&histogram, 50), 30);
  assert_int_equal(sim_histogram_percentile(&histogram, 100), 60);
  assert_int_equal(histogram.max, 60);
}

static void test_large_values_are_near(void **state) {
  uint64_t i, got;

  (void)state;
  memset(&histogram, 0, sizeof(histogram));
  for (i = 1; i <= 1000000; ++i) {
    sim_histogram_add(&histogram, i * 1000);
  }
  got = sim_histogram_percentile(&histogram, 99);
  assert_in_range(got, 990000000, 990000000 / 100 * 102);
  got = sim_histogram_percentile(&histogram, 50);
  assert_in_range(got, 500000000, 500000000 / 100 * 102);
  assert_int_equal(sim_histogram_percentile(&histogram, 100), 1000000000);
}

static void test_extremes_have_a_class(void **state) {
  (void)state;
  memset(&histogram, 0, sizeof(histogram));
  sim_histogram_add(&histogram, 0);
  sim_histogram_add(&histogram, UINT64_MAX);
  assert_int_equal(sim_histogram_percentile(&histogram, 50), 0);
  assert_true(sim_histogram_percentile(&histogram, 100) == UINT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_small_values_are_exact),
      cmocka_unit_test(test_large_values_are_near),
      cmocka_unit_test(test_extremes_have_a_class),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
