/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application protocol gives to a QUIC connection.
 *
 * The connection calls these; none of them may write packets.  Where a
 * function returns int, 0 is success, and anything else closes the connection:
 * with the error set by quic_conn_fail(), or with INTERNAL_ERROR.
 */
#ifndef SERVER_QUIC_PROTOCOL_H
#define SERVER_QUIC_PROTOCOL_H

#include "server/quic/conn.h"

typedef struct quic_protocol {
  /* The ALPN identifier (RFC 7301). */
  const char *alpn;

  /* 1-RTT keys for sending are there.  |service| is what came with the
     protocol in quic_service. */
  int (*open)(void **pstate, quic_conn *conn, void *service);

  /* The connection is over for the protocol, for whatever reason: |state| is
     freed, and streams must not be used any more. */
  void (*close)(void *state);

  /* Octets in order; |fin|: there will be none after them.  |len| may be 0
     with |fin|.  Flow control is credited by quic_conn_consume(). */
  int (*on_stream_data)(void *state, quic_stream *stream, const uint8_t *data,
                        size_t len, int fin);

  /* The peer abandoned its sending side (RESET_STREAM). */
  int (*on_stream_reset)(void *state, quic_stream *stream, uint64_t error_code);

  /* The peer does not want what we send (STOP_SENDING).  RESET_STREAM with
     the same code is sent by the connection. */
  int (*on_stop_sending)(void *state, quic_stream *stream, uint64_t error_code);

  /* |n| octets of quic_stream_write() have left. */
  void (*on_stream_sent)(void *state, quic_stream *stream, size_t n);

  /* Both sides are done; |stream| is freed when this returns. */
  int (*on_stream_close)(void *state, quic_stream *stream, uint64_t error_code);

  /* A DATAGRAM frame (RFC 9221). */
  int (*on_datagram)(void *state, const uint8_t *data, size_t len);

  /* The peer allows more streams of ours; |bidi| tells which kind. */
  int (*on_streams_available)(void *state, int bidi);

  /* When expire() is to be called, UINT64_MAX: never.  NULL where nothing is
     ever due.  Asked after each of the functions here, so it may change. */
  uint64_t (*deadline)(const void *state);
  int (*expire)(void *state, uint64_t now);

  /*
   * For protocols that keep the octets of some streams themselves (nghttp3).
   * NULL where there are none.  pull() names the stream to write next and
   * points at its octets: the number of vectors, or -1 on error, with
   * |*pstream| NULL if there is nothing to write.
   */
  ngtcp2_ssize (*pull)(void *state, quic_stream **pstream, int *pfin,
                       ngtcp2_vec *vec, size_t veccnt);
  int (*pulled)(void *state, quic_stream *stream, size_t n);
  int (*pull_acked)(void *state, quic_stream *stream, uint64_t n);
  /* The stream cannot be written until pull_unblock(). */
  int (*pull_block)(void *state, quic_stream *stream);
  int (*pull_unblock)(void *state, quic_stream *stream);
  /* The sending side of the stream is gone. */
  int (*pull_shut)(void *state, quic_stream *stream);
} quic_protocol;

/* A protocol and what it serves. */
typedef struct quic_service {
  const quic_protocol *protocol;
  void *service;
} quic_service;

#endif
