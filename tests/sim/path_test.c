/* SPDX-License-Identifier: Apache-2.0 */
/* Clients whose address changes, knowingly or not (RFC 9000 section 9), in the
   middle of an echo. */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

static sim_bare *begin(uint64_t seed) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

static sim_peer *connect_with(sim_bare *bare, size_t scid_len) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer;

  config.scid_len = scid_len;
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  assert_int_equal(sim_bare_until(bare, sim_is_confirmed, peer, 0), 0);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  return peer;
}

/* An echo that goes on while other things happen. */
typedef struct flow {
  sim_peer *peer;
  int64_t stream;
  size_t sent;
  uint8_t data[200000];
} flow;

static flow one;

static void flow_begin(flow *f, sim_peer *peer) {
  sim_random random;

  memset(f, 0, sizeof(*f));
  sim_random_seed(&random, 99);
  sim_random_fill(&random, f->data, sizeof(f->data));
  f->peer = peer;
  assert_int_equal(
      sim_client_open_bidi(peer->client, SIM_NO_SESSION, &f->stream), 0);
}

static void flow_go_on(flow *f, size_t n) {
  assert_true(f->sent + n <= sizeof(f->data));
  assert_int_equal(sim_client_stream_write(f->peer->client, f->stream,
                                           f->data + f->sent, n, 0),
                   0);
  f->sent += n;
}

static void flow_end(flow *f, sim_bare *bare) {
  assert_int_equal(
      sim_client_stream_write(f->peer->client, f->stream, NULL, 0, 1), 0);
  assert_int_equal(
      sim_bare_until(bare, sim_is_stream_ended, f->peer, f->stream), 0);
  assert_false(f->peer->closed);
  assert_true(sim_peer_find_stream(f->peer, f->stream)->fin);
  check_bytes(sim_peer_find_stream(f->peer, f->stream), f->data, f->sent);
}

/* Each packet of the server's, and where it went. */
typedef struct trace {
  udp_address last;
  size_t changes;
} trace;

static int follow(sim_network *network, const sim_packet *packet, void *user) {
  trace *t = user;

  (void)network;
  if (!packet->to_server && !udp_address_eq(packet->client, &t->last)) {
    t->last = *packet->client;
    ++t->changes;
  }
  return 0;
}

/* A NAT that forgets, again and again, while octets are on their way. */
static void test_rebinding(void **state) {
  static const size_t scid_lens[] = {0, 8, 20};
  size_t i, n;

  (void)state;
  for (i = 0; i < 3; ++i) {
    sim_bare *bare = begin(50 + i);
    sim_peer *peer = connect_with(bare, scid_lens[i]);
    trace t;

    memset(&t, 0, sizeof(t));
    t.last = *sim_network_address(bare->network, peer->client);
    sim_network_set_filter(bare->network, follow, &t);
    flow_begin(&one, peer);
    for (n = 0; n < 20; ++n) {
      flow_go_on(&one, 5000);
      assert_int_equal(sim_bare_pass(bare, 15 * SIM_MILLISECOND), 0);
      sim_network_rebind(bare->network, peer->client);
      flow_go_on(&one, 500);
      assert_int_equal(sim_bare_pass(bare, 300 * SIM_MILLISECOND), 0);
    }
    flow_end(&one, bare);
    /* It followed each time. */
    assert_true(t.changes >= 20);
    assert_true(udp_address_eq(
        &t.last, sim_network_address(bare->network, peer->client)));
    assert_int_equal(sim_bare_counters(bare)->connections_accepted, 1);
    assert_int_equal(sim_bare_counters(bare)->stateless_resets, 0);
    assert_int_equal(sim_bare_counters(bare)->packets_dropped, 0);
    sim_bare_free(bare);
  }
}

/* The client is silent while it happens: the server finds it again as soon as
   it says anything. */
static void test_rebinding_while_idle(void **state) {
  sim_bare *bare = begin(54);
  sim_peer *peer = connect_with(bare, 0);
  size_t n;

  (void)state;
  for (n = 0; n < 5; ++n) {
    sim_network_rebind(bare->network, peer->client);
    assert_int_equal(sim_bare_pass(bare, 20 * SIM_SECOND), 0);
    assert_true(sim_bare_echoes(bare, peer, 30000));
  }
  sim_bare_free(bare);
}

/* Over to another network, and the client knows: other connection IDs in both
   directions, and a token for the new address. */
static void test_migration(void **state) {
  sim_bare *bare = begin(55);
  sim_peer *peer = connect_with(bare, 8);
  uint8_t before[256];
  const uint8_t *token;
  size_t len, n;

  (void)state;
  flow_begin(&one, peer);
  for (n = 0; n < 10; ++n) {
    token = sim_client_token(peer->client, &len);
    assert_true(len > 0);
    memcpy(before, token, len);
    flow_go_on(&one, 9000);
    assert_int_equal(sim_bare_pass(bare, 15 * SIM_MILLISECOND), 0);
    assert_int_equal(sim_network_migrate(bare->network, peer->client), 0);
    flow_go_on(&one, 500);
    assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
    token = sim_client_token(peer->client, &len);
    assert_memory_not_equal(before, token, len);
  }
  flow_end(&one, bare);
  assert_int_equal(sim_bare_counters(bare)->connections_accepted, 1);
  assert_int_equal(sim_bare_counters(bare)->stateless_resets, 0);
  assert_int_equal(sim_bare_counters(bare)->packets_dropped, 0);
  sim_bare_free(bare);
}

/* A thousand times: connection IDs come and go, and nothing is left over. */
static void test_migration_for_ever(void **state) {
  sim_bare *bare = begin(56);
  sim_peer *peer = connect_with(bare, 8);
  size_t n, most = 0;

  (void)state;
  for (n = 0; n < 1000; ++n) {
    uint8_t mark[4] = {(uint8_t)n, (uint8_t)(n >> 8), 0, 0};

    assert_int_equal(sim_network_migrate(bare->network, peer->client), 0);
    assert_int_equal(sim_client_datagram(peer->client, SIM_NO_SESSION, mark, 4),
                     0);
    assert_int_equal(sim_bare_pass(bare, 500 * SIM_MILLISECOND), 0);
    assert_int_equal(peer->ndatagrams, n + 1);
    if (n == 100) {
      most = bare->octets + bare->octets / 4;
    }
    assert_true(n < 100 || bare->octets < most);
  }
  sim_bare_free(bare);
}

/* The address changes while the handshake runs.  It cannot follow (section 9),
   but the client's next attempt is served. */
static void test_rebinding_in_handshake(void **state) {
  sim_bare *bare = begin(57);
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer = sim_bare_add(bare, &config);

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, 15 * SIM_MILLISECOND), 0);
  sim_network_rebind(bare->network, peer->client);
  assert_int_equal(sim_bare_pass(bare, 60 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_connections(bare->endpoint), 0);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 0);
  peer = sim_bare_connect(bare);
  assert_non_null(peer);
  assert_true(sim_bare_echoes(bare, peer, 1000));
  sim_bare_free(bare);
}

/* ---- An attacker who has a connection ---- */

typedef struct diversion {
  udp_address from;
  udp_address victim;
  uint64_t sent;
} diversion;

/* What the client sends comes from somebody else's address. */
static int divert(sim_network *network, const sim_packet *packet, void *user) {
  diversion *d = user;

  if (!packet->to_server || !udp_address_eq(packet->client, &d->from)) {
    return 0;
  }
  d->sent += packet->len;
  sim_network_inject(network, &d->victim, packet->data, packet->len,
                     10 * SIM_MILLISECOND);
  return 1;
}

/* He asks for much and says that he is elsewhere now: elsewhere at most three
   times of what he sends is heard (section 9.3.1). */
static void test_diverted(void **state) {
  sim_bare *bare = begin(58);
  sim_peer *peer = connect_with(bare, 8);
  const sim_heard *heard;
  diversion d;
  size_t n;

  (void)state;
  memset(&d, 0, sizeof(d));
  flow_begin(&one, peer);
  /* The client lets the server's answer pile up. */
  flow_go_on(&one, 100000);
  assert_int_equal(sim_bare_pass(bare, 25 * SIM_MILLISECOND), 0);
  d.from = *sim_network_address(bare->network, peer->client);
  d.victim = sim_network_spare_address(bare->network);
  heard = sim_network_listen(bare->network, &d.victim);
  assert_non_null(heard);
  sim_network_set_filter(bare->network, divert, &d);
  for (n = 0; n < 200; ++n) {
    assert_int_equal(sim_bare_pass(bare, 50 * SIM_MILLISECOND), 0);
    assert_true(heard->octets <= 3 * d.sent);
  }
  assert_true(d.sent > 0);
  assert_true(heard->octets > 0);
  sim_bare_free(bare);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rebinding),
      cmocka_unit_test(test_rebinding_while_idle),
      cmocka_unit_test(test_migration),
      cmocka_unit_test(test_migration_for_ever),
      cmocka_unit_test(test_rebinding_in_handshake),
      cmocka_unit_test(test_diverted),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
