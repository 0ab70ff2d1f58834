/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 section 10, without the padding. */
static void test_vectors(void **state) {
  static const char *const rows[][2] = {
      {"", ""},
      {"f", "Zg"},
      {"fo", "Zm8"},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg"},
      {"fooba", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff", "-_8"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    size_t len = strlen(rows[i][0]), textlen = strlen(rows[i][1]);
    char text[16];
    uint8_t octets[16];

    assert_int_equal(CM_BASE64URL_SIZE(len), textlen);
    assert_int_equal(cm_base64url_encode(text, textlen + 1,
                                         (const uint8_t *)rows[i][0], len),
                     textlen);
    assert_string_equal(text, rows[i][1]);
    assert_int_equal(
        cm_base64url_encode(text, textlen, (const uint8_t *)rows[i][0], len),
        CM_ERR_NOBUF);
    assert_int_equal(cm_base64url_decode(octets, len, rows[i][1], textlen),
                     len);
    assert_memory_equal(octets, rows[i][0], len);
    if (len > 0) {
      assert_int_equal(
          cm_base64url_decode(octets, len - 1, rows[i][1], textlen),
          CM_ERR_NOBUF);
    }
  }
}

static void test_refused(void **state) {
  static const char *const rows[] = {"Z",    "Zg==", "Zh",   "Zm9",  "Zm+v",
                                     "Zm/v", "Zm v", "Zm\n", "Zm9vZ"};
  uint8_t octets[16];

  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    assert_int_equal(
        cm_base64url_decode(octets, sizeof(octets), rows[i], strlen(rows[i])),
        CM_ERR_INVALID);
  }
  assert_int_equal(cm_base64url_decode(octets, sizeof(octets), "Zm\0v", 4),
                   CM_ERR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
