/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of an HTTP/3 connection: which are nghttp3's, which WebTransport's.
   Requests: request.c. */
#include "server/http3/frame_guard.h"
#include "server/http3/h3_internal.h"
#include "server/varint.h"
#include "server/webtransport/wt_conn.h"

#include <string.h>

/* A stream's type and a session ID. */
#define PREFIX_MAX (2 * VARINT_LEN_MAX)
#define CONTROL_STREAM 0x00

typedef enum stream_kind {
  STREAM_UNKNOWN, /* the prefix is not complete */
  STREAM_NGHTTP3,
  STREAM_WEBTRANSPORT,
  STREAM_REFUSED /* what comes is thrown away */
} stream_kind;

/* quic_stream.user of every stream of the connection. */
typedef struct h3_stream {
  stream_kind kind;
  wt_stream *wt;
  uint8_t prefix[PREFIX_MAX];
  size_t prefix_len;
  int control;
  /* What comes next is frames of nghttp3's. */
  int guarded;
  h3_frame_guard guard;
} h3_stream;

static h3_stream *attach(h3_conn *h3, quic_stream *quic, stream_kind kind) {
  const ngtcp2_mem *mem = quic_conn_mem(h3->conn);
  h3_stream *stream = mem->calloc(1, sizeof(*stream), mem->user_data);

  if (stream) {
    stream->kind = kind;
    quic->user = stream;
  }
  return stream;
}

static void detach(h3_conn *h3, quic_stream *quic) {
  const ngtcp2_mem *mem = quic_conn_mem(h3->conn);

  mem->free(quic->user, mem->user_data);
  quic->user = NULL;
}

void h3_adopt_stream(quic_stream *quic, wt_stream *stream, int *perror) {
  h3_stream *h3s =
      attach(quic->conn->protocol_state, quic, STREAM_WEBTRANSPORT);

  if (!h3s) {
    *perror = QUIC_ERR_NOMEM;
    return;
  }
  h3s->wt = stream;
  *perror = 0;
}

int h3_is_over(quic_conn *conn, uint64_t session_id) {
  h3_conn *h3 = conn->protocol_state;
  h3_request *request = h3_find_request(h3, (int64_t)session_id);
  const quic_stream *quic;
  const h3_stream *stream;

  if (request) {
    return request->responded && !request->session;
  }
  if (h3_stream_ids_is_over(&h3->ids, session_id)) {
    return 1;
  }
  /* What is a stream of WebTransport will be no request. */
  quic = h3_find_stream(h3, (int64_t)session_id);
  stream = quic ? quic->user : NULL;
  return stream && (stream->kind == STREAM_WEBTRANSPORT ||
                    stream->kind == STREAM_REFUSED);
}

int h3_fail(h3_conn *h3, int liberr) {
  if (h3->memory.exceeded || liberr == NGHTTP3_ERR_QPACK_HEADER_TOO_LARGE) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_EXCESSIVE_LOAD,
                          "too much at once");
  }
  return quic_conn_fail(h3->conn, nghttp3_err_infer_quic_app_error_code(liberr),
                        nghttp3_strerror(liberr));
}

/* ---- Opening and closing ---- */

static int open_control(h3_conn *h3, int64_t *pstream_id) {
  quic_stream *quic;

  if (quic_conn_open_stream(h3->conn, &quic, 0) != 0 ||
      !attach(h3, quic, STREAM_NGHTTP3)) {
    /* A peer that allows no three streams cannot speak HTTP/3 (RFC 9114
       section 6.2). */
    return quic_conn_fail(h3->conn, NGHTTP3_H3_STREAM_CREATION_ERROR,
                          "no stream for control");
  }
  quic_stream_set_pulled(quic);
  *pstream_id = quic->id;
  return 0;
}

static int open_streams(h3_conn *h3) {
  int64_t encoder, decoder;
  int rv;

  rv = open_control(h3, &h3->control_id);
  if (rv == 0) {
    rv = open_control(h3, &encoder);
  }
  if (rv == 0) {
    rv = open_control(h3, &decoder);
  }
  if (rv != 0) {
    return rv;
  }
  rv = nghttp3_conn_bind_control_stream(h3->nghttp3, h3->control_id);
  if (rv == 0) {
    rv = nghttp3_conn_bind_qpack_streams(h3->nghttp3, encoder, decoder);
  }
  return rv == 0 ? 0 : h3_fail(h3, rv);
}

static int h3_open(void **pstate, quic_conn *conn, void *service) {
  const ngtcp2_mem *mem = quic_conn_mem(conn);
  h3_conn *h3 = mem->calloc(1, sizeof(*h3), mem->user_data);
  quic_stream *quic;
  int rv;

  if (!h3) {
    return QUIC_ERR_NOMEM;
  }
  h3->conn = conn;
  h3->service = service;
  h3->request_deadline =
      h3->service->request_timeout
          ? quic_conn_now(conn) + h3->service->request_timeout
          : UINT64_MAX;
  h3->goaway_deadline = UINT64_MAX;
  h3_webtransport_settings(h3->extra, h3->service->webtransport.sessions_max);
  h3_splice_init(&h3->splice, h3->extra, H3_WEBTRANSPORT_SETTINGS);
  rv = wt_conn_new(&h3->wt, conn, &h3->service->webtransport);
  if (rv != 0) {
    goto fail_h3;
  }
  rv = h3_new_nghttp3(h3);
  if (rv != 0) {
    goto fail_wt;
  }
  /* Streams are looked up through the connection's state from here on. */
  *pstate = h3;
  conn->protocol_state = h3;
  rv = open_streams(h3);
  if (rv != 0) {
    goto fail_nghttp3;
  }
  h3->next = h3->service->conns;
  h3->link = &h3->service->conns;
  if (h3->next) {
    h3->next->link = &h3->next;
  }
  h3->service->conns = h3;
  h3->refuses = h3->service->stopping;
  if (h3->service->draining) {
    h3_conn_drain(h3, quic_conn_now(conn));
  }
  return 0;

fail_nghttp3:
  conn->protocol_state = NULL;
  *pstate = NULL;
  for (quic = conn->streams; quic; quic = quic->all_next) {
    detach(h3, quic);
  }
  nghttp3_conn_del(h3->nghttp3);
fail_wt:
  wt_conn_free(h3->wt);
fail_h3:
  mem->free(h3, mem->user_data);
  return rv;
}

static void h3_close(void *state) {
  h3_conn *h3 = state;
  const ngtcp2_mem *mem = quic_conn_mem(h3->conn);
  quic_stream *quic;

  *h3->link = h3->next;
  if (h3->next) {
    h3->next->link = h3->link;
  }
  wt_conn_free(h3->wt);
  h3->wt = NULL;
  for (quic = h3->conn->streams; quic; quic = quic->all_next) {
    h3_stream *stream = quic->user;

    if (stream) {
      if (stream->wt) {
        wt_stream_on_close(stream->wt);
      }
      detach(h3, quic);
    }
  }
  while (h3->requests) {
    h3_request_free(h3->requests);
  }
  /* The connection's close packet is all that is still sent, so nobody points
     at nghttp3's octets or at the splice any more: ngtcp2 keeps pointers but
     does not follow them once it is closing. */
  nghttp3_conn_del(h3->nghttp3);
  h3_stream_ids_clear(&h3->ids, mem);
  mem->free(h3, mem->user_data);
}

/* ---- In ---- */

static int feed_nghttp3(h3_conn *h3, quic_stream *quic, const uint8_t *data,
                        size_t len, int fin) {
  h3_stream *stream = quic->user;
  h3_frame_verdict verdict = H3_FRAME_FINE;
  size_t fine = len;
  nghttp3_ssize n;

  if (stream->guarded) {
    verdict = h3_frame_guard_feed(&stream->guard, data, len,
                                  H3_FIELD_SECTION_MAX, &fine);
  }
  if (verdict == H3_FRAME_WEBTRANSPORT) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_FRAME_ERROR,
                          "WEBTRANSPORT_STREAM is not first");
  }
  if (verdict == H3_FRAME_SURPLUS) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_FRAME_ERROR,
                          "more than an identifier");
  }
  if (verdict == H3_FRAME_TOO_LONG && !ngtcp2_is_bidi_stream(quic->id)) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_EXCESSIVE_LOAD,
                          "SETTINGS too long");
  }
  n = nghttp3_conn_read_stream2(h3->nghttp3, quic->id, data, fine,
                                fin && fine == len, quic_conn_now(h3->conn));
  if (n < 0) {
    return h3_fail(h3, (int)n);
  }
  quic_conn_consume(h3->conn, quic, (size_t)n + (len - fine));
  if (verdict == H3_FRAME_TOO_LONG) {
    int rv = h3_request_stop(h3, quic);

    stream->guarded = 0;
    if (rv != 0) {
      return rv;
    }
  }
  return h3_stop_excessive(h3);
}

static int feed_wt(h3_conn *h3, quic_stream *quic, h3_stream *stream,
                   const uint8_t *data, size_t len, int fin) {
  if (!stream->wt) {
    quic_conn_consume(h3->conn, quic, len);
    return 0;
  }
  return wt_stream_on_data(stream->wt, data, len, fin);
}

/*
 * Collects the first varint, and the session ID behind it where it says
 * WebTransport.  Sets |*pused| to the octets taken from |data|.
 */
static int classify(h3_conn *h3, quic_stream *quic, h3_stream *stream,
                    const uint8_t *data, size_t len, size_t *pused) {
  int bidi = ngtcp2_is_bidi_stream(quic->id);
  uint64_t type, session_id;
  size_t used = 0;
  int rv = 0;

  *pused = 0;
  for (;;) {
    size_t n = varint_get(&type, stream->prefix, stream->prefix_len);

    if (n && type != (uint64_t)(bidi ? H3_WT_BIDI_SIGNAL : H3_WT_UNI_TYPE)) {
      *pused = used;
      h3->asked |= bidi;
      if (bidi && h3->refuses) {
        quic_conn_consume(h3->conn, quic, stream->prefix_len);
        quic_stream_stop_sending(quic, NGHTTP3_H3_REQUEST_REJECTED);
        quic_stream_reset(quic, NGHTTP3_H3_REQUEST_REJECTED);
        stream->kind = STREAM_REFUSED;
        return 0;
      }
      stream->kind = STREAM_NGHTTP3;
      if (bidi) {
        quic_stream_set_pulled(quic);
      }
      stream->guarded = bidi;
      stream->control = !bidi && type == CONTROL_STREAM;
      return 0;
    }
    if (n &&
        varint_get(&session_id, stream->prefix + n, stream->prefix_len - n)) {
      break;
    }
    if (used == len) {
      *pused = used;
      return 0;
    }
    stream->prefix[stream->prefix_len++] = data[used++];
  }
  *pused = used;
  quic_conn_consume(h3->conn, quic, stream->prefix_len);
  if (session_id % 4 != 0) {
    return quic_conn_fail(h3->conn, NGHTTP3_H3_ID_ERROR,
                          "session ID is no client bidi stream");
  }
  stream->wt = wt_conn_on_stream(h3->wt, quic, session_id, &rv);
  stream->kind = stream->wt ? STREAM_WEBTRANSPORT : STREAM_REFUSED;
  return rv;
}

static int is_clients_bidi(const quic_stream *quic) {
  return quic->id % 4 == 0;
}

static int h3_on_stream_data(void *state, quic_stream *quic,
                             const uint8_t *data, size_t len, int fin) {
  h3_conn *h3 = state;
  h3_stream *stream = quic->user;
  size_t used = 0;
  int rv;

  if (!stream) {
    stream = attach(h3, quic, STREAM_UNKNOWN);
    if (!stream || (is_clients_bidi(quic) &&
                    h3_stream_ids_opened(&h3->ids, (uint64_t)quic->id,
                                         quic_conn_mem(h3->conn)) != 0)) {
      return QUIC_ERR_NOMEM;
    }
  }
  if (stream->kind == STREAM_UNKNOWN) {
    rv = classify(h3, quic, stream, data, len, &used);
    if (rv != 0) {
      return rv;
    }
    if (stream->kind == STREAM_UNKNOWN && !fin) {
      return 0;
    }
    if (stream->kind == STREAM_UNKNOWN && !ngtcp2_is_bidi_stream(quic->id)) {
      /* It ended before its type: to be tolerated (RFC 9114 section 6.2). */
      stream->kind = STREAM_REFUSED;
      quic_conn_consume(h3->conn, quic, stream->prefix_len);
      return 0;
    }
    if (stream->kind == STREAM_UNKNOWN) {
      /* It ended before its type: nghttp3 knows what to say to that. */
      stream->kind = STREAM_NGHTTP3;
      quic_stream_set_pulled(quic);
    }
    if (stream->kind == STREAM_NGHTTP3) {
      rv = feed_nghttp3(h3, quic, stream->prefix, stream->prefix_len,
                        fin && used == len);
      /* The type of a stream is no frame. */
      stream->guarded = stream->guarded || stream->control;
      if (rv != 0 || used == len) {
        return rv;
      }
    }
  }
  if (used) {
    /* FIN alone comes with no data at all. */
    data += used;
    len -= used;
  }
  switch (stream->kind) {
  case STREAM_NGHTTP3:
    return feed_nghttp3(h3, quic, data, len, fin);
  case STREAM_WEBTRANSPORT:
    return feed_wt(h3, quic, stream, data, len, fin);
  default:
    quic_conn_consume(h3->conn, quic, len);
    return 0;
  }
}

static int h3_on_stream_reset(void *state, quic_stream *quic,
                              uint64_t error_code) {
  h3_conn *h3 = state;
  h3_stream *stream = quic->user;
  int rv;

  if (!stream || stream->kind == STREAM_UNKNOWN) {
    /* Nobody will ever answer it. */
    if (ngtcp2_is_bidi_stream(quic->id)) {
      quic_stream_reset(quic, NGHTTP3_H3_REQUEST_CANCELLED);
    }
    return 0;
  }
  if (stream->wt) {
    wt_stream_on_reset(stream->wt, error_code);
  } else if (stream->kind == STREAM_NGHTTP3) {
    if (ngtcp2_is_bidi_stream(quic->id)) {
      h3_request_on_reset(h3, quic);
    }
    rv = nghttp3_conn_shutdown_stream_read(h3->nghttp3, quic->id);
    if (rv != 0) {
      return h3_fail(h3, rv);
    }
  }
  return 0;
}

static int h3_on_stop_sending(void *state, quic_stream *quic,
                              uint64_t error_code) {
  h3_conn *h3 = state;
  h3_stream *stream = quic->user;

  if (!stream) {
    return 0;
  }
  if (stream->wt) {
    wt_stream_on_stop_sending(stream->wt, error_code);
  } else if (stream->kind == STREAM_NGHTTP3) {
    h3_request_on_abort(h3, quic->id);
    nghttp3_conn_shutdown_stream_write(h3->nghttp3, quic->id);
  }
  return 0;
}

static void h3_on_stream_sent(void *state, quic_stream *quic, size_t n) {
  h3_stream *stream = quic->user;
  (void)state;

  if (stream && stream->wt) {
    wt_stream_on_sent(stream->wt, n);
  }
}

static int h3_on_stream_close(void *state, quic_stream *quic,
                              uint64_t error_code) {
  h3_conn *h3 = state;
  h3_stream *stream = quic->user;
  int rv = 0;

  if (is_clients_bidi(quic)) {
    /* The client may open another, and may give it a priority. */
    nghttp3_conn_set_max_client_streams_bidi(h3->nghttp3, ++h3->client_streams);
    if (h3_stream_ids_closed(&h3->ids, (uint64_t)quic->id,
                             quic_conn_mem(h3->conn)) != 0) {
      return QUIC_ERR_NOMEM;
    }
  }
  if (!stream) {
    return 0;
  }
  if (stream->wt) {
    wt_stream_on_close(stream->wt);
  } else if (stream->kind == STREAM_NGHTTP3) {
    h3_request_on_abort(h3, quic->id);
    rv = nghttp3_conn_close_stream(
        h3->nghttp3, quic->id, error_code ? error_code : NGHTTP3_H3_NO_ERROR);
  }
  detach(h3, quic);
  return rv == 0 || rv == NGHTTP3_ERR_STREAM_NOT_FOUND ? 0 : h3_fail(h3, rv);
}

static int h3_on_datagram(void *state, const uint8_t *data, size_t len) {
  h3_conn *h3 = state;

  return wt_conn_on_datagram(h3->wt, data, len);
}

static int h3_on_streams_available(void *state, int bidi) {
  h3_conn *h3 = state;

  return wt_conn_on_streams_available(h3->wt, bidi);
}

/* ---- Out: the streams whose octets are nghttp3's ---- */

static ngtcp2_ssize h3_pull(void *state, quic_stream **pstream, int *pfin,
                            ngtcp2_vec *vec, size_t veccnt) {
  h3_conn *h3 = state;
  nghttp3_vec in[H3_PULL_VECS], out[H3_PULL_VECS + 1];
  nghttp3_ssize n;
  int64_t stream_id;
  size_t i, max = veccnt - 1 < H3_PULL_VECS ? veccnt - 1 : H3_PULL_VECS;

  for (;;) {
    *pstream = NULL;
    stream_id = -1;
    n = nghttp3_conn_writev_stream(h3->nghttp3, &stream_id, pfin, in, max);
    if (n < 0) {
      h3_fail(h3, (int)n);
      return -1;
    }
    if (stream_id < 0) {
      return 0;
    }
    *pstream = ngtcp2_conn_get_stream_user_data2(quic_conn_ngtcp2(h3->conn),
                                                 stream_id);
    if (*pstream) {
      break;
    }
    /* QUIC has closed it already. */
    nghttp3_conn_shutdown_stream_write(h3->nghttp3, stream_id);
  }
  if (stream_id == h3->control_id) {
    n = h3_splice_vec(&h3->splice, out, H3_PULL_VECS + 1, in, (size_t)n);
    if (n < 0) {
      quic_conn_fail(h3->conn, NGHTTP3_H3_INTERNAL_ERROR, "settings");
      return -1;
    }
  } else {
    memcpy(out, in, (size_t)n * sizeof(in[0]));
  }
  for (i = 0; i < (size_t)n; ++i) {
    vec[i].base = out[i].base;
    vec[i].len = out[i].len;
  }
  return n;
}

static int h3_pulled(void *state, quic_stream *quic, size_t n) {
  h3_conn *h3 = state;
  int rv;

  if (quic->id == h3->control_id) {
    n = h3_splice_written(&h3->splice, n);
  }
  rv = nghttp3_conn_add_write_offset(h3->nghttp3, quic->id, n);
  return rv == 0 ? 0 : h3_fail(h3, rv);
}

static int h3_pull_acked(void *state, quic_stream *quic, uint64_t n) {
  h3_conn *h3 = state;
  int rv;

  if (quic->id == h3->control_id) {
    n = h3_splice_acked(&h3->splice, n);
  }
  rv = nghttp3_conn_add_ack_offset(h3->nghttp3, quic->id, n);
  return rv == 0 || rv == NGHTTP3_ERR_STREAM_NOT_FOUND ? 0 : h3_fail(h3, rv);
}

static int h3_pull_block(void *state, quic_stream *quic) {
  h3_conn *h3 = state;

  nghttp3_conn_block_stream(h3->nghttp3, quic->id);
  return 0;
}

static int h3_pull_unblock(void *state, quic_stream *quic) {
  h3_conn *h3 = state;
  int rv = nghttp3_conn_unblock_stream(h3->nghttp3, quic->id);

  return rv == 0 || rv == NGHTTP3_ERR_STREAM_NOT_FOUND ? 0 : h3_fail(h3, rv);
}

static int h3_pull_shut(void *state, quic_stream *quic) {
  h3_conn *h3 = state;

  nghttp3_conn_shutdown_stream_write(h3->nghttp3, quic->id);
  return 0;
}

const quic_protocol h3_protocol = {
    .alpn = "h3",
    .open = h3_open,
    .close = h3_close,
    .on_stream_data = h3_on_stream_data,
    .on_stream_reset = h3_on_stream_reset,
    .on_stop_sending = h3_on_stop_sending,
    .on_stream_sent = h3_on_stream_sent,
    .on_stream_close = h3_on_stream_close,
    .on_datagram = h3_on_datagram,
    .on_streams_available = h3_on_streams_available,
    .deadline = h3_deadline,
    .expire = h3_expire,
    .pull = h3_pull,
    .pulled = h3_pulled,
    .pull_acked = h3_pull_acked,
    .pull_block = h3_pull_block,
    .pull_unblock = h3_pull_unblock,
    .pull_shut = h3_pull_shut,
};
