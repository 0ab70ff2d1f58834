/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of every kind that the rules tell apart are put together here,
 * octet by octet: most of them could not be minted.  Their signatures are not
 * signatures; no browser looks at those either, the hash stands for them.
 */
#include "certmgr/x509.h"

#include "certmgr/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400)
#define NOT_BEFORE INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

/* --- a writer for DER ----------------------------------------------------- */

typedef struct writer {
  uint8_t octets[1500];
  size_t len;
} writer;

static void put(writer *w, const void *octets, size_t len) {
  assert_true(len <= sizeof(w->octets) - w->len);
  memcpy(w->octets + w->len, octets, len);
  w->len += len;
}

static void put_tlv(writer *w, uint8_t tag, const void *contents, size_t len) {
  uint8_t head[4] = {tag, (uint8_t)len};
  size_t n = 2;

  if (len >= 0x80) {
    head[1] = 0x82;
    head[2] = (uint8_t)(len >> 8);
    head[3] = (uint8_t)len;
    n = 4;
    if (len < 0x100) {
      head[1] = 0x81;
      head[2] = (uint8_t)len;
      n = 3;
    }
  }
  put(w, head, n);
  if (len > 0) {
    put(w, contents, len);
  }
}

static void put_inner(writer *w, uint8_t tag, const writer *inner) {
  put_tlv(w, tag, inner->octets, inner->len);
}

#define PUT_LITERAL(w, literal) put(w, literal, sizeof(literal) - 1)

typedef enum key {
  P256,
  P384,
  P521,
  SECP256K1,
  EXPLICIT_CURVE,
  RSA,
  RSA_PSS,
  ED25519,
  X25519
} key;

/* 0 in each is the safe profile, but without a SAN. */
typedef struct spec {
  /* 14 days less one second, plus this. */
  int64_t extra_validity;
  /* X.509 v1 and v2 write themselves as 1 and 2. */
  int version;
  key key;
  int no_extensions;
  int no_key_usage;
  /* keyAgreement instead of digitalSignature. */
  int key_agreement;
  int san;
  int no_subject;
  /* Something behind the number of the version. */
  int version_junk;
  uint8_t serial;
} spec;

static void put_name(writer *w, int empty) {
  if (empty) {
    put_tlv(w, CM_DER_SEQUENCE, NULL, 0);
  } else {
    PUT_LITERAL(w, "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x");
  }
}

static void put_key(writer *w, key kind) {
  static const uint8_t bits[133];
  writer info = {.len = 0};
  size_t len = 66;

  switch (kind) {
  case P256:
    PUT_LITERAL(&info, "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
    break;
  case P384:
    PUT_LITERAL(&info, "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                       "\x06\x05\x2b\x81\x04\x00\x22");
    len = 98;
    break;
  case P521:
    PUT_LITERAL(&info, "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                       "\x06\x05\x2b\x81\x04\x00\x23");
    len = 133;
    break;
  case SECP256K1:
    PUT_LITERAL(&info, "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                       "\x06\x05\x2b\x81\x04\x00\x0a");
    break;
  case EXPLICIT_CURVE:
    PUT_LITERAL(&info, "\x30\x0b\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
                       "\x30\x00");
    break;
  case RSA:
    PUT_LITERAL(&info, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
                       "\x05\x00");
    break;
  case RSA_PSS:
    PUT_LITERAL(&info, "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");
    break;
  case ED25519:
    PUT_LITERAL(&info, "\x30\x05\x06\x03\x2b\x65\x70");
    len = 33;
    break;
  case X25519:
    PUT_LITERAL(&info, "\x30\x05\x06\x03\x2b\x65\x6e");
    len = 33;
    break;
  }
  put_tlv(&info, CM_DER_BIT_STRING, bits, len);
  put_inner(w, CM_DER_SEQUENCE, &info);
}

static void put_extensions(writer *w, const spec *s) {
  writer list = {.len = 0}, seq = {.len = 0};

  /* CA=false */
  PUT_LITERAL(&list,
              "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00");
  if (!s->no_key_usage && s->key_agreement) {
    PUT_LITERAL(&list, "\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff"
                       "\x04\x04\x03\x02\x03\x08");
  } else if (!s->no_key_usage) {
    PUT_LITERAL(&list, "\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff"
                       "\x04\x04\x03\x02\x07\x80");
  }
  if (s->san) {
    PUT_LITERAL(&list, "\x30\x18\x06\x03\x55\x1d\x11\x04\x11\x30\x0f\x82\x0d"
                       "other.example");
  }
  put_inner(&seq, CM_DER_SEQUENCE, &list);
  put_inner(w, CM_DER_CONTEXT(3), &seq);
}

static void make(writer *certificate, const spec *s) {
  static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03"
                                  "\x02";
  static const uint8_t signature[71];
  writer tbs = {.len = 0}, dates = {.len = 0}, whole = {.len = 0};
  uint8_t date[CM_DER_TIME_MAX], serial[] = {0x11, s->serial};

  if (s->version_junk) {
    PUT_LITERAL(&tbs, "\xa0\x05\x02\x01\x02\x05\x00");
  } else if (s->version != 1) {
    PUT_LITERAL(&tbs, "\xa0\x03\x02\x01");
    put(&tbs, s->version == 2 ? "\x01" : "\x02", 1);
  }
  put_tlv(&tbs, CM_DER_INTEGER, serial, sizeof(serial));
  PUT_LITERAL(&tbs, algorithm);
  put_name(&tbs, s->no_subject);
  put(&dates, date, cm_der_put_time(date, NOT_BEFORE));
  put(&dates, date,
      cm_der_put_time(date, NOT_BEFORE + CM_VALIDITY_MAX + s->extra_validity));
  put_inner(&tbs, CM_DER_SEQUENCE, &dates);
  put_name(&tbs, s->no_subject);
  put_key(&tbs, s->key);
  if (!s->no_extensions) {
    put_extensions(&tbs, s);
  }
  put_inner(&whole, CM_DER_SEQUENCE, &tbs);
  PUT_LITERAL(&whole, algorithm);
  put_tlv(&whole, CM_DER_BIT_STRING, signature, sizeof(signature));
  certificate->len = 0;
  put_inner(certificate, CM_DER_SEQUENCE, &whole);
}

/* --- the table of rules --------------------------------------------------- */

static void check(const spec *s, int64_t now, cm_refusal chromium,
                  cm_refusal firefox, cm_refusal safari) {
  writer w;

  make(&w, s);
  assert_int_equal(cm_x509_check(w.octets, w.len, CM_BROWSER_CHROMIUM, now),
                   chromium);
  assert_int_equal(cm_x509_check(w.octets, w.len, CM_BROWSER_FIREFOX, now),
                   firefox);
  assert_int_equal(cm_x509_check(w.octets, w.len, CM_BROWSER_SAFARI, now),
                   safari);
}

#define ALL(refusal) refusal, refusal, refusal
#define NOW (NOT_BEFORE + DAY)

static void test_accepted(void **state) {
  (void)state;
  check(&(spec){0}, NOW, ALL(CM_ACCEPTED));
  check(&(spec){.san = 1}, NOW, ALL(CM_ACCEPTED));
  check(&(spec){.no_subject = 1}, NOW, ALL(CM_ACCEPTED));
  check(&(spec){.no_key_usage = 1}, NOW, ALL(CM_ACCEPTED));
  check(&(spec){.extra_validity = -DAY}, NOW, ALL(CM_ACCEPTED));
}

static void test_validity(void **state) {
  (void)state;
  /* 14 days; 14 days and 1 second; and 2 seconds; a year. */
  check(&(spec){.extra_validity = 1}, NOW, ALL(CM_ACCEPTED));
  check(&(spec){.extra_validity = 2}, NOW, CM_ACCEPTED, CM_REFUSED_TOO_LONG,
        CM_REFUSED_TOO_LONG);
  check(&(spec){.extra_validity = 3}, NOW, ALL(CM_REFUSED_TOO_LONG));
  check(&(spec){.extra_validity = 351 * DAY}, NOW, ALL(CM_REFUSED_TOO_LONG));
  /* notAfter equal to, and before notBefore. */
  check(&(spec){.extra_validity = -CM_VALIDITY_MAX}, NOW,
        ALL(CM_REFUSED_DATES));
  check(&(spec){.extra_validity = -CM_VALIDITY_MAX - 1}, NOW,
        ALL(CM_REFUSED_DATES));
  check(&(spec){.extra_validity = -365 * DAY}, NOW, ALL(CM_REFUSED_DATES));
}

static void test_now(void **state) {
  int64_t not_after = NOT_BEFORE + CM_VALIDITY_MAX;

  (void)state;
  check(&(spec){0}, NOT_BEFORE - 1, ALL(CM_REFUSED_NOT_YET_VALID));
  check(&(spec){0}, NOT_BEFORE, ALL(CM_ACCEPTED));
  check(&(spec){0}, not_after - 1, ALL(CM_ACCEPTED));
  check(&(spec){0}, not_after, CM_REFUSED_EXPIRED, CM_ACCEPTED,
        CM_REFUSED_EXPIRED);
  check(&(spec){0}, not_after + 1, ALL(CM_REFUSED_EXPIRED));
  check(&(spec){0}, INT64_MIN, ALL(CM_REFUSED_NOT_YET_VALID));
  check(&(spec){0}, INT64_MAX, ALL(CM_REFUSED_EXPIRED));
}

static void test_keys(void **state) {
  (void)state;
  check(&(spec){.key = P384}, NOW, CM_ACCEPTED, CM_ACCEPTED, CM_REFUSED_CURVE);
  check(&(spec){.key = P521}, NOW, CM_REFUSED_CURVE, CM_ACCEPTED,
        CM_REFUSED_CURVE);
  check(&(spec){.key = SECP256K1}, NOW, ALL(CM_REFUSED_CURVE));
  check(&(spec){.key = EXPLICIT_CURVE}, NOW, ALL(CM_REFUSED_CURVE));
  check(&(spec){.key = RSA}, NOW, ALL(CM_REFUSED_RSA));
  check(&(spec){.key = RSA_PSS}, NOW, ALL(CM_REFUSED_RSA));
  check(&(spec){.key = ED25519}, NOW, ALL(CM_REFUSED_KEY_TYPE));
  check(&(spec){.key = X25519}, NOW, ALL(CM_REFUSED_KEY_TYPE));
}

static void test_version_and_extensions(void **state) {
  (void)state;
  check(&(spec){.version = 1, .no_extensions = 1}, NOW,
        ALL(CM_REFUSED_VERSION));
  check(&(spec){.version = 2, .no_extensions = 1}, NOW,
        ALL(CM_REFUSED_VERSION));
  check(&(spec){.no_extensions = 1}, NOW, ALL(CM_REFUSED_NO_EXTENSIONS));
}

static void test_version_junk(void **state) {
  (void)state;
  check(&(spec){.version_junk = 1}, NOW, ALL(CM_REFUSED_MALFORMED));
}

static void test_key_usage(void **state) {
  (void)state;
  check(&(spec){.key_agreement = 1}, NOW, CM_REFUSED_KEY_USAGE, CM_ACCEPTED,
        CM_REFUSED_KEY_USAGE);
}

static void test_serial_reused(void **state) {
  writer a, b, other_serial, other_issuer;

  (void)state;
  make(&a, &(spec){.serial = 1});
  make(&b, &(spec){.serial = 1, .san = 1});
  make(&other_serial, &(spec){.serial = 2});
  make(&other_issuer, &(spec){.serial = 1, .no_subject = 1});
  assert_int_equal(cm_x509_check_reuse(b.octets, b.len, a.octets, a.len,
                                       CM_BROWSER_CHROMIUM),
                   CM_ACCEPTED);
  assert_int_equal(
      cm_x509_check_reuse(b.octets, b.len, a.octets, a.len, CM_BROWSER_FIREFOX),
      CM_REFUSED_SERIAL_REUSED);
  assert_int_equal(
      cm_x509_check_reuse(a.octets, a.len, a.octets, a.len, CM_BROWSER_FIREFOX),
      CM_ACCEPTED);
  assert_int_equal(cm_x509_check_reuse(other_serial.octets, other_serial.len,
                                       a.octets, a.len, CM_BROWSER_FIREFOX),
                   CM_ACCEPTED);
  assert_int_equal(cm_x509_check_reuse(other_issuer.octets, other_issuer.len,
                                       a.octets, a.len, CM_BROWSER_FIREFOX),
                   CM_ACCEPTED);
  assert_int_equal(cm_x509_check_reuse(a.octets, a.len, b.octets, b.len - 1,
                                       CM_BROWSER_FIREFOX),
                   CM_REFUSED_MALFORMED);
}

/* --- whatever comes ------------------------------------------------------- */

/* Checks a copy on the heap, so that a sanitizer sees a step too far. */
static cm_refusal check_copy(const uint8_t *octets, size_t len) {
  uint8_t *copy = malloc(len > 0 ? len : 1);
  cm_refusal refusal;

  assert_non_null(copy);
  if (len > 0) {
    memcpy(copy, octets, len);
  }
  refusal = cm_x509_check(copy, len, CM_BROWSER_FIREFOX, NOW);
  assert_in_range(refusal, 0, CM_REFUSAL_COUNT - 1);
  free(copy);
  return refusal;
}

static void test_truncated(void **state) {
  writer w;

  (void)state;
  make(&w, &(spec){.san = 1});
  assert_int_equal(check_copy(w.octets, w.len), CM_ACCEPTED);
  for (size_t len = 0; len < w.len; len++) {
    assert_int_equal(check_copy(w.octets, len), CM_REFUSED_MALFORMED);
  }
  put(&w, "\0", 1);
  assert_int_equal(check_copy(w.octets, w.len), CM_REFUSED_MALFORMED);
}

/* Each octet takes each value: none of them may be read amiss, and of the
   elements' tags and lengths none may be taken as good. */
static void test_mutated(void **state) {
  size_t malformed = 0;
  writer w;

  (void)state;
  make(&w, &(spec){.san = 1});
  for (size_t i = 0; i < w.len; i++) {
    uint8_t original = w.octets[i];
    for (int value = 0; value < 256; value++) {
      w.octets[i] = (uint8_t)value;
      malformed += check_copy(w.octets, w.len) == CM_REFUSED_MALFORMED;
    }
    w.octets[i] = original;
  }
  assert_true(malformed > 10000);
}

static void test_random_octets(void **state) {
  uint32_t random = 1;
  uint8_t octets[200];

  (void)state;
  for (int i = 0; i < 20000; i++) {
    for (size_t j = 0; j < sizeof(octets); j++) {
      random = random * 1664525 + 1013904223;
      octets[j] = (uint8_t)(random >> 24);
    }
    octets[0] = CM_DER_SEQUENCE;
    octets[1] = 0x81;
    octets[2] = sizeof(octets) - 3;
    assert_int_equal(check_copy(octets, sizeof(octets)), CM_REFUSED_MALFORMED);
  }
}

/* Small things that are not DER, or not X.509. */
static void test_malformed(void **state) {
  static const struct {
    const char *find;
    size_t find_len;
    const char *replace;
  } cases[] = {
      /* version 4 */
      {"\xa0\x03\x02\x01\x02", 5, "\xa0\x03\x02\x01\x03"},
      /* critical = FALSE written out, and TRUE as 1 */
      {"\x55\x1d\x0f\x01\x01\xff", 6, "\x55\x1d\x0f\x01\x01\x00"},
      {"\x55\x1d\x0f\x01\x01\xff", 6, "\x55\x1d\x0f\x01\x01\x01"},
      /* keyUsage with 8 unused bits, and twice keyUsage */
      {"\x04\x04\x03\x02\x07\x80", 6, "\x04\x04\x03\x02\x08\x80"},
      {"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00", 12,
       "\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x31\x00"},
      /* a serial with a needless leading zero */
      {"\x02\x02\x11\x00", 4, "\x02\x02\x00\x11"},
      /* a month 13 */
      {"260101000000Z", 13, "261301000000Z"},
      /* the two signature algorithms differ */
      {"\x04\x03\x02\x30\x0c", 5, "\x04\x03\x03\x30\x0c"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t len = cases[i].find_len, at = 0;
    writer w;

    make(&w, &(spec){0});
    while (memcmp(w.octets + at, cases[i].find, len) != 0) {
      at++;
      assert_true(at + len <= w.len);
    }
    memcpy(w.octets + at, cases[i].replace, len);
    assert_int_equal(check_copy(w.octets, w.len), CM_REFUSED_MALFORMED);
  }
}

/* --- texts ---------------------------------------------------------------- */

static void test_texts(void **state) {
  (void)state;
  for (int b = 0; b < CM_BROWSER_COUNT; b++) {
    for (int r = 0; r < CM_REFUSAL_COUNT; r++) {
      const char *text = cm_refusal_text((cm_refusal)r, (cm_browser)b);
      assert_true(strlen(text) > 5);
      for (int other = 0; other < r; other++) {
        assert_string_not_equal(
            text, cm_refusal_text((cm_refusal)other, (cm_browser)b));
      }
    }
  }
  assert_string_equal(
      cm_refusal_text((cm_refusal)CM_REFUSAL_COUNT, CM_BROWSER_SAFARI), "?");
  assert_string_equal(cm_browser_name(CM_BROWSER_CHROMIUM), "Chromium");
  assert_string_equal(cm_browser_name(CM_BROWSER_FIREFOX), "Firefox");
  assert_string_equal(cm_browser_name(CM_BROWSER_SAFARI), "Safari");
  assert_string_equal(cm_browser_name((cm_browser)CM_BROWSER_COUNT), "?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted),
      cmocka_unit_test(test_validity),
      cmocka_unit_test(test_now),
      cmocka_unit_test(test_keys),
      cmocka_unit_test(test_version_and_extensions),
      cmocka_unit_test(test_version_junk),
      cmocka_unit_test(test_key_usage),
      cmocka_unit_test(test_serial_reused),
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_mutated),
      cmocka_unit_test(test_random_octets),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_texts),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
