/* SPDX-License-Identifier: Apache-2.0 */
/* Fills packets: datagrams, the protocol's own streams, raw streams. */
#include "server/quic/conn.h"
#include "server/quic/protocol.h"
#include "server/quic/stream.h"

#include <string.h>

#define VECS 16
/* Chunks of a send queue that one packet can have octets of: all but the last
   are longer than a packet. */
#define QUEUE_VECS 3
_Static_assert(SEND_QUEUE_CHUNK_MIN >= UDP_SEND_MAX, "a packet spans more");
/* Streams that may share one packet. */
#define STREAMS_PER_PACKET 16

/* ngtcp2 doubles its probe timeout for each address that a restless client
   goes through; nobody waits a minute for the next. */
#define STALL_MAX (30 * NGTCP2_SECONDS)

/* ngtcp2's greatest send quantum, and ours, in octets. */
#define QUANTUM_MAX ((size_t)64 * 1024)
#define BURST_MAX (4 * QUANTUM_MAX)

/* While a packet is being filled ngtcp2 allows no other call, so what left is
   noted here and told to the protocol when the packet is complete. */
typedef struct sent_note {
  quic_stream *stream;
  size_t n;
} sent_note;

typedef struct packet {
  quic_conn *conn;
  udp_datagram *slot;
  ngtcp2_path_storage path;
  ngtcp2_pkt_info pi;
  uint64_t now;
  sent_note notes[STREAMS_PER_PACKET];
  size_t nnotes;
  /* No datagram fits into what is left of this packet, or waits. */
  int no_datagram;
  int no_stream;
  /* It has octets of a pulled stream. */
  int pulled;
} packet;

/* What one attempt to add to the packet led to. */
typedef enum outcome {
  OUTCOME_MORE,  /* go on with this packet */
  OUTCOME_DONE,  /* *plen octets are to be sent; 0: not now */
  OUTCOME_FAILED /* *plen is ngtcp2's error */
} outcome;

static outcome add_datagram(packet *p, ngtcp2_ssize *plen) {
  quic_conn *conn = p->conn;
  quic_datagram *datagram = conn->datagram_head;
  int accepted = 0;
  ngtcp2_ssize n = ngtcp2_conn_write_datagram(
      conn->ngtcp2, &p->path.path, &p->pi, p->slot->data, UDP_SEND_MAX,
      &accepted, NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, datagram->data,
      datagram->len, p->now);

  if (accepted) {
    quic_datagram_pop(conn);
  } else {
    p->no_datagram = 1;
  }
  if (n == NGTCP2_ERR_WRITE_MORE) {
    return OUTCOME_MORE;
  }
  if (n == NGTCP2_ERR_INVALID_STATE || n == NGTCP2_ERR_INVALID_ARGUMENT) {
    /* The peer does not take it: nothing was written. */
    quic_datagram_pop(conn);
    ++conn->datagrams_dropped;
    return OUTCOME_MORE;
  }
  *plen = n;
  return n < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
}

/* Adds octets of |stream|, or of none (-1: acknowledgements and the like). */
static outcome add_stream(packet *p, quic_stream *stream, int fin,
                          const ngtcp2_vec *vec, size_t veccnt,
                          ngtcp2_ssize *plen) {
  quic_conn *conn = p->conn;
  const quic_protocol *protocol = conn->protocol;
  uint32_t flags = fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0;
  ngtcp2_ssize ndata = -1;
  ngtcp2_ssize n;

  if (stream && p->nnotes < STREAMS_PER_PACKET - 1) {
    flags |= NGTCP2_WRITE_STREAM_FLAG_MORE;
  }
  n = ngtcp2_conn_writev_stream(conn->ngtcp2, &p->path.path, &p->pi,
                                p->slot->data, UDP_SEND_MAX, &ndata, flags,
                                stream ? stream->id : -1, vec, veccnt, p->now);
  if (ndata >= 0 && stream) {
    if (stream->pulled) {
      if (protocol->pulled(conn->protocol_state, stream, (size_t)ndata) != 0) {
        *plen = NGTCP2_ERR_CALLBACK_FAILURE;
        return OUTCOME_FAILED;
      }
    } else {
      send_queue_sent(&stream->queue, (size_t)ndata);
      if (fin && stream->queue.pending == 0) {
        stream->fin_sent = 1;
      }
      quic_stream_not_ready(stream);
      if (quic_stream_has_work(stream)) {
        quic_stream_ready(stream);
      }
      p->notes[p->nnotes].stream = stream;
      p->notes[p->nnotes].n = (size_t)ndata;
      ++p->nnotes;
    }
  }
  switch (n) {
  case NGTCP2_ERR_WRITE_MORE:
    return OUTCOME_MORE;
  case NGTCP2_ERR_STREAM_DATA_BLOCKED:
    if (!stream->pulled) {
      quic_stream_not_ready(stream);
    } else if (protocol->pull_block(conn->protocol_state, stream) != 0) {
      *plen = NGTCP2_ERR_CALLBACK_FAILURE;
      return OUTCOME_FAILED;
    }
    return OUTCOME_MORE;
  case NGTCP2_ERR_STREAM_SHUT_WR:
  case NGTCP2_ERR_STREAM_NOT_FOUND:
    if (!stream->pulled) {
      stream->write_closed = 1;
      quic_stream_not_ready(stream);
    } else if (protocol->pull_shut(conn->protocol_state, stream) != 0) {
      *plen = NGTCP2_ERR_CALLBACK_FAILURE;
      return OUTCOME_FAILED;
    }
    return OUTCOME_MORE;
  default:
    *plen = n;
    return n < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
  }
}

static outcome add_something(packet *p, ngtcp2_ssize *plen) {
  quic_conn *conn = p->conn;
  ngtcp2_vec vec[VECS];
  quic_stream *stream = NULL;
  int datagram_first = (conn->turn & 1) == 0;
  /* What is pulled goes first, since others may depend on it; but a long
     response shall not keep them waiting for its end. */
  int raw_first = conn->ready_head && conn->pulled_last;
  int have_datagram = conn->datagram_head && !p->no_datagram;

  if (have_datagram && datagram_first) {
    return add_datagram(p, plen);
  }
  if (!p->no_stream && conn->protocol &&
      ngtcp2_conn_get_max_data_left2(conn->ngtcp2)) {
    if (conn->protocol->pull && !raw_first && !conn->pull_dry) {
      int fin = 0;
      ngtcp2_ssize n =
          conn->protocol->pull(conn->protocol_state, &stream, &fin, vec, VECS);

      if (n < 0) {
        *plen = NGTCP2_ERR_CALLBACK_FAILURE;
        return OUTCOME_FAILED;
      }
      if (stream) {
        p->pulled = 1;
        return add_stream(p, stream, fin, vec, (size_t)n, plen);
      }
      conn->pull_dry = 1;
    }
    stream = conn->ready_head;
    if (stream) {
      size_t n = send_queue_peek(&stream->queue, vec, QUEUE_VECS);
      size_t i, len = 0;

      for (i = 0; i < n; ++i) {
        len += vec[i].len;
      }
      return add_stream(p, stream,
                        stream->fin && !stream->fin_apart &&
                            len == stream->queue.pending,
                        vec, n, plen);
    }
  }
  if (have_datagram) {
    return add_datagram(p, plen);
  }
  return add_stream(p, NULL, 0, NULL, 0, plen);
}

/* The length of a packet written to |slot|, 0: nothing to write now, or an
   error of ngtcp2. */
static ngtcp2_ssize write_packet(quic_conn *conn, udp_datagram *slot,
                                 uint64_t now) {
  packet p = {.conn = conn, .slot = slot, .now = now};
  ngtcp2_ssize len = 0;
  size_t i;

  ngtcp2_path_storage_zero(&p.path);
  /* A path that became narrower since they were queued. */
  while (conn->datagram_head &&
         conn->datagram_head->len > quic_datagram_max(conn)) {
    quic_datagram_pop(conn);
    ++conn->datagrams_dropped;
  }
  for (;;) {
    outcome o;

    if (p.nnotes == STREAMS_PER_PACKET - 1) {
      p.no_stream = 1;
      p.no_datagram = 1;
    }
    o = add_something(&p, &len);
    if (o != OUTCOME_MORE) {
      break;
    }
  }
  if (len > 0) {
    ++conn->turn;
    conn->pulled_last = p.pulled;
    slot->len = (size_t)len;
    slot->ecn = (uint8_t)(p.pi.ecn & NGTCP2_ECN_MASK);
    path_guard_sent(&conn->guard, &p.path.path, slot->len);
    memset(&slot->remote, 0, sizeof(slot->remote));
    memcpy(&slot->remote, p.path.path.remote.addr,
           (size_t)p.path.path.remote.addrlen);
    memset(&slot->local, 0, sizeof(slot->local));
    memcpy(&slot->local, p.path.path.local.addr,
           (size_t)p.path.path.local.addrlen);
  }
  if (conn->protocol && len >= 0) {
    for (i = 0; i < p.nnotes; ++i) {
      if (p.notes[i].n) {
        conn->protocol->on_stream_sent(conn->protocol_state, p.notes[i].stream,
                                       p.notes[i].n);
      }
    }
  }
  return len;
}

static int write_close(quic_conn *conn, udp_batch *out) {
  udp_datagram *slot;

  if (!conn->close_due) {
    return 0;
  }
  if (out->count == out->capacity) {
    return 1;
  }
  slot = &out->datagrams[out->count++];
  memcpy(slot->data, conn->close_packet, conn->close_packet_len);
  slot->len = conn->close_packet_len;
  slot->ecn = 0;
  memset(&slot->remote, 0, sizeof(slot->remote));
  memcpy(&slot->remote, conn->close_path.path.remote.addr,
         (size_t)conn->close_path.path.remote.addrlen);
  memset(&slot->local, 0, sizeof(slot->local));
  memcpy(&slot->local, conn->close_path.path.local.addr,
         (size_t)conn->close_path.path.local.addrlen);
  conn->close_due = 0;
  return 0;
}

/*
 * Whether there is something under way of which nothing has been acknowledged,
 * lost or said again for STALL_MAX, and the peer is heard all the same.  ngtcp2
 * sets no loss timer for PATH_RESPONSE: where the window is small and the
 * acknowledgements of three of them are lost, it is full for ever.
 */
static int is_stalled(quic_conn *conn, uint64_t now) {
  ngtcp2_conn_info info;

  ngtcp2_conn_get_conn_info2(conn->ngtcp2, &info);
  if (info.bytes_in_flight == 0 || info.bytes_in_flight != conn->stall_octets) {
    conn->stall_octets = info.bytes_in_flight;
    conn->stall_since = now;
    return 0;
  }
  return now - conn->stall_since > STALL_MAX;
}

/*
 * How many packets may leave in one turn.  ngtcp2 allows 64 KiB, what a network
 * card takes at once.  Where the path takes more than that in a millisecond, a
 * turn may have the millisecond's worth: each wakes the peer, and after each
 * the pacer is waited for.
 */
static size_t burst(quic_conn *conn) {
  size_t quantum = ngtcp2_conn_get_send_quantum2(conn->ngtcp2);
  ngtcp2_conn_info info;

  ngtcp2_conn_get_conn_info2(conn->ngtcp2, &info);
  if (quantum >= QUANTUM_MAX && info.smoothed_rtt > 0) {
    uint64_t rate = info.cwnd * NGTCP2_MILLISECONDS / info.smoothed_rtt;

    if (rate > quantum) {
      quantum = rate < BURST_MAX ? (size_t)rate : BURST_MAX;
    }
  }
  return quantum / ngtcp2_conn_get_path_max_tx_udp_payload_size2(conn->ngtcp2) +
         1;
}

int quic_conn_write(quic_conn *conn, udp_batch *out, uint64_t now) {
  size_t quantum;

  conn->now = now;
  if (conn->state == QUIC_CONN_OPEN && conn->ccerr_set) {
    quic_conn_close(conn, NULL, now);
  }
  if (conn->state == QUIC_CONN_CLOSING) {
    return write_close(conn, out);
  }
  if (conn->state != QUIC_CONN_OPEN) {
    return 0;
  }
  conn->pull_dry = 0;
  for (quantum = burst(conn); quantum && out->count < out->capacity;
       --quantum) {
    ngtcp2_ssize n;

    if (path_guard_blocks(&conn->guard, ngtcp2_conn_get_path2(conn->ngtcp2))) {
      ngtcp2_conn_update_pkt_tx_time(conn->ngtcp2, now);
      return 0;
    }
    n = write_packet(conn, &out->datagrams[out->count], now);
    if (n < 0) {
      ngtcp2_ccerr ccerr;

      ngtcp2_ccerr_default(&ccerr);
      ngtcp2_ccerr_set_liberr(&ccerr, (int)n, NULL, 0);
      quic_conn_close(conn, conn->ccerr_set ? NULL : &ccerr, now);
      if (conn->state == QUIC_CONN_CLOSING) {
        return write_close(conn, out);
      }
      return 0;
    }
    if (quic_conn_settle_resets(conn) == 0 && n == 0) {
      ngtcp2_conn_update_pkt_tx_time(conn->ngtcp2, now);
      if (!is_stalled(conn, now)) {
        return 0;
      }
      ngtcp2_ccerr_set_transport_error(&conn->ccerr, NGTCP2_NO_VIABLE_PATH,
                                       NULL, 0);
      quic_conn_close(conn, NULL, now);
      return write_close(conn, out);
    }
    out->count += n != 0;
  }
  ngtcp2_conn_update_pkt_tx_time(conn->ngtcp2, now);
  return 1;
}
