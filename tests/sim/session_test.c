/* SPDX-License-Identifier: Apache-2.0 */
/* The good cases, over a network that has 10 ms and no faults, and one that
   has all faults. */
#include "tests/sim/check.h"

static uint8_t noise[300000];

static int fill_noise(void **state) {
  sim_random random;

  (void)state;
  sim_random_seed(&random, 99);
  sim_random_fill(&random, noise, sizeof(noise));
  return 0;
}

static void test_raw_echo(void **state) {
  sim_world *world = check_world(1);
  sim_peer *peer = sim_world_connect(world, "echo");
  int64_t id;

  (void)state;
  assert_non_null(peer);
  assert_string_equal(sim_client_alpn(peer->client), "echo");
  check_echo(world, peer, SIM_NO_SESSION, "bidi", 4);
  check_echo(world, peer, SIM_NO_SESSION, noise, sizeof(noise));
  check_echo(world, peer, SIM_NO_SESSION, "", 0);

  assert_int_equal(sim_client_open_uni(peer->client, SIM_NO_SESSION, &id), 0);
  sim_client_stream_write(peer->client, id, (const uint8_t *)"uni", 3, 1);
  RUN_UNTIL(world, sim_is_server_streams, peer, 1);

  assert_int_equal(
      sim_client_datagram(peer->client, SIM_NO_SESSION, noise, 1000), 0);
  RUN_UNTIL(world, sim_is_datagrams, peer, 1);
  assert_int_equal(peer->datagrams[0].len, 1000);
  assert_memory_equal(peer->datagrams[0].data, noise, 1000);
  check_world_end(world);
}

static void test_settings(void **state) {
  sim_world *world = check_world(2);
  sim_peer *peer = sim_world_connect(world, "h3");
  uint64_t value;

  (void)state;
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_settings, peer, 0);
  assert_string_equal(sim_client_alpn(peer->client), "h3");
  assert_memory_equal(sim_client_certificate(peer->client), world->active, 32);
  assert_true(sim_client_setting(peer->client, 0x08, &value) && value == 1);
  assert_true(sim_client_setting(peer->client, 0x33, &value) && value == 1);
  assert_true(sim_client_setting(peer->client, 0xffd277, &value) && value == 1);
  assert_true(sim_client_setting(peer->client, 0x2b603742, &value) &&
              value == 1);
  /* Needs reset_stream_at, which is not there. */
  assert_false(sim_client_setting(peer->client, 0x2c7cf000, &value));
  check_world_end(world);
}

static void test_get(void **state) {
  const sim_request good = {.authority = "localhost:4433", .path = "/"};
  const sim_request bad = {.authority = "localhost:4433", .path = "/none"};
  sim_world *world = check_world(3);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t id;

  (void)state;
  assert_non_null(peer);
  assert_int_equal(sim_client_get(peer->client, &good, &id), 0);
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_int_equal(sim_peer_find_stream(peer, id)->status, 200);
  assert_true(sim_peer_find_stream(peer, id)->len > 0);
  assert_int_equal(sim_client_get(peer->client, &bad, &id), 0);
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_int_equal(sim_peer_find_stream(peer, id)->status, 404);
  assert_false(peer->closed);
  check_world_end(world);
}

static void check_session(sim_world *world, sim_peer *peer, int64_t session) {
  size_t before = peer->ndatagrams, i;
  int64_t id;

  check_echo(world, peer, session, "hello", 5);
  check_echo(world, peer, session, "", 0);
  check_echo(world, peer, session, noise, sizeof(noise));

  assert_int_equal(sim_client_open_uni(peer->client, session, &id), 0);
  sim_client_stream_write(peer->client, id, noise, 50000, 1);
  RUN_UNTIL(world, sim_is_server_streams, peer, 1);
  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].by_server) {
      assert_int_equal(peer->streams[i].session, session);
      check_bytes(&peer->streams[i], noise, 50000);
    }
  }

  /* At a pace at which nobody drops any. */
  for (i = 0; i < 20; ++i) {
    assert_int_equal(
        sim_client_datagram(peer->client, session, noise + i, 60 * i), 0);
    RUN_UNTIL(world, sim_is_datagrams, peer, (int64_t)(before + i + 1));
    assert_int_equal(peer->datagrams[before + i].session, session);
    assert_int_equal(peer->datagrams[before + i].len, 60 * i);
    assert_memory_equal(peer->datagrams[before + i].data, noise + i, 60 * i);
  }
}

static void test_session(void **state) {
  sim_world *world = check_world(4);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  assert_int_equal(sim_peer_find_session(peer, session)->status, 200);
  check_session(world, peer, session);
  assert_false(sim_peer_find_session(peer, session)->closed);
  check_world_end(world);
}

/* Many times the windows: they must be extended as the echo leaves, of the
   stream and of the connection. */
static void test_more_than_the_windows(void **state) {
  sim_world *world = check_world(15);
  sim_peer *peer = sim_world_connect(world, "h3");
  size_t len = 8u << 20, done;
  int64_t session, id;
  int i;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
  for (done = 0; done < len; done += 1u << 17) {
    assert_int_equal(sim_client_stream_write(peer->client, id, noise, 1u << 17,
                                             done + (1u << 17) == len),
                     0);
  }
  RUN_UNTIL(world, sim_is_stream_ended, peer, id);
  assert_int_equal(sim_peer_find_stream(peer, id)->len, len);
  for (done = 0; done < len; done += 1u << 17) {
    assert_memory_equal(sim_peer_find_stream(peer, id)->data + done, noise,
                        1u << 17);
  }
  /* Streams that go one way only, and more of them than may be open. */
  for (i = 0; i < 150; ++i) {
    assert_int_equal(sim_client_open_uni(peer->client, session, &id), 0);
    sim_client_stream_write(peer->client, id, noise, 30000, 1);
    RUN_UNTIL(world, sim_is_server_streams, peer, i + 1);
  }
  check_world_end(world);
}

static void test_server_opens_streams(void **state) {
  sim_world *world = check_world(5);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session;
  size_t i, bidi = 0, uni = 0;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo?bidi=3&uni=2");
  assert_true(session >= 0);
  RUN_UNTIL(world, sim_is_server_streams, peer, 2);
  sim_world_pass(world, SIM_SECOND);
  for (i = 0; i < peer->nstreams; ++i) {
    if (!peer->streams[i].by_server) {
      continue;
    }
    if (ngtcp2_is_bidi_stream(peer->streams[i].id)) {
      ++bidi;
      assert_int_equal(peer->streams[i].len, 7);
      assert_memory_equal(peer->streams[i].data, "hello ", 6);
      assert_false(peer->streams[i].fin);
      sim_client_stream_write(peer->client, peer->streams[i].id,
                              (const uint8_t *)" and back", 9, 1);
    } else {
      ++uni;
      check_bytes(&peer->streams[i], "hello", 5);
    }
  }
  assert_int_equal(bidi, 3);
  assert_int_equal(uni, 2);
  RUN_UNTIL(world, sim_is_server_streams, peer, 5);
  for (i = 0; i < peer->nstreams; ++i) {
    if (peer->streams[i].by_server &&
        ngtcp2_is_bidi_stream(peer->streams[i].id)) {
      assert_int_equal(peer->streams[i].len, 16);
      assert_memory_equal(peer->streams[i].data + 7, " and back", 9);
    }
  }
  check_world_end(world);
}

/* More than the client allows at once: the rest waits for its turn. */
static void test_server_streams_beyond_the_limit(void **state) {
  sim_world *world = check_world(6);
  sim_client_config config = sim_world_config(world);
  sim_peer *peer;

  (void)state;
  config.max_streams = 3;
  peer = sim_world_add(world, &config);
  assert_non_null(peer);
  RUN_UNTIL(world, sim_is_handshake_done, peer, 0);
  assert_true(sim_world_session(world, peer, "/echo?uni=20") >= 0);
  RUN_UNTIL(world, sim_is_server_streams, peer, 20);
  check_world_end(world);
}

static void test_client_closes(void **state) {
  sim_world *world = check_world(7);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session, stream;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_int_equal(sim_client_open_bidi(peer->client, session, &stream), 0);
  sim_client_stream_write(peer->client, stream, (const uint8_t *)"x", 1, 0);
  sim_world_pass(world, SIM_SECOND);
  assert_int_equal(sim_client_session_close(peer->client, session, 4000000000u,
                                            "genug f\xc3\xbcr heute"),
                   0);
  sim_world_pass(world, SIM_SECOND);
  assert_int_equal(world->sessions_closed, 1);
  assert_string_equal(world->last_close.by, "client");
  assert_true(world->last_close.code == 4000000000u);
  assert_string_equal(world->last_close.reason, "genug f\xc3\xbcr heute");
  /* The server ends its side, and the connection lives. */
  assert_true(sim_peer_find_stream(peer, session)->closed);
  assert_true(sim_peer_find_stream(peer, stream)->closed);
  assert_false(peer->closed);
  session = sim_world_session(world, peer, "/echo");
  check_echo(world, peer, session, "again", 5);
  check_world_end(world);
}

static void test_client_ends_without_a_capsule(void **state) {
  sim_world *world = check_world(8);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_int_equal(sim_client_stream_write(peer->client, session, NULL, 0, 1),
                   0);
  RUN_UNTIL(world, sim_is_session_closed, peer, session);
  assert_string_equal(world->last_close.by, "client");
  assert_int_equal(world->last_close.code, 0);
  assert_string_equal(world->last_close.reason, "");
  assert_false(peer->closed);
  check_world_end(world);
}

static void test_server_closes(void **state) {
  sim_world *world = check_world(9);
  sim_peer *peer = sim_world_connect(world, "h3");
  sim_peer_session *session;
  int64_t id;

  (void)state;
  assert_non_null(peer);
  id = sim_world_session(world, peer, "/echo?close=77&reason=enough");
  assert_true(id >= 0);
  RUN_UNTIL(world, sim_is_session_closed, peer, id);
  session = sim_peer_find_session(peer, id);
  assert_int_equal(session->status, 200);
  assert_true(session->by_server);
  assert_int_equal(session->code, 77);
  assert_string_equal(session->reason, "enough");
  sim_world_pass(world, SIM_SECOND);
  assert_string_equal(world->last_close.by, "server");
  assert_true(sim_peer_find_stream(peer, id)->closed);
  assert_false(peer->closed);
  check_world_end(world);
}

static void test_connection_ends(void **state) {
  sim_world *world = check_world(10);
  sim_peer *peer = sim_world_connect(world, "h3");

  (void)state;
  assert_non_null(peer);
  assert_true(sim_world_session(world, peer, "/echo") >= 0);
  sim_client_close(peer->client, SIM_H3_NO_ERROR, "bye");
  sim_world_pass(world, SIM_SECOND);
  assert_int_equal(world->sessions_closed, 1);
  assert_string_equal(world->last_close.by, "connection");
  assert_int_equal(quic_endpoint_connections(world->endpoint), 0);
  check_world_end(world);
}

static void test_resets_carry_codes(void **state) {
  sim_world *world = check_world(11);
  sim_peer *peer = sim_world_connect(world, "h3");
  const uint32_t codes[] = {0, 1, 29, 30, 31, 255, 65536, 0xffffffffu};
  sim_peer_stream *stream;
  uint32_t code;
  int64_t session, id;
  size_t i;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  for (i = 0; i < sizeof(codes) / sizeof(codes[0]); ++i) {
    assert_int_equal(sim_client_open_bidi(peer->client, session, &id), 0);
    sim_client_stream_write(peer->client, id, (const uint8_t *)"x", 1, 0);
    sim_world_pass(world, SIM_SECOND);
    sim_client_stream_reset(peer->client, id, sim_wt_error(codes[i]));
    RUN_UNTIL(world, sim_is_stream_ended, peer, id);
    stream = sim_peer_find_stream(peer, id);
    assert_true(stream->reset);
    assert_true(sim_wt_code(stream->reset_code, &code));
    assert_true(code == codes[i]);
  }
  assert_false(peer->closed);
  check_world_end(world);
}

static void test_several_sessions(void **state) {
  sim_world *world = check_world(12);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t sessions[5], stream;
  size_t i;

  (void)state;
  assert_non_null(peer);
  for (i = 0; i < 5; ++i) {
    sessions[i] = sim_world_session(world, peer, "/echo");
    assert_true(sessions[i] >= 0);
  }
  for (i = 0; i < 5; ++i) {
    check_echo(world, peer, sessions[i], noise + i, 1000);
    sim_client_datagram(peer->client, sessions[i], noise + i, 10);
    RUN_UNTIL(world, sim_is_datagrams, peer, (int64_t)i + 1);
    assert_int_equal(peer->datagrams[i].session, sessions[i]);
    assert_memory_equal(peer->datagrams[i].data, noise + i, 10);
  }
  /* One goes; the others do not notice. */
  assert_int_equal(sim_client_open_bidi(peer->client, sessions[2], &stream), 0);
  sim_client_stream_write(peer->client, stream, noise, 1000, 0);
  assert_int_equal(sim_client_session_close(peer->client, sessions[2], 1, NULL),
                   0);
  sim_world_pass(world, SIM_SECOND);
  for (i = 0; i < 5; ++i) {
    if (i != 2) {
      check_echo(world, peer, sessions[i], noise + i, 3000);
      assert_false(sim_peer_find_session(peer, sessions[i])->closed);
    }
  }
  check_world_end(world);
}

static void test_many_clients(void **state) {
  sim_world *world = check_world(13);
  sim_client_config config = sim_world_config(world);
  const sim_request request = {.authority = "localhost:4433", .path = "/echo"};
  sim_peer *peers[60];
  int64_t sessions[60], streams[60];
  size_t i;

  (void)state;
  for (i = 0; i < 60; ++i) {
    peers[i] = sim_world_add(world, &config);
    assert_non_null(peers[i]);
  }
  for (i = 0; i < 60; ++i) {
    RUN_UNTIL(world, sim_is_handshake_done, peers[i], 0);
    assert_int_equal(
        sim_client_session_open(peers[i]->client, &request, &sessions[i]), 0);
  }
  for (i = 0; i < 60; ++i) {
    RUN_UNTIL(world, sim_is_answered, peers[i], sessions[i]);
    assert_int_equal(
        sim_client_open_bidi(peers[i]->client, sessions[i], &streams[i]), 0);
    sim_client_stream_write(peers[i]->client, streams[i], noise + i, 40000, 1);
  }
  for (i = 0; i < 60; ++i) {
    RUN_UNTIL(world, sim_is_stream_ended, peers[i], streams[i]);
    check_bytes(sim_peer_find_stream(peers[i], streams[i]), noise + i, 40000);
    assert_false(peers[i]->closed);
  }
  assert_int_equal(quic_endpoint_connections(world->endpoint), 60);
  check_world_end(world);
}

/* Every fault at once, for many seeds: what arrives is what was sent. */
static void test_bad_network(void **state) {
  const sim_link bad = {.delay = 20 * SIM_MILLISECOND,
                        .jitter = 15 * SIM_MILLISECOND,
                        .loss = 50000,
                        .duplicate = 20000,
                        .corrupt = 20000,
                        .mtu = 1400};
  uint64_t seed;

  (void)state;
  for (seed = 100; seed < 110; ++seed) {
    sim_world *world = check_world(seed);
    sim_peer *peer;
    int64_t session;

    sim_network_set_link(world->network, &bad, &bad);
    peer = sim_world_connect(world, "h3");
    assert_non_null(peer);
    session = sim_world_session(world, peer, "/echo");
    assert_true(session >= 0);
    check_echo(world, peer, session, noise, 100000);
    check_echo(world, peer, session, "", 0);
    assert_int_equal(sim_client_session_close(peer->client, session, 5, "five"),
                     0);
    sim_world_pass(world, 5 * SIM_SECOND);
    assert_int_equal(world->last_close.code, 5);
    assert_string_equal(world->last_close.reason, "five");
    check_world_end(world);
  }
}

/* A NAT that forgets: the path is validated and the echo goes on. */
static void test_rebinding(void **state) {
  sim_world *world = check_world(14);
  sim_peer *peer = sim_world_connect(world, "h3");
  int64_t session;
  int i;

  (void)state;
  assert_non_null(peer);
  session = sim_world_session(world, peer, "/echo");
  assert_true(session >= 0);
  for (i = 0; i < 5; ++i) {
    sim_network_rebind(world->network, peer->client);
    check_echo(world, peer, session, noise, 20000);
  }
  assert_false(peer->closed);
  check_world_end(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_raw_echo),
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_get),
      cmocka_unit_test(test_session),
      cmocka_unit_test(test_more_than_the_windows),
      cmocka_unit_test(test_server_opens_streams),
      cmocka_unit_test(test_server_streams_beyond_the_limit),
      cmocka_unit_test(test_client_closes),
      cmocka_unit_test(test_client_ends_without_a_capsule),
      cmocka_unit_test(test_server_closes),
      cmocka_unit_test(test_connection_ends),
      cmocka_unit_test(test_resets_carry_codes),
      cmocka_unit_test(test_several_sessions),
      cmocka_unit_test(test_many_clients),
      cmocka_unit_test(test_bad_network),
      cmocka_unit_test(test_rebinding),
  };

  return cmocka_run_group_tests(tests, fill_noise, NULL);
}
