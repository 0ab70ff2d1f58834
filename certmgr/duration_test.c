/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400

static void test_forms(void **state) {
  static const struct {
    int64_t seconds;
    const char *text;
    const char *words;
  } rows[] = {
      {0, "0s", "0 seconds"},
      {1, "1s", "1 second"},
      {59, "59s", "59 seconds"},
      {60, "1m", "1 minute"},
      {61, "1m1s", "1 minute 1 second"},
      {3600, "1h", "1 hour"},
      {3659, "1h59s", "1 hour"},
      {7320, "2h2m", "2 hours 2 minutes"},
      {86399, "23h59m59s", "23 hours 59 minutes"},
      {DAY, "1d", "1 day"},
      {DAY + 60, "1d1m", "1 day"},
      {6 * DAY + 3600, "6d1h", "6 days 1 hour"},
      {INT64_MAX, "106751991167300d15h30m7s", "106751991167300 days 15 hours"},
  };
  char text[CM_DURATION_MAX];

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    size_t len = strlen(rows[i].text);

    assert_int_equal(cm_duration_text(text, len + 1, rows[i].seconds), len);
    assert_string_equal(text, rows[i].text);
    assert_int_equal(cm_duration_text(text, len, rows[i].seconds),
                     CM_ERR_NOBUF);
    len = strlen(rows[i].words);
    assert_int_equal(cm_duration_words(text, len + 1, rows[i].seconds), len);
    assert_string_equal(text, rows[i].words);
    assert_int_equal(cm_duration_words(text, len, rows[i].seconds),
                     CM_ERR_NOBUF);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
