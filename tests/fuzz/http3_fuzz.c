/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/3 and WebTransport on an open connection: streams with their prefixes,
 * requests, capsules, datagrams, resets, in any order and cut in any way.
 *
 *   octet  how the peer and the endpoint are made; bit 6: it begins with
 *          SETTINGS and a session on stream 0
 *   then   steps: octet (what; bit 7: to be sent before the next), octet
 *          (which stream), and what belongs to it
 */
#include "tests/fuzz/fields.h"

#include <string.h>

#define STREAMS 16
#define PACKET_MAX 1100

typedef enum step {
  STEP_DATA,
  STEP_REQUEST,
  STEP_CAPSULES,
  STEP_DATAGRAM,
  STEP_RESET,
  STEP_STOP,
  STEP_PREFIX,
  STEP_SETTINGS,
  STEP_CREDIT,
  STEP_PASS,
  STEP_ACKNOWLEDGE,
  STEP_FRAME,
  STEP_DRAIN,
  STEP_CLOSE_SESSIONS,
  STEPS
} step;

typedef struct script {
  fuzz_peer peer;
  fuzz_frames frames;
  uint64_t offsets[STREAMS];
} script;

static script state;

/* The streams that are spoken of: eight of ours in both directions, five in
   one, and three of the server's. */
static uint64_t stream_id(size_t i) {
  if (i < 8) {
    return 4 * i;
  }
  return i < 13 ? 4 * (i - 8) + 2 : 4 * (i - 13) + 1;
}

static void flush(script *s) {
  if (s->frames.len) {
    fuzz_peer_packet(&s->peer, FUZZ_APPLICATION, s->frames.data, s->frames.len);
    s->frames.len = 0;
  }
}

static void put_stream(script *s, size_t i, const uint8_t *data, size_t len,
                       int fin) {
  fuzz_put_stream(&s->frames, stream_id(i), s->offsets[i], data, len, fin);
  s->offsets[i] += len;
}

static uint64_t error_code(fuzz_input *in) {
  uint8_t kind = fuzz_u8(in);

  /* Of WebTransport, of HTTP/3, of anybody. */
  if (kind & 1) {
    return UINT64_C(0x52e4a40fa8db) + kind;
  }
  return kind & 2 ? 0x100u + (kind >> 2) : fuzz_u64(in) >> 2;
}

static void request(script *s, size_t i, fuzz_input *in, int fin) {
  static const char *const paths[] = {
      "/echo", "/echo?bidi=2&uni=2", "/sink", "/source?streams=2&bytes=500",
      "/room", "/room?name=a",       "/none", "/echo?close=7&reason=why"};
  static const char *const names[] = {
      ":method",    ":path",  ":scheme", ":authority",
      ":protocol",  "origin", "cookie",  "wt-available-protocols",
      "priority",   "te",     "host",    "content-length",
      "connection", "a",      "x-long",  ":status"};
  fuzz_frames section = {{0}, 0}, frame = {{0}, 0};
  uint8_t kind = fuzz_u8(in);

  if (kind & 0x80) {
    fuzz_put_section(&section);
  } else {
    fuzz_put_connect(&section, paths[kind & 7]);
  }
  for (kind = kind >> 3 & 7; kind; --kind) {
    const char *name = names[fuzz_u8(in) & 15];
    const uint8_t *value;
    size_t len = fuzz_u8(in);

    len = fuzz_take(in, &value, len);
    fuzz_put_field(&section, (const uint8_t *)name, strlen(name), value, len);
  }
  fuzz_put_h3(&frame, FUZZ_H3_HEADERS, section.data, section.len);
  put_stream(s, i, frame.data, frame.len, fin);
}

static void take_step(script *s, fuzz_input *in) {
  uint8_t op = fuzz_u8(in), which = fuzz_u8(in);
  fuzz_frames inner = {{0}, 0}, outer = {{0}, 0};
  size_t i = which & 15, len;
  int fin = (which & 16) != 0;
  const uint8_t *data;

  switch ((op & 0x7f) % STEPS) {
  case STEP_DATA:
    len = fuzz_u8(in);
    len = fuzz_take(in, &data, len);
    put_stream(s, i, data, len, fin);
    break;
  case STEP_REQUEST:
    request(s, i, in, fin);
    break;
  case STEP_CAPSULES:
    len = fuzz_u8(in);
    len = fuzz_take(in, &data, len);
    fuzz_put_h3(&inner, FUZZ_H3_DATA, data, len);
    put_stream(s, i, inner.data, inner.len, fin);
    break;
  case STEP_DATAGRAM:
    len = fuzz_u8(in);
    len = fuzz_take(in, &data, len);
    fuzz_put_varint(&s->frames, 0x31);
    fuzz_put_varint(&s->frames, len + 1);
    fuzz_put_varint(&s->frames, i);
    fuzz_put(&s->frames, data, len);
    break;
  case STEP_RESET:
    fuzz_put_varint(&s->frames, 0x04);
    fuzz_put_varint(&s->frames, stream_id(i));
    fuzz_put_varint(&s->frames, error_code(in));
    fuzz_put_varint(&s->frames, s->offsets[i]);
    break;
  case STEP_STOP:
    fuzz_put_varint(&s->frames, 0x05);
    fuzz_put_varint(&s->frames, stream_id(i));
    fuzz_put_varint(&s->frames, error_code(in));
    break;
  case STEP_PREFIX:
    fuzz_put_varint(&inner,
                    stream_id(i) & 2 ? H3_WT_UNI_TYPE : H3_WT_BIDI_SIGNAL);
    fuzz_put_varint(&inner, stream_id(fuzz_u8(in) & 7));
    put_stream(s, i, inner.data, inner.len, fin);
    break;
  case STEP_SETTINGS:
    for (len = which >> 5; len; --len) {
      fuzz_put_varint(&inner, fuzz_u16(in));
      fuzz_put_varint(&inner, fuzz_u8(in));
    }
    if (s->offsets[i] == 0) {
      fuzz_put_varint(&outer, 0);
    }
    fuzz_put_h3(&outer, FUZZ_H3_SETTINGS, inner.data, inner.len);
    put_stream(s, i, outer.data, outer.len, fin);
    break;
  case STEP_CREDIT:
    /* MAX_DATA, MAX_STREAM_DATA, MAX_STREAMS. */
    fuzz_put_varint(&s->frames, 0x10 + which / 64);
    if (which / 64 == 1) {
      fuzz_put_varint(&s->frames, stream_id(i));
    }
    fuzz_put_varint(&s->frames, fuzz_u32(in) >> 8);
    break;
  case STEP_PASS:
    flush(s);
    fuzz_peer_pass(&s->peer, FUZZ_MILLISECOND << (which & 15));
    break;
  case STEP_ACKNOWLEDGE:
    flush(s);
    fuzz_peer_acknowledge(&s->peer);
    break;
  case STEP_FRAME:
    len = fuzz_u8(in);
    len = fuzz_take(in, &data, len);
    fuzz_put_h3(&inner, fuzz_u8(in), data, len);
    put_stream(s, i, inner.data, inner.len, fin);
    break;
  case STEP_DRAIN:
    flush(s);
    h3_service_drain(&s->peer.h3, s->peer.now);
    break;
  default:
    flush(s);
    h3_service_close_sessions(&s->peer.h3, which, "over");
  }
  if (op & 0x80 || s->frames.len > PACKET_MAX) {
    flush(s);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t how = fuzz_u8(&in);
  script *s = &state;

  fuzz_seed(1);
  memset(s->offsets, 0, sizeof(s->offsets));
  s->frames.len = 0;
  fuzz_peer_new(&s->peer, "h3", how & 7u, NULL);
  fuzz_peer_shake_hands(&s->peer);
  if (how & 0x40) {
    fuzz_frames control = {{0}, 0}, section = {{0}, 0}, frame = {{0}, 0};

    fuzz_put_control(&control);
    put_stream(s, 8, control.data, control.len, 0);
    fuzz_put_connect(&section, "/echo");
    fuzz_put_h3(&frame, FUZZ_H3_HEADERS, section.data, section.len);
    put_stream(s, 0, frame.data, frame.len, 0);
    flush(s);
  }
  while (in.len) {
    take_step(s, &in);
  }
  flush(s);
  fuzz_peer_acknowledge(&s->peer);
  if (how & 8) {
    fuzz_peer_pass(&s->peer, 40 * FUZZ_SECOND);
  }
  fuzz_peer_free(&s->peer);
  return 0;
}
