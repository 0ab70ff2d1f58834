/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/hashset_signed.h"

#include "certmgr/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400)
#define NOW INT64_C(1767225600)

static cm_identity identity;
static char thumbprint[CM_THUMBPRINT_LEN + 1];

static int setup(void **state) {
  static const uint8_t scalar[32] = {1, 2, 3};

  (void)state;
  return cm_identity_from_scalar(&identity, scalar) == 0 &&
                 cm_identity_thumbprint(thumbprint, sizeof(thumbprint),
                                        &identity) == CM_THUMBPRINT_LEN
             ? 0
             : -1;
}

static void make(cm_signed_set *set) {
  static const cm_signed_set model = {
      .epoch = 2,
      .seq = INT64_C(9007199254740991),
      .issued_at = NOW,
      .refresh_after = NOW + 6 * DAY,
      .valid_until = NOW + 12 * DAY,
      .url = "https://host.example:4433/echo",
      .nhashes = 2,
      .hashes = {{{0xff}, NOW - 7 * DAY, NOW + 7 * DAY - 1, NOW},
                 {{0, 1}, NOW - DAY, NOW + 13 * DAY - 1, NOW + 6 * DAY}},
  };

  *set = model;
}

static void test_round_trip(void **state) {
  char jws[CM_SIGNED_MAX];
  cm_signed_set set, back;

  (void)state;
  make(&set);
  for (size_t n = 1; n <= 2; n++) {
    int len;
    set.nhashes = n;
    memset(&set.hashes[1], 0, (2 - n) * sizeof(set.hashes[1]));
    if (n == 2) {
      make(&set);
    }
    len = cm_signed_set_write(jws, sizeof(jws), &set, &identity);
    assert_true(len > 0);
    assert_int_equal(cm_signed_set_read(&back, jws, (size_t)len, thumbprint),
                     0);
    assert_memory_equal(&back, &set, sizeof(set));
    thumbprint[0] ^= 1;
    assert_int_equal(cm_signed_set_read(&back, jws, (size_t)len, thumbprint),
                     CM_ERR_SIGNATURE);
    thumbprint[0] ^= 1;
  }
  /* The longest URL there can be. */
  memset(set.url + 8, 'u', sizeof(set.url) - 9);
  assert_true(cm_signed_set_write(jws, sizeof(jws), &set, &identity) > 0);
}

/* What a client's WebCrypto and JSON.parse will see. */
static void test_payload(void **state) {
  static const char expected[] =
      "{\"v\":1,\"epoch\":2,\"seq\":9007199254740991,\"issued_at\":1767225600,"
      "\"refresh_after\":1767744000,\"valid_until\":1768262400,"
      "\"url\":\"https://host.example:4433/echo\",\"hashes\":[{\"use\":"
      "\"active\",\"alg\":\"sha-256\",\"hex\":\"ff";
  char jws[CM_SIGNED_MAX];
  uint8_t payload[CM_SIGNED_MAX];
  cm_signed_set set;
  int len;

  (void)state;
  make(&set);
  len = cm_signed_set_write(jws, sizeof(jws), &set, &identity);
  len = cm_jws_verify(payload, sizeof(payload), jws, (size_t)len, thumbprint);
  assert_true(len > (int)sizeof(expected));
  assert_memory_equal(payload, expected, sizeof(expected) - 1);
}

/* The same octets for ever, on every platform.  tests/unit/signed-set.test.mjs
   has them too, and verifies them with WebCrypto. */
static void test_golden(void **state) {
  static const char expected[] =
      "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieC"
      "I6IldhZEFTUzdoUjVTaGJReEpveDlpTjZGaEhyajZCc202YmlueTQ3bUxWRU0iLCJ5"
      "IjoiMWhXQ2h0Z2hRa0NoNEFYcE5XYndnYnc5eTZHbTNJVF9uZ1lVLTlEc1Z4NCJ9fQ"
      ".eyJ2IjoxLCJlcG9jaCI6Miwic2VxIjo5MDA3MTk5MjU0NzQwOTkxLCJpc3N1ZWRfY"
      "XQiOjE3NjcyMjU2MDAsInJlZnJlc2hfYWZ0ZXIiOjE3Njc3NDQwMDAsInZhbGlkX3V"
      "udGlsIjoxNzY4MjYyNDAwLCJ1cmwiOiJodHRwczovL2hvc3QuZXhhbXBsZTo0NDMzL"
      "2VjaG8iLCJoYXNoZXMiOlt7InVzZSI6ImFjdGl2ZSIsImFsZyI6InNoYS0yNTYiLCJ"
      "oZXgiOiJmZjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM"
      "DAwMDAwMDAwMDAwMDAwMDAwMDAwIiwiYjY0dXJsIjoiX3dBQUFBQUFBQUFBQUFBQUF"
      "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsIm5vdF9iZWZvcmUiOjE3NjY2MjA4M"
      "DAsIm5vdF9hZnRlciI6MTc2NzgzMDM5OSwiYWN0aXZlX2Zyb20iOjE3NjcyMjU2MDB"
      "9LHsidXNlIjoic3RhbmRieSIsImFsZyI6InNoYS0yNTYiLCJoZXgiOiIwMDAxMDAwM"
      "DAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA"
      "wMDAwMDAwIiwiYjY0dXJsIjoiQUFFQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQ"
      "UFBQUFBQUFBQUFBQSIsIm5vdF9iZWZvcmUiOjE3NjcxMzkyMDAsIm5vdF9hZnRlciI"
      "6MTc2ODM0ODc5OSwiYWN0aXZlX2Zyb20iOjE3Njc3NDQwMDB9XX0.nUt-K5NGxn7nu"
      "4h9BVyil56IJIRB0qF6AHIO02AQvLxsQrK8nBc866_jU39XdBBY87eeYzIYph7DmDR"
      "2IaqXWQ";
  char jws[CM_SIGNED_MAX];
  cm_signed_set set;

  (void)state;
  make(&set);
  assert_true(cm_signed_set_write(jws, sizeof(jws), &set, &identity) > 0);
  assert_string_equal(jws, expected);
  assert_string_equal(thumbprint,
                      "ikDe3qI4MjvujVDJFXDQSAESQ-F6ID75IcTAlNsh0q4");
}

static void test_not_written(void **state) {
  char jws[CM_SIGNED_MAX];
  cm_signed_set set;

  (void)state;
#define REFUSED(change)                                                        \
  make(&set);                                                                  \
  change;                                                                      \
  assert_int_equal(cm_signed_set_write(jws, sizeof(jws), &set, &identity),     \
                   CM_ERR_INVALID)
  REFUSED(set.epoch = 0);
  REFUSED(set.seq = 0);
  REFUSED(set.seq++);
  REFUSED(set.nhashes = 0);
  REFUSED(set.nhashes = 3);
  REFUSED(set.url[4] = ':');
  REFUSED(set.issued_at = -1);
  REFUSED(set.hashes[1].not_after++);
  REFUSED(set.hashes[0].not_after = set.hashes[0].not_before);
#undef REFUSED
  make(&set);
  assert_int_equal(cm_signed_set_write(jws, 100, &set, &identity),
                   CM_ERR_NOBUF);
}

/* Payloads that are signed well, and say something else. */
static void test_not_read(void **state) {
  static const char *const swaps[][2] = {
      {"\"v\":1", "\"v\":2"},
      {"\"v\":1", "\"v\":\"1\""},
      {"\"epoch\":2", "\"epoch\":-2"},
      {"\"epoch\":2", "\"epoch\":2.5"},
      {"\"epoch\":2", "\"epoch\":1e300"},
      {"\"epoch\":2,", ""},
      {"\"url\":\"https:", "\"url\":\"http:"},
      {"\"hashes\":[", "\"hashes\":[[],[],"},
      {"\"use\":\"active\"", "\"use\":\"standby\""},
      {"\"alg\":\"sha-256\"", "\"alg\":\"sha-512\""},
      {"\"hex\":\"ff", "\"hex\":\"FF"},
      {"\"hex\":\"ff", "\"hex\":\"fe"},
      {"\"hex\":\"ff", "\"hex\":\"f"},
      {"}]}", "}]"},
  };
  char jws[CM_SIGNED_MAX], payload[CM_SIGNED_MAX], other[CM_SIGNED_MAX];
  cm_signed_set set;
  int len;

  (void)state;
  make(&set);
  len = cm_signed_set_write(jws, sizeof(jws), &set, &identity);
  len = cm_jws_verify((uint8_t *)payload, sizeof(payload), jws, (size_t)len,
                      thumbprint);
  assert_true(len > 0);
  payload[len] = '\0';
  for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
    char *p = strstr(payload, swaps[i][0]);
    assert_non_null(p);
    snprintf(other, sizeof(other), "%.*s%s%s", (int)(p - payload), payload,
             swaps[i][1], p + strlen(swaps[i][0]));
    len = cm_jws_sign(jws, sizeof(jws), &identity, (const uint8_t *)other,
                      strlen(other));
    assert_int_equal(cm_signed_set_read(&set, jws, (size_t)len, thumbprint),
                     CM_ERR_INVALID);
    assert_int_equal(set.nhashes, 0);
  }
}

static void test_from_lifecycle(void **state) {
  cm_slot active = {.not_before = NOW, .not_after = NOW + DAY, .active_at = 3};
  cm_slot standby = {.active_at = 4, .sha256 = {7}};
  cm_document doc = {.epoch = 1, .seq = 2, .valid_until = 5};
  char url[CM_SIGNED_URL_MAX + 1];
  cm_signed_set set;

  (void)state;
  assert_int_equal(cm_signed_set_from(&set, &doc, "https://a"), CM_ERR_INVALID);
  doc.active = &active;
  assert_int_equal(cm_signed_set_from(&set, &doc, "https://a"), 0);
  assert_int_equal(set.nhashes, 1);
  doc.standby = &standby;
  assert_int_equal(cm_signed_set_from(&set, &doc, "https://a"), 0);
  assert_int_equal(set.nhashes, 2);
  assert_int_equal(set.hashes[1].sha256[0], 7);
  assert_true(set.hashes[1].active_from == 4 && set.valid_until == 5);
  memset(url, 'u', sizeof(url) - 1);
  url[sizeof(url) - 1] = '\0';
  assert_int_equal(cm_signed_set_from(&set, &doc, url), CM_ERR_INVALID);
}

static void test_supersedes(void **state) {
  cm_signed_set a, b;

  (void)state;
  make(&a);
  make(&b);
  assert_false(cm_signed_set_supersedes(&a, &b));
  b.seq--;
  assert_true(cm_signed_set_supersedes(&a, &b));
  assert_false(cm_signed_set_supersedes(&b, &a));
  b.epoch++;
  assert_true(cm_signed_set_supersedes(&b, &a));
  assert_false(cm_signed_set_supersedes(&a, &b));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_payload),
      cmocka_unit_test(test_golden),     cmocka_unit_test(test_not_written),
      cmocka_unit_test(test_not_read),   cmocka_unit_test(test_from_lifecycle),
      cmocka_unit_test(test_supersedes),
  };

  return cmocka_run_group_tests(tests, setup, NULL);
}
