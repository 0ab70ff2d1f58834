/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/measure.h"

#include "server/webtransport/error_code.h"
#include "tests/sim/check.h"

static uint8_t noise[300000];

static sim_peer *come(sim_world *world, const char *path, int64_t *session) {
  sim_peer *peer = sim_world_connect(world, "h3");

  assert_non_null(peer);
  *session = sim_world_session(world, peer, path);
  assert_true(*session >= 0);
  return peer;
}

static void check_source(const sim_peer_stream *stream, size_t len) {
  size_t i;

  assert_int_equal(stream->len, len);
  for (i = 0; i < len; ++i) {
    assert_int_equal(stream->data[i], i % 251);
  }
}

static void test_sink(void **state) {
  sim_world *world = check_world(90);
  int64_t session, bidi, uni;
  sim_peer *peer = come(world, "/sink", &session);

  (void)state;
  assert_int_equal(sim_client_open_bidi(peer->client, session, &bidi), 0);
  assert_int_equal(sim_client_open_uni(peer->client, session, &uni), 0);
  assert_int_equal(
      sim_client_stream_write(peer->client, bidi, noise, sizeof(noise), 1), 0);
  assert_int_equal(
      sim_client_stream_write(peer->client, uni, noise, sizeof(noise), 1), 0);
  assert_int_equal(
      sim_client_datagram(peer->client, session, (const uint8_t *)"x", 1), 0);
  RUN_UNTIL(world, sim_is_stream_ended, peer, bidi);
  check_bytes(sim_peer_find_stream(peer, bidi), "300000", 6);
  assert_int_equal(peer->ndatagrams, 0);
  check_world_end(world);
}

static void test_source(void **state) {
  sim_world *world = check_world(91);
  int64_t session, bidi;
  sim_peer *peer = come(world, "/source?streams=3&bytes=700001", &session);
  size_t i, n = 0;

  (void)state;
  RUN_UNTIL(world, sim_is_server_streams, peer, 3);
  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].by_server && peer->streams[i].session == session) {
      check_source(&peer->streams[i], 700001);
      ++n;
    }
  }
  assert_int_equal(n, 3);
  assert_int_equal(sim_client_open_bidi(peer->client, session, &bidi), 0);
  assert_int_equal(
      sim_client_stream_write(peer->client, bidi, (const uint8_t *)"go", 2, 1),
      0);
  RUN_UNTIL(world, sim_is_stream_ended, peer, bidi);
  check_source(sim_peer_find_stream(peer, bidi), 700001);
  check_world_end(world);
}

/* More streams than the client allows at a time; all come in the end. */
static void test_source_blocked(void **state) {
  sim_world *world = check_world(92);
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  (void)state;
  config.max_streams = 5;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_settings, peer, 0);
  assert_true(sim_world_session(world, peer, "/source?streams=20&bytes=10") >=
              0);
  RUN_UNTIL(world, sim_is_server_streams, peer, 20);
  check_world_end(world);
}

/* Without an end, until it is stopped. */
static void test_source_is_stopped(void **state) {
  sim_world *world = check_world(93);
  int64_t session;
  sim_peer *peer = come(world, "/source", &session);
  sim_peer_stream *stream = NULL;
  size_t i, len;

  (void)state;
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].by_server && peer->streams[i].session == session) {
      stream = &peer->streams[i];
    }
  }
  assert_non_null(stream);
  assert_true(stream->len > 1000000);
  assert_int_equal(
      sim_client_stream_stop(peer->client, stream->id, wt_error_to_h3(9)), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_true(stream->reset);
  len = stream->len;
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(stream->len, len);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sink),
      cmocka_unit_test(test_source),
      cmocka_unit_test(test_source_blocked),
      cmocka_unit_test(test_source_is_stopped),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
