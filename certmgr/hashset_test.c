/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/hashset.h"

#include <cjson/cJSON.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* SHA-256("abc") and SHA-256(""). */
static const uint8_t abc[CM_HASH_LEN] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
static const uint8_t empty[CM_HASH_LEN] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
    0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
    0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

#define ABC_HEX                                                                \
  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_B64URL "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
#define ABC_CERTHASH "uEiC6eBa_jwHP6kFBQN5driIjsANho5YXepy0EP9h8gAVrQ"
#define EMPTY_HEX                                                              \
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define EMPTY_B64URL "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
#define EMPTY_CERTHASH "uEiDjsMRCmPwcFJr79MiZb7kkJ65B5GSbk0yklZkbeFK4VQ"

static void test_golden(void **state) {
  static const struct {
    int (*form)(char *, size_t, const uint8_t *);
    const char *expected;
  } forms[] = {
      {cm_hash_hex, ABC_HEX},
      {cm_hash_openssl,
       "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:"
       "9C:B4:10:FF:61:F2:00:15:AD"},
      {cm_hash_base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
      {cm_hash_base64url, ABC_B64URL},
      {cm_hash_certhash, ABC_CERTHASH},
      {cm_hash_certhash_base58,
       "zQmatYkNGZnELf8cAGdyJpUca2PyY4szai3RHyyWofNY1pY"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    size_t len = strlen(forms[i].expected);
    char buf[128];

    assert_int_equal(forms[i].form(buf, sizeof(buf), abc), len);
    assert_string_equal(buf, forms[i].expected);
    /* Exactly enough, and every room that is too small. */
    assert_int_equal(forms[i].form(buf, len + 1, abc), len);
    for (size_t room = 0; room <= len; room++) {
      memset(buf, '#', sizeof(buf));
      assert_int_equal(forms[i].form(buf, room, abc), CM_ERR_NOBUF);
      assert_int_equal(buf[0], room > 0 ? '\0' : '#');
      assert_int_equal(buf[room], '#');
    }
  }
}

static void test_lengths(void **state) {
  uint8_t hash[CM_HASH_LEN];
  char buf[128];

  (void)state;
  for (int octet = 0; octet < 256; octet++) {
    memset(hash, octet, sizeof(hash));
    assert_int_equal(cm_hash_hex(buf, sizeof(buf), hash), CM_HEX_LEN);
    assert_int_equal(cm_hash_openssl(buf, sizeof(buf), hash), CM_OPENSSL_LEN);
    assert_int_equal(cm_hash_base64(buf, sizeof(buf), hash), CM_BASE64_LEN);
    assert_int_equal(cm_hash_base64url(buf, sizeof(buf), hash),
                     CM_BASE64URL_LEN);
    assert_int_equal(cm_hash_certhash(buf, sizeof(buf), hash), CM_CERTHASH_LEN);
    assert_in_range(cm_hash_certhash_base58(buf, sizeof(buf), hash), 2,
                    CM_CERTHASH_BASE58_MAX);
  }
}

/* The thumbprint of RFC 7638 section 3.1. */
#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

static const cm_hashset dns = {.host = "localhost",
                               .port = 4433,
                               .path = "/echo",
                               .active = abc,
                               .standby = empty};
static const cm_hashset ipv4 = {
    .host = "127.0.0.1", .port = 443, .path = "/", .active = abc};
static const cm_hashset ipv6 = {.host = "2001:DB8::1",
                                .port = 65535,
                                .path = "/a?b=c&d=%20",
                                .active = abc,
                                .standby = empty};
static const cm_hashset with_identity = {.host = "localhost",
                                         .port = 4433,
                                         .path = "/echo",
                                         .active = abc,
                                         .identity = THUMBPRINT};
static const cm_hashset with_mirror = {
    .host = "localhost",
    .port = 4433,
    .path = "/echo",
    .active = abc,
    .standby = empty,
    .identity = THUMBPRINT,
    .mirror = "https://example.org/~a/b.json?c=1+2&d=%20"};

#define SNIPPET_ABC                                                            \
  "    {algorithm: 'sha-256', value: Uint8Array.from(atob("                    \
  "'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='), "                          \
  "(c) => c.charCodeAt(0))},\n"
#define SNIPPET_EMPTY                                                          \
  "    {algorithm: 'sha-256', value: Uint8Array.from(atob("                    \
  "'47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='), "                          \
  "(c) => c.charCodeAt(0))},\n"

static void test_sets(void **state) {
  static const struct {
    int (*form)(char *, size_t, const cm_hashset *);
    const cm_hashset *set;
    const char *expected;
  } forms[] = {
      {cm_hashset_url, &dns, "https://localhost:4433/echo"},
      {cm_hashset_url, &ipv4, "https://127.0.0.1:443/"},
      {cm_hashset_url, &ipv6, "https://[2001:DB8::1]:65535/a?b=c&d=%20"},
      {cm_hashset_link, &dns,
       "https://localhost:4433/echo#wt=" ABC_B64URL "." EMPTY_B64URL},
      {cm_hashset_link, &ipv4, "https://127.0.0.1:443/#wt=" ABC_B64URL},
      {cm_hashset_link, &ipv6,
       "https://[2001:DB8::1]:65535/a?b=c&d=%20#wt=" ABC_B64URL
       "." EMPTY_B64URL},
      {cm_hashset_link, &with_identity,
       "https://localhost:4433/echo#wt=" ABC_B64URL "&id=" THUMBPRINT},
      {cm_hashset_link, &with_mirror,
       "https://localhost:4433/echo#wt=" ABC_B64URL "." EMPTY_B64URL
       "&id=" THUMBPRINT "&mirror=https%3A%2F%2Fexample.org%2F~a%2Fb.json%3F"
       "c%3D1%2B2%26d%3D%2520"},
      /* They concern the link alone. */
      {cm_hashset_url, &with_mirror, "https://localhost:4433/echo"},
      {cm_hashset_multiaddr, &dns,
       "/dns/localhost/udp/4433/quic-v1/webtransport/certhash/" ABC_CERTHASH
       "/certhash/" EMPTY_CERTHASH},
      {cm_hashset_multiaddr, &ipv4,
       "/ip4/127.0.0.1/udp/443/quic-v1/webtransport/certhash/" ABC_CERTHASH},
      {cm_hashset_multiaddr, &ipv6,
       "/ip6/2001:db8::1/udp/65535/quic-v1/webtransport/certhash/" ABC_CERTHASH
       "/certhash/" EMPTY_CERTHASH},
      {cm_hashset_snippet, &dns,
       "const transport = new WebTransport('https://localhost:4433/echo', {\n"
       "  serverCertificateHashes: [\n" SNIPPET_ABC SNIPPET_EMPTY "  ],\n"
       "});\n"},
      {cm_hashset_snippet, &ipv4,
       "const transport = new WebTransport('https://127.0.0.1:443/', {\n"
       "  serverCertificateHashes: [\n" SNIPPET_ABC "  ],\n"
       "});\n"},
      {cm_hashset_text, &dns, ABC_HEX "\n" EMPTY_HEX "\n"},
      {cm_hashset_text, &ipv4, ABC_HEX "\n"},
      {cm_hashset_json, &dns,
       "[{\"use\":\"active\",\"hex\":\"" ABC_HEX "\",\"b64url\":\"" ABC_B64URL
       "\"},{\"use\":\"standby\",\"hex\":\"" EMPTY_HEX
       "\",\"b64url\":\"" EMPTY_B64URL "\"}]"},
      {cm_hashset_json, &ipv4,
       "[{\"use\":\"active\",\"hex\":\"" ABC_HEX "\",\"b64url\":\"" ABC_B64URL
       "\"}]"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    size_t len = strlen(forms[i].expected);
    char buf[1024];

    assert_int_equal(forms[i].form(buf, sizeof(buf), forms[i].set), len);
    assert_string_equal(buf, forms[i].expected);
    assert_int_equal(forms[i].form(buf, len + 1, forms[i].set), len);
    for (size_t room = 0; room <= len; room++) {
      memset(buf, '#', sizeof(buf));
      assert_int_equal(forms[i].form(buf, room, forms[i].set), CM_ERR_NOBUF);
      assert_int_equal(buf[room], '#');
    }
  }
}

/* What could end the string, the line or the script, or hide the rest of the
   URL, comes out encoded. */
static void test_escapes(void **state) {
  cm_hashset set = dns;
  char buf[1024];

  (void)state;
  set.path = "/a'b\"c\\d<e>f`g h\ni\rj{k}l|m^n[o]p\x7f\x01\xc3\xa9$,;:@!()*+";
  assert_true(cm_hashset_snippet(buf, sizeof(buf), &set) > 0);
  assert_non_null(strstr(
      buf, "('https://localhost:4433/a%27b%22c%5Cd%3Ce%3Ef%60g%20h%0Ai%0Dj%7Bk"
           "%7Dl%7Cm%5En%5Bo%5Dp%7F%01%C3%A9$,;:@!()*+', {\n"));
  assert_true(cm_hashset_link(buf, sizeof(buf), &set) > 0);
  assert_non_null(strstr(buf, "/a%27b%22c%5Cd%3Ce%3Ef%60g%20h%0Ai%0Dj%7Bk"));
}

static void test_refused(void **state) {
  static int (*const forms[])(char *, size_t, const cm_hashset *) = {
      cm_hashset_url, cm_hashset_link, cm_hashset_multiaddr,
      cm_hashset_snippet};
  static const char *const hosts[] = {"",          "a b", "a'b", "[::1]",
                                      "*.example", "a/b", "a:1"};
  static const char *const paths[] = {"", "echo", "/a#b", NULL};
  static const char *const identities[] = {
      "",
      THUMBPRINT "A",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X=",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X.",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X~",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9&x"};
  char buf[1024];

  (void)state;
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    cm_hashset set = dns;

    for (size_t j = 0; j < sizeof(hosts) / sizeof(hosts[0]); j++) {
      set.host = hosts[j];
      memset(buf, '#', sizeof(buf));
      assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_HOST);
      assert_int_equal(buf[0], '\0');
    }
    set = dns;
    for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
      set.path = paths[j];
      assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
    }
    set = dns;
    set.host = NULL;
    assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
    set = dns;
    set.port = 0;
    assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
    set = dns;
    set.active = NULL;
    assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
    assert_int_equal(forms[i](NULL, 0, &set), CM_ERR_INVALID);
    set = dns;
    for (size_t j = 0; j < sizeof(identities) / sizeof(identities[0]); j++) {
      set.identity = identities[j];
      assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
    }
    set = dns;
    set.mirror = "http://example.org/";
    assert_int_equal(forms[i](buf, sizeof(buf), &set), CM_ERR_INVALID);
  }
  {
    cm_hashset set = dns;
    set.active = NULL;
    assert_int_equal(cm_hashset_text(buf, sizeof(buf), &set), CM_ERR_INVALID);
    assert_int_equal(cm_hashset_json(buf, sizeof(buf), &set), CM_ERR_INVALID);
  }
}

static void test_mirrors(void **state) {
  static const char *const good[] = {"https://a", "https://a.example:8443",
                                     "https://[::1]/x", "https://a/@b?c=d@e",
                                     "https://a?b"};
  static const char *const bad[] = {"",
                                    "https://",
                                    "https:///a",
                                    "https://:1/",
                                    "https://?a",
                                    "http://a/",
                                    "HTTP://a/",
                                    "ftp://a/",
                                    " https://a",
                                    "https://a b/",
                                    "https://a/\n",
                                    "https://a/\x7f",
                                    "https://a/\t",
                                    "https://a/#b",
                                    "https://u:p@a/",
                                    "https://u@a",
                                    "https://a/\"",
                                    "https://a/<b>",
                                    "https://a/\xc3\xa9",
                                    "https://a\\b"};

  (void)state;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_int_equal(cm_mirror_check(good[i]), 0);
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(cm_mirror_check(bad[i]), CM_ERR_INVALID);
  }
}

/* Every allocation of cJSON fails once. */
static int allocations_left;

static void *failing_malloc(size_t size) {
  return allocations_left-- > 0 ? test_malloc(size) : NULL;
}

static void counted_free(void *p) { test_free(p); }

static void test_json_without_memory(void **state) {
  cJSON_Hooks hooks = {failing_malloc, counted_free};
  char buf[1024];
  int n = 0, rv;

  (void)state;
  cJSON_InitHooks(&hooks);
  do {
    allocations_left = n++;
    rv = cm_hashset_json(buf, sizeof(buf), &dns);
    assert_true(rv > 0 || rv == CM_ERR_NOMEM);
  } while (rv < 0);
  cJSON_InitHooks(NULL);
  assert_true(n > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_sets),
      cmocka_unit_test(test_escapes),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_mirrors),
      cmocka_unit_test(test_json_without_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
