/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LABEL_63                                                               \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_accepted(void **state) {
  static const struct {
    const char *text;
    cm_host_kind kind;
  } good[] = {
      {"localhost", CM_HOST_DNS},
      {"a", CM_HOST_DNS},
      {"Example.ORG", CM_HOST_DNS},
      {"a-b.c--d.e", CM_HOST_DNS},
      {"xn--bcher-kva.example", CM_HOST_DNS},
      {"3com.com", CM_HOST_DNS},
      {"1.2.3.4.com", CM_HOST_DNS},
      {"0x7g", CM_HOST_DNS},
      {LABEL_63 "." LABEL_63 "." LABEL_63, CM_HOST_DNS},
      {"*.example.org", CM_HOST_WILDCARD},
      {"127.0.0.1", CM_HOST_IPV4},
      {"255.255.255.255", CM_HOST_IPV4},
      {"::1", CM_HOST_IPV6},
      {"2001:DB8::8:800:200c:417a", CM_HOST_IPV6},
      {"::ffff:192.0.2.1", CM_HOST_IPV6},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    cm_host host;
    assert_int_equal(cm_host_parse(&host, good[i].text), 0);
    assert_int_equal(host.kind, good[i].kind);
    assert_int_equal(host.address_len, good[i].kind == CM_HOST_IPV4   ? 4
                                       : good[i].kind == CM_HOST_IPV6 ? 16
                                                                      : 0);
  }
}

static void test_addresses(void **state) {
  static const uint8_t v4[] = {192, 0, 2, 1};
  static const uint8_t v6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                               0,    0,    0,    0,    0, 0, 0, 1};
  cm_host host;

  (void)state;
  assert_int_equal(cm_host_parse(&host, "192.0.2.1"), 0);
  assert_memory_equal(host.address, v4, 4);
  assert_int_equal(cm_host_parse(&host, "2001:db8::1"), 0);
  assert_memory_equal(host.address, v6, 16);
}

static void test_refused(void **state) {
  static const char *const bad[] = {
      "",
      ".",
      "a.",
      ".a",
      "a..b",
      "-a",
      "a-",
      "a.-b",
      "a b",
      "a_b",
      "b\xc3\xbc"
      "cher.example",
      "a'b",
      "a\"b",
      "a<b",
      "a/b",
      "a@b",
      "a#b",
      "a:4433",
      "a\n",
      LABEL_63 "a",
      "*",
      "*.",
      "a.*.b",
      "*a.b",
      "*.*.b",
      /* An IPv4 address to a browser, but not one that we can read. */
      "1",
      "1.2.3",
      "127.1",
      "256.0.0.1",
      "1.2.3.4.5",
      "01.2.3.4",
      "0x7f.0.0.0x1",
      "a.0x",
      "a.1",
      "*.1",
      /* No bracket, no zone, no port. */
      "[::1]",
      "fe80::1%eth0",
      "::1:4433:",
      ":::",
      "1::2::3",
      "12345::",
      "1.2.3.4:5",
  };

  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    cm_host host;
    if (cm_host_parse(&host, bad[i]) != CM_ERR_HOST) {
      fail_msg("accepted: %s", bad[i]);
    }
  }
}

static void test_length(void **state) {
  char name[CM_HOST_MAX + 3];
  cm_host host;

  (void)state;
  memset(name, 'a', sizeof(name));
  for (size_t i = 50; i < sizeof(name); i += 51) {
    name[i] = '.';
  }
  name[CM_HOST_MAX] = '\0';
  assert_int_equal(cm_host_parse(&host, name), 0);
  name[CM_HOST_MAX] = 'a';
  name[CM_HOST_MAX + 1] = '\0';
  assert_int_equal(cm_host_parse(&host, name), CM_ERR_HOST);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_length),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
