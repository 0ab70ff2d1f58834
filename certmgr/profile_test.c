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
      {{.standby = -6 * DAY, .active = 1 - 6 * DAY}, "less than an hour"},
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

static void assert_profile(const cm_profile *a, const cm_profile *b) {
  assert_int_equal(a->backdate, b->backdate);
  assert_int_equal(a->standby, b->standby);
  assert_int_equal(a->active, b->active);
  assert_int_equal(a->guard, b->guard);
  assert_int_equal(a->slack, b->slack);
  assert_int_equal(a->jitter_min, b->jitter_min);
  assert_int_equal(a->jitter_max, b->jitter_max);
  assert_int_equal(a->max_age, b->max_age);
}

/* All names and texts give the profile, and its text gives it back. */
static void test_parse(void **state) {
  static const cm_profile quick = {
      .backdate = DAY,
      .standby = HOUR,
      .active = HOUR,
      .guard = DAY - 1,
      .slack = HOUR - 1,
      .jitter_min = 225,
      .jitter_max = 450,
      .max_age = 300,
  };
  static const cm_profile cold = {
      .backdate = HOUR,
      .standby = 0,
      .active = 3 * DAY,
      .guard = 301,
      .slack = 1,
      .jitter_min = 0,
      .jitter_max = 0,
      .max_age = 60,
  };
  static const struct {
    const char *text;
    const cm_profile *profile;
  } rows[] = {
      {"hot-standby", &cm_profile_hot_standby},
      {"long", &cm_profile_long},
      {"short", &cm_profile_short},
      {"backdate=1d,standby=6d,active=6d,guard=1d", &cm_profile_hot_standby},
      {"backdate=24h,standby=8640m,active=518400s,guard=86399",
       &cm_profile_hot_standby},
      {"active=6d", &cm_profile_hot_standby},
      {"hot-standby,backdate=1d", &cm_profile_hot_standby},
      {"short,standby=6d,active=6d", &cm_profile_hot_standby},
      {"active=2d12h,backdate=23h60m", &cm_profile_short},
      {"active=1h", &quick},
      {"active=3600,standby=60m,slack=59m59s", &quick},
      {"backdate=1h,standby=0,active=3d,guard=301s,max-age=1m", &cold},
      {"long,active=3d,guard=301s,max-age=60s", &cold},
      {"long,active=3d,guard=301s,slack=1,jitter=0,max-age=60s", &cold},
  };
  char text[CM_PROFILE_TEXT_MAX];
  const char *reason;
  cm_profile profile;

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int len;

    reason = "";
    assert_int_equal(cm_profile_parse(&profile, rows[i].text, &reason), 0);
    assert_profile(&profile, rows[i].profile);
    len = cm_profile_text(text, sizeof(text), &profile);
    assert_int_equal(len, strlen(text));
    assert_int_equal(cm_profile_text(text, (size_t)len + 1, &profile), len);
    assert_int_equal(cm_profile_text(text, (size_t)len, &profile),
                     CM_ERR_NOBUF);
    assert_int_equal(cm_profile_text(text, sizeof(text), &profile), len);
    memset(&profile, 0, sizeof(profile));
    assert_int_equal(cm_profile_parse(&profile, text, &reason), 0);
    assert_profile(&profile, rows[i].profile);
  }
  assert_int_equal(cm_profile_parse(&profile, "jitter=20m", &reason), 0);
  assert_int_equal(profile.jitter_min, 600);
  assert_int_equal(profile.jitter_max, 1200);
  cm_profile_text(text, sizeof(text), &cm_profile_hot_standby);
  assert_string_equal(text, "backdate=1d,standby=6d,active=6d,guard=23h59m59s,"
                            "slack=59m59s,jitter=15m-30m,max-age=5m");
  assert_string_equal(cm_profile_name(&cm_profile_hot_standby), "hot-standby");
  assert_string_equal(cm_profile_name(&cm_profile_long), "long");
  assert_string_equal(cm_profile_name(&cm_profile_short), "short");
  assert_string_equal(cm_profile_name(&quick), "custom");
}

static void test_not_parsed(void **state) {
  static const struct {
    const char *text;
    const char *word;
  } rows[] = {
      {"", "name"},
      {"Long", "name"},
      {"hot-standby ", "name"},
      {",", "name"},
      {"active=6d,", "part"},
      {"active=6d,,guard=1d", "part"},
      {"active=6d,long", "part"},
      {"actives=6d", "name"},
      {"active=1d,passive=6d", "part"},
      {"active=6d,active=6d", "twice"},
      {"active=", "time"},
      {"active=d", "time"},
      {"active=6x", "time"},
      {"active=6d ", "time"},
      {"active=-6d", "time"},
      {"active=6d-7d", "time"},
      {"active=1.5d", "time"},
      {"active=5m30", "time"},
      {"jitter=1m-", "time"},
      {"jitter=2m-1m", "minimum"},
      {"active=7d", "1209599"},
      {"active=99999999999999999999999d", "14 days"},
      {"active=9223372036854775807s", "14 days"},
      {"active=10675199d10675199d", "14 days"},
      {"standby=6d,active=5d", "standby for longer"},
      {"guard=300s", "slack"},
      {"slack=1d", "300 seconds beyond"},
      {"slack=10m,jitter=10m", "jitter"},
      {"slack=23h55m,jitter=1m", "300 seconds beyond"},
      {"backdate=1m", "backdating"},
      {"max-age=0", "max-age"},
      {"active=1h,max-age=901s", "four times"},
      {"active=59m59s", "less than an hour"},
  };
  cm_profile profile;

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    const char *reason = NULL;

    assert_int_equal(cm_profile_parse(&profile, rows[i].text, &reason),
                     CM_ERR_INVALID);
    assert_non_null(reason);
    if (strstr(reason, rows[i].word) == NULL) {
      fail_msg("%s: %s", rows[i].text, reason);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_named),      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_edges),      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_not_parsed),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
