/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An endpoint alone on the virtual network, which serves "echo" and nothing
 * else; its memory is metered.  For tests of QUIC itself.
 */
#ifndef TESTS_SIM_BARE_H
#define TESTS_SIM_BARE_H

#include "server/quic/endpoint.h"
#include "tests/sim/client_wire.h"
#include "tests/sim/network.h"
#include "tests/sim/peer.h"

#define SIM_BARE_PEERS 64

typedef struct sim_bare {
  /* May be changed before sim_bare_start(). */
  quic_endpoint_config config;
  quic_endpoint *endpoint;
  sim_network *network;
  sim_random source;
  cm_random random;
  ngtcp2_mem mem;
  /* Of the server, now and at most: allocations, octets. */
  size_t live, octets, most;
  cm_certificate certificate;
  sim_tls *tls;
  sim_peer *peers[SIM_BARE_PEERS];
  size_t npeers;
  /* What on_end told. */
  size_t nends;
  quic_conn_end last_end;
} sim_bare;

/* A server that has not begun.  NULL if anything fails. */
sim_bare *sim_bare_new(uint64_t seed);
void sim_bare_free(sim_bare *bare);

/* Begins, or begins anew: the endpoint is replaced without a word to anybody,
   as in a crash.  0, or -1. */
int sim_bare_start(sim_bare *bare);

/* ALPN "echo", the certificate's hash. */
sim_client_config sim_bare_config(sim_bare *bare);
/* NULL if it cannot be made.  Belongs to |bare|. */
sim_peer *sim_bare_add(sim_bare *bare, const sim_client_config *config);
/* Adds one and runs until its handshake is confirmed.  NULL if it is not. */
sim_peer *sim_bare_connect(sim_bare *bare);
/* Takes the client away without a word, and the peer too. */
void sim_bare_drop(sim_bare *bare, sim_peer *peer);

/* Runs until |condition| holds of |peer| and |id|, for at most 30 virtual
   seconds.  0 if it came to hold. */
int sim_bare_until(sim_bare *bare, int (*condition)(sim_peer *peer, int64_t id),
                   sim_peer *peer, int64_t id);
/* Lets |time| nanoseconds pass.  0, or -1 if somebody spins. */
int sim_bare_pass(sim_bare *bare, uint64_t time);

/* Whether |len| octets on a new stream all come back, and FIN. */
int sim_bare_echoes(sim_bare *bare, sim_peer *peer, size_t len);

const quic_endpoint_counters *sim_bare_counters(const sim_bare *bare);

#endif
