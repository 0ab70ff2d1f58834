/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of WebTransport (draft-ietf-webtrans-http3, RFC 9297): CONNECT,
 * capsules, datagrams, draining.  Each row is a test of its own.
 */
#include "tests/sim/conformance.h"

/* ---- Datagrams ---- */

static void check_bad_datagram(const char *data, size_t len) {
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(sim_client_datagram(s.peer->client, SIM_NO_SESSION,
                                       (const uint8_t *)data, len),
                   0);
  stage_expect_closed(&s, SIM_H3_DATAGRAM_ERROR);
  stage_end(&s);
}

static void test_datagram_without_id(void **state) {
  (void)state;
  check_bad_datagram("", 0);
}

static void test_datagram_id_cut_short(void **state) {
  (void)state;
  check_bad_datagram(BYTES("\x40"));
}

/* Four times that is no stream ID. */
static void test_datagram_id_too_large(void **state) {
  (void)state;
  check_bad_datagram(BYTES("\xd0\x00\x00\x00\x00\x00\x00\x00x"));
}

static void test_datagrams_of_dead_sessions(void **state) {
  int64_t session, other;

  (void)state;
  begin_with_session(&session);
  other = stage_session(&s, "/probe");
  assert_int_equal(sim_client_session_close(s.peer->client, session, 0, NULL),
                   0);
  stage_pass(&s, SIM_SECOND);
  sim_client_datagram(s.peer->client, session, (const uint8_t *)"xxx", 3);
  sim_client_datagram(s.peer->client, 4000, (const uint8_t *)"xxxx", 4);
  sim_client_datagram(s.peer->client, other, (const uint8_t *)"xx", 2);
  stage_pass(&s, SIM_SECOND);
  assert_false(probe_heard(&s.probe, "datagram 3"));
  assert_false(probe_heard(&s.probe, "datagram 4"));
  assert_true(probe_heard(&s.probe, "datagram 2"));
  assert_false(s.peer->closed);
  stage_end(&s);
}

static size_t count_heard(const char *line) {
  const char *at = s.probe.log;
  size_t n = 0;

  while ((at = strstr(at, line)) != NULL) {
    at += strlen(line);
    ++n;
  }
  return n;
}

static void test_early_datagrams(void **state) {
  const sim_request request = {.authority = "a", .path = "/probe"};
  int64_t session;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  for (i = 0; i < 40; ++i) {
    assert_int_equal(sim_client_datagram(s.peer->client, session,
                                         (const uint8_t *)"xxxxxx", 6),
                     0);
    stage_pass(&s, 10 * SIM_MILLISECOND);
  }
  sim_client_session_request(s.peer->client, session, &request);
  RUN_UNTIL(s.world, sim_is_answered, s.peer, session);
  assert_int_equal(count_heard("datagram 6\n"), 16);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* ---- Capsules on the CONNECT stream ---- */

typedef enum outcome {
  GOES_ON,
  ENDS,     /* as |code| and |reason| say */
  MALFORMED /* H3_MESSAGE_ERROR, both ways */
} outcome;

typedef struct capsule_row {
  const char *what;
  const char *data;
  size_t len;
  int fin;
  outcome outcome;
  uint32_t code;
  const char *reason;
  /* |data| is not yet in a DATA frame. */
  int bare;
} capsule_row;

static const capsule_row capsule_rows[] = {
    {"a reserved capsule: skipped", BYTES("\x17\x04grea"), 0, GOES_ON, 0, "",
     1},
    {"a reserved capsule without value: skipped", BYTES("\x17\x00\x40\x40\x00"),
     0, GOES_ON, 0, "", 1},
    {"an unknown capsule in two frames: skipped",
     BYTES("\x00\x03\x52\x34\x04\x00\x03"
           "abc\x00\x01w"),
     0, GOES_ON, 0, "", 0},
    {"an unknown capsule of 2^62-1 octets: skipped",
     BYTES("\x52\x34\xff\xff\xff\xff\xff\xff\xff\xffxyz"), 0, GOES_ON, 0, "",
     1},
    {"DRAIN: borne", BYTES("\x80\x00\x78\xae\x00"), 0, GOES_ON, 0, "", 1},
    {"MAX_DATA: borne", BYTES("\x99\x0b\x4d\x3d\x01\x10"), 0, GOES_ON, 0, "",
     1},
    {"MAX_STREAMS of both kinds: borne",
     BYTES("\x99\x0b\x4d\x3f\x01\x10\x99\x0b\x4d\x40\x01\x10"), 0, GOES_ON, 0,
     "", 1},
    {"DATA_BLOCKED, STREAMS_BLOCKED of both kinds: borne",
     BYTES("\x99\x0b\x4d\x41\x01\x10\x99\x0b\x4d\x43\x01\x10\x99\x0b\x4d\x44"
           "\x01\x10"),
     0, GOES_ON, 0, "", 1},
    {"an empty DATA frame: borne", BYTES("\x00\x00\x00\x00"), 0, GOES_ON, 0, "",
     0},
    {"an unknown frame between: borne", BYTES("\x21\x02xx"), 0, GOES_ON, 0, "",
     0},
    {"CLOSE: ends, code and reason", BYTES("\x68\x43\x06\x00\x00\x00\x09ok"), 1,
     ENDS, 9, "ok", 1},
    {"CLOSE without FIN: ends all the same",
     BYTES("\x68\x43\x04\xff\xff\xff\xff"), 0, ENDS, UINT32_MAX, "", 1},
    {"CLOSE, one octet a frame: ends",
     BYTES("\x00\x01\x68\x00\x01\x43\x00\x01\x05\x00\x01\x00\x00\x01\x00"
           "\x00\x01\x00\x00\x01\x09\x00\x01x"),
     1, ENDS, 9, "x", 0},
    {"CLOSE with two octets of UTF-8: ends",
     BYTES("\x68\x43\x06\x00\x00\x00\x00\xc3\xbc"), 1, ENDS, 0, "\xc3\xbc", 1},
    {"CLOSE behind other capsules: ends",
     BYTES("\x17\x00\x80\x00\x78\xae\x00\x68\x43\x04\x00\x00\x00\x03"), 1, ENDS,
     3, "", 1},
    {"FIN without CLOSE: ends, code 0", BYTES("\x17\x00"), 1, ENDS, 0, "", 1},
    {"CLOSE of three octets: MESSAGE_ERROR", BYTES("\x68\x43\x03\x00\x00\x00"),
     0, MALFORMED, 0, "", 1},
    {"CLOSE of no octets: MESSAGE_ERROR", BYTES("\x68\x43\x00"), 0, MALFORMED,
     0, "", 1},
    {"CLOSE with bad UTF-8: MESSAGE_ERROR",
     BYTES("\x68\x43\x06\x00\x00\x00\x00\xc3\x28"), 0, MALFORMED, 0, "", 1},
    {"CLOSE with UTF-8 cut short: MESSAGE_ERROR",
     BYTES("\x68\x43\x05\x00\x00\x00\x00\xc3"), 0, MALFORMED, 0, "", 1},
    {"CLOSE with overlong UTF-8: MESSAGE_ERROR",
     BYTES("\x68\x43\x06\x00\x00\x00\x00\xc0\x80"), 0, MALFORMED, 0, "", 1},
    {"CLOSE with a surrogate: MESSAGE_ERROR",
     BYTES("\x68\x43\x07\x00\x00\x00\x00\xed\xa0\x80"), 0, MALFORMED, 0, "", 1},
    {"CLOSE with a code point beyond all: MESSAGE_ERROR",
     BYTES("\x68\x43\x08\x00\x00\x00\x00\xf4\x90\x80\x80"), 0, MALFORMED, 0, "",
     1},
    {"CLOSE of 1029 octets: MESSAGE_ERROR", BYTES("\x68\x43\x44\x05"), 0,
     MALFORMED, 0, "", 1},
    {"CLOSE of 2^62-1 octets: MESSAGE_ERROR",
     BYTES("\x68\x43\xff\xff\xff\xff\xff\xff\xff\xff"), 0, MALFORMED, 0, "", 1},
    {"an octet behind CLOSE: MESSAGE_ERROR",
     BYTES("\x68\x43\x04\x00\x00\x00\x07x"), 0, MALFORMED, 0, "", 1},
    {"a frame behind CLOSE: MESSAGE_ERROR",
     BYTES("\x00\x07\x68\x43\x04\x00\x00\x00\x07\x00\x01x"), 0, MALFORMED, 0,
     "", 0},
    {"CLOSE twice: MESSAGE_ERROR",
     BYTES("\x68\x43\x04\x00\x00\x00\x07\x68\x43\x04\x00\x00\x00\x07"), 1,
     MALFORMED, 0, "", 1},
    {"CLOSE cut short by FIN: MESSAGE_ERROR", BYTES("\x68\x43\x06\x00\x00"), 1,
     MALFORMED, 0, "", 1},
    {"a type cut short by FIN: MESSAGE_ERROR", BYTES("\x68"), 1, MALFORMED, 0,
     "", 1},
    {"an unknown capsule cut short by FIN: MESSAGE_ERROR",
     BYTES("\x52\x34\x04"
           "abc"),
     1, MALFORMED, 0, "", 1},
    {"DRAIN with a value: MESSAGE_ERROR", BYTES("\x80\x00\x78\xae\x01x"), 0,
     MALFORMED, 0, "", 1},
    {"MAX_DATA of nine octets: MESSAGE_ERROR",
     BYTES("\x99\x0b\x4d\x3d\x09xxxxxxxxx"), 0, MALFORMED, 0, "", 1},
    {"MAX_STREAM_DATA of HTTP/2: MESSAGE_ERROR",
     BYTES("\x99\x0b\x4d\x3e\x02\x04\x10"), 0, MALFORMED, 0, "", 1},
    {"STREAM_DATA_BLOCKED of HTTP/2: MESSAGE_ERROR",
     BYTES("\x99\x0b\x4d\x42\x02\x04\x10"), 0, MALFORMED, 0, "", 1},
};

static void run_capsule_row(void **state) {
  const capsule_row *row = *state;
  const sim_peer_stream *stream;
  uint8_t head[2] = {0x00, (uint8_t)row->len};
  int64_t session;

  begin_with_session(&session);
  stream = stage_stream(&s, session);
  if (row->bare) {
    assert_true(row->len < 64);
    sim_client_stream_write(s.peer->client, session, head, 2, 0);
  }
  assert_int_equal(sim_client_stream_write(s.peer->client, session,
                                           (const uint8_t *)row->data, row->len,
                                           row->fin),
                   0);
  stage_pass(&s, 2 * SIM_SECOND);
  assert_false(s.peer->closed);
  switch (row->outcome) {
  case GOES_ON:
    assert_int_equal(s.world->sessions_closed, 0);
    sim_client_datagram(s.peer->client, session, (const uint8_t *)"x", 1);
    stage_pass(&s, SIM_SECOND);
    assert_true(probe_heard(&s.probe, "datagram 1"));
    break;
  case ENDS:
    assert_true(probe_heard(&s.probe, "closed"));
    assert_string_equal(s.world->last_close.by, "client");
    assert_true(s.world->last_close.code == row->code);
    assert_string_equal(s.world->last_close.reason, row->reason);
    assert_true(sim_peer_find_session(s.peer, session)->closed);
    assert_false(stream->reset);
    break;
  case MALFORMED:
    assert_true(probe_heard(&s.probe, "closed"));
    assert_true(stream->reset);
    assert_int_equal(stream->reset_code, SIM_H3_MESSAGE_ERROR);
    if (!row->fin) {
      assert_true(stream->stopped);
      assert_int_equal(stream->stopped_code, SIM_H3_MESSAGE_ERROR);
    }
    break;
  }
  stage_end(&s);
}

/* The longest reason there may be, and one octet more than that. */
static void check_long_reason(size_t len, int ends) {
  static uint8_t frame[2048];
  int64_t session;
  size_t n = 0;

  begin_with_session(&session);
  frame[n++] = 0x00;
  frame[n++] = (uint8_t)(0x40 | (len + 8) >> 8);
  frame[n++] = (uint8_t)(len + 8);
  frame[n++] = 0x68;
  frame[n++] = 0x43;
  frame[n++] = (uint8_t)(0x40 | (len + 4) >> 8);
  frame[n++] = (uint8_t)(len + 4);
  memset(frame + n, 0, 4);
  memset(frame + n + 4, 'r', len);
  n += 4 + len;
  sim_client_stream_write(s.peer->client, session, frame, n, 1);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(s.world->sessions_closed, 1);
  assert_int_equal(strlen(s.world->last_close.reason), ends ? len : 0);
  assert_int_equal(stage_stream(&s, session)->reset, !ends);
  stage_end(&s);
}

static void test_reason_of_1024(void **state) {
  (void)state;
  check_long_reason(1024, 1);
}

static void test_reason_of_1025(void **state) {
  (void)state;
  check_long_reason(1025, 0);
}

/* Megabytes of a capsule that nobody knows: read over, and not kept. */
static void test_capsule_without_end(void **state) {
  static const char head[] = "\x00\x80\x40\x00\x00\x52\x34\xc0\x00\x00\x00\x7f"
                             "\xff\xff\xff";
  static uint8_t data[1 << 20];
  int64_t session;
  size_t before;
  int i;

  (void)state;
  begin_with_session(&session);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  s.world->octets_peak = before;
  sim_client_stream_write(s.peer->client, session, (const uint8_t *)head, 15,
                          0);
  for (i = 0; i < 3; ++i) {
    sim_client_stream_write(s.peer->client, session, data, sizeof(data), 0);
    stage_pass(&s, 3 * SIM_SECOND);
  }
  assert_int_equal(sim_client_stream_pending(s.peer->client, session), 0);
  assert_true(s.world->octets_peak - before < 65536);
  assert_int_equal(s.world->sessions_closed, 0);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* ---- CONNECT ---- */

static const char *const origins[] = {ORIGIN, "https://b.example:8443", NULL};
static const char *const nobody[] = {NULL};

typedef struct connect_row {
  const char *what;
  const char *const *origins;
  const char *path;
  const char *protocol;
  const char *origin;
  const char *available_protocols;
  int status;
  /* WT-Protocol; NULL: there is none. */
  const char *chosen;
} connect_row;

static const connect_row connect_rows[] = {
    {"CONNECT: 200", NULL, "/probe", NULL, ORIGIN, NULL, 200, NULL},
    {"CONNECT by the name of later drafts: 200", NULL, "/probe",
     "webtransport-h3", ORIGIN, NULL, 200, NULL},
    {"CONNECT with a query: 200", NULL, "/probe?a=/b", NULL, ORIGIN, NULL, 200,
     NULL},
    {"CONNECT without Origin: 200", NULL, "/probe", NULL, NULL, NULL, 200,
     NULL},
    {"CONNECT for something else: 501", NULL, "/probe", "connect-udp", ORIGIN,
     NULL, 501, NULL},
    {"an unknown path: 404", NULL, "/none", NULL, ORIGIN, NULL, 404, NULL},
    {"a path that goes on: 404", NULL, "/probe/", NULL, ORIGIN, NULL, 404,
     NULL},
    {"a path in capitals: 404", NULL, "/PROBE", NULL, ORIGIN, NULL, 404, NULL},
    {"an Origin of the list: 200", origins, "/probe", NULL, ORIGIN, NULL, 200,
     NULL},
    {"another Origin of the list: 200", origins, "/probe", NULL,
     "https://b.example:8443", NULL, 200, NULL},
    {"an Origin with a port too many: 403", origins, "/probe", NULL,
     ORIGIN ":443", NULL, 403, NULL},
    {"an Origin that begins like one: 403", origins, "/probe", NULL,
     ORIGIN ".evil.example", NULL, 403, NULL},
    {"an Origin of http: 403", origins, "/probe", NULL, "http://example.org",
     NULL, 403, NULL},
    {"an opaque Origin: 403", origins, "/probe", NULL, "null", NULL, 403, NULL},
    {"no Origin, and a list: 403", origins, "/probe", NULL, NULL, NULL, 403,
     NULL},
    {"an empty list: 403", nobody, "/probe", NULL, ORIGIN, NULL, 403, NULL},
    {"subprotocols: the one of both", NULL, "/probe", NULL, ORIGIN,
     "\"x\", \"chat.v2\"", 200, "\"chat.v2\""},
    {"subprotocols: the client's order", NULL, "/probe", NULL, ORIGIN,
     "\"chat.v2\";q=1, \"chat.v1\"", 200, "\"chat.v2\""},
    {"subprotocols: none of both", NULL, "/probe", NULL, ORIGIN, "\"x\", \"y\"",
     200, NULL},
    {"subprotocols: tokens are ignored", NULL, "/probe", NULL, ORIGIN,
     "chat.v1, chat.v2", 200, NULL},
    {"subprotocols: nonsense is ignored", NULL, "/probe", NULL, ORIGIN,
     "\"chat.v1\", \"chat.v2", 200, NULL},
    {"subprotocols: an app without", NULL, "/echo", NULL, ORIGIN, "\"chat.v1\"",
     200, NULL},
};

static void run_connect_row(void **state) {
  const connect_row *row = *state;
  const sim_request request = {.authority = "localhost:4433",
                               .path = row->path,
                               .origin = row->origin,
                               .protocol = row->protocol,
                               .available_protocols = row->available_protocols};
  char text[64];
  int64_t session;

  stage_begin(&s);
  s.h3.webtransport.origins = row->origins;
  stage_connect(&s);
  s.world->sessions_opened = 0;
  assert_int_equal(sim_client_session_open(s.peer->client, &request, &session),
                   0);
  RUN_UNTIL(s.world, sim_is_answered, s.peer, session);
  assert_int_equal(sim_peer_find_session(s.peer, session)->status, row->status);
  assert_int_equal(s.world->sessions_opened, row->status == 200);
  assert_int_equal(
      sim_peer_find_field(s.peer, session, "wt-protocol", text, sizeof(text)),
      row->chosen != NULL);
  if (row->chosen != NULL) {
    assert_string_equal(text, row->chosen);
    /* The application knows it without the quotes. */
    snprintf(text, sizeof(text), "session %.*s", (int)strlen(row->chosen) - 2,
             row->chosen + 1);
    assert_true(probe_heard(&s.probe, text));
  } else if (row->status == 200 && row->path[1] == 'p') {
    assert_true(probe_heard(&s.probe, "session"));
  }
  if (row->status != 200) {
    /* What comes for it is refused, now and later. */
    expect_refused(open_stream(session, 1, "x", 1, 0), SIM_WT_SESSION_GONE);
    stage_pass(&s, SIM_SECOND);
    assert_true(stage_stream(&s, session)->closed);
  }
  assert_false(s.peer->closed);
  s.h3.webtransport.origins = NULL;
  stage_end(&s);
}

/* A list on two lines is one list (RFC 9110 section 5.3). */
static void test_subprotocols_on_two_lines(void **state) {
  static const sim_field fields[] = {{":method", "CONNECT"},
                                     {":scheme", "https"},
                                     {":authority", "localhost:4433"},
                                     {":path", "/probe"},
                                     {":protocol", "webtransport"},
                                     {"wt-available-protocols", "\"x\""},
                                     {"wt-available-protocols", "\"chat.v1\""}};
  char text[64];
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, fields, 7, 0, &id), 0);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(stage_stream(&s, id)->status, 200);
  assert_true(
      sim_peer_find_field(s.peer, id, "wt-protocol", text, sizeof(text)));
  assert_string_equal(text, "\"chat.v1\"");
  stage_end(&s);
}

/* FIN is there before the session is: it begins, and ends with code 0. */
static void test_fin_before_accept(void **state) {
  static const sim_field fields[] = {{":method", "CONNECT"},
                                     {":scheme", "https"},
                                     {":authority", "localhost:4433"},
                                     {":path", "/probe"},
                                     {":protocol", "webtransport"}};
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, fields, 5, 1, &id), 0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->status, 200);
  assert_true(stage_stream(&s, id)->fin);
  assert_true(probe_heard(&s.probe, "closed"));
  assert_string_equal(s.world->last_close.by, "client");
  assert_int_equal(s.world->last_close.code, 0);
  stage_end(&s);
}

static void test_connect_before_settings(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  s.world->sessions_opened = 0;
  stage_connect_mute(&s);
  id = stage_say(&s, 1, BYTES(CONNECT), 0);
  stage_pass(&s, 2 * SIM_SECOND);
  assert_false(s.peer->closed);
  assert_int_equal(stage_stream(&s, id)->len, 0);
  assert_int_equal(s.world->sessions_opened, 0);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  assert_true(stage_stream(&s, id)->len > 0);
  assert_int_equal(s.world->sessions_opened, 1);
  stage_end(&s);
}

static void test_several_sessions(void **state) {
  int64_t sessions[4], session, stream;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  for (i = 0; i < 4; ++i) {
    sessions[i] = stage_session(&s, i % 2 ? "/probe" : "/echo");
  }
  /* One more than there may be. */
  session = sim_world_session(s.world, s.peer, "/echo");
  assert_int_equal(sim_peer_find_session(s.peer, session)->status, 429);
  stream = open_stream(sessions[2], 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(
      sim_client_session_close(s.peer->client, sessions[0], 1, NULL), 0);
  stage_pass(&s, SIM_SECOND);
  assert_false(sim_is_stream_ended(s.peer, stream));
  check_echo(s.world, s.peer, sessions[2], "echo", 4);
  session = stage_session(&s, "/echo");
  check_echo(s.world, s.peer, session, "echo", 4);
  assert_false(s.peer->closed);
  stage_end(&s);
}

static void check_frame_on_connect_stream(const char *frame, size_t len,
                                          uint64_t error) {
  int64_t session;

  begin_with_session(&session);
  sim_client_stream_write(s.peer->client, session, (const uint8_t *)frame, len,
                          0);
  stage_expect_closed(&s, error);
  assert_true(probe_heard(&s.probe, "closed"));
  assert_string_equal(s.world->last_close.by, "connection");
  stage_end(&s);
}

static void test_signal_on_connect_stream(void **state) {
  (void)state;
  check_frame_on_connect_stream(BYTES("\x40\x41\x00"), SIM_H3_FRAME_ERROR);
}

static void test_settings_on_connect_stream(void **state) {
  (void)state;
  check_frame_on_connect_stream(BYTES("\x04\x00"), SIM_H3_FRAME_UNEXPECTED);
}

/* ---- Draining ---- */

static void test_client_drains(void **state) {
  int64_t session;

  (void)state;
  begin_with_session(&session);
  sim_client_stream_write(s.peer->client, session,
                          (const uint8_t *)"\x00\x05\x80\x00\x78\xae\x00", 7,
                          0);
  stage_pass(&s, SIM_SECOND);
  assert_true(probe_heard(&s.probe, "draining"));
  assert_false(probe_heard(&s.probe, "closed"));
  stage_end(&s);
}

static void test_app_drains(void **state) {
  int64_t session, other;

  (void)state;
  begin_with_session(&session);
  other = stage_session(&s, "/probe");
  open_stream(session, 0, "d", 1, 1);
  stage_pass(&s, SIM_SECOND);
  assert_true(sim_peer_find_session(s.peer, session)->draining);
  assert_false(sim_peer_find_session(s.peer, session)->closed);
  assert_false(sim_peer_find_session(s.peer, other)->draining);
  stage_end(&s);
}

static void test_server_drains(void **state) {
  const sim_request request = {.authority = "a", .path = "/echo"};
  int64_t session, late, refused;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  session = stage_session(&s, "/echo");
  h3_service_drain(&s.h3, sim_network_now(s.world->network));
  stage_pass(&s, SIM_SECOND / 2);
  assert_true(sim_peer_find_session(s.peer, session)->draining);
  /* Chromium would not survive it. */
  assert_int_equal(s.peer->ngoaways, 0);
  /* A session that was on its way. */
  late = stage_session(&s, "/echo");
  RUN_UNTIL(s.world, sim_is_draining, s.peer, late);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(sim_client_session_open(s.peer->client, &request, &refused),
                   0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, refused);
  assert_int_equal(stage_stream(&s, refused)->reset_code,
                   SIM_H3_REQUEST_REJECTED);
  /* What is open goes on, new streams too, until the client ends it. */
  check_echo(s.world, s.peer, session, "still", 5);
  check_echo(s.world, s.peer, late, "still", 5);
  assert_int_equal(h3_service_sessions(&s.h3), 3);
  sim_client_session_close(s.peer->client, session, 0, NULL);
  stage_pass(&s, SIM_SECOND);
  assert_false(s.peer->closed);
  check_echo(s.world, s.peer, late, "still", 5);
  sim_client_session_close(s.peer->client, late, 0, NULL);
  stage_expect_closed(&s, SIM_H3_NO_ERROR);
  s.h3.draining = 0;
  stage_end(&s);
}

/* ---- All of it ---- */

static const single singles[] = {
    {"a datagram without an ID: DATAGRAM_ERROR", test_datagram_without_id},
    {"a datagram whose ID is cut short: DATAGRAM_ERROR",
     test_datagram_id_cut_short},
    {"a datagram whose ID is no stream's: DATAGRAM_ERROR",
     test_datagram_id_too_large},
    {"datagrams of dead and unknown sessions: dropped",
     test_datagrams_of_dead_sessions},
    {"datagrams before their session: 16 are kept", test_early_datagrams},
    {"CLOSE with a reason of 1024 octets: ends", test_reason_of_1024},
    {"CLOSE with a reason of 1025 octets: MESSAGE_ERROR", test_reason_of_1025},
    {"megabytes of an unknown capsule: skipped, flat memory",
     test_capsule_without_end},
    {"subprotocols on two lines: one list", test_subprotocols_on_two_lines},
    {"FIN before the session is accepted: 200, code 0", test_fin_before_accept},
    {"CONNECT before SETTINGS: waits", test_connect_before_settings},
    {"several sessions, one too many: 429", test_several_sessions},
    {"WEBTRANSPORT_STREAM on a CONNECT stream: FRAME_ERROR",
     test_signal_on_connect_stream},
    {"SETTINGS on a CONNECT stream: FRAME_UNEXPECTED",
     test_settings_on_connect_stream},
    {"DRAIN by the client: the application knows", test_client_drains},
    {"DRAIN by the application: one session's", test_app_drains},
    {"drain: DRAIN, no GOAWAY, REQUEST_REJECTED, NO_ERROR", test_server_drains},
};

int main(void) {
  size_t i;

  for (i = 0; i < ROWS(capsule_rows); ++i) {
    table_add(capsule_rows[i].what, run_capsule_row, &capsule_rows[i]);
  }
  for (i = 0; i < ROWS(connect_rows); ++i) {
    table_add(connect_rows[i].what, run_connect_row, &connect_rows[i]);
  }
  for (i = 0; i < ROWS(singles); ++i) {
    table_add(singles[i].what, singles[i].function, NULL);
  }
  return table_run("conformance_session");
}
