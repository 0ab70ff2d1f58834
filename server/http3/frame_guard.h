/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the frames of a request stream or of the control stream (RFC 9114
 * section 7.1) before nghttp3 does, for what nghttp3 lets pass: a frame of type
 * 0x41, which is the beginning of a WebTransport stream and H3_FRAME_ERROR
 * anywhere else (draft-ietf-webtrans-http3 section 4.3), HEADERS or SETTINGS
 * that claim to be longer than the limit, and octets behind the identifier of
 * GOAWAY or MAX_PUSH_ID, which nghttp3 takes for the next frame.
 *
 * Frames may come cut in any way; nothing of them is held.
 */
#ifndef SERVER_HTTP3_FRAME_GUARD_H
#define SERVER_HTTP3_FRAME_GUARD_H

#include "server/varint.h"

#include <stddef.h>
#include <stdint.h>

typedef enum h3_frame_verdict {
  H3_FRAME_FINE,
  /* A frame of type 0x41. */
  H3_FRAME_WEBTRANSPORT,
  /* HEADERS or SETTINGS of more octets than the limit. */
  H3_FRAME_TOO_LONG,
  /* GOAWAY or MAX_PUSH_ID with something behind the identifier. */
  H3_FRAME_SURPLUS
} h3_frame_verdict;

/* Members are private; all 0 at the beginning of the first frame. */
typedef struct h3_frame_guard {
  uint64_t type;
  /* Octets of the payload that have not come yet. */
  uint64_t left;
  uint8_t varint[VARINT_LEN_MAX];
  uint8_t varint_len;
  uint8_t have_type;
  uint8_t is_id; /* the payload is an identifier, and nothing of it has come */
} h3_frame_guard;

/*
 * Looks at |len| octets at |data|.  Sets |*pused| to |len|, or, unless the
 * verdict is H3_FRAME_FINE, to where it was clear that the frame offends, which
 * for H3_FRAME_TOO_LONG is where its type and length end; the guard is then of
 * no more use.
 */
h3_frame_verdict h3_frame_guard_feed(h3_frame_guard *guard, const uint8_t *data,
                                     size_t len, uint64_t limit, size_t *pused);

#endif
