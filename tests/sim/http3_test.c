/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile HTTP/3 and WebTransport, and nobody else notices.  What is malformed
 * and what it is called: conformance_http3_test.c and
 * conformance_webtransport_test.c.
 */
#include "tests/sim/check.h"

static bystander by;

/* A client with ALPN h3 that says nothing by itself. */
static sim_peer *connect_mute(sim_world *world) {
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  config.mode = SIM_MODE_RAW;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  return peer;
}

static int64_t say(sim_peer *peer, int bidi, const void *data, size_t len,
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

/* Control stream with SETTINGS as Chromium has them. */
#define SETTINGS                                                               \
  "\x00\x04\x11\x33\x01\x80\xff\xd2\x77\x01\xab\x60\x37\x42\x01\x06\x80\x00"   \
  "\x40\x00"
#define SETTINGS_LEN 20

#define BYTES(TEXT) TEXT, sizeof(TEXT) - 1

static void test_unknown_path(void **state) {
  const char *const paths[] = {"/", "/none", "/echo/", "/echo2", "/ECHO", ""};
  sim_world *world = check_world(52);
  sim_peer *peer;
  int64_t session;
  size_t i;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  for (i = 0; i < 5; ++i) {
    session = sim_world_session(world, peer, paths[i]);
    assert_true(session >= 0);
    assert_int_equal(sim_peer_find_session(peer, session)->status, 404);
  }
  session = sim_world_session(world, peer, "/echo");
  check_echo(world, peer, session, "fine", 4);
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

/* A CONNECT for something else than WebTransport. */
static void test_other_protocols(void **state) {
  sim_world *world = check_world(53);
  const char *const protocols[] = {"websocket", "connect-udp", "x"};
  sim_peer *peer = sim_world_connect(world, "h3");
  sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  int64_t session;
  size_t i;

  (void)state;
  assert_non_null(peer);
  for (i = 0; i < 3; ++i) {
    request.protocol = protocols[i];
    assert_int_equal(sim_client_session_open(peer->client, &request, &session),
                     0);
    RUN_UNTIL(world, sim_is_answered, peer, session);
    assert_in_range(sim_peer_find_session(peer, session)->status, 400, 501);
  }
  request.protocol = "webtransport-h3";
  assert_int_equal(sim_client_session_open(peer->client, &request, &session),
                   0);
  RUN_UNTIL(world, sim_is_answered, peer, session);
  assert_int_equal(sim_peer_find_session(peer, session)->status, 200);
  assert_false(peer->closed);
  check_world_end(world);
}

static void test_datagrams_to_nowhere(void **state) {
  sim_world *world = check_world(57);
  sim_peer *peer;
  int64_t session;
  int i;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  for (i = 0; i < 50; ++i) {
    sim_client_datagram(peer->client, 4 * (100 + i), (const uint8_t *)"x", 1);
    assert_int_equal(sim_world_pass(world, 10 * SIM_MILLISECOND), 0);
  }
  assert_int_equal(peer->ndatagrams, 0);
  check_echo(world, peer, session, "fine", 4);
  assert_false(peer->closed);

  /* No quarter stream ID at all (RFC 9297 section 2.1). */
  peer = connect_mute(world);
  say(peer, 0, SETTINGS, SETTINGS_LEN, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_int_equal(sim_client_datagram(peer->client, SIM_NO_SESSION, NULL, 0),
                   0);
  RUN_UNTIL(world, sim_is_closed, peer, 0);
  assert_false(peer->end.local);
  assert_true(peer->end.error_code == SIM_H3_DATAGRAM_ERROR);
  bystander_end(&by, world);
  check_world_end(world);
}

/* A CONNECT comes before the client's SETTINGS: it waits for them, for they
   say whether the client can WebTransport at all.  A GET need not. */
static void test_request_before_settings(void **state) {
  sim_world *world = check_world(58);
  sim_peer *peer = connect_mute(world);
  /* :method GET, :scheme https, :path /, :authority a */
  static const char get[] = "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"
                            "a";
  /* :method CONNECT, :scheme https, :path /echo, :authority a,
     :protocol webtransport */
  static const char connect[] = "\x01\x26\x00\x00\xcf\xd7\x51\x05/echo\x50\x01"
                                "a\x27\x02:protocol\x0cwebtransport";
  int64_t id;

  (void)state;
  id = say(peer, 1, get, sizeof(get) - 1, 1);
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_true(sim_peer_find_stream(peer, id)->len > 0);

  id = say(peer, 1, connect, sizeof(connect) - 1, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_false(peer->closed);
  assert_int_equal(sim_peer_find_stream(peer, id)->len, 0);
  assert_int_equal(world->sessions_opened, 0);
  say(peer, 0, SETTINGS, SETTINGS_LEN, 0);
  assert_int_equal(sim_world_pass(world, SIM_SECOND), 0);
  assert_true(sim_peer_find_stream(peer, id)->len > 0);
  assert_int_equal(world->sessions_opened, 1);
  assert_false(peer->closed);
  check_world_end(world);
}

/* Random octets on every kind of stream, after a good beginning. */
static void test_random_streams(void **state) {
  sim_world *world = check_world(59);
  sim_random *random = sim_network_random(world->network);
  static const struct {
    const char *data;
    size_t len;
    int bidi;
  } beginnings[] = {
      {BYTES(""), 1},         {BYTES(""), 0},
      {BYTES("\x00\x04"), 0}, {BYTES("\x02"), 0},
      {BYTES("\x03"), 0},     {BYTES("\x01\x20\x00\x00"), 1},
      {BYTES("\x40\x41"), 1}, {BYTES("\x40\x54"), 0},
      {BYTES("\x21\x00"), 1},
  };
  uint8_t data[400];
  size_t len, i;
  int round;

  (void)state;
  bystander_begin(&by, world);
  for (round = 0; round < 60; ++round) {
    sim_peer *peer = connect_mute(world);

    if (round % 3 != 0) {
      say(peer, 0, SETTINGS, SETTINGS_LEN, 0);
    }
    for (i = 0; i < 8 && !peer->closed; ++i) {
      size_t k =
          sim_random_size(random, sizeof(beginnings) / sizeof(beginnings[0]));

      memcpy(data, beginnings[k].data, beginnings[k].len);
      len = beginnings[k].len +
            sim_random_size(random, sizeof(data) - beginnings[k].len);
      sim_random_fill(random, data + beginnings[k].len,
                      len - beginnings[k].len);
      say(peer, beginnings[k].bidi, data, len,
          (int)sim_random_below(random, 2));
      sim_random_fill(random, data, sizeof(data));
      sim_client_datagram(peer->client, SIM_NO_SESSION, data,
                          1 + sim_random_size(random, 100));
      assert_int_equal(sim_world_pass(world, 30 * SIM_MILLISECOND), 0);
    }
    if (peer->closed) {
      /* By the server, and with an error of HTTP/3 or QPACK. */
      assert_false(peer->end.local);
      assert_int_equal(peer->end.by, SIM_CLOSED_APPLICATION);
    }
    sim_world_abandon(world, peer);
    if (round % 2 == 0) {
      bystander_go_on(&by);
    }
    if (world->npeers > SIM_WORLD_PEERS - 4) {
      break;
    }
  }
  bystander_end(&by, world);
  check_world_end(world);
}

/* A client that allows next to nothing: the server neither spins nor loses
   what it has to say. */
static void test_tiny_windows(void **state) {
  sim_world *world = check_world(60);
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;
  int64_t session;

  (void)state;
  bystander_begin(&by, world);
  config.stream_window = 4;
  config.window = 64;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  check_echo(world, peer, session, "forty-two octets through a keyhole of four",
             42);
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

/* A client that sends and never reads: it may send what the windows allow and
   then waits; the server keeps no more than that. */
static void test_reader_that_does_not_read(void **state) {
  sim_world *world = check_world(61);
  sim_client_config config = sim_world_config(world);
  static uint8_t data[1 << 20];
  sim_peer *peer;
  int64_t session, id;
  size_t pending;
  int i;

  (void)state;
  bystander_begin(&by, world);
  config.hold_windows = 1;
  config.stream_window = 10000;
  config.window = 20000;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  for (i = 0; i < 8; ++i) {
    sim_client_stream_write(peer->client, id, data, sizeof(data), 0);
  }
  assert_int_equal(sim_world_pass(world, 10 * SIM_SECOND), 0);
  pending = sim_client_stream_pending(peer->client, id);
  /* 8 MiB were written; at most the stream's window and what could be echoed
     has been taken. */
  assert_true(pending > 6 * sizeof(data));
  assert_int_equal(sim_world_pass(world, 5 * SIM_SECOND), 0);
  assert_int_equal(sim_client_stream_pending(peer->client, id), pending);
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

/* More sessions than are allowed. */
static void test_too_many_sessions(void **state) {
  sim_world *world = check_world(62);
  sim_peer *peer;
  int64_t session;
  int i, refused = 0, status;

  (void)state;
  bystander_begin(&by, world);
  peer = sim_world_connect(world, "h3");
  assert_non_null(peer);
  for (i = 0; i < 30; ++i) {
    session = sim_world_session(world, peer, "/echo");
    assert_true(session >= 0);
    status = sim_peer_find_session(peer, session)->status;
    assert_true(status == 200 || (status >= 400 && status < 600));
    refused += status != 200;
  }
  assert_in_range(refused, 1, 29);
  assert_false(peer->closed);
  bystander_end(&by, world);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unknown_path),
      cmocka_unit_test(test_other_protocols),
      cmocka_unit_test(test_datagrams_to_nowhere),
      cmocka_unit_test(test_request_before_settings),
      cmocka_unit_test(test_random_streams),
      cmocka_unit_test(test_tiny_windows),
      cmocka_unit_test(test_reader_that_does_not_read),
      cmocka_unit_test(test_too_many_sessions),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
