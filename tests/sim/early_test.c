/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and datagrams of sessions that are not there yet, or not any more. */
#include "tests/sim/check.h"

static bystander by;

/* Streams and datagrams that come before their session wait for it. */
static void test_streams_before_the_session(void **state) {
  sim_world *world = check_world(54);
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  int64_t session, bidi[4], uni;
  sim_peer *peer;
  size_t i;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  for (i = 0; i < 4; ++i) {
    assert_int_equal(sim_client_open_bidi(peer->client, session, &bidi[i]), 0);
    sim_client_stream_write(peer->client, bidi[i], (const uint8_t *)"early", 5,
                            1);
  }
  assert_int_equal(sim_client_open_uni(peer->client, session, &uni), 0);
  sim_client_stream_write(peer->client, uni, (const uint8_t *)"uni", 3, 1);
  assert_int_equal(
      sim_client_datagram(peer->client, session, (const uint8_t *)"d", 1), 0);
  assert_int_equal(sim_world_pass(world, 2 * SIM_SECOND), 0);
  for (i = 0; i < 4; ++i) {
    assert_false(sim_is_stream_ended(peer, bidi[i]));
  }
  assert_false(peer->closed);
  bystander_go_on(&by);

  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  RUN_UNTIL(world, sim_is_answered, peer, session);
  assert_int_equal(sim_peer_find_session(peer, session)->status, 200);
  for (i = 0; i < 4; ++i) {
    RUN_UNTIL(world, sim_is_stream_ended, peer, bidi[i]);
    check_bytes(sim_peer_find_stream(peer, bidi[i]), "early", 5);
  }
  RUN_UNTIL(world, sim_is_datagrams, peer, 1);
  RUN_UNTIL(world, sim_is_server_streams, peer, 1);
  bystander_end(&by, world);
  check_world_end(world);
}

/* Whole unidirectional streams for a session that is refused, or that never
   comes. */
static void test_early_streams_in_vain(void **state) {
  sim_world *world = check_world(63);
  const sim_request request = {.authority = "localhost:4433", .path = "/none"};
  int64_t session, never, id;
  sim_peer *peer;
  int i;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  assert_int_equal(sim_client_session_reserve(peer->client, &never), 0);
  for (i = 0; i < 5; ++i) {
    assert_int_equal(sim_client_open_uni(peer->client, session, &id), 0);
    sim_client_stream_write(peer->client, id, (const uint8_t *)"uni", 3, 1);
    assert_int_equal(sim_client_open_uni(peer->client, never, &id), 0);
    sim_client_stream_write(peer->client, id, (const uint8_t *)"uni", 3, 1);
  }
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  RUN_UNTIL(world, sim_is_answered, peer, session);
  assert_int_equal(sim_peer_find_session(peer, session)->status, 404);
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

/* |count| streams of |len| octets before their session.  Some are refused, the
   others come back when the session is there.  Returns how many were refused.
 */
static size_t flood(sim_world *world, size_t count, size_t len) {
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  static uint8_t data[60000];
  int64_t session, ids[110];
  size_t i, rejected = 0, echoed = 0;
  sim_peer *peer;

  assert_true(count <= 110 && len <= sizeof(data));
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  for (i = 0; i < count; ++i) {
    assert_int_equal(sim_client_open_bidi(peer->client, session, &ids[i]), 0);
    sim_client_stream_write(peer->client, ids[i], data, len, 1);
    if (i % 10 == 0) {
      bystander_go_on(&by);
      assert_int_equal(sim_world_pass(world, 100 * SIM_MILLISECOND), 0);
    }
  }
  assert_int_equal(sim_world_pass(world, 3 * SIM_SECOND), 0);
  assert_false(peer->closed);
  for (i = 0; i < count; ++i) {
    const sim_peer_stream *stream = sim_peer_find_stream(peer, ids[i]);

    if (stream->reset || stream->stopped) {
      ++rejected;
      assert_true((stream->reset ? stream->reset_code : stream->stopped_code) ==
                  SIM_WT_BUFFERED_STREAM_REJECTED);
    }
  }
  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  assert_int_equal(sim_world_pass(world, 10 * SIM_SECOND), 0);
  for (i = 0; i < count; ++i) {
    echoed += sim_peer_find_stream(peer, ids[i])->fin &&
              sim_peer_find_stream(peer, ids[i])->len == len;
  }
  assert_int_equal(echoed + rejected, count);
  assert_true(echoed > 0);
  assert_false(peer->closed);
  bystander_end(&by, world);
  return rejected;
}

/* Too many of them, and too much in them: both have a limit of their own. */
static void test_many_early_streams(void **state) {
  sim_world *world = check_world(55);

  (void)state;
  assert_true(flood(world, 110, 1) > 0);
  check_world_end(world);
}

static void test_much_in_early_streams(void **state) {
  sim_world *world = check_world(64);

  (void)state;
  assert_true(flood(world, 12, 60000) > 0);
  check_world_end(world);
}

/* Streams that come after their session has gone. */
static void test_streams_after_the_session(void **state) {
  sim_world *world = check_world(56);
  const sim_peer_stream *stream;
  sim_peer *peer;
  int64_t session, id;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_int_equal(sim_client_session_close(peer->client, session, 0, NULL), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  sim_client_stream_write(peer->client, id, (const uint8_t *)"late", 4, 0);
  sim_client_datagram(peer->client, session, (const uint8_t *)"late", 4);
  assert_int_equal(sim_world_pass(world, 3 * SIM_SECOND), 0);
  stream = sim_peer_find_stream(peer, id);
  assert_true(stream->reset || stream->stopped);
  assert_true((stream->reset ? stream->reset_code : stream->stopped_code) ==
              SIM_WT_SESSION_GONE);
  assert_int_equal(peer->ndatagrams, 0);
  assert_false(peer->closed);
  session = sim_world_session(world, peer, "/echo");
  check_echo(world, peer, session, "new", 3);
  bystander_end(&by, world);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_streams_before_the_session),
      cmocka_unit_test(test_early_streams_in_vain),
      cmocka_unit_test(test_many_early_streams),
      cmocka_unit_test(test_much_in_early_streams),
      cmocka_unit_test(test_streams_after_the_session),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
