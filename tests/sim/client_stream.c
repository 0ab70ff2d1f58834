/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/client_internal.h"

/* Small enough that a chunk is soon free again, large enough that a packet
   is seldom made of two. */
#define CHUNK_SIZE 32768

sim_stream *sim_stream_add(sim_client *client, int64_t id,
                           sim_stream_kind kind) {
  sim_stream *stream = sim_alloc(client, sizeof(*stream));

  if (stream == NULL) {
    return NULL;
  }
  stream->id = id;
  stream->kind = kind;
  stream->session = SIM_NO_SESSION;
  if (ngtcp2_conn_set_stream_user_data(client->conn, id, stream) != 0) {
    sim_dealloc(client, stream);
    return NULL;
  }
  stream->next = client->streams;
  if (stream->next != NULL) {
    stream->next->prev = stream;
  }
  client->streams = stream;
  return stream;
}

static void unqueue(sim_client *client, sim_stream *stream) {
  sim_stream **link = &client->queue_head;
  sim_stream *before = NULL;

  if (!stream->queued) {
    return;
  }
  while (*link != stream) {
    before = *link;
    link = &(*link)->queue_next;
  }
  *link = stream->queue_next;
  if (client->queue_tail == stream) {
    client->queue_tail = before;
  }
  stream->queued = 0;
  stream->queue_next = NULL;
}

static void drop_unsent(sim_client *client, sim_stream *stream) {
  sim_chunk *chunk;

  while ((chunk = stream->head) != NULL) {
    stream->head = chunk->next;
    sim_dealloc(client, chunk);
  }
  stream->tail = NULL;
  stream->send_chunk = NULL;
  stream->send_pos = 0;
  stream->freed = stream->acked = stream->sent = stream->written;
}

void sim_stream_free(sim_client *client, sim_stream *stream) {
  unqueue(client, stream);
  drop_unsent(client, stream);
  sim_h3_stream_free(client, stream);
  if (stream->prev != NULL) {
    stream->prev->next = stream->next;
  } else {
    client->streams = stream->next;
  }
  if (stream->next != NULL) {
    stream->next->prev = stream->prev;
  }
  sim_dealloc(client, stream);
}

sim_stream *sim_stream_find(const sim_client *client, int64_t id) {
  if (id < 0) {
    return NULL;
  }
  return ngtcp2_conn_get_stream_user_data2(client->conn, id);
}

void sim_stream_queue(sim_client *client, sim_stream *stream) {
  int ready =
      stream->sent < stream->written || (stream->fin && !stream->fin_sent);

  if (!ready || stream->queued || stream->held || stream->blocked) {
    return;
  }
  stream->queued = 1;
  stream->queue_next = NULL;
  if (client->queue_tail != NULL) {
    client->queue_tail->queue_next = stream;
  } else {
    client->queue_head = stream;
  }
  client->queue_tail = stream;
}

int sim_stream_append(sim_client *client, sim_stream *stream,
                      const uint8_t *data, size_t len, int fin) {
  sim_chunk *chunk;
  size_t cap, n;

  while (len > 0) {
    chunk = stream->tail;
    if (chunk == NULL || chunk->len == chunk->cap) {
      /* Most streams of a test carry a few words. */
      cap = stream->written == 0 && len < 512 ? 512 : CHUNK_SIZE;
      chunk = sim_alloc(client, sizeof(*chunk) + cap);
      if (chunk == NULL) {
        return SIM_ERR_NOMEM;
      }
      chunk->cap = cap;
      if (stream->tail != NULL) {
        stream->tail->next = chunk;
      } else {
        stream->head = chunk;
      }
      stream->tail = chunk;
      if (stream->send_chunk == NULL) {
        stream->send_chunk = chunk;
        stream->send_pos = 0;
      }
    }
    n = chunk->cap - chunk->len;
    n = n < len ? n : len;
    memcpy(chunk->data + chunk->len, data, n);
    chunk->len += n;
    stream->written += n;
    data += n;
    len -= n;
  }
  stream->fin |= fin;
  sim_stream_queue(client, stream);
  return 0;
}

int sim_stream_credit(sim_client *client, sim_stream *stream, size_t len) {
  /* What ngtcp2 1.24 is told of streams before it has written the end of the
     handshake it forgets in doing so, so it is told after that. */
  if (!client->handshake_written) {
    stream->credit += len;
    return 0;
  }
  ngtcp2_conn_extend_max_offset(client->conn, len);
  return ngtcp2_conn_extend_max_stream_offset(client->conn, stream->id, len);
}

static void handshake_written(sim_client *client) {
  sim_stream *stream;

  client->handshake_written = 1;
  for (stream = client->streams; stream != NULL; stream = stream->next) {
    if (stream->credit > 0) {
      sim_stream_credit(client, stream, stream->credit);
      stream->credit = 0;
    }
  }
}

void sim_stream_acked(sim_client *client, sim_stream *stream, uint64_t acked) {
  sim_chunk *chunk;

  if (acked > stream->acked) {
    stream->acked = acked;
  }
  while ((chunk = stream->head) != NULL &&
         stream->freed + chunk->len <= stream->acked) {
    if (chunk == stream->tail) {
      /* Whole and acknowledged: nothing waits in it. */
      stream->tail = NULL;
    }
    if (chunk == stream->send_chunk) {
      stream->send_chunk = chunk->next;
      stream->send_pos = 0;
    }
    stream->head = chunk->next;
    stream->freed += chunk->len;
    sim_dealloc(client, chunk);
  }
}

static void advance(sim_stream *stream, size_t n) {
  stream->sent += n;
  stream->send_pos += n;
  while (stream->send_chunk != NULL &&
         stream->send_pos == stream->send_chunk->len &&
         stream->send_chunk->next != NULL) {
    stream->send_chunk = stream->send_chunk->next;
    stream->send_pos = 0;
  }
}

/* The API of streams */

static int open_stream(sim_client *client, int bidi, int64_t session,
                       int64_t *pstream) {
  uint8_t prefix[16];
  sim_stream *stream;
  int64_t id;
  size_t n;
  int rv;

  if (client->is_closed || !client->handshake_done) {
    return SIM_ERR_CLOSED;
  }
  rv = bidi ? ngtcp2_conn_open_bidi_stream(client->conn, &id, NULL)
            : ngtcp2_conn_open_uni_stream(client->conn, &id, NULL);
  if (rv == NGTCP2_ERR_STREAM_ID_BLOCKED) {
    return SIM_ERR_BLOCKED;
  }
  if (rv != 0) {
    return SIM_ERR_NOMEM;
  }
  stream = sim_stream_add(
      client, id, session == SIM_NO_SESSION ? SIM_STREAM_RAW : SIM_STREAM_WT);
  if (stream == NULL) {
    return SIM_ERR_NOMEM;
  }
  *pstream = id;
  if (session == SIM_NO_SESSION) {
    return 0;
  }
  /* draft-02 sections 4.1 and 4.2 */
  stream->session = session;
  n = sim_varint_write(prefix, bidi ? 0x41 : 0x54);
  n += sim_varint_write(prefix + n, (uint64_t)session);
  return sim_stream_append(client, stream, prefix, n, 0);
}

int sim_client_open_bidi(sim_client *client, int64_t session,
                         int64_t *pstream) {
  return open_stream(client, 1, session, pstream);
}

int sim_client_open_uni(sim_client *client, int64_t session, int64_t *pstream) {
  return open_stream(client, 0, session, pstream);
}

int sim_client_stream_write(sim_client *client, int64_t id, const uint8_t *data,
                            size_t len, int fin) {
  sim_stream *stream;

  if (client->is_closed) {
    return SIM_ERR_CLOSED;
  }
  stream = sim_stream_find(client, id);
  if (stream == NULL || stream->fin) {
    return SIM_ERR_INVALID;
  }
  return sim_stream_append(client, stream, data, len, fin);
}

size_t sim_client_stream_pending(const sim_client *client, int64_t id) {
  sim_stream *stream = sim_stream_find(client, id);

  return stream == NULL ? 0 : (size_t)(stream->written - stream->acked);
}

int sim_client_stream_reset(sim_client *client, int64_t id,
                            uint64_t error_code) {
  sim_stream *stream = sim_stream_find(client, id);

  if (client->is_closed) {
    return SIM_ERR_CLOSED;
  }
  if (stream == NULL) {
    return SIM_ERR_INVALID;
  }
  unqueue(client, stream);
  stream->fin = stream->fin_sent = 1;
  return ngtcp2_conn_shutdown_stream_write(client->conn, 0, id, error_code) == 0
             ? 0
             : SIM_ERR_NOMEM;
}

int sim_client_stream_stop(sim_client *client, int64_t id,
                           uint64_t error_code) {
  if (client->is_closed) {
    return SIM_ERR_CLOSED;
  }
  if (sim_stream_find(client, id) == NULL) {
    return SIM_ERR_INVALID;
  }
  return ngtcp2_conn_shutdown_stream_read(client->conn, 0, id, error_code) == 0
             ? 0
             : SIM_ERR_NOMEM;
}

/* Datagrams */

static size_t datagram_prefix(const sim_client *client, int64_t session,
                              uint8_t *dest) {
  if (client->config.mode == SIM_MODE_RAW || session < 0) {
    return 0;
  }
  return sim_varint_write(dest, (uint64_t)session / 4);
}

size_t sim_client_datagram_max(const sim_client *client, int64_t session) {
  const ngtcp2_transport_params *params =
      ngtcp2_conn_get_remote_transport_params2(client->conn);
  uint8_t prefix[8];
  size_t path, overhead, prefix_len;
  uint64_t max;

  if (params == NULL || params->max_datagram_frame_size < 4) {
    return 0;
  }
  path = ngtcp2_conn_get_path_max_tx_udp_payload_size2(client->conn);
  /* Short header with the longest packet number, tag, frame type, length. */
  overhead = 1 + ngtcp2_conn_get_dcid2(client->conn)->datalen + 4 + 16 + 3;
  max = params->max_datagram_frame_size - 3;
  if (max > path - overhead) {
    max = path - overhead;
  }
  if (max > SIM_DATAGRAM_SLOT) {
    max = SIM_DATAGRAM_SLOT;
  }
  prefix_len = datagram_prefix(client, session, prefix);
  return max < prefix_len ? 0 : (size_t)max - prefix_len;
}

int sim_client_datagram(sim_client *client, int64_t session,
                        const uint8_t *data, size_t len) {
  size_t prefix_len;
  sim_slot *slot;

  if (client->is_closed || !client->handshake_done) {
    return SIM_ERR_CLOSED;
  }
  if (len > sim_client_datagram_max(client, session)) {
    return SIM_ERR_TOO_LARGE;
  }
  if (client->slots_count == client->config.datagram_queue) {
    return SIM_ERR_BLOCKED;
  }
  slot = &client->slots[(client->slots_first + client->slots_count) %
                        client->config.datagram_queue];
  if (slot->data == NULL) {
    slot->data = sim_alloc(client, SIM_DATAGRAM_SLOT);
    if (slot->data == NULL) {
      return SIM_ERR_NOMEM;
    }
  }
  prefix_len = datagram_prefix(client, session, slot->data);
  if (len > 0) {
    memcpy(slot->data + prefix_len, data, len);
  }
  slot->len = prefix_len + len;
  ++client->slots_count;
  return 0;
}

void sim_slots_free(sim_client *client) {
  size_t i;

  if (client->slots == NULL) {
    return;
  }
  for (i = 0; i < client->config.datagram_queue; ++i) {
    sim_dealloc(client, client->slots[i].data);
  }
  sim_dealloc(client, client->slots);
  client->slots = NULL;
}

/* Sending */

static size_t send_close(sim_client *client, uint8_t *buf, size_t cap,
                         uint64_t now) {
  ngtcp2_ssize n;

  client->close_pending = 0;
  if (ngtcp2_conn_in_draining_period2(client->conn)) {
    return 0;
  }
  n = ngtcp2_conn_write_connection_close(client->conn, NULL, NULL, buf, cap,
                                         &client->ccerr, now);
  return n > 0 ? (size_t)n : 0;
}

static void expire(sim_client *client, uint64_t now) {
  int rv;

  if (ngtcp2_conn_get_expiry2(client->conn) > now) {
    return;
  }
  rv = ngtcp2_conn_handle_expiry(client->conn, now);
  switch (rv) {
  case 0:
    return;
  case NGTCP2_ERR_IDLE_CLOSE:
    sim_client_over(client, SIM_CLOSED_IDLE, 0, 0, NULL, 0);
    return;
  case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    sim_client_over(client, SIM_CLOSED_HANDSHAKE_TIMEOUT, 0, 0, NULL, 0);
    return;
  default:
    sim_client_fail(client, 0, NGTCP2_INTERNAL_ERROR, "expiry");
    return;
  }
}

/* Puts the oldest datagram into the packet.  Returns what ngtcp2 does. */
static ngtcp2_ssize send_datagram(sim_client *client, uint8_t *buf, size_t cap,
                                  uint64_t now) {
  sim_slot *slot = &client->slots[client->slots_first];
  int accepted = 0;
  ngtcp2_ssize n;

  n = ngtcp2_conn_write_datagram(client->conn, NULL, NULL, buf, cap, &accepted,
                                 NGTCP2_WRITE_DATAGRAM_FLAG_MORE,
                                 client->datagram_id, slot->data, slot->len,
                                 now);
  if (accepted || n == NGTCP2_ERR_INVALID_ARGUMENT ||
      n == NGTCP2_ERR_INVALID_STATE) {
    ++client->datagram_id;
    client->slots_first =
        (client->slots_first + 1) % client->config.datagram_queue;
    --client->slots_count;
  }
  if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE) {
    return NGTCP2_ERR_WRITE_MORE;
  }
  return n;
}

/* Puts octets of |stream| into the packet. */
static ngtcp2_ssize send_stream(sim_client *client, sim_stream *stream,
                                uint8_t *buf, size_t cap, uint64_t now,
                                int *no_streams) {
  const sim_chunk *chunk;
  size_t len;
  int last;
  uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
  ngtcp2_ssize taken = -1;
  ngtcp2_ssize n;

  advance(stream, 0);
  chunk = stream->send_chunk;
  len = chunk == NULL ? 0 : chunk->len - stream->send_pos;
  last = stream->sent + len == stream->written;
  if (stream->fin && last) {
    flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
  }
  n = ngtcp2_conn_write_stream(
      client->conn, NULL, NULL, buf, cap, &taken, flags, stream->id,
      len > 0 ? chunk->data + stream->send_pos : NULL, len, now);
  if (taken >= 0) {
    advance(stream, (size_t)taken);
    if (stream->fin && stream->sent == stream->written) {
      stream->fin_sent = 1;
    }
  }
  switch (n) {
  case NGTCP2_ERR_STREAM_DATA_BLOCKED:
    if (ngtcp2_conn_get_max_stream_data_left2(client->conn, stream->id) == 0) {
      stream->blocked = 1;
      unqueue(client, stream);
    } else {
      /* The connection's window; its extension has no callback. */
      *no_streams = 1;
    }
    return NGTCP2_ERR_WRITE_MORE;
  case NGTCP2_ERR_STREAM_SHUT_WR:
  case NGTCP2_ERR_STREAM_NOT_FOUND:
    unqueue(client, stream);
    stream->fin = stream->fin_sent = 1;
    stream->sent = stream->written;
    return NGTCP2_ERR_WRITE_MORE;
  default:
    break;
  }
  if (stream->sent == stream->written && stream->fin == stream->fin_sent) {
    unqueue(client, stream);
  } else if (n > 0) {
    /* To the back: the packet was full. */
    unqueue(client, stream);
    sim_stream_queue(client, stream);
  }
  return n;
}

size_t sim_client_send(sim_client *client, uint8_t *buf, size_t cap,
                       uint64_t now) {
  int no_streams = 0;
  ngtcp2_ssize n;

  sim_wire_sending(client);
  if (client->is_closed) {
    return client->close_pending ? send_close(client, buf, cap, now) : 0;
  }
  expire(client, now);
  if (client->is_closed) {
    return client->close_pending ? send_close(client, buf, cap, now) : 0;
  }
  if (client->burst >= ngtcp2_conn_get_send_quantum2(client->conn)) {
    n = 0;
    goto done;
  }
  for (;;) {
    if (client->slots_count > 0 && client->handshake_done) {
      n = send_datagram(client, buf, cap, now);
    } else if (client->queue_head != NULL && !no_streams) {
      n = send_stream(client, client->queue_head, buf, cap, now, &no_streams);
    } else {
      n = ngtcp2_conn_write_pkt(client->conn, NULL, NULL, buf, cap, now);
    }
    if (n != NGTCP2_ERR_WRITE_MORE) {
      break;
    }
  }
  if (n < 0) {
    ngtcp2_ccerr_set_liberr(&client->ccerr, (int)n, NULL, 0);
    sim_client_over(client, SIM_CLOSED_TRANSPORT, 1, client->ccerr.error_code,
                    NULL, 0);
    return send_close(client, buf, cap, now);
  }
done:
  if (n == 0) {
    /* The burst is over: let ngtcp2 pace what comes next. */
    if (client->burst > 0) {
      ngtcp2_conn_update_pkt_tx_time(client->conn, now);
    }
    client->burst = 0;
    return 0;
  }
  client->burst += (uint64_t)n;
  if (client->handshake_done && !client->handshake_written) {
    handshake_written(client);
  }
  return (size_t)n;
}
