/* SPDX-License-Identifier: Apache-2.0 */
/* What would wear the server out, or a connection, if it added up. */
#include "tests/sim/check.h"

#define BYTES(TEXT) (const uint8_t *)TEXT, sizeof(TEXT) - 1

/* The control stream's type and the SETTINGS that WebTransport needs. */
#define SETTINGS "\x00\x04\x09\x08\x01\x33\x01\xab\x60\x37\x42\x01"
/* :method GET, :scheme https, :path /, :authority a */
#define GET "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01\x61"
/* :method CONNECT, :scheme https, :path /echo, :authority a,
   :protocol webtransport */
#define CONNECT                                                                \
  "\x01\x26\x00\x00\xcf\xd7\x51\x05/echo\x50\x01\x61\x27\x02:protocol"         \
  "\x0cwebtransport"
/* CLOSE with code 9 and the reason "x" in a DATA frame. */
#define CLOSE "\x00\x08\x68\x43\x05\x00\x00\x00\x09x"

static sim_world *small_world(uint64_t seed) {
  quic_conn_limits limits;
  sim_world *world;

  quic_conn_limits_default(&limits);
  limits.streams_bidi = 4;
  limits.streams_uni = 8;
  world = sim_world_new(seed, &limits);
  assert_non_null(world);
  return world;
}

static sim_peer *connect_raw(sim_world *world, const char *alpn,
                             uint64_t max_streams) {
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  config.mode = SIM_MODE_RAW;
  config.alpn = alpn;
  config.max_streams = max_streams;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  return peer;
}

static int64_t say(sim_peer *peer, int bidi, const uint8_t *data, size_t len,
                   int fin) {
  int64_t id;

  assert_int_equal(bidi
                       ? sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id)
                       : sim_client_open_uni(peer->client, SIM_NO_SESSION, &id),
                   0);
  assert_int_equal(sim_client_stream_write(peer->client, id, data, len, fin),
                   0);
  return id;
}

/* Unidirectional streams are answered on others.  A client that never lets
   them out makes work that waits, and so may open no more itself. */
static void test_streams_without_a_way_back(void **state) {
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  sim_world *world = small_world(70);
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;
  int64_t session, id;
  size_t opened = 0;
  int round;

  (void)state;
  /* Enough for SETTINGS, the response and a few of them. */
  config.window = 400;
  config.hold_windows = 1;
  config.max_streams = 3;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  RUN_UNTIL(world, sim_is_answered, peer, session);
  for (round = 0; round < 100; ++round) {
    while (sim_client_open_uni(peer->client, session, &id) == 0) {
      sim_client_stream_write(peer->client, id, NULL, 0, 1);
      ++opened;
    }
    assert_int_equal(sim_world_pass(world, 100 * SIM_MILLISECOND), 0);
  }
  assert_false(peer->closed);
  assert_in_range(opened, 8, 200);
  check_world_end(world);
}

/* The same for raw QUIC, with the streams' windows in the way. */
static void test_raw_streams_without_a_way_back(void **state) {
  sim_world *world = small_world(71);
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;
  int64_t id;
  size_t opened = 0;
  int round;

  (void)state;
  config.mode = SIM_MODE_RAW;
  config.alpn = "echo";
  config.window = 1;
  config.stream_window = 1;
  config.hold_windows = 1;
  config.max_streams = 1;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  for (round = 0; round < 100; ++round) {
    while (sim_client_open_uni(peer->client, SIM_NO_SESSION, &id) == 0) {
      sim_client_stream_write(peer->client, id, BYTES("ab"), 1);
      ++opened;
    }
    assert_int_equal(sim_world_pass(world, 100 * SIM_MILLISECOND), 0);
  }
  assert_false(peer->closed);
  assert_in_range(opened, 8, 20);
  check_world_end(world);
}

/* But whoever reads gets all of them, however few at a time. */
static void test_streams_with_a_narrow_way_back(void **state) {
  static const char *const alpns[] = {"echo", "h3"};
  size_t a, i;

  (void)state;
  for (a = 0; a < 2; ++a) {
    sim_world *world = small_world(72 + a);
    sim_client_config config = sim_world_config(world);
    int64_t session = SIM_NO_SESSION, id;
    sim_peer *peer;

    config.mode = a ? SIM_MODE_H3 : SIM_MODE_RAW;
    config.alpn = alpns[a];
    config.max_streams = 1;
    peer = sim_world_add(world, &config);
    assert_non_null(peer);
    RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
    if (a) {
      session = sim_world_session(world, peer, "/echo");
      assert_true(session >= 0);
    }
    for (i = 0; i < 200;) {
      while (i < 200 && sim_client_open_uni(peer->client, session, &id) == 0) {
        sim_client_stream_write(peer->client, id, BYTES("there and back"), 1);
        ++i;
      }
      assert_int_equal(sim_world_pass(world, 20 * SIM_MILLISECOND), 0);
    }
    RUN_UNTIL(world, sim_is_server_streams, peer, 200);
    assert_false(peer->closed);
    check_world_end(world);
  }
}

/* Streams that are abandoned at whatever point are over for the server too:
   else the client could soon open no more. */
static void test_abandoned_streams_end(void **state) {
  static const struct {
    const char *alpn;
    const char *data;
    size_t len;
  } cases[] = {
      {"echo", "", 0},
      {"echo", "x", 1},
      {"h3", "", 0},
      /* In the first varint; in WebTransport's prefix; behind it. */
      {"h3", "\x40", 1},
      {"h3", "\x40\x41", 2},
      {"h3", "\x40\x41\x40\x40x", 5},
      /* In a frame that is unknown; in HEADERS; behind them. */
      {"h3", "\x21\x05x", 3},
      {"h3", "\x01\x08\x00", 3},
      {"h3", GET, sizeof(GET) - 1},
      {"h3", CONNECT, sizeof(CONNECT) - 1},
      {"h3", CONNECT "\x00\x04\x68\x43", sizeof(CONNECT) + 3},
  };
  size_t c;

  (void)state;
  for (c = 0; c < sizeof(cases) / sizeof(cases[0]); ++c) {
    sim_world *world = small_world(80 + c);
    sim_peer *peer = connect_raw(world, cases[c].alpn, 0);
    int i;

    if (c % 2) {
      say(peer, 0, BYTES(SETTINGS), 0);
    }
    for (i = 0; i < 12; ++i) {
      int64_t id =
          say(peer, 1, (const uint8_t *)cases[c].data, cases[c].len, 0);

      if (cases[c].len) {
        assert_int_equal(sim_world_pass(world, 100 * SIM_MILLISECOND), 0);
      }
      sim_client_stream_reset(peer->client, id, SIM_H3_NO_ERROR);
      assert_int_equal(sim_world_pass(world, 200 * SIM_MILLISECOND), 0);
      assert_false(peer->closed);
      assert_true(sim_peer_find_stream(peer, id)->closed);
    }
    check_world_end(world);
  }
}

/* Abandoned before its session came: it is not forgotten when that comes. */
static void test_early_stream_abandoned(void **state) {
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  sim_world *world = small_world(95);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session, id;

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_client_session_reserve(peer->client, &session), 0);
  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  sim_client_stream_write(peer->client, id, BYTES("early"), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  sim_client_stream_reset(peer->client, id, sim_wt_error(1));
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(sim_client_session_request(peer->client, session, &request),
                   0);
  RUN_UNTIL(world, sim_is_answered, peer, session);
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_true(sim_peer_find_stream(peer, id)->closed);
  check_echo(world, peer, session, "on time", 7);
  check_world_end(world);
}

/* What a session says while its request waits for SETTINGS is not lost. */
static void test_capsules_before_settings(void **state) {
  static const char whole[] = CONNECT CLOSE;
  sim_world *world = small_world(96);
  size_t cut;

  (void)state;
  for (cut = sizeof(CONNECT) - 1; cut < sizeof(whole); ++cut) {
    sim_peer *peer = connect_raw(world, "h3", 0);
    size_t before = world->sessions_closed;
    int64_t id = say(peer, 1, (const uint8_t *)whole, cut, 0);

    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
    say(peer, 0, BYTES(SETTINGS), 0);
    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
    sim_client_stream_write(peer->client, id, (const uint8_t *)whole + cut,
                            sizeof(whole) - 1 - cut, 1);
    RUN_UNTIL(world, sim_is_stream_ended, peer, id);
    assert_int_equal(world->sessions_closed, before + 1);
    assert_string_equal(world->last_close.by, "client");
    assert_int_equal(world->last_close.code, 9);
    assert_string_equal(world->last_close.reason, "x");
    assert_false(peer->closed);
    sim_client_close(peer->client, SIM_H3_NO_ERROR, NULL);
  }
  check_world_end(world);
}

/* The FIN too. */
static void test_end_before_settings(void **state) {
  static const char whole[] = CONNECT CLOSE;
  sim_world *world = small_world(97);
  size_t i;

  (void)state;
  for (i = 0; i < 2; ++i) {
    sim_peer *peer = connect_raw(world, "h3", 0);
    int64_t id = say(peer, 1, (const uint8_t *)whole,
                     (i ? sizeof(whole) : sizeof(CONNECT)) - 1, 1);

    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
    say(peer, 0, BYTES(SETTINGS), 0);
    RUN_UNTIL(world, sim_is_stream_ended, peer, id);
    assert_int_equal(world->sessions_closed, i + 1);
    assert_string_equal(world->last_close.by, "client");
    assert_int_equal(world->last_close.code, i ? 9 : 0);
    assert_false(peer->closed);
  }
  check_world_end(world);
}

/* A priority (RFC 9218 section 7.2) for any stream that is allowed by now. */
static void test_priority_of_later_streams(void **state) {
  sim_world *world = small_world(98);
  sim_peer *peer = connect_raw(world, "h3", 0);
  int64_t control = say(peer, 0, BYTES(SETTINGS), 0), id;
  int i;

  (void)state;
  for (i = 0; i < 12; ++i) {
    id = say(peer, 1, BYTES(GET), 1);
    RUN_UNTIL(world, sim_is_stream_ended, peer, id);
    assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  }
  /* Stream 48 is the next. */
  sim_client_stream_write(peer->client, control,
                          BYTES("\x80\x0f\x07\x00\x04\x30u=1"), 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_false(peer->closed);
  /* Stream 400 is not. */
  sim_client_stream_write(peer->client, control,
                          BYTES("\x80\x0f\x07\x00\x05\x41\x90u=1"), 0);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_true(peer->end.error_code == SIM_H3_ID_ERROR);
  check_world_end(world);
}

/* A session keeps its connection; without one it times out. */
static void test_idle_without_sessions(void **state) {
  sim_world *world = small_world(99);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  assert_int_equal(sim_world_pass(world, 100 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_connections(world->endpoint), 1);
  check_echo(world, peer, session, "still", 5);
  assert_int_equal(sim_client_session_close(peer->client, session, 0, NULL), 0);
  assert_int_equal(sim_world_pass(world, 100 * SIM_SECOND), 0);
  assert_int_equal(quic_endpoint_connections(world->endpoint), 0);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_streams_without_a_way_back),
      cmocka_unit_test(test_raw_streams_without_a_way_back),
      cmocka_unit_test(test_streams_with_a_narrow_way_back),
      cmocka_unit_test(test_abandoned_streams_end),
      cmocka_unit_test(test_early_stream_abandoned),
      cmocka_unit_test(test_capsules_before_settings),
      cmocka_unit_test(test_end_before_settings),
      cmocka_unit_test(test_priority_of_later_streams),
      cmocka_unit_test(test_idle_without_sessions),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
