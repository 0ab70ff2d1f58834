/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One QUIC connection, server side (RFC 9000, 9001, 9002, 9221).
 *
 * The upper part is for protocols: streams, datagrams, closing.  The lower
 * part is for the endpoint alone.  Time is monotonic, in nanoseconds.
 */
#ifndef SERVER_QUIC_CONN_H
#define SERVER_QUIC_CONN_H

#include "certmgr/random.h"
#include "server/quic/address_token.h"
#include "server/quic/memory.h"
#include "server/quic/path_guard.h"
#include "server/quic/send_queue.h"
#include "server/quic/timer_heap.h"
#include "server/tls.h"
#include "server/udp.h"

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stddef.h>
#include <stdint.h>

/* Returned where an error was set by quic_conn_fail(). */
#define QUIC_ERR_FAILED (-701)
/* The peer allows no more streams, or the queue is full. */
#define QUIC_ERR_BLOCKED (-702)
#define QUIC_ERR_NOMEM (-703)
/* The peer takes no datagrams, or none of this size. */
#define QUIC_ERR_TOO_LARGE (-704)
/* The stream or connection is past the point where this is possible. */
#define QUIC_ERR_STATE (-705)
/* The client must show first that it is at its address. */
#define QUIC_ERR_RETRY (-706)

/* Octets in each connection ID that we issue. */
#define QUIC_SCIDLEN 16
#define QUIC_RESET_SECRETLEN 32

/* Datagrams kept for one connection until they fit into a packet. */
#define QUIC_DATAGRAM_QUEUE_MAX 128

/* More than windows of the default size can ever ask for. */
#define QUIC_CONN_MEMORY ((size_t)16 * 1024 * 1024)

typedef struct quic_conn quic_conn;
typedef struct quic_stream quic_stream;
struct quic_endpoint;
struct quic_protocol;
struct quic_service;

struct quic_stream {
  /* -1 once QUIC has closed it. */
  int64_t id;
  quic_conn *conn;
  /* The protocol's own; not touched by the connection. */
  void *user;

  /* Private to the connection from here on. */
  send_queue queue;
  quic_stream *all_next, **all_link;     /* in the list of all streams */
  quic_stream *ready_next, **ready_link; /* in the ring of writable streams */
  uint8_t fin;                           /* FIN follows what is queued */
  uint8_t fin_sent;
  uint8_t write_closed; /* nothing more may be queued */
  uint8_t pulled;       /* the protocol keeps the octets */
  uint8_t credit_held;  /* no other may be opened in its place */
  uint8_t fin_apart;    /* FIN waits until all octets are acknowledged */
  uint8_t stop_fresh;   /* STOP_SENDING was asked for since the last packet */
  uint8_t reset_due;    /* RESET_STREAM follows it */
  uint64_t reset_code;
};

/* ---- For protocols ---- */

/*
 * Opens a stream of ours; the connection owns it and tells on_stream_close().
 * QUIC_ERR_BLOCKED until on_streams_available(), QUIC_ERR_NOMEM.
 */
int quic_conn_open_stream(quic_conn *conn, quic_stream **pstream, int bidi);

/* Copies |len| octets into the queue of |stream|, and FIN behind them if
   |fin|.  QUIC_ERR_NOMEM, QUIC_ERR_STATE after FIN or a reset. */
int quic_stream_write(quic_stream *stream, const uint8_t *data, size_t len,
                      int fin);

/*
 * FIN will not go with what is queued so far, but once that is acknowledged;
 * if anything more is written, that is all forgotten.  For receivers that do
 * not survive a stream whose prefix is all there is, all at once.
 */
void quic_stream_separate_fin(quic_stream *stream);

/* Octets of quic_stream_write() that have not left. */
size_t quic_stream_pending(const quic_stream *stream);

/* Abandons what is queued: RESET_STREAM.  Nothing happens if it is done.  After
   quic_stream_stop_sending() it leaves in a later packet than that: there are
   browsers that forget the code of a STOP_SENDING that comes second. */
void quic_stream_reset(quic_stream *stream, uint64_t error_code);

/* Asks the peer to stop: STOP_SENDING. */
void quic_stream_stop_sending(quic_stream *stream, uint64_t error_code);

/* The octets of |stream| are the protocol's: it is written through pull(). */
void quic_stream_set_pulled(quic_stream *stream);

/*
 * The peer's |stream| causes work that outlives it: until
 * quic_conn_release_stream(), closing it lets the peer open no other.
 */
void quic_stream_hold_credit(quic_stream *stream);
/* The work is done.  |stream| NULL: it is closed, and was unidirectional. */
void quic_conn_release_stream(quic_conn *conn, quic_stream *stream);

/* |n| received octets are dealt with: credits flow control of |stream| and the
   connection.  |stream| NULL: of the connection alone (the stream is gone). */
void quic_conn_consume(quic_conn *conn, quic_stream *stream, size_t n);

/*
 * Queues a DATAGRAM frame made of |prefix| and |data|, copied.  When
 * QUIC_DATAGRAM_QUEUE_MAX wait already, the oldest is dropped.  QUIC_ERR_NOMEM,
 * QUIC_ERR_TOO_LARGE.
 */
int quic_conn_send_datagram(quic_conn *conn, const uint8_t *prefix,
                            size_t prefixlen, const uint8_t *data, size_t len);

/* The longest of them, |prefix| and all, that fits now, 0 if the peer takes
   none; and how many wait. */
size_t quic_conn_datagram_max(quic_conn *conn);
size_t quic_conn_datagrams_pending(const quic_conn *conn);

/* Sets the application error that the connection is closed with; returns
   QUIC_ERR_FAILED.  |reason| is a static string. */
int quic_conn_fail(quic_conn *conn, uint64_t error_code, const char *reason);

/* Has the connection closed as that does, though nothing is wrong: NO_ERROR. */
int quic_conn_finish(quic_conn *conn);

/* There is something to write: the endpoint will ask for it. */
void quic_conn_wake(quic_conn *conn);

/* Sends PINGs so that an idle connection with work on it stays open. */
void quic_conn_keep_alive(quic_conn *conn);

/* Ends that: the connection may time out. */
void quic_conn_let_idle(quic_conn *conn);

ngtcp2_conn *quic_conn_ngtcp2(quic_conn *conn);
const ngtcp2_mem *quic_conn_mem(const quic_conn *conn);
/* A number that no other connection of this endpoint has. */
uint64_t quic_conn_number(const quic_conn *conn);
/* Where the peer is now. */
void quic_conn_remote(const quic_conn *conn, udp_address *remote);
/* The time that the current call of the endpoint was given. */
uint64_t quic_conn_now(const quic_conn *conn);
/* SHA-256 of the certificate that the handshake was made under. */
const uint8_t *quic_conn_certificate_hash(const quic_conn *conn);

/* ---- For the endpoint ---- */

typedef enum quic_conn_state {
  QUIC_CONN_OPEN,
  /* We sent CONNECTION_CLOSE (RFC 9000 section 10.2.1). */
  QUIC_CONN_CLOSING,
  /* The peer sent it (section 10.2.2). */
  QUIC_CONN_DRAINING,
  /* To be freed. */
  QUIC_CONN_DEAD
} quic_conn_state;

/* Why a connection ended, for the log and for counters.  Who the peer was and
   which certificate it was shown, the connection itself tells. */
typedef struct quic_conn_end {
  /* Whether the handshake was ever completed. */
  int established;
  /* Whether the peer sent the CONNECTION_CLOSE. */
  int by_peer;
  /* Nothing was heard for too long, in or after the handshake. */
  int idle;
  /* ngtcp2_ccerr.type and .error_code.  Neither side closed it: NO_ERROR. */
  ngtcp2_ccerr_type type;
  uint64_t error_code;
  /* What the peer said with it: any octets at all, or NULL.  They stay until
     quic_conn_shrink(). */
  const uint8_t *reason;
  size_t reason_len;
} quic_conn_end;

typedef struct quic_conn_limits {
  uint64_t stream_window;     /* octets */
  uint64_t connection_window; /* octets */
  uint64_t streams_bidi;      /* that a peer may have open at once */
  uint64_t streams_uni;
  /* Octets of memory, TLS apart; 0: QUIC_CONN_MEMORY.  Beyond it the
     connection is closed with INTERNAL_ERROR. */
  size_t memory;
  uint64_t idle_timeout;      /* nanoseconds */
  uint64_t handshake_timeout; /* nanoseconds */
} quic_conn_limits;

struct quic_conn {
  ngtcp2_crypto_conn_ref ref;
  ngtcp2_conn *ngtcp2;
  tls_session *tls;
  /* The handshake is complete and |tls| finished. */
  int tls_finished;
  struct quic_endpoint *endpoint;
  /* All of the connection but this structure and its last words, so that it
     can be closed at its limit. */
  quic_memory memory;
  const ngtcp2_mem *mem;
  const cm_random *random;
  const struct quic_service *services;
  size_t nservices;
  uint8_t reset_secret[QUIC_RESET_SECRETLEN];

  const struct quic_protocol *protocol;
  void *protocol_state;

  quic_conn_state state;
  ngtcp2_ccerr ccerr;
  int ccerr_set;
  quic_conn_end end;
  uint64_t number;
  uint64_t now;
  /* The Destination Connection ID of the Initial that made it.  ngtcp2 knows
     it too, but only once it could decrypt an Initial. */
  ngtcp2_cid client_dcid;
  /* The first octets of what the client says at the Handshake level. */
  uint8_t finished_head[4];

  quic_stream *streams;
  /* The ring of streams with octets to send; served from its head. */
  quic_stream *ready_head;
  quic_stream **ready_tail;

  struct quic_datagram *datagram_head, **datagram_tail;
  size_t datagram_count;
  uint64_t datagrams_dropped;
  /* Datagrams and streams take turns at being first into a packet. */
  unsigned turn;
  /* The last packet had octets of a pulled stream. */
  int pulled_last;
  /* There is nothing to pull in this turn; if that changes while it lasts, the
     connection is woken for another. */
  int pull_dry;
  path_guard guard;
  /* Octets under way, and since when they are the same. */
  uint64_t stall_octets, stall_since;
  /* Some stream has |stop_fresh|. */
  int stops_fresh;

  /* CONNECTION_CLOSE, to be said again (section 10.2.1). */
  uint8_t *close_packet;
  size_t close_packet_len;
  ngtcp2_path_storage close_path;
  uint64_t close_deadline;
  uint64_t close_received, close_next;
  /* Octets that may be sent to an address that was never validated. */
  uint64_t close_credit;
  int close_due;
  /* Why it ended has been told. */
  int end_told;
  /* The connection IDs that it had, once ngtcp2 is gone. */
  ngtcp2_cid *scids;
  size_t nscids;

  /* Kept by the endpoint. */
  timer timer;
  quic_conn *dirty_next;
  int dirty;
  quic_conn *all_next, **all_link;
  /* Counts this among the handshakes that are open; NULL: none. */
  uint16_t *handshake_place;
  /* A Retry took its place. */
  int retried;
};

typedef struct quic_conn_config {
  struct quic_endpoint *endpoint;
  const ngtcp2_mem *mem;
  quic_memory *memory; /* of all connections */
  const cm_random *random;
  const quic_conn_limits *limits;
  const struct quic_service *services;
  size_t nservices;
  tls_context *tls;
  uint64_t number;
  ngtcp2_cid scid;
  /* What the Initial's token was worth; the Destination Connection ID of
     before the Retry. */
  address_verdict address;
  ngtcp2_cid odcid;
  const uint8_t *reset_secret; /* QUIC_RESET_SECRETLEN octets, copied */
} quic_conn_config;

/* Makes the connection that the Initial |hd| on |path| asks for; nothing of
   the packet is read yet.  QUIC_ERR_NOMEM. */
int quic_conn_new(quic_conn **pconn, const quic_conn_config *config,
                  const ngtcp2_path *path, const ngtcp2_pkt_hd *hd,
                  uint64_t now);

void quic_conn_free(quic_conn *conn);

/*
 * Gives back all memory but what the closing and the draining period need (RFC
 * 9000 section 10.2): the connection IDs and CONNECTION_CLOSE.  Nothing happens
 * in other states.  quic_conn_remote(), quic_conn_certificate_hash() and
 * everything for protocols are over.  Not from within a callback of ngtcp2's.
 */
void quic_conn_shrink(quic_conn *conn);

/* How many connection IDs it has issued; |scids|, unless NULL, is filled with
   them. */
size_t quic_conn_scids(const quic_conn *conn, ngtcp2_cid *scids);

/* Reads one packet. The state may change; nothing is written.  0, or
   QUIC_ERR_RETRY: the connection is dead, a Retry is the answer. */
int quic_conn_read(quic_conn *conn, const ngtcp2_path *path,
                   const ngtcp2_pkt_info *pi, const uint8_t *data, size_t len,
                   uint64_t now);

/* When quic_conn_expire() is to be called; UINT64_MAX: never. */
uint64_t quic_conn_deadline(const quic_conn *conn);
void quic_conn_expire(quic_conn *conn, uint64_t now);

/*
 * Fills free slots of |out| with packets, at most one send quantum.  Returns 1
 * if there may be more to write, else 0.
 */
int quic_conn_write(quic_conn *conn, udp_batch *out, uint64_t now);

/* Closes with what quic_conn_fail() or |ccerr| says; the packet goes out with
   the next quic_conn_write(). */
void quic_conn_close(quic_conn *conn, const ngtcp2_ccerr *ccerr, uint64_t now);

#endif
