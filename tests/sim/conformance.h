/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of conformance have in common: a stage, on which one peer
 * does what its row says while a bystander is in the middle of an echo, and
 * nothing may be left behind.
 */
#ifndef TESTS_SIM_CONFORMANCE_H
#define TESTS_SIM_CONFORMANCE_H

#include "tests/sim/check.h"

#include "server/apps/echo.h"
#include "tests/sim/conformance_app.h"

#include <stdio.h>
#include <stdlib.h>

#define BYTES(TEXT) TEXT, sizeof(TEXT) - 1

/* Control stream with SETTINGS as Chromium has them. */
#define SETTINGS                                                               \
  "\x00\x04\x11\x33\x01\x80\xff\xd2\x77\x01\xab\x60\x37\x42\x01\x06\x80\x00"   \
  "\x40\x00"
#define SETTINGS_LEN 20

/* What GET /big has. */
#define BIG_LEN 50000

#define ORIGIN "https://example.org"

/* GET / on authority "a". */
#define GET                                                                    \
  "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"                                       \
  "a"

/* :method CONNECT, :scheme https, :path /probe, :authority a, :protocol
   webtransport */
#define CONNECT                                                                \
  "\x01\x27\x00\x00\xcf\xd7\x51\x06/probe\x50\x01"                             \
  "a\x27\x02:protocol\x0cwebtransport"

/* The fields of a request. */
#define GOOD                                                                   \
  {":method", "GET"}, {":scheme", "https"}, {":authority", "localhost:4433"},  \
  {                                                                            \
    ":path", "/"                                                               \
  }

#define METHOD(NAME, PATH)                                                     \
  {                                                                            \
    {":method", NAME}, {":scheme", "https"}, {":authority", "localhost:4433"}, \
    {                                                                          \
      ":path", PATH                                                            \
    }                                                                          \
  }

typedef struct stage {
  h3_service h3;
  probe probe;
  const app *apps[2];
  sim_world *world;
  bystander by;
  sim_peer *peer;
  size_t octets; /* of the server's memory, before the peer came */
} stage;

static inline int stage_get(void *user, const char *path, char **pbody,
                            size_t *plen, const char **content_type) {
  size_t len = strcmp(path, "/big") == 0 ? BIG_LEN : 6;

  (void)user;
  if (strcmp(path, "/empty") == 0) {
    *content_type = "application/octet-stream";
    return 200;
  }
  *pbody = malloc(len);
  if (*pbody == NULL) {
    return 500;
  }
  memset(*pbody, 'x', len);
  *plen = len;
  return strcmp(path, "/") == 0 || len == BIG_LEN ? 200 : 404;
}

static inline void stage_begin(stage *s) {
  memset(s, 0, sizeof(*s));
  probe_init(&s->probe);
  s->apps[0] = &app_echo;
  s->apps[1] = &s->probe.app;
  s->h3.get = stage_get;
  s->h3.webtransport.apps = s->apps;
  s->h3.webtransport.napps = 2;
  s->h3.webtransport.sessions_max = 4;
  s->world = sim_world_new_service(77, NULL, &s->h3);
  assert_non_null(s->world);
  bystander_begin(&s->by, s->world);
  bystander_go_on(&s->by);
  assert_int_equal(sim_world_pass(s->world, SIM_SECOND), 0);
  s->octets = s->world->octets_live;
}

static inline void stage_pass(stage *s, uint64_t time) {
  assert_int_equal(sim_world_pass(s->world, time), 0);
}

/* A peer with HTTP/3 of its own. */
static inline void stage_connect(stage *s) {
  s->peer = sim_world_connect(s->world, "h3");
  assert_non_null(s->peer);
  RUN_UNTIL(s->world, sim_is_settings, s->peer, 0);
}

/* A peer with ALPN h3 that says nothing by itself. */
static inline void stage_connect_mute(stage *s) {
  sim_client_config config = sim_world_config(s->world);

  config.mode = SIM_MODE_RAW;
  s->peer = sim_world_add(s->world, &config);
  assert_non_null(s->peer);
  RUN_UNTIL(s->world, sim_is_handshake_done, s->peer, 0);
}

static inline int64_t stage_say(stage *s, int bidi, const void *data,
                                size_t len, int fin) {
  sim_client *client = s->peer->client;
  int64_t id;

  assert_int_equal(bidi ? sim_client_open_bidi(client, SIM_NO_SESSION, &id)
                        : sim_client_open_uni(client, SIM_NO_SESSION, &id),
                   0);
  assert_int_equal(sim_client_stream_write(client, id, data, len, fin), 0);
  return id;
}

static inline int64_t stage_session(stage *s, const char *path) {
  int64_t session = sim_world_session(s->world, s->peer, path);

  assert_true(session >= 0);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 200);
  return session;
}

static inline sim_peer_stream *stage_stream(stage *s, int64_t id) {
  return sim_peer_find_stream(s->peer, id);
}

/* The server closed the connection with the application error |code|. */
static inline void stage_expect_closed(stage *s, uint64_t code) {
  RUN_UNTIL(s->world, sim_is_closed, s->peer, 0);
  assert_false(s->peer->end.local);
  assert_int_equal(s->peer->end.by, SIM_CLOSED_APPLICATION);
  assert_int_equal(s->peer->end.error_code, code);
}

/* The bystander noticed nothing, the server is still there, and when the peer
   has gone, so has all that the server kept of it. */
static inline void stage_end(stage *s) {
  sim_peer *other;

  other = sim_world_connect(s->world, "h3");
  assert_non_null(other);
  check_echo(s->world, other, sim_world_session(s->world, other, "/echo"),
             "still here", 10);
  sim_client_close(other->client, SIM_H3_NO_ERROR, NULL);
  if (s->peer != NULL && !s->peer->closed) {
    sim_client_close(s->peer->client, SIM_H3_NO_ERROR, NULL);
  }
  stage_pass(s, 5 * SIM_SECOND);
  bystander_end(&s->by, s->world);
  sim_client_close(s->by.peer->client, SIM_H3_NO_ERROR, NULL);
  stage_pass(s, 5 * SIM_SECOND);
  assert_int_equal(quic_endpoint_connections(s->world->endpoint), 0);
  assert_null(s->h3.conns);
  assert_true(s->world->octets_live < s->octets);
  check_world_end(s->world);
}

/* ---- For WebTransport ---- */

/* The stage of each test, one after the other. */
static stage s;

static inline void begin_with_session(int64_t *psession) {
  stage_begin(&s);
  stage_connect(&s);
  *psession = stage_session(&s, "/probe");
}

static inline int64_t open_stream(int64_t session, int bidi, const void *data,
                                  size_t len, int fin) {
  sim_client *client = s.peer->client;
  int64_t id;

  assert_int_equal(bidi ? sim_client_open_bidi(client, session, &id)
                        : sim_client_open_uni(client, session, &id),
                   0);
  assert_int_equal(sim_client_stream_write(client, id, data, len, fin), 0);
  return id;
}

/* Both directions of |id| ended with |code|; STOP_SENDING came first. */
static inline void expect_refused(int64_t id, uint64_t code) {
  const sim_peer_stream *stream = stage_stream(&s, id);

  RUN_UNTIL(s.world, sim_is_stopped, s.peer, id);
  assert_int_equal(stream->stopped_code, code);
  if (ngtcp2_is_bidi_stream(id)) {
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
    assert_true(stream->reset);
    assert_int_equal(stream->reset_code, code);
    assert_true(stream->stopped_first);
  }
}

/* ---- Tables ---- */

#define ROWS(TABLE) (sizeof(TABLE) / sizeof((TABLE)[0]))
#define TESTS_MAX 256

/* A test that takes more than a row. */
typedef struct single {
  const char *what;
  CMUnitTestFunction function;
} single;

static struct CMUnitTest tests[TESTS_MAX];
static size_t ntests;

/* |function| finds |row| in |*state|. */
static inline void table_add(const char *name, CMUnitTestFunction function,
                             const void *row) {
  struct CMUnitTest *test = &tests[ntests++];

  if (ntests > TESTS_MAX) {
    abort();
  }
  test->name = name;
  test->test_func = function;
  test->initial_state = (void *)(uintptr_t)row;
}

static inline int table_run(const char *name) {
  return _cmocka_run_group_tests(name, tests, ntests, NULL, NULL);
}

#endif
