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
    cJSON *event = cJSON_Parse(rows[i].event);
    char *written = NULL;
    size_t len;
    FILE *file = open_memstream(&written, &len);

    assert_non_null(event);
    assert_non_null(file);
    cli_log_event(file, event, WALL);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(written, rows[i].expected);
    free(written);
    cJSON_Delete(event);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
