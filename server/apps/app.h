/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application gives to a WebTransport session.
 *
 * Any member may be NULL.  Where a function returns int, 0 is success and
 * anything else closes the connection with H3_INTERNAL_ERROR; that is for want
 * of memory, not for what a peer does.  wt_session.h says what may be called.
 */
#ifndef SERVER_APPS_APP_H
#define SERVER_APPS_APP_H

#include "server/webtransport/session.h"

typedef struct app {
  /* The path that it serves, without a query: "/echo".  "/files/" with a "*"
     behind it is all that begin so and that no application serves by name; of
     several, the longest. */
  const char *path;
  /* The protocols that it speaks (draft-ietf-webtrans-http3 section 3.3) in an
     array that ends with NULL, or NULL; wt_session_protocol() tells which the
     client liked best.  At most 250 printable characters of ASCII each.  A
     client that offers none of them is served too. */
  const char *const *protocols;
  void *user;

  /* A client asks for a session, which waits for wt_session_accept() or
     wt_session_reject(): they may be called at once.  on_session_closed() ends
     it however it ends.  NULL: it is accepted at once.  wt_session_set_user()
     may be called. */
  int (*on_request)(void *user, wt_session *session);
  /* A session was accepted; wt_session_set_user() may be called. */
  int (*on_session)(void *user, wt_session *session);
  /* It is over; its streams were closed before this, one by one.  |session| is
     freed when this returns. */
  void (*on_session_closed)(void *user, wt_session *session);

  /* Octets in order on a stream of either side; |fin|: none after them.  The
     peer's streams have wt_stream_user() NULL the first time. */
  int (*on_stream_data)(void *user, wt_stream *stream, const uint8_t *data,
                        size_t len, int fin);
  void (*on_stream_reset)(void *user, wt_stream *stream, uint32_t code);
  void (*on_stop_sending)(void *user, wt_stream *stream, uint32_t code);
  /* |n| octets of wt_stream_write() have left. */
  void (*on_stream_sent)(void *user, wt_stream *stream, size_t n);
  /* |stream| is freed when this returns. */
  void (*on_stream_closed)(void *user, wt_stream *stream);

  void (*on_datagram)(void *user, wt_session *session, const uint8_t *data,
                      size_t len);

  /* The client asks for the end of the session: a DRAIN capsule. */
  void (*on_draining)(void *user, wt_session *session);

  /* The peer allows more streams of ours. */
  int (*on_streams_available)(void *user, wt_session *session, int bidi);
} app;

#endif
