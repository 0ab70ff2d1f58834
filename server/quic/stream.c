/* SPDX-License-Identifier: Apache-2.0 */
/* The sending side of streams and datagrams, as protocols see it. */
#include "server/quic/stream.h"

#include <string.h>

/* Type and length of a DATAGRAM frame (RFC 9221 section 4). */
#define FRAME_OVERHEAD 3
/* First octet, packet number and AEAD tag of a 1-RTT packet, without the
   connection ID (RFC 9000 section 17.3). */
#define PACKET_OVERHEAD (1 + 4 + 16)

int quic_stream_new(quic_stream **pstream, quic_conn *conn, int64_t id) {
  quic_stream *stream =
      conn->mem->calloc(1, sizeof(*stream), conn->mem->user_data);

  *pstream = stream;
  if (!stream) {
    return QUIC_ERR_NOMEM;
  }
  stream->id = id;
  stream->conn = conn;
  send_queue_init(&stream->queue);
  stream->all_next = conn->streams;
  stream->all_link = &conn->streams;
  if (conn->streams) {
    conn->streams->all_link = &stream->all_next;
  }
  conn->streams = stream;
  return 0;
}

void quic_stream_free(quic_stream *stream) {
  const ngtcp2_mem *mem = stream->conn->mem;

  quic_stream_not_ready(stream);
  *stream->all_link = stream->all_next;
  if (stream->all_next) {
    stream->all_next->all_link = stream->all_link;
  }
  send_queue_clear(&stream->queue, mem);
  mem->free(stream, mem->user_data);
}

void quic_stream_ready(quic_stream *stream) {
  quic_conn *conn = stream->conn;

  if (stream->ready_link) {
    return;
  }
  stream->ready_next = NULL;
  stream->ready_link = conn->ready_tail;
  *conn->ready_tail = stream;
  conn->ready_tail = &stream->ready_next;
}

void quic_stream_not_ready(quic_stream *stream) {
  if (!stream->ready_link) {
    return;
  }
  *stream->ready_link = stream->ready_next;
  if (stream->ready_next) {
    stream->ready_next->ready_link = stream->ready_link;
  } else {
    stream->conn->ready_tail = stream->ready_link;
  }
  stream->ready_link = NULL;
  stream->ready_next = NULL;
}

int quic_stream_has_work(const quic_stream *stream) {
  return !stream->pulled && !stream->reset_due &&
         (stream->queue.pending ||
          (stream->fin && !stream->fin_sent && !stream->fin_apart));
}

int quic_conn_open_stream(quic_conn *conn, quic_stream **pstream, int bidi) {
  quic_stream *stream;
  int rv = quic_stream_new(&stream, conn, -1);

  *pstream = NULL;
  if (rv != 0) {
    return rv;
  }
  if (bidi) {
    rv = ngtcp2_conn_open_bidi_stream(conn->ngtcp2, &stream->id, stream);
  } else {
    rv = ngtcp2_conn_open_uni_stream(conn->ngtcp2, &stream->id, stream);
  }
  if (rv != 0) {
    quic_stream_free(stream);
    return rv == NGTCP2_ERR_STREAM_ID_BLOCKED ? QUIC_ERR_BLOCKED
                                              : QUIC_ERR_NOMEM;
  }
  *pstream = stream;
  return 0;
}

int quic_stream_write(quic_stream *stream, const uint8_t *data, size_t len,
                      int fin) {
  if (stream->write_closed) {
    return QUIC_ERR_STATE;
  }
  if (send_queue_append(&stream->queue, data, len, stream->conn->mem) != 0) {
    return QUIC_ERR_NOMEM;
  }
  if (len) {
    stream->fin_apart = 0;
  }
  if (fin) {
    stream->fin = 1;
    stream->write_closed = 1;
  }
  if (quic_stream_has_work(stream)) {
    quic_stream_ready(stream);
    quic_conn_wake(stream->conn);
  }
  return 0;
}

void quic_stream_separate_fin(quic_stream *stream) { stream->fin_apart = 1; }

size_t quic_stream_pending(const quic_stream *stream) {
  return stream->queue.pending;
}

void quic_stream_abandon(quic_stream *stream) {
  stream->write_closed = 1;
  stream->fin = 0;
  quic_stream_not_ready(stream);
  /* ngtcp2 never asks for the octets of a reset stream again. */
  send_queue_clear(&stream->queue, stream->conn->mem);
}

static void reset_now(quic_stream *stream, uint64_t error_code) {
  /* Fails only for want of memory; then ngtcp2 may still point at the queue,
     so it stays until the stream is freed. */
  if (ngtcp2_conn_shutdown_stream_write(stream->conn->ngtcp2, 0, stream->id,
                                        error_code) == 0) {
    quic_stream_abandon(stream);
  }
}

void quic_stream_reset(quic_stream *stream, uint64_t error_code) {
  if (stream->id < 0 || stream->reset_due) {
    return;
  }
  if (stream->stop_fresh) {
    /* ngtcp2 puts RESET_STREAM first where a packet has both. */
    stream->reset_due = 1;
    stream->reset_code = error_code;
    stream->write_closed = 1;
    quic_stream_not_ready(stream);
  } else {
    reset_now(stream, error_code);
  }
  quic_conn_wake(stream->conn);
}

size_t quic_conn_settle_resets(quic_conn *conn) {
  quic_stream *stream;
  size_t n = 0;

  if (!conn->stops_fresh) {
    return 0;
  }
  conn->stops_fresh = 0;
  for (stream = conn->streams; stream; stream = stream->all_next) {
    stream->stop_fresh = 0;
    if (stream->reset_due) {
      stream->reset_due = 0;
      reset_now(stream, stream->reset_code);
      ++n;
    }
  }
  return n;
}

void quic_stream_stop_sending(quic_stream *stream, uint64_t error_code) {
  if (stream->id < 0) {
    return;
  }
  (void)ngtcp2_conn_shutdown_stream_read(stream->conn->ngtcp2, 0, stream->id,
                                         error_code);
  stream->stop_fresh = 1;
  stream->conn->stops_fresh = 1;
  quic_conn_wake(stream->conn);
}

void quic_stream_set_pulled(quic_stream *stream) { stream->pulled = 1; }

void quic_stream_hold_credit(quic_stream *stream) { stream->credit_held = 1; }

void quic_conn_release_stream(quic_conn *conn, quic_stream *stream) {
  if (stream) {
    stream->credit_held = 0;
    return;
  }
  ngtcp2_conn_extend_max_streams_uni(conn->ngtcp2, 1);
  quic_conn_wake(conn);
}

void quic_conn_consume(quic_conn *conn, quic_stream *stream, size_t n) {
  if (n == 0) {
    return;
  }
  if (stream && stream->id >= 0) {
    (void)ngtcp2_conn_extend_max_stream_offset(conn->ngtcp2, stream->id, n);
  }
  ngtcp2_conn_extend_max_offset(conn->ngtcp2, n);
  quic_conn_wake(conn);
}

void quic_datagram_pop(quic_conn *conn) {
  quic_datagram *datagram = conn->datagram_head;

  conn->datagram_head = datagram->next;
  if (!conn->datagram_head) {
    conn->datagram_tail = &conn->datagram_head;
  }
  --conn->datagram_count;
  conn->mem->free(datagram, conn->mem->user_data);
}

size_t quic_datagram_max(quic_conn *conn) {
  size_t packet = ngtcp2_conn_get_path_max_tx_udp_payload_size2(conn->ngtcp2);

  return packet - PACKET_OVERHEAD - FRAME_OVERHEAD -
         ngtcp2_conn_get_dcid2(conn->ngtcp2)->datalen;
}

size_t quic_conn_datagram_max(quic_conn *conn) {
  const ngtcp2_transport_params *params =
      ngtcp2_conn_get_remote_transport_params2(conn->ngtcp2);
  size_t max = quic_datagram_max(conn);

  if (!params || params->max_datagram_frame_size <= FRAME_OVERHEAD) {
    return 0;
  }
  return params->max_datagram_frame_size - FRAME_OVERHEAD < max
             ? (size_t)params->max_datagram_frame_size - FRAME_OVERHEAD
             : max;
}

size_t quic_conn_datagrams_pending(const quic_conn *conn) {
  return conn->datagram_count;
}

int quic_conn_send_datagram(quic_conn *conn, const uint8_t *prefix,
                            size_t prefixlen, const uint8_t *data, size_t len) {
  const ngtcp2_transport_params *params =
      ngtcp2_conn_get_remote_transport_params2(conn->ngtcp2);
  size_t total = prefixlen + len;
  quic_datagram *datagram;

  if (!params || total + FRAME_OVERHEAD > params->max_datagram_frame_size ||
      total > quic_datagram_max(conn)) {
    return QUIC_ERR_TOO_LARGE;
  }
  datagram = conn->mem->malloc(sizeof(*datagram) + total, conn->mem->user_data);
  if (!datagram) {
    return QUIC_ERR_NOMEM;
  }
  datagram->next = NULL;
  datagram->len = total;
  if (prefixlen) {
    memcpy(datagram->data, prefix, prefixlen);
  }
  if (len) {
    memcpy(datagram->data + prefixlen, data, len);
  }
  if (conn->datagram_count == QUIC_DATAGRAM_QUEUE_MAX) {
    /* What a peer of a real-time session wants is the newest. */
    quic_datagram_pop(conn);
    ++conn->datagrams_dropped;
  }
  *conn->datagram_tail = datagram;
  conn->datagram_tail = &datagram->next;
  ++conn->datagram_count;
  quic_conn_wake(conn);
  return 0;
}
