/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

static void a_text_grows(void **state) {
  char expected[20000] = "";
  text t = {0};
  int i;

  (void)state;
  for (i = 0; i < 3000; ++i) {
    text_add(&t, "%d,", i);
    sprintf(expected + strlen(expected), "%d,", i);
    assert_int_equal(t.len, strlen(expected));
    assert_true(t.room > t.len);
  }
  assert_string_equal(t.data, expected);
  assert_false(t.failed);
  text_add(&t, "%s", "");
  assert_int_equal(t.len, strlen(expected));
  text_free(&t);
  assert_null(t.data);
  /* One long addition; and nothing at all. */
  text_add(&t, "%s", expected);
  assert_string_equal(t.data, expected);
  text_free(&t);
  text_free(&t);
}

static void every_length_fits(void **state) {
  char line[1100];
  size_t len;

  (void)state;
  for (len = 0; len < sizeof(line); ++len) {
    text t = {0};

    memset(line, 'x', len);
    line[len] = '\0';
    text_add(&t, "%s", line);
    assert_int_equal(t.len, len);
    assert_int_equal(strlen(t.data), len);
    text_free(&t);
  }
}

static void html_is_escaped(void **state) {
  text t = {0};

  (void)state;
  text_add_html(&t, "<a href=\"x?a&amp;b\">'\xc3\xa4");
  assert_string_equal(t.data,
                      "&lt;a href=&quot;x?a&amp;amp;b&quot;&gt;'\xc3\xa4");
  text_free(&t);
}

static void labels_are_escaped(void **state) {
  text t = {0};

  (void)state;
  text_add_label(&t, "a\\b\"c\nd{}");
  assert_string_equal(t.data, "a\\\\b\\\"c\\nd{}");
  text_free(&t);
}

static void json_comes_back_as_it_was(void **state) {
  char all[128];
  cJSON *json;
  text t = {0};
  int i;

  (void)state;
  for (i = 1; i < 128; ++i) {
    all[i - 1] = (char)i;
  }
  all[127] = '\0';
  text_add_json(&t, all);
  json = cJSON_Parse(t.data);
  assert_true(cJSON_IsString(json));
  assert_string_equal(json->valuestring, all);
  cJSON_Delete(json);
  /* Nothing that a line of a log or a terminal would obey. */
  for (i = 0; t.data[i]; ++i) {
    assert_in_range(t.data[i], 0x20, 0x7e);
  }
  text_free(&t);
}

static void want_of_memory_is_remembered(void **state) {
  text t = {.failed = 1};

  (void)state;
  text_add(&t, "x");
  text_add_json(&t, "x");
  assert_null(t.data);
  assert_int_equal(t.len, 0);
  assert_true(t.failed);
  text_free(&t);
  assert_false(t.failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_grows),
      cmocka_unit_test(every_length_fits),
      cmocka_unit_test(html_is_escaped),
      cmocka_unit_test(labels_are_escaped),
      cmocka_unit_test(json_comes_back_as_it_was),
      cmocka_unit_test(want_of_memory_is_remembered)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
