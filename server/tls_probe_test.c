/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls_probe.h"

#include "tests/sim/check.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <stdlib.h>

#define NOT_BEFORE INT64_C(1795300000)
#define MINTS 40

static cm_certificate certificates[2];
static sim_random source;
static const cm_random random_of_test = {sim_random_fill_user, &source};

/* wolfSSL's memory.  While |armed|, the allocation number |fail_at| fails. */
static struct {
  int armed;
  size_t count, fail_at, live;
} memory;

static int gives_out(void) {
  return memory.armed && memory.count++ == memory.fail_at;
}

static void *scarce_malloc(size_t size) {
  void *ptr = gives_out() ? NULL : malloc(size);

  memory.live += ptr != NULL;
  return ptr;
}

static void scarce_free(void *ptr) {
  memory.live -= ptr != NULL;
  free(ptr);
}

static void *scarce_realloc(void *old, size_t size) {
  void *ptr = gives_out() ? NULL : realloc(old, size);

  memory.live += ptr != NULL && old == NULL;
  return ptr;
}

static int set_up(void **state) {
  static const char *const hosts[] = {"localhost"};
  int i;

  (void)state;
  sim_random_seed(&source, 6);
  if (wolfSSL_SetAllocators(scarce_malloc, scarce_free, scarce_realloc) != 0 ||
      tls_startup() != 0) {
    return -1;
  }
  for (i = 0; i < 2; ++i) {
    if (cm_x509_mint(&certificates[i], hosts, 1, NOT_BEFORE,
                     NOT_BEFORE + CM_VALIDITY_MAX, &random_of_test) != 0) {
      return -1;
    }
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  tls_cleanup();
  return 0;
}

static tls_context *context_of(int i, const char *alpn,
                               tls_cipher_preference prefer) {
  const tls_config config = {.alpn = alpn, .prefer = prefer};
  tls_context *context;

  assert_int_equal(tls_context_new(&context, &certificates[i], &config), 0);
  return context;
}

static void test_proves(void **state) {
  static const char *const alpn[] = {"h3,echo", "h3", "echo"};
  size_t i, before = memory.live;
  int j;

  (void)state;
  for (i = 0; i < 6; ++i) {
    tls_context *context =
        context_of((int)i % 2, alpn[i % 3],
                   i < 3 ? TLS_PREFER_AES_GCM : TLS_PREFER_CHACHA20_POLY1305);

    assert_string_equal(tls_context_alpn(context), alpn[i % 3]);
    assert_memory_equal(tls_context_certificate_hash(context),
                        certificates[i % 2].sha256, CM_HASH_LEN);
    for (j = 0; j < 3; ++j) {
      assert_int_equal(tls_context_probe(context, certificates[i % 2].sha256),
                       0);
    }
    tls_context_unref(context);
  }
  assert_int_equal(memory.live, before);
}

/* What P-256 leaves in the registers, X25519 must not take up. */
static void test_after_each_mint(void **state) {
  static const char *const hosts[] = {"localhost"};
  tls_config config = {.alpn = "h3"};
  int i;

  (void)state;
  for (i = 0; i < MINTS; ++i) {
    cm_certificate certificate;
    tls_context *context;

    assert_int_equal(cm_x509_mint(&certificate, hosts, 1, NOT_BEFORE,
                                  NOT_BEFORE + CM_VALIDITY_MAX,
                                  &random_of_test),
                     0);
    assert_int_equal(tls_context_new(&context, &certificate, &config), 0);
    assert_int_equal(tls_context_probe(context, certificate.sha256), 0);
    tls_context_unref(context);
    cm_certificate_wipe(&certificate);
  }
}

static void test_other_certificate(void **state) {
  tls_context *context = context_of(0, "h3,echo", TLS_PREFER_AES_GCM);
  uint8_t wrong[CM_HASH_LEN];
  size_t i, before = memory.live;

  (void)state;
  assert_int_equal(tls_context_probe(context, certificates[1].sha256),
                   TLS_ERR_REFUSED);
  for (i = 0; i < CM_HASH_LEN; ++i) {
    memcpy(wrong, certificates[0].sha256, CM_HASH_LEN);
    wrong[i] ^= 1;
    assert_int_equal(tls_context_probe(context, wrong), TLS_ERR_REFUSED);
  }
  assert_int_equal(memory.live, before);
  /* A refusal leaves nothing behind. */
  assert_int_equal(tls_context_probe(context, certificates[0].sha256), 0);
  tls_context_unref(context);
}

/* The wolfSSL context inside. */
static WOLFSSL_CTX *inside(tls_context *context) {
  tls_session *session;
  WOLFSSL_CTX *ctx;
  int ref;

  assert_int_equal(tls_session_new(&session, context, &ref), 0);
  ctx = wolfSSL_get_SSL_CTX(tls_session_native_handle(session));
  tls_session_free(session);
  return ctx;
}

/* The right certificate, and a signature by another key. */
static void test_other_key(void **state) {
  const tls_config config = {.alpn = "h3,echo"};
  cm_certificate wrong = certificates[0];
  tls_context *context;
  size_t before;

  (void)state;
  memcpy(wrong.key_der, certificates[1].key_der, sizeof(wrong.key_der));
  wrong.key_der_len = certificates[1].key_der_len;
  assert_int_equal(tls_context_new(&context, &wrong, &config), 0);
  before = memory.live;
  assert_int_equal(tls_context_probe(context, wrong.sha256), TLS_ERR_REFUSED);
  assert_int_equal(memory.live, before);
  tls_context_unref(context);
}

/* Nothing that the client could agree to. */
static void test_no_common_cipher(void **state) {
  tls_context *context = context_of(0, "h3,echo", TLS_PREFER_AES_GCM);
  int group = WOLFSSL_FFDHE_2048;

  (void)state;
  assert_int_equal(wolfSSL_CTX_set_groups(inside(context), &group, 1),
                   WOLFSSL_SUCCESS);
  assert_int_equal(tls_context_probe(context, certificates[0].sha256),
                   TLS_ERR_HANDSHAKE);
  tls_context_unref(context);
}

/* Another of our groups is asked for: a round trip more. */
static void test_hello_retry_request(void **state) {
  tls_context *context = context_of(0, "h3,echo", TLS_PREFER_AES_GCM);
  int group = WOLFSSL_ECC_SECP256R1;

  (void)state;
  assert_int_equal(wolfSSL_CTX_set_groups(inside(context), &group, 1),
                   WOLFSSL_SUCCESS);
  assert_int_equal(tls_context_probe(context, certificates[0].sha256), 0);
  tls_context_unref(context);
}

/* Each allocation fails in turn: it is never the certificate's fault, nothing
   is lost, and the context is as good as before. */
static void test_each_allocation(void **state) {
  tls_context *context = context_of(0, "h3,echo", TLS_PREFER_AES_GCM);
  size_t before = memory.live, fail_at, nfailed = 0;
  int rv;

  (void)state;
  for (fail_at = 0;; ++fail_at) {
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.armed = 1;
    rv = tls_context_probe(context, certificates[0].sha256);
    memory.armed = 0;
    assert_int_equal(memory.live, before);
    if (memory.count <= fail_at) {
      assert_int_equal(rv, 0);
      break;
    }
    assert_true(rv == 0 || rv == TLS_ERR_NOMEM || rv == TLS_ERR_HANDSHAKE);
    nfailed += rv != 0;
  }
  assert_true(nfailed > 50);
  assert_int_equal(tls_context_probe(context, certificates[0].sha256), 0);
  tls_context_unref(context);
}

/* The same for the making of a context. */
static void test_each_allocation_of_new(void **state) {
  const tls_config config = {.alpn = "h3,echo"};
  size_t before, fail_at;
  tls_context *context;
  int rv;

  (void)state;
  wolfSSL_ERR_clear_error();
  before = memory.live;
  for (fail_at = 0;; ++fail_at) {
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.armed = 1;
    rv = tls_context_new(&context, &certificates[0], &config);
    memory.armed = 0;
    if (rv == 0) {
      tls_context_unref(context);
    }
    wolfSSL_ERR_clear_error();
    assert_int_equal(memory.live, before);
    if (memory.count <= fail_at) {
      assert_int_equal(rv, 0);
      break;
    }
    assert_true(rv == 0 || rv == TLS_ERR_NOMEM);
  }
  assert_true(fail_at > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_proves),
      cmocka_unit_test(test_after_each_mint),
      cmocka_unit_test(test_other_certificate),
      cmocka_unit_test(test_other_key),
      cmocka_unit_test(test_no_common_cipher),
      cmocka_unit_test(test_hello_retry_request),
      cmocka_unit_test(test_each_allocation),
      cmocka_unit_test(test_each_allocation_of_new),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
