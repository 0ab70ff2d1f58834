/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of WebTransport sessions, also those that come too early. */
#include "server/apps/app.h"
#include "server/http3/h3.h"
#include "server/varint.h"
#include "server/webtransport/error_code.h"
#include "server/webtransport/wt_internal.h"

#include <string.h>

static void list_insert(wt_stream **head, wt_stream *stream) {
  stream->next = *head;
  stream->link = head;
  if (*head) {
    (*head)->link = &stream->next;
  }
  *head = stream;
}

static void list_remove(wt_stream *stream) {
  if (!stream->link) {
    return;
  }
  *stream->link = stream->next;
  if (stream->next) {
    stream->next->link = stream->link;
  }
  stream->link = NULL;
  stream->next = NULL;
}

static wt_stream *new_stream(quic_stream *quic, uint64_t session_id) {
  const ngtcp2_mem *mem = quic_conn_mem(quic->conn);
  wt_stream *stream = mem->calloc(1, sizeof(*stream), mem->user_data);

  if (stream) {
    stream->quic = quic;
    stream->session_id = session_id;
  }
  return stream;
}

static int has_receiving_side(const quic_stream *quic) {
  return ngtcp2_is_bidi_stream(quic->id) ||
         !ngtcp2_conn_is_local_stream2(quic->conn->ngtcp2, quic->id);
}

static int has_sending_side(const quic_stream *quic) {
  return ngtcp2_is_bidi_stream(quic->id) ||
         ngtcp2_conn_is_local_stream2(quic->conn->ngtcp2, quic->id);
}

static void refuse(quic_stream *quic, uint64_t error_code) {
  if (has_receiving_side(quic)) {
    quic_stream_stop_sending(quic, error_code);
  }
  if (has_sending_side(quic)) {
    quic_stream_reset(quic, error_code);
  }
}

/* ---- Too early ---- */

/* The stream is in no list any more and what was held is not; the octets are
   credited to the connection. */
static void forget_early(wt_conn *wt, wt_stream *stream) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);

  list_remove(stream);
  --wt->nearly_streams;
  wt->early_octets -= stream->early_len;
  mem->free(stream->early, mem->user_data);
  stream->early = NULL;
  stream->early_len = 0;
}

static int is_early(const wt_stream *stream) {
  return !stream->session && stream->link;
}

/* A unidirectional stream is over for QUIC as soon as all of it has come, and
   that may be before its session: then it goes on without. */
static void detach(wt_stream *stream) {
  stream->ghost.id = -1;
  stream->ghost.conn = stream->quic->conn;
  stream->ghost.write_closed = 1;
  stream->quic = &stream->ghost;
}

/* No QUIC will tell that a detached stream is closed. */
static void close_detached(wt_stream *stream) {
  if (stream->quic == &stream->ghost) {
    wt_stream_on_close(stream);
  }
}

wt_stream *wt_conn_on_stream(wt_conn *wt, quic_stream *quic,
                             uint64_t session_id, int *perror) {
  wt_session *session = wt_conn_find(wt, session_id);
  wt_stream *stream;

  *perror = 0;
  if (!session && h3_is_over(wt->conn, session_id)) {
    refuse(quic, WT_SESSION_GONE);
    return NULL;
  }
  if (!session && wt->nearly_streams == WT_EARLY_STREAMS_MAX) {
    refuse(quic, WT_BUFFERED_STREAM_REJECTED);
    return NULL;
  }
  stream = new_stream(quic, session_id);
  if (!stream) {
    *perror = QUIC_ERR_NOMEM;
    return NULL;
  }
  stream->wt = wt;
  if (session) {
    stream->session = session;
    list_insert(&session->streams, stream);
  } else {
    wt_stream **tail = &wt->early_streams;

    while (*tail) {
      tail = &(*tail)->next;
    }
    list_insert(tail, stream);
    ++wt->nearly_streams;
  }
  return stream;
}

/* Holds octets until the session is there; they are not credited. */
static int hold(wt_conn *wt, wt_stream *stream, const uint8_t *data, size_t len,
                int fin) {
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  uint8_t *early;

  if (len > WT_EARLY_OCTETS_MAX - wt->early_octets) {
    size_t held = stream->early_len;

    forget_early(wt, stream);
    quic_conn_consume(wt->conn, NULL, held + len);
    refuse(stream->quic, WT_BUFFERED_STREAM_REJECTED);
    return 0;
  }
  stream->early_fin = fin;
  if (len == 0) {
    return 0;
  }
  early = mem->realloc(stream->early, stream->early_len + len, mem->user_data);
  if (!early) {
    return QUIC_ERR_NOMEM;
  }
  memcpy(early + stream->early_len, data, len);
  stream->early = early;
  stream->early_len += len;
  wt->early_octets += len;
  return 0;
}

int wt_session_adopt_early_streams(wt_session *session) {
  wt_conn *wt = session->wt;
  const ngtcp2_mem *mem = quic_conn_mem(wt->conn);
  uint64_t id = session->id;
  wt_stream *stream, *next;
  int rv = 0;

  for (stream = wt->early_streams; stream && rv == 0; stream = next) {
    uint8_t *early;
    size_t len;

    next = stream->next;
    if (stream->session_id != id) {
      continue;
    }
    early = stream->early;
    len = stream->early_len;
    stream->early = NULL;
    forget_early(wt, stream);
    /* Whom the application ended the session with, if it did. */
    session = wt_conn_find(wt, id);
    if (!session) {
      quic_conn_consume(wt->conn, NULL, len);
      refuse(stream->quic, WT_SESSION_GONE);
    } else {
      stream->session = session;
      list_insert(&session->streams, stream);
      if (len || stream->early_fin) {
        rv = wt_stream_on_data(stream, early, len, stream->early_fin);
      }
    }
    close_detached(stream);
    mem->free(early, mem->user_data);
  }
  return rv;
}

void wt_conn_refuse_early_streams(wt_conn *wt, uint64_t session_id) {
  wt_stream *stream, *next;

  for (stream = wt->early_streams; stream; stream = next) {
    next = stream->next;
    if (stream->session_id == session_id) {
      size_t held = stream->early_len;

      forget_early(wt, stream);
      quic_conn_consume(wt->conn, NULL, held);
      refuse(stream->quic, WT_BUFFERED_STREAM_REJECTED);
      close_detached(stream);
    }
  }
}

void wt_conn_drop_early_streams(wt_conn *wt) {
  while (wt->early_streams) {
    wt_stream *stream = wt->early_streams;

    forget_early(wt, stream);
    close_detached(stream);
  }
}

/* ---- Events of QUIC ---- */

int wt_stream_on_data(wt_stream *stream, const uint8_t *data, size_t len,
                      int fin) {
  wt_session *session = stream->session;

  if (!session) {
    if (is_early(stream)) {
      return hold(stream->wt, stream, data, len, fin);
    }
    quic_conn_consume(stream->quic->conn, stream->quic, len);
    return 0;
  }
  if (!session->app->on_stream_data) {
    quic_conn_consume(stream->quic->conn, stream->quic, len);
    return 0;
  }
  return session->app->on_stream_data(session->app->user, stream, data, len,
                                      fin);
}

/* What the application is told for a code that HTTP/3 sent: codes from outside
   of the range that carries application errors become 0. */
static uint32_t application_code(uint64_t error_code) {
  uint32_t code;

  return h3_error_to_wt(error_code, &code) == 0 ? code : 0;
}

void wt_stream_on_reset(wt_stream *stream, uint64_t error_code) {
  wt_session *session = stream->session;

  if (session && session->app->on_stream_reset) {
    session->app->on_stream_reset(session->app->user, stream,
                                  application_code(error_code));
  } else if (is_early(stream)) {
    size_t held = stream->early_len;

    forget_early(stream->wt, stream);
    quic_conn_consume(stream->quic->conn, NULL, held);
    refuse(stream->quic, WT_BUFFERED_STREAM_REJECTED);
  }
}

void wt_stream_on_stop_sending(wt_stream *stream, uint64_t error_code) {
  wt_session *session = stream->session;

  if (session && session->app->on_stop_sending) {
    session->app->on_stop_sending(session->app->user, stream,
                                  application_code(error_code));
  }
}

void wt_stream_on_sent(wt_stream *stream, size_t n) {
  wt_session *session = stream->session;
  size_t prefix = n < stream->prefix_pending ? n : stream->prefix_pending;

  stream->prefix_pending -= prefix;
  n -= prefix;
  if (n && session && session->app->on_stream_sent) {
    session->app->on_stream_sent(session->app->user, stream, n);
  }
}

void wt_stream_on_close(wt_stream *stream) {
  const ngtcp2_mem *mem = quic_conn_mem(stream->quic->conn);
  wt_session *session = stream->session;

  if (session) {
    if (session->app->on_stream_closed) {
      session->app->on_stream_closed(session->app->user, stream);
    }
    list_remove(stream);
  } else if (is_early(stream) && stream->early_fin) {
    detach(stream);
    return;
  } else if (is_early(stream)) {
    size_t held = stream->early_len;

    forget_early(stream->wt, stream);
    quic_conn_consume(stream->quic->conn, NULL, held);
  }
  mem->free(stream, mem->user_data);
}

void wt_session_abandon_streams(wt_session *session) {
  while (session->streams) {
    wt_stream *stream = session->streams;

    if (session->app->on_stream_closed) {
      session->app->on_stream_closed(session->app->user, stream);
    }
    list_remove(stream);
    stream->session = NULL;
    refuse(stream->quic, WT_SESSION_GONE);
  }
}

/* ---- What applications ask ---- */

int wt_session_open_stream(wt_session *session, wt_stream **pstream, int bidi) {
  const ngtcp2_mem *mem = quic_conn_mem(session->wt->conn);
  uint8_t prefix[2 * VARINT_LEN_MAX];
  quic_stream *quic;
  wt_stream *stream;
  size_t n;
  int rv;

  *pstream = NULL;
  if (session->pending) {
    return QUIC_ERR_STATE;
  }
  rv = quic_conn_open_stream(session->wt->conn, &quic, bidi);
  if (rv != 0) {
    return rv;
  }
  stream = new_stream(quic, session->id);
  if (!stream) {
    refuse(quic, WT_SESSION_GONE);
    return QUIC_ERR_NOMEM;
  }
  h3_adopt_stream(quic, stream, &rv);
  if (rv != 0) {
    mem->free(stream, mem->user_data);
    refuse(quic, WT_SESSION_GONE);
    return rv;
  }
  stream->wt = session->wt;
  stream->session = session;
  list_insert(&session->streams, stream);
  n = varint_put(prefix, sizeof(prefix),
                 bidi ? H3_WT_BIDI_SIGNAL : H3_WT_UNI_TYPE);
  n += varint_put(prefix + n, sizeof(prefix) - n, session->id);
  rv = quic_stream_write(quic, prefix, n, 0);
  if (rv != 0) {
    /* The stream is freed when QUIC closes it. */
    list_remove(stream);
    stream->session = NULL;
    refuse(quic, WT_SESSION_GONE);
    return rv;
  }
  stream->prefix_pending = n;
  if (!bidi) {
    /* Firefox 153 closes the connection on a unidirectional stream whose FIN
       comes with its prefix. */
    quic_stream_separate_fin(quic);
  }
  *pstream = stream;
  return 0;
}

wt_session *wt_stream_session(const wt_stream *stream) {
  return stream->session;
}

int wt_stream_is_bidi(const wt_stream *stream) {
  return ngtcp2_is_bidi_stream(stream->quic->id);
}

quic_stream *wt_stream_quic(wt_stream *stream) { return stream->quic; }

void wt_stream_set_user(wt_stream *stream, void *user) { stream->user = user; }

void *wt_stream_user(const wt_stream *stream) { return stream->user; }

int wt_stream_write(wt_stream *stream, const uint8_t *data, size_t len,
                    int fin) {
  return quic_stream_write(stream->quic, data, len, fin);
}

void wt_stream_reset(wt_stream *stream, uint32_t code) {
  quic_stream_reset(stream->quic, wt_error_to_h3(code));
}

void wt_stream_stop_sending(wt_stream *stream, uint32_t code) {
  quic_stream_stop_sending(stream->quic, wt_error_to_h3(code));
}

void wt_stream_consume(wt_stream *stream, size_t n) {
  quic_conn_consume(stream->quic->conn, stream->quic, n);
}
