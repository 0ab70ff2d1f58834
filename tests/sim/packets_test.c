/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad packets, bad handshakes and lies about where they come from: the server
 * answers correctly or not at all, and a connection that is in the middle of
 * an echo notices nothing.
 */
#include "tests/sim/check.h"

#include <stdio.h>
#include <stdlib.h>

static bystander by;

/* Random octets of all lengths, some dressed up as QUIC version 1. */
static void test_random_packets(void **state) {
  sim_world *world = check_world(20);
  sim_random *random = sim_network_random(world->network);
  uint8_t data[1500];
  udp_address from = sim_network_spare_address(world->network);
  const sim_heard *heard = sim_network_listen(world->network, &from);
  uint64_t sent = 0;
  size_t len;
  int i;

  (void)state;
  assert_non_null(heard);
  bystander_begin(&by, world);
  for (i = 0; i < 20000; ++i) {
    len = sim_random_size(random, sizeof(data) + 1);
    sim_random_fill(random, data, len);
    if (len > 5 && i % 4 == 0) {
      /* A long header of version 1, of any type. */
      data[0] = (uint8_t)(0xc0 | (data[0] & 0x3f));
      memcpy(data + 1, "\0\0\0\1", 4);
    }
    if (len > 6 && i % 8 == 0) {
      /* with a connection ID of a permitted length */
      data[5] = (uint8_t)(data[5] % 21);
    }
    sim_network_inject(world->network, &from, data, len, 0);
    sent += len;
    if (i % 200 == 0) {
      bystander_go_on(&by);
      assert_int_equal(sim_world_pass(world, 5 * SIM_MILLISECOND), 0);
    }
  }
  assert_int_equal(sim_world_pass(world, 15 * SIM_SECOND), 0);
  bystander_end(&by, world);
  /* Never louder than what woke it. */
  assert_true(heard->octets <= sent);
  assert_int_equal(quic_endpoint_connections(world->endpoint), 1);
  check_world_end(world);
}

/* The first packets of a real client, kept. */
typedef struct capture {
  uint8_t data[16][1500];
  size_t len[16];
  size_t count;
  udp_address client;
  int armed;
} capture;

static capture kept;

static int keep_packet(sim_network *network, const sim_packet *packet,
                       void *user) {
  capture *into = user;

  (void)network;
  if (!packet->to_server || !into->armed) {
    return 0;
  }
  if (into->count < 16) {
    memcpy(into->data[into->count], packet->data, packet->len);
    into->len[into->count++] = packet->len;
    into->client = *packet->client;
  }
  return 1;
}

/* Makes a client, lets it send, and takes what it sent off the line. */
static sim_peer *capture_first_flight(sim_world *world,
                                      const sim_client_config *config) {
  sim_peer *peer;

  memset(&kept, 0, sizeof(kept));
  kept.armed = 1;
  sim_network_set_filter(world->network, keep_packet, &kept);
  peer = sim_world_add(world, config);
  assert_non_null(peer);
  assert_int_equal(sim_world_pass(world, 0), 0);
  sim_network_set_filter(world->network, NULL, NULL);
  assert_true(kept.count > 0);
  return peer;
}

/* An Initial cut off at every length, and one octet changed at each place. */
static void test_truncated_and_changed_initials(void **state) {
  sim_world *world = check_world(21);
  sim_client_config config;
  udp_address from;
  sim_peer *peer;
  uint8_t data[1500];
  size_t i;

  (void)state;
  bystander_begin(&by, world);
  config = sim_world_config(world);
  peer = capture_first_flight(world, &config);
  sim_world_abandon(world, peer);
  for (i = 0; i < kept.len[0]; ++i) {
    from = sim_network_spare_address(world->network);
    sim_network_inject(world->network, &from, kept.data[0], i, 0);
    memcpy(data, kept.data[0], kept.len[0]);
    data[i] ^= 0x20;
    sim_network_inject(world->network, &from, data, kept.len[0], 0);
    if (i % 50 == 0) {
      bystander_go_on(&by);
      assert_int_equal(sim_world_pass(world, SIM_MILLISECOND), 0);
    }
  }
  assert_int_equal(sim_world_pass(world, 15 * SIM_SECOND), 0);
  bystander_end(&by, world);
  assert_int_equal(quic_endpoint_connections(world->endpoint), 1);
  check_world_end(world);
}

/* Packets of a live connection, cut and changed, on their way in both
   directions. */
static int mangle(sim_network *network, const sim_packet *packet, void *user) {
  sim_random *random = sim_network_random(network);
  const udp_address *victim = user;
  uint8_t data[1500];

  if (!packet->to_server || !udp_address_eq(packet->client, victim)) {
    return 0;
  }
  memcpy(data, packet->data, packet->len);
  data[sim_random_size(random, packet->len)] ^= 0x11;
  sim_network_inject(network, packet->client, data, packet->len, 0);
  sim_network_inject(network, packet->client, packet->data,
                     sim_random_size(random, packet->len), 0);
  /* The real one comes too, and a copy of it. */
  sim_network_inject(network, packet->client, packet->data, packet->len,
                     10 * SIM_MILLISECOND);
  return 0;
}

static void test_mangled_connection(void **state) {
  sim_world *world = check_world(22);
  static uint8_t data[50000];
  udp_address address;
  sim_peer *peer;
  int64_t session;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  address = *sim_network_address(world->network, peer->client);
  sim_network_set_filter(world->network, mangle, &address);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  bystander_go_on(&by);
  check_echo(world, peer, session, data, sizeof(data));
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

/* ALPN names enough to make the ClientHello span three packets. */
static void long_alpn(char *alpn, size_t cap) {
  size_t n = 0, i;

  for (i = 0; n + 40 < cap; ++i) {
    n += (size_t)snprintf(alpn + n, cap - n, "none-of-these-is-served-%03zu,",
                          i);
  }
  snprintf(alpn + n, cap - n, "h3");
}

/* A ClientHello in several packets, in every order, spread over time. */
static void test_split_client_hello(void **state) {
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  sim_world *world = check_world(23);
  static char alpn[3000];
  size_t i, j;

  (void)state;
  long_alpn(alpn, sizeof(alpn));
  bystander_begin(&by, world);
  for (i = 0; i < 6; ++i) {
    sim_client_config config = sim_world_config(world);
    sim_peer *peer;
    uint64_t accepted = sim_world_counters(world)->connections_accepted;
    int64_t session;

    config.alpn = alpn;
    peer = capture_first_flight(world, &config);
    assert_int_equal(kept.count, 3);
    for (j = 0; j < 3; ++j) {
      int k = orders[i][j];

      /* Faster than the client repeats itself. */
      sim_network_inject(world->network, &kept.client, kept.data[k],
                         kept.len[k], j * 20 * SIM_MILLISECOND);
    }
    bystander_go_on(&by);
    RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
    assert_string_equal(sim_client_alpn(peer->client), "h3");
    /* They belong to one connection, by the ID that the client chose.  But one
       that does not begin with the ClientHello's first octet makes none that
       lasts: the client has to say it again. */
    if (orders[i][0] == 0) {
      assert_int_equal(sim_world_counters(world)->connections_accepted,
                       accepted + 1);
    }
    session = sim_world_session(world, peer, "/echo");
    assert_true(session >= 0);
    check_echo(world, peer, session, "split", 5);
    assert_false(peer->closed);
  }
  bystander_end(&by, world);
  check_world_end(world);
}

/* Half a ClientHello and then nothing: the server lets go. */
static void test_abandoned_handshakes(void **state) {
  sim_world *world = check_world(24);
  sim_client_config config;
  static char alpn[3000];
  size_t i;

  (void)state;
  long_alpn(alpn, sizeof(alpn));
  bystander_begin(&by, world);
  config = sim_world_config(world);
  for (i = 0; i < 20; ++i) {
    /* Half of them after a part of the ClientHello, half after all of it. */
    config.alpn = i % 2 == 0 ? alpn : "h3";
    sim_world_abandon(world, capture_first_flight(world, &config));
    sim_network_inject(world->network, &kept.client, kept.data[0], kept.len[0],
                       0);
    assert_int_equal(sim_world_pass(world, 100 * SIM_MILLISECOND), 0);
  }
  assert_int_equal(quic_endpoint_connections(world->endpoint), 21);
  for (i = 0; i < 15; ++i) {
    bystander_go_on(&by);
    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  }
  assert_int_equal(quic_endpoint_connections(world->endpoint), 1);
  assert_int_equal(sim_world_counters(world)->handshakes_failed, 20);
  bystander_end(&by, world);
  check_world_end(world);
}

static void test_wrong_alpn(void **state) {
  const char *const wrong[] = {"h2", "h3-29", "ech", "echoo", ""};
  sim_world *world = check_world(25);
  size_t i;

  (void)state;
  bystander_begin(&by, world);
  for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i) {
    sim_client_config config = sim_world_config(world);
    sim_peer *peer;

    config.alpn = wrong[i];
    config.mode = SIM_MODE_RAW;
    peer = sim_world_add(world, &config);
    assert_non_null(peer);
    RUN_UNTIL(world, sim_is_closed, peer, 0);
    assert_false(peer->handshake_done);
    assert_int_equal(peer->end.by, SIM_CLOSED_TRANSPORT);
    assert_false(peer->end.local);
    /* no_application_protocol (RFC 7301 section 3.2; RFC 9001 section 8.1) */
    assert_int_equal(peer->end.error_code, 0x178);
    bystander_go_on(&by);
  }
  bystander_end(&by, world);
  check_world_end(world);
}

static void test_wrong_hash(void **state) {
  sim_world *world = check_world(26);
  uint8_t hashes[2][32];
  sim_client_config config;
  sim_peer *peer;
  int64_t session;

  (void)state;
  bystander_begin(&by, world);
  config = sim_world_config(world);
  memcpy(hashes[0], config.hashes[0], 32);
  hashes[0][31] ^= 1;
  memcpy(hashes[1], config.hashes[0], 32);
  config.hashes = (const uint8_t(*)[32])hashes;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(peer->end.local);
  assert_false(peer->handshake_done);
  /* It drains for three times its probe timeout. */
  assert_int_equal(sim_world_pass(world, 10 * SIM_SECOND), 0);
  assert_int_equal(sim_world_counters(world)->handshakes_failed, 1);

  /* No hash at all is none that fits. */
  config.nhashes = 0;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(peer->end.local);

  /* Two, of which one is right. */
  config.nhashes = 2;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  check_echo(world, peer, session, "two", 3);
  bystander_end(&by, world);
  check_world_end(world);
}

static void test_version_negotiation(void **state) {
  sim_world *world = check_world(27);
  udp_address from = sim_network_spare_address(world->network);
  const sim_heard *heard = sim_network_listen(world->network, &from);
  sim_client_config config;
  sim_peer *peer;
  uint8_t data[1200];
  size_t i;
  int v1 = 0;

  (void)state;
  bystander_begin(&by, world);
  config = sim_world_config(world);
  config.version = 0x1a2a3a4a;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_int_equal(peer->end.by, SIM_CLOSED_VERSION);

  /* By hand, with connection IDs longer than version 1 has (RFC 8999). */
  memset(data, 0, sizeof(data));
  data[0] = 0xc3;
  memcpy(data + 1, "\xba\xba\xba\xba", 4);
  data[5] = 50;
  memset(data + 6, 'd', 50);
  data[56] = 40;
  memset(data + 57, 's', 40);
  sim_network_inject(world->network, &from, data, sizeof(data), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(heard->datagrams, 1);
  assert_true((heard->data[0] & 0x80) != 0);
  assert_memory_equal(heard->data + 1, "\0\0\0\0", 4);
  assert_int_equal(heard->data[5], 40);
  assert_memory_equal(heard->data + 6, data + 57, 40);
  assert_int_equal(heard->data[46], 50);
  assert_memory_equal(heard->data + 47, data + 6, 50);
  assert_int_equal((heard->len - 97) % 4, 0);
  for (i = 97; i + 4 <= heard->len; i += 4) {
    v1 |= memcmp(heard->data + i, "\0\0\0\1", 4) == 0;
  }
  assert_true(v1);

  /* Small ones, and version negotiation itself, are met with silence. */
  sim_network_inject(world->network, &from, data, 1199, 0);
  memset(data + 1, 0, 4);
  sim_network_inject(world->network, &from, data, sizeof(data), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(heard->datagrams, 1);
  bystander_end(&by, world);
  check_world_end(world);
}

/* Initials that pretend to come from somebody else: he hears at most three
   times what was sent in his name (RFC 9000 section 8.1). */
static void test_spoofed_sources(void **state) {
  sim_world *world = check_world(28);
  const sim_heard *heard[20];
  sim_client_config config;
  uint64_t sent[20];
  udp_address from;
  size_t i, j;

  (void)state;
  bystander_begin(&by, world);
  config = sim_world_config(world);
  for (i = 0; i < 20; ++i) {
    /* A token that nobody gave them proves nothing. */
    config.token = i % 2 ? (const uint8_t *)"let me in" : NULL;
    config.token_len = i % 2 ? 9 : 0;
    sim_world_abandon(world, capture_first_flight(world, &config));
    from = sim_network_spare_address(world->network);
    heard[i] = sim_network_listen(world->network, &from);
    assert_non_null(heard[i]);
    sent[i] = 0;
    for (j = 0; j < kept.count; ++j) {
      sim_network_inject(world->network, &from, kept.data[j], kept.len[j], 0);
      sent[i] += kept.len[j];
    }
    bystander_go_on(&by);
  }
  assert_int_equal(sim_world_pass(world, 15 * SIM_SECOND), 0);
  for (i = 0; i < 20; ++i) {
    /* It did answer, or the test would show nothing. */
    assert_true(heard[i]->octets > 0);
    assert_true(heard[i]->octets <= 3 * sent[i]);
  }
  bystander_end(&by, world);
  assert_int_equal(quic_endpoint_connections(world->endpoint), 1);
  check_world_end(world);
}

/* Somebody else's packets, sent again from another place, do not move the
   connection away. */
static capture overheard;

static void test_replayed_elsewhere(void **state) {
  sim_world *world = check_world(29);
  udp_address thief = sim_network_spare_address(world->network);
  const sim_heard *heard = sim_network_listen(world->network, &thief);
  uint64_t sent = 0;
  size_t i;

  (void)state;
  assert_non_null(heard);
  bystander_begin(&by, world);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  /* Take what the bystander sends, and deliver it from elsewhere first. */
  memset(&overheard, 0, sizeof(overheard));
  overheard.armed = 1;
  sim_network_set_filter(world->network, keep_packet, &overheard);
  bystander_go_on(&by);
  assert_int_equal(sim_world_pass(world, 0), 0);
  sim_network_set_filter(world->network, NULL, NULL);
  assert_true(overheard.count > 0);
  for (i = 0; i < overheard.count; ++i) {
    sim_network_inject(world->network, &thief, overheard.data[i],
                       overheard.len[i], 0);
    sent += overheard.len[i];
    sim_network_inject(world->network, &overheard.client, overheard.data[i],
                       overheard.len[i], 5 * SIM_MILLISECOND);
  }
  assert_int_equal(sim_world_pass(world, 2 * SIM_SECOND), 0);
  for (i = 0; i < 10; ++i) {
    bystander_go_on(&by);
    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  }
  bystander_end(&by, world);
  assert_true(heard->octets <= 3 * sent);
  check_world_end(world);
}

/* A short header that belongs to nobody: a stateless reset, smaller than what
   it answers, and silence where two could answer each other for ever. */
static void test_stateless_reset(void **state) {
  sim_world *world = check_world(30);
  udp_address from = sim_network_spare_address(world->network);
  const sim_heard *heard = sim_network_listen(world->network, &from);
  sim_random *random = sim_network_random(world->network);
  uint8_t data[1200];
  uint64_t before;
  size_t len;

  (void)state;
  assert_non_null(heard);
  bystander_begin(&by, world);
  for (len = 1; len <= 1200; ++len) {
    sim_random_fill(random, data, len);
    data[0] = (uint8_t)((data[0] & 0x3f) | 0x40);
    before = heard->octets;
    sim_network_inject(world->network, &from, data, len, 0);
    assert_int_equal(sim_world_pass(world, 30 * SIM_MILLISECOND), 0);
    assert_true(heard->octets - before < len);
    /* A smaller one could not be told from a packet (RFC 9000 section
       10.3), or would be answered by a reset. */
    assert_true(heard->octets == before || heard->octets - before >= 41);
  }
  assert_true(heard->datagrams > 0);
  bystander_end(&by, world);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_packets),
      cmocka_unit_test(test_truncated_and_changed_initials),
      cmocka_unit_test(test_mangled_connection),
      cmocka_unit_test(test_split_client_hello),
      cmocka_unit_test(test_abandoned_handshakes),
      cmocka_unit_test(test_wrong_alpn),
      cmocka_unit_test(test_wrong_hash),
      cmocka_unit_test(test_version_negotiation),
      cmocka_unit_test(test_spoofed_sources),
      cmocka_unit_test(test_replayed_elsewhere),
      cmocka_unit_test(test_stateless_reset),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
