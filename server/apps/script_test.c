/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/script.h"

#include "server/apps/echo.h"
#include "server/webtransport/error_code.h"
#include "tests/sim/check.h"

#include <stdlib.h>

#define TOLD_MAX 4096

/* As the web app has them. */
#define STREAM_WINDOW (128 * 1024)
#define CONNECTION_WINDOW (160 * 1024)
#define STREAMS 100

/* One record that was told. */
typedef struct told {
  script_record record;
  uint8_t *data; /* a copy */
  int seen;
} told;

typedef struct stage {
  script *script;
  const app *apps[4];
  h3_service h3;
  sim_world *world;
  sim_peer *peer;
  told told[TOLD_MAX];
  size_t ntold;
  /* For who counts what is not dealt with yet. */
  size_t most_unread;
} stage;

static uint8_t noise[1 << 20];

static int make_noise(void **state) {
  sim_random random;

  (void)state;
  sim_random_seed(&random, 5);
  sim_random_fill(&random, noise, sizeof(noise));
  return 0;
}

static stage *begin(uint64_t seed) {
  static const char *const paths[] = {"/js", "/files/*", "/*"};
  stage *s = calloc(1, sizeof(*s));
  quic_conn_limits limits;
  const app *const *apps;

  assert_non_null(s);
  quic_conn_limits_default(&limits);
  limits.stream_window = STREAM_WINDOW;
  limits.connection_window = CONNECTION_WINDOW;
  limits.streams_bidi = limits.streams_uni = STREAMS;
  assert_int_equal(script_new(&s->script, paths, 3, NULL), 0);
  assert_int_equal(script_apps(s->script, &apps), 3);
  memcpy(s->apps, apps, 3 * sizeof(apps[0]));
  s->apps[3] = &app_echo;
  s->h3.webtransport.apps = s->apps;
  s->h3.webtransport.napps = 4;
  s->h3.webtransport.sessions_max = 100;
  s->world = sim_world_new_service(seed, &limits, &s->h3);
  assert_non_null(s->world);
  s->peer = sim_world_connect(s->world, "h3");
  assert_non_null(s->peer);
  RUN_UNTIL(s->world, sim_is_settings, s->peer, 0);
  return s;
}

/* Takes away what was told. */
static void listen_to(stage *s) {
  const uint8_t *data;
  size_t len = script_finish(s->script, &data);
  script_record record;
  int rv;

  while ((rv = script_record_next(&record, &data, &len)) == 1) {
    told *t = &s->told[s->ntold++];

    assert_true(s->ntold < TOLD_MAX);
    t->record = record;
    t->data = malloc(record.len + 1);
    assert_non_null(t->data);
    memcpy(t->data, record.data, record.len);
    t->data[record.len] = '\0';
    t->record.data = t->data;
  }
  assert_int_equal(rv, 0);
  script_clear(s->script);
  if (script_unread(s->script) > s->most_unread) {
    s->most_unread = script_unread(s->script);
  }
}

static void pass(stage *s, uint64_t time) {
  assert_int_equal(sim_world_pass(s->world, time), 0);
  listen_to(s);
}

static void forget_told(stage *s) {
  size_t i;

  for (i = 0; i < s->ntold; ++i) {
    free(s->told[i].data);
  }
  memset(s->told, 0, s->ntold * sizeof(s->told[0]));
  s->ntold = 0;
}

static void end(stage *s) {
  check_world_end(s->world);
  script_free(s->script);
  forget_told(s);
  free(s);
}

/* The next of |type| that nobody has seen; NULL if there is none. */
static const script_record *next_told(stage *s, script_told type) {
  size_t i;

  for (i = 0; i < s->ntold; ++i) {
    if (!s->told[i].seen && s->told[i].record.type == (uint8_t)type) {
      s->told[i].seen = 1;
      return &s->told[i].record;
    }
  }
  return NULL;
}

static const script_record *expect(stage *s, script_told type) {
  const script_record *record = next_told(s, type);

  assert_non_null(record);
  return record;
}

static void put32(uint8_t *dest, size_t n) {
  dest[0] = (uint8_t)n;
  dest[1] = (uint8_t)(n >> 8);
  dest[2] = (uint8_t)(n >> 16);
  dest[3] = (uint8_t)(n >> 24);
}

/* One record by itself. */
static void ask(stage *s, script_asked type, uint8_t flags, uint32_t handle,
                uint32_t value, const void *data, size_t len) {
  uint8_t *batch = calloc(1, SCRIPT_HEAD + len);

  assert_non_null(batch);
  put32(batch, SCRIPT_HEAD + len);
  batch[4] = (uint8_t)type;
  batch[5] = flags;
  put32(batch + 8, handle);
  put32(batch + 12, value);
  if (len) {
    memcpy(batch + SCRIPT_HEAD, data, len);
  }
  assert_int_equal(script_feed(s->script, batch, SCRIPT_HEAD + len), 0);
  free(batch);
}

static void forget_sessions(stage *s) {
  s->peer->nsessions = 0;
  memset(s->peer->sessions, 0, sizeof(s->peer->sessions));
}

static uint64_t ignored(const stage *s) {
  return script_get_counters(s->script)->records_ignored;
}

/* Asks for a session on |path|; its handle is in |*phandle|. */
static int64_t request_of(stage *s, sim_peer *peer, const char *path,
                          uint32_t *phandle) {
  const sim_request request = {.authority = "localhost:4433",
                               .path = path,
                               .origin = "https://example.org",
                               .available_protocols = "\"one\", \"two\""};
  int64_t session;

  assert_int_equal(sim_client_session_open(peer->client, &request, &session),
                   0);
  pass(s, SIM_SECOND);
  assert_false(sim_peer_find_session(peer, session)->answered);
  *phandle = expect(s, SCRIPT_REQUEST)->handle;
  return session;
}

/* And is accepted. */
static int64_t session_of(stage *s, uint32_t *phandle) {
  int64_t session = request_of(s, s->peer, "/js", phandle);

  ask(s, SCRIPT_ACCEPT, 0, *phandle, 0, NULL, 0);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 200);
  assert_int_equal(expect(s, SCRIPT_OPENED)->handle, *phandle);
  return session;
}

/* All octets of |handle|, in order, with its end. */
static size_t data_of(const stage *s, uint32_t handle, uint8_t *dest,
                      int *pfin) {
  size_t i, len = 0;

  *pfin = 0;
  for (i = 0; i < s->ntold; ++i) {
    const script_record *r = &s->told[i].record;

    if (r->type == SCRIPT_DATA && r->handle == handle) {
      assert_false(*pfin);
      if (r->len) {
        memcpy(dest + len, r->data, r->len);
      }
      len += r->len;
      *pfin = (r->flags & SCRIPT_FIN) != 0;
    }
  }
  return len;
}

static size_t sent_of(const stage *s, uint32_t handle) {
  size_t i, n = 0;

  for (i = 0; i < s->ntold; ++i) {
    if (s->told[i].record.type == SCRIPT_SENT &&
        s->told[i].record.handle == handle) {
      n += s->told[i].record.value;
    }
  }
  return n;
}

/* ---- Requests ---- */

static void test_request(void **state) {
  stage *s = begin(1);
  const script_record *record;
  const char *at;
  uint32_t handle;
  int64_t session;
  char text[64];

  (void)state;
  session = request_of(s, s->peer, "/js?name=x", &handle);
  record = &s->told[0].record;
  at = (const char *)record->data;
  assert_string_equal(at, "/js?name=x");
  at += strlen(at) + 1;
  assert_string_equal(at, "localhost:4433");
  at += strlen(at) + 1;
  assert_string_equal(at, "https://example.org");
  at += strlen(at) + 1;
  assert_true(strchr(at, ':') != NULL);
  at += strlen(at) + 1;
  assert_string_equal(at, "\"one\", \"two\"");
  at += strlen(at) + 1;
  while (strcmp(at, "origin") != 0) {
    at += strlen(at) + 1;
    at += strlen(at) + 1;
    assert_true(at < (const char *)record->data + record->len);
  }
  assert_string_equal(at + 7, "https://example.org");
  assert_int_equal(s->world->sessions_opened, 0);

  ask(s, SCRIPT_ACCEPT, 0, handle, 0, "two", 3);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 200);
  assert_true(
      sim_peer_find_field(s->peer, session, "wt-protocol", text, sizeof(text)));
  assert_string_equal(text, "\"two\"");
  record = expect(s, SCRIPT_OPENED);
  assert_string_equal((const char *)record->data, "two");
  assert_true(record->value > 1000 && record->value < 1500);
  assert_int_equal(s->world->sessions_opened, 1);
  /* Only once. */
  ask(s, SCRIPT_ACCEPT, 0, handle, 0, NULL, 0);
  ask(s, SCRIPT_REJECT, 0, handle, 404, NULL, 0);
  assert_int_equal(ignored(s), 2);
  end(s);
}

static void test_protocol_that_cannot_be(void **state) {
  stage *s = begin(2);
  uint32_t handle;
  int64_t session = request_of(s, s->peer, "/js", &handle);

  (void)state;
  ask(s, SCRIPT_ACCEPT, 0, handle, 0, "\x7f\xff", 2);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 500);
  assert_false(s->peer->closed);
  end(s);
}

static void test_reject(void **state) {
  stage *s = begin(3);
  uint32_t handle;
  int64_t session = request_of(s, s->peer, "/js", &handle), stream;

  (void)state;
  /* What came for it is refused. */
  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &stream), 0);
  sim_client_stream_write(s->peer->client, stream, noise, 100, 0);
  pass(s, SIM_SECOND);
  ask(s, SCRIPT_REJECT, 0, handle, 200, NULL, 0);
  assert_int_equal(ignored(s), 1);
  ask(s, SCRIPT_REJECT, 0, handle, 404, NULL, 0);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 404);
  assert_true(sim_peer_find_stream(s->peer, stream)->reset_code ==
              WT_BUFFERED_STREAM_REJECTED);
  assert_int_equal(expect(s, SCRIPT_CLOSED)->handle, handle);
  assert_int_equal(s->world->sessions_opened, 0);
  assert_int_equal(s->world->sessions_closed, 0);
  assert_null(next_told(s, SCRIPT_STREAM));
  assert_false(s->peer->closed);
  /* The connection goes on. */
  ask(s, SCRIPT_RELEASE, 0, handle, 0, NULL, 0);
  session_of(s, &handle);
  end(s);
}

static void test_nobody_answers(void **state) {
  stage *s = begin(4);
  uint32_t handle;
  int64_t session = request_of(s, s->peer, "/js", &handle);

  (void)state;
  assert_true(script_deadline(s->script) > sim_network_now(s->world->network));
  pass(s, SIM_SECOND);
  script_expire(s->script, sim_network_now(s->world->network));
  pass(s, SIM_SECOND);
  assert_false(sim_peer_find_session(s->peer, session)->answered);
  pass(s, 10 * SIM_SECOND);
  script_expire(s->script, sim_network_now(s->world->network));
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 503);
  assert_int_equal(expect(s, SCRIPT_CLOSED)->handle, handle);
  assert_true(script_deadline(s->script) == UINT64_MAX);
  ask(s, SCRIPT_ACCEPT, 0, handle, 0, NULL, 0);
  assert_int_equal(ignored(s), 1);
  end(s);
}

static void test_too_many_wait(void **state) {
  stage *s = begin(5);
  const sim_request request = {.authority = "localhost:4433", .path = "/js"};
  int64_t session = 0;
  size_t i;

  (void)state;
  for (i = 0; i < SCRIPT_PENDING_MAX; ++i) {
    assert_int_equal(
        sim_client_session_open(s->peer->client, &request, &session), 0);
    pass(s, SIM_SECOND / 20);
    sim_peer_forget_streams(s->peer);
  }
  forget_sessions(s);
  assert_int_equal(sim_client_session_open(s->peer->client, &request, &session),
                   0);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 503);
  assert_int_equal(script_get_counters(s->script)->requests_refused, 1);
  s->peer->overflow = 0;
  end(s);
}

static void test_client_gives_up_waiting(void **state) {
  stage *s = begin(6);
  uint32_t handle;
  int64_t session = request_of(s, s->peer, "/js", &handle);

  (void)state;
  sim_client_stream_reset(s->peer->client, session, 0x10c);
  pass(s, SIM_SECOND);
  assert_int_equal(expect(s, SCRIPT_CLOSED)->handle, handle);
  ask(s, SCRIPT_ACCEPT, 0, handle, 0, NULL, 0);
  assert_int_equal(ignored(s), 1);
  assert_int_equal(s->world->sessions_closed, 0);

  request_of(s, s->peer, "/js", &handle);
  sim_client_close(s->peer->client, 0x100, NULL);
  pass(s, SIM_SECOND);
  assert_int_equal(expect(s, SCRIPT_CLOSED)->handle, handle);
  end(s);
}

/* What is sent before the answer comes out behind it, in order. */
static void test_early(void **state) {
  stage *s = begin(7);
  uint32_t handle, stream;
  int64_t session = request_of(s, s->peer, "/js", &handle), id;
  uint8_t got[100];
  int fin;

  (void)state;
  assert_int_equal(sim_client_open_uni(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 100, 1);
  assert_int_equal(sim_client_datagram(s->peer->client, session, noise, 9), 0);
  /* The CLOSE capsule too. */
  pass(s, SIM_SECOND);
  assert_int_equal(sim_client_session_close(s->peer->client, session, 7, "bye"),
                   0);
  pass(s, SIM_SECOND);
  assert_null(next_told(s, SCRIPT_STREAM));
  ask(s, SCRIPT_ACCEPT, 0, handle, 0, NULL, 0);
  pass(s, SIM_SECOND);
  expect(s, SCRIPT_OPENED);
  stream = expect(s, SCRIPT_STREAM)->handle;
  assert_int_equal(data_of(s, stream, got, &fin), 100);
  assert_true(fin);
  assert_memory_equal(got, noise, 100);
  assert_int_equal(expect(s, SCRIPT_DATAGRAM_CAME)->len, 9);
  assert_int_equal(expect(s, SCRIPT_CLOSED)->value, 7);
  end(s);
}

static void test_paths(void **state) {
  stage *s = begin(8);
  uint32_t handle;
  int64_t session;

  (void)state;
  request_of(s, s->peer, "/files/a/b?c", &handle);
  request_of(s, s->peer, "/files/", &handle);
  request_of(s, s->peer, "/anything", &handle);
  /* By name comes before a pattern. */
  session = sim_world_session(s->world, s->peer, "/echo");
  assert_int_equal(sim_peer_find_session(s->peer, session)->status, 200);
  check_echo(s->world, s->peer, session, "hello", 5);
  pass(s, SIM_SECOND);
  assert_null(next_told(s, SCRIPT_REQUEST));
  end(s);
}

static void test_new(void **state) {
  const char *const good[] = {"/a"}, *const bad[] = {"a"};
  static char text[300];
  const char *const endless[] = {text};
  script *made;

  (void)state;
  memset(text, '/', sizeof(text) - 1);
  assert_int_equal(script_new(&made, good, 0, NULL), QUIC_ERR_STATE);
  assert_int_equal(script_new(&made, bad, 1, NULL), QUIC_ERR_STATE);
  assert_int_equal(script_new(&made, endless, 1, NULL), QUIC_ERR_STATE);
  assert_int_equal(script_new(&made, good, 1, NULL), 0);
  script_free(made);
  script_free(NULL);
}

/* ---- Streams ---- */

static void test_bidi(void **state) {
  stage *s = begin(20);
  uint32_t handle, stream;
  int64_t session = session_of(s, &handle), id;
  const script_record *record;
  uint8_t got[2000];
  int fin;

  (void)state;
  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 1000, 0);
  pass(s, SIM_SECOND);
  record = expect(s, SCRIPT_STREAM);
  stream = record->handle;
  assert_int_equal(record->flags, SCRIPT_BIDI);
  assert_int_equal(record->value, handle);
  assert_int_equal(data_of(s, stream, got, &fin), 1000);
  assert_false(fin);
  ask(s, SCRIPT_WRITE, 0, stream, 0, noise, 500);
  ask(s, SCRIPT_WRITE, SCRIPT_FIN, stream, 0, NULL, 0);
  ask(s, SCRIPT_CONSUME, 0, stream, 1000, NULL, 0);
  assert_int_equal(script_unread(s->script), 0);
  sim_client_stream_write(s->peer->client, id, noise + 1000, 1000, 1);
  pass(s, SIM_SECOND);
  assert_int_equal(data_of(s, stream, got, &fin), 2000);
  assert_true(fin);
  assert_memory_equal(got, noise, 2000);
  assert_true(sim_peer_find_stream(s->peer, id)->fin);
  check_bytes(sim_peer_find_stream(s->peer, id), noise, 500);
  assert_int_equal(sent_of(s, stream), 500);
  assert_int_equal(expect(s, SCRIPT_STREAM_CLOSED)->handle, stream);
  ask(s, SCRIPT_CONSUME, 0, stream, 1000, NULL, 0);
  ask(s, SCRIPT_RELEASE, 0, stream, 0, NULL, 0);
  assert_int_equal(ignored(s), 0);
  assert_int_equal(script_unread(s->script), 0);
  /* It stands for nothing now. */
  ask(s, SCRIPT_WRITE, 0, stream, 0, noise, 1);
  ask(s, SCRIPT_RELEASE, 0, stream, 0, NULL, 0);
  assert_int_equal(ignored(s), 2);
  end(s);
}

static void test_ours(void **state) {
  stage *s = begin(21);
  uint32_t handle, uni, bidi;
  const script_record *record;
  sim_peer_stream *theirs;
  int64_t session = session_of(s, &handle);
  size_t i;
  int found = 0;

  (void)state;
  ask(s, SCRIPT_OPEN, 0, handle, 0, NULL, 0);
  ask(s, SCRIPT_OPEN, SCRIPT_BIDI, handle, 0, NULL, 0);
  listen_to(s);
  record = expect(s, SCRIPT_STREAM);
  uni = record->handle;
  assert_int_equal(record->flags, SCRIPT_LOCAL);
  record = expect(s, SCRIPT_STREAM);
  bidi = record->handle;
  assert_int_equal(record->flags, SCRIPT_LOCAL | SCRIPT_BIDI);
  ask(s, SCRIPT_WRITE, SCRIPT_FIN, uni, 0, "uni", 3);
  ask(s, SCRIPT_WRITE, 0, bidi, 0, "bidi", 4);
  pass(s, SIM_SECOND);
  for (i = 0; i < s->peer->nstreams; ++i) {
    theirs = &s->peer->streams[i];
    if (!theirs->by_server || theirs->session != session) {
      continue;
    }
    ++found;
    if (ngtcp2_is_bidi_stream(theirs->id)) {
      check_bytes(theirs, "bidi", 4);
      sim_client_stream_write(s->peer->client, theirs->id,
                              (const uint8_t *)"back", 4, 1);
    } else {
      check_bytes(theirs, "uni", 3);
      assert_true(theirs->fin);
    }
  }
  assert_int_equal(found, 2);
  pass(s, SIM_SECOND);
  record = expect(s, SCRIPT_DATA);
  assert_int_equal(record->handle, bidi);
  assert_memory_equal(record->data, "back", 4);
  assert_true(record->flags & SCRIPT_FIN);
  assert_int_equal(expect(s, SCRIPT_STREAM_CLOSED)->handle, uni);
  end(s);
}

/* More of ours than the client allows: the others wait. */
static void test_ours_beyond_the_limit(void **state) {
  stage *s = begin(22);
  sim_client_config config = sim_world_config(s->world);
  uint32_t handle, stream[5];
  size_t i;

  (void)state;
  config.max_streams = 2;
  s->peer = sim_world_add(s->world, &config);
  assert_non_null(s->peer);
  RUN_UNTIL(s->world, sim_is_settings, s->peer, 0);
  session_of(s, &handle);
  for (i = 0; i < 5; ++i) {
    ask(s, SCRIPT_OPEN, 0, handle, 0, NULL, 0);
  }
  pass(s, SIM_SECOND);
  /* Those of HTTP/3 come on top. */
  stream[0] = expect(s, SCRIPT_STREAM)->handle;
  stream[1] = expect(s, SCRIPT_STREAM)->handle;
  assert_null(next_told(s, SCRIPT_STREAM));
  ask(s, SCRIPT_WRITE, SCRIPT_FIN, stream[0], 0, "a", 1);
  ask(s, SCRIPT_WRITE, SCRIPT_FIN, stream[1], 0, "b", 1);
  pass(s, SIM_SECOND);
  expect(s, SCRIPT_STREAM);
  expect(s, SCRIPT_STREAM);
  assert_null(next_told(s, SCRIPT_STREAM));
  end(s);
}

static void test_codes(void **state) {
  stage *s = begin(23);
  uint32_t handle, stream;
  int64_t session = session_of(s, &handle), id;
  const script_record *record;

  (void)state;
  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 10, 0);
  pass(s, SIM_SECOND);
  stream = expect(s, SCRIPT_STREAM)->handle;
  ask(s, SCRIPT_STOP, 0, stream, 77, NULL, 0);
  ask(s, SCRIPT_RESET, 0, stream, 4000000000u, NULL, 0);
  assert_int_equal(script_unread(s->script), 0);
  pass(s, SIM_SECOND);
  assert_true(sim_peer_find_stream(s->peer, id)->reset_code ==
              wt_error_to_h3(4000000000u));
  assert_true(sim_peer_find_stream(s->peer, id)->stopped_code ==
              wt_error_to_h3(77));
  assert_int_equal(expect(s, SCRIPT_STREAM_CLOSED)->handle, stream);

  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 10, 0);
  pass(s, SIM_SECOND);
  stream = expect(s, SCRIPT_STREAM)->handle;
  sim_client_stream_reset(s->peer->client, id, wt_error_to_h3(5));
  sim_client_stream_stop(s->peer->client, id, wt_error_to_h3(6));
  pass(s, SIM_SECOND);
  record = expect(s, SCRIPT_WAS_RESET);
  assert_int_equal(record->handle, stream);
  assert_int_equal(record->value, 5);
  record = expect(s, SCRIPT_WAS_STOPPED);
  assert_int_equal(record->handle, stream);
  assert_int_equal(record->value, 6);
  assert_int_equal(script_unread(s->script), 0);
  /* Too late. */
  ask(s, SCRIPT_WRITE, 0, stream, 0, noise, 10);
  assert_int_equal(ignored(s), 1);
  end(s);
}

/* The application does not read: the peer's windows bound what waits, and it
   goes on where it stood. */
static void test_application_does_not_read(void **state) {
  stage *s = begin(24);
  uint32_t handle, stream;
  int64_t session = session_of(s, &handle), id;
  static uint8_t got[sizeof(noise)];
  size_t len;
  int fin, i;

  (void)state;
  assert_int_equal(sim_client_open_uni(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, sizeof(noise), 1);
  for (i = 0; i < 10; ++i) {
    pass(s, SIM_SECOND);
  }
  stream = expect(s, SCRIPT_STREAM)->handle;
  len = data_of(s, stream, got, &fin);
  assert_int_equal(script_unread(s->script), len);
  assert_in_range(len, STREAM_WINDOW / 2, STREAM_WINDOW);
  for (i = 0; i < 1000 && !fin; ++i) {
    ask(s, SCRIPT_CONSUME, 0, stream, (uint32_t)script_unread(s->script), NULL,
        0);
    pass(s, SIM_SECOND / 10);
    len = data_of(s, stream, got, &fin);
  }
  assert_true(fin);
  assert_int_equal(len, sizeof(noise));
  assert_memory_equal(got, noise, sizeof(noise));
  assert_true(s->most_unread <= STREAM_WINDOW);
  end(s);
}

/* The peer does not read: no more is told to have left than it allows. */
static void test_peer_does_not_read(void **state) {
  stage *s = begin(25);
  sim_client_config config = sim_world_config(s->world);
  uint32_t handle, stream;
  int i;

  (void)state;
  config.hold_windows = 1;
  config.stream_window = 50000;
  s->peer = sim_world_add(s->world, &config);
  assert_non_null(s->peer);
  RUN_UNTIL(s->world, sim_is_settings, s->peer, 0);
  session_of(s, &handle);
  ask(s, SCRIPT_OPEN, 0, handle, 0, NULL, 0);
  listen_to(s);
  stream = expect(s, SCRIPT_STREAM)->handle;
  for (i = 0; i < 4; ++i) {
    ask(s, SCRIPT_WRITE, 0, stream, 0, noise, 50000);
  }
  for (i = 0; i < 10; ++i) {
    pass(s, SIM_SECOND);
  }
  assert_in_range(sent_of(s, stream), 40000, 50000);
  /* One who goes on and on is stopped. */
  ask(s, SCRIPT_WRITE, 0, stream, 0, noise, sizeof(noise));
  assert_int_equal(ignored(s), 1);
  pass(s, SIM_SECOND);
  assert_int_equal(expect(s, SCRIPT_STREAM_CLOSED)->handle, stream);
  end(s);
}

/* Whoever opens streams and ends them gets no more than it may have at once,
   as long as nobody takes them. */
static void test_streams_nobody_takes(void **state) {
  stage *s = begin(26);
  uint32_t handle;
  int64_t session = session_of(s, &handle), id;
  const script_record *record;
  size_t uni = 0, bidi = 0, more = 0, i, k;
  int64_t ids[STREAMS + 1];

  (void)state;
  for (i = 0; i < 10; ++i) {
    while (sim_client_open_uni(s->peer->client, session, &id) == 0) {
      sim_client_stream_write(s->peer->client, id, noise, 1, 1);
      ++uni;
    }
    for (k = 0; sim_client_open_bidi(s->peer->client, session, &ids[k]) == 0;
         ++k) {
      sim_client_stream_write(s->peer->client, ids[k], noise, 1, 0);
    }
    pass(s, SIM_SECOND);
    for (bidi += k; k > 0; --k) {
      sim_client_stream_reset(s->peer->client, ids[k - 1], wt_error_to_h3(1));
      sim_client_stream_stop(s->peer->client, ids[k - 1], wt_error_to_h3(1));
    }
    pass(s, SIM_SECOND);
  }
  assert_in_range(uni, STREAMS - 5, STREAMS);
  assert_in_range(bidi, STREAMS - 5, STREAMS);
  while ((record = next_told(s, SCRIPT_STREAM_CLOSED)) != NULL) {
    ask(s, SCRIPT_RELEASE, 0, record->handle, 0, NULL, 0);
  }
  pass(s, SIM_SECOND);
  while (sim_client_open_uni(s->peer->client, session, &id) == 0) {
    ++more;
  }
  assert_int_equal(more, uni);
  more = 0;
  while (sim_client_open_bidi(s->peer->client, session, &id) == 0) {
    ++more;
  }
  assert_int_equal(more, bidi);
  s->peer->overflow = 0;
  end(s);
}

/* ---- Datagrams ---- */

static void test_datagrams(void **state) {
  stage *s = begin(40);
  uint32_t handle;
  int64_t session = session_of(s, &handle);
  const script_record *record;
  size_t i, n = 0, sent = 0;

  (void)state;
  for (i = 0; i < 5; ++i) {
    assert_int_equal(
        sim_client_datagram(s->peer->client, session, noise + i, 200 * i), 0);
    pass(s, SIM_SECOND / 10);
    record = expect(s, SCRIPT_DATAGRAM_CAME);
    assert_int_equal(record->handle, handle);
    assert_int_equal(record->len, 200 * i);
    assert_memory_equal(record->data, noise + i, 200 * i);
    ask(s, SCRIPT_DATAGRAM, 0, handle, 0, noise + i, 100 * i);
  }
  /* One that fits nowhere is lost, and told to have left all the same. */
  ask(s, SCRIPT_DATAGRAM, 0, handle, 0, noise, 5000);
  pass(s, SIM_SECOND);
  /* So few are told with what else there is. */
  assert_int_equal(sim_client_datagram(s->peer->client, session, noise, 1), 0);
  pass(s, SIM_SECOND);
  expect(s, SCRIPT_DATAGRAM_CAME);
  while ((record = next_told(s, SCRIPT_DATAGRAMS_SENT)) != NULL) {
    sent += record->value;
  }
  assert_int_equal(sent, 6);
  assert_int_equal(s->peer->ndatagrams, 5);
  /* Many, at once. */
  for (i = 0; i < SCRIPT_DATAGRAMS_SENT_MIN; ++i) {
    ask(s, SCRIPT_DATAGRAM, 0, handle, 0, noise, 10);
  }
  pass(s, SIM_SECOND);
  assert_int_equal(expect(s, SCRIPT_DATAGRAMS_SENT)->value,
                   SCRIPT_DATAGRAMS_SENT_MIN);
  for (i = 0; i < 5; ++i) {
    assert_int_equal(s->peer->datagrams[i].len, 100 * i);
  }
  /* A batch that nobody takes away does not grow for ever. */
  for (i = 0; i < 20; ++i) {
    size_t k;

    for (k = 0; k < 32; ++k) {
      n += sim_client_datagram(s->peer->client, session, noise, 1000) == 0;
    }
    assert_int_equal(sim_world_pass(s->world, SIM_SECOND), 0);
  }
  assert_true(n > SCRIPT_DATAGRAMS_MAX);
  listen_to(s);
  for (i = 0; next_told(s, SCRIPT_DATAGRAM_CAME); ++i) {
  }
  assert_int_equal(i, SCRIPT_DATAGRAMS_MAX);
  assert_int_equal(script_get_counters(s->script)->datagrams_dropped,
                   n - SCRIPT_DATAGRAMS_MAX);
  assert_int_equal(sim_client_datagram(s->peer->client, session, noise, 1), 0);
  pass(s, SIM_SECOND);
  expect(s, SCRIPT_DATAGRAM_CAME);
  end(s);
}

/* ---- Ends ---- */

static void test_ends(void **state) {
  stage *s = begin(60);
  uint32_t handle, stream;
  int64_t session = session_of(s, &handle), id;
  const script_record *record;

  (void)state;
  /* By the server, with octets that nobody has read, and streams open. */
  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 5000, 0);
  pass(s, SIM_SECOND);
  stream = expect(s, SCRIPT_STREAM)->handle;
  assert_int_equal(script_unread(s->script), 5000);
  ask(s, SCRIPT_DRAIN, 0, handle, 0, NULL, 0);
  pass(s, SIM_SECOND);
  assert_true(sim_peer_find_session(s->peer, session)->draining);
  ask(s, SCRIPT_CLOSE, 0, handle, 99, "enough", 6);
  assert_int_equal(script_unread(s->script), 0);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->code, 99);
  assert_string_equal(sim_peer_find_session(s->peer, session)->reason,
                      "enough");
  record = expect(s, SCRIPT_CLOSED);
  assert_int_equal(record->flags, WT_CLOSED_BY_SERVER);
  assert_int_equal(record->value, 99);
  assert_string_equal((const char *)record->data, "enough");
  /* Both handles go with it. */
  ask(s, SCRIPT_WRITE, 0, stream, 0, noise, 1);
  assert_int_equal(ignored(s), 1);
  ask(s, SCRIPT_RELEASE, 0, handle, 0, NULL, 0);
  assert_int_equal(ignored(s), 1);
  ask(s, SCRIPT_RELEASE, 0, stream, 0, NULL, 0);
  assert_int_equal(ignored(s), 2);

  /* By the client; a reason that no capsule can have is left out. */
  session = session_of(s, &handle);
  sim_client_session_close(s->peer->client, session, 5, "bye");
  pass(s, SIM_SECOND);
  record = expect(s, SCRIPT_CLOSED);
  assert_int_equal(record->flags, WT_CLOSED_BY_CLIENT);
  assert_int_equal(record->value, 5);
  assert_string_equal((const char *)record->data, "bye");
  session = session_of(s, &handle);
  ask(s, SCRIPT_CLOSE, 0, handle, 1, "\xff\xfe", 2);
  pass(s, SIM_SECOND);
  assert_int_equal(sim_peer_find_session(s->peer, session)->code, 1);
  expect(s, SCRIPT_CLOSED);

  /* With the connection, and datagrams on their way. */
  session_of(s, &handle);
  ask(s, SCRIPT_DATAGRAM, 0, handle, 0, noise, 10);
  sim_client_close(s->peer->client, 0x100, NULL);
  pass(s, SIM_SECOND);
  record = expect(s, SCRIPT_CLOSED);
  assert_int_equal(record->flags, WT_CLOSED_BY_CONNECTION);
  end(s);
}

/* The windows of the connection are whole again after sessions have ended with
   octets in them. */
static void test_windows_after_sessions(void **state) {
  stage *s = begin(61);
  static uint8_t got[sizeof(noise)];
  uint32_t handle;
  int64_t session, id;
  size_t i;
  int fin;

  (void)state;
  for (i = 0; i < 30; ++i) {
    session = session_of(s, &handle);
    assert_int_equal(sim_client_open_uni(s->peer->client, session, &id), 0);
    sim_client_stream_write(s->peer->client, id, noise, 200000, 0);
    pass(s, SIM_SECOND);
    expect(s, SCRIPT_STREAM);
    ask(s, SCRIPT_CLOSE, 0, handle, 0, NULL, 0);
    ask(s, SCRIPT_RELEASE, 0, handle, 0, NULL, 0);
    pass(s, SIM_SECOND);
    forget_sessions(s);
    forget_told(s);
  }
  session = session_of(s, &handle);
  assert_int_equal(sim_client_open_uni(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 100000, 1);
  pass(s, 5 * SIM_SECOND);
  assert_int_equal(data_of(s, expect(s, SCRIPT_STREAM)->handle, got, &fin),
                   100000);
  assert_true(fin);
  s->peer->overflow = 0;
  end(s);
}

/* ---- Nonsense ---- */

static void test_nonsense(void **state) {
  stage *s = begin(80);
  sim_random random;
  uint8_t batch[256];
  uint32_t handle;
  int64_t session = session_of(s, &handle), id;
  size_t i;

  (void)state;
  sim_random_seed(&random, 80);
  assert_int_equal(sim_client_open_bidi(s->peer->client, session, &id), 0);
  sim_client_stream_write(s->peer->client, id, noise, 10, 0);
  pass(s, SIM_SECOND);
  /* No record at all. */
  for (i = 0; i < 15; ++i) {
    memset(batch, 0, sizeof(batch));
    batch[0] = (uint8_t)i;
    assert_int_equal(script_feed(s->script, batch, sizeof(batch)), -1);
    assert_int_equal(script_feed(s->script, batch, i), i ? -1 : 0);
  }
  put32(batch, 257);
  assert_int_equal(script_feed(s->script, batch, sizeof(batch)), -1);
  /* Records of any kind, about anything. */
  for (i = 0; i < 20000; ++i) {
    size_t len = sim_random_size(&random, 64);

    sim_random_fill(&random, batch, sizeof(batch));
    put32(batch, SCRIPT_HEAD + len);
    batch[4] = (uint8_t)sim_random_below(&random, 13);
    put32(batch + 8, sim_random_size(&random, 5));
    if (sim_random_below(&random, 2)) {
      put32(batch + 12, sim_random_size(&random, 600));
    }
    /* The session is to last for a while. */
    if (batch[4] == SCRIPT_CLOSE && sim_random_below(&random, 500) != 0) {
      continue;
    }
    assert_int_equal(script_feed(s->script, batch, SCRIPT_HEAD + len), 0);
    if (i % 16 == 0) {
      assert_int_equal(sim_world_pass(s->world, SIM_SECOND / 100), 0);
      forget_told(s);
      listen_to(s);
    }
    if (i % 1000 == 0 && !s->peer->closed) {
      sim_peer_forget_streams(s->peer);
      forget_sessions(s);
      sim_client_session_open(
          s->peer->client,
          &(sim_request){.authority = "localhost:4433", .path = "/js"},
          &session);
    }
  }
  s->peer->overflow = 0;
  end(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_protocol_that_cannot_be),
      cmocka_unit_test(test_reject),
      cmocka_unit_test(test_nobody_answers),
      cmocka_unit_test(test_too_many_wait),
      cmocka_unit_test(test_client_gives_up_waiting),
      cmocka_unit_test(test_early),
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_new),
      cmocka_unit_test(test_bidi),
      cmocka_unit_test(test_ours),
      cmocka_unit_test(test_ours_beyond_the_limit),
      cmocka_unit_test(test_codes),
      cmocka_unit_test(test_application_does_not_read),
      cmocka_unit_test(test_peer_does_not_read),
      cmocka_unit_test(test_streams_nobody_takes),
      cmocka_unit_test(test_datagrams),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_windows_after_sessions),
      cmocka_unit_test(test_nonsense),
  };

  return cmocka_run_group_tests(tests, make_noise, NULL);
}
