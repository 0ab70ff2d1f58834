/* SPDX-License-Identifier: Apache-2.0 */
/* What script.c, which tells what happens, and script_feed.c, which does what
   is asked, have in common. */
#ifndef SERVER_APPS_SCRIPT_INTERNAL_H
#define SERVER_APPS_SCRIPT_INTERNAL_H

#include "server/apps/script.h"

typedef struct script_session script_session;
typedef struct script_stream script_stream;

/* What a handle stands for. */
typedef struct object {
  uint32_t handle;
  int is_stream;
} object;

/* wt_session_user(). */
struct script_session {
  object base;
  script *script;
  wt_session *wt; /* NULL: it is over */
  /* In the list of those that wait, oldest first; of those whose datagrams wait
     to leave; of those whose end could not be told yet. */
  script_session *next, **link;
  script_session *sending_next, **sending_link;
  script_session *untold_next;
  uint64_t deadline; /* while it waits */
  script_stream *streams;
  size_t wanted[2];     /* streams of ours, by bidi */
  uint32_t outstanding; /* datagrams that were not told to have left */
  /* Datagrams in the batch |batch|. */
  uint64_t batch;
  size_t datagrams;
};

/* wt_stream_user(). */
struct script_stream {
  object base;
  script_session *session;
  wt_stream *wt; /* NULL: both sides are done */
  script_stream *next, **link;
  script_stream *sent_next, **sent_link;
  size_t unread;
  uint32_t sent; /* octets that left and were not told */
  uint8_t bidi;
  uint8_t held;    /* the peer may open no other in its place */
  uint8_t stopped; /* nobody reads it any more */
};

struct script {
  ngtcp2_mem mem;
  app apps[SCRIPT_PATHS_MAX];
  const app *papps[SCRIPT_PATHS_MAX];
  char paths[SCRIPT_PATHS_MAX][SCRIPT_PATH_LEN_MAX + 1];
  size_t npaths;
  script_batch batch;
  uint64_t nbatches;
  size_t datagram_octets; /* in this batch */
  /* By handle less one; free places hold NULL and are in |vacant|. */
  object **objects;
  uint32_t *vacant;
  size_t nobjects, nvacant, room;
  script_session *pending, **pending_tail;
  size_t npending;
  script_session *sending;
  script_session *untold;
  script_stream *sent;
  size_t unread;
  script_counters counters;
};

/* Frees |session|, which is over, with its streams; or |stream|, both sides of
   which are done. */
void script_free_session(script_session *session);
void script_free_stream(script_stream *stream);

/* The connection of a |session| that is not over. */
quic_conn *script_conn_of(const script_session *session);

/* What cannot be told or done for want of memory is a connection that cannot go
   on. */
void script_fail(quic_conn *conn);

/* |n| octets of what came are dealt with; of more than came, all. */
void script_consume(script_stream *stream, size_t n);

/* Opens the streams that are wanted, as far as the client allows.
   QUIC_ERR_NOMEM. */
int script_open_wanted(script_session *session, int bidi);

#endif
