/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that have keys and misuse them: the offender is closed with the
 * right code or kept within bounds, memory stays flat, and the echo of a
 * bystander goes on.
 */
#include "tests/sim/bare.h"
#include "tests/sim/check.h"

#include <stdlib.h>

static sim_bare *begin(uint64_t seed) {
  sim_bare *bare = sim_bare_new(seed);

  assert_non_null(bare);
  assert_int_equal(sim_bare_start(bare), 0);
  return bare;
}

/* Somebody in the middle of an echo. */
typedef struct watcher {
  sim_bare *bare;
  sim_peer *peer;
  int64_t stream;
  size_t sent;
} watcher;

static const uint8_t pattern[200];

static watcher watch(sim_bare *bare) {
  watcher w = {.bare = bare, .peer = sim_bare_connect(bare)};

  assert_non_null(w.peer);
  assert_int_equal(
      sim_client_open_bidi(w.peer->client, SIM_NO_SESSION, &w.stream), 0);
  return w;
}

/* Says a little, lets |time| pass, and has all of it back. */
static void look(watcher *w, uint64_t time) {
  assert_int_equal(sim_client_stream_write(w->peer->client, w->stream, pattern,
                                           sizeof(pattern), 0),
                   0);
  w->sent += sizeof(pattern);
  assert_int_equal(sim_bare_pass(w->bare, time), 0);
  assert_int_equal(sim_peer_find_stream(w->peer, w->stream)->len, w->sent);
  assert_false(w->peer->closed);
}

/* ---- Frames that nobody may send ---- */

/* What is sent in the place of frames, again and again if |each| is NULL. */
typedef struct script {
  const uint8_t *frames;
  size_t len;
  int once;
  int done;
  /* Or made by this: octets written. */
  size_t (*make)(struct script *script, uint8_t *dest, size_t cap);
  uint64_t count;
} script;

static void play(void *user, uint8_t head, uint8_t *frames, size_t len) {
  script *s = user;
  size_t n;

  if ((head & 0x80) != 0 || (s->once && s->done)) {
    return;
  }
  if (s->make) {
    n = s->make(s, frames, len);
  } else if (s->len <= len) {
    memcpy(frames, s->frames, s->len);
    n = s->len;
  } else {
    return;
  }
  memset(frames + n, 0, len - n);
  s->done = 1;
}

/* Makes |peer| send |packets| full packets, whose frames are its script's. */
static void push(sim_peer *peer, size_t packets) {
  static const uint8_t filler[1100];

  while (packets-- > 0) {
    if (sim_client_datagram(peer->client, SIM_NO_SESSION, filler,
                            sizeof(filler)) != 0) {
      return;
    }
  }
}

#define LONG_LENGTH "\xbf\xff\xff\xff"
#define HUGE "\xff\xff\xff\xff\xff\xff\xff\xff"
#define CID8                                                                   \
  "\x08"                                                                       \
  "abcdefgh"
#define TOKEN16 "0123456789abcdef"

static void test_forbidden_frames(void **state) {
  static const struct {
    const char *what;
    const char *frames;
    size_t len;
    uint64_t code;
  } rows[] = {
#define ROW(WHAT, FRAMES, CODE) {WHAT, FRAMES, sizeof(FRAMES) - 1, CODE}
      ROW("unknown type", "\x21", NGTCP2_FRAME_ENCODING_ERROR),
      ROW("type not in its shortest form", "\x40\x01",
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("STREAM longer than its packet", "\x0a\x00" LONG_LENGTH "x",
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("ACK of a packet never sent", "\x02\x80\x0f\x00\x00\x00\x00\x00",
          NGTCP2_PROTOCOL_VIOLATION),
      ROW("ACK range below zero", "\x02\x02\x00\x01\x00\x05\x05",
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("STREAM beyond the stream's window", "\x0e\x00\x80\x20\x00\x00\x01x",
          NGTCP2_FLOW_CONTROL_ERROR),
      ROW("STREAM that ends beyond 2^62-1", "\x0e\x00" HUGE "\x01x",
          NGTCP2_FLOW_CONTROL_ERROR),
      ROW("STREAM after the final size", "\x0b\x00\x01x\x0e\x00\x01\x01x",
          NGTCP2_FINAL_SIZE_ERROR),
      ROW("RESET_STREAM below what was sent",
          "\x0e\x00\x10\x01x\x04\x00\x00\x01", NGTCP2_FINAL_SIZE_ERROR),
      ROW("RESET_STREAM beyond the window", "\x04\x00\x00" HUGE,
          NGTCP2_FLOW_CONTROL_ERROR),
      ROW("more streams than allowed", "\x0a\x7f\xfc\x01x",
          NGTCP2_STREAM_LIMIT_ERROR),
      ROW("STREAM on a stream of the server's that is not there",
          "\x0a\x01\x01x", NGTCP2_STREAM_STATE_ERROR),
      ROW("STREAM on a server's unidirectional stream", "\x0a\x03\x01x",
          NGTCP2_STREAM_STATE_ERROR),
      ROW("MAX_STREAM_DATA for a stream that only receives", "\x11\x02\x01",
          NGTCP2_STREAM_STATE_ERROR),
      ROW("STOP_SENDING for a stream that only receives", "\x05\x02\x01",
          NGTCP2_STREAM_STATE_ERROR),
      ROW("MAX_STREAMS above 2^60", "\x12" HUGE, NGTCP2_FRAME_ENCODING_ERROR),
      ROW("STREAMS_BLOCKED above 2^60", "\x16" HUGE,
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("CRYPTO beyond what is kept", "\x06\x80\x10\x00\x00\x01x",
          NGTCP2_CRYPTO_BUFFER_EXCEEDED),
      ROW("CRYPTO with a KeyUpdate of TLS", "\x06\x00\x05\x18\x00\x00\x01\x00",
          NGTCP2_CRYPTO_ERROR | 10 /* unexpected_message */),
      ROW("NEW_TOKEN from a client", "\x07\x01x", NGTCP2_PROTOCOL_VIOLATION),
      ROW("HANDSHAKE_DONE from a client", "\x1e", NGTCP2_PROTOCOL_VIOLATION),
      ROW("NEW_CONNECTION_ID that retires more than it gives",
          "\x18\x01\x02" CID8 TOKEN16, NGTCP2_FRAME_ENCODING_ERROR),
      ROW("NEW_CONNECTION_ID of no length", "\x18\x01\x00\x00" TOKEN16,
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("NEW_CONNECTION_ID of 21 octets",
          "\x18\x01\x00\x15"
          "abcdefghijklmnopqrstu" TOKEN16,
          NGTCP2_FRAME_ENCODING_ERROR),
      ROW("NEW_CONNECTION_ID twice, and different",
          "\x18\x01\x00" CID8 TOKEN16 "\x18\x01\x00\x08"
          "12345678" TOKEN16,
          NGTCP2_PROTOCOL_VIOLATION),
      ROW("RETIRE_CONNECTION_ID of one never given", "\x19\x60\x00",
          NGTCP2_PROTOCOL_VIOLATION),
      ROW("RETIRE_CONNECTION_ID of the one in use", "\x19\x00",
          NGTCP2_PROTOCOL_VIOLATION),
#undef ROW
  };
  size_t i, wrong = 0;

  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    sim_bare *bare = begin(100 + i);
    watcher w = watch(bare);
    sim_client_config config = sim_bare_config(bare);
    script s = {.once = 1};
    sim_peer *peer;

    config.scid_len = 8;
    peer = sim_bare_add(bare, &config);
    assert_non_null(peer);
    assert_int_equal(sim_bare_until(bare, sim_is_confirmed, peer, 0), 0);
    look(&w, SIM_SECOND);
    s.frames = (const uint8_t *)rows[i].frames;
    s.len = rows[i].len;
    sim_client_set_tamper(peer->client, play, &s);
    push(peer, 1);
    look(&w, 2 * SIM_SECOND);
    if (!peer->closed || peer->end.local ||
        peer->end.by != SIM_CLOSED_TRANSPORT ||
        peer->end.error_code != rows[i].code) {
      ++wrong;
      print_error("%s: %s with 0x%llx, not 0x%llx\n", rows[i].what,
                  !peer->closed     ? "not closed"
                  : peer->end.local ? "closed by the client"
                                    : "closed",
                  (unsigned long long)peer->end.error_code,
                  (unsigned long long)rows[i].code);
    }
    look(&w, 10 * SIM_SECOND);
    assert_int_equal(quic_endpoint_connections(bare->endpoint), 1);
    sim_bare_free(bare);
  }
  assert_int_equal(wrong, 0);
}

/* The same behind Finished, in one frame with it, when TLS is about to be
   done. */
static void append_key_update(void *user, uint8_t head, uint8_t *frames,
                              size_t len) {
  static const uint8_t update[] = {24, 0, 0, 1, 0};
  size_t *done = user;
  size_t n, i;

  /* A Handshake packet (0xe0); Finished with SHA-256 or SHA-384 in CRYPTO. */
  if ((head & 0xf0) != 0xe0) {
    return;
  }
  for (i = 0; i + 7 < len; ++i) {
    if (frames[i] == 6 && frames[i + 1] == 0 && frames[i + 3] == 20 &&
        frames[i + 4] == 0 && frames[i + 5] == 0) {
      n = (size_t)frames[i + 6] + 4;
      if (frames[i + 2] != n || i + 3 + n > len) {
        return;
      }
      /* Its acknowledgements make room. */
      memmove(frames, frames + i, 3 + n);
      frames[2] = (uint8_t)(n + sizeof(update));
      assert_true(3 + n + sizeof(update) <= len);
      memcpy(frames + 3 + n, update, sizeof(update));
      memset(frames + 3 + n + sizeof(update), 0,
             len - (3 + n + sizeof(update)));
      ++*done;
      return;
    }
  }
}

static void test_key_update_behind_finished(void **state) {
  sim_bare *bare = begin(150);
  watcher w = watch(bare);
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer = sim_bare_add(bare, &config);
  size_t done = 0;

  (void)state;
  assert_non_null(peer);
  sim_client_set_tamper(peer->client, append_key_update, &done);
  assert_int_equal(sim_bare_until(bare, sim_is_closed, peer, 0), 0);
  assert_int_equal(done, 1);
  assert_false(peer->end.local);
  assert_true(peer->end.error_code == (NGTCP2_CRYPTO_ERROR | 10));
  look(&w, SIM_SECOND);
  sim_bare_free(bare);
}

/* ---- Storms ---- */

static void write64(uint8_t *dest, uint64_t value) {
  int i;

  for (i = 7; i >= 0; --i) {
    dest[i] = (uint8_t)value;
    value >>= 8;
  }
}

static size_t challenges(script *s, uint8_t *dest, size_t cap) {
  size_t n;

  for (n = 0; n + 9 <= cap; n += 9) {
    dest[n] = 0x1a;
    write64(dest + n + 1, ++s->count);
  }
  return n;
}

static size_t pings(script *s, uint8_t *dest, size_t cap) {
  memset(dest, 1, cap);
  s->count += cap;
  return cap;
}

/* One octet every other, so that nothing can be put together. */
static size_t fragments(script *s, uint8_t *dest, size_t cap) {
  size_t n;

  for (n = 0; n + 8 <= cap; n += 8) {
    /* STREAM with offset and length, stream 0 */
    dest[n] = 0x0e;
    dest[n + 1] = 0;
    dest[n + 2] = (uint8_t)(0x80 | ((2 * s->count + 1) >> 24 & 0x3f));
    dest[n + 3] = (uint8_t)((2 * s->count + 1) >> 16);
    dest[n + 4] = (uint8_t)((2 * s->count + 1) >> 8);
    dest[n + 5] = (uint8_t)(2 * s->count + 1);
    dest[n + 6] = 1;
    dest[n + 7] = 'x';
    ++s->count;
  }
  return n;
}

/* MAX_DATA and MAX_STREAM_DATA that change nothing. */
static size_t credits(script *s, uint8_t *dest, size_t cap) {
  size_t n;

  for (n = 0; n + 5 <= cap; n += 5) {
    memcpy(dest + n, "\x10\x01\x11\x00\x01", 5);
    ++s->count;
  }
  return n;
}

/* NEW_CONNECTION_ID, each retiring all before. */
static size_t new_ids(script *s, uint8_t *dest, size_t cap) {
  size_t n;

  for (n = 0; n + 34 <= cap; n += 34) {
    uint64_t seq = ++s->count;

    dest[n] = 0x18;
    dest[n + 1] = (uint8_t)(0x80 | (seq >> 24 & 0x3f));
    dest[n + 2] = (uint8_t)(seq >> 16);
    dest[n + 3] = (uint8_t)(seq >> 8);
    dest[n + 4] = (uint8_t)seq;
    memcpy(dest + n + 5, dest + n + 1, 4);
    dest[n + 9] = 8;
    write64(dest + n + 10, seq);
    write64(dest + n + 18, seq);
    write64(dest + n + 26, ~seq);
  }
  return n;
}

/* |packets| of what |make| makes, a hundred at a time; |ms| between them. */
static sim_peer *storm(sim_bare *bare, watcher *w, script *s, size_t packets,
                       size_t *most) {
  sim_client_config config = sim_bare_config(bare);
  sim_peer *peer;
  int64_t id;

  config.scid_len = 8;
  config.datagram_queue = 64;
  config.max_udp_payload = 1200;
  peer = sim_bare_add(bare, &config);
  assert_non_null(peer);
  assert_int_equal(sim_bare_until(bare, sim_is_confirmed, peer, 0), 0);
  assert_int_equal(sim_client_open_bidi(peer->client, SIM_NO_SESSION, &id), 0);
  look(w, SIM_SECOND);
  sim_client_set_tamper(peer->client, play, s);
  bare->most = bare->octets;
  for (; packets > 0 && !peer->closed; --packets) {
    push(peer, 1);
    if (packets % 16 == 0) {
      look(w, 40 * SIM_MILLISECOND);
    }
  }
  *most = bare->most;
  look(w, SIM_SECOND);
  return peer;
}

static void test_path_challenges(void **state) {
  sim_bare *bare = begin(200);
  watcher w = watch(bare);
  script s = {.make = challenges};
  size_t before = bare->octets, most;
  uint64_t sent;
  sim_peer *peer;

  (void)state;
  sent = sim_bare_counters(bare)->octets_sent;
  peer = storm(bare, &w, &s, 900, &most);
  assert_true(s.count >= 100000);
  assert_false(peer->closed && peer->end.local);
  /* No more is answered than came, and nothing piles up. */
  assert_true(sim_bare_counters(bare)->octets_sent - sent <
              sim_bare_counters(bare)->octets_received);
  assert_true(most < before + 300000);
  sim_bare_drop(bare, peer);
  assert_int_equal(sim_bare_pass(bare, 20 * SIM_SECOND), 0);
  look(&w, SIM_SECOND);
  sim_bare_free(bare);
}

static void test_pings(void **state) {
  sim_bare *bare = begin(201);
  watcher w = watch(bare);
  script s = {.make = pings};
  size_t before = bare->octets, most;
  sim_peer *peer = storm(bare, &w, &s, 500, &most);

  (void)state;
  assert_true(s.count >= 400000);
  assert_false(peer->closed);
  assert_true(most < before + 300000);
  sim_bare_free(bare);
}

static void test_credits(void **state) {
  sim_bare *bare = begin(202);
  watcher w = watch(bare);
  script s = {.make = credits};
  size_t before = bare->octets, most;

  (void)state;
  storm(bare, &w, &s, 500, &most);
  assert_true(most < before + 300000);
  sim_bare_free(bare);
}

/* IDs that are given and taken back, and no word of what comes back is ever
   acknowledged: what it would have to say again is not kept for ever. */
static void test_connection_ids(void **state) {
  sim_bare *bare = begin(203);
  watcher w = watch(bare);
  /* The client has given some itself. */
  script s = {.make = new_ids, .count = 100};
  size_t before = bare->octets, most;
  sim_peer *peer = storm(bare, &w, &s, 500, &most);

  (void)state;
  assert_true(peer->closed);
  assert_false(peer->end.local);
  assert_int_equal(peer->end.error_code, NGTCP2_CONNECTION_ID_LIMIT_ERROR);
  assert_true(most < before + 300000);
  sim_bare_free(bare);
}

/* What cannot be put together is bounded by more than the window. */
static void test_fragments(void **state) {
  sim_bare *bare = begin(204);
  watcher w = watch(bare);
  script s = {.make = fragments};
  size_t before = bare->octets, most;
  sim_peer *peer = storm(bare, &w, &s, 3000, &most);

  (void)state;
  /* ngtcp2 says so of whatever comes too often. */
  assert_true(peer->closed);
  assert_false(peer->end.local);
  assert_int_equal(peer->end.error_code, NGTCP2_INTERNAL_ERROR);
  assert_true(most < before + 1000000);
  sim_bare_free(bare);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forbidden_frames),
      cmocka_unit_test(test_key_update_behind_finished),
      cmocka_unit_test(test_path_challenges),
      cmocka_unit_test(test_pings),
      cmocka_unit_test(test_credits),
      cmocka_unit_test(test_connection_ids),
      cmocka_unit_test(test_fragments),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
