/* SPDX-License-Identifier: Apache-2.0 */
#include "server/apps/echo.h"

#include "server/apps/query.h"
#include "server/quic/echo_pair.h"
#include "server/webtransport/capsule.h"
#include "server/webtransport/error_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Streams that the query may ask for. */
#define STREAMS_MAX 100

/* wt_session_user(); a wt_stream's user is its echo_pair. */
typedef struct echo {
  /* Pairs whose way out waits for the peer to allow another stream. */
  echo_pair *waiting;
  /* Streams of ours that are still to be opened. */
  unsigned long bidi, uni;
  unsigned long opened;
} echo;

static int open_way_out(wt_session *session, echo_pair *pair) {
  wt_stream *out;
  int rv = wt_session_open_stream(session, &out, 0);

  if (rv != 0) {
    return rv;
  }
  wt_stream_set_user(out, pair);
  return echo_pair_opened(pair, wt_stream_quic(out));
}

static int greet(wt_session *session, echo *e, int bidi) {
  quic_conn *conn = wt_session_conn(session);
  char text[32];
  wt_stream *stream;
  int rv = wt_session_open_stream(session, &stream, bidi);

  if (rv != 0) {
    return rv;
  }
  if (!bidi) {
    return wt_stream_write(stream, (const uint8_t *)"hello", 5, 1);
  }
  wt_stream_set_user(stream, echo_pair_new(conn, wt_stream_quic(stream),
                                           wt_stream_quic(stream)));
  if (!wt_stream_user(stream)) {
    return QUIC_ERR_NOMEM;
  }
  snprintf(text, sizeof(text), "hello %lu", ++e->opened);
  return wt_stream_write(stream, (const uint8_t *)text, strlen(text), 0);
}

/* Opens what waits for a stream of this kind. */
static int open_waiting(wt_session *session, echo *e, int bidi) {
  unsigned long *left = bidi ? &e->bidi : &e->uni;
  int rv;

  for (; *left; --*left) {
    rv = greet(session, e, bidi);
    if (rv != 0) {
      return rv == QUIC_ERR_BLOCKED ? 0 : rv;
    }
  }
  while (!bidi && e->waiting) {
    echo_pair *pair = e->waiting;

    rv = open_way_out(session, pair);
    if (pair->waiting) {
      return rv == QUIC_ERR_BLOCKED ? 0 : rv;
    }
    e->waiting = pair->next;
    if (rv != 0) {
      return rv;
    }
  }
  return 0;
}

static unsigned long count(const char *path, const char *name) {
  char text[8];
  unsigned long n;

  if (query_get(text, sizeof(text), path, name) != 0) {
    return 0;
  }
  n = strtoul(text, NULL, 10);
  return n < STREAMS_MAX ? n : STREAMS_MAX;
}

static int on_session(void *user, wt_session *session) {
  const ngtcp2_mem *mem = quic_conn_mem(wt_session_conn(session));
  const char *path = wt_session_path(session);
  char code[16], reason[WT_CLOSE_REASON_MAX + 1];
  echo *e;
  int rv;
  (void)user;

  e = mem->calloc(1, sizeof(*e), mem->user_data);
  if (!e) {
    return QUIC_ERR_NOMEM;
  }
  wt_session_set_user(session, e);
  if (query_get(code, sizeof(code), path, "close") == 0) {
    if (query_get(reason, sizeof(reason), path, "reason") != 0) {
      reason[0] = '\0';
    }
    rv = wt_session_close(session, (uint32_t)strtoul(code, NULL, 10), reason);
    return rv == QUIC_ERR_STATE ? 0 : rv;
  }
  e->bidi = count(path, "bidi");
  e->uni = count(path, "uni");
  rv = open_waiting(session, e, 1);
  return rv == 0 ? open_waiting(session, e, 0) : rv;
}

static void on_session_closed(void *user, wt_session *session) {
  const ngtcp2_mem *mem = quic_conn_mem(wt_session_conn(session));
  echo *e = wt_session_user(session);
  (void)user;

  if (!e) {
    return;
  }
  while (e->waiting) {
    echo_pair *pair = e->waiting;

    e->waiting = pair->next;
    pair->waiting = 0;
    if (!pair->in) {
      echo_pair_free(pair);
    }
  }
  mem->free(e, mem->user_data);
  wt_session_set_user(session, NULL);
}

static void on_stream_closed(void *user, wt_stream *stream) {
  echo_pair *pair = wt_stream_user(stream);
  (void)user;

  if (pair && echo_pair_closed(pair, wt_stream_quic(stream))) {
    echo_pair_free(pair);
  }
}

static int pair_for(wt_stream *stream) {
  wt_session *session = wt_stream_session(stream);
  quic_conn *conn = wt_session_conn(session);
  echo *e = wt_session_user(session);
  quic_stream *quic = wt_stream_quic(stream);
  int bidi = wt_stream_is_bidi(stream);
  echo_pair *pair = echo_pair_new(conn, quic, bidi ? quic : NULL);
  echo_pair **link;
  int rv;

  if (!pair) {
    return QUIC_ERR_NOMEM;
  }
  wt_stream_set_user(stream, pair);
  if (bidi) {
    return 0;
  }
  rv = e->waiting || e->uni ? QUIC_ERR_BLOCKED : open_way_out(session, pair);
  if (pair->waiting) {
    for (link = &e->waiting; *link;) {
      link = &(*link)->next;
    }
    *link = pair;
  }
  return rv == QUIC_ERR_BLOCKED ? 0 : rv;
}

static int on_stream_data(void *user, wt_stream *stream, const uint8_t *data,
                          size_t len, int fin) {
  (void)user;
  if (!wt_stream_user(stream)) {
    int rv = pair_for(stream);

    if (rv != 0) {
      return rv;
    }
  }
  return echo_pair_data(wt_stream_user(stream), data, len, fin);
}

static void on_stream_reset(void *user, wt_stream *stream, uint32_t code) {
  (void)user;
  if (wt_stream_user(stream)) {
    echo_pair_reset(wt_stream_user(stream), wt_error_to_h3(code));
  }
}

static void on_stop_sending(void *user, wt_stream *stream, uint32_t code) {
  (void)user;
  if (wt_stream_user(stream)) {
    echo_pair_stopped(wt_stream_user(stream), wt_error_to_h3(code));
  }
}

static void on_stream_sent(void *user, wt_stream *stream, size_t n) {
  (void)user;
  if (wt_stream_user(stream)) {
    echo_pair_sent(wt_stream_user(stream), n);
  }
}

static void on_datagram(void *user, wt_session *session, const uint8_t *data,
                        size_t len) {
  (void)user;
  /* Datagrams may be lost, so one that does not fit is. */
  (void)wt_session_send_datagram(session, data, len);
}

static int on_streams_available(void *user, wt_session *session, int bidi) {
  (void)user;
  return open_waiting(session, wt_session_user(session), bidi);
}

const app app_echo = {
    .path = "/echo",
    .on_session = on_session,
    .on_session_closed = on_session_closed,
    .on_stream_data = on_stream_data,
    .on_stream_reset = on_stream_reset,
    .on_stop_sending = on_stop_sending,
    .on_stream_sent = on_stream_sent,
    .on_stream_closed = on_stream_closed,
    .on_datagram = on_datagram,
    .on_streams_available = on_streams_available,
};
