/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebTransport (draft-ietf-webtrans-http3, RFC 9297): what is sent, and which
 * code comes back.  Each row is a test of its own.
 */
#include "tests/sim/conformance.h"

#include "server/webtransport/capsule.h"

static stage s;

static void begin_with_session(int64_t *psession) {
  stage_begin(&s);
  stage_connect(&s);
  *psession = stage_session(&s, "/probe");
}

static int64_t open_stream(int64_t session, int bidi, const void *data,
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
static void expect_refused(int64_t id, uint64_t code) {
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

/* ---- The beginnings of streams ---- */

typedef struct prefix_row {
  const char *what;
  int bidi;
  const char *data;
  size_t len;
  int fin;
  uint64_t error; /* the connection's; 0: it lives on */
} prefix_row;

static const prefix_row prefix_rows[] = {
    {"a uni stream in session 1: ID_ERROR", 0, BYTES("\x40\x54\x01x"), 0,
     SIM_H3_ID_ERROR},
    {"a uni stream in session 2: ID_ERROR", 0, BYTES("\x40\x54\x02x"), 0,
     SIM_H3_ID_ERROR},
    {"a uni stream in session 3: ID_ERROR", 0, BYTES("\x40\x54\x03"), 1,
     SIM_H3_ID_ERROR},
    {"a bidi stream in session 1: ID_ERROR", 1, BYTES("\x40\x41\x01x"), 0,
     SIM_H3_ID_ERROR},
    {"a bidi stream in session 2: ID_ERROR", 1, BYTES("\x40\x41\x02"), 1,
     SIM_H3_ID_ERROR},
    {"a bidi stream in session 3: ID_ERROR", 1, BYTES("\x40\x41\x03x"), 0,
     SIM_H3_ID_ERROR},
    {"varints longer than they need be, session 7: ID_ERROR", 1,
     BYTES("\x80\x00\x00\x41\xc0\x00\x00\x00\x00\x00\x00\x07x"), 0,
     SIM_H3_ID_ERROR},
    {"a bidi stream cut short in its prefix: FRAME_ERROR", 1, BYTES("\x40\x41"),
     1, SIM_H3_FRAME_ERROR},
    {"a uni stream cut short in its prefix: borne", 0, BYTES("\x40\x54"), 1, 0},
    {"a uni stream cut short in its session: borne", 0,
     BYTES("\x40\x54\xc0\x00"), 1, 0},
    {"a stream for a session that never comes: borne", 1,
     BYTES("\x40\x41\x40xyz"), 1, 0},
    {"a stream for a session far away: borne", 1,
     BYTES("\x40\x41\xff\xff\xff\xff\xff\xff\xff\xfcxyz"), 1, 0},
};

static void run_prefix_row(void **state) {
  const prefix_row *row = *state;

  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  stage_say(&s, row->bidi, row->data, row->len, row->fin);
  if (row->error) {
    stage_expect_closed(&s, row->error);
  } else {
    stage_pass(&s, 3 * SIM_SECOND);
    assert_false(s.peer->closed);
  }
  stage_end(&s);
}

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

/* :method CONNECT, :scheme https, :path /probe, :authority a, :protocol
   webtransport */
static const char connect_octets[] =
    "\x01\x27\x00\x00\xcf\xd7\x51\x06/probe\x50\x01"
    "a\x27\x02:protocol\x0cwebtransport";

static void test_connect_before_settings(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  s.world->sessions_opened = 0;
  stage_connect_mute(&s);
  id = stage_say(&s, 1, connect_octets, sizeof(connect_octets) - 1, 0);
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

/* ---- Streams of a session ---- */

static void test_four_kinds_of_stream(void **state) {
  size_t bidi = 0, uni = 0, i;
  int64_t session;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  session = stage_session(&s, "/echo?bidi=1&uni=1");
  check_echo(s.world, s.peer, session, "bidi", 4);
  open_stream(session, 0, "uni", 3, 1);
  RUN_UNTIL(s.world, sim_is_server_streams, s.peer, 2);
  for (i = 0; i < s.peer->nstreams; ++i) {
    const sim_peer_stream *stream = &s.peer->streams[i];

    if (stream->by_server) {
      assert_int_equal(stream->session, session);
      bidi += ngtcp2_is_bidi_stream(stream->id) ? 1 : 0;
      uni += ngtcp2_is_bidi_stream(stream->id) ? 0 : 1;
    }
  }
  assert_int_equal(bidi, 1);
  assert_int_equal(uni, 2);
  stage_end(&s);
}

typedef struct code_row {
  const char *what;
  uint64_t h3_code;
  uint32_t code;
} code_row;

static const code_row code_rows[] = {
    {"0", 0x52e4a40fa8db, 0},
    {"29", 0x52e4a40fa8f8, 29},
    {"30", 0x52e4a40fa8fa, 30},
    {"255", 0x52e4a40fa9e2, 255},
    {"2^32-1", 0x52e5ac983162, UINT32_MAX},
    /* No application's. */
    {"one that is reserved", 0x52e4a40fa8f9, 0},
    {"one below", 0x52e4a40fa8da, 0},
    {"one above", 0x52e5ac983163, 0},
    {"REQUEST_CANCELLED", SIM_H3_REQUEST_CANCELLED, 0},
};

static void check_code_in(const code_row *row, int stop) {
  char text[32];
  int64_t session, id;

  begin_with_session(&session);
  id = open_stream(session, 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  if (stop) {
    sim_client_stream_stop(s.peer->client, id, row->h3_code);
  } else {
    sim_client_stream_reset(s.peer->client, id, row->h3_code);
  }
  stage_pass(&s, SIM_SECOND);
  snprintf(text, sizeof(text), "%s %lu", stop ? "stop" : "reset",
           (unsigned long)row->code);
  assert_true(probe_heard(&s.probe, text));
  if (stop) {
    /* RFC 9000 section 3.5 */
    assert_true(stage_stream(&s, id)->reset);
    assert_true(stage_stream(&s, id)->reset_code == row->h3_code);
  }
  assert_false(s.peer->closed);
  stage_end(&s);
}

static void run_reset_in(void **state) { check_code_in(*state, 0); }

static void run_stop_in(void **state) { check_code_in(*state, 1); }

static void check_code_out(const code_row *row, char how) {
  uint8_t order[5];
  const sim_peer_stream *stream;
  int64_t session, id;
  int i;

  begin_with_session(&session);
  order[0] = (uint8_t)how;
  for (i = 0; i < 4; ++i) {
    order[1 + i] = (uint8_t)(row->code >> (24 - 8 * i));
  }
  id = open_stream(session, 1, order, 5, 0);
  stage_pass(&s, SIM_SECOND);
  stream = stage_stream(&s, id);
  assert_int_equal(stream->reset, how != 's');
  assert_int_equal(stream->stopped, how != 'r');
  assert_true(how == 's' || stream->reset_code == row->h3_code);
  assert_true(how == 'r' || stream->stopped_code == row->h3_code);
  assert_true(how != 'b' || stream->stopped_first);
  assert_false(s.peer->closed);
  stage_end(&s);
}

static void run_reset_out(void **state) { check_code_out(*state, 'r'); }

static void run_stop_out(void **state) { check_code_out(*state, 's'); }

static void run_both_out(void **state) { check_code_out(*state, 'b'); }

/* The prefix, and FIN alone in a later packet. */
static void test_empty_uni_stream(void **state) {
  int64_t session, id = -1;
  size_t i;

  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  session = stage_say(&s, 1, connect_octets, sizeof(connect_octets) - 1, 0);
  stage_pass(&s, SIM_SECOND);
  assert_true(stage_stream(&s, session)->len > 0);
  /* "u": an empty unidirectional stream. */
  stage_say(&s, 1, "\x40\x41\x00u", 4, 1);
  /* Those of nghttp3 are 3, 7 and 11. */
  RUN_UNTIL(s.world, sim_is_stream_there, s.peer, 15);
  for (i = 0; i < s.peer->nstreams; ++i) {
    if (s.peer->streams[i].id == 15) {
      id = 15;
      check_bytes(&s.peer->streams[i], "\x40\x54\x00", 3);
      assert_false(s.peer->streams[i].fin);
    }
  }
  assert_int_equal(id, 15);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_true(stage_stream(&s, id)->fin);
  stage_end(&s);
}

static void test_reset_in_prefix(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  id = stage_say(&s, 1, "\x40\x41", 2, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, id, 7);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->reset_code, SIM_H3_REQUEST_CANCELLED);
  id = stage_say(&s, 0, "\x40\x54", 2, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, id, 7);
  stage_pass(&s, SIM_SECOND);
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

/* ---- Before the session ---- */

static void request_session(int64_t session, const char *path) {
  const sim_request request = {.authority = "a", .path = path};

  assert_int_equal(
      sim_client_session_request(s.peer->client, session, &request), 0);
  RUN_UNTIL(s.world, sim_is_answered, s.peer, session);
}

static void test_early_streams(void **state) {
  int64_t session, id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  id = open_stream(session, 1, "w234", 4, 1);
  open_stream(session, 0, "12345", 5, 1);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(s.probe.len, 0);
  request_session(session, "/probe");
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  check_bytes(stage_stream(&s, id), "ok", 2);
  assert_true(probe_heard(&s.probe, "data 4 fin"));
  assert_true(probe_heard(&s.probe, "data 5 fin"));
  stage_end(&s);
}

static void test_early_stream_for_404(void **state) {
  int64_t session, id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  id = open_stream(session, 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  request_session(session, "/none");
  expect_refused(id, SIM_WT_BUFFERED_STREAM_REJECTED);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* The "session" turns out to be a GET. */
static void test_early_stream_for_get(void **state) {
  static const char get[] = "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01"
                            "a";
  int64_t request, id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, NULL, 0, 0, &request), 0);
  id = open_stream(request, 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_write(s.peer->client, request, (const uint8_t *)get,
                          sizeof(get) - 1, 1);
  expect_refused(id, SIM_WT_BUFFERED_STREAM_REJECTED);
  assert_int_equal(stage_stream(&s, request)->status, 200);
  expect_refused(open_stream(request, 0, "x", 1, 0), SIM_WT_SESSION_GONE);
  assert_false(s.peer->closed);
  stage_end(&s);
}

static void test_too_many_early_streams(void **state) {
  int64_t session, ids[20];
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  for (i = 0; i < 20; ++i) {
    ids[i] = open_stream(session, 1, "w", 1, 1);
    stage_pass(&s, 50 * SIM_MILLISECOND);
  }
  for (i = 16; i < 20; ++i) {
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, ids[i]);
    assert_int_equal(stage_stream(&s, ids[i])->reset_code,
                     SIM_WT_BUFFERED_STREAM_REJECTED);
  }
  request_session(session, "/probe");
  for (i = 0; i < 16; ++i) {
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, ids[i]);
    check_bytes(stage_stream(&s, ids[i]), "ok", 2);
  }
  stage_end(&s);
}

static void test_too_much_early(void **state) {
  static uint8_t data[60000];
  int64_t session, ids[3];
  size_t before;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  s.world->octets_peak = before;
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  data[0] = 'w';
  for (i = 0; i < 3; ++i) {
    ids[i] = open_stream(session, 1, data, sizeof(data), 0);
    stage_pass(&s, SIM_SECOND);
  }
  expect_refused(ids[1], SIM_WT_BUFFERED_STREAM_REJECTED);
  expect_refused(ids[2], SIM_WT_BUFFERED_STREAM_REJECTED);
  assert_true(s.world->octets_peak - before < 131072);
  request_session(session, "/probe");
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, ids[0]);
  check_bytes(stage_stream(&s, ids[0]), "ok", 2);
  stage_end(&s);
}

static void test_early_stream_reset(void **state) {
  int64_t session, id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  id = open_stream(session, 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, id, sim_wt_error(1));
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->reset_code,
                   SIM_WT_BUFFERED_STREAM_REJECTED);
  request_session(session, "/probe");
  assert_false(probe_heard(&s.probe, "data 1"));
  stage_end(&s);
}

/* ---- After the session ---- */

/* Streams that are open when it ends, and those that come later. */
static void check_gone(int64_t session, int64_t bidi, int64_t uni) {
  expect_refused(bidi, SIM_WT_SESSION_GONE);
  expect_refused(uni, SIM_WT_SESSION_GONE);
  expect_refused(open_stream(session, 1, "x", 1, 0), SIM_WT_SESSION_GONE);
  expect_refused(open_stream(session, 0, "x", 1, 0), SIM_WT_SESSION_GONE);
  assert_false(s.peer->closed);
}

static void test_gone_by_close(void **state) {
  int64_t session, bidi, uni;

  (void)state;
  begin_with_session(&session);
  bidi = open_stream(session, 1, "x", 1, 0);
  uni = open_stream(session, 0, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  /* By hand, so that the client does not reset its streams. */
  sim_client_stream_write(s.peer->client, session,
                          (const uint8_t *)"\x00\x07\x68\x43\x04\x00\x00\x00"
                                           "\x01",
                          9, 1);
  check_gone(session, bidi, uni);
  stage_end(&s);
}

static void test_gone_by_reset(void **state) {
  int64_t session, bidi, uni;

  (void)state;
  begin_with_session(&session);
  bidi = open_stream(session, 1, "x", 1, 0);
  uni = open_stream(session, 0, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, session, SIM_H3_REQUEST_CANCELLED);
  check_gone(session, bidi, uni);
  assert_string_equal(s.world->last_close.by, "connection");
  stage_end(&s);
}

static void test_gone_by_server(void **state) {
  int64_t session;

  (void)state;
  begin_with_session(&session);
  assert_int_equal(h3_service_close_sessions(&s.h3, 77, "enough"), 2);
  assert_int_equal(h3_service_sessions(&s.h3), 0);
  /* Nobody wakes the endpoint: the next packet does. */
  open_stream(session, 1, "x", 1, 0);
  RUN_UNTIL(s.world, sim_is_session_closed, s.peer, session);
  assert_true(sim_peer_find_session(s.peer, session)->by_server);
  assert_int_equal(sim_peer_find_session(s.peer, session)->code, 77);
  assert_string_equal(sim_peer_find_session(s.peer, session)->reason, "enough");
  assert_true(sim_peer_find_session(s.peer, s.by.session) != NULL);
  expect_refused(open_stream(session, 1, "x", 1, 0), SIM_WT_SESSION_GONE);
  /* The bystander was closed with all the others: a new one. */
  sim_client_close(s.by.peer->client, SIM_H3_NO_ERROR, NULL);
  bystander_begin(&s.by, s.world);
  stage_end(&s);
}

/* A thousand streams for a session that has ended: each refused, none kept. */
static void test_many_streams_for_the_gone(void **state) {
  int64_t session, id = 0;
  size_t before;
  int i;

  (void)state;
  begin_with_session(&session);
  assert_int_equal(sim_client_session_close(s.peer->client, session, 0, NULL),
                   0);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  for (i = 0; i < 400; ++i) {
    id = open_stream(session, i % 2, "late", 4, 1);
    if (i % 50 == 49) {
      stage_pass(&s, SIM_SECOND);
    }
  }
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  stage_pass(&s, SIM_SECOND);
  assert_true(s.world->octets_live < before + 16384);
  assert_false(s.peer->closed);
  stage_end(&s);
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
  assert_int_equal(s.peer->ngoaways, 1);
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

typedef struct single {
  const char *what;
  CMUnitTestFunction function;
} single;

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
    {"four kinds of stream", test_four_kinds_of_stream},
    {"an empty uni stream: FIN in a later packet", test_empty_uni_stream},
    {"RESET_STREAM in the prefix: REQUEST_CANCELLED", test_reset_in_prefix},
    {"WEBTRANSPORT_STREAM on a CONNECT stream: FRAME_ERROR",
     test_signal_on_connect_stream},
    {"SETTINGS on a CONNECT stream: FRAME_UNEXPECTED",
     test_settings_on_connect_stream},
    {"streams before their session: served", test_early_streams},
    {"a stream before its 404: BUFFERED_STREAM_REJECTED",
     test_early_stream_for_404},
    {"a stream for a GET: BUFFERED_STREAM_REJECTED, SESSION_GONE",
     test_early_stream_for_get},
    {"too many streams before their session: BUFFERED_STREAM_REJECTED",
     test_too_many_early_streams},
    {"too much before its session: BUFFERED_STREAM_REJECTED",
     test_too_much_early},
    {"a stream that is reset before its session: BUFFERED_STREAM_REJECTED",
     test_early_stream_reset},
    {"streams after CLOSE: SESSION_GONE", test_gone_by_close},
    {"streams after RESET_STREAM of CONNECT: SESSION_GONE", test_gone_by_reset},
    {"streams after the server's CLOSE: SESSION_GONE", test_gone_by_server},
    {"many streams of a dead session: SESSION_GONE, flat memory",
     test_many_streams_for_the_gone},
    {"DRAIN by the client: the application knows", test_client_drains},
    {"DRAIN by the application: one session's", test_app_drains},
    {"drain: DRAIN and GOAWAY, REQUEST_REJECTED, NO_ERROR", test_server_drains},
};

#define ROWS(TABLE) (sizeof(TABLE) / sizeof((TABLE)[0]))

static struct CMUnitTest tests[ROWS(prefix_rows) + ROWS(capsule_rows) +
                               ROWS(connect_rows) + 5 * ROWS(code_rows) +
                               ROWS(singles)];
static char code_names[5 * ROWS(code_rows)][64];
static size_t ntests;

static void add(const char *name, CMUnitTestFunction function,
                const void *row) {
  struct CMUnitTest *test = &tests[ntests++];

  test->name = name;
  test->test_func = function;
  test->initial_state = (void *)(uintptr_t)row;
}

static void add_codes(const char *what, CMUnitTestFunction function, size_t n,
                      char names[][64]) {
  size_t i;

  for (i = 0; i < n; ++i) {
    snprintf(names[i], sizeof(names[i]), "%s: code %s", what,
             code_rows[i].what);
    add(names[i], function, &code_rows[i]);
  }
}

int main(void) {
  size_t i, all = ROWS(code_rows), ours = 5;

  for (i = 0; i < ROWS(prefix_rows); ++i) {
    add(prefix_rows[i].what, run_prefix_row, &prefix_rows[i]);
  }
  for (i = 0; i < ROWS(capsule_rows); ++i) {
    add(capsule_rows[i].what, run_capsule_row, &capsule_rows[i]);
  }
  for (i = 0; i < ROWS(connect_rows); ++i) {
    add(connect_rows[i].what, run_connect_row, &connect_rows[i]);
  }
  add_codes("RESET_STREAM comes", run_reset_in, all, code_names);
  add_codes("STOP_SENDING comes", run_stop_in, all, code_names + all);
  add_codes("RESET_STREAM goes", run_reset_out, ours, code_names + 2 * all);
  add_codes("STOP_SENDING goes", run_stop_out, ours, code_names + 3 * all);
  add_codes("STOP_SENDING and RESET_STREAM go, in this order", run_both_out,
            ours, code_names + 4 * all);
  for (i = 0; i < ROWS(singles); ++i) {
    add(singles[i].what, singles[i].function, NULL);
  }
  return _cmocka_run_group_tests("conformance_webtransport", tests, ntests,
                                 NULL, NULL);
}
