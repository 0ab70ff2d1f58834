/* SPDX-License-Identifier: Apache-2.0 */
#include "server/host.h"

#include "server/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int has(const char *const *names, size_t n, const char *name) {
  while (n > 0) {
    if (strcmp(names[--n], name) == 0) {
      return 1;
    }
  }
  return 0;
}

/* Every name can be put into a certificate, and the first into a link. */
static void test_default_names(void **state) {
  static const char *const addresses[] = {
      "127.0.0.1",   "127.1.2.3",      "::1", "192.0.2.7",
      "2001:db8::1", "0.0.0.0",        "::",  "0:0:0:0:0:0:0:0",
      "::0",         "0:0:0:0:0:0:0:1"};
  const char *names[HOST_NAMES_MAX];
  size_t i, j, n;

  (void)state;
  for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); ++i) {
    udp_address address;

    n = host_default_names(names, addresses[i]);
    assert_in_range(n, 1, HOST_NAMES_MAX);
    for (j = 0; j < n; ++j) {
      assert_int_equal(cm_x509_check_host(names[j]), 0);
      assert_false(has(names, j, names[j]));
    }
    assert_int_equal(udp_address_parse(&address, addresses[i], 0), 0);
    if (i < 5 || i > 8) {
      assert_string_equal(names[0], addresses[i]);
    } else {
      /* All addresses: nobody can connect to that. */
      assert_true(has(names, n, "localhost"));
      assert_true(has(names, n, "127.0.0.1"));
      assert_int_equal(has(names, n, "::1"), i > 5);
      assert_false(has(names, n, addresses[i]));
    }
    assert_int_equal(has(names, n, "localhost"), i < 3 || i > 4);
  }
  /* What is no address is not made one. */
  assert_int_equal(host_default_names(names, "127.example.org"), 1);
  assert_string_equal(names[0], "127.example.org");
}

static void test_listen_parse(void **state) {
  static const struct {
    const char *text, *address; /* NULL: refused */
    int port;                   /* -1: none */
  } cases[] = {{"127.0.0.1", "127.0.0.1", -1},
               {"127.0.0.1:0", "127.0.0.1", 0},
               {"0.0.0.0:443", "0.0.0.0", 443},
               {"::", "::", -1},
               {"::1", "::1", -1},
               {"2001:db8::1:443", "2001:db8::1:443", -1},
               {"[::]", "::", -1},
               {"[::1]:65535", "::1", 65535},
               {"[2001:db8::1]:443", "2001:db8::1", 443},
               {"[::ffff:127.0.0.1]:443", "::ffff:127.0.0.1", 443},
               {"", NULL, 0},
               {":443", NULL, 0},
               {"443", NULL, 0},
               {"127.0.0.1:", NULL, 0},
               {"127.0.0.1:65536", NULL, 0},
               {"127.0.0.1:-1", NULL, 0},
               {"127.0.0.1:4 ", NULL, 0},
               {"127.0.0.1:000443", NULL, 0},
               {"[127.0.0.1]:443", NULL, 0},
               {"[::1", NULL, 0},
               {"[::1]443", NULL, 0},
               {"[::1]:", NULL, 0},
               {"[]:443", NULL, 0},
               {"::1]:443", NULL, 0},
               {"localhost:443", NULL, 0},
               {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:"
                "dddd]:1",
                NULL, 0}};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    host_listen listen;

    assert_int_equal(host_listen_parse(&listen, cases[i].text),
                     cases[i].address ? 0 : UDP_ERR_INVALID);
    if (cases[i].address) {
      assert_string_equal(listen.address, cases[i].address);
      assert_int_equal(listen.has_port, cases[i].port >= 0);
      assert_int_equal(listen.port, cases[i].port >= 0 ? cases[i].port : 0);
    }
  }
}

static void test_listen_overlaps(void **state) {
  static const struct {
    const char *a, *b;
    int overlaps;
  } cases[] = {
      {"127.0.0.1:1", "127.0.0.1:1", 1}, {"127.0.0.1:1", "127.0.0.1:2", 0},
      {"127.0.0.1:0", "127.0.0.1:0", 0}, {"127.0.0.1:1", "127.0.0.2:1", 0},
      {"127.0.0.1:1", "0.0.0.0:1", 1},   {"127.0.0.1:1", "[::]:1", 1},
      {"[::1]:1", "[::]:1", 1},          {"[::1]:1", "[0::1]:1", 1},
      {"[::1]:1", "0.0.0.0:1", 0},       {"[::1]:1", "127.0.0.1:1", 0},
      {"[::]:1", "0.0.0.0:1", 1}};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    host_listen a, b;

    assert_int_equal(host_listen_parse(&a, cases[i].a), 0);
    assert_int_equal(host_listen_parse(&b, cases[i].b), 0);
    assert_int_equal(host_listen_overlaps(&a, &b), cases[i].overlaps);
    assert_int_equal(host_listen_overlaps(&b, &a), cases[i].overlaps);
  }
}

static void test_names_of_several(void **state) {
  static const char *const wanted[] = {"192.0.2.1", "127.0.0.1", "localhost",
                                       "::1"};
  const char *names[HOST_NAMES_MAX];
  size_t i, n = 0;

  (void)state;
  n = host_add_default_names(names, n, "192.0.2.1");
  n = host_add_default_names(names, n, "127.0.0.1");
  n = host_add_default_names(names, n, "192.0.2.1");
  n = host_add_default_names(names, n, "::");
  n = host_add_default_names(names, n, "::1");
  assert_int_equal(n, sizeof(wanted) / sizeof(wanted[0]));
  for (i = 0; i < n; ++i) {
    assert_string_equal(names[i], wanted[i]);
  }
  for (i = 0; i < 2 * HOST_NAMES_MAX; ++i) {
    static char addresses[2 * HOST_NAMES_MAX][16];

    snprintf(addresses[i], sizeof(addresses[i]), "198.51.100.%u", (unsigned)i);
    n = host_add_default_names(names, n, addresses[i]);
  }
  assert_int_equal(n, HOST_NAMES_MAX);
}

/* Nobody who takes the link that is handed out is left to wonder. */
static void test_doubt(void **state) {
  static const struct {
    const char *address;
    const char *names[2];
    const char *what; /* NULL: it is well */
  } cases[] = {
      {"127.0.0.1", {"127.0.0.1", "localhost"}, NULL},
      {"127.0.0.1", {"127.1.1.1", "localhost"}, NULL},
      {"127.0.0.1", {"LocalHost", "127.0.0.1"}, "a browser takes localhost"},
      {"0.0.0.0", {"localhost", "127.0.0.1"}, "a browser takes localhost"},
      {"::", {"localhost", "127.0.0.1"}, NULL},
      {"::1", {"localhost", "::1"}, NULL},
      {"::", {"example.org", "::1"}, NULL},
      {"0.0.0.0", {"example.org", "::1"}, NULL},
      {"192.0.2.1", {"example.org", "::1"}, NULL},
      {"127.0.0.1", {"example.org", "127.0.0.1"}, "can reach example.org"},
      {"::1", {"192.0.2.1", "127.0.0.1"}, "can reach 192.0.2.1"},
      {"127.0.0.1", {"*.example.org", "127.0.0.1"}, NULL},
      {"127.0.0.1", {"*.example.org", "a.example"}, "can reach a.example"},
      {"127.0.0.1", {"*.example.org", "*.a.example"}, NULL},
      {"nonsense", {"example.org", "a.example"}, NULL}};
  const char *names[HOST_NAMES_MAX];
  char text[256];
  size_t i, n;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    int rv =
        host_doubt(text, sizeof(text), cases[i].address, cases[i].names, 2);

    assert_int_equal(rv, cases[i].what != NULL);
    if (rv) {
      assert_non_null(strstr(text, cases[i].what));
      assert_non_null(strstr(text, cases[i].address));
    }
    /* What is chosen if nobody says is well. */
    n = host_default_names(names, cases[i].address);
    assert_int_equal(host_doubt(text, sizeof(text), cases[i].address, names, n),
                     0);
  }
}

static void test_exit_codes(void **state) {
  static const struct {
    int error;
    host_exit code;
    const char *name;
  } cases[] = {
      {UDP_ERR_INVALID, HOST_EXIT_OPTION, "bad-option"},
      {CM_ERR_HOST, HOST_EXIT_OPTION, "bad-option"},
      {CM_ERR_HOST_COUNT, HOST_EXIT_OPTION, "bad-option"},
      {CM_ERR_INVALID, HOST_EXIT_OPTION, "bad-option"},
      {UDP_ERR_PORT_BUSY, HOST_EXIT_PORT_BUSY, "port-busy"},
      {UDP_ERR_PERMISSION, HOST_EXIT_PERMISSION, "permission-denied"},
      {UDP_ERR_ADDRESS_NOT_AVAILABLE, HOST_EXIT_ADDRESS,
       "address-not-available"},
      {CM_ERR_STORE, HOST_EXIT_STATE, "state-refused"},
      {CM_ERR_STORE_LOCKED, HOST_EXIT_STATE, "state-refused"},
      {CM_ERR_STORE_PERMISSIONS, HOST_EXIT_STATE, "state-refused"},
      {CM_ERR_STORE_BAD, HOST_EXIT_STATE, "state-refused"},
      {UDP_ERR_IO, HOST_EXIT_INTERNAL, "internal"},
      {UDP_ERR_NOMEM, HOST_EXIT_INTERNAL, "internal"},
      {TLS_ERR_REFUSED, HOST_EXIT_INTERNAL, "internal"},
      {CM_ERR_RANDOM, HOST_EXIT_INTERNAL, "internal"},
      {-1, HOST_EXIT_INTERNAL, "internal"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    assert_int_equal(host_exit_code(cases[i].error), cases[i].code);
    assert_string_equal(host_exit_name(cases[i].code), cases[i].name);
  }
  assert_string_equal(host_exit_name(HOST_EXIT_CONTROL), "control-refused");
}

/* One line, that fits or is cut, and names what it is about. */
static void test_explain(void **state) {
  static const int errors[] = {UDP_ERR_INVALID,
                               UDP_ERR_PORT_BUSY,
                               UDP_ERR_PERMISSION,
                               UDP_ERR_ADDRESS_NOT_AVAILABLE,
                               UDP_ERR_IO,
                               UDP_ERR_NOMEM,
                               CM_ERR_HOST,
                               CM_ERR_NOMEM,
                               TLS_ERR_NOMEM,
                               TLS_ERR_REFUSED,
                               QUIC_ERR_NOMEM,
                               QUIC_ERR_FAILED,
                               -12345};
  size_t i, room;

  (void)state;
  for (i = 0; i < sizeof(errors) / sizeof(errors[0]); ++i) {
    char whole[256], text[256];

    host_explain(whole, sizeof(whole), errors[i], "192.0.2.99", 61234);
    assert_in_range(strlen(whole), 1, sizeof(whole) - 2);
    assert_null(strchr(whole, '\n'));
    assert_int_equal(strstr(whole, "192.0.2.99") != NULL, i < 4);
    assert_int_equal(strstr(whole, "61234") != NULL, i < 3);
    for (room = 1; room < 40; ++room) {
      memset(text, 'z', sizeof(text));
      host_explain(text, room, errors[i], "192.0.2.99", 61234);
      assert_true(strlen(text) < room);
      assert_memory_equal(text, whole, strlen(text));
      assert_int_equal(text[room], 'z');
    }
  }
}

/* Others can be equal to none that a browser sends. */
static void test_origin(void **state) {
  static const char *const origins[] = {
      "https://example.org",
      "https://example.org:8443",
      "http://localhost:8080",
      "http://127.0.0.1:1",
      "https://[::1]:65535",
      "https://[2001:db8::1]",
      "isolated-app://4tkrnsmftl4ggvvdkfth3piainqragus2qbhf7rlz2a3wo3rh4wqaaic",
      "chrome-extension://abcdefghijklmnop",
      "https://xn--bcher-kva.example",
      "http://a:443",
      "https://a:80",
  };
  static const char *const others[] = {
      "",
      "null",
      "*",
      "example.org",
      "https://",
      "https:///",
      "https://example.org/",
      "https://example.org/path",
      "https://example.org?",
      "https://example.org#",
      "https://user@example.org",
      "https://Example.org",
      "HTTPS://example.org",
      "https://gr\xc3\xbc\xc3\x9f.example",
      "https://*.example.org",
      "https://example.org:443",
      "http://example.org:80",
      "https://example.org:",
      "https://example.org:0",
      "https://example.org:080",
      "https://example.org:65536",
      "https://example.org:123456",
      "https://example.org:1 ",
      " https://example.org",
      "https://example.org\n",
      "https://[::1",
      "https://[::1]x",
      "https://[]",
      "https://[1.2.3.4]",
      "https://[::ffff:aaaa:bbbb:cccc:dddd:eeee:ffff:aaaa:bbbb:cccc:dddd:eeee]",
      "https://::1",
      "://example.org",
      "1http://a",
      "https:/a",
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(origins) / sizeof(origins[0]); ++i) {
    if (!host_is_origin(origins[i])) {
      fail_msg("%s", origins[i]);
    }
  }
  for (i = 0; i < sizeof(others) / sizeof(others[0]); ++i) {
    if (host_is_origin(others[i])) {
      fail_msg("%s", others[i]);
    }
  }
}

/* Each sets one thing, and another. */
static void test_limits(void **state) {
  appliance_config config;
  quic_retry retry;
  size_t i;

  (void)state;
  memset(&config, 0, sizeof(config));
  for (i = 0; i < HOST_LIMIT_COUNT; ++i) {
    assert_true(host_limits[i].min < host_limits[i].max);
    host_limits[i].set(&config, (long)i + 2);
  }
  assert_int_equal(config.limits.idle_timeout,
                   (HOST_LIMIT_IDLE + 2) * NGTCP2_SECONDS);
  assert_int_equal(config.connections_max, HOST_LIMIT_CONNECTIONS + 2);
  assert_int_equal(config.sessions_max, HOST_LIMIT_SESSIONS + 2);
  assert_int_equal(config.handshakes_max, HOST_LIMIT_HANDSHAKES + 2);
  assert_int_equal(config.retry_above, HOST_LIMIT_RETRY_ABOVE + 2);
  assert_int_equal(config.drain_timeout,
                   (HOST_LIMIT_DRAIN + 2) * NGTCP2_SECONDS);
  /* Busy begins before everything is full, unless somebody says otherwise. */
  config.retry_above = 0;
  host_limits[HOST_LIMIT_HANDSHAKES].set(&config, 2 * QUIC_RETRY_ABOVE);
  assert_int_equal(config.retry_above, 0);
  host_limits[HOST_LIMIT_HANDSHAKES].set(&config, 100);
  assert_int_equal(config.retry_above, 50);
  host_limits[HOST_LIMIT_HANDSHAKES].set(&config, 2);
  assert_int_equal(config.retry_above, 1);
  assert_true((int)HOST_LIMIT_RETRY_ABOVE > (int)HOST_LIMIT_HANDSHAKES);
  assert_int_equal(host_retry(&retry, "always"), 0);
  assert_int_equal(retry, QUIC_RETRY_ALWAYS);
  assert_int_equal(host_retry(&retry, "busy"), 0);
  assert_int_equal(retry, QUIC_RETRY_WHEN_BUSY);
  assert_int_equal(host_retry(&retry, "never"), 0);
  assert_int_equal(retry, QUIC_RETRY_NEVER);
  assert_int_equal(host_retry(&retry, "Always"), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_default_names),
      cmocka_unit_test(test_doubt),
      cmocka_unit_test(test_listen_parse),
      cmocka_unit_test(test_listen_overlaps),
      cmocka_unit_test(test_names_of_several),
      cmocka_unit_test(test_exit_codes),
      cmocka_unit_test(test_explain),
      cmocka_unit_test(test_origin),
      cmocka_unit_test(test_limits),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
