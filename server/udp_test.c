/* SPDX-License-Identifier: Apache-2.0 */
#include "server/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_parse_and_text(void **state) {
  static const struct {
    const char *text;
    uint16_t port;
    const char *expected;
  } good[] = {
      {"127.0.0.1", 4433, "127.0.0.1:4433"},
      {"0.0.0.0", 0, "0.0.0.0:0"},
      {"255.255.255.255", 65535, "255.255.255.255:65535"},
      {"::", 1, "[::]:1"},
      {"::1", 443, "[::1]:443"},
      {"2001:DB8:0:0:0:0:0:1", 256, "[2001:db8::1]:256"},
      {"::ffff:192.0.2.1", 9, "[::ffff:192.0.2.1]:9"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
  };
  static const char *const bad[] = {"",
                                    "localhost",
                                    "127.0.0",
                                    "127.0.0.1.1",
                                    "256.0.0.1",
                                    "1.2.3.4:5",
                                    "[::1]",
                                    ":::",
                                    " 127.0.0.1",
                                    "127.0.0.1 ",
                                    "::1%lo",
                                    "12345::",
                                    "1:2:3:4:5:6:7:8:9",
                                    "0x7f.0.0.1",
                                    "2130706433"};
  char text[UDP_ADDRESS_TEXT_MAX];
  udp_address address, again;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(good) / sizeof(good[0]); ++i) {
    memset(&address, 0xa5, sizeof(address));
    assert_int_equal(udp_address_parse(&address, good[i].text, good[i].port),
                     0);
    assert_ptr_equal(udp_address_text(text, &address), text);
    assert_string_equal(text, good[i].expected);
    assert_int_equal(udp_address_len(&address),
                     strchr(good[i].text, ':') ? sizeof(struct sockaddr_in6)
                                               : sizeof(struct sockaddr_in));
    memset(&again, 0x5a, sizeof(again));
    assert_int_equal(udp_address_parse(&again, good[i].text, good[i].port), 0);
    /* Nothing is left of what was there. */
    assert_memory_equal(&address, &again, udp_address_len(&address));
  }
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    if (udp_address_parse(&address, bad[i], 1) != UDP_ERR_INVALID) {
      fail_msg("\"%s\" was taken", bad[i]);
    }
  }
}

static void test_eq(void **state) {
  static const struct {
    const char *text;
    uint16_t port;
  } all[] = {{"127.0.0.1", 1},
             {"127.0.0.1", 2},
             {"127.0.0.2", 1},
             {"::1", 1},
             {"::1", 2},
             {"::2", 1},
             {"::ffff:127.0.0.1", 1},
             {"0.0.0.0", 1},
             {"::", 1}};
  const size_t n = sizeof(all) / sizeof(all[0]);
  udp_address a, b;
  size_t i, j;

  (void)state;
  for (i = 0; i < n; ++i) {
    for (j = 0; j < n; ++j) {
      assert_int_equal(udp_address_parse(&a, all[i].text, all[i].port), 0);
      assert_int_equal(udp_address_parse(&b, all[j].text, all[j].port), 0);
      assert_int_equal(udp_address_eq(&a, &b), i == j);
    }
  }
}

static void test_eq_looks_at_what_counts(void **state) {
  udp_address a, b;

  (void)state;
  /* What is behind the port is padding. */
  assert_int_equal(udp_address_parse(&a, "192.0.2.1", 7), 0);
  b = a;
  memset((uint8_t *)&b + sizeof(b.in) - sizeof(b.in.sin_zero), 0xff,
         sizeof(b) - sizeof(b.in) + sizeof(b.in.sin_zero));
  assert_int_equal(udp_address_eq(&a, &b), 1);
  /* The same link-local address on two links is two addresses. */
  assert_int_equal(udp_address_parse(&a, "fe80::1", 7), 0);
  b = a;
  b.in6.sin6_flowinfo = 5;
  assert_int_equal(udp_address_eq(&a, &b), 1);
  b.in6.sin6_scope_id = 3;
  assert_int_equal(udp_address_eq(&a, &b), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse_and_text),
      cmocka_unit_test(test_eq),
      cmocka_unit_test(test_eq_looks_at_what_counts),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
