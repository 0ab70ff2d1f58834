/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/x509.h"

#include "certmgr/x509_view.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400)
#define NOT_BEFORE INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

static const char *const hosts[] = {"localhost", "127.0.0.1", "::1",
                                    "*.example.org"};
#define NHOSTS 4

/* --- randomness that a test decides about --------------------------------- */

/* Gives what is in |script|, then SHA-256(seed, counter) for ever; fails at
   draw number |fail_at|, counting from 1. */
typedef struct fixed_random {
  cm_random random;
  uint8_t seed;
  uint32_t counter;
  const uint8_t *script;
  size_t script_len;
  int fail_at;
  int draws;
} fixed_random;

static int fixed_fill(void *user, uint8_t *dest, size_t len) {
  fixed_random *f = user;

  if (++f->draws == f->fail_at) {
    /* A source that fails may have written before. */
    memset(dest, 0x55, len);
    return -1;
  }
  while (len > 0) {
    uint8_t in[5] = {f->seed, (uint8_t)(f->counter >> 24),
                     (uint8_t)(f->counter >> 16), (uint8_t)(f->counter >> 8),
                     (uint8_t)f->counter};
    uint8_t block[CM_HASH_LEN];
    size_t n = len < sizeof(block) ? len : sizeof(block);

    if (f->script_len > 0) {
      assert_true(f->script_len >= n);
      memcpy(block, f->script, n);
      f->script += n;
      f->script_len -= n;
    } else {
      f->counter++;
      if (wc_Sha256Hash(in, sizeof(in), block) != 0) {
        return -1;
      }
    }
    memcpy(dest, block, n);
    dest += n;
    len -= n;
  }
  return 0;
}

static fixed_random *fixed(fixed_random *f, uint8_t seed) {
  memset(f, 0, sizeof(*f));
  f->random = (cm_random){fixed_fill, f};
  f->seed = seed;
  return f;
}

static int mint(cm_certificate *cert, fixed_random *f) {
  return cm_x509_mint(cert, hosts, NHOSTS, NOT_BEFORE,
                      NOT_BEFORE + CM_VALIDITY_MAX, &f->random);
}

static void assert_wiped(const cm_certificate *cert) {
  const uint8_t *octets = (const uint8_t *)cert;

  for (size_t i = 0; i < sizeof(*cert); i++) {
    assert_int_equal(octets[i], 0);
  }
}

/* --- what comes out ------------------------------------------------------- */

static void check_hash(const cm_certificate *cert, const char *expected) {
  char hex[2 * CM_HASH_LEN + 1];

  for (size_t i = 0; i < CM_HASH_LEN; i++) {
    static const char digits[] = "0123456789abcdef";
    hex[2 * i] = digits[cert->sha256[i] >> 4];
    hex[2 * i + 1] = digits[cert->sha256[i] & 0xf];
  }
  hex[2 * CM_HASH_LEN] = '\0';
  assert_string_equal(hex, expected);
}

#define GOLDEN                                                                 \
  "b6da26a795e27a386eea99bf6ab00d82edce1ceaaef932770bbfa3b333e5ccce"
#define GOLDEN_2050                                                            \
  "2eea3f6db2e40ec117463bd67861babef53cad0aa65ae46632d27b7b92f3c629"

/* The same arguments give the same octets: on every platform, with every
   compiler, and with the pinned wolfSSL.  The certificates were looked at with
   another implementation when these hashes were written down. */
static void test_golden(void **state) {
  fixed_random f;
  cm_certificate cert;

  (void)state;
  assert_int_equal(mint(&cert, fixed(&f, 1)), 0);
  check_hash(&cert, GOLDEN);
  /* GeneralizedTime, and only one host. */
  assert_int_equal(cm_x509_mint(&cert, hosts, 1, INT64_C(2524607999),
                                INT64_C(2524607999) + 7 * DAY,
                                &fixed(&f, 2)->random),
                   0);
  check_hash(&cert, GOLDEN_2050);
}

/* wolfSSL's own decoder sees what was asked for. */
static void test_profile(void **state) {
  static const uint8_t localhost4[] = {127, 0, 0, 1};
  static const uint8_t localhost6[16] = {[15] = 1};
  DecodedCert *decoded = malloc(sizeof(*decoded));
  const DNS_entry *name;
  fixed_random f;
  cm_certificate cert;
  size_t names = 0;

  (void)state;
  assert_non_null(decoded);
  assert_int_equal(mint(&cert, fixed(&f, 3)), 0);
  assert_int_equal(cert.not_before, NOT_BEFORE);
  assert_int_equal(cert.not_after, NOT_BEFORE + CM_VALIDITY_MAX);

  wc_InitDecodedCert(decoded, cert.der, (word32)cert.der_len, NULL);
  assert_int_equal(wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL), 0);
  assert_int_equal(decoded->version, 2);
  assert_int_equal(decoded->serialSz, CM_SERIAL_LEN);
  assert_memory_equal(decoded->serial, cert.serial, CM_SERIAL_LEN);
  assert_int_equal(cert.serial[0] & 0x80, 0);
  assert_int_not_equal(cert.serial[0], 0);
  assert_int_equal(decoded->signatureOID, CTC_SHA256wECDSA);
  assert_int_equal(decoded->keyOID, ECDSAk);
  assert_int_equal(decoded->pkCurveOID, ECC_SECP256R1_OID);
  assert_int_equal(decoded->beforeDateLen, 15);
  assert_memory_equal(decoded->beforeDate,
                      "\x17\x0d"
                      "260101000000Z",
                      15);
  assert_int_equal(decoded->afterDateLen, 15);
  assert_memory_equal(decoded->afterDate,
                      "\x17\x0d"
                      "260114235959Z",
                      15);
  assert_true(decoded->extBasicConstSet);
  assert_false(decoded->isCA);
  assert_true(decoded->extKeyUsageSet);
  assert_true(decoded->extKeyUsageCrit);
  assert_int_equal(decoded->extKeyUsage, KEYUSE_DIGITAL_SIG);
  assert_true(decoded->extExtKeyUsageSet);
  assert_int_equal(decoded->extExtKeyUsage, EXTKEYUSE_SERVER_AUTH);
  assert_true(decoded->extSubjKeyIdSet);
  assert_int_equal(decoded->subjectCNLen, 9);
  assert_memory_equal(decoded->subjectCN, "Fortnight", 9);

  for (name = decoded->altNames; name != NULL; name = name->next) {
    names++;
    if (name->type == ASN_IP_TYPE && name->len == 4) {
      assert_memory_equal(name->name, localhost4, 4);
    } else if (name->type == ASN_IP_TYPE) {
      assert_int_equal(name->len, 16);
      assert_memory_equal(name->name, localhost6, 16);
    } else {
      assert_int_equal(name->type, ASN_DNS_TYPE);
      assert_true(strcmp(name->name, "localhost") == 0 ||
                  strcmp(name->name, "*.example.org") == 0);
    }
  }
  assert_int_equal(names, NHOSTS);
  wc_FreeDecodedCert(decoded);
  free(decoded);
}

static void test_generalized_time(void **state) {
  static const char date[] = "20500101000000Z";
  fixed_random f;
  cm_certificate cert;
  cm_x509_view view;
  int found = 0;

  (void)state;
  assert_int_equal(cm_x509_mint(&cert, hosts, 1, INT64_C(2524607999),
                                INT64_C(2524608000), &fixed(&f, 2)->random),
                   0);
  assert_int_equal(cm_x509_view_parse(&view, cert.der, cert.der_len), 0);
  assert_true(view.not_before == INT64_C(2524607999));
  assert_true(view.not_after == INT64_C(2524608000));
  for (size_t i = 0; i + sizeof(date) - 1 <= cert.der_len; i++) {
    found += memcmp(cert.der + i, date, sizeof(date) - 1) == 0;
  }
  assert_int_equal(found, 1);
}

/* A TLS server takes certificate and key, and finds that they belong
   together; a key of another certificate does not. */
static void test_loads_into_tls(void **state) {
  WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
  fixed_random f;
  cm_certificate cert, other;

  (void)state;
  assert_non_null(ctx);
  assert_int_equal(mint(&cert, fixed(&f, 4)), 0);
  assert_int_equal(mint(&other, fixed(&f, 5)), 0);
  assert_int_equal(wolfSSL_CTX_use_certificate_buffer(ctx, cert.der,
                                                      (long)cert.der_len,
                                                      WOLFSSL_FILETYPE_ASN1),
                   WOLFSSL_SUCCESS);
  assert_int_equal(wolfSSL_CTX_use_PrivateKey_buffer(ctx, cert.key_der,
                                                     (long)cert.key_der_len,
                                                     WOLFSSL_FILETYPE_ASN1),
                   WOLFSSL_SUCCESS);
  assert_int_equal(wolfSSL_CTX_check_private_key(ctx), WOLFSSL_SUCCESS);
  if (wolfSSL_CTX_use_PrivateKey_buffer(
          ctx, other.key_der, (long)other.key_der_len, WOLFSSL_FILETYPE_ASN1) ==
      WOLFSSL_SUCCESS) {
    assert_int_not_equal(wolfSSL_CTX_check_private_key(ctx), WOLFSSL_SUCCESS);
  }
  wolfSSL_CTX_free(ctx);
}

/* The hash is that of the whole certificate. */
static void test_hash(void **state) {
  fixed_random f;
  cm_certificate cert;
  uint8_t hash[CM_HASH_LEN];

  (void)state;
  assert_int_equal(mint(&cert, fixed(&f, 6)), 0);
  assert_int_equal(wc_Sha256Hash(cert.der, (word32)cert.der_len, hash), 0);
  assert_memory_equal(hash, cert.sha256, CM_HASH_LEN);
}

static void test_all_browsers_accept(void **state) {
  fixed_random f;
  cm_certificate cert;

  (void)state;
  assert_int_equal(mint(&cert, fixed(&f, 7)), 0);
  for (int b = 0; b < CM_BROWSER_COUNT; b++) {
    assert_int_equal(
        cm_x509_check(cert.der, cert.der_len, (cm_browser)b, NOT_BEFORE),
        CM_ACCEPTED);
    assert_int_equal(cm_x509_check(cert.der, cert.der_len, (cm_browser)b,
                                   cert.not_after - 1),
                     CM_ACCEPTED);
  }
}

/* With the system's randomness: no key, serial or hash comes twice. */
static void test_all_different(void **state) {
  enum { N = 32 };
  cm_certificate *certs = calloc(N, sizeof(*certs));

  (void)state;
  assert_non_null(certs);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(cm_x509_mint(&certs[i], hosts, NHOSTS, NOT_BEFORE,
                                  NOT_BEFORE + DAY, &cm_random_system),
                     0);
    for (size_t j = 0; j < i; j++) {
      assert_memory_not_equal(certs[i].serial, certs[j].serial, CM_SERIAL_LEN);
      assert_memory_not_equal(certs[i].sha256, certs[j].sha256, CM_HASH_LEN);
      assert_memory_not_equal(certs[i].key_der, certs[j].key_der,
                              certs[i].key_der_len);
    }
  }
  free(certs);
}

/* --- randomness ----------------------------------------------------------- */

#define OCTETS_32(x)                                                           \
  x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x,   \
      x, x, x, x, x, x, x

/* Scalars of 0, of the order of the curve and above are drawn again, and so
   are serials that would be shorter than 20 octets. */
static void test_draws_again(void **state) {
  static const uint8_t script[] = {
      OCTETS_32(0xff), OCTETS_32(0x00),
      /* the order */
      0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
      /* one less: good */
      0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x50,
      /* serials that begin with 0 and 0x80; then a good one */
      0x00, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
      0x80, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
      0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  static const uint8_t serial[CM_SERIAL_LEN] = {
      0x7f, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  fixed_random f;
  cm_certificate cert;
  int found = 0;

  (void)state;
  fixed(&f, 8);
  f.script = script;
  f.script_len = sizeof(script);
  assert_int_equal(mint(&cert, &f), 0);
  assert_int_equal(f.script_len, 0);
  assert_int_equal(f.draws, 7);
  assert_memory_equal(cert.serial, serial, CM_SERIAL_LEN);
  for (size_t i = 0; i + 32 <= cert.key_der_len; i++) {
    found += memcmp(cert.key_der + i, script + 96, 32) == 0;
  }
  assert_int_equal(found, 1);
}

static int fill_same(void *user, uint8_t *dest, size_t len) {
  memset(dest, *(const int *)user, len);
  return 0;
}

/* A source that is stuck is given up. */
static void test_stuck_source(void **state) {
  static int values[] = {0x00, 0xff};
  cm_certificate cert;

  (void)state;
  for (size_t i = 0; i < 2; i++) {
    cm_random stuck = {fill_same, &values[i]};
    memset(&cert, 0xaa, sizeof(cert));
    assert_int_equal(cm_x509_mint(&cert, hosts, NHOSTS, NOT_BEFORE,
                                  NOT_BEFORE + DAY, &stuck),
                     CM_ERR_RANDOM);
    assert_wiped(&cert);
  }
}

static void test_failing_source(void **state) {
  fixed_random f;
  cm_certificate cert;
  int draws;

  (void)state;
  assert_int_equal(mint(&cert, fixed(&f, 9)), 0);
  draws = f.draws;
  assert_int_equal(draws, 2);
  for (int i = 1; i <= draws; i++) {
    fixed(&f, 9);
    f.fail_at = i;
    memset(&cert, 0xaa, sizeof(cert));
    assert_int_equal(mint(&cert, &f), CM_ERR_RANDOM);
    assert_wiped(&cert);
  }
}

/* --- memory --------------------------------------------------------------- */

static int allocations_left;
static int allocations;

static void *failing_malloc(size_t size) {
  allocations++;
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *failing_realloc(void *p, size_t size) {
  allocations++;
  return allocations_left-- > 0 ? realloc(p, size) : NULL;
}

/* Each allocation of wolfSSL fails once. */
static void test_without_memory(void **state) {
  fixed_random f;
  cm_certificate cert;
  int n = 0, rv;

  (void)state;
  assert_int_equal(wolfSSL_SetAllocators(failing_malloc, free, failing_realloc),
                   0);
  do {
    allocations = 0;
    allocations_left = n++;
    memset(&cert, 0xaa, sizeof(cert));
    rv = mint(&cert, fixed(&f, 1));
    if (rv != 0) {
      assert_true(rv == CM_ERR_CRYPTO || rv == CM_ERR_SELF_CHECK);
      assert_wiped(&cert);
    }
    assert_true(n < 1000);
  } while (allocations >= n);
  assert_int_equal(wolfSSL_SetAllocators(malloc, free, realloc), 0);
  assert_int_equal(rv, 0);
  assert_true(n > 1);
  check_hash(&cert, GOLDEN);
}

/* --- arguments ------------------------------------------------------------ */

static int mint_for(const char *const *names, size_t n) {
  fixed_random f;
  cm_certificate cert;
  int rv;

  memset(&cert, 0xaa, sizeof(cert));
  rv = cm_x509_mint(&cert, names, n, NOT_BEFORE, NOT_BEFORE + DAY,
                    &fixed(&f, 10)->random);
  if (rv != 0) {
    assert_wiped(&cert);
    /* Nothing was drawn for a certificate that cannot be. */
    assert_int_equal(f.draws, rv == CM_ERR_NOBUF ? f.draws : 0);
  }
  return rv;
}

static void test_hosts(void **state) {
  const char *many[CM_HOSTS_MAX + 1];
  const char *bad[] = {"localhost", "not a host"};
  const char *null[] = {"localhost", NULL};
  char name[200];

  (void)state;
  for (size_t i = 0; i <= CM_HOSTS_MAX; i++) {
    many[i] = "host.example";
  }
  assert_int_equal(mint_for(many, 0), CM_ERR_HOST_COUNT);
  assert_int_equal(mint_for(many, 1), 0);
  assert_int_equal(mint_for(many, CM_HOSTS_MAX), 0);
  assert_int_equal(mint_for(many, CM_HOSTS_MAX + 1), CM_ERR_HOST_COUNT);
  assert_int_equal(mint_for(many, SIZE_MAX), CM_ERR_HOST_COUNT);
  assert_int_equal(mint_for(bad, 2), CM_ERR_HOST);
  assert_int_equal(mint_for(null, 2), CM_ERR_HOST);

  /* Long names: each form of a length, up to where the room ends. */
  memset(name, 'a', sizeof(name));
  for (size_t i = 50; i < sizeof(name); i += 51) {
    name[i] = '.';
  }
  name[sizeof(name) - 2] = 'b';
  name[sizeof(name) - 1] = '\0';
  for (size_t n = 1; n <= CM_HOSTS_MAX; n++) {
    for (size_t i = 0; i < n; i++) {
      many[i] = name;
    }
    assert_int_equal(mint_for(many, n), n <= 8 ? 0 : CM_ERR_NOBUF);
  }
}

/* Every length of the SAN around the places where its head grows. */
static void test_san_lengths(void **state) {
  char name[CM_CERTIFICATE_MAX];

  (void)state;
  for (size_t len = 1; len <= 253; len++) {
    const char *one[] = {name, "::1"};
    memset(name, 'a', len);
    for (size_t i = 40; i + 1 < len; i += 41) {
      name[i] = '.';
    }
    name[len] = '\0';
    assert_int_equal(mint_for(one, 2), 0);
  }
}

static void test_check_host(void **state) {
  (void)state;
  assert_int_equal(cm_x509_check_host("example.org"), 0);
  assert_int_equal(cm_x509_check_host("*.example.org"), 0);
  assert_int_equal(cm_x509_check_host("[::1]"), CM_ERR_HOST);
}

static void test_validity(void **state) {
  static const struct {
    int64_t not_before, not_after;
    int rv;
  } cases[] = {
      {NOT_BEFORE, NOT_BEFORE + CM_VALIDITY_MAX, 0},
      {NOT_BEFORE, NOT_BEFORE + CM_VALIDITY_MAX + 1, CM_ERR_VALIDITY},
      {NOT_BEFORE, NOT_BEFORE + 1, 0},
      {NOT_BEFORE, NOT_BEFORE, CM_ERR_VALIDITY},
      {NOT_BEFORE, NOT_BEFORE - 1, CM_ERR_VALIDITY},
      {0, CM_VALIDITY_MAX, 0},
      {-1, 1, CM_ERR_VALIDITY},
      {INT64_MIN, INT64_MAX, CM_ERR_VALIDITY},
      {INT64_MAX - 1, INT64_MAX, CM_ERR_VALIDITY},
      {INT64_C(253402300798), INT64_C(253402300799), 0},
      {INT64_C(253402300799), INT64_C(253402300800), CM_ERR_VALIDITY},
  };

  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    fixed_random f;
    cm_certificate cert;

    memset(&cert, 0xaa, sizeof(cert));
    assert_int_equal(cm_x509_mint(&cert, hosts, NHOSTS, cases[i].not_before,
                                  cases[i].not_after, &fixed(&f, 11)->random),
                     cases[i].rv);
    if (cases[i].rv != 0) {
      assert_wiped(&cert);
    }
  }
}

static void test_null_arguments(void **state) {
  cm_random none = {NULL, NULL};
  cm_certificate cert;

  (void)state;
  assert_int_equal(cm_x509_mint(NULL, hosts, 1, 0, DAY, &cm_random_system),
                   CM_ERR_INVALID);
  assert_int_equal(cm_x509_mint(&cert, NULL, 1, 0, DAY, &cm_random_system),
                   CM_ERR_INVALID);
  assert_int_equal(cm_x509_mint(&cert, hosts, 1, 0, DAY, NULL), CM_ERR_INVALID);
  assert_int_equal(cm_x509_mint(&cert, hosts, 1, 0, DAY, &none),
                   CM_ERR_INVALID);
  cm_certificate_wipe(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_profile),
      cmocka_unit_test(test_generalized_time),
      cmocka_unit_test(test_loads_into_tls),
      cmocka_unit_test(test_hash),
      cmocka_unit_test(test_all_browsers_accept),
      cmocka_unit_test(test_all_different),
      cmocka_unit_test(test_draws_again),
      cmocka_unit_test(test_stuck_source),
      cmocka_unit_test(test_failing_source),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_hosts),
      cmocka_unit_test(test_san_lengths),
      cmocka_unit_test(test_check_host),
      cmocka_unit_test(test_validity),
      cmocka_unit_test(test_null_arguments),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
