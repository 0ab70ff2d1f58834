/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that remembers everything that happened to it, for tests that look
 * afterwards.  Wants the network's memory and nothing else.
 */
#ifndef TESTS_SIM_PEER_H
#define TESTS_SIM_PEER_H

#include "tests/sim/client.h"

#define SIM_PEER_STREAMS 512
#define SIM_PEER_SESSIONS 32
#define SIM_PEER_DATAGRAMS 1024

typedef struct sim_peer_stream {
  int64_t id;
  int64_t session;
  int by_server;
  uint8_t *data;
  size_t len;
  size_t cap;
  int fin;
  int reset;
  uint64_t reset_code;
  int stopped;
  uint64_t stopped_code;
  /* STOP_SENDING came, and RESET_STREAM did not before it. */
  int stopped_first;
  int closed;
  /* Of a request; the fields of its answer, or of CONNECT's, as "name: value"
     and a line feed each; NULL: none yet. */
  int status;
  char *fields;
} sim_peer_stream;

typedef struct sim_peer_session {
  int64_t id;
  int status;
  int answered;
  int draining;
  int closed;
  int by_server;
  uint32_t code;
  char reason[1025];
} sim_peer_session;

typedef struct sim_peer_datagram {
  int64_t session;
  uint8_t *data;
  size_t len;
} sim_peer_datagram;

typedef struct sim_peer {
  sim_client *client;
  int handshake_done;
  int confirmed;
  int settings;
  /* GOAWAY frames that came, and what the last one said. */
  size_t ngoaways;
  uint64_t goaway;
  int closed;
  sim_closed end;
  sim_peer_stream streams[SIM_PEER_STREAMS];
  size_t nstreams;
  sim_peer_session sessions[SIM_PEER_SESSIONS];
  size_t nsessions;
  sim_peer_datagram datagrams[SIM_PEER_DATAGRAMS];
  size_t ndatagrams;
  /* Something did not fit above: the test is at fault. */
  int overflow;
  /* Octets under way, and since when they are the same. */
  uint64_t stall_octets, stall_since;
} sim_peer;

/* The callbacks of a peer's client; |user| is the sim_peer, zeroed. */
extern const sim_callbacks sim_peer_callbacks;

/* What is known of a stream or session; made on first sight.  Never NULL. */
sim_peer_stream *sim_peer_find_stream(sim_peer *peer, int64_t id);
sim_peer_session *sim_peer_find_session(sim_peer *peer, int64_t id);

/* The value of the first field |name| of the answer on the stream, copied to
   |dest| of |destlen| octets; 1 if there is one, else 0. */
int sim_peer_find_field(sim_peer *peer, int64_t id, const char *name,
                        char *dest, size_t destlen);

/* Forgets all streams, for peers that have more than fit above. */
void sim_peer_forget_streams(sim_peer *peer);

/*
 * The client gives a connection up on which nothing of what is under way has
 * been acknowledged, lost or said again for 20 s, and which has no room for
 * more.  ngtcp2 does not time PATH_RESPONSE, and its receivers acknowledge a
 * packet but once: when that is lost, three of them fill the smallest window
 * for ever.  1 when it does so now.
 */
int sim_peer_gives_up(sim_peer *peer, uint64_t now);

/* Frees what was remembered, not the client. */
void sim_peer_clear(sim_peer *peer);

#endif
