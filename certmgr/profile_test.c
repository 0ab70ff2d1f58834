/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOUR 3600
#define DAY 86400

static void test_named(void **state) {
  cm_promise promise;

  (void)state;
  assert_ptr_equal(cm_profile_by_name("hot-standby"), &cm_profile_hot_standby);
  assert_ptr_equal(cm_profile_by_name("long"), &cm_profile_long);
  assert_ptr_equal(cm_profile_by_name("short"), &cm_profile_short);
  assert_null(cm_profile_by_name("Long"));
  assert_null(cm_profile_check(&cm_profile_hot_standby));
  assert_null(cm_profile_check(&cm_profile_long));
  assert_null(cm_profile_check(&cm_profile_short));
  assert_int_equal(cm_profile_validity(&cm_profile_hot_standby), 14 * DAY - 1);
  assert_int_equal(cm_profile_validity(&cm_profile_long), 14 * DAY - 1);
  assert_int_equal(cm_profile_validity(&cm_profile_short), 7 * DAY - 1);

  cm_profile_promise(&promise, &cm_profile_hot_standby);
  assert_int_equal(promise.cached, 6 * DAY);
  assert_int_equal(promise.slow, 7 * DAY);
  assert_int_equal(promise.fast, 23 * HOUR);
  assert_true(promise.hot);
  cm_profile_promise(&promise, &cm_profile_long);
  assert_true(promise.cached > 13 * DAY + 20 * HOUR);
  assert_int_equal(promise.slow, HOUR);
  assert_false(promise.hot);
  cm_profile_promise(&promise, &cm_profile_short);
  assert_int_equal(promise.cached, 5 * DAY / 2);
  assert_true(promise.hot);
}

/* One part changed at a time; each is refused, and for its own reason. */
static void test_refused(void **state) {
  static const struct {
    cm_profile change;
    const char *word;
  } rows[] = {
      {{.guard = 1}, "1209599"},
      {{.backdate = 299 - DAY}, "backdating"},
      {{.backdate = -2 * DAY}, "negative"},
      {{.jitter_min = -901}, "negative"},
      {{.active = INT64_MAX - 6 * DAY}, "longer than 14 days"},
      {{.active = -1}, "cannot be standby"},
      {{.jitter_min = 901}, "minimum"},
      {{.jitter_max = 1799}, "jitter"},
      {{.guard = -DAY + 3600}, "guard"},
      {{.max_age = -300}, "max-age of 0"},
      {{.max_age = 2 * DAY}, "known in time"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    const cm_profile *change = &rows[i].change;
    cm_profile profile = cm_profile_hot_standby;
    const char *reason;

    profile.backdate += change->backdate;
    profile.standby += change->standby;
    profile.active += change->active;
    profile.guard += change->guard;
    profile.slack += change->slack;
    profile.jitter_min += change->jitter_min;
    profile.jitter_max += change->jitter_max;
    profile.max_age += change->max_age;
    reason = cm_profile_check(&profile);
    assert_non_null(reason);
    assert_non_null(strstr(reason, rows[i].word));
  }
}

/* The edges themselves are allowed. */
static void test_edges(void **state) {
  cm_profile profile = cm_profile_hot_standby;

  (void)state;
  profile.jitter_max = profile.slack - 1;
  assert_null(cm_profile_check(&profile));
  profile.jitter_max = profile.slack;
  assert_non_null(cm_profile_check(&profile));
  profile = cm_profile_hot_standby;
  profile.guard = profile.slack + 300;
  assert_null(cm_profile_check(&profile));
  profile.guard--;
  assert_non_null(cm_profile_check(&profile));
  profile = cm_profile_hot_standby;
  profile.max_age = profile.active / 4;
  assert_null(cm_profile_check(&profile));
  profile.max_age++;
  assert_non_null(cm_profile_check(&profile));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_named),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_edges),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
