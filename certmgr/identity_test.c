/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/identity.h"

#include "certmgr/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* RFC 6979 appendix A.2.5. */
static const uint8_t scalar[32] = {
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21,
    0x57, 0x67, 0xb1, 0xd6, 0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8,
    0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21};
static const uint8_t sample_signature[64] = {
    0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd,
    0x9c, 0xd4, 0x5e, 0x81, 0xd6, 0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa,
    0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16, 0xf7,
    0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1,
    0xb6, 0xe2, 0x9f, 0x65, 0xf3, 0xe9, 0x00, 0xdb, 0xb9, 0xaf, 0xf4,
    0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8};

static void make(cm_identity *identity) {
  assert_int_equal(cm_identity_from_scalar(identity, scalar), 0);
}

static void test_rfc6979(void **state) {
  static const uint8_t x[4] = {0x60, 0xfe, 0xd4, 0xba};
  static const uint8_t y[4] = {0x79, 0x03, 0xfe, 0x10};
  uint8_t signature[64];
  cm_identity identity;

  (void)state;
  make(&identity);
  assert_memory_equal(identity.x, x, 4);
  assert_memory_equal(identity.y, y, 4);
  assert_int_equal(
      cm_es256_sign(signature, &identity, (const uint8_t *)"sample", 6), 0);
  assert_memory_equal(signature, sample_signature, 64);
  assert_int_equal(cm_es256_verify(signature, identity.x, identity.y,
                                   (const uint8_t *)"sample", 6),
                   0);
  assert_int_equal(cm_es256_verify(signature, identity.x, identity.y,
                                   (const uint8_t *)"sampl", 5),
                   CM_ERR_SIGNATURE);
}

/* RFC 7515 appendix A.3: somebody else's key and signature. */
static void test_rfc7515(void **state) {
  static const char data[] =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogI"
      "mh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  static const char xtext[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
  static const char ytext[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
  static const char stext[] =
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK"
      "TUJqPP3-Kg6NU1Q";
  uint8_t x[32], y[32], signature[64];

  (void)state;
  assert_int_equal(cm_base64url_decode(x, 32, xtext, 43), 32);
  assert_int_equal(cm_base64url_decode(y, 32, ytext, 43), 32);
  assert_int_equal(cm_base64url_decode(signature, 64, stext, 86), 64);
  assert_int_equal(
      cm_es256_verify(signature, x, y, (const uint8_t *)data, sizeof(data) - 1),
      0);
  /* Every bit of the signature, and a point off the curve. */
  for (int bit = 0; bit < 512; bit += 5) {
    signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(cm_es256_verify(signature, x, y, (const uint8_t *)data,
                                     sizeof(data) - 1),
                     CM_ERR_SIGNATURE);
    signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  y[31] ^= 1;
  assert_int_equal(
      cm_es256_verify(signature, x, y, (const uint8_t *)data, sizeof(data) - 1),
      CM_ERR_SIGNATURE);
  memset(signature, 0, sizeof(signature));
  y[31] ^= 1;
  assert_int_equal(
      cm_es256_verify(signature, x, y, (const uint8_t *)data, sizeof(data) - 1),
      CM_ERR_SIGNATURE);
}

static void test_thumbprint(void **state) {
  /* Python's hashlib over the canonical JSON of RFC 7638. */
  static const char expected[] = "DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0";
  char text[CM_THUMBPRINT_LEN + 1];
  cm_identity identity;

  (void)state;
  make(&identity);
  assert_int_equal(cm_identity_thumbprint(text, sizeof(text), &identity),
                   CM_THUMBPRINT_LEN);
  assert_string_equal(text, expected);
  assert_int_equal(cm_identity_thumbprint(text, sizeof(text) - 1, &identity),
                   CM_ERR_NOBUF);
}

static int no_randomness(void *user, uint8_t *dest, size_t len) {
  (void)user;
  memset(dest, 0xff, len);
  return 0;
}

static void test_generate(void **state) {
  const cm_random broken = {no_randomness, NULL};
  uint8_t zero[32] = {0};
  cm_identity a, b;

  (void)state;
  assert_int_equal(cm_identity_generate(&a, &cm_random_system), 0);
  assert_int_equal(cm_identity_generate(&b, &cm_random_system), 0);
  assert_memory_not_equal(&a, &b, sizeof(a));
  assert_int_equal(cm_identity_generate(&a, &broken), CM_ERR_RANDOM);
  assert_int_equal(cm_identity_from_scalar(&a, zero), CM_ERR_CRYPTO);
  memset(zero, 0xff, sizeof(zero));
  assert_int_equal(cm_identity_from_scalar(&a, zero), CM_ERR_CRYPTO);
  cm_identity_wipe(NULL);
}

static void test_backup(void **state) {
  char text[CM_IDENTITY_BACKUP_MAX], padded[2 * CM_IDENTITY_BACKUP_MAX];
  cm_identity identity, back;
  int len;

  (void)state;
  make(&identity);
  len = cm_identity_backup(text, sizeof(text), &identity);
  assert_int_equal(len, strlen(text));
  snprintf(padded, sizeof(padded), " \n%s\r\n", text);
  assert_int_equal(cm_identity_restore(&back, padded), 0);
  assert_memory_equal(&back, &identity, sizeof(back));
  /* A slip in any character is noticed. */
  for (int i = 0; i < len; i++) {
    char before = text[i];
    int rv;
    text[i] = before == 'A' ? 'B' : 'A';
    rv = cm_identity_restore(&back, text);
    assert_true(rv == CM_ERR_SIGNATURE || rv == CM_ERR_INVALID);
    text[i] = '\0';
    assert_int_equal(cm_identity_restore(&back, text), CM_ERR_INVALID);
    text[i] = before;
    assert_int_equal(cm_identity_backup(padded, (size_t)i, &identity),
                     CM_ERR_NOBUF);
  }
}

static void test_jws(void **state) {
  static const char payload[] = "{\"v\":1}";
  char jws[512], again[512], thumbprint[CM_THUMBPRINT_LEN + 1];
  char other[sizeof(thumbprint)];
  uint8_t dest[64];
  cm_identity identity, stranger;
  int len;

  (void)state;
  make(&identity);
  assert_int_equal(cm_identity_generate(&stranger, &cm_random_system), 0);
  (void)cm_identity_thumbprint(thumbprint, sizeof(thumbprint), &identity);
  (void)cm_identity_thumbprint(other, sizeof(other), &stranger);
  len = cm_jws_sign(jws, sizeof(jws), &identity, (const uint8_t *)payload, 7);
  assert_true(len > 0 && len <= CM_JWS_OVERHEAD + 10);
  assert_int_equal(len, strlen(jws));
  assert_int_equal(
      cm_jws_verify(dest, sizeof(dest), jws, (size_t)len, thumbprint), 7);
  assert_memory_equal(dest, payload, 7);
  assert_int_equal(cm_jws_verify(dest, 6, jws, (size_t)len, thumbprint),
                   CM_ERR_NOBUF);
  /* Another's. */
  assert_int_equal(cm_jws_verify(dest, sizeof(dest), jws, (size_t)len, other),
                   CM_ERR_SIGNATURE);
  /* Any character changed, any part missing. */
  for (int i = 0; i < len; i++) {
    char before = jws[i];
    int rv;
    jws[i] = before == 'A' ? 'B' : 'A';
    rv = cm_jws_verify(dest, sizeof(dest), jws, (size_t)len, thumbprint);
    assert_true(rv == CM_ERR_SIGNATURE || rv == CM_ERR_INVALID);
    jws[i] = before;
    rv = cm_jws_verify(dest, sizeof(dest), jws, (size_t)i, thumbprint);
    assert_true(rv == CM_ERR_SIGNATURE || rv == CM_ERR_INVALID);
    assert_int_equal(
        cm_jws_sign(again, (size_t)i, &identity, (const uint8_t *)payload, 7),
        CM_ERR_NOBUF);
  }
}

/* Headers that are not ours, with a signature that is good. */
static void test_jws_headers(void **state) {
  static const char *const formats[] = {
      "{\"alg\":\"none\",\"jwk\":{%s}}",
      "{\"alg\":\"HS256\",\"jwk\":{%s}}",
      "{\"jwk\":{%s}}",
      "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false,\"jwk\":{%s}}",
      "{\"alg\":\"ES256\",\"jwk\":[%s]}",
      "[]",
      "{\"alg\":\"ES256\",\"jwk\":{%s}}", /* This one is. */
  };
  const size_t n = sizeof(formats) / sizeof(formats[0]);
  char thumbprint[CM_THUMBPRINT_LEN + 1], x[44], y[44], members[160];
  cm_identity identity;

  (void)state;
  make(&identity);
  (void)cm_identity_thumbprint(thumbprint, sizeof(thumbprint), &identity);
  (void)cm_base64url_encode(x, sizeof(x), identity.x, 32);
  (void)cm_base64url_encode(y, sizeof(y), identity.y, 32);
  snprintf(members, sizeof(members),
           "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"", x, y);
  for (size_t i = 0; i < n; i++) {
    char header[300], jws[600];
    uint8_t signature[64], dest[16];
    int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(header, sizeof(header), formats[i], members);
#pragma GCC diagnostic pop
    len = cm_base64url_encode(jws, sizeof(jws), (const uint8_t *)header,
                              strlen(header));
    len += snprintf(jws + len, sizeof(jws) - (size_t)len, ".e30");
    assert_int_equal(
        cm_es256_sign(signature, &identity, (const uint8_t *)jws, (size_t)len),
        0);
    jws[len++] = '.';
    len += cm_base64url_encode(jws + len, sizeof(jws) - (size_t)len, signature,
                               64);
    assert_int_equal(
        cm_jws_verify(dest, sizeof(dest), jws, (size_t)len, thumbprint),
        i == n - 1 ? 2 : CM_ERR_INVALID);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rfc6979),     cmocka_unit_test(test_rfc7515),
      cmocka_unit_test(test_thumbprint),  cmocka_unit_test(test_generate),
      cmocka_unit_test(test_backup),      cmocka_unit_test(test_jws),
      cmocka_unit_test(test_jws_headers),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
