/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls.h"

#include "tests/sim/check.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define NOT_BEFORE INT64_C(1795300000)

static cm_certificate certificates[2];
static sim_random source;
static const cm_random random_of_test = {sim_random_fill_user, &source};
static const tls_config plain = {.alpn = "h3,echo"};

static int set_up(void **state) {
  static const char *const hosts[] = {"localhost"};
  int i;

  (void)state;
  sim_random_seed(&source, 5);
  if (tls_startup() != 0) {
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

static void test_context(void **state) {
  static const tls_cipher_preference prefer[] = {TLS_PREFER_AES_GCM,
                                                 TLS_PREFER_CHACHA20_POLY1305};
  tls_context *context;
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    const tls_config config = {.alpn = "h3", .prefer = prefer[i]};

    assert_int_equal(tls_context_new(&context, &certificates[i], &config), 0);
    assert_non_null(context);
    tls_context_unref(context);
  }
  tls_context_unref(NULL);
  tls_session_free(NULL);
}

static void check_refused(const cm_certificate *certificate,
                          const tls_config *config) {
  tls_context *context = (tls_context *)(void *)&source;

  assert_int_equal(tls_context_new(&context, certificate, config),
                   TLS_ERR_REFUSED);
  assert_null(context);
}

static void test_broken_certificates(void **state) {
  cm_certificate broken;
  size_t len;

  (void)state;
  for (len = 0; len < certificates[0].key_der_len; len += 11) {
    broken = certificates[0];
    broken.key_der_len = len;
    check_refused(&broken, &plain);
  }
  for (len = 0; len < certificates[0].der_len; len += 29) {
    broken = certificates[0];
    broken.der_len = len;
    check_refused(&broken, &plain);
  }
  broken = certificates[0];
  memset(broken.key_der, 0, sizeof(broken.key_der));
  check_refused(&broken, &plain);
}

static void test_length_of_alpn(void **state) {
  char alpn[65];
  const tls_config config = {.alpn = alpn};
  tls_context *context;

  (void)state;
  memset(alpn, 'a', sizeof(alpn));
  alpn[64] = '\0';
  check_refused(&certificates[0], &config);
  alpn[63] = '\0';
  assert_int_equal(tls_context_new(&context, &certificates[0], &config), 0);
  tls_context_unref(context);
}

/* The certificate of a session is the one that it began with; its context
   lives as long, whoever lets go of it.  ASAN looks on. */
static void test_sessions_outlive_a_swap(void **state) {
  tls_context *context;
  tls_session *sessions[4];
  size_t i, len;
  int ref;

  (void)state;
  for (i = 0; i < 4; ++i) {
    char alpn[] = "h3,echo";
    cm_certificate certificate = certificates[i % 2];
    const tls_config config = {.alpn = alpn};

    assert_int_equal(tls_context_new(&context, &certificate, &config), 0);
    /* All was copied. */
    cm_certificate_wipe(&certificate);
    memset(alpn, 0, sizeof(alpn));
    assert_int_equal(tls_session_new(&sessions[i], context, &ref), 0);
    tls_context_unref(context);
  }
  for (i = 0; i < 4; ++i) {
    assert_memory_equal(tls_session_certificate_hash(sessions[i]),
                        certificates[i % 2].sha256, CM_HASH_LEN);
    assert_ptr_equal(
        wolfSSL_get_app_data(tls_session_native_handle(sessions[i])), &ref);
    /* Not known before the ClientHello. */
    len = 4711;
    tls_session_alpn(sessions[i], &len);
    assert_int_equal(len, 0);
  }
  for (i = 0; i < 4; ++i) {
    tls_session_free(sessions[i]);
  }
}

/* One context, many sessions, freed in another order. */
static void test_many_sessions(void **state) {
  tls_context *context;
  tls_session *sessions[20];
  size_t i;
  int ref;

  (void)state;
  assert_int_equal(tls_context_new(&context, &certificates[0], &plain), 0);
  for (i = 0; i < 20; ++i) {
    assert_int_equal(tls_session_new(&sessions[i], context, &ref), 0);
  }
  for (i = 0; i < 20; i += 2) {
    tls_session_free(sessions[i]);
  }
  tls_context_unref(context);
  for (i = 19; i < 20; i -= 2) {
    assert_memory_equal(tls_session_certificate_hash(sessions[i]),
                        certificates[0].sha256, CM_HASH_LEN);
    tls_session_free(sessions[i]);
  }
}

/* Startup nests: one cleanup does not end it for the other. */
static void test_startup_nests(void **state) {
  tls_context *context;

  (void)state;
  assert_int_equal(tls_startup(), 0);
  tls_cleanup();
  assert_int_equal(tls_context_new(&context, &certificates[0], &plain), 0);
  tls_context_unref(context);
}

/* Whole handshakes: the client's order decides. */
static void test_alpn(void **state) {
  static const struct {
    const char *offered, *chosen;
  } cases[] = {{"h3", "h3"},
               {"echo", "echo"},
               {"h3,echo", "h3"},
               {"echo,h3", "echo"},
               {"nonsense,echo", "echo"}};
  sim_world *world = check_world(30);
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    sim_client_config config = sim_world_config(world);
    sim_peer *peer;

    config.mode = SIM_MODE_RAW;
    config.alpn = cases[i].offered;
    peer = sim_world_add(world, &config);
    assert_non_null(peer);
    RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
    assert_string_equal(sim_client_alpn(peer->client), cases[i].chosen);
  }
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_context),
      cmocka_unit_test(test_broken_certificates),
      cmocka_unit_test(test_length_of_alpn),
      cmocka_unit_test(test_sessions_outlive_a_swap),
      cmocka_unit_test(test_many_sessions),
      cmocka_unit_test(test_startup_nests),
      cmocka_unit_test(test_alpn),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
