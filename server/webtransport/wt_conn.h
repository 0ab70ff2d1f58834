/* SPDX-License-Identifier: Apache-2.0 */
/* All WebTransport of one HTTP/3 connection; between h3.c and session.c. */
#ifndef SERVER_WEBTRANSPORT_WT_CONN_H
#define SERVER_WEBTRANSPORT_WT_CONN_H

#include "server/webtransport/service.h"
#include "server/webtransport/session.h"

struct h3_request;
typedef struct wt_conn wt_conn;

/* Streams and octets that may come before their session, per connection. */
#define WT_EARLY_STREAMS_MAX 16
#define WT_EARLY_OCTETS_MAX 65536
#define WT_EARLY_DATAGRAMS_MAX 16

/* QUIC_ERR_NOMEM. */
int wt_conn_new(wt_conn **pwt, quic_conn *conn, const wt_service *service);
/* Closes what is open, as by the connection. */
void wt_conn_free(wt_conn *wt);

/* An Extended CONNECT for WebTransport: answers it, and tells the application
   if it is accepted.  0 or QUIC_ERR_*. */
int wt_conn_connect(wt_conn *wt, struct h3_request *request);

/* The request with this ID is no session: what came for it early, and what
   still comes, is refused. */
void wt_conn_refuse(wt_conn *wt, uint64_t session_id);

/* Asks for the end of every session, and of those to come.  QUIC_ERR_NOMEM. */
int wt_conn_drain(wt_conn *wt);
/* Ends every session; returns how many there were. */
size_t wt_conn_close_sessions(wt_conn *wt, uint32_t code, const char *reason);
size_t wt_conn_sessions(const wt_conn *wt);

/* Octets of the CONNECT stream's DATA frames, its end, its loss. */
int wt_session_on_data(wt_session *session, const uint8_t *data, size_t len);
int wt_session_on_fin(wt_session *session);
void wt_session_on_abort(wt_session *session);

/*
 * |quic| begins with the prefix of a WebTransport stream for |session_id|.
 * Returns the stream, or NULL with |*perror| 0 if it was refused, or an error.
 */
wt_stream *wt_conn_on_stream(wt_conn *wt, quic_stream *quic,
                             uint64_t session_id, int *perror);
int wt_stream_on_data(wt_stream *stream, const uint8_t *data, size_t len,
                      int fin);
void wt_stream_on_reset(wt_stream *stream, uint64_t error_code);
void wt_stream_on_stop_sending(wt_stream *stream, uint64_t error_code);
void wt_stream_on_sent(wt_stream *stream, size_t n);
/* Frees |stream|. */
void wt_stream_on_close(wt_stream *stream);

/* A DATAGRAM frame's payload (RFC 9297 section 2.1).  QUIC_ERR_FAILED if it is
   malformed. */
int wt_conn_on_datagram(wt_conn *wt, const uint8_t *data, size_t len);

int wt_conn_on_streams_available(wt_conn *wt, int bidi);

/* Whether the stream |session_id| is or was something else than a session that
   is open or may still come. */
int h3_is_over(quic_conn *conn, uint64_t session_id);

/* A stream of ours for WebTransport: quic_stream.user is to be set by h3. */
void h3_adopt_stream(quic_stream *quic, wt_stream *stream, int *perror);

#endif
