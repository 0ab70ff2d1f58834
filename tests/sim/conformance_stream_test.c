/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of WebTransport (draft-ietf-webtrans-http3): how they begin, codes
 * both ways, before their session and after it.  Each row is a test of its own.
 */
#include "tests/sim/conformance.h"

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
  session = stage_say(&s, 1, BYTES(CONNECT), 0);
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

/* After a hundred sessions on one connection, the first of them is still known
   to be gone, and there is room for streams that come early. */
static void test_late_for_the_first(void **state) {
  int64_t session, first, id;
  int i;

  (void)state;
  begin_with_session(&first);
  sim_client_session_close(s.peer->client, first, 0, NULL);
  for (i = 0; i < 100; ++i) {
    session = stage_session(&s, "/probe");
    sim_client_session_close(s.peer->client, session, 0, NULL);
    stage_pass(&s, SIM_SECOND);
    s.peer->nsessions = 0;
  }
  for (i = 0; i < 20; ++i) {
    expect_refused(open_stream(first, 0, "x", 1, 0), SIM_WT_SESSION_GONE);
    expect_refused(open_stream(session, 0, "x", 1, 0), SIM_WT_SESSION_GONE);
  }
  /* A stream of WebTransport is no session. */
  session = stage_session(&s, "/probe");
  id = open_stream(session, 1, "x", 1, 0);
  stage_pass(&s, SIM_SECOND);
  expect_refused(open_stream(id, 0, "x", 1, 0), SIM_WT_SESSION_GONE);
  assert_int_equal(sim_client_session_reserve(s.peer->client, &session), 0);
  id = open_stream(session, 1, "w", 1, 0);
  stage_pass(&s, SIM_SECOND);
  request_session(session, "/probe");
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  check_bytes(stage_stream(&s, id), "ok", 2);
  stage_end(&s);
}

/* Ten thousand streams, each reset at once. */
static void test_rapid_resets(void **state) {
  int64_t session, id;
  size_t before, done = 0;
  int i;

  (void)state;
  begin_with_session(&session);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  for (i = 0; i < 200 && done < 10000; ++i) {
    while (sim_client_open_bidi(s.peer->client, session, &id) == 0) {
      sim_client_stream_write(s.peer->client, id, (const uint8_t *)"x", 1, 0);
      sim_client_stream_reset(s.peer->client, id, sim_wt_error(1));
      sim_client_stream_stop(s.peer->client, id, sim_wt_error(1));
      ++done;
    }
    sim_peer_forget_streams(s.peer);
    stage_pass(&s, 50 * SIM_MILLISECOND);
    assert_true(s.world->octets_live < before + 1024 * 1024);
  }
  assert_true(done >= 10000);
  stage_pass(&s, SIM_SECOND);
  sim_peer_forget_streams(s.peer);
  assert_false(s.peer->closed);
  assert_true(s.world->octets_live < before + 65536);
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

/* ---- All of it ---- */

static const single singles[] = {
    {"four kinds of stream", test_four_kinds_of_stream},
    {"an empty uni stream: FIN in a later packet", test_empty_uni_stream},
    {"RESET_STREAM in the prefix: REQUEST_CANCELLED", test_reset_in_prefix},
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
    {"streams after a hundred sessions: SESSION_GONE, or served",
     test_late_for_the_first},
    {"10^4 streams that are reset: borne, flat memory", test_rapid_resets},
    {"many streams of a dead session: SESSION_GONE, flat memory",
     test_many_streams_for_the_gone},
};

static char code_names[5 * ROWS(code_rows)][64];

static void add_codes(const char *what, CMUnitTestFunction function, size_t n,
                      char names[][64]) {
  size_t i;

  for (i = 0; i < n; ++i) {
    snprintf(names[i], sizeof(names[i]), "%s: code %s", what,
             code_rows[i].what);
    table_add(names[i], function, &code_rows[i]);
  }
}

int main(void) {
  size_t i, all = ROWS(code_rows), ours = 5;

  for (i = 0; i < ROWS(prefix_rows); ++i) {
    table_add(prefix_rows[i].what, run_prefix_row, &prefix_rows[i]);
  }
  add_codes("RESET_STREAM comes", run_reset_in, all, code_names);
  add_codes("STOP_SENDING comes", run_stop_in, all, code_names + all);
  add_codes("RESET_STREAM goes", run_reset_out, ours, code_names + 2 * all);
  add_codes("STOP_SENDING goes", run_stop_out, ours, code_names + 3 * all);
  add_codes("STOP_SENDING and RESET_STREAM go, in this order", run_both_out,
            ours, code_names + 4 * all);
  for (i = 0; i < ROWS(singles); ++i) {
    table_add(singles[i].what, singles[i].function, NULL);
  }
  return table_run("conformance_stream");
}
