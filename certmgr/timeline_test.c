/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/timeline.h"

#include <cjson/cJSON.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

static char buf[CM_TIMELINE_TEXT_MAX];

static const cm_profile *const profiles[] = {
    &cm_profile_hot_standby, &cm_profile_long, &cm_profile_short};

#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

static void parse(cm_profile *profile, const char *text) {
  const char *reason;

  assert_int_equal(cm_profile_parse(profile, text, &reason), 0);
}

/* What was promised has been kept in all of the years. */
static void test_years(void **state) {
  cm_timeline t;

  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    const cm_profile *p = profiles[i];
    int64_t life = p->active + p->jitter_min;

    assert_int_equal(cm_timeline_run(&t, p, 10), 0);
    assert_int_equal(t.length, 3650 * (int64_t)DAY);
    assert_int_equal(t.gap_max, 0);
    assert_in_range(t.swaps, t.length / (p->active + p->jitter_max),
                    t.length / life);
    /* One in service, and one to follow. */
    assert_int_equal(t.certificates, t.swaps + 2);
    /* The first is published before its successor can be, or with it. */
    assert_in_range(t.documents, t.swaps + 1, t.swaps + 3);
    /* A hash is known for as long as clients were promised. */
    assert_true(t.public_min >= t.promise.cached);
    assert_true(t.guard_min >= t.promise.fast);
    assert_true(t.overlap_min >= t.promise.slow + t.promise.fast);
    assert_true(t.promise.hot ? t.ready > t.length / 1000 * 995
                              : t.ready < t.length / 100);
  }
}

/* The edges of what is allowed are lived through as well. */
static void test_edges(void **state) {
  static const char *const texts[] = {
      "active=1h", "active=1h,guard=301s,slack=1s,jitter=0",
      "backdate=5m,standby=0,active=1h,guard=10m,max-age=15m",
      "long,backdate=5m,guard=1h,slack=50m,jitter=49m-49m",
      "backdate=13d,standby=0,active=1h,guard=10m"};

  (void)state;
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    cm_profile profile;
    cm_timeline t;

    parse(&profile, texts[i]);
    assert_int_equal(cm_timeline_run(&t, &profile, 2), 0);
    assert_int_equal(t.gap_max, 0);
    assert_int_equal(t.certificates, t.swaps + 2);
    assert_true(t.public_min >= t.promise.cached);
    assert_true(t.guard_min >= t.promise.fast);
    assert_true(t.overlap_min >= t.promise.slow + t.promise.fast);
  }
}

static void test_first(void **state) {
  cm_timeline t;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_hot_standby, 1), 0);
  assert_int_equal(t.nfirst, CM_TIMELINE_FIRST);
  assert_int_equal(t.first[0].made, 0);
  assert_int_equal(t.first[0].activated, 0);
  assert_int_equal(t.first[0].not_before, -7 * DAY);
  assert_int_equal(t.first[0].ready, CM_TIMELINE_NEVER);
  for (size_t i = 1; i < t.nfirst; i++) {
    const cm_timeline_certificate *c = &t.first[i], *before = &t.first[i - 1];

    assert_int_equal(c->id, i + 1);
    assert_int_equal(c->made, before->activated);
    assert_int_equal(c->ready - c->published, 2 * 300);
    assert_int_equal(c->activated, before->retired);
    assert_in_range(c->retired - c->activated, 6 * DAY + 15 * MINUTE,
                    6 * DAY + 30 * MINUTE);
    assert_int_equal(c->not_after - c->not_before, 14 * DAY - 1);
    assert_int_equal(c->activated - c->not_before, 7 * DAY);
    assert_true(c->destroyed >= c->retired);
    assert_true(c->destroyed != CM_TIMELINE_NEVER);
  }
}

static void test_same_again(void **state) {
  cm_timeline a, b;

  (void)state;
  assert_int_equal(cm_timeline_run(&a, &cm_profile_short, 1), 0);
  assert_int_equal(cm_timeline_run(&b, &cm_profile_short, 1), 0);
  assert_memory_equal(a.first, b.first, sizeof(a.first));
  assert_int_equal(a.ready, b.ready);
}

static void test_years_refused(void **state) {
  cm_timeline t;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_long, 0), CM_ERR_INVALID);
  assert_int_equal(cm_timeline_run(&t, &cm_profile_long, -1), CM_ERR_INVALID);
  assert_int_equal(
      cm_timeline_run(&t, &cm_profile_long, CM_TIMELINE_YEARS_MAX + 1),
      CM_ERR_INVALID);
}

/* The spans of each certificate lie end to end, from first to last. */
static void test_spans(void **state) {
  cm_timeline t;

  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    assert_int_equal(cm_timeline_run(&t, profiles[i], 1), 0);
    for (size_t j = 0; j < t.nfirst; j++) {
      const cm_timeline_certificate *c = &t.first[j];
      cm_span spans[CM_PHASE_COUNT];
      size_t n = cm_timeline_spans(spans, c);

      assert_in_range(n, 3, 4);
      assert_int_equal(spans[0].from,
                       c->made < c->not_before ? c->made : c->not_before);
      assert_int_equal(spans[n - 1].to, c->not_after);
      for (size_t k = 1; k < n; k++) {
        assert_int_equal(spans[k].from, spans[k - 1].to);
        assert_true(spans[k].phase > spans[k - 1].phase);
      }
    }
  }
}

/* One that is only just made, and has no future yet. */
static void test_spans_of_unfinished(void **state) {
  cm_timeline_certificate c = {.not_before = -10,
                               .not_after = 100,
                               .made = 0,
                               .activated = CM_TIMELINE_NEVER,
                               .retired = CM_TIMELINE_NEVER};
  cm_span spans[CM_PHASE_COUNT];

  (void)state;
  assert_int_equal(cm_timeline_spans(spans, &c), 2);
  assert_int_equal(spans[1].phase, CM_PHASE_STANDBY);
  assert_int_equal(spans[1].to, 100);
  c.activated = 20;
  assert_int_equal(cm_timeline_spans(spans, &c), 3);
  assert_int_equal(spans[2].phase, CM_PHASE_ACTIVE);
  assert_int_equal(spans[2].to, 100);
}

static const char hot_chart[] =
    "The first certificates, in days\n"
    "\n"
    "    1  ............###########=\n"
    "    2            ..-----------##########==\n"
    "    3                       ..----------##########==\n"
    "    4                                 ..----------###########==\n"
    "    5                                            .-----------##########=="
    "\n"
    "       "
    "-+----------+---------+---------+----------+---------+----------+-\n"
    "        -6         0         6         12         18        24         "
    "30\n"
    "       . backdated  - standby  # active  = guard\n"
    "\n";

static void test_text(void **state) {
  static const char *const lines[] = {
      "The profile hot-standby\n  backdate=1d,standby=6d,active=6d,",
      "cached hashes    learnt up to 6 days ago, they still connect\n",
      "slow clocks      up to 7 days behind\n",
      "fast clocks      up to 23 hours ahead\n",
      "emergency swap   to the standby,",
      "time             3650 days\n",
      "certificates     608 made, 606 swaps\n",
      "largest gap      0 seconds without",
      "hash public      for 6 days already\n"};
  cm_timeline t;
  int len;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_hot_standby, 10), 0);
  len = cm_timeline_text(buf, sizeof(buf), &t);
  assert_int_equal(len, strlen(buf));
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    if (strstr(buf, lines[i]) == NULL) {
      fail_msg("\"%s\" is not in\n%s", lines[i], buf);
    }
  }
  if (strstr(buf, hot_chart) == NULL) {
    fail_msg("another chart:\n%s", buf);
  }
  assert_int_equal(cm_timeline_run(&t, &cm_profile_long, 1), 0);
  assert_true(cm_timeline_text(buf, sizeof(buf), &t) > 0);
  assert_non_null(strstr(buf, "emergency swap   not before the standby is "
                              "valid, 1 hour before its turn\n"));
  assert_non_null(strstr(buf, "\n    2  :::::::::::::#############=\n"));
  assert_non_null(strstr(buf, "  : made, and not valid yet\n"));
}

/* All lines but the profile's own fit a terminal, whatever the unit. */
static void test_text_width(void **state) {
  static const char cold[] = "backdate=12d,active=1d,guard=10m,standby=0";
  static const char *const texts[] = {
      "hot-standby", "long", "short", "active=1h", "active=2h30m,guard=10m",
      cold};
  (void)state;
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    cm_profile profile;
    cm_timeline t;
    size_t len = 0;
    int line = 1;

    parse(&profile, texts[i]);
    assert_int_equal(cm_timeline_run(&t, &profile, 1), 0);
    assert_true(cm_timeline_text(buf, sizeof(buf), &t) > 0);
    for (const char *p = buf; *p != '\0'; p++) {
      len = *p == '\n' ? 0 : len + 1;
      line += *p == '\n';
      if (len > 80 && line != 2) {
        fail_msg("%s: line %d is too long:\n%s", texts[i], line, buf);
      }
      assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
    }
  }
}

static void test_json(void **state) {
  cm_timeline t;
  int len;
  cJSON *root;
  const cJSON *first;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_hot_standby, 1), 0);
  len = cm_timeline_json(buf, sizeof(buf), &t);
  assert_int_equal(len, strlen(buf));
  root = cJSON_Parse(buf);
  assert_non_null(root);
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "name")),
                      "hot-standby");
  assert_int_equal(
      (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(root, "certificates")),
      t.certificates);
  first = cJSON_GetObjectItem(root, "first");
  assert_int_equal(cJSON_GetArraySize(first), CM_TIMELINE_FIRST);
  first = cJSON_GetArrayItem(first, 0);
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(first, "ready")));
  assert_int_equal(
      (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(first, "not_before")),
      -7 * DAY);
  cJSON_Delete(root);
}

/* Elements that are opened are closed, in turn; no stray "<", ">" or "&". */
static void assert_well_formed(const char *xml) {
  const char *open[8];
  size_t depth = 0;

  while (*xml != '\0') {
    const char *close;
    size_t len;

    if (*xml != '<') {
      assert_true(*xml != '>' && *xml != '&');
      xml++;
      continue;
    }
    xml++;
    close = strchr(xml, '>');
    assert_non_null(close);
    len = strcspn(xml, " >");
    if (*xml == '/') {
      assert_true(depth > 0);
      depth--;
      assert_int_equal(strcspn(open[depth], " >"), len - 1);
      assert_memory_equal(open[depth], xml + 1, len - 1);
    } else if (close[-1] != '/') {
      assert_true(depth < 8);
      open[depth++] = xml;
    }
    xml = close + 1;
  }
  assert_int_equal(depth, 0);
}

static void test_svg(void **state) {
  static const char *const texts[] = {"hot-standby", "long", "short",
                                      "active=1h", "active=2h30m,guard=10m"};

  (void)state;
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    cm_profile profile;
    cm_timeline t;
    int len;

    parse(&profile, texts[i]);
    assert_int_equal(cm_timeline_run(&t, &profile, 1), 0);
    len = cm_timeline_svg(buf, sizeof(buf), &t);
    assert_int_equal(len, strlen(buf));
    assert_well_formed(buf);
    assert_non_null(strstr(buf, ">certificate 4</text>"));
    assert_null(strstr(buf, "width=\"-"));
    assert_null(strstr(buf, "x=\"-"));
  }
}

static void test_room(void **state) {
  static int (*const forms[])(char *, size_t, const cm_timeline *) = {
      cm_timeline_text, cm_timeline_json, cm_timeline_svg};
  cm_timeline t;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_long, 1), 0);
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    int len = forms[i](buf, sizeof(buf), &t);

    assert_true(len > 0);
    assert_int_equal(forms[i](buf, (size_t)len + 1, &t), len);
    assert_int_equal(forms[i](buf, (size_t)len, &t), CM_ERR_NOBUF);
    assert_int_equal(buf[0], '\0');
    assert_int_equal(forms[i](NULL, 0, &t), CM_ERR_NOBUF);
  }
}

/* Every allocation of cJSON fails once. */
static int allocations_left;

static void *failing_malloc(size_t size) {
  return allocations_left-- > 0 ? test_malloc(size) : NULL;
}

static void counted_free(void *p) { test_free(p); }

static void test_json_without_memory(void **state) {
  cJSON_Hooks hooks = {failing_malloc, counted_free};
  cm_timeline t;
  int n = 0, rv;

  (void)state;
  assert_int_equal(cm_timeline_run(&t, &cm_profile_long, 1), 0);
  cJSON_InitHooks(&hooks);
  do {
    allocations_left = n++;
    rv = cm_timeline_json(buf, sizeof(buf), &t);
    assert_true(rv > 0 || rv == CM_ERR_NOMEM);
  } while (rv < 0);
  cJSON_InitHooks(NULL);
  assert_true(n > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_years),
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_first),
      cmocka_unit_test(test_same_again),
      cmocka_unit_test(test_years_refused),
      cmocka_unit_test(test_spans),
      cmocka_unit_test(test_spans_of_unfinished),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_text_width),
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_svg),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_json_without_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
