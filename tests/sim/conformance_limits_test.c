/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of HTTP/3: too much of anything, how a connection is stopped, and
 * one that is never used.
 */
#include "tests/sim/conformance.h"

static const sim_field post[] = METHOD("POST", "/");
static const sim_field get[] = METHOD("GET", "/");

/* A body within the limit is heard to its end, and dropped. */
static void test_body_within_limit(void **state) {
  static const char frame[] = "\x00\x80\x00\xff\xff";
  static uint8_t body[65535];
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, post, 4, 0, &id), 0);
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)frame, 5, 0);
  sim_client_stream_write(s.peer->client, id, body, sizeof(body), 1);
  stage_pass(&s, 3 * SIM_SECOND);
  assert_int_equal(stage_stream(&s, id)->status, 405);
  assert_true(stage_stream(&s, id)->closed);
  assert_false(stage_stream(&s, id)->stopped);
  stage_end(&s);
}

/* A body without end: the answer comes whole, and the client is to stop. */
static void test_body_beyond_limit(void **state) {
  static const char frame[] = "\x00\x80\x10\x00\x00";
  static uint8_t body[1 << 20];
  size_t before;
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, post, 4, 0, &id), 0);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  s.world->octets_peak = before;
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)frame, 5, 0);
  sim_client_stream_write(s.peer->client, id, body, sizeof(body), 1);
  stage_pass(&s, 5 * SIM_SECOND);
  assert_int_equal(stage_stream(&s, id)->status, 405);
  assert_true(stage_stream(&s, id)->fin);
  assert_true(stage_stream(&s, id)->stopped);
  assert_int_equal(stage_stream(&s, id)->stopped_code, SIM_H3_NO_ERROR);
  assert_true(stage_stream(&s, id)->closed);
  assert_true(s.world->octets_peak - before < 65536);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* Field sections: 431, the rest of them is not wanted, and others go on. */
static void check_431(int64_t id) {
  char text[8];

  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->status, 431);
  assert_true(stage_stream(&s, id)->fin);
  assert_true(
      sim_peer_find_field(s.peer, id, "content-length", text, sizeof(text)));
  assert_false(s.peer->closed);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->status, 200);
}

/* |n| octets in a field whose name and overhead are 33, behind 4 fields of
   42 + 44 + 56 + 38 octets. */
static void check_section(size_t n, int status) {
  static char value[20000];
  const sim_field fields[] = {GOOD, {"x", value}};
  int64_t id;

  stage_begin(&s);
  stage_connect(&s);
  memset(value, '~', sizeof(value));
  value[n] = '\0';
  assert_int_equal(sim_client_request(s.peer->client, fields, 5, 1, &id), 0);
  if (status == 431) {
    check_431(id);
  } else {
    RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
    assert_int_equal(stage_stream(&s, id)->status, 200);
  }
  stage_end(&s);
}

#define SECTION_OF_GOOD                                                        \
  (7 + 3 + 32 + 7 + 5 + 32 + 10 + 14 + 32 + 5 + 1 + 32 + 1 + 32)

static void test_section_at_limit(void **state) {
  (void)state;
  check_section(H3_FIELD_SECTION_MAX - SECTION_OF_GOOD, 200);
}

static void test_section_beyond_limit(void **state) {
  (void)state;
  check_section(H3_FIELD_SECTION_MAX - SECTION_OF_GOOD + 1, 431);
}

static void test_many_small_fields(void **state) {
  static sim_field fields[550] = {GOOD};
  size_t i;
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  for (i = 4; i < 550; ++i) {
    fields[i].name = "a";
    fields[i].value = "";
  }
  assert_int_equal(sim_client_request(s.peer->client, fields, 550, 1, &id), 0);
  check_431(id);
  stage_end(&s);
}

/* One octet a field, of some 50 when it is decoded. */
static void test_many_indexed_fields(void **state) {
  static const char head[] = "\x01\x80\x00\x3f\xff\x00\x00\xd1\xd7\xc1";
  static uint8_t fields[16383 - 5];
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  memset(fields, 0xdd, sizeof(fields));
  assert_int_equal(sim_client_request(s.peer->client, NULL, 0, 0, &id), 0);
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)head, 10, 0);
  sim_client_stream_write(s.peer->client, id, fields, sizeof(fields), 1);
  check_431(id);
  stage_end(&s);
}

/* Ten megabytes of header block: nothing of it is kept. */
static void test_ten_megabytes(void **state) {
  /* HEADERS of 10,000,000 octets; a literal field with a literal name. */
  static const char head[] = "\x01\x80\x98\x96\x80\x00\x00\xd1\xd7\xc1";
  static const char literal[] = "\x21x\x7f\xe1\x06";
  static uint8_t value[992];
  size_t before, sent;
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  s.world->octets_peak = before;
  memset(value, 'v', sizeof(value));
  assert_int_equal(sim_client_request(s.peer->client, NULL, 0, 0, &id), 0);
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)head, 10, 0);
  for (sent = 5; sent < 10000000; sent += 5 + sizeof(value)) {
    if (sim_client_stream_write(s.peer->client, id, (const uint8_t *)literal, 5,
                                0) != 0 ||
        sim_client_stream_write(s.peer->client, id, value, sizeof(value), 0) !=
            0) {
      break;
    }
    if (sent % 100000 < 1000) {
      stage_pass(&s, 100 * SIM_MILLISECOND);
    }
  }
  stage_pass(&s, SIM_SECOND);
  check_431(id);
  assert_true(stage_stream(&s, id)->stopped);
  assert_int_equal(stage_stream(&s, id)->stopped_code, SIM_H3_NO_ERROR);
  assert_true(s.world->octets_peak - before < 32768);
  stage_end(&s);
}

/* The same in the trailers of a request that was answered. */
static void test_long_trailers(void **state) {
  static const char head[] = "\x01\x80\x98\x96\x80\x00\x00";
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 0, &id), 0);
  sim_client_stream_write(s.peer->client, id, (const uint8_t *)head, 7, 0);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(stage_stream(&s, id)->status, 200);
  assert_true(stage_stream(&s, id)->fin);
  assert_true(stage_stream(&s, id)->stopped);
  assert_false(s.peer->closed);
  stage_end(&s);
}

/* A field that claims to have 65,536 octets, on many streams at once: nobody
   sets that much aside. */
static void test_many_long_promises(void **state) {
  static const char head[] = "\x01\x7f\xff\x00\x00\xd1\xd7\xc1\x21x\xff\x81\xff"
                             "\x03v";
  size_t before;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  s.world->octets_peak = before;
  for (i = 0; i < 60 && !s.peer->closed; ++i) {
    stage_say(&s, 1, head, sizeof(head) - 1, 0);
    stage_pass(&s, 50 * SIM_MILLISECOND);
  }
  stage_expect_closed(&s, SIM_H3_EXCESSIVE_LOAD);
  assert_true(s.world->octets_peak - before < H3_MEMORY_MAX + 65536);
  stage_end(&s);
}

/* Streams that wait for an entry that never comes, and grow. */
static void test_blocked_streams_that_grow(void **state) {
  /* Needs 1 insertion. */
  static const char head[] = "\x01\x03\x02\x00\x80\x00\xc0\x00\x00\x00\x00\x10"
                             "\x00\x00";
  static uint8_t data[60000];
  int64_t id;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect_mute(&s);
  stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  stage_pass(&s, SIM_SECOND);
  for (i = 0; i < 30 && !s.peer->closed; ++i) {
    id = stage_say(&s, 1, head, sizeof(head) - 1, 0);
    sim_client_stream_write(s.peer->client, id, data, sizeof(data), 0);
    stage_pass(&s, 200 * SIM_MILLISECOND);
  }
  stage_expect_closed(&s, SIM_H3_EXCESSIVE_LOAD);
  stage_end(&s);
}

/* Ten thousand requests, each cancelled at once. */
static void test_rapid_resets(void **state) {
  size_t before, done = 0;
  int64_t id;
  int i;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  stage_pass(&s, SIM_SECOND);
  before = s.world->octets_live;
  for (i = 0; i < 200 && done < 10000; ++i) {
    while (sim_client_request(s.peer->client, get, 4, 0, &id) == 0) {
      sim_client_stream_reset(s.peer->client, id, SIM_H3_REQUEST_CANCELLED);
      sim_client_stream_stop(s.peer->client, id, SIM_H3_REQUEST_CANCELLED);
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

/* What makes work and no sense, many times: the limiter of nghttp3. */
static void check_glitches(int bidi, const char *begin, size_t begin_len,
                           const char *frame, size_t frame_len) {
  int64_t id;
  int i;

  stage_begin(&s);
  stage_connect_mute(&s);
  if (bidi) {
    stage_say(&s, 0, SETTINGS, SETTINGS_LEN, 0);
  }
  id = stage_say(&s, bidi, begin, begin_len, 0);
  for (i = 0; i < 1500 && !s.peer->closed; ++i) {
    sim_client_stream_write(s.peer->client, id, (const uint8_t *)frame,
                            frame_len, 0);
    if (i % 100 == 0) {
      stage_pass(&s, 10 * SIM_MILLISECOND);
    }
  }
  stage_expect_closed(&s, SIM_H3_EXCESSIVE_LOAD);
  stage_end(&s);
}

static void test_many_unknown_frames(void **state) {
  (void)state;
  check_glitches(1, BYTES(GET), BYTES("\x21\x00"));
}

static void test_many_unknown_control_frames(void **state) {
  (void)state;
  check_glitches(0, BYTES(SETTINGS), BYTES("\x21\x00"));
}

static void test_many_priority_updates(void **state) {
  (void)state;
  check_glitches(0, BYTES(SETTINGS), BYTES("\x80\x0f\x07\x00\x04\x00u=1"));
}

/* ---- Stopping, and those who never begin ---- */

/* GOAWAY of both kinds; a request that was on its way is served, a later one
   refused, and then the connection is closed. */
static void test_goaway(void **state) {
  int64_t id, open;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 0, &open), 0);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(s.peer->ngoaways, 0);
  h3_service_drain(&s.h3, sim_network_now(s.world->network));
  stage_pass(&s, SIM_SECOND / 2);
  assert_int_equal(s.peer->ngoaways, 1);
  assert_true(s.peer->goaway == (UINT64_C(1) << 62) - 4);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_int_equal(stage_stream(&s, id)->status, 200);
  stage_pass(&s, SIM_SECOND);
  assert_int_equal(s.peer->ngoaways, 2);
  assert_int_equal(s.peer->goaway, id + 4);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_true(stage_stream(&s, id)->reset);
  assert_int_equal(stage_stream(&s, id)->reset_code, SIM_H3_REQUEST_REJECTED);
  assert_false(s.peer->closed);
  sim_client_stream_write(s.peer->client, open, NULL, 0, 1);
  stage_expect_closed(&s, SIM_H3_NO_ERROR);
  /* The bystander has a session, and goes on. */
  s.h3.draining = 0;
  stage_end(&s);
}

static void test_drain_without_requests(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  stage_connect(&s);
  h3_service_drain(&s.h3, sim_network_now(s.world->network));
  h3_service_drain(&s.h3, sim_network_now(s.world->network));
  /* Who connects now is told at once. */
  stage_connect(&s);
  stage_pass(&s, SIM_SECOND / 2);
  assert_int_equal(s.peer->ngoaways, 1);
  assert_false(s.peer->closed);
  stage_expect_closed(&s, SIM_H3_NO_ERROR);
  /* Who comes later is not waited for. */
  stage_connect(&s);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  RUN_UNTIL(s.world, sim_is_stream_ended, s.peer, id);
  assert_true(stage_stream(&s, id)->reset);
  assert_int_equal(stage_stream(&s, id)->reset_code, SIM_H3_REQUEST_REJECTED);
  stage_expect_closed(&s, SIM_H3_NO_ERROR);
  s.h3.draining = 0;
  stage_end(&s);
}

static void test_no_request_in_time(void **state) {
  (void)state;
  stage_begin(&s);
  s.h3.request_timeout = 5 * SIM_SECOND;
  stage_connect(&s);
  stage_pass(&s, 4 * SIM_SECOND);
  assert_false(s.peer->closed);
  stage_pass(&s, 2 * SIM_SECOND);
  stage_expect_closed(&s, SIM_H3_NO_ERROR);
  stage_end(&s);
}

static void test_a_request_in_time(void **state) {
  int64_t id;

  (void)state;
  stage_begin(&s);
  s.h3.request_timeout = 5 * SIM_SECOND;
  stage_connect(&s);
  stage_pass(&s, 4 * SIM_SECOND);
  assert_int_equal(sim_client_request(s.peer->client, get, 4, 1, &id), 0);
  stage_pass(&s, 10 * SIM_SECOND);
  assert_false(s.peer->closed);
  assert_int_equal(stage_stream(&s, id)->status, 200);
  stage_end(&s);
}

/* ---- All of it ---- */

static const single singles[] = {
    {"a body within the limit: dropped", test_body_within_limit},
    {"a body beyond the limit: 405, STOP_SENDING NO_ERROR",
     test_body_beyond_limit},
    {"a field section of 16,384 octets: 200", test_section_at_limit},
    {"a field section of 16,385 octets: 431", test_section_beyond_limit},
    {"many small fields: 431", test_many_small_fields},
    {"many indexed fields: 431", test_many_indexed_fields},
    {"a header block of 10 MB: 431, STOP_SENDING NO_ERROR, flat memory",
     test_ten_megabytes},
    {"trailers of 10 MB: STOP_SENDING NO_ERROR", test_long_trailers},
    {"fields that claim to be long, on many streams: EXCESSIVE_LOAD",
     test_many_long_promises},
    {"blocked streams that grow: EXCESSIVE_LOAD",
     test_blocked_streams_that_grow},
    {"10^4 requests that are cancelled: borne, flat memory", test_rapid_resets},
    {"many unknown frames: EXCESSIVE_LOAD", test_many_unknown_frames},
    {"many unknown frames on control: EXCESSIVE_LOAD",
     test_many_unknown_control_frames},
    {"many PRIORITY_UPDATE: EXCESSIVE_LOAD", test_many_priority_updates},
    {"drain: GOAWAY twice, REQUEST_REJECTED, NO_ERROR", test_goaway},
    {"drain: no request, or late ones: NO_ERROR", test_drain_without_requests},
    {"no request in time: NO_ERROR", test_no_request_in_time},
    {"a request in time: borne", test_a_request_in_time},
};

int main(void) {
  size_t i;

  for (i = 0; i < ROWS(singles); ++i) {
    table_add(singles[i].what, singles[i].function, NULL);
  }
  return table_run("conformance_limits");
}
