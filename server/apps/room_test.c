/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/room.h"

#include "server/webtransport/error_code.h"
#include "tests/sim/check.h"

#define PEERS 4

typedef struct guest {
  sim_peer *peer;
  int64_t session;
} guest;

static guest enter(sim_world *world, sim_peer *peer, const char *path) {
  guest g = {peer, -1};

  assert_non_null(peer);
  g.session = sim_world_session(world, peer, path);
  assert_true(g.session >= 0);
  return g;
}

static guest come(sim_world *world, const char *path) {
  return enter(world, sim_world_connect(world, "h3"), path);
}

static int64_t open_uni(const guest *g) {
  int64_t id;

  assert_int_equal(sim_client_open_uni(g->peer->client, g->session, &id), 0);
  return id;
}

static void send_octets(const guest *g, int64_t stream, const char *text,
                        int fin) {
  assert_int_equal(sim_client_stream_write(g->peer->client, stream,
                                           (const uint8_t *)text, strlen(text),
                                           fin),
                   0);
}

/* The |i|th stream that the server opened to |g|; NULL if there is none. */
static sim_peer_stream *nth(const guest *g, size_t i) {
  size_t n;

  for (n = 0; n < g->peer->nstreams; ++n) {
    sim_peer_stream *stream = &g->peer->streams[n];

    if (stream->by_server && stream->session == g->session && i-- == 0) {
      return stream;
    }
  }
  return NULL;
}

static void pass(sim_world *world) {
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
}

static void test_datagrams(void **state) {
  sim_world *world = check_world(80);
  guest room[PEERS], other;
  size_t i;

  (void)state;
  for (i = 0; i < PEERS; ++i) {
    room[i] = come(world, "/room?name=blue");
  }
  other = come(world, "/room?name=red");
  assert_int_equal(sim_client_datagram(room[1].peer->client, room[1].session,
                                       (const uint8_t *)"hello", 5),
                   0);
  pass(world);
  for (i = 0; i < PEERS; ++i) {
    assert_int_equal(room[i].peer->ndatagrams, i == 1 ? 0 : 1);
    if (i != 1) {
      assert_int_equal(room[i].peer->datagrams[0].len, 5);
      assert_memory_equal(room[i].peer->datagrams[0].data, "hello", 5);
      assert_int_equal(room[i].peer->datagrams[0].session, room[i].session);
    }
  }
  assert_int_equal(other.peer->ndatagrams, 0);
  check_world_end(world);
}

/* Two sessions of one connection are two peers. */
static void test_sessions_of_one_connection(void **state) {
  sim_world *world = check_world(81);
  guest a = come(world, "/room"), b = enter(world, a.peer, "/room");
  int64_t id;

  (void)state;
  id = open_uni(&a);
  send_octets(&a, id, "to myself", 1);
  pass(world);
  assert_null(nth(&a, 0));
  assert_non_null(nth(&b, 0));
  assert_true(nth(&b, 0)->fin);
  check_bytes(nth(&b, 0), "to myself", 9);
  check_world_end(world);
}

static void test_streams(void **state) {
  sim_world *world = check_world(82);
  guest a = come(world, "/room"), b = come(world, "/room"),
        c = come(world, "/room");
  int64_t uni, bidi;

  (void)state;
  uni = open_uni(&a);
  send_octets(&a, uni, "one", 0);
  pass(world);
  check_bytes(nth(&b, 0), "one", 3);
  assert_false(nth(&b, 0)->fin);
  send_octets(&a, uni, ", two", 1);
  pass(world);
  check_bytes(nth(&b, 0), "one, two", 8);
  check_bytes(nth(&c, 0), "one, two", 8);
  assert_true(nth(&b, 0)->fin);
  assert_true(nth(&c, 0)->fin);

  assert_int_equal(sim_client_open_bidi(b.peer->client, b.session, &bidi), 0);
  send_octets(&b, bidi, "both ways", 1);
  pass(world);
  check_bytes(nth(&a, 0), "both ways", 9);
  check_bytes(nth(&c, 1), "both ways", 9);
  assert_true(sim_peer_find_stream(b.peer, bidi)->fin);
  assert_int_equal(sim_peer_find_stream(b.peer, bidi)->len, 0);
  check_world_end(world);
}

static void test_reset_is_passed_on(void **state) {
  sim_world *world = check_world(83);
  guest a = come(world, "/room"), b = come(world, "/room");
  int64_t id = open_uni(&a);

  (void)state;
  send_octets(&a, id, "begun", 0);
  pass(world);
  assert_int_equal(
      sim_client_stream_reset(a.peer->client, id, wt_error_to_h3(77)), 0);
  pass(world);
  assert_true(nth(&b, 0)->reset);
  assert_true(nth(&b, 0)->reset_code == wt_error_to_h3(77));
  check_world_end(world);
}

/* Who leaves in the middle of a stream leaves the others theirs. */
static void test_leaving(void **state) {
  sim_world *world = check_world(84);
  guest a = come(world, "/room"), b = come(world, "/room"),
        c = come(world, "/room");
  int64_t id = open_uni(&a);

  (void)state;
  send_octets(&a, id, "begun", 0);
  pass(world);
  sim_client_close(b.peer->client, SIM_H3_NO_ERROR, NULL);
  pass(world);
  send_octets(&a, id, ", done", 1);
  pass(world);
  check_bytes(nth(&c, 0), "begun, done", 11);
  assert_true(nth(&c, 0)->fin);

  /* The sender goes in the middle. */
  id = open_uni(&a);
  send_octets(&a, id, "again", 0);
  pass(world);
  sim_client_close(a.peer->client, SIM_H3_NO_ERROR, NULL);
  pass(world);
  assert_true(nth(&c, 1)->reset);
  check_world_end(world);
}

/* One who stops a stream gets no more of it, and the others do. */
static void test_stop_sending(void **state) {
  sim_world *world = check_world(85);
  guest a = come(world, "/room"), b = come(world, "/room"),
        c = come(world, "/room");
  int64_t id = open_uni(&a);

  (void)state;
  send_octets(&a, id, "begun", 0);
  pass(world);
  assert_int_equal(
      sim_client_stream_stop(b.peer->client, nth(&b, 0)->id, wt_error_to_h3(5)),
      0);
  pass(world);
  send_octets(&a, id, ", done", 1);
  pass(world);
  assert_false(nth(&b, 0)->fin);
  assert_true(nth(&b, 0)->reset);
  check_bytes(nth(&c, 0), "begun, done", 11);
  check_world_end(world);
}

/* A peer that never reads loses the stream; the sender and the others have all
   of it, without waiting. */
static void test_slow_peer(void **state) {
  static uint8_t noise[64 * 1024];
  sim_world *world = check_world(86);
  guest a = come(world, "/room"), b = come(world, "/room"), slow;
  sim_client_config config = sim_world_config(world);
  sim_random random;
  size_t total = 0;
  sim_peer *peer;
  int64_t id;
  int i;

  (void)state;
  config.hold_windows = 1;
  config.stream_window = 1000;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_settings, peer, 0);
  slow = enter(world, peer, "/room");
  sim_random_seed(&random, 86);
  sim_random_fill(&random, noise, sizeof(noise));
  id = open_uni(&a);
  for (i = 0; i < 10; ++i) {
    assert_int_equal(sim_client_stream_write(a.peer->client, id, noise,
                                             sizeof(noise), i == 9),
                     0);
    total += sizeof(noise);
    pass(world);
  }
  assert_int_equal(nth(&b, 0)->len, total);
  assert_true(nth(&b, 0)->fin);
  assert_true(nth(&slow, 0)->reset);
  assert_true(nth(&slow, 0)->reset_code == wt_error_to_h3(ROOM_TOO_SLOW));
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_datagrams),
      cmocka_unit_test(test_sessions_of_one_connection),
      cmocka_unit_test(test_streams),
      cmocka_unit_test(test_reset_is_passed_on),
      cmocka_unit_test(test_leaving),
      cmocka_unit_test(test_stop_sending),
      cmocka_unit_test(test_slow_peer),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
