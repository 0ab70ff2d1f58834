/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/3 (RFC 9114, 9204, 9220): what is sent, and which code comes back.  Each
 * row is a test of its own.
 */
#include "tests/sim/conformance.h"

/* ---- Octets on a stream ---- */

typedef struct stream_row {
  const char *what;
  /* Whether proper SETTINGS go first. */
  int settings;
  int bidi;
  const char *data;
  size_t len;
  int fin;
  /* The connection's error; 0: the connection lives on. */
  uint64_t error;
} stream_row;

static const stream_row stream_rows[] = {
    /* The control stream. */
    {"control: no SETTINGS first: MISSING_SETTINGS", 0, 0,
     BYTES("\x00\x07\x01\x00"), 0, SIM_H3_MISSING_SETTINGS},
    {"control: an unknown frame before SETTINGS: MISSING_SETTINGS", 0, 0,
     BYTES("\x00\x21\x00\x04\x00"), 0, SIM_H3_MISSING_SETTINGS},
    {"control: SETTINGS twice: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x04\x00"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: a second one: STREAM_CREATION_ERROR", 1, 0,
     BYTES("\x00\x04\x00"), 0, SIM_H3_STREAM_CREATION_ERROR},
    {"control: FIN: CLOSED_CRITICAL_STREAM", 0, 0, BYTES("\x00\x04\x00"), 1,
     SIM_H3_CLOSED_CRITICAL_STREAM},
    {"control: DATA: FRAME_UNEXPECTED", 0, 0, BYTES("\x00\x04\x00\x00\x01x"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"control: HEADERS: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x01\x02\x00\x00"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: PUSH_PROMISE: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x05\x01\x00"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: PRIORITY of HTTP/2: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x02\x01x"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: PING of HTTP/2: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x06\x01x"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: WINDOW_UPDATE of HTTP/2: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x08\x01x"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: CONTINUATION of HTTP/2: FRAME_UNEXPECTED", 0, 0,
     BYTES("\x00\x04\x00\x09\x01x"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"control: WEBTRANSPORT_STREAM: FRAME_ERROR", 0, 0,
     BYTES("\x00\x04\x00\x40\x41\x00"), 0, SIM_H3_FRAME_ERROR},
    {"control: GOAWAY that grows: ID_ERROR", 0, 0,
     BYTES("\x00\x04\x00\x07\x01\x04\x07\x01\x08"), 0, SIM_H3_ID_ERROR},
    {"control: GOAWAY with octets too many: FRAME_ERROR", 0, 0,
     BYTES("\x00\x04\x00\x07\x02\x04\x04"), 0, SIM_H3_FRAME_ERROR},
    {"control: GOAWAY: borne", 0, 0, BYTES("\x00\x04\x00\x07\x01\x04"), 0, 0},
    {"control: MAX_PUSH_ID: borne", 0, 0, BYTES("\x00\x04\x00\x0d\x01\x04"), 0,
     0},
    {"control: an unknown frame: borne", 0, 0,
     BYTES("\x00\x04\x00\x21\x03xyz\x40\x5f\x00"), 0, 0},
    /* SETTINGS. */
    {"SETTINGS: 0x02 of HTTP/2: SETTINGS_ERROR", 0, 0,
     BYTES("\x00\x04\x02\x02\x01"), 0, SIM_H3_SETTINGS_ERROR},
    {"SETTINGS: 0x03 of HTTP/2: SETTINGS_ERROR", 0, 0,
     BYTES("\x00\x04\x02\x03\x01"), 0, SIM_H3_SETTINGS_ERROR},
    {"SETTINGS: 0x04 of HTTP/2: SETTINGS_ERROR", 0, 0,
     BYTES("\x00\x04\x02\x04\x01"), 0, SIM_H3_SETTINGS_ERROR},
    {"SETTINGS: 0x05 of HTTP/2: SETTINGS_ERROR", 0, 0,
     BYTES("\x00\x04\x02\x05\x01"), 0, SIM_H3_SETTINGS_ERROR},
    {"SETTINGS: H3_DATAGRAM is 2: SETTINGS_ERROR", 0, 0,
     BYTES("\x00\x04\x02\x33\x02"), 0, SIM_H3_SETTINGS_ERROR},
    {"SETTINGS: cut short: FRAME_ERROR", 0, 0, BYTES("\x00\x04\x01\x06"), 0,
     SIM_H3_FRAME_ERROR},
    {"SETTINGS: of 16,385 octets: EXCESSIVE_LOAD", 0, 0,
     BYTES("\x00\x04\x80\x00\x40\x01"), 0, SIM_H3_EXCESSIVE_LOAD},
    {"SETTINGS: an unknown one: borne", 0, 0, BYTES("\x00\x04\x03\x40\x5f\x07"),
     0, 0},
    /* Other unidirectional streams. */
    {"push stream: STREAM_CREATION_ERROR", 1, 0, BYTES("\x01\x00"), 0,
     SIM_H3_STREAM_CREATION_ERROR},
    {"QPACK encoder: FIN: CLOSED_CRITICAL_STREAM", 1, 0, BYTES("\x02"), 1,
     SIM_H3_CLOSED_CRITICAL_STREAM},
    {"QPACK decoder: FIN: CLOSED_CRITICAL_STREAM", 1, 0, BYTES("\x03"), 1,
     SIM_H3_CLOSED_CRITICAL_STREAM},
    /* Insert with the name of static entry 190; there are 99. */
    {"QPACK encoder: a static name that is none: ENCODER_STREAM_ERROR", 1, 0,
     BYTES("\x02\xff\x7f\x01v"), 0, SIM_QPACK_ENCODER_STREAM_ERROR},
    {"QPACK encoder: a table of 2^20: ENCODER_STREAM_ERROR", 1, 0,
     BYTES("\x02\x3f\xe1\xff\x3f"), 0, SIM_QPACK_ENCODER_STREAM_ERROR},
    {"QPACK encoder: duplicate of nothing: ENCODER_STREAM_ERROR", 1, 0,
     BYTES("\x02\x00"), 0, SIM_QPACK_ENCODER_STREAM_ERROR},
    {"QPACK decoder: an increment of 0: DECODER_STREAM_ERROR", 1, 0,
     BYTES("\x03\x00"), 0, 0x202},
    {"QPACK decoder: an increment of 5: DECODER_STREAM_ERROR", 1, 0,
     BYTES("\x03\x05"), 0, 0x202},
    {"QPACK decoder: a section that never was: DECODER_STREAM_ERROR", 1, 0,
     BYTES("\x03\x84"), 0, 0x202},
    {"unknown stream: borne", 1, 0, BYTES("\x40\x60what is this"), 1, 0},
    {"empty stream: borne", 1, 0, BYTES(""), 1, 0},
    {"a stream type cut short by FIN: borne", 1, 0, BYTES("\x40"), 1, 0},
    /* Request streams. */
    {"request: DATA first: FRAME_UNEXPECTED", 1, 1, BYTES("\x00\x01x"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: SETTINGS: FRAME_UNEXPECTED", 1, 1, BYTES("\x04\x00"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: GOAWAY: FRAME_UNEXPECTED", 1, 1, BYTES("\x07\x01\x00"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: CANCEL_PUSH: FRAME_UNEXPECTED", 1, 1, BYTES("\x03\x01\x00"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: MAX_PUSH_ID: FRAME_UNEXPECTED", 1, 1, BYTES("\x0d\x01\x00"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: PUSH_PROMISE: FRAME_UNEXPECTED", 1, 1, BYTES("\x05\x01\x00"), 0,
     SIM_H3_FRAME_UNEXPECTED},
    {"request: PRIORITY of HTTP/2: FRAME_UNEXPECTED", 1, 1, BYTES("\x02\x01x"),
     0, SIM_H3_FRAME_UNEXPECTED},
    {"request: CONTINUATION of HTTP/2: FRAME_UNEXPECTED", 1, 1,
     BYTES("\x09\x01x"), 0, SIM_H3_FRAME_UNEXPECTED},
    {"request: a frame cut short by FIN: FRAME_ERROR", 1, 1,
     BYTES("\x01\x10\x00\x00"), 1, SIM_H3_FRAME_ERROR},
    {"request: a length cut short by FIN: FRAME_ERROR", 1, 1, BYTES("\x01\x40"),
     1, SIM_H3_FRAME_ERROR},
    {"request: WEBTRANSPORT_STREAM after a frame: FRAME_ERROR", 1, 1,
     BYTES("\x21\x00\x40\x41\x00"), 0, SIM_H3_FRAME_ERROR},
    {"request: WEBTRANSPORT_STREAM after HEADERS: FRAME_ERROR", 1, 1,
     BYTES(GET "\x40\x41\x00"), 0, SIM_H3_FRAME_ERROR},
    {"request: WEBTRANSPORT_STREAM in eight octets: FRAME_ERROR", 1, 1,
     BYTES(GET "\xc0\x00\x00\x00\x00\x00\x00\x41\x00"), 0, SIM_H3_FRAME_ERROR},
    {"request: DATA after trailers: FRAME_UNEXPECTED", 1, 1,
     BYTES(GET "\x01\x06\x00\x00\x21"
               "a\x01"
               "b\x00\x01x"),
     0, SIM_H3_FRAME_UNEXPECTED},
    {"request: HEADERS after trailers: FRAME_UNEXPECTED", 1, 1,
     BYTES(GET "\x01\x06\x00\x00\x21"
               "a\x01"
               "b\x01\x06\x00\x00\x21"
               "a\x01"
               "b"),
     0, SIM_H3_FRAME_UNEXPECTED},
    {"request: a field section that is none: DECOMPRESSION_FAILED", 1, 1,
     BYTES("\x01\x04\xff\xff\xff\xff"), 0, SIM_QPACK_DECOMPRESSION_FAILED},
    {"request: an entry of an empty table: DECOMPRESSION_FAILED", 1, 1,
     BYTES("\x01\x03\x00\x00\x80"), 0, SIM_QPACK_DECOMPRESSION_FAILED},
    {"request: a static entry that is none: DECOMPRESSION_FAILED", 1, 1,
     BYTES("\x01\x04\x00\x00\xff\x7f"), 0, SIM_QPACK_DECOMPRESSION_FAILED},
    /* x: 131,072 octets, it says. */
    {"request: a field of 131,072 octets: EXCESSIVE_LOAD", 1, 1,
     BYTES("\x01\x7f\xff\x00\x00\x21x\x7f\x81\xff\x07"), 0,
     SIM_H3_EXCESSIVE_LOAD},
    {"request: unknown frames: borne", 1, 1,
     BYTES("\x21\x03xyz\x40\x5f\x00" GET), 1, 0},
    {"request: trailers: borne", 1, 1,
     BYTES(GET "\x01\x06\x00\x00\x21"
               "a\x01"
               "b"),
     1, 0},
};

static void run_stream_row(void **state) {
  const stream_row *row = *state;

  stage_begin(&s);
  stage_connect_mute(&s);
  if (row->settings) {
    stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
    stage_pass(&s, SIM_SECOND);
  }
  stage_say(&s, row->bidi, row->data, row->len, row->fin);
  if (row->error) {
    stage_expect_closed(&s, row->error);
  } else {
    stage_pass(&s, 3 * SIM_SECOND);
    assert_false(s.peer->closed);
  }
  stage_end(&s);
}

/* ---- Requests made of fields ---- */

#define FIELDS_MAX 8

typedef struct request_row {
  const char *what;
  sim_field fields[FIELDS_MAX];
  /* 0: the connection is closed with |error|. */
  int status;
  uint64_t error;
  /* Of the response; NULL: not looked at. */
  const char *length;
  /* Octets of body that come. */
  size_t body;
} request_row;

static const request_row request_rows[] = {
    {"GET: 200", METHOD("GET", "/"), 200, 0, "6", 6},
    {"GET of much: 200", METHOD("GET", "/big"), 200, 0, "50000", BIG_LEN},
    {"GET of nothing: 200", METHOD("GET", "/empty"), 200, 0, "0", 0},
    {"GET of what is missing: 404", METHOD("GET", "/none"), 404, 0, "6", 6},
    {"HEAD: 200, the length, no body", METHOD("HEAD", "/"), 200, 0, "6", 0},
    {"HEAD of much: 200, the length, no body", METHOD("HEAD", "/big"), 200, 0,
     "50000", 0},
    {"HEAD of what is missing: 404", METHOD("HEAD", "/none"), 404, 0, "6", 0},
    {"POST: 405", METHOD("POST", "/"), 405, 0, "0", 0},
    {"OPTIONS: 405", METHOD("OPTIONS", "/"), 405, 0, "0", 0},
    {"a method of nobody's: 405", METHOD("BREW", "/"), 405, 0, "0", 0},
    {"CONNECT without protocol: 501",
     {{":method", "CONNECT"}, {":authority", "localhost:4433"}},
     501,
     0,
     "0",
     0},
    {"CONNECT for websocket: 501",
     {{":method", "CONNECT"},
      {":scheme", "https"},
      {":authority", "localhost:4433"},
      {":path", "/echo"},
      {":protocol", "websocket"}},
     501,
     0,
     "0",
     0},
    {"Origin twice: 400",
     {GOOD, {"origin", "https://a.example"}, {"origin", "https://b.example"}},
     400,
     0,
     "0",
     0},
    {"a cookie: 200", {GOOD, {"cookie", "a=b"}}, 200, 0, "6", 6},
    /* Malformed (RFC 9114 section 4.1.2). */
    {"no :method: MESSAGE_ERROR",
     {{":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"no :scheme: MESSAGE_ERROR",
     {{":method", "GET"}, {":authority", "a"}, {":path", "/"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"no :path: MESSAGE_ERROR",
     {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"an empty :path: MESSAGE_ERROR", METHOD("GET", ""), 0,
     SIM_H3_MESSAGE_ERROR, NULL, 0},
    {":path twice: MESSAGE_ERROR",
     {GOOD, {":path", "/"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {":status: MESSAGE_ERROR",
     {GOOD, {":status", "200"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"an unknown pseudo-header field: MESSAGE_ERROR",
     {GOOD, {":x", "y"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"a pseudo-header field at the end: MESSAGE_ERROR",
     {{":method", "GET"},
      {":scheme", "https"},
      {":path", "/"},
      {"a", "b"},
      {":authority", "a"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {":protocol without CONNECT: MESSAGE_ERROR",
     {GOOD, {":protocol", "webtransport"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {":protocol without :path: MESSAGE_ERROR",
     {{":method", "CONNECT"},
      {":scheme", "https"},
      {":authority", "a"},
      {":protocol", "webtransport"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"upper case: MESSAGE_ERROR",
     {GOOD, {"Accept", "x"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"Connection: MESSAGE_ERROR",
     {GOOD, {"connection", "close"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"Transfer-Encoding: MESSAGE_ERROR",
     {GOOD, {"transfer-encoding", "chunked"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"TE: gzip: MESSAGE_ERROR",
     {GOOD, {"te", "gzip"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"a length that is none: MESSAGE_ERROR",
     {GOOD, {"content-length", "-1"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
    {"a length and no body: MESSAGE_ERROR",
     {GOOD, {"content-length", "5"}},
     0,
     SIM_H3_MESSAGE_ERROR,
     NULL,
     0},
};

static void run_request_row(void **state) {
  const request_row *row = *state;
  char text[64];
  size_t n = 0;
  int64_t id;

  stage_begin(&s);
  stage_connect(&s);
  while (n < FIELDS_MAX && row->fields[n].name != NULL) {
    ++n;
  }
  assert_int_equal(sim_client_request(s.peer->client, row->fields, n, 1, &id),
                   0);
  if (row->error) {
    stage_expect_closed(&s, row->error);
  } else {
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
    assert_false(s.peer->closed);
    assert_true(stage_stream(&s, id)->fin);
    assert_int_equal(stage_stream(&s, id)->status, row->status);
    assert_int_equal(stage_stream(&s, id)->len, row->body);
    assert_true(
        sim_peer_find_field(s.peer, id, "content-length", text, sizeof(text)));
    assert_string_equal(text, row->length);
    assert_int_equal(
        sim_peer_find_field(s.peer, id, "allow", text, sizeof(text)),
        row->status == 405);
    if (row->status == 405) {
      assert_string_equal(text, "GET, HEAD");
    }
  }
  stage_end(&s);
}

/* ---- What WebTransport requires of a client ---- */

typedef struct required_row {
  const char *what;
  /* Its control stream. */
  const char *settings;
  size_t len;
  int no_datagrams; /* the transport parameter is missing */
  int malformed;
} required_row;

#define DRAFT02 "\xab\x60\x37\x42\x01"

/* draft-ietf-webtrans-http3 section 3.1.  That the client has
   ENABLE_WEBTRANSPORT of draft-02 is not required: later drafts do not have it.
 */
static const required_row required_rows[] = {
    {"WebTransport: SETTINGS as Chromium's: 200", SETTINGS, SETTINGS_LEN, 0, 0},
    {"WebTransport: H3_DATAGRAM alone: 200", BYTES("\x00\x04\x02\x33\x01"), 0,
     0},
    {"WebTransport: no H3_DATAGRAM: MESSAGE_ERROR",
     BYTES("\x00\x04\x05" DRAFT02), 0, 1},
    {"WebTransport: H3_DATAGRAM 0: MESSAGE_ERROR",
     BYTES("\x00\x04\x07\x33\x00" DRAFT02), 0, 1},
    {"WebTransport: empty SETTINGS: MESSAGE_ERROR", BYTES("\x00\x04\x00"), 0,
     1},
    {"WebTransport: no max_datagram_frame_size: MESSAGE_ERROR", SETTINGS,
     SETTINGS_LEN, 1, 1},
};

/* SETTINGS before the request or after it, with a stream that is early. */
static void run_required_row(void **state) {
  /* To session 0. */
  static const char early[] = "\x40\x54\x00x";
  const required_row *row = *state;
  int after;

  for (after = 0; after < 2; ++after) {
    sim_client_config config;
    const sim_peer_stream *stream;
    int64_t id, uni;

    stage_begin(&s);
    s.world->sessions_opened = 0;
    config = sim_world_config(s.world);
    config.mode = SIM_MODE_RAW;
    config.no_datagrams = row->no_datagrams;
    s.peer = sim_world_add(s.world, &config);
    assert_non_null(s.peer);
    RUN_UNTIL(s.world, sim_is_handshake_done, s.peer, 0);
    if (!after) {
      stage_say(&s, 0, row->settings, row->len, 0);
      stage_pass(&s, SIM_SECOND);
    }
    uni = stage_say(&s, 0, BYTES(early), 0);
    id = stage_say(&s, 1, BYTES(CONNECT), 0);
    stage_pass(&s, SIM_SECOND);
    if (after) {
      assert_int_equal(stage_stream(&s, id)->len, 0);
      stage_say(&s, 0, row->settings, row->len, 0);
      stage_pass(&s, SIM_SECOND);
    }
    stream = stage_stream(&s, id);
    assert_int_equal(s.world->sessions_opened, !row->malformed);
    assert_int_equal(stream->len > 0, !row->malformed);
    assert_int_equal(stream->reset, row->malformed);
    assert_int_equal(stream->stopped, row->malformed);
    if (row->malformed) {
      assert_int_equal(stream->reset_code, SIM_H3_MESSAGE_ERROR);
      assert_int_equal(stream->stopped_code, SIM_H3_MESSAGE_ERROR);
      assert_true(stage_stream(&s, uni)->stopped);
    }
    /* The rest of HTTP/3 goes on. */
    id = stage_say(&s, 1, BYTES(GET), 1);
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
    assert_true(stage_stream(&s, id)->fin);
    assert_false(s.peer->closed);
    stage_end(&s);
  }
}

/* ---- What takes more than a row ---- */

/* Streams that are critical may not be reset, nor may ours be stopped. */
static void test_control_reset(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  id = stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, id, SIM_H3_NO_ERROR);
  stage_expect_closed(&s, SIM_H3_CLOSED_CRITICAL_STREAM);
  stage_end(&s);
}

static void test_control_stopped(void **state) {
  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  /* The first stream of the server's. */
  sim_client_stream_stop(s.peer->client, 3, SIM_H3_NO_ERROR);
  stage_expect_closed(&s, SIM_H3_CLOSED_CRITICAL_STREAM);
  stage_end(&s);
}

/* The client loses interest: before the request is whole, after it. */
static void test_request_cancelled(void **state) {
  static const sim_field big[] = METHOD("GET", "/big");
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, NULL, 0, 0, &id), 0);
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)"\x01\x20\x00",
                          3, 0);
  stage_pass(&s, SIM_SECOND);
  sim_client_stream_reset(s.peer->client, id, SIM_H3_REQUEST_CANCELLED);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_true(stage_stream(&s, id)->reset);
  assert_int_equal(stage_stream(&s, id)->reset_code, SIM_H3_REQUEST_CANCELLED);

  assert_int_equal(sim_client_request(s.peer->client, big, 4, 1, &id), 0);
  sim_client_stream_stop(s.peer->client, id, SIM_H3_REQUEST_CANCELLED);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_true(stage_stream(&s, id)->reset);
  stage_pass(&s, SIM_SECOND);
  assert_true(stage_stream(&s, id)->closed);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* ---- All of it ---- */

static const single singles[] = {
    {"control: RESET_STREAM: CLOSED_CRITICAL_STREAM", test_control_reset},
    {"control: STOP_SENDING: CLOSED_CRITICAL_STREAM", test_control_stopped},
    {"a request that is cancelled: REQUEST_CANCELLED", test_request_cancelled},
};

int main(void) {
  size_t i;

  for (i = 0; i < ROWS(stream_rows); ++i) {
    table_add(stream_rows[i].what, run_stream_row, &stream_rows[i]);
  }
  for (i = 0; i < ROWS(request_rows); ++i) {
    table_add(request_rows[i].what, run_request_row, &request_rows[i]);
  }
  for (i = 0; i < ROWS(required_rows); ++i) {
    table_add(required_rows[i].what, run_required_row, &required_rows[i]);
  }
  for (i = 0; i < ROWS(singles); ++i) {
    table_add(singles[i].what, singles[i].function, NULL);
  }
  return table_run("conformance_http3");
}
