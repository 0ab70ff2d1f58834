/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a client is where it says (RFC 9000 section 8): Retry, NEW_TOKEN,
   and what a stranger hears who asked for nothing. */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

#include <ngtcp2/ngtcp2_crypto.h>

#define UNTIL(BARE, CONDITION, PEER)                                           \
  assert_int_equal(sim_bare_until((BARE), (CONDITION), (PEER), 0), 0)

static sim_bare *begin(uint64_t seed, quic_retry retry) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  bare->config.retry = retry;
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

static void end(sim_bare *bare) { sim_bare_free(bare); }

static const quic_endpoint_counters *counters(const sim_bare *bare) {
  return sim_bare_counters(bare);
}

/* Makes a client that shows |token|. */
static sim_peer *add_with(sim_bare *bare, const uint8_t *token, size_t len) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer;

  config.token = token;
  config.token_len = len;
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  return peer;
}

/* ---- Retry ---- */

static void test_always(void **state) {
  static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    sim_bare *bare = begin(1, QUIC_RETRY_ALWAYS);
    sim_client_config config = sim_bare_config(bare);
    sim_peer *peer;

    config.version = versions[i];
    peer = sim_bare_add(bare, &config);
    assert_non_null(peer);
    UNTIL(bare, sim_is_confirmed, peer);
    assert_int_equal(counters(bare)->retries_sent, 1);
    assert_int_equal(counters(bare)->tokens_accepted, 1);
    assert_int_equal(counters(bare)->connections_accepted, 1);
    assert_true(sim_bare_echoes(bare, peer, 50000));
    end(bare);
  }
}

static void test_never(void **state) {
  sim_bare *bare = begin(2, QUIC_RETRY_NEVER);
  int i;

  (void)state;
  bare->config.retry_above = 1;
  assert_int_equal(sim_bare_start(bare), 0);
  for (i = 0; i < 5; ++i) {
    sim_client_config config = sim_bare_config(bare);

    assert_non_null(sim_bare_add(bare, &config));
  }
  UNTIL(bare, sim_is_confirmed, bare->peers[4]);
  assert_int_equal(counters(bare)->retries_sent, 0);
  end(bare);
}

/* More than so many at once: the others have to show where they are, until
   there is room again. */
static void test_when_busy(void **state) {
  sim_bare *bare = sim_bare_new(3);
  sim_client_config config;
  size_t i;

  (void)state;
  assert_non_null(bare);
  bare->config.retry_above = 4;
  assert_int_equal(sim_bare_start(bare), 0);
  config = sim_bare_config(bare);
  for (i = 0; i < 10; ++i) {
    assert_non_null(sim_bare_add(bare, &config));
  }
  for (i = 0; i < 10; ++i) {
    UNTIL(bare, sim_is_confirmed, bare->peers[i]);
  }
  assert_int_equal(counters(bare)->retries_sent, 6);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 0);
  assert_int_equal(quic_endpoint_connections(bare->endpoint), 10);
  assert_non_null(sim_bare_connect(bare));
  assert_int_equal(counters(bare)->retries_sent, 6);
  end(bare);
}

/* A handshake may only be so often open at once, and from one address. */
static void test_caps(void **state) {
  sim_bare *bare = sim_bare_new(4);
  sim_client_config config;
  size_t i, n = 0;

  (void)state;
  assert_non_null(bare);
  bare->config.handshakes_max = 4;
  assert_int_equal(sim_bare_start(bare), 0);
  config = sim_bare_config(bare);
  for (i = 0; i < 10; ++i) {
    assert_non_null(sim_bare_add(bare, &config));
  }
  assert_int_equal(sim_bare_pass(bare, 15 * SIM_MILLISECOND), 0);
  assert_int_equal(counters(bare)->connections_accepted, 4);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 4);
  assert_true(counters(bare)->connections_refused >= 6);
  assert_int_equal(counters(bare)->refused[QUIC_REFUSED_HANDSHAKES],
                   counters(bare)->connections_refused);
  /* They ask again, and there is room again. */
  for (i = 0; i < 10; ++i) {
    UNTIL(bare, sim_is_confirmed, bare->peers[i]);
    n += (size_t)bare->peers[i]->confirmed;
  }
  assert_int_equal(n, 10);
  end(bare);
}

/* ---- What passes by ---- */

typedef struct capture {
  int to_server;
  int take;
  size_t count;
  udp_address client;
  struct {
    uint8_t data[1500];
    size_t len;
  } packets[8];
} capture;

static int keep(sim_network *network, const sim_packet *packet, void *user) {
  capture *into = user;

  (void)network;
  if (packet->to_server != into->to_server) {
    return 0;
  }
  if (into->count < 8) {
    memcpy(into->packets[into->count].data, packet->data, packet->len);
    into->packets[into->count++].len = packet->len;
    into->client = *packet->client;
  }
  return into->take;
}

static capture kept;

/* The Initial of a client that shows |token|; the client is gone. */
static void initial_with(sim_bare *bare, const uint8_t *token, size_t len) {
  sim_peer *peer;

  memset(&kept, 0, sizeof(kept));
  kept.to_server = 1;
  kept.take = 1;
  sim_network_set_filter(bare->network, keep, &kept);
  peer = add_with(bare, token, len);
  assert_int_equal(sim_bare_pass(bare, 0), 0);
  sim_network_set_filter(bare->network, NULL, NULL);
  assert_true(kept.count > 0);
  sim_bare_drop(bare, peer);
}

/* The Initial that follows a Retry, with its token, taken off the line. */
static void initial_after_retry(sim_bare *bare) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer = sim_bare_add(bare, &config);
  uint64_t retries = counters(bare)->retries_sent;

  assert_non_null(peer);
  /* There, and half the way back. */
  assert_int_equal(sim_bare_pass(bare, 15 * SIM_MILLISECOND), 0);
  assert_int_equal(counters(bare)->retries_sent, retries + 1);
  memset(&kept, 0, sizeof(kept));
  kept.to_server = 1;
  kept.take = 1;
  sim_network_set_filter(bare->network, keep, &kept);
  assert_int_equal(sim_bare_pass(bare, 5 * SIM_MILLISECOND), 0);
  sim_network_set_filter(bare->network, NULL, NULL);
  assert_int_equal(kept.count, 1);
  sim_bare_drop(bare, peer);
}

/* Delivers the kept Initial from |from|: what is the answer? */
static const sim_heard *deliver(sim_bare *bare, const udp_address *from,
                                uint64_t delay) {
  const sim_heard *heard = sim_network_listen(bare->network, from);

  assert_non_null(heard);
  assert_int_equal(sim_network_inject(bare->network, from, kept.packets[0].data,
                                      kept.packets[0].len, delay),
                   0);
  assert_int_equal(sim_bare_pass(bare, delay + 100 * SIM_MILLISECOND), 0);
  return heard;
}

/* A Retry's token is good for its address, its connection ID and a few
   seconds. */
static void test_retry_token_elsewhere(void **state) {
  sim_bare *bare = begin(5, QUIC_RETRY_ALWAYS);
  udp_address other;
  const sim_heard *heard;

  (void)state;
  initial_after_retry(bare);
  other = sim_network_spare_address(bare->network);
  heard = deliver(bare, &other, 0);
  assert_int_equal(counters(bare)->tokens_refused, 1);
  assert_int_equal(counters(bare)->connections_accepted, 0);
  assert_int_equal(heard->datagrams, 1);
  assert_true(heard->octets < 100);

  /* Another port of the same host is another place, too. */
  other = kept.client;
  other.in.sin_port = (in_port_t)(other.in.sin_port + 1);
  deliver(bare, &other, 0);
  assert_int_equal(counters(bare)->tokens_refused, 2);
  assert_int_equal(counters(bare)->connections_accepted, 0);

  /* From where it belongs to it is good: the handshake begins. */
  deliver(bare, &kept.client, 0);
  assert_int_equal(counters(bare)->tokens_refused, 2);
  assert_int_equal(counters(bare)->connections_accepted, 1);
  end(bare);
}

static void test_retry_token_late(void **state) {
  sim_bare *bare = begin(6, QUIC_RETRY_ALWAYS);

  (void)state;
  initial_after_retry(bare);
  deliver(bare, &kept.client, 9 * SIM_SECOND);
  assert_int_equal(counters(bare)->connections_accepted, 1);
  assert_int_equal(counters(bare)->tokens_refused, 0);
  initial_after_retry(bare);
  deliver(bare, &kept.client, 11 * SIM_SECOND);
  assert_int_equal(counters(bare)->connections_accepted, 1);
  assert_int_equal(counters(bare)->tokens_refused, 1);
  end(bare);
}

/* Changed at any octet; the client that shows it is told INVALID_TOKEN, and
   nothing else does it say. */
static void test_retry_token_altered(void **state) {
  sim_bare *bare = begin(7, QUIC_RETRY_ALWAYS);
  uint8_t token[ADDRESS_TOKEN_MAX];
  sim_peer *peer;
  size_t i;

  (void)state;
  memset(token, 'x', sizeof(token));
  token[0] = NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2;
  for (i = 1; i < sizeof(token); i += 7) {
    token[i] ^= 0x40;
    peer = add_with(bare, token, sizeof(token));
    UNTIL(bare, sim_is_closed, peer);
    assert_false(peer->end.local);
    assert_int_equal(peer->end.by, SIM_CLOSED_TRANSPORT);
    assert_int_equal(peer->end.error_code, NGTCP2_INVALID_TOKEN);
    sim_bare_drop(bare, peer);
  }
  assert_int_equal(counters(bare)->tokens_refused, (sizeof(token) + 5) / 7);
  assert_int_equal(counters(bare)->connections_accepted, 0);
  assert_int_equal(counters(bare)->retries_sent, 0);
  end(bare);
}

/* The token is bound to the ID that the Retry gave. */
static void test_retry_token_other_handshake(void **state) {
  sim_bare *bare = begin(8, QUIC_RETRY_ALWAYS);
  uint8_t token[ADDRESS_TOKEN_MAX];
  ngtcp2_pkt_hd hd;
  sim_peer *peer;

  (void)state;
  initial_after_retry(bare);
  assert_int_equal(
      ngtcp2_accept(&hd, kept.packets[0].data, kept.packets[0].len), 0);
  assert_int_equal(hd.tokenlen, sizeof(token));
  memcpy(token, hd.token, sizeof(token));
  peer = add_with(bare, token, sizeof(token));
  UNTIL(bare, sim_is_closed, peer);
  assert_int_equal(peer->end.error_code, NGTCP2_INVALID_TOKEN);
  end(bare);
}

/* One host alone does not take all there is for handshakes. */
static void test_one_address(void **state) {
  sim_bare *bare = sim_bare_new(14);
  udp_address host;
  size_t i;

  (void)state;
  assert_non_null(bare);
  bare->config.handshakes_per_address = 5;
  assert_int_equal(sim_bare_start(bare), 0);
  host = sim_network_spare_address(bare->network);
  for (i = 0; i < 20; ++i) {
    host.in.sin_port = (in_port_t)(host.in.sin_port + 1);
    initial_with(bare, NULL, 0);
    sim_network_inject(bare->network, &host, kept.packets[0].data,
                       kept.packets[0].len, 0);
    assert_int_equal(sim_bare_pass(bare, SIM_MILLISECOND), 0);
  }
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 5);
  assert_int_equal(counters(bare)->connections_refused, 15);
  assert_int_equal(counters(bare)->refused[QUIC_REFUSED_ADDRESS], 15);
  /* Others are let in, and when those have given up, the host is too. */
  assert_non_null(sim_bare_connect(bare));
  assert_int_equal(sim_bare_pass(bare, 15 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 0);
  initial_with(bare, NULL, 0);
  sim_network_inject(bare->network, &host, kept.packets[0].data,
                     kept.packets[0].len, 0);
  assert_int_equal(sim_bare_pass(bare, SIM_MILLISECOND), 0);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 1);
  end(bare);
}

/* ---- NEW_TOKEN ---- */

typedef struct given {
  uint8_t data[256];
  size_t len;
} given;

/* What the server gives a client after its handshake; the client is gone. */
static given token_of(sim_bare *bare) {
  sim_peer *peer = sim_bare_connect(bare);
  const uint8_t *token;
  given g;

  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  token = sim_client_token(peer->client, &g.len);
  assert_true(g.len > 0);
  memcpy(g.data, token, g.len);
  return g;
}

/* A client that shows |g| from the address that the last one had. */
static void come_back(sim_bare *bare, const given *g, const udp_address *from,
                      uint64_t delay) {
  initial_with(bare, g->data, g->len);
  deliver(bare, from, delay);
}

static void test_new_token(void **state) {
  sim_bare *bare = begin(9, QUIC_RETRY_ALWAYS);
  given g = token_of(bare);
  udp_address home =
      *sim_network_address(bare->network, bare->peers[0]->client);
  udp_address other = sim_network_spare_address(bare->network);

  (void)state;
  assert_int_equal(counters(bare)->retries_sent, 1);
  assert_int_equal(counters(bare)->tokens_accepted, 1);

  /* From elsewhere it is worth nothing, and does no harm. */
  come_back(bare, &g, &other, 0);
  assert_int_equal(counters(bare)->retries_sent, 2);
  assert_int_equal(counters(bare)->tokens_accepted, 1);
  assert_int_equal(counters(bare)->tokens_refused, 0);

  /* From home, with any port. */
  home.in.sin_port = (in_port_t)(home.in.sin_port + 7);
  come_back(bare, &g, &home, 0);
  assert_int_equal(counters(bare)->retries_sent, 2);
  assert_int_equal(counters(bare)->tokens_accepted, 2);

  /* Once. */
  assert_int_equal(counters(bare)->tokens_expired, 0);
  come_back(bare, &g, &home, 0);
  assert_int_equal(counters(bare)->retries_sent, 3);
  assert_int_equal(counters(bare)->tokens_accepted, 2);
  assert_int_equal(counters(bare)->tokens_expired, 1);
  assert_int_equal(counters(bare)->tokens_refused, 0);
  end(bare);
}

static void test_new_token_life(void **state) {
  static const uint64_t hours[] = {23, 25};
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    sim_bare *bare = begin(10 + i, QUIC_RETRY_ALWAYS);
    given g = token_of(bare);
    udp_address home =
        *sim_network_address(bare->network, bare->peers[0]->client);

    come_back(bare, &g, &home, hours[i] * 3600 * SIM_SECOND);
    assert_int_equal(counters(bare)->tokens_accepted, i == 0 ? 2 : 1);
    assert_int_equal(counters(bare)->retries_sent, i == 0 ? 1 : 2);
    assert_int_equal(counters(bare)->tokens_expired, i == 0 ? 0 : 1);
    end(bare);
  }
}

/* Altered, cut, or somebody else's: as if there were none. */
static void test_new_token_altered(void **state) {
  sim_bare *bare = begin(12, QUIC_RETRY_ALWAYS);
  given g = token_of(bare), altered;
  udp_address home =
      *sim_network_address(bare->network, bare->peers[0]->client);
  uint64_t retries = counters(bare)->retries_sent;
  size_t i;

  (void)state;
  for (i = 0; i < g.len; i += 5) {
    altered = g;
    altered.data[i] ^= 1;
    come_back(bare, &altered, &home, 0);
    assert_int_equal(counters(bare)->retries_sent, ++retries);
  }
  altered = g;
  for (altered.len = 1; altered.len < g.len; altered.len += 5) {
    come_back(bare, &altered, &home, 0);
    assert_int_equal(counters(bare)->retries_sent, ++retries);
  }
  assert_int_equal(counters(bare)->tokens_accepted, 1);
  assert_int_equal(counters(bare)->tokens_refused, 0);
  assert_int_equal(counters(bare)->tokens_expired, 0);
  end(bare);
}

/* Tokens outlive the certificate, and with kept keys the process. */
static void test_tokens_survive(void **state) {
  static const quic_endpoint_keys keys = {{1, 2, 3}, {4, 5, 6}};
  const tls_config config = {.alpn = "echo"};
  sim_bare *bare = sim_bare_new(13);
  udp_address home, other;
  tls_context *context;
  given g, h;

  (void)state;
  assert_non_null(bare);
  bare->config.retry = QUIC_RETRY_ALWAYS;
  bare->config.keys = &keys;
  bare->config.token_clock = 1000 * SIM_SECOND;
  assert_int_equal(sim_bare_start(bare), 0);
  g = token_of(bare);
  h = token_of(bare);
  home = *sim_network_address(bare->network, bare->peers[0]->client);
  other = *sim_network_address(bare->network, bare->peers[1]->client);

  assert_int_equal(tls_context_new(&context, &bare->certificate, &config), 0);
  quic_endpoint_set_tls(bare->endpoint, context);
  come_back(bare, &g, &home, 0);
  assert_int_equal(counters(bare)->tokens_accepted, 3);

  assert_int_equal(sim_bare_start(bare), 0);
  come_back(bare, &h, &other, 0);
  assert_int_equal(counters(bare)->tokens_accepted, 1);

  /* Without them it does not know its own tokens. */
  h = token_of(bare);
  other = *sim_network_address(bare->network, bare->peers[2]->client);
  bare->config.keys = NULL;
  assert_int_equal(sim_bare_start(bare), 0);
  come_back(bare, &h, &other, 0);
  assert_int_equal(counters(bare)->tokens_accepted, 0);
  assert_int_equal(counters(bare)->retries_sent, 1);
  end(bare);
}

/* ---- What is never exceeded ---- */

/* Whoever is not known to be where he says hears at most three times what came
   from there, at every moment, whatever the token. */
static void test_amplification(void **state) {
  static const uint8_t nonsense[] = "let me in";
  static const quic_retry modes[] = {QUIC_RETRY_NEVER, QUIC_RETRY_ALWAYS,
                                     QUIC_RETRY_WHEN_BUSY};
  uint8_t token[ADDRESS_TOKEN_MAX];
  size_t m, t, i;

  (void)state;
  for (m = 0; m < 3; ++m) {
    for (t = 0; t < 4; ++t) {
      sim_bare *bare = begin(20 + 4 * m + t, modes[m]);
      udp_address victim = sim_network_spare_address(bare->network);
      const sim_heard *heard = sim_network_listen(bare->network, &victim);
      given g = {{0}, 0};
      uint64_t sent = 0;

      assert_non_null(heard);
      if (t == 1) {
        g.len = sizeof(nonsense) - 1;
        memcpy(g.data, nonsense, g.len);
      } else if (t == 2) {
        memset(token, 7, sizeof(token));
        token[0] = NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2;
        g.len = sizeof(token);
        memcpy(g.data, token, g.len);
      } else if (t == 3) {
        g = token_of(bare);
      }
      initial_with(bare, g.data, g.len);
      for (i = 0; i < 6; ++i) {
        /* The Initial, again, and what might be the rest of a handshake. */
        size_t len = i < 3 ? kept.packets[0].len : 40;

        kept.packets[0].data[1150] ^= (uint8_t)(i == 2);
        sim_network_inject(bare->network, &victim, kept.packets[0].data, len,
                           0);
        sent += len;
        assert_int_equal(sim_bare_pass(bare, 2 * SIM_SECOND), 0);
        assert_true(heard->octets <= 3 * sent);
      }
      assert_int_equal(sim_bare_pass(bare, 20 * SIM_SECOND), 0);
      assert_true(heard->octets > 0);
      assert_true(heard->octets <= 3 * sent);
      end(bare);
    }
  }
}

/* A handshake that fails is told to the client's address no more often than
   three times what comes from there (section 10.2.1 with 8.1). */
static void test_amplified_close(void **state) {
  sim_bare *bare = begin(40, QUIC_RETRY_NEVER);
  sim_client_config config = sim_bare_config(bare);
  const sim_heard *heard;
  uint64_t sent = 0;
  sim_peer *peer;
  uint8_t data[64];
  size_t i;

  (void)state;
  config.alpn = "nothing";
  memset(&kept, 0, sizeof(kept));
  kept.to_server = 1;
  kept.take = 1;
  sim_network_set_filter(bare->network, keep, &kept);
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, 0), 0);
  sim_network_set_filter(bare->network, NULL, NULL);
  sim_bare_drop(bare, peer);
  heard = deliver(bare, &kept.client, 0);
  sent += kept.packets[0].len;
  assert_int_equal(heard->datagrams, 1);
  /* Short ones to the same connection: first octets of the Initial. */
  for (i = 0; i < 200; ++i) {
    memcpy(data, kept.packets[0].data, sizeof(data));
    sim_network_inject(bare->network, &kept.client, data, 30, 0);
    sent += 30;
    assert_int_equal(sim_bare_pass(bare, SIM_MILLISECOND), 0);
    assert_true(heard->octets <= 3 * sent);
  }
  assert_in_range(heard->datagrams, 2, 12);
  end(bare);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_always),
      cmocka_unit_test(test_never),
      cmocka_unit_test(test_when_busy),
      cmocka_unit_test(test_caps),
      cmocka_unit_test(test_retry_token_elsewhere),
      cmocka_unit_test(test_retry_token_late),
      cmocka_unit_test(test_retry_token_altered),
      cmocka_unit_test(test_retry_token_other_handshake),
      cmocka_unit_test(test_one_address),
      cmocka_unit_test(test_new_token),
      cmocka_unit_test(test_new_token_life),
      cmocka_unit_test(test_new_token_altered),
      cmocka_unit_test(test_tokens_survive),
      cmocka_unit_test(test_amplification),
      cmocka_unit_test(test_amplified_close),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
