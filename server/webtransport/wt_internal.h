/* SPDX-License-Identifier: Apache-2.0 */
/* What session.c and stream.c share; nobody else includes it. */
#ifndef SERVER_WEBTRANSPORT_WT_INTERNAL_H
#define SERVER_WEBTRANSPORT_WT_INTERNAL_H

#include "server/webtransport/capsule.h"
#include "server/webtransport/wt_conn.h"

#define EVERY_SESSION UINT64_MAX

typedef struct early_datagram early_datagram;

struct early_datagram {
  early_datagram *next;
  uint64_t session_id;
  size_t len;
  uint8_t data[];
};

struct wt_stream {
  wt_conn *wt;
  quic_stream *quic;
  wt_session *session; /* NULL: not there yet, or gone */
  uint64_t session_id;
  void *user;
  /* In the list of its session, or of the early streams. */
  wt_stream *next, **link;
  /* Octets of our own prefix that have not left yet. */
  size_t prefix_pending;
  /* What came before the session. */
  uint8_t *early;
  size_t early_len;
  int early_fin;
  /* |quic| of a stream that QUIC was done with before its session came. */
  quic_stream ghost;
};

struct wt_session {
  wt_conn *wt;
  struct h3_request *request;
  const struct app *app;
  void *user;
  uint64_t id; /* the CONNECT stream's */
  uint64_t number;
  const char *protocol; /* among those of |app|, or |chosen|; NULL: none */
  char *chosen;         /* our copy, or NULL */
  int pending;          /* the application has not answered yet */
  wt_closed_by end;
  uint32_t end_code;
  const uint8_t *end_reason;
  size_t end_reason_len;
  int draining; /* DRAIN was sent */
  wt_session *next;
  wt_stream *streams;
  wt_capsule_parser capsules;
};

struct wt_conn {
  quic_conn *conn;
  const wt_service *service;
  int draining;
  wt_session *sessions;
  size_t nsessions;
  wt_stream *early_streams;
  size_t nearly_streams;
  size_t early_octets;
  early_datagram *early_datagrams;
  size_t nearly_datagrams;
};

/* NULL if there is no open session with this ID: it is not open while it is
   pending. */
wt_session *wt_conn_find(wt_conn *wt, uint64_t session_id);

/* Closes the streams of a session that is over, as the application sees it;
   to the peer both directions are reset with WT_SESSION_GONE. */
void wt_session_abandon_streams(wt_session *session);

/* Gives the application the streams that came before |session|. */
int wt_session_adopt_early_streams(wt_session *session);
/* Rejects those that came for a session that was refused. */
void wt_conn_refuse_early_streams(wt_conn *wt, uint64_t session_id);
/* Lets go of all of them without a word. */
void wt_conn_drop_early_streams(wt_conn *wt);

#endif
