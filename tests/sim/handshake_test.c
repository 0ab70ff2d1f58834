/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes that come in pieces, by the thousand, or to a server that was
   started anew. */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

#include <stdlib.h>

static sim_bare *begin(uint64_t seed) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

/* ---- In pieces ---- */

/* A ClientHello, said again in two pieces. */
typedef struct splitter {
  uint8_t hello[1100];
  size_t len;
  /* Where it is cut; whether the second piece comes first; whether both come in
     one packet. */
  size_t cut;
  int reversed;
  int together;
  int initials;
} splitter;

/* One CRYPTO frame with [from, to) of the ClientHello; octets written. */
static size_t put(const splitter *s, uint8_t *dest, size_t from, size_t to) {
  dest[0] = 6;
  dest[1] = (uint8_t)(0x40 | from >> 8);
  dest[2] = (uint8_t)from;
  dest[3] = (uint8_t)(0x40 | (to - from) >> 8);
  dest[4] = (uint8_t)(to - from);
  memcpy(dest + 5, s->hello + from, to - from);
  return 5 + to - from;
}

static uint64_t varint(const uint8_t *data, size_t *at) {
  size_t n = (size_t)1 << (data[*at] >> 6);
  uint64_t value = data[(*at)++] & 0x3f;

  while (--n > 0) {
    value = value << 8 | data[(*at)++];
  }
  return value;
}

/* Keeps what the CRYPTO frames of the first Initial hold. */
static void learn(splitter *s, const uint8_t *frames, size_t len) {
  uint64_t offset, n;
  size_t at = 0;

  while (at < len) {
    switch (frames[at]) {
    case 0:
    case 1:
      ++at;
      break;
    case 6:
      ++at;
      offset = varint(frames, &at);
      n = varint(frames, &at);
      assert_true(offset + n <= sizeof(s->hello));
      memcpy(s->hello + offset, frames + at, (size_t)n);
      at += (size_t)n;
      if (offset + n > s->len) {
        s->len = (size_t)(offset + n);
      }
      break;
    default:
      return;
    }
  }
}

static void split(void *user, uint8_t head, uint8_t *frames, size_t len) {
  splitter *s = user;
  size_t n = 0;

  if ((head & 0xf0) != 0xc0 || len < 1000) {
    return;
  }
  if (s->initials++ == 0) {
    learn(s, frames, len);
    assert_true(s->len > 100 && s->len + 10 < len);
    if (s->cut >= s->len) {
      s->cut = s->len - 1;
    }
  }
  if (s->together) {
    n = s->reversed ? put(s, frames, s->cut, s->len)
                    : put(s, frames, 0, s->cut);
    n += s->reversed ? put(s, frames + n, 0, s->cut)
                     : put(s, frames + n, s->cut, s->len);
  } else if (s->initials % 2 == (s->reversed ? 0 : 1)) {
    n = put(s, frames, 0, s->cut);
  } else {
    n = put(s, frames, s->cut, s->len);
  }
  memset(frames + n, 0, len - n);
}

static int mute(sim_network *network, const sim_packet *packet, void *user) {
  const int *muted = user;

  (void)network;
  return *muted && !packet->to_server;
}

/* Cut after |cut| octets.  The length of the ClientHello. */
static size_t check_split(sim_bare *bare, size_t cut, int reversed,
                          int together) {
  sim_client_config config = sim_bare_config(bare);
  splitter s = {.cut = cut, .reversed = reversed, .together = together};
  uint64_t accepted = sim_bare_counters(bare)->connections_accepted;
  uint64_t retries = sim_bare_counters(bare)->retries_sent;
  int muted = !together && !reversed;
  sim_peer *peer;

  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  sim_client_set_tamper(peer->client, split, &s);
  /* The client does not hear that its first packet came, so it says it all
     again: that is how the other piece comes. */
  sim_network_set_filter(bare->network, mute, &muted);
  assert_int_equal(sim_bare_pass(bare, 100 * SIM_MILLISECOND), 0);
  while (muted && s.initials < 2) {
    assert_int_equal(sim_bare_pass(bare, 50 * SIM_MILLISECOND), 0);
  }
  muted = 0;
  if (sim_bare_until(bare, sim_is_confirmed, peer, 0) != 0) {
    fail_msg("cut at %zu%s%s", cut, reversed ? ", reversed" : "",
             together ? ", together" : "");
  }
  if (!reversed || together) {
    assert_int_equal(sim_bare_counters(bare)->connections_accepted,
                     accepted + 1);
  } else {
    /* Nothing of it can be kept: it is asked to come again, at once. */
    assert_int_equal(sim_bare_counters(bare)->retries_sent, retries + 1);
  }
  assert_true(sim_bare_echoes(bare, peer, 100));
  sim_network_set_filter(bare->network, NULL, NULL);
  sim_client_close(peer->client, 0, NULL);
  assert_int_equal(sim_bare_pass(bare, 50 * SIM_MILLISECOND), 0);
  sim_bare_drop(bare, peer);
  return s.len;
}

static void check_splits(uint64_t seed, int reversed, int together) {
  sim_bare *bare = begin(seed);
  size_t cut, len = 2;

  for (cut = 1; cut < len; ++cut) {
    len = check_split(bare, cut, reversed, together);
  }
  assert_true(len > 100);
  assert_int_equal(sim_bare_counters(bare)->handshakes_failed, 0);
  sim_bare_free(bare);
}

static void test_split_in_one_packet(void **state) {
  (void)state;
  check_splits(1, 0, 1);
  check_splits(2, 1, 1);
}

static void test_split_in_two_packets(void **state) {
  (void)state;
  check_splits(3, 0, 0);
}

static void test_second_piece_first(void **state) {
  (void)state;
  check_splits(4, 1, 0);
}

/* ---- By the thousand ---- */

#define THOUSANDS 2000

typedef struct capture {
  size_t len;
  uint8_t data[1500];
} capture;

static int take(sim_network *network, const sim_packet *packet, void *user) {
  capture *into = user;

  (void)network;
  if (!packet->to_server) {
    return 0;
  }
  if (into->len == 0) {
    memcpy(into->data, packet->data, packet->len);
    into->len = packet->len;
  }
  return 1;
}

/* The Initial of somebody who is gone at once. */
static void capture_initial(sim_bare *bare, capture *into) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer;

  into->len = 0;
  sim_network_set_filter(bare->network, take, into);
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, 0), 0);
  sim_network_set_filter(bare->network, NULL, NULL);
  assert_true(into->len > 0);
  sim_bare_drop(bare, peer);
}

/* As many as there may be, and no more; from that on all others show first
   that they are there, and those that do are served. */
static void check_abandoned(quic_retry retry, size_t handshakes_max,
                            size_t expected) {
  sim_bare *bare = sim_bare_new(10 + (uint64_t)retry);
  static capture initial;
  size_t before, each, i;
  udp_address from;
  sim_peer *peer;
  int64_t id;

  assert_non_null(bare);
  bare->config.retry = retry;
  bare->config.handshakes_max = handshakes_max;
  assert_int_equal(sim_bare_start(bare), 0);
  peer = sim_bare_connect(bare);
  assert_non_null(peer);
  assert_int_equal(sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id), 0);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  before = bare->octets;
  for (i = 0; i < THOUSANDS; ++i) {
    capture_initial(bare, &initial);
    from = sim_network_spare_address(bare->network);
    sim_network_inject(bare->network, &from, initial.data, initial.len, 0);
    if (i % 100 == 0) {
      assert_int_equal(
          sim_client_stream_write(peer->client, id, initial.data, 100, 0), 0);
      assert_int_equal(sim_bare_pass(bare, 30 * SIM_MILLISECOND), 0);
      assert_int_equal(sim_peer_find_stream(peer, id)->len, i + 100);
    }
  }
  assert_int_equal(sim_bare_pass(bare, 30 * SIM_MILLISECOND), 0);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), expected);
  each = expected ? (bare->most - before) / expected : 0;
  assert_true(each < 64 * 1024);
  if (retry != QUIC_RETRY_NEVER) {
    /* Somebody real gets in among them. */
    assert_non_null(sim_bare_connect(bare));
    assert_int_equal(sim_bare_counters(bare)->retries_sent,
                     THOUSANDS - expected + 1 + (expected == 0));
  }
  assert_int_equal(sim_bare_pass(bare, 25 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_handshakes(bare->endpoint), 0);
  assert_int_equal(sim_bare_counters(bare)->handshakes_failed, expected);
  peer = sim_bare_connect(bare);
  assert_non_null(peer);
  assert_true(sim_bare_echoes(bare, peer, 100));
  /* Tables that have grown stay, the rest is given back. */
  assert_true(bare->octets < before + 600 * 1024);
  sim_bare_free(bare);
}

static void test_abandoned_by_the_thousand(void **state) {
  (void)state;
  check_abandoned(QUIC_RETRY_WHEN_BUSY, 0, QUIC_RETRY_ABOVE);
  check_abandoned(QUIC_RETRY_ALWAYS, 0, 0);
  check_abandoned(QUIC_RETRY_NEVER, 500, 500);
}

/* ---- Started anew ---- */

/* Peers of before a restart are told that their connection is gone, if the
   keys were kept; else they find out by silence. */
static void test_restart(void **state) {
  static const quic_endpoint_keys keys = {{9}, {8}};
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    sim_bare *bare = sim_bare_new(20 + i);
    sim_peer *peer;

    assert_non_null(bare);
    bare->config.keys = i == 0 ? &keys : NULL;
    assert_int_equal(sim_bare_start(bare), 0);
    peer = sim_bare_connect(bare);
    assert_non_null(peer);
    /* It knows other connection IDs than its first by now, and uses one. */
    assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
    assert_int_equal(sim_network_migrate(bare->network, peer->client), 0);
    assert_true(sim_bare_echoes(bare, peer, 100));
    assert_int_equal(sim_bare_start(bare), 0);
    assert_int_equal(
        sim_client_datagram(peer->client, SIM_NO_SESSION,
                            (const uint8_t *)"is there anybody in there?", 26),
        0);
    assert_int_equal(sim_bare_pass(bare, 100 * SIM_MILLISECOND), 0);
    assert_true(sim_bare_counters(bare)->stateless_resets > 0);
    assert_int_equal(peer->closed, i == 0);
    if (i == 0) {
      assert_int_equal(peer->end.by, SIM_CLOSED_RESET);
    }
    sim_bare_free(bare);
  }
}

/* Resets are sent so many a second, and no more. */
static void test_reset_rate(void **state) {
  sim_bare *bare = begin(30);
  udp_address from = sim_network_spare_address(bare->network);
  const sim_heard *heard = sim_network_listen(bare->network, &from);
  uint8_t data[100];
  size_t i, second;

  (void)state;
  assert_non_null(heard);
  for (second = 0; second < 3; ++second) {
    for (i = 0; i < 10000; ++i) {
      sim_random_fill(sim_network_random(bare->network), data, sizeof(data));
      data[0] = 0x40;
      sim_network_inject(bare->network, &from, data, sizeof(data),
                         i * SIM_SECOND / 10000);
    }
    assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  }
  assert_in_range(heard->datagrams, 1000, 1700);
  sim_bare_free(bare);
}

/* ---- The end ---- */

/* CONNECTION_CLOSE from the client: not a word more, and after three probe
   timeouts the connection is forgotten; its packets are strangers then. */
static void test_draining(void **state) {
  sim_bare *bare = begin(31);
  sim_peer *peer = sim_bare_connect(bare);
  uint64_t sent;

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  sim_client_close(peer->client, 77, "bye");
  assert_int_equal(sim_bare_pass(bare, 12 * SIM_MILLISECOND), 0);
  assert_int_equal(quic_endpoint_connections(bare->endpoint), 0);
  assert_int_equal(bare->nends, 1);
  assert_true(quic_endpoint_deadline(bare->endpoint) != UINT64_MAX);
  sent = sim_bare_counters(bare)->datagrams_sent;
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  assert_int_equal(sim_bare_counters(bare)->datagrams_sent, sent);
  assert_int_equal(bare->nends, 1);
  assert_true(bare->last_end.by_peer && bare->last_end.established);
  assert_int_equal(bare->last_end.error_code, 77);
  assert_int_equal(quic_endpoint_deadline(bare->endpoint), UINT64_MAX);
  sim_bare_free(bare);
}

/* CONNECTION_CLOSE from the server: said again to whoever goes on, and less
   and less. */
static void test_closing(void **state) {
  sim_bare *bare = begin(32);
  sim_peer *peer = sim_bare_connect(bare);
  int muted = 1;
  uint64_t sent;
  size_t i;

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_bare_pass(bare, SIM_SECOND), 0);
  sim_network_set_filter(bare->network, mute, &muted);
  quic_endpoint_shutdown(bare->endpoint, sim_network_now(bare->network));
  sent = sim_bare_counters(bare)->datagrams_sent;
  for (i = 0; i < 60; ++i) {
    assert_int_equal(
        sim_client_datagram(peer->client, SIM_NO_SESSION,
                            (const uint8_t *)"nothing is heard of it", 22),
        0);
    assert_int_equal(sim_bare_pass(bare, SIM_MILLISECOND), 0);
  }
  sent = sim_bare_counters(bare)->datagrams_sent - sent;
  assert_in_range(sent, 2, 8);
  muted = 0;
  assert_int_equal(sim_bare_pass(bare, 5 * SIM_SECOND), 0);
  assert_int_equal(bare->nends, 1);
  assert_false(bare->last_end.by_peer);
  sim_bare_free(bare);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_split_in_one_packet),
      cmocka_unit_test(test_split_in_two_packets),
      cmocka_unit_test(test_second_piece_first),
      cmocka_unit_test(test_abandoned_by_the_thousand),
      cmocka_unit_test(test_restart),
      cmocka_unit_test(test_reset_rate),
      cmocka_unit_test(test_draining),
      cmocka_unit_test(test_closing),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
