/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extra SETTINGS for an HTTP/3 connection.
 *
 * nghttp3 writes the SETTINGS frame (RFC 9114 section 7.2.4) itself and knows
 * none of the entries that WebTransport needs.  So the first octets of our
 * control stream are rewritten on their way from nghttp3 to ngtcp2: the same
 * frame, with entries added.  From then on the two disagree about offsets in
 * that stream by a constant, which h3_splice takes care of:
 *
 *   nghttp3_conn_writev_stream() -> vec
 *     if it is the control stream: h3_splice_vec(vec -> out)
 *   ngtcp2_conn_writev_stream(out) -> n
 *     if it is the control stream: n = h3_splice_written(n)
 *   nghttp3_conn_add_write_offset(n)
 *   ...
 *   acked_stream_data_offset callback: n octets
 *     if it is the control stream: n = h3_splice_acked(n)
 *   nghttp3_conn_add_ack_offset(n)
 */
#ifndef SERVER_HTTP3_SETTINGS_H
#define SERVER_HTTP3_SETTINGS_H

#include <nghttp3/nghttp3.h>

#include <stddef.h>
#include <stdint.h>

/* Identifiers of settings; the number of the draft says who looks for it. */
#define H3_SETTING_ENABLE_CONNECT_PROTOCOL UINT64_C(0x08)
#define H3_SETTING_H3_DATAGRAM UINT64_C(0x33)
#define H3_SETTING_H3_DATAGRAM_DRAFT04 UINT64_C(0xffd277)
#define H3_SETTING_ENABLE_WEBTRANSPORT_DRAFT02 UINT64_C(0x2b603742)
#define H3_SETTING_WEBTRANSPORT_MAX_SESSIONS_DRAFT07 UINT64_C(0xc671706a)
#define H3_SETTING_WT_MAX_SESSIONS_DRAFT13 UINT64_C(0x14e9cd29)

typedef enum h3_settings_error {
  /* The octets are not a control stream that begins with SETTINGS, or not all
     of the frame is there. */
  H3_SETTINGS_ERR_FRAME = -401,
  H3_SETTINGS_ERR_NOBUF = -402,
  /* An identifier is there twice (RFC 9114 section 7.2.4), or an identifier
     or a value is too large for a varint. */
  H3_SETTINGS_ERR_ENTRY = -403
} h3_settings_error;

typedef struct h3_setting {
  uint64_t id;
  uint64_t value;
} h3_setting;

/* How many entries h3_webtransport_settings() gives. */
#define H3_WEBTRANSPORT_SETTINGS 4

/* Fills in what a WebTransport server sends besides the entries that nghttp3
   has of its own (nghttp3_settings: h3_datagram and enable_connect_protocol
   have to be 1): ENABLE_WEBTRANSPORT, the two forms of the session limit with
   |max_sessions|, and the draft-04 form of H3_DATAGRAM. */
void h3_webtransport_settings(h3_setting settings[H3_WEBTRANSPORT_SETTINGS],
                              uint64_t max_sessions);

/*
 * Copies the beginning of a control stream, |src| of |srclen| octets (stream
 * type 0x00, then the whole SETTINGS frame; what follows is left alone), to
 * |dest| of |destlen| octets, with the |nextra| entries at |extra| added to the
 * frame.  Sets |*src_used| to the octets of |src| that were replaced.
 *
 * Returns the octets written to |dest|, or H3_SETTINGS_ERR_FRAME, _NOBUF or
 * _ENTRY.
 */
int h3_settings_splice(uint8_t *dest, size_t destlen, const uint8_t *src,
                       size_t srclen, const h3_setting *extra, size_t nextra,
                       size_t *src_used);

/* Room for the rewritten beginning: nghttp3's own is at most 41 octets, an
   entry at most 16. */
#define H3_SPLICE_MAX 256

/* The rewritten control stream of one connection.  ngtcp2 keeps pointers into
   |buf| until the octets are acknowledged: the object may not move, and has to
   outlive the ngtcp2_conn.  Members are private. */
typedef struct h3_splice {
  uint8_t buf[H3_SPLICE_MAX];
  /* Octets in |buf|; 0 until nghttp3 has written its SETTINGS. */
  size_t len;
  /* Octets of nghttp3's that |buf| stands for. */
  size_t src_len;
  /* Octets of the stream, as ngtcp2 counts them. */
  uint64_t written;
  uint64_t acked;
  const h3_setting *extra;
  size_t nextra;
} h3_splice;

/* |extra| is borrowed until the first h3_splice_vec() has succeeded. */
void h3_splice_init(h3_splice *splice, const h3_setting *extra, size_t nextra);

/*
 * Translates what nghttp3_conn_writev_stream() gave for the control stream,
 * |nvec| vectors at |vec|, into what ngtcp2 is to send: at most |destcnt|
 * vectors at |dest|; nvec + 1 always suffice.  Nothing is recorded: it may be
 * called again for the same octets.
 *
 * Returns the number of vectors at |dest|, or H3_SETTINGS_ERR_NOBUF (|destcnt|
 * is too small) or an error of h3_settings_splice(): the connection then has to
 * be closed with H3_INTERNAL_ERROR.
 */
nghttp3_ssize h3_splice_vec(h3_splice *splice, nghttp3_vec *dest,
                            size_t destcnt, const nghttp3_vec *vec,
                            size_t nvec);

/* ngtcp2 has taken |n| octets of the control stream.  Returns the octets to
   tell nghttp3_conn_add_write_offset(): 0 until all that was rewritten is
   taken. */
size_t h3_splice_written(h3_splice *splice, size_t n);

/* |n| more octets of the control stream are acknowledged, in order.  Returns
   the octets to tell nghttp3_conn_add_ack_offset(). */
uint64_t h3_splice_acked(h3_splice *splice, uint64_t n);

#endif
