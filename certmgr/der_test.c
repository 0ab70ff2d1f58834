/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A copy on the heap, so that a sanitizer sees a step too far. */
static uint8_t *copy_of(const void *octets, size_t len) {
  uint8_t *copy = malloc(len > 0 ? len : 1);

  assert_non_null(copy);
  memcpy(copy, octets, len);
  return copy;
}

static int next(const char *octets, size_t len, uint8_t *tag,
                size_t *contents_len, size_t *rest_len) {
  uint8_t *copy = copy_of(octets, len);
  cm_octets in = {copy, len}, contents = {NULL, 0}, whole = {NULL, 0};
  int rv = cm_der_next(&in, tag, &contents, &whole);

  if (rv == 0) {
    assert_ptr_equal(whole.data, copy);
    assert_ptr_equal(contents.data + contents.len, whole.data + whole.len);
    assert_ptr_equal(in.data, whole.data + whole.len);
    assert_int_equal(whole.len + in.len, len);
    *contents_len = contents.len;
  } else {
    assert_int_equal(rv, -1);
    assert_ptr_equal(in.data, copy);
    assert_int_equal(in.len, len);
  }
  *rest_len = in.len;
  free(copy);
  return rv;
}

static void test_next(void **state) {
  char longer[300];
  uint8_t tag = 0;
  size_t len = 0, rest = 0;

  (void)state;
  assert_int_equal(next("\x02\x01\x05\xff", 4, &tag, &len, &rest), 0);
  assert_int_equal(tag, CM_DER_INTEGER);
  assert_int_equal(len, 1);
  assert_int_equal(rest, 1);
  assert_int_equal(next("\x30\x00", 2, &tag, &len, &rest), 0);
  assert_int_equal(len, 0);
  memset(longer, 0, sizeof(longer));
  memcpy(longer, "\x04\x81\x80", 3);
  assert_int_equal(next(longer, 3 + 0x80, &tag, &len, &rest), 0);
  assert_int_equal(len, 0x80);
  assert_int_equal(next(longer, 2 + 0x80, &tag, &len, &rest), -1);
  /* A needless zero in front of a length that is long enough otherwise. */
  memcpy(longer, "\x04\x82\x00\x80", 4);
  assert_int_equal(next(longer, 4 + 0x80, &tag, &len, &rest), -1);
  memcpy(longer, "\x04\x82\x01\x00", 4);
  assert_int_equal(next(longer, 4 + 0x100, &tag, &len, &rest), 0);
  assert_int_equal(len, 0x100);
}

static void test_next_refused(void **state) {
  static const struct {
    const char *octets;
    size_t len;
  } bad[] = {
      {"", 0},
      {"\x02", 1},
      {"\x02\x02\x05", 3},
      /* Not the shortest form of a length. */
      {"\x02\x81\x01\x05", 4},
      {"\x02\x82\x00\x01\x05", 5},
      {"\x02\x81\x7f\x05", 4},
      /* Indefinite, and lengths that lead out of the world. */
      {"\x30\x80\x00\x00", 4},
      {"\x30\x84\xff\xff\xff\xff", 6},
      {"\x30\x85\x01\x00\x00\x00\x00", 7},
      {"\x30\xff", 2},
      {"\x30\x82\x01", 3},
      /* A tag of several octets. */
      {"\x1f\x81\x01\x00", 4},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    uint8_t tag;
    size_t len, rest;
    assert_int_equal(next(bad[i].octets, bad[i].len, &tag, &len, &rest), -1);
  }
}

static void test_expect(void **state) {
  static const uint8_t octets[] = {0x02, 0x01, 0x05};
  cm_octets in = {octets, sizeof(octets)}, contents;

  (void)state;
  assert_int_equal(cm_der_expect(&in, CM_DER_OID, &contents), -1);
  assert_int_equal(in.len, sizeof(octets));
  assert_int_equal(cm_der_expect(&in, CM_DER_INTEGER, &contents), 0);
  assert_int_equal(in.len, 0);
  assert_int_equal(cm_der_peek(in), 0);
  assert_int_equal(cm_der_expect(&in, 0, &contents), -1);
}

typedef struct date {
  int64_t seconds;
  const char *der;
} date;

static const date dates[] = {
    {0, "\x17\x0d"
        "700101000000Z"},
    {951782399, "\x17\x0d"
                "000228235959Z"},
    {951782400, "\x17\x0d"
                "000229000000Z"},
    {951868800, "\x17\x0d"
                "000301000000Z"},
    {1798718400, "\x17\x0d"
                 "261231120000Z"},
    {2524607999, "\x17\x0d"
                 "491231235959Z"},
    {2524608000, "\x18\x0f"
                 "20500101000000Z"},
    {4107542399, "\x18\x0f"
                 "21000228235959Z"},
    {4107542400, "\x18\x0f"
                 "21000301000000Z"},
    {253402300799, "\x18\x0f"
                   "99991231235959Z"},
};

#define NDATES (sizeof(dates) / sizeof(dates[0]))

static void test_dates(void **state) {
  (void)state;
  for (size_t i = 0; i < NDATES; i++) {
    uint8_t der[CM_DER_TIME_MAX];
    size_t len = cm_der_put_time(der, dates[i].seconds);
    cm_octets in = {der, len};
    int64_t seconds = -1;

    assert_int_equal(len, strlen(dates[i].der));
    assert_memory_equal(der, dates[i].der, len);
    assert_int_equal(cm_der_get_time(&in, &seconds), 0);
    assert_true(seconds == dates[i].seconds);
    assert_int_equal(in.len, 0);
  }
}

/* Forth and back over 8000 years, at odd times of the day. */
static void test_dates_round_trip(void **state) {
  (void)state;
  for (int64_t t = 0; t <= INT64_C(253402300799); t += 86400 * 3 + 12345) {
    uint8_t der[CM_DER_TIME_MAX];
    size_t len = cm_der_put_time(der, t);
    cm_octets in = {der, len};
    int64_t seconds = -1;

    assert_int_equal(cm_der_get_time(&in, &seconds), 0);
    assert_true(seconds == t);
  }
}

static void test_dates_out_of_range(void **state) {
  uint8_t der[CM_DER_TIME_MAX];

  (void)state;
  assert_int_equal(cm_der_put_time(der, -1), 0);
  assert_int_equal(cm_der_put_time(der, INT64_MIN), 0);
  assert_int_equal(cm_der_put_time(der, INT64_C(253402300800)), 0);
  assert_int_equal(cm_der_put_time(der, INT64_MAX), 0);
}

static void test_dates_refused(void **state) {
  static const char *const bad[] = {"\x17\x0d"
                                    "261301000000Z",
                                    "\x17\x0d"
                                    "260001000000Z",
                                    "\x17\x0d"
                                    "260100000000Z",
                                    "\x17\x0d"
                                    "260132000000Z",
                                    "\x17\x0d"
                                    "260229000000Z",
                                    "\x17\x0d"
                                    "260431000000Z",
                                    "\x17\x0d"
                                    "260101240000Z",
                                    "\x17\x0d"
                                    "260101006000Z",
                                    "\x17\x0d"
                                    "260101000060Z",
                                    "\x17\x0d"
                                    "2601010000000",
                                    "\x17\x0d"
                                    "2601010000 0Z",
                                    "\x17\x0d"
                                    "/60101000000Z",
                                    "\x17\x0b"
                                    "2601010000Z",
                                    "\x17\x11"
                                    "260101000000+0100",
                                    "\x18\x0d"
                                    "260101000000Z",
                                    "\x18\x0f"
                                    "21000229000000Z",
                                    "\x18\x11"
                                    "20260101000000.5Z",
                                    "\x16\x0d"
                                    "260101000000Z",
                                    "\x17\x0d"
                                    "260101000000",
                                    ""};

  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    size_t len = strlen(bad[i]);
    uint8_t *copy = copy_of(bad[i], len);
    cm_octets in = {copy, len};
    int64_t seconds = 4711;

    assert_int_equal(cm_der_get_time(&in, &seconds), -1);
    assert_true(seconds == 4711);
    assert_int_equal(in.len, len);
    free(copy);
  }
}

/* UTCTime has two digits of the year: 50..99 are 1950..1999. */
static void test_before_1970(void **state) {
  static const char text[] = "\x17\x0d"
                             "691231235959Z";
  cm_octets in = {(const uint8_t *)text, sizeof(text) - 1};
  int64_t seconds = 0;

  (void)state;
  assert_int_equal(cm_der_get_time(&in, &seconds), 0);
  assert_true(seconds == -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_next),
      cmocka_unit_test(test_next_refused),
      cmocka_unit_test(test_expect),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_dates_round_trip),
      cmocka_unit_test(test_dates_out_of_range),
      cmocka_unit_test(test_dates_refused),
      cmocka_unit_test(test_before_1970),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
