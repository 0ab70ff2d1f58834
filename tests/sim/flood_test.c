/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that obey the protocol and ask too much of it: windows of a few
   octets, streams by the ten thousand. */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

static sim_bare *begin(uint64_t seed) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

static sim_peer *connect_with(sim_bare *bare, uint64_t window, int hold) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer;

  config.window = config.stream_window = window;
  config.hold_windows = hold;
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  assert_int_equal(sim_bare_until(bare, sim_is_confirmed, peer, 0), 0);
  return peer;
}

/* A client with a window of four octets gets its echo by fours. */
static void test_narrow_window(void **state) {
  sim_bare *bare = begin(1);
  sim_peer *peer = connect_with(bare, 4, 0);

  (void)state;
  assert_true(sim_bare_echoes(bare, peer, 1000));
  assert_true(sim_bare_counters(bare)->datagrams_sent < 2000);
  sim_bare_free(bare);
}

/* And if it never opens it again, the server waits: it does not spin, nor say
   much, and keeps no more than its own window. */
static void test_shut_window(void **state) {
  static uint8_t data[8 * 1024 * 1024];
  static const uint64_t windows[] = {1, 4};
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    sim_bare *bare = begin(2 + i);
    sim_peer *other = sim_bare_connect(bare);
    sim_peer *peer = connect_with(bare, windows[i], 1);
    size_t before = bare->octets;
    uint64_t sent;
    int64_t id;

    assert_non_null(other);
    assert_int_equal(sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id),
                     0);
    assert_int_equal(
        sim_client_stream_write(peer->client, id, data, sizeof(data), 0), 0);
    assert_int_equal(sim_bare_pass(bare, 5 * SIM_SECOND), 0);
    assert_true(bare->most - before < 3 * bare->config.limits.stream_window);
    sent = sim_bare_counters(bare)->datagrams_sent;
    assert_int_equal(sim_bare_pass(bare, 20 * SIM_SECOND), 0);
    assert_true(sim_bare_counters(bare)->datagrams_sent - sent < 50);
    assert_false(peer->closed);
    assert_true(sim_bare_echoes(bare, other, 1000));
    sim_bare_free(bare);
  }
}

/* Whoever makes a connection need too much memory loses that one. */
static void test_memory_of_one(void **state) {
  static uint8_t data[1024 * 1024];
  sim_bare *bare = sim_bare_new(5);
  sim_peer *other, *peer;
  int64_t id;

  (void)state;
  assert_non_null(bare);
  bare->config.limits.memory = 400 * 1024;
  assert_int_equal(sim_bare_start(bare), 0);
  other = sim_bare_connect(bare);
  assert_non_null(other);
  peer = connect_with(bare, 1, 1);
  assert_int_equal(sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id), 0);
  assert_int_equal(
      sim_client_stream_write(peer->client, id, data, sizeof(data), 0), 0);
  assert_int_equal(sim_bare_until(bare, sim_is_closed, peer, 0), 0);
  assert_false(peer->end.local);
  assert_int_equal(peer->end.by, SIM_CLOSED_TRANSPORT);
  assert_int_equal(peer->end.error_code, NGTCP2_INTERNAL_ERROR);
  assert_true(sim_bare_echoes(bare, other, 100000));
  assert_int_equal(sim_bare_pass(bare, 10 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_connections(bare->endpoint), 1);
  sim_bare_free(bare);
}

/* And all together have no more than they may: others are not let in. */
static void test_memory_of_all(void **state) {
  sim_bare *bare = sim_bare_new(6);
  sim_client_config config;
  size_t i, n = 0;

  (void)state;
  assert_non_null(bare);
  bare->config.memory_max = 1024 * 1024;
  assert_int_equal(sim_bare_start(bare), 0);
  config = sim_bare_config(bare);
  for (i = 0; i < 60; ++i) {
    assert_non_null(sim_bare_add(bare, &config));
    assert_int_equal(sim_bare_pass(bare, 50 * SIM_MILLISECOND), 0);
    assert_true(quic_endpoint_memory(bare->endpoint) <= 1024 * 1024);
    n += (size_t)bare->peers[i]->handshake_done;
  }
  assert_in_range(n, 5, 40);
  assert_true(sim_bare_counters(bare)->refused[QUIC_REFUSED_MEMORY] > 0);
  assert_int_equal(sim_bare_counters(bare)->refused[QUIC_REFUSED_MEMORY],
                   sim_bare_counters(bare)->connections_refused);
  assert_true(sim_bare_echoes(bare, bare->peers[0], 10000));
  assert_int_equal(sim_bare_pass(bare, 60 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_memory(bare->endpoint), 0);
  assert_non_null(sim_bare_connect(bare));
  sim_bare_free(bare);
}

/* A client that opens streams and resets them, as fast as it is let: at least
   ten thousand in each second. */
typedef struct opener {
  int bidi;
  uint64_t opened;
} opener;

static void go(sim_client *client, void *user) {
  opener *o = user;
  int64_t id;

  while ((o->bidi ? sim_client_open_bidi(client, SIM_NO_SESSION, &id)
                  : sim_client_open_uni(client, SIM_NO_SESSION, &id)) == 0) {
    if (o->opened % 2 == 0) {
      sim_client_stream_write(client, id, (const uint8_t *)"x", 1, 0);
    }
    sim_client_stream_reset(client, id, 1);
    ++o->opened;
  }
}

static void test_open_and_reset(void **state) {
  const sim_link near_by = {.delay = 2 * SIM_MILLISECOND};
  sim_callbacks callbacks = {.handshake_done = go, .streams_available = go};
  int bidi;

  (void)state;
  for (bidi = 0; bidi < 2; ++bidi) {
    sim_bare *bare = begin(10 + (uint64_t)bidi);
    sim_client_config config = sim_bare_config(bare);
    sim_peer *other = sim_bare_connect(bare);
    opener o = {bidi, 0};
    size_t after = 0, second;
    const sim_closed *closed;
    sim_client *client;

    assert_non_null(other);
    sim_network_set_link(bare->network, &near_by, &near_by);
    config.callbacks = callbacks;
    config.user = &o;
    assert_int_equal(sim_network_add_client(bare->network, &config, &client),
                     0);
    for (second = 0; second < 4; ++second) {
      uint64_t opened = o.opened;

      assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
      assert_true(o.opened - opened >= 10000);
      assert_true(sim_bare_echoes(bare, other, 5000));
      if (second == 0) {
        after = bare->most;
      }
    }
    closed = sim_client_closed(client);
    assert_null(closed);
    /* Flat. */
    assert_true(bare->most < after + after / 4);
    sim_bare_free(bare);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_narrow_window),
      cmocka_unit_test(test_shut_window),
      cmocka_unit_test(test_memory_of_one),
      cmocka_unit_test(test_memory_of_all),
      cmocka_unit_test(test_open_and_reset),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
