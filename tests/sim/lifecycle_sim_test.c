/* SPDX-License-Identifier: Apache-2.0 */
/* The short form: some seconds of machine time.  A seed that fails is printed;
   fewer seeds and more faults of one kind are a matter of the table. */
#include "tests/sim/lifecycle_sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void run(const cm_profile *profile, unsigned faults, uint64_t seeds,
                int64_t days, lifecycle_sim_report *sum) {
  *sum = (lifecycle_sim_report){0};
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    lifecycle_sim_options options = {
        .seed = seed, .days = days, .faults = faults, .profile = profile};
    lifecycle_sim_report report;

    if (lifecycle_sim_run(&options, &report) != 0) {
      fail_msg("seed %" PRIu64 ", faults %u, %" PRId64 " s: %s", seed, faults,
               report.at, report.violation);
    }
    sum->swaps += report.swaps;
    sum->crashes += report.crashes;
    sum->connects += report.connects;
    sum->healthy += report.healthy;
  }
}

/* Nothing goes wrong: a swap every six days, and hardly anything else. */
static void test_calm(void **state) {
  const int64_t days = 1000;
  lifecycle_sim_report sum;

  (void)state;
  run(&cm_profile_hot_standby, 0, 2, days, &sum);
  assert_in_range(sum.swaps, 2 * 165, 2 * 168);
  assert_true(sum.connects > 100000);
  assert_true(sum.healthy > 2 * days * 86400 * 99 / 100);
}

static void test_each_fault(void **state) {
  (void)state;
  for (unsigned fault = 1; fault <= LIFECYCLE_SIM_ALL; fault *= 2) {
    lifecycle_sim_report sum;

    run(&cm_profile_hot_standby, fault, 3, 700, &sum);
    assert_true(sum.connects > 100000);
    assert_true(fault != LIFECYCLE_SIM_CRASH || sum.crashes > 0);
  }
}

static void test_all_faults(void **state) {
  static const cm_profile *const profiles[] = {
      &cm_profile_hot_standby, &cm_profile_short, &cm_profile_long};

  (void)state;
  for (int i = 0; i < 3; i++) {
    lifecycle_sim_report sum;

    run(profiles[i], LIFECYCLE_SIM_ALL, 10, 700, &sum);
    assert_true(sum.connects > 100000);
    assert_true(sum.crashes > 10);
  }
}

/* Worlds that take turns seldom taken; most have found a fault. */
static void test_found(void **state) {
  static const struct {
    uint64_t seed;
    const cm_profile *profile; /* NULL: drawn from the seed. */
    int64_t days;
  } worlds[] = {
      {36, &cm_profile_hot_standby, 3340},
      {248, &cm_profile_hot_standby, 500},
      {2536, &cm_profile_hot_standby, 1360},
      {69, &cm_profile_short, 3550},
      {533, &cm_profile_short, 980},
      {989, &cm_profile_short, 2030},
      {1689, &cm_profile_short, 710},
      {302, &cm_profile_long, 3300},
      {7538, &cm_profile_long, 1310},
      {43, NULL, 250},
      {151, NULL, 2820},
      {343, NULL, 2180},
      {1327, NULL, 3440},
      {4543, NULL, 3390},
      {5727, NULL, 630},
      {6443, NULL, 1960},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
    lifecycle_sim_options options = {.seed = worlds[i].seed,
                                     .days = worlds[i].days,
                                     .faults = LIFECYCLE_SIM_ALL,
                                     .profile = worlds[i].profile};
    lifecycle_sim_report report;
    cm_profile drawn;

    if (options.profile == NULL) {
      lifecycle_sim_draw_profile(&drawn, options.seed);
      options.profile = &drawn;
    }
    if (lifecycle_sim_run(&options, &report) != 0) {
      fail_msg("seed %" PRIu64 ", %" PRId64 " s: %s", options.seed, report.at,
               report.violation);
    }
  }
}

/* The same with real certificates, signatures and a store. */
static void test_real(void **state) {
  static const cm_profile *const profiles[] = {
      &cm_profile_hot_standby, &cm_profile_short, &cm_profile_long};

  (void)state;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    lifecycle_sim_options options = {.seed = seed,
                                     .days = 120,
                                     .faults = LIFECYCLE_SIM_ALL,
                                     .profile = profiles[seed % 3],
                                     .real = 1};
    lifecycle_sim_report report;

    if (lifecycle_sim_run(&options, &report) != 0) {
      fail_msg("seed %" PRIu64 ", %" PRId64 " s: %s", options.seed, report.at,
               report.violation);
    }
    assert_true(report.connects > 1000);
    assert_true(report.certificates > 8);
  }
}

/* The world is one that finds faults: a little more than what is promised,
   and some client is refused. */
static void test_objects(void **state) {
  lifecycle_sim_report report;
  lifecycle_sim_options options = {
      .seed = 1, .days = 200, .profile = &cm_profile_hot_standby};

  (void)state;
  assert_int_equal(lifecycle_sim_run(&options, &report), 0);
  options.slower = 60;
  assert_int_equal(lifecycle_sim_run(&options, &report), -1);
  assert_string_equal(report.violation, "a client with a slow clock refused");
  options.slower = 0;
  options.faster = 3600;
  assert_int_equal(lifecycle_sim_run(&options, &report), -1);
  assert_string_equal(report.violation, "a client with a fast clock refused");
  options.faster = 0;
  options.older = 7 * 86400;
  assert_int_equal(lifecycle_sim_run(&options, &report), -1);
  assert_string_equal(report.violation, "a client did not know the hash");
}

/* The same seed, the same world. */
static void test_replays(void **state) {
  lifecycle_sim_options options = {.seed = 7,
                                   .days = 300,
                                   .faults = LIFECYCLE_SIM_ALL,
                                   .profile = &cm_profile_hot_standby};
  lifecycle_sim_report a, b;

  (void)state;
  assert_int_equal(lifecycle_sim_run(&options, &a), 0);
  assert_int_equal(lifecycle_sim_run(&options, &b), 0);
  assert_int_equal(a.steps, b.steps);
  assert_int_equal(a.connects, b.connects);
  assert_true(a.healthy == b.healthy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_calm),       cmocka_unit_test(test_each_fault),
      cmocka_unit_test(test_all_faults), cmocka_unit_test(test_objects),
      cmocka_unit_test(test_replays),    cmocka_unit_test(test_found),
      cmocka_unit_test(test_real),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
