/* SPDX-License-Identifier: Apache-2.0 */
/* open_memstream */
#define _GNU_SOURCE
#include "server/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WALL INT64_C(1795359600)
#define STAMP "2026-11-22T15:00:00Z "

/* What is written of |json|, to be freed. */
static char *written_of(const char *json, cli_log_level level, int as_json) {
  const cli_log log = {level, as_json};
  cJSON *event = cJSON_Parse(json);
  char *written = NULL;
  size_t len;
  FILE *file = open_memstream(&written, &len);

  assert_non_null(event);
  assert_non_null(file);
  cli_log_event(file, &log, event, WALL);
  assert_int_equal(fclose(file), 0);
  cJSON_Delete(event);
  return written;
}

static void test_lines(void **state) {
  static const struct {
    const char *event;
    const char *expected;
  } rows[] = {
      {"{\"type\":\"log\",\"level\":\"warning\",\"text\":\"a\\u001bb\"}",
       STAMP "warning: a?b\n"},
      {"{\"type\":\"session-opened\",\"session\":3,\"peer\":\"[::1]:9\","
       "\"path\":\"/e\\n\",\"origin\":\"https://o\\u0007\"}",
       STAMP "session 3 opened by [::1]:9 on /e? from https://o?\n"},
      {"{\"type\":\"session-opened\",\"session\":4,\"peer\":\"p\","
       "\"path\":\"/\"}",
       STAMP "session 4 opened by p on /\n"},
      {"{\"type\":\"session-closed\",\"session\":3,\"by\":\"client\","
       "\"code\":4294967295,\"reason\":\"\\u009b31m\"}",
       STAMP "session 3 closed by the client: code 4294967295, \"?31m\"\n"},
      {"{\"type\":\"session-closed\",\"session\":3,\"by\":\"server\","
       "\"code\":0,\"reason\":\"\"}",
       STAMP "session 3 closed by the server: code 0\n"},
      {"{\"type\":\"certificates\",\"seq\":7,\"hashes\":[{\"use\":\"active\","
       "\"hex\":\"0123456789\"},{\"use\":\"standby\",\"hex\":\"abcdefabcd\"}]}",
       STAMP "published 7: active 01234567… standby abcdefab…\n"},
      {"{\"type\":\"certificates\",\"hashes\":[]}",
       STAMP "withdrawn: there is no certificate to connect with\n"},
      {"{\"type\":\"journal\",\"event\":\"state\"}", ""},
      {"{\"type\":\"state\",\"state\":\"HEALTHY\"}", ""},
      {"{}", ""},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    char *written = written_of(rows[i].event, CLI_LOG_INFO, 0);

    assert_string_equal(written, rows[i].expected);
    free(written);
  }
}

#define JOURNAL "{\"type\":\"journal\",\"time\":5,\"event\":\"a\\n\"}"

static void test_levels(void **state) {
  static const struct {
    const char *event;
    cli_log_level least;
  } rows[] = {
      {"{\"type\":\"log\",\"level\":\"error\",\"text\":\"x\"}", CLI_LOG_ERROR},
      {"{\"type\":\"log\",\"level\":\"warning\",\"text\":\"x\"}",
       CLI_LOG_WARNING},
      {"{\"type\":\"log\",\"level\":\"info\",\"text\":\"x\"}", CLI_LOG_INFO},
      {"{\"type\":\"log\",\"level\":\"debug\",\"text\":\"x\"}", CLI_LOG_DEBUG},
      /* One that this version does not know is not lost. */
      {"{\"type\":\"log\",\"level\":\"odd\",\"text\":\"x\"}", CLI_LOG_INFO},
      {"{\"type\":\"session-opened\",\"session\":1}", CLI_LOG_INFO},
      {"{\"type\":\"session-closed\",\"session\":1}", CLI_LOG_INFO},
      {"{\"type\":\"certificates\",\"hashes\":[]}", CLI_LOG_INFO},
      {JOURNAL, CLI_LOG_DEBUG},
  };
  static const char *const names[] = {"error", "warning", "info", "debug"};
  cli_log_level level;
  size_t i, at;
  int json;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    for (at = 0; at < CLI_LOG_LEVEL_COUNT; ++at) {
      for (json = 0; json < 2; ++json) {
        char *written;

        assert_int_equal(cli_log_level_parse(&level, names[at]), 0);
        written = written_of(rows[i].event, level, json);
        assert_int_equal(written[0] != '\0', level >= rows[i].least);
        free(written);
      }
    }
  }
  assert_int_equal(cli_log_level_parse(&level, "Info"), -1);
  assert_int_equal(cli_log_level_parse(&level, ""), -1);
}

/* What is for programs is seen in full where it is asked for. */
static void test_debug(void **state) {
  char *written = written_of(JOURNAL, CLI_LOG_DEBUG, 0);

  (void)state;
  assert_string_equal(written, STAMP "debug: " JOURNAL "\n");
  free(written);
}

/* One object a line, which is the event. */
static void test_json(void **state) {
  static const struct {
    const char *event;
    const char *more;
  } rows[] = {
      {"{\"type\":\"log\",\"level\":\"warning\",\"text\":\"a\\n\\u001bb\"}",
       "\"time\":1795359600}"},
      {"{\"type\":\"session-opened\",\"session\":3,\"path\":\"/e\\r\\n{}\","
       "\"origin\":\"\\u2028\\u009b\\u202e\\u007f\"}",
       "\"time\":1795359600,\"level\":\"info\"}"},
      /* It has its own time. */
      {JOURNAL, "\"level\":\"debug\"}"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    char *written = written_of(rows[i].event, CLI_LOG_DEBUG, 1);
    size_t len = strlen(written);
    char expected[512];
    cJSON *before, *after;
    const char *p;

    assert_ptr_equal(strchr(written, '\n'), written + len - 1);
    for (p = written; p + 1 < written + len; ++p) {
      assert_in_range(*p, ' ', '~');
    }
    snprintf(expected, sizeof(expected), "%.*s,%s",
             (int)strlen(rows[i].event) - 1, rows[i].event, rows[i].more);
    before = cJSON_Parse(expected);
    after = cJSON_Parse(written);
    assert_true(cJSON_Compare(before, after, 1));
    cJSON_Delete(before);
    cJSON_Delete(after);
    free(written);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_levels),
      cmocka_unit_test(test_debug),
      cmocka_unit_test(test_json),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
