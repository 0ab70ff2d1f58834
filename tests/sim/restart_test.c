/* SPDX-License-Identifier: Apache-2.0 */
/* Two appliances one after the other, with the keys of the first or without:
   what the second thinks of the first one's tokens. */
#include "server/appliance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WALL INT64_C(1795300000)
#define HOUR 3600
#define INITIAL_LEN 1200

static const quic_endpoint_keys keys = {{1, 2, 3}, {4, 5, 6}};

static appliance *begin(const quic_endpoint_keys *kept,
                        const appliance_time *now) {
  static const char *const hosts[] = {"localhost"};
  appliance_config config;
  appliance *a;

  appliance_config_default(&config);
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.retry = QUIC_RETRY_ALWAYS;
  config.keys = kept;
  assert_int_equal(appliance_new(&a, &config, now), 0);
  return a;
}

/* The head of an Initial with |token|; nobody can decrypt the rest. */
static void write_initial(uint8_t dest[INITIAL_LEN], const uint8_t *token,
                          size_t len) {
  static const uint8_t head[] = {0xc3, 0, 0, 0, 1, /* version */
                                 8,    1, 2, 3, 4, 5, 6, 7, 8, 0};
  size_t n = sizeof(head), left;

  memset(dest, 0x5a, INITIAL_LEN);
  memcpy(dest, head, n);
  dest[n++] = (uint8_t)(0x40 | len >> 8);
  dest[n++] = (uint8_t)len;
  memcpy(dest + n, token, len);
  n += len;
  left = INITIAL_LEN - n - 2;
  dest[n++] = (uint8_t)(0x40 | left >> 8);
  dest[n] = (uint8_t)left;
}

/* Whether a token that one appliance gave out at |mono| spares its client the
   Retry of another one, which begins |seconds| after it with a monotonic clock
   of its own. */
static int spares(const quic_endpoint_keys *first,
                  const quic_endpoint_keys *second, uint64_t mono,
                  uint64_t other_mono, int64_t seconds) {
  appliance_time now = {mono, WALL};
  uint8_t token[ADDRESS_TOKEN_MAX], octets[INITIAL_LEN];
  const quic_endpoint_counters *counters;
  udp_datagram datagram;
  udp_batch in = {&datagram, 1, 1}, out = {NULL, 0, 0};
  udp_address from;
  ngtcp2_addr remote;
  appliance *a;
  int spared;
  size_t len;

  assert_int_equal(udp_address_parse(&from, "192.0.2.7", 50000), 0);
  ngtcp2_addr_init(&remote, &from.sa, udp_address_len(&from));
  a = begin(first, &now);
  len = quic_endpoint_new_token(appliance_endpoint(a), token, &remote, mono);
  assert_in_range(len, 1, ADDRESS_TOKEN_MAX);
  appliance_free(a);

  now.mono = other_mono;
  now.wall = WALL + seconds;
  a = begin(second, &now);
  write_initial(octets, token, len);
  memset(&datagram, 0, sizeof(datagram));
  datagram.remote = from;
  assert_int_equal(udp_address_parse(&datagram.local, "192.0.2.1", 4433), 0);
  datagram.data = octets;
  datagram.len = sizeof(octets);
  appliance_step(a, &now, &in, &out);
  counters = quic_endpoint_get_counters(appliance_endpoint(a));
  assert_int_equal(counters->tokens_refused, 0);
  assert_int_equal(counters->tokens_accepted + counters->retries_sent, 1);
  spared = counters->tokens_accepted == 1;
  appliance_free(a);
  return spared;
}

static void test_kept_keys(void **state) {
  const uint64_t early = 10 * NGTCP2_SECONDS;
  const uint64_t late = UINT64_C(30) * 86400 * NGTCP2_SECONDS;

  (void)state;
  /* The machine may have started anew in between, or not. */
  assert_true(spares(&keys, &keys, late, early, 1));
  assert_true(spares(&keys, &keys, early, early + NGTCP2_SECONDS, 1));
  assert_true(spares(&keys, &keys, late, early, 23 * HOUR));
  assert_true(spares(&keys, &keys, early, late, 23 * HOUR));
  /* Tokens grow old all the same. */
  assert_false(spares(&keys, &keys, late, early, 25 * HOUR));
  assert_false(spares(&keys, &keys, early, late, 25 * HOUR));
}

static void test_other_keys(void **state) {
  static const quic_endpoint_keys others = {{7}, {4, 5, 6}};

  (void)state;
  assert_false(spares(&keys, &others, 1, 1, 1));
  assert_false(spares(&keys, NULL, 1, 1, 1));
  assert_false(spares(NULL, NULL, 1, 1, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kept_keys),
      cmocka_unit_test(test_other_keys),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
