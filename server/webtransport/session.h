/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebTransport sessions over HTTP/3 (draft-ietf-webtrans-http3), as the
 * applications see them.  Sessions and streams belong to the connection; an
 * application may hold pointers until it is told that they are closed.
 */
#ifndef SERVER_WEBTRANSPORT_SESSION_H
#define SERVER_WEBTRANSPORT_SESSION_H

#include "server/quic/conn.h"
#include "server/webtransport/service.h"

#include <stddef.h>
#include <stdint.h>

typedef struct wt_session wt_session;
typedef struct wt_stream wt_stream;

/* ---- Sessions ---- */

/* A number that no other session of the process has. */
uint64_t wt_session_number(const wt_session *session);
/* The request's path with its query, authority and Origin ("" if none). */
const char *wt_session_path(const wt_session *session);
const char *wt_session_authority(const wt_session *session);
const char *wt_session_origin(const wt_session *session);
/* The one that was chosen among app.protocols; "" if none. */
const char *wt_session_protocol(const wt_session *session);
/* WT-Available-Protocols, a List of Strings ("" if none), and the |i|th of the
   request's other header fields: its name, with |*pvalue|, or NULL.  There are
   fields only where there is app.on_request. */
const char *wt_session_available_protocols(const wt_session *session);
const char *wt_session_field(const wt_session *session, size_t i,
                             const char **pvalue);
void wt_session_remote(const wt_session *session, udp_address *remote);
quic_conn *wt_session_conn(wt_session *session);

/* In on_session_closed() alone: how it ended, with the code and the reason of
   the CLOSE capsule, UTF-8 of |*plen| octets. */
wt_closed_by wt_session_end(const wt_session *session, uint32_t *pcode,
                            const uint8_t **preason, size_t *plen);

/* The application's own. */
void wt_session_set_user(wt_session *session, void *user);
void *wt_session_user(const wt_session *session);

/*
 * Accepts a session that waits since on_request(), with |protocol|, copied
 * (NULL: none): on_session() follows, and what came for it meanwhile.  The
 * application may have ended it when this returns.  QUIC_ERR_STATE if it does
 * not wait, or if |protocol| is not printable ASCII of at most 250 characters;
 * QUIC_ERR_NOMEM and QUIC_ERR_FAILED if the connection is to be closed, as by
 * on_request().
 */
int wt_session_accept(wt_session *session, const char *protocol);

/* Answers one that waits with |status|, 400 to 599: on_session_closed() follows
   at once.  QUIC_ERR_STATE if it does not wait; QUIC_ERR_FAILED as above. */
int wt_session_reject(wt_session *session, int status);

/* The longest datagram that fits into a packet on the path as it is, 0 if the
   peer takes none; and how many wait to leave, of the whole connection. */
size_t wt_session_datagram_max(wt_session *session);
size_t wt_session_datagrams_pending(const wt_session *session);

/* Sends a datagram, copied, or drops it: it may be lost anyway.  Returns 0, or
   QUIC_ERR_TOO_LARGE, QUIC_ERR_NOMEM, QUIC_ERR_STATE. */
int wt_session_send_datagram(wt_session *session, const uint8_t *data,
                             size_t len);

/* Opens a stream of ours.  QUIC_ERR_BLOCKED until on_streams_available(),
   QUIC_ERR_NOMEM, QUIC_ERR_STATE. */
int wt_session_open_stream(wt_session *session, wt_stream **pstream, int bidi);

/* Ends the session: CLOSE capsule with |code| and |reason|, UTF-8 of at most
   1024 octets, then FIN; its streams are reset with WT_SESSION_GONE.  To the
   application it is closed from here on: on_session_closed() follows at once.
   QUIC_ERR_NOMEM, QUIC_ERR_STATE if |reason| is not allowed. */
int wt_session_close(wt_session *session, uint32_t code, const char *reason);

/* Asks the client to end the session soon: DRAIN capsule.  It goes on until
   then.  QUIC_ERR_NOMEM. */
int wt_session_drain(wt_session *session);

/* ---- Streams ---- */

wt_session *wt_stream_session(const wt_stream *stream);
int wt_stream_is_bidi(const wt_stream *stream);
/* The stream underneath, for echo_pair. */
quic_stream *wt_stream_quic(wt_stream *stream);
void wt_stream_set_user(wt_stream *stream, void *user);
void *wt_stream_user(const wt_stream *stream);

/* As quic_stream_write(). */
int wt_stream_write(wt_stream *stream, const uint8_t *data, size_t len,
                    int fin);
/* RESET_STREAM and STOP_SENDING with the application's |code|. */
void wt_stream_reset(wt_stream *stream, uint32_t code);
void wt_stream_stop_sending(wt_stream *stream, uint32_t code);
/* |n| received octets are dealt with: credits flow control. */
void wt_stream_consume(wt_stream *stream, size_t n);

#endif
