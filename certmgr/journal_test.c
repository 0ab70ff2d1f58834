/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal.h"

#include <cjson/cJSON.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const cm_journal_entry plain = {.time = 1767225600, .event = "state"};

/* |n| lines in |text|; its length. */
static size_t make(char *text, size_t room, int n) {
  cm_journal journal;
  size_t len = 0;

  cm_journal_init(&journal);
  for (int i = 0; i < n; i++) {
    cm_journal_entry entry = plain;
    int rv;
    entry.id = (uint64_t)i;
    rv = cm_journal_line(&journal, text + len, room - len, &entry);
    assert_true(rv > 0);
    len += (size_t)rv;
  }
  return len;
}

static void test_line(void **state) {
  static const char expected[] =
      "{\"n\":1,\"time\":1767225600,\"event\":\"state\",\"prev\":\"00000000000"
      "00000000000000000000000000000000000000000000000000000\"}\n";
  char text[CM_JOURNAL_LINE_MAX];
  cm_journal journal;

  (void)state;
  cm_journal_init(&journal);
  assert_int_equal(cm_journal_line(&journal, text, sizeof(text), &plain),
                   strlen(expected));
  assert_string_equal(text, expected);
  assert_int_equal(journal.next, 2);
  /* No room: nothing has happened. */
  assert_int_equal(cm_journal_line(&journal, text, 100, &plain), CM_ERR_NOBUF);
  assert_int_equal(journal.next, 2);
}

/* Whatever the strings are, it is one line of JSON that says the same. */
static void test_strings(void **state) {
  char all[256], text[CM_JOURNAL_LINE_MAX], long_text[1000];
  cm_journal_entry entry = plain;
  cm_journal journal;
  cJSON *json;
  int len;

  (void)state;
  for (int part = 0; part < 2; part++) {
    /* As much as fits: 1 to 31, each escaped, and the others. */
    int first = part == 0 ? 1 : 32, last = part == 0 ? 31 : 126;
    for (int c = first; c <= last; c++) {
      all[c - first] = (char)c;
    }
    all[last - first + 1] = '\0';
    entry.text = all;
    entry.from = "A";
    entry.to = "B";
    entry.has_value = 1;
    entry.value = INT64_MIN;
    cm_journal_init(&journal);
    len = cm_journal_line(&journal, text, sizeof(text), &entry);
    assert_true(len > 0);
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
    json = cJSON_Parse(text);
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "text")->valuestring, all);
    assert_string_equal(cJSON_GetObjectItem(json, "from")->valuestring, "A");
    cJSON_Delete(json);
  }
  /* The longest there can be. */
  memset(long_text, '\x01', sizeof(long_text));
  long_text[sizeof(long_text) - 1] = '\0';
  entry.event = entry.text = entry.from = entry.to = long_text;
  entry.id = journal.next = UINT64_MAX;
  entry.time = INT64_MIN;
  assert_true(cm_journal_line(&journal, text, sizeof(text), &entry) > 1000);
}

static void test_verify(void **state) {
  char text[8000];
  cm_journal journal;
  size_t valid, len = make(text, sizeof(text), 20), second;

  (void)state;
  assert_int_equal(cm_journal_verify(&journal, text, len, &valid), 0);
  assert_int_equal(valid, len);
  assert_int_equal(journal.next, 21);
  assert_int_equal(cm_journal_verify(&journal, text, 0, &valid), 0);
  assert_int_equal(journal.next, 1);
  /* Its beginning may be gone. */
  second = (size_t)(strchr(text, '\n') - text) + 1;
  assert_int_equal(
      cm_journal_verify(&journal, text + second, len - second, &valid), 0);
  assert_int_equal(journal.next, 21);
  /* A line in the middle may not. */
  memmove(text + second, strchr(text + second, '\n') + 1,
          strlen(strchr(text + second, '\n')));
  assert_int_equal(cm_journal_verify(&journal, text, strlen(text), &valid),
                   CM_ERR_SIGNATURE);
  assert_int_equal(valid, second);
  assert_int_equal(journal.next, 2);
}

/* Every bit, but those of the first "prev" and number, which nothing is there
   to check, and of the last line, which the next one would tell of. */
static void test_bit_flips(void **state) {
  char text[4000];
  cm_journal journal;
  size_t valid, len = make(text, sizeof(text), 4), last = len - 1;

  (void)state;
  while (text[last - 1] != '\n') {
    last--;
  }
  for (size_t bit = 0; bit < 8 * last; bit++) {
    text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
    assert_int_equal(cm_journal_verify(&journal, text, len, &valid),
                     CM_ERR_SIGNATURE);
    assert_true(valid <= last);
    text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
  }
  /* Cut off anywhere: the lines that are complete remain. */
  for (size_t i = 0; i <= len; i++) {
    int rv = cm_journal_verify(&journal, text, i, &valid);
    assert_true(valid <= i && (valid == 0 || text[valid - 1] == '\n'));
    assert_int_equal(rv == 0, valid == i);
  }
}

static void test_trim(void **state) {
  char text[8000];
  cm_journal journal;
  size_t valid, len = make(text, sizeof(text), 20);

  (void)state;
  for (size_t max = 0; max <= len + 1; max++) {
    size_t off = cm_journal_trim(text, len, max);
    assert_true(len - off <= max);
    assert_int_equal(cm_journal_verify(&journal, text + off, len - off, &valid),
                     0);
    assert_int_equal(journal.next, off == len ? 1 : 21);
  }
  assert_int_equal(cm_journal_trim(text, len, len), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line),   cmocka_unit_test(test_strings),
      cmocka_unit_test(test_verify), cmocka_unit_test(test_bit_flips),
      cmocka_unit_test(test_trim),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
