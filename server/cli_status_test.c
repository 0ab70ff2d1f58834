/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-22 15:00 UTC. */
#define WALL INT64_C(1795359600)
#define HASH "3eb4570d5295dc1b2b7ef44d6cf5732fbfcb40de7586da05abb9762c893a93c3"

static const char healthy[] =
    "{\"state\":\"HEALTHY\",\"identity\":\"THUMB\","
    "\"link\":\"https://a:1/echo#wt=x\",\"sessions\":[{},{}],\"uptime_s\":7300,"
    "\"certificates\":{\"state\":\"HEALTHY\",\"problem\":\"\",\"durable\":true,"
    "\"until\":{\"standby_ready\":0,\"rotation\":519940,\"guard\":521999},"
    "\"slots\":["
    "{\"id\":1,\"state\":\"ACTIVE\",\"hex\":\"3eb4570d5295\",\"parked\":false,"
    "\"not_before\":1794754800,\"not_after\":1795964399,"
    "\"active_from\":1795359600,\"active_until\":1795879540},"
    "{\"id\":2,\"state\":\"READY\",\"hex\":\"3c9b884c8559\",\"parked\":false,"
    "\"not_before\":1795274740,\"not_after\":1796484339,"
    "\"active_from\":1795879540,\"active_until\":1796399088},"
    "{\"id\":3,\"state\":\"RETIRED\",\"hex\":\"aa\",\"parked\":true,"
    "\"not_before\":1795274740,\"not_after\":1796484339}]},"
    "\"counters\":{\"handshakes_completed\":9,\"handshakes_failed\":1,"
    "\"sessions_total\":7,\"rotations\":3},"
    "\"refusals\":[{\"time\":1795359000,\"text\":\"a Chromium client refused "
    "it\",\"count\":3},{\"time\":1795359060,\"text\":\"once\",\"count\":1}],"
    "\"health\":{\"http\":\"http://127.0.0.1:1/\",\"state\":\"/s\","
    "\"hooks\":[{\"name\":\"on-publish\",\"ok\":false,\"runs\":4,"
    "\"failures\":2,\"pending\":1,\"dropped\":0,"
    "\"last_error\":\"it ended with 1\"},"
    "{\"name\":\"on-event\",\"ok\":true,\"runs\":1,\"failures\":0,"
    "\"pending\":0,\"dropped\":0,\"last_error\":\"long ago\"}]}}";

static const char healthy_text[] =
    "State        HEALTHY: serving, and the next certificate is ready\n"
    "Next         the standby takes over in 6 days\n"
    "\n"
    "Certificate  Valid from (UTC)      until\n"
    "3eb4570d     2026-11-15 15:00      2026-11-29 14:59  active        gives "
    "way in 6 days\n"
    "3c9b884c     2026-11-21 15:25      2026-12-05 15:25  standby       takes "
    "over in 6 days\n"
    "aa           2026-11-21 15:25      2026-12-05 15:25  set aside\n"
    "\n"
    "Link         https://a:1/echo#wt=x\n"
    "Identity     THUMB\n"
    "HTTP         http://127.0.0.1:1/\n"
    "State folder /s\n"
    "\n"
    "Sessions     2 open, 7 since the start\n"
    "Handshakes   9 completed, 1 failed\n"
    "Running for  2 hours 1 minute, swaps since: 3\n"
    "Refused by   2026-11-22 14:50 UTC: a Chromium client refused it (3 "
    "times)\n"
    "             2026-11-22 14:51 UTC: once\n"
    "Hook         on-publish\n"
    "             FAILING: 2 of 4 runs failed, 1 waiting, 0 dropped\n"
    "             it ended with 1\n"
    "Hook         on-event\n"
    "             well: 0 of 1 runs failed, 0 waiting, 0 dropped\n";

static void assert_status(const char *json, const char *expected) {
  cJSON *status = cJSON_Parse(json);
  text t = {NULL, 0, 0, 0};

  cli_add_status(&t, status, WALL);
  assert_false(t.failed);
  assert_non_null(t.data);
  if (strcmp(t.data, expected) != 0) {
    fail_msg("another text:\n%s", t.data);
  }
  text_free(&t);
  cJSON_Delete(status);
}

static void test_healthy(void **state) {
  (void)state;
  assert_status(healthy, healthy_text);
}

static void test_in_trouble(void **state) {
  (void)state;
  assert_status(
      "{\"state\":\"STORE_FAILED\",\"identity\":\"T\",\"link\":null,"
      "\"certificates\":{\"problem\":\"No space left\",\"durable\":false,"
      "\"until\":{\"retry\":61,\"standby_ready\":600},\"slots\":[]},"
      "\"health\":{\"journal\":\"cannot be written\"}}",
      "State        STORE_FAILED: serving; the state cannot be saved, and no "
      "new "
      "certificate is put to use until it can\n"
      "Problem      No space left\n"
      "Next         what failed is tried again in 1 minute 1 second\n"
      "             the standby is ready in 10 minutes\n"
      "\n"
      "Certificate  Valid from (UTC)      until\n"
      "none\n"
      "\n"
      "Link         none at the moment\n"
      "Identity     T\n"
      "State folder none: nothing outlives this server\n"
      "\n"
      "Sessions     0 open, 0 since the start\n"
      "Handshakes   0 completed, 0 failed\n"
      "Running for  0 seconds, swaps since: 0\n"
      "Journal      cannot be written\n");
}

/* Nothing that a server of another version, or none, might send does harm. */
static void test_anything(void **state) {
  static const char *const replies[] = {
      "null",
      "[]",
      "{}",
      "{\"state\":7,\"certificates\":[],\"link\":{},\"health\":3}",
      "{\"certificates\":{\"slots\":[1,null,{\"hex\":5,\"not_after\":1e300,"
      "\"not_before\":\"x\",\"state\":\"ACTIVE\",\"active_until\":-1e300}]}}",
      "{\"certificates\":{\"slots\":{\"a\":{\"not_before\":1e15,"
      "\"not_after\":-1e15}},\"until\":{\"rotation\":1e400}}}",
      "{\"refusals\":\"x\",\"health\":{\"hooks\":[7,{\"name\":{}}]}}",
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(replies) / sizeof(replies[0]); ++i) {
    cJSON *reply = cJSON_Parse(replies[i]);
    text t = {NULL, 0, 0, 0};

    cli_add_status(&t, reply, WALL);
    assert_memory_equal(t.data, "State", 5);
    cli_add_published(&t, reply, WALL);
    assert_false(t.failed);
    text_free(&t);
    cJSON_Delete(reply);
  }
}

/* Of many refusals the first, which are the latest, are shown. */
static void test_many_refusals(void **state) {
  cJSON *status = cJSON_CreateObject();
  cJSON *refusals = cJSON_AddArrayToObject(status, "refusals");
  text t = {NULL, 0, 0, 0};
  int i;

  (void)state;
  for (i = 0; i < 20; ++i) {
    cJSON *refusal = cJSON_CreateObject();
    char name[32];

    snprintf(name, sizeof(name), "client %d.", i);
    cJSON_AddStringToObject(refusal, "text", name);
    cJSON_AddItemToArray(refusals, refusal);
  }
  cli_add_status(&t, status, WALL);
  assert_null(strstr(t.data, "client 8."));
  assert_non_null(
      strstr(t.data, "Refused by   1970-01-01 00:00 UTC: client 0.\n"));
  assert_non_null(strstr(t.data, "client 7."));
  text_free(&t);
  cJSON_Delete(status);
}

static void test_published(void **state) {
  cJSON *published = cJSON_Parse(
      "{\"hashes\":[{\"use\":\"active\",\"hex\":\"" HASH
      "\",\"active_until\":1795359720},{\"use\":\"standby\",\"hex\":\"" HASH
      "\",\"active_from\":1795359720}],\"link\":\"https://a/#wt\"}");
  text t = {NULL, 0, 0, 0};

  (void)state;
  cli_add_published(&t, published, WALL);
  assert_string_equal(t.data, "Active       " HASH "\n"
                              "             gives way in 2 minutes\n"
                              "Standby      " HASH "\n"
                              "             takes over in 2 minutes\n"
                              "Link         https://a/#wt\n");
  text_free(&t);
  cJSON_Delete(published);
}

/* What cannot be seen from the hashes. */
static void test_published_in_trouble(void **state) {
  cJSON *published =
      cJSON_Parse("{\"hashes\":[],\"link\":null,\"unsettled\":true}");
  text t = {NULL, 0, 0, 0};

  (void)state;
  cli_add_published(&t, published, WALL);
  assert_non_null(strstr(t.data, "Link         none: nobody can connect now"));
  assert_non_null(strstr(t.data, "not all done yet"));
  text_free(&t);
  cJSON_Delete(published);
}

/* What a peer wrote moves no cursor and turns no line around. */
static void test_safely(void **state) {
  static const struct {
    const char *from;
    const char *to;
  } rows[] = {
      {"plain ~", "plain ~"},
      {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89"},
      {"a\nb\tc\r\x1b[2J\x7f", "a?b?c??[2J?"},
      {"\xc2\x9b"
       "31m",
       "?31m"}, /* C1 CSI */
      {"\xe2\x80\xae"
       "abc",
       "?abc"}, /* RIGHT-TO-LEFT OVERRIDE */
      {"\xe2\x81\xa6x\xd8\x9c\xef\xbb\xbf", "?x??"}, /* isolate, ALM, BOM */
      {"\xc0\xaf\xff\xfe", "???"},                   /* overlong; no UTF-8 */
      {"\xe0\x80\x8a|\xed\xa0\x80|\xf4\x90\x80\x80", "?|?|?"},
      {"\xf5\x80\x80\x80|\xe2\x82", "?|?"},
      {"\x80\x80x", "?x"},
      {"", ""},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    text t = {NULL, 0, 0, 0};

    cli_add_safely(&t, rows[i].from);
    text_add(&t, "%s", "");
    assert_string_equal(t.data, rows[i].to);
    text_free(&t);
  }
}

/* The same for a parser, and nothing for a terminal. */
static void test_json_safely(void **state) {
  static const char json[] = "{\"a\":\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x89 "
                             "\x7f\xc2\x9b\xe2\x80\xae\"}";
  text t = {NULL, 0, 0, 0};
  cJSON *before = cJSON_Parse(json), *after;

  (void)state;
  cli_add_json_safely(&t, json);
  assert_string_equal(t.data, "{\"a\":\"gr\xc3\xbc\xc3\x9f "
                              "\xf0\x9f\x8e\x89 \\u007f\\u009b\\u202e\"}");
  after = cJSON_Parse(t.data);
  assert_true(cJSON_Compare(before, after, 1));
  cJSON_Delete(before);
  cJSON_Delete(after);
  text_free(&t);
  cli_add_json_safely(&t, "\"\xff\x80|\xed\xa0\x80\"");
  assert_string_equal(t.data, "\"\\ufffd|\\ufffd\"");
  text_free(&t);
}

static void test_status_is_safe(void **state) {
  cJSON *status = cJSON_CreateObject();
  cJSON *refusals = cJSON_AddArrayToObject(status, "refusals");
  cJSON *refusal = cJSON_CreateObject();
  text t = {NULL, 0, 0, 0};
  const char *p;

  (void)state;
  cJSON_AddStringToObject(status, "state", "\x1b[31m");
  cJSON_AddStringToObject(status, "link", "\x1b]0;x\x07");
  cJSON_AddStringToObject(status, "identity", "\r\n");
  cJSON_AddStringToObject(refusal, "text", "\x1b[1A\x1b[2K");
  cJSON_AddItemToArray(refusals, refusal);
  cli_add_status(&t, status, WALL);
  for (p = t.data; *p; ++p) {
    assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
  }
  text_free(&t);
  cJSON_Delete(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_healthy),
      cmocka_unit_test(test_in_trouble),
      cmocka_unit_test(test_anything),
      cmocka_unit_test(test_many_refusals),
      cmocka_unit_test(test_published),
      cmocka_unit_test(test_published_in_trouble),
      cmocka_unit_test(test_safely),
      cmocka_unit_test(test_json_safely),
      cmocka_unit_test(test_status_is_safe),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
