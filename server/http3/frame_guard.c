/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http3/frame_guard.h"

#define FRAME_HEADERS 0x01
#define FRAME_SETTINGS 0x04
#define FRAME_GOAWAY 0x07
#define FRAME_MAX_PUSH_ID 0x0d
#define FRAME_WEBTRANSPORT 0x41

/* Octets of the varint that begins with |octet|. */
static uint64_t varint_length(uint8_t octet) {
  return UINT64_C(1) << (octet >> 6);
}

h3_frame_verdict h3_frame_guard_feed(h3_frame_guard *guard, const uint8_t *data,
                                     size_t len, uint64_t limit,
                                     size_t *pused) {
  size_t off = 0;
  uint64_t value;

  while (off < len) {
    if (guard->left) {
      size_t n = len - off;

      if (guard->is_id && guard->left > varint_length(data[off])) {
        *pused = off;
        return H3_FRAME_SURPLUS;
      }
      guard->is_id = 0;
      if (n > guard->left) {
        n = (size_t)guard->left;
      }
      guard->left -= n;
      off += n;
      continue;
    }
    guard->varint[guard->varint_len++] = data[off++];
    if (varint_get(&value, guard->varint, guard->varint_len) == 0) {
      continue;
    }
    guard->varint_len = 0;
    *pused = off;
    if (!guard->have_type) {
      if (value == FRAME_WEBTRANSPORT) {
        return H3_FRAME_WEBTRANSPORT;
      }
      guard->type = value;
      guard->have_type = 1;
      continue;
    }
    if ((guard->type == FRAME_HEADERS || guard->type == FRAME_SETTINGS) &&
        value > limit) {
      return H3_FRAME_TOO_LONG;
    }
    guard->is_id =
        guard->type == FRAME_GOAWAY || guard->type == FRAME_MAX_PUSH_ID;
    guard->have_type = 0;
    guard->left = value;
  }
  *pused = len;
  return H3_FRAME_FINE;
}
