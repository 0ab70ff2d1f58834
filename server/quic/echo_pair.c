/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/echo_pair.h"

#include <string.h>

echo_pair *echo_pair_new(quic_conn *conn, quic_stream *in, quic_stream *out) {
  const ngtcp2_mem *mem = quic_conn_mem(conn);
  echo_pair *pair = mem->calloc(1, sizeof(*pair), mem->user_data);

  if (!pair) {
    return NULL;
  }
  pair->conn = conn;
  pair->in = in;
  pair->out = out;
  pair->waiting = out == NULL;
  send_queue_init(&pair->held);
  if (pair->waiting && in->id >= 0) {
    quic_stream_hold_credit(in);
    pair->credit_held = 1;
  }
  return pair;
}

static void release(echo_pair *pair) {
  if (pair->credit_held) {
    pair->credit_held = 0;
    quic_conn_release_stream(pair->conn, pair->in);
  }
}

void echo_pair_free(echo_pair *pair) {
  const ngtcp2_mem *mem = quic_conn_mem(pair->conn);

  release(pair);
  send_queue_clear(&pair->held, mem);
  mem->free(pair, mem->user_data);
}

/* Octets that will never leave are credited to the connection, or its window
   would shrink for ever. */
static void forgive(echo_pair *pair) {
  quic_conn_consume(pair->conn, pair->in, pair->owed);
  pair->owed = 0;
}

int echo_pair_opened(echo_pair *pair, quic_stream *out) {
  ngtcp2_vec vec;
  int rv;

  pair->out = out;
  pair->waiting = 0;
  release(pair);
  if (pair->aborted) {
    quic_stream_reset(out, pair->abort_code);
    return 0;
  }
  while (send_queue_peek(&pair->held, &vec, 1)) {
    rv = quic_stream_write(out, vec.base, vec.len, 0);
    if (rv != 0) {
      return rv;
    }
    send_queue_sent(&pair->held, vec.len);
    send_queue_acked(&pair->held, vec.len, quic_conn_mem(pair->conn));
  }
  return pair->held_fin ? quic_stream_write(out, NULL, 0, 1) : 0;
}

int echo_pair_data(echo_pair *pair, const uint8_t *data, size_t len, int fin) {
  int rv;

  pair->owed += len;
  if (pair->waiting) {
    pair->held_fin = fin;
    return send_queue_append(&pair->held, data, len,
                             quic_conn_mem(pair->conn)) == 0
               ? 0
               : QUIC_ERR_NOMEM;
  }
  rv =
      pair->out ? quic_stream_write(pair->out, data, len, fin) : QUIC_ERR_STATE;
  if (rv == QUIC_ERR_STATE) {
    /* The way out was abandoned. */
    forgive(pair);
    return 0;
  }
  return rv;
}

void echo_pair_sent(echo_pair *pair, size_t n) {
  if (n > pair->owed) {
    n = pair->owed;
  }
  pair->owed -= n;
  quic_conn_consume(pair->conn, pair->in, n);
}

void echo_pair_reset(echo_pair *pair, uint64_t error_code) {
  if (pair->out) {
    quic_stream_reset(pair->out, error_code);
  }
  if (pair->waiting) {
    pair->aborted = 1;
    pair->abort_code = error_code;
    send_queue_clear(&pair->held, quic_conn_mem(pair->conn));
  }
  forgive(pair);
}

void echo_pair_stopped(echo_pair *pair, uint64_t error_code) {
  if (pair->in) {
    quic_stream_stop_sending(pair->in, error_code);
  }
  forgive(pair);
}

int echo_pair_closed(echo_pair *pair, const quic_stream *stream) {
  if (pair->out == stream) {
    pair->out = NULL;
    if (pair->in == stream) {
      pair->in = NULL;
    }
    forgive(pair);
  }
  if (pair->in == stream) {
    pair->in = NULL;
  }
  return !pair->in && !pair->out && !pair->waiting;
}
