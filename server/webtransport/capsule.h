/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Capsule Protocol (RFC 9297 section 3.2) on the CONNECT stream of a
 * WebTransport session (draft-ietf-webtrans-http3).
 *
 * The parser is fed the payload of the DATA frames, cut in any way.  It holds
 * at most one capsule that matters to WebTransport, in a buffer of fixed size;
 * every other capsule is skipped without being held, however long it claims to
 * be.
 */
#ifndef SERVER_WEBTRANSPORT_CAPSULE_H
#define SERVER_WEBTRANSPORT_CAPSULE_H

#include <stddef.h>
#include <stdint.h>

/* Capsule types. */
#define WT_CAPSULE_CLOSE UINT64_C(0x2843)
#define WT_CAPSULE_DRAIN UINT64_C(0x78ae)
#define WT_CAPSULE_MAX_DATA UINT64_C(0x190b4d3d)
#define WT_CAPSULE_MAX_STREAMS_BIDI UINT64_C(0x190b4d3f)
#define WT_CAPSULE_MAX_STREAMS_UNI UINT64_C(0x190b4d40)
#define WT_CAPSULE_DATA_BLOCKED UINT64_C(0x190b4d41)
#define WT_CAPSULE_STREAMS_BLOCKED_BIDI UINT64_C(0x190b4d43)
#define WT_CAPSULE_STREAMS_BLOCKED_UNI UINT64_C(0x190b4d44)

/* Capsules of WebTransport over HTTP/2, where QUIC does not limit each stream
   itself.  Over HTTP/3 their receipt ends the session (section 5.4). */
#define WT_CAPSULE_MAX_STREAM_DATA UINT64_C(0x190b4d3e)
#define WT_CAPSULE_STREAM_DATA_BLOCKED UINT64_C(0x190b4d42)

/* The longest reason of a CLOSE capsule, in octets of UTF-8. */
#define WT_CLOSE_REASON_MAX 1024

/* The longest encoded CLOSE and DRAIN capsules: type, length, value. */
#define WT_CAPSULE_CLOSE_MAX (2 + 2 + 4 + WT_CLOSE_REASON_MAX)
#define WT_CAPSULE_DRAIN_LEN 5

typedef enum wt_capsule_error {
  /* The stream is to be reset with H3_MESSAGE_ERROR (0x10e). */
  WT_CAPSULE_ERR_MESSAGE = -301,
  /* The buffer of the caller is too small, or the reason too long. */
  WT_CAPSULE_ERR_NOBUF = -302,
  /* The reason is not UTF-8. */
  WT_CAPSULE_ERR_UTF8 = -303
} wt_capsule_error;

/* One capsule that has come. */
typedef struct wt_capsule {
  /* One of the types above. */
  uint64_t type;
  /* WT_CAPSULE_CLOSE: the application's code. */
  uint32_t code;
  /* WT_CAPSULE_CLOSE: the reason, checked UTF-8 without a closing NUL (it may
     hold NULs).  Points into the parser; valid until it is fed again. */
  const uint8_t *reason;
  size_t reason_len;
  /* The flow control capsules: the limit. */
  uint64_t value;
} wt_capsule;

/* Members are private. */
typedef struct wt_capsule_parser {
  int state;
  uint64_t type;
  /* Octets of the capsule's value that have not come yet. */
  uint64_t left;
  /* A varint in the making, or the value of a capsule that matters. */
  uint8_t buf[4 + WT_CLOSE_REASON_MAX];
  size_t buf_len;
} wt_capsule_parser;

void wt_capsule_parser_init(wt_capsule_parser *parser);

/*
 * Feeds |len| octets at |data|.  Sets |*consumed| to how many were taken.
 *
 * Returns 1 when a capsule that matters is complete: it is in |*out|; call
 * again with what is left.  Returns 0 when all octets were taken and more are
 * needed.  Returns WT_CAPSULE_ERR_MESSAGE if a CLOSE is longer than 4 +
 * WT_CLOSE_REASON_MAX or shorter than 4 or its reason is not UTF-8, if a
 * capsule's value does not have the form of its type, if it is one of the two
 * that HTTP/3 forbids, or if anything follows a CLOSE; the parser then stays in
 * error.
 */
int wt_capsule_parser_feed(wt_capsule_parser *parser, const uint8_t *data,
                           size_t len, size_t *consumed, wt_capsule *out);

/* The stream has ended (FIN).  Returns 0, or WT_CAPSULE_ERR_MESSAGE if it ends
   inside of a capsule (RFC 9297 section 3.3) or was in error before. */
int wt_capsule_parser_finish(wt_capsule_parser *parser);

/* Writes a CLOSE capsule to |dest| of |destlen| octets.  |reason| is UTF-8 of
   |reason_len| octets, at most WT_CLOSE_REASON_MAX; NULL if |reason_len| is 0.
   Returns the octets written, or WT_CAPSULE_ERR_NOBUF or WT_CAPSULE_ERR_UTF8.
   FIN has to follow it. */
int wt_capsule_put_close(uint8_t *dest, size_t destlen, uint32_t code,
                         const uint8_t *reason, size_t reason_len);

/* Writes a DRAIN capsule.  Returns the octets written (WT_CAPSULE_DRAIN_LEN),
   or WT_CAPSULE_ERR_NOBUF. */
int wt_capsule_put_drain(uint8_t *dest, size_t destlen);

/* 1 if |len| octets at |text| are well-formed UTF-8 (RFC 3629: no surrogates,
   no overlong forms, nothing above U+10FFFF), else 0. */
int wt_utf8_valid(const uint8_t *text, size_t len);

#endif
