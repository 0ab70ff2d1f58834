/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All QUIC connections of one UDP socket (RFC 9000 sections 5 and 6), which may
 * have several addresses: each datagram tells its own, and is answered from it.
 *
 * Free of I/O: datagrams come in as a batch, go out as a batch, and the
 * monotonic time in nanoseconds comes with each call.  Not to be entered from
 * its own callbacks.
 */
#ifndef SERVER_QUIC_ENDPOINT_H
#define SERVER_QUIC_ENDPOINT_H

#include "certmgr/random.h"
#include "server/quic/address_token.h"
#include "server/quic/conn.h"
#include "server/quic/protocol.h"
#include "server/tls.h"
#include "server/udp.h"

typedef struct quic_endpoint quic_endpoint;

/* Why there was no room for a connection. */
typedef enum quic_refused {
  QUIC_REFUSED_CONNECTIONS, /* |connections_max| */
  QUIC_REFUSED_MEMORY,      /* |memory_max| */
  QUIC_REFUSED_HANDSHAKES,  /* |handshakes_max| */
  QUIC_REFUSED_ADDRESS,     /* |handshakes_per_address| */
  /* There was no memory, no randomness, or no room for a Retry. */
  QUIC_REFUSED_FAILURE
} quic_refused;

#define QUIC_REFUSED_COUNT 5

/* "max_connections" …, for metrics: they stay.  Static. */
const char *quic_refused_name(quic_refused reason);

typedef struct quic_endpoint_counters {
  uint64_t datagrams_received;
  uint64_t datagrams_sent;
  uint64_t octets_received;
  uint64_t octets_sent;
  /* Packets that belong to no connection and ask for none. */
  uint64_t packets_dropped;
  uint64_t connections_accepted;
  uint64_t connections_refused;         /* for want of memory or room */
  uint64_t refused[QUIC_REFUSED_COUNT]; /* the same, by what was exceeded */
  /* Initials that found no certificate to be served with. */
  uint64_t initials_ignored;
  uint64_t handshakes_completed;
  uint64_t handshakes_failed;
  uint64_t version_negotiations;
  uint64_t stateless_resets;
  uint64_t retries_sent;
  /* Initials whose token showed that the client is at its address; those that
     were refused with INVALID_TOKEN; and those whose token had been good once,
     but is too old or was used before. */
  uint64_t tokens_accepted;
  uint64_t tokens_refused;
  uint64_t tokens_expired;
} quic_endpoint_counters;

/*
 * When a client has to show that it can be reached at its address before
 * anything is allocated for it (RFC 9000 section 8.1.2).  It costs a round
 * trip, unless the client has a token from an earlier connection.
 */
typedef enum quic_retry {
  /* While more than |retry_above| handshakes are open. */
  QUIC_RETRY_WHEN_BUSY,
  QUIC_RETRY_ALWAYS,
  /* Only where the first packet of a ClientHello has none of its beginning:
     nothing of it can be kept for an unknown address. */
  QUIC_RETRY_NEVER
} quic_retry;

#define QUIC_RETRY_ABOVE 256
#define QUIC_HANDSHAKES_MAX 4096

/* Secrets that outlive connections.  Where a host keeps them, peers of before
   a restart are told that their connections are gone, and tokens stay good. */
typedef struct quic_endpoint_keys {
  uint8_t token[ADDRESS_TOKEN_KEYLEN];
  uint8_t reset[QUIC_RESET_SECRETLEN];
} quic_endpoint_keys;

typedef struct quic_endpoint_config {
  /* NULL: malloc and friends. */
  const ngtcp2_mem *mem;
  /* Must outlive the endpoint. */
  const cm_random *random;
  quic_conn_limits limits;
  /* At least one; must outlive the endpoint. */
  const quic_service *services;
  size_t nservices;
  size_t connections_max;
  /* Octets of memory of all connections, TLS apart; 0: no limit.  From three
     quarters on there are no new ones. */
  size_t memory_max;
  quic_retry retry;
  /* 0: QUIC_RETRY_ABOVE. */
  size_t retry_above;
  /* Handshakes that may be open at once; 0: QUIC_HANDSHAKES_MAX. */
  size_t handshakes_max;
  /* From one IPv4 address, or one /64 of IPv6; 0: half of |handshakes_max|. */
  size_t handshakes_per_address;
  /* NULL: drawn from |random|.  Copied. */
  const quic_endpoint_keys *keys;
  /* What to add to |now| for a time that goes on over restarts; with |keys|,
     or tokens of before one could be good for too long.  Nanoseconds. */
  uint64_t token_clock;
  /*
   * Asked for each Initial that would open a connection, before anything is
   * allocated for it: 0 lets it, anything else drops it in silence.  It may
   * call quic_endpoint_set_tls(), which then holds for this Initial too, and
   * quic_endpoint_close_certificate(); nothing else that is not const.  May be
   * NULL.
   */
  int (*on_initial)(void *user);
  /* A connection has ended: what follows is its closing or draining period, in
     which it is nothing but its connection IDs.  |conn| and |end| are good
     until this returns.  May be NULL. */
  void (*on_end)(void *user, const quic_conn *conn, const quic_conn_end *end);
  void *user;
} quic_endpoint_config;

/* Windows and limits that suit a server on a fast network. */
void quic_conn_limits_default(quic_conn_limits *limits);

/*
 * Takes over the caller's reference to |tls|, on success only.  NULL: new
 * Initials are ignored until quic_endpoint_set_tls().  QUIC_ERR_NOMEM,
 * QUIC_ERR_FAILED if |config->random| gave nothing.
 */
int quic_endpoint_new(quic_endpoint **pendpoint,
                      const quic_endpoint_config *config, tls_context *tls);

/* Frees all connections without a word to their peers. NULL is allowed. */
void quic_endpoint_free(quic_endpoint *endpoint);

/* From now on new handshakes are made under |tls|, whose reference is taken
   over; NULL: there are none, new Initials are ignored.  Connections that are
   there go on undisturbed. */
void quic_endpoint_set_tls(quic_endpoint *endpoint, tls_context *tls);

/*
 * Closes all connections made under the certificate with this hash, those in
 * the middle of their handshake too: CONNECTION_CLOSE with the TLS alert
 * certificate_revoked (RFC 8446 section 6.2) as CRYPTO_ERROR (RFC 9001 section
 * 4.8), 0x12c, whatever protocol they speak.  The packets go out with
 * quic_endpoint_send().  Returns how many there were.
 */
size_t quic_endpoint_close_certificate(quic_endpoint *endpoint,
                                       const uint8_t sha256[CM_HASH_LEN],
                                       uint64_t now);

/* Whether a connection made under that certificate is open.  Goes through all
   of them: for tests. */
int quic_endpoint_holds_certificate(const quic_endpoint *endpoint,
                                    const uint8_t sha256[CM_HASH_LEN]);

/* Reads all datagrams of |in|; they may be overwritten. */
void quic_endpoint_receive(quic_endpoint *endpoint, udp_batch *in,
                           uint64_t now);

/*
 * Does what is due at |now| and fills the free slots of |out|, round-robin
 * over the connections that have something to say, one send quantum each.  If
 * it returns 1 there is more to write: call again with new slots.
 */
int quic_endpoint_send(quic_endpoint *endpoint, udp_batch *out, uint64_t now);

/* When quic_endpoint_send() is to be called if nothing is received until
   then; UINT64_MAX: never. */
uint64_t quic_endpoint_deadline(const quic_endpoint *endpoint);

/* Accepts nothing more and closes every connection: with what quic_conn_fail()
   said, else NO_ERROR; in its handshake with CONNECTION_REFUSED.  The packets
   go out with quic_endpoint_send(). */
void quic_endpoint_shutdown(quic_endpoint *endpoint, uint64_t now);

/* Connections that are neither closing nor draining. */
size_t quic_endpoint_connections(const quic_endpoint *endpoint);

/* Octets of memory that connections have, TLS apart. */
size_t quic_endpoint_memory(const quic_endpoint *endpoint);

/* Those of them whose handshake is not complete. */
size_t quic_endpoint_handshakes(const quic_endpoint *endpoint);

const quic_endpoint_counters *
quic_endpoint_get_counters(const quic_endpoint *endpoint);

/* ---- For conn.c ---- */

int quic_endpoint_add_cid(quic_endpoint *endpoint, const ngtcp2_cid *cid,
                          quic_conn *conn);
void quic_endpoint_remove_cid(quic_endpoint *endpoint, const ngtcp2_cid *cid);
void quic_endpoint_wake(quic_endpoint *endpoint, quic_conn *conn);
void quic_endpoint_established(quic_endpoint *endpoint, quic_conn *conn);
/* |conn| is not QUIC_CONN_OPEN any more. */
void quic_endpoint_ended(quic_endpoint *endpoint, quic_conn *conn);
/* A token for |remote|, for a later connection: at most ADDRESS_TOKEN_MAX
   octets.  The length, or 0. */
size_t quic_endpoint_new_token(const quic_endpoint *endpoint, uint8_t *dest,
                               const ngtcp2_addr *remote, uint64_t now);

#endif
