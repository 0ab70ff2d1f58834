/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

/* 2026-01-01. */
#define WALL INT64_C(1767225600)
#define DAY 86400

static void test_link(void **state) {
  static const struct {
    const char *link;
    int rv;
  } rows[] = {
      {"https://a:1/echo#wt=b.c&id=" ID, 0},
      {"https://a:1/echo#id=" ID "&wt=b", 0},
      {"https://a:1/echo#wt=b&id=" ID "&mirror=https%3A%2F%2Fm", 0},
      {"https://a:1/echo?id=" ID "#wt=b", -1},
      {"https://a:1/echo#wt=b", -1},
      {"https://a:1/echo", -1},
      {"https://a:1/echo#wt=b&xid=" ID, -1},
      {"https://a:1/echo#wt=b&id=" ID "x", -1},
      {"https://a:1/echo#wt=b&id=NzbLsXh8uDCcd-6MNwXF4W", -1},
      {"https://a:1/echo#&id=NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X=", -1},
      {"#", -1},
      {"", -1},
  };
  char id[CM_THUMBPRINT_LEN + 1];
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    memset(id, 0, sizeof(id));
    assert_int_equal(cli_link_identity(id, rows[i].link), rows[i].rv);
    if (rows[i].rv == 0) {
      assert_string_equal(id, ID);
    }
  }
}

static void fill(cm_signed_set *set) {
  memset(set, 0, sizeof(*set));
  set->epoch = 1;
  set->seq = 7;
  set->issued_at = WALL;
  set->refresh_after = WALL + 6 * DAY;
  set->valid_until = WALL + 12 * DAY;
  strcpy(set->url, "https://a:1/\x1b[2J\"");
  set->nhashes = 2;
  memset(set->hashes[0].sha256, 0xab, 32);
  set->hashes[0].not_before = WALL - 7 * DAY;
  set->hashes[0].active_from = WALL;
  set->hashes[0].not_after = WALL + 7 * DAY;
  memset(set->hashes[1].sha256, 0xcd, 32);
  set->hashes[1].not_before = WALL - DAY;
  set->hashes[1].active_from = WALL + 6 * DAY;
  set->hashes[1].not_after = WALL + 13 * DAY;
}

#define AB8 "abababababababab"
#define CD8 "cdcdcdcdcdcdcdcd"

static void test_text(void **state) {
  text t = {NULL, 0, 0, 0};
  cm_signed_set set;

  (void)state;
  fill(&set);
  cli_add_document(&t, &set, WALL + 60, 0);
  assert_string_equal(
      t.data, "Signed by that identity, and in force.\n"
              "url           https://a:1/?[2J\"\n"
              "document      epoch 1, number 7\n"
              "issued        2026-01-01 00:00 UTC (1 minute ago)\n"
              "refresh after 2026-01-07 00:00 UTC (in 5 days 23 hours)\n"
              "valid until   2026-01-13 00:00 UTC (in 11 days 23 hours)\n"
              "\n"
              "active        " AB8 AB8 AB8 AB8 "\n"
              "  valid from  2025-12-25 00:00 UTC (7 days ago)\n"
              "  active from 2026-01-01 00:00 UTC (1 minute ago)\n"
              "  valid until 2026-01-08 00:00 UTC (in 6 days 23 hours)\n"
              "\n"
              "standby       " CD8 CD8 CD8 CD8 "\n"
              "  valid from  2025-12-31 00:00 UTC (1 day ago)\n"
              "  active from 2026-01-07 00:00 UTC (in 5 days 23 hours)\n"
              "  valid until 2026-01-14 00:00 UTC (in 12 days 23 hours)\n");
  text_free(&t);
  set.nhashes = 1;
  cli_add_document(&t, &set, set.valid_until, 0);
  assert_non_null(strstr(t.data, "HAS RUN OUT"));
  assert_non_null(strstr(t.data, "2026-01-13 00:00 UTC (now)\n"));
  assert_null(strstr(t.data, "standby"));
  text_free(&t);
}

static void test_json(void **state) {
  text t = {NULL, 0, 0, 0};
  const cJSON *hash;
  cm_signed_set set;
  cJSON *root;

  (void)state;
  fill(&set);
  cli_add_document(&t, &set, WALL + 60, 1);
  assert_ptr_equal(strchr(t.data, '\n'), t.data + t.len - 1);
  root = cJSON_Parse(t.data);
  assert_non_null(root);
  assert_true(cJSON_IsTrue(cJSON_GetObjectItem(root, "in_force")));
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "url")),
                      set.url);
  assert_int_equal(
      (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(root, "age")), 60);
  hash = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "hashes"), 1);
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(hash, "hex")),
                      CD8 CD8 CD8 CD8);
  assert_int_equal(
      (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(hash, "active_from")),
      WALL + 6 * DAY);
  cJSON_Delete(root);
  text_free(&t);
  cli_add_document(&t, &set, set.valid_until, 1);
  assert_non_null(strstr(t.data, "\"in_force\":false"));
  text_free(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_link),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_json),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
