/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void add(sim_windows *windows, uint64_t at, uint64_t latency) {
  sim_window *w = sim_windows_at(windows, at);

  assert_non_null(w);
  ++w->offered;
  if (latency != UINT64_MAX) {
    ++w->echoed;
    w->worst = latency > w->worst ? latency : w->worst;
  }
}

static void test_at(void **state) {
  sim_windows windows;

  (void)state;
  assert_int_equal(sim_windows_init(&windows, 10, 3), 0);
  assert_null(sim_windows_at(&windows, 1000));
  windows.start = 1000;
  assert_null(sim_windows_at(&windows, 999));
  assert_ptr_equal(sim_windows_at(&windows, 1000), windows.windows);
  assert_ptr_equal(sim_windows_at(&windows, 1009), windows.windows);
  assert_ptr_equal(sim_windows_at(&windows, 1029), windows.windows + 2);
  assert_null(sim_windows_at(&windows, 1030));
  sim_windows_free(&windows);
}

static void test_mark(void **state) {
  static const struct {
    uint64_t from, to;
    int marked[4];
  } rows[] = {
      {100, 100, {1, 0, 0, 0}}, {90, 99, {0, 0, 0, 0}},
      {90, 100, {1, 0, 0, 0}},  {109, 110, {1, 1, 0, 0}},
      {115, 134, {0, 1, 1, 1}}, {135, 900, {0, 0, 0, 1}},
      {140, 900, {0, 0, 0, 0}},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    sim_windows windows;

    assert_int_equal(sim_windows_init(&windows, 10, 4), 0);
    windows.start = 100;
    sim_windows_mark(&windows, rows[i].from, rows[i].to);
    for (size_t j = 0; j < 4; ++j) {
      assert_int_equal(windows.windows[j].marked, rows[i].marked[j]);
    }
    sim_windows_free(&windows);
  }
}

static void test_spread(void **state) {
  sim_windows windows;
  sim_spread spread;

  (void)state;
  assert_int_equal(sim_windows_init(&windows, 10, 400), 0);
  windows.start = 0;
  assert_int_equal(sim_windows_spread(&spread, &windows, 0), 0);
  assert_int_equal(spread.count, 0);
  /* Quiet windows: 1 to 100.  After each a marked one, 5 slower, but the 7th
     which is faster and the 9th in which one got lost. */
  for (uint64_t i = 0; i < 100; ++i) {
    add(&windows, 20 * i, i + 1);
    add(&windows, 20 * i + 3, 1);
    sim_windows_mark(&windows, 20 * i + 10, 20 * i + 19);
    add(&windows, 20 * i + 12, i == 6 ? 2 : i + 6);
    add(&windows, 20 * i + 13, i == 8 ? UINT64_MAX : 1);
  }
  assert_int_equal(sim_windows_spread(&spread, &windows, 0), 0);
  assert_int_equal(spread.count, 100);
  assert_int_equal(spread.p50, 50);
  assert_int_equal(spread.p99, 99);
  assert_int_equal(spread.max, 100);
  assert_int_equal(sim_windows_spread(&spread, &windows, 1), 0);
  assert_int_equal(spread.count, 100);
  assert_int_equal(spread.max, 105);
  assert_int_equal(sim_windows_excess(&spread, &windows), 0);
  assert_int_equal(spread.count, 100);
  assert_int_equal(spread.p50, 5);
  assert_int_equal(spread.max, 5);
  assert_int_equal(sim_windows_lost(&windows, 0), 0);
  assert_int_equal(sim_windows_lost(&windows, 1), 1);
  sim_windows_free(&windows);
}

/* Where every window is marked there is nothing to compare with. */
static void test_no_quiet(void **state) {
  sim_windows windows;
  sim_spread spread;

  (void)state;
  assert_int_equal(sim_windows_init(&windows, 10, 2), 0);
  windows.start = 0;
  add(&windows, 0, 3);
  add(&windows, 10, 4);
  sim_windows_mark(&windows, 0, 19);
  assert_int_equal(sim_windows_excess(&spread, &windows), 0);
  assert_int_equal(spread.count, 0);
  assert_int_equal(sim_windows_spread(&spread, &windows, 1), 0);
  assert_int_equal(spread.count, 2);
  assert_int_equal(spread.p50, 3);
  assert_int_equal(spread.p99, 4);
  sim_windows_free(&windows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_at),
      cmocka_unit_test(test_mark),
      cmocka_unit_test(test_spread),
      cmocka_unit_test(test_no_quiet),
  };

  return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
