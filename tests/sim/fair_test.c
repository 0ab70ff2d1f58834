/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody waits for another's end: connections, streams of one connection, and
   datagrams beside streams each get their share. */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

#include <stdlib.h>

#define MUCH 400000
#define MANY 6

static uint8_t data[MUCH];

static sim_bare *begin(uint64_t seed) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

static int64_t send_much(sim_peer *peer, size_t len) {
  int64_t id;

  assert_int_equal(sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id), 0);
  assert_int_equal(sim_client_stream_write(peer->client, id, data, len, 1), 0);
  return id;
}

/* The longest run of packets to one client. */
typedef struct runs {
  udp_address last;
  size_t run, longest;
} runs;

static int count(sim_network *network, const sim_packet *packet, void *user) {
  runs *r = user;

  (void)network;
  if (!packet->to_server) {
    r->run = udp_address_eq(&r->last, packet->client) ? r->run + 1 : 1;
    r->last = *packet->client;
    if (r->run > r->longest) {
      r->longest = r->run;
    }
  }
  return 0;
}

/* Connections that have much to get, all at the same time. */
static void test_connections(void **state) {
  sim_bare *bare = begin(1);
  int64_t ids[MANY];
  size_t i, least, most;
  runs r;

  (void)state;
  memset(&r, 0, sizeof(r));
  for (i = 0; i < MANY; ++i) {
    assert_non_null(sim_bare_connect(bare));
  }
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  for (i = 0; i < MANY; ++i) {
    ids[i] = send_much(bare->peers[i], MUCH);
  }
  sim_network_set_filter(bare->network, count, &r);
  do {
    assert_int_equal(sim_bare_pass(bare, 5 * SIM_MILLISECOND), 0);
    least = MUCH;
    most = 0;
    for (i = 0; i < MANY; ++i) {
      size_t len = sim_peer_find_stream(bare->peers[i], ids[i])->len;

      least = len < least ? len : least;
      most = len > most ? len : most;
    }
  } while (most < MUCH);
  assert_true(least > MUCH / 2);
  /* One quantum, or what is left to one alone at the end of a round. */
  assert_in_range(r.longest, 1, 128);
  sim_bare_free(bare);
}

/* Streams of one connection: each gets on while the others do. */
static void test_streams(void **state) {
  sim_bare *bare = begin(2);
  sim_peer *peer = sim_bare_connect(bare);
  int64_t ids[MANY];
  size_t i, least, most;

  (void)state;
  assert_non_null(peer);
  for (i = 0; i < MANY; ++i) {
    ids[i] = send_much(peer, MUCH / MANY);
  }
  do {
    assert_int_equal(sim_bare_pass(bare, 5 * SIM_MILLISECOND), 0);
    least = MUCH;
    most = 0;
    for (i = 0; i < MANY; ++i) {
      size_t len = sim_peer_find_stream(peer, ids[i])->len;

      least = len < least ? len : least;
      most = len > most ? len : most;
    }
  } while (most < MUCH / MANY);
  assert_true(least > 0);
  for (i = 0; i < MANY; ++i) {
    assert_int_equal(sim_bare_until(bare, sim_is_stream_ended, peer, ids[i]),
                     0);
  }
  sim_bare_free(bare);
}

/* Datagrams do not wait for the end of a stream, nor it for theirs. */
static void test_datagrams_beside_a_stream(void **state) {
  sim_bare *bare = begin(3);
  sim_peer *peer = sim_bare_connect(bare);
  size_t n, before;
  int64_t id;

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  id = send_much(peer, MUCH);
  while (sim_peer_find_stream(peer, id)->len < MUCH / 4) {
    assert_int_equal(sim_bare_pass(bare, 5 * SIM_MILLISECOND), 0);
  }
  before = sim_peer_find_stream(peer, id)->len;
  for (n = 0; n < 30; ++n) {
    assert_int_equal(
        sim_client_datagram(peer->client, SIM_NO_SESSION, data, 1000), 0);
  }
  assert_int_equal(sim_bare_until(bare, sim_is_datagrams, peer, 30), 0);
  /* Both went on. */
  assert_true(sim_peer_find_stream(peer, id)->len > before);
  assert_true(sim_peer_find_stream(peer, id)->len < MUCH);
  assert_int_equal(sim_bare_until(bare, sim_is_stream_ended, peer, id), 0);
  check_bytes(sim_peer_find_stream(peer, id), data, MUCH);
  sim_bare_free(bare);
}

/* Packets grow as far as the path allows (RFC 9000 section 14.3). */
static size_t largest;

static int measure(sim_network *network, const sim_packet *packet, void *user) {
  (void)network;
  (void)user;
  if (!packet->to_server && packet->len > largest) {
    largest = packet->len;
  }
  return 0;
}

static void test_path_mtu(void **state) {
  static const size_t mtus[] = {1200, 1400, 0};
  static const size_t least[] = {1150, 1300, 1400};
  size_t i;

  (void)state;
  for (i = 0; i < 3; ++i) {
    const sim_link link = {.delay = 10 * SIM_MILLISECOND, .mtu = mtus[i]};
    sim_bare *bare = begin(4 + i);
    sim_peer *peer;

    sim_network_set_link(bare->network, &link, &link);
    peer = sim_bare_connect(bare);
    assert_non_null(peer);
    assert_int_equal(sim_bare_pass(bare, 20 * SIM_SECOND), 0);
    largest = 0;
    sim_network_set_filter(bare->network, measure, NULL);
    assert_true(sim_bare_echoes(bare, peer, 100000));
    assert_in_range(largest, least[i], mtus[i] ? mtus[i] : 1500);
    sim_bare_free(bare);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_connections),
      cmocka_unit_test(test_streams),
      cmocka_unit_test(test_datagrams_beside_a_stream),
      cmocka_unit_test(test_path_mtu),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
