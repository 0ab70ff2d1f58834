/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole appliance on a virtual network: what most tests of the whole begin
 * with.
 *
 * Everything is seeded, the time is virtual.  Only TLS draws true randomness,
 * so two runs differ in keys and in the lengths of a few signatures.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "server/appliance.h"
#include "server/http3/h3.h"
#include "server/quic/protocol.h"
#include "tests/sim/network.h"
#include "tests/sim/peer.h"

#define SIM_WORLD_PEERS 64

/* What the appliance told of a session that ended. */
typedef struct sim_world_close {
  /* "client", "server" or "connection". */
  char by[16];
  uint32_t code;
  char reason[1025];
} sim_world_close;

typedef struct sim_world {
  cm_random random;
  sim_random server_random;
  appliance *appliance;
  quic_endpoint *endpoint;
  sim_network *network;
  /* Seconds by which the wall clock has gone on while the machine slept: its
     timers did not run, nor the monotonic clock. */
  int64_t asleep;
  sim_tls *tls;
  sim_peer *peers[SIM_WORLD_PEERS];
  size_t npeers;
  /* SHA-256 of the certificates, as the last event told. */
  uint8_t active[32];
  uint8_t standby[32];
  size_t sessions_opened;
  size_t sessions_closed;
  sim_world_close last_close;
  /* What is served where there is no appliance, and the server's memory. */
  h3_service *h3;
  quic_service service;
  ngtcp2_mem mem;
  size_t octets_live;
  size_t octets_peak;
  /* While |fail_at| is not 0, allocations are counted, and that one fails. */
  size_t allocations;
  size_t fail_at;
} sim_world;

/* NULL if anything fails.  |limits| NULL: the server's default. */
sim_world *sim_world_new(uint64_t seed, const quic_conn_limits *limits);
/*
 * A world without an appliance: an endpoint that serves |h3|, which is borrowed
 * and may be changed at any time.  Sessions are counted as there (the service's
 * on_session_* and its user are set), memory is metered.  NULL if anything
 * fails.
 */
sim_world *sim_world_new_service(uint64_t seed, const quic_conn_limits *limits,
                                 h3_service *h3);
/* Frees clients and peers too. */
void sim_world_free(sim_world *world);

/* A configuration to begin with: ALPN h3, the active hash, the name
   "localhost". */
sim_client_config sim_world_config(sim_world *world);

/* Adds a client that remembers.  NULL if it cannot be made.  Belongs to the
   world. */
sim_peer *sim_world_add(sim_world *world, const sim_client_config *config);

/* Adds one with ALPN h3 or "echo" and runs until its handshake is done. */
sim_peer *sim_world_connect(sim_world *world, const char *alpn);

/* Opens a session on |path| and runs until it is answered.  The session's ID,
   or -1. */
int64_t sim_world_session(sim_world *world, sim_peer *peer, const char *path);

/* Takes the client away without a word.  What it remembers stays. */
void sim_world_abandon(sim_world *world, sim_peer *peer);

/* The command "rotate".  0, or -1 if it was refused. */
int sim_world_rotate(sim_world *world);

/* Any other command, as JSON; the reply must not be an error.  The caller
   deletes it; NULL if it is one. */
cJSON *sim_world_command(sim_world *world, const char *json);

const quic_endpoint_counters *sim_world_counters(const sim_world *world);

/* Conditions for sim_world_until(). */
typedef int (*sim_condition)(sim_peer *peer, int64_t id);

/* Runs until |condition| holds of |peer| and |id|, for at most 20 virtual
   seconds.  0 if it came to hold. */
int sim_world_until(sim_world *world, sim_condition condition, sim_peer *peer,
                    int64_t id);
/* Lets |time| nanoseconds pass.  0, or -1 if somebody spins. */
int sim_world_pass(sim_world *world, uint64_t time);

int sim_is_handshake_done(sim_peer *peer, int64_t unused);
int sim_is_confirmed(sim_peer *peer, int64_t unused);
int sim_is_closed(sim_peer *peer, int64_t unused);
int sim_is_settings(sim_peer *peer, int64_t unused);
int sim_is_answered(sim_peer *peer, int64_t session);
int sim_is_session_closed(sim_peer *peer, int64_t session);
int sim_is_draining(sim_peer *peer, int64_t session);
/* STOP_SENDING came. */
int sim_is_stopped(sim_peer *peer, int64_t stream);
/* Octets came, or the end. */
int sim_is_stream_there(sim_peer *peer, int64_t stream);
/* FIN or RESET_STREAM came. */
int sim_is_stream_ended(sim_peer *peer, int64_t stream);
/* At least |count| datagrams came. */
int sim_is_datagrams(sim_peer *peer, int64_t count);
/* At least |count| streams of the server's came to their FIN. */
int sim_is_server_streams(sim_peer *peer, int64_t count);

#endif
