/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a connection share; nobody else includes it. */
#ifndef SERVER_QUIC_STREAM_H
#define SERVER_QUIC_STREAM_H

#include "server/quic/conn.h"

typedef struct quic_datagram quic_datagram;

struct quic_datagram {
  quic_datagram *next;
  size_t len;
  uint8_t data[];
};

/* |user_data| is the quic_conn. */
extern const ngtcp2_callbacks quic_conn_callbacks;

/* QUIC_ERR_NOMEM. */
int quic_stream_new(quic_stream **pstream, quic_conn *conn, int64_t id);
void quic_stream_free(quic_stream *stream);

/* Puts |stream| at the end of the ring of writable streams, takes it out. */
void quic_stream_ready(quic_stream *stream);
void quic_stream_not_ready(quic_stream *stream);

/* Whether octets or FIN wait in the queue. */
int quic_stream_has_work(const quic_stream *stream);

/* A packet was filled, so what had to wait for it is due: returns how many
   streams were reset. */
size_t quic_conn_settle_resets(quic_conn *conn);

/* Throws the queue away; nothing more is taken. */
void quic_stream_abandon(quic_stream *stream);

/* Octets that a datagram may have to fit into a packet on the current path. */
size_t quic_datagram_max(quic_conn *conn);

/* Frees the oldest datagram of the queue. */
void quic_datagram_pop(quic_conn *conn);

#endif
