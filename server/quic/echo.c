/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/echo.h"

#include "server/quic/echo_pair.h"

/* A quic_stream's |user| is its echo_pair. */
typedef struct echo {
  quic_conn *conn;
  /* Pairs whose way out waits for the peer to allow another stream. */
  echo_pair *waiting, **waiting_tail;
} echo;

static int echo_open(void **pstate, quic_conn *conn, void *service) {
  const ngtcp2_mem *mem = quic_conn_mem(conn);
  echo *e = mem->calloc(1, sizeof(*e), mem->user_data);
  (void)service;

  if (!e) {
    return QUIC_ERR_NOMEM;
  }
  e->conn = conn;
  e->waiting_tail = &e->waiting;
  *pstate = e;
  return 0;
}

static void echo_close(void *state) {
  echo *e = state;
  const ngtcp2_mem *mem = quic_conn_mem(e->conn);
  quic_stream *stream;

  while (e->waiting) {
    echo_pair *pair = e->waiting;

    e->waiting = pair->next;
    pair->waiting = 0;
    if (!pair->in) {
      echo_pair_free(pair);
    }
  }
  for (stream = e->conn->streams; stream; stream = stream->all_next) {
    echo_pair *pair = stream->user;

    if (pair) {
      stream->user = NULL;
      if (pair->in == stream) {
        pair->in = NULL;
      }
      if (pair->out == stream) {
        pair->out = NULL;
      }
      if (!pair->in && !pair->out) {
        echo_pair_free(pair);
      }
    }
  }
  mem->free(e, mem->user_data);
}

static int open_way_out(echo *e, echo_pair *pair) {
  quic_stream *out;
  int rv = quic_conn_open_stream(e->conn, &out, 0);

  if (rv != 0) {
    return rv;
  }
  out->user = pair;
  return echo_pair_opened(pair, out);
}

static int pair_for(echo *e, quic_stream *stream) {
  int bidi = ngtcp2_is_bidi_stream(stream->id);
  echo_pair *pair = echo_pair_new(e->conn, stream, bidi ? stream : NULL);
  int rv;

  if (!pair) {
    return QUIC_ERR_NOMEM;
  }
  stream->user = pair;
  if (bidi) {
    return 0;
  }
  rv = e->waiting ? QUIC_ERR_BLOCKED : open_way_out(e, pair);
  if (pair->waiting) {
    pair->next = NULL;
    *e->waiting_tail = pair;
    e->waiting_tail = &pair->next;
  }
  return rv == QUIC_ERR_BLOCKED ? 0 : rv;
}

static int echo_on_stream_data(void *state, quic_stream *stream,
                               const uint8_t *data, size_t len, int fin) {
  if (!stream->user) {
    int rv = pair_for(state, stream);

    if (rv != 0) {
      return rv;
    }
  }
  return echo_pair_data(stream->user, data, len, fin);
}

static int echo_on_stream_reset(void *state, quic_stream *stream,
                                uint64_t error_code) {
  (void)state;
  if (stream->user) {
    echo_pair_reset(stream->user, error_code);
  } else if (ngtcp2_is_bidi_stream(stream->id)) {
    /* Nothing came before: our side must end all the same. */
    quic_stream_reset(stream, error_code);
  }
  return 0;
}

static int echo_on_stop_sending(void *state, quic_stream *stream,
                                uint64_t error_code) {
  (void)state;
  if (stream->user) {
    echo_pair_stopped(stream->user, error_code);
  }
  return 0;
}

static void echo_on_stream_sent(void *state, quic_stream *stream, size_t n) {
  (void)state;
  if (stream->user) {
    echo_pair_sent(stream->user, n);
  }
}

static int echo_on_stream_close(void *state, quic_stream *stream,
                                uint64_t error_code) {
  (void)state;
  (void)error_code;
  if (stream->user && echo_pair_closed(stream->user, stream)) {
    echo_pair_free(stream->user);
  }
  return 0;
}

static int echo_on_datagram(void *state, const uint8_t *data, size_t len) {
  echo *e = state;

  /* Datagrams may be lost, so one that does not fit is. */
  (void)quic_conn_send_datagram(e->conn, NULL, 0, data, len);
  return 0;
}

static int echo_on_streams_available(void *state, int bidi) {
  echo *e = state;

  while (!bidi && e->waiting) {
    echo_pair *pair = e->waiting;
    int rv = open_way_out(e, pair);

    if (pair->waiting) {
      return rv == QUIC_ERR_BLOCKED ? 0 : rv;
    }
    e->waiting = pair->next;
    if (!e->waiting) {
      e->waiting_tail = &e->waiting;
    }
    if (rv != 0) {
      return rv;
    }
  }
  return 0;
}

const quic_protocol quic_echo = {
    .alpn = "echo",
    .open = echo_open,
    .close = echo_close,
    .on_stream_data = echo_on_stream_data,
    .on_stream_reset = echo_on_stream_reset,
    .on_stop_sending = echo_on_stop_sending,
    .on_stream_sent = echo_on_stream_sent,
    .on_stream_close = echo_on_stream_close,
    .on_datagram = echo_on_datagram,
    .on_streams_available = echo_on_streams_available,
};
