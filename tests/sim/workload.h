/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load does with its clients, and what it counts: handshakes, sessions,
 * streams and datagrams, all by what came back.  Free of I/O like the client:
 * the load generator runs it over real sockets, the tests over the virtual
 * network.
 *
 * One sim_load holds what all of its workers have in common; one sim_worker is
 * the user of one sim_client.
 */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include "tests/sim/client.h"
#include "tests/sim/histogram.h"

typedef enum sim_load_mode {
  /* Until the handshake is confirmed by the server; then close. */
  SIM_LOAD_HANDSHAKES,
  /* Until the session is accepted; then close. */
  SIM_LOAD_SESSIONS,
  /* Sessions that are there and do nothing. */
  SIM_LOAD_IDLE,
  /* Octets to and fro on bidi streams. */
  SIM_LOAD_STREAM,
  /* Octets to a server that answers each bidi stream, after its end, with
     their number in decimal; those count that it has acknowledged. */
  SIM_LOAD_UPLOAD,
  /* Octets from a server that answers the end of each bidi stream with them:
     octet i is i modulo 251. */
  SIM_LOAD_DOWNLOAD,
  /* Datagrams to and fro. */
  SIM_LOAD_DATAGRAMS
} sim_load_mode;

typedef struct sim_load_config {
  sim_load_mode mode;
  /* For the CONNECT; unused with ALPN echo. */
  sim_request request;
  /* 1: ALPN echo, no sessions. */
  int raw;
  /* Streams of each worker at a time. */
  size_t streams;
  /* Octets of a datagram (at least 16); of a stream, 0: it never ends.  In a
     download the server says how many, and this is checked. */
  size_t size;
  /* Closed loop: datagrams, or octets of one stream, in flight at a time.
     Nothing to a download. */
  size_t window;
  /* Open loop: nanoseconds between two datagrams of one worker; 0: closed. */
  uint64_t interval;
  /* A datagram that has not come back after this (nanoseconds) is lost. */
  uint64_t patience;
} sim_load_config;

typedef struct sim_load {
  sim_load_config config;
  /* Nothing is begun before |start|, or counted; nothing begun after |stop|.
     UINT64_MAX until known. */
  uint64_t start;
  uint64_t stop;
  uint64_t handshakes;
  uint64_t sessions;
  /* Connections that ended otherwise than by us. */
  uint64_t failures;
  sim_closed last_failure;
  /* Echoed, acknowledged or come; the streams to their ends. */
  uint64_t octets;
  uint64_t streams;
  uint64_t datagrams_offered;
  uint64_t datagrams_echoed;
  /* Never left: the client's queue was full (open loop). */
  uint64_t datagrams_unsent;
  uint64_t datagrams_lost;
  /* Came back after they were given up, or twice. */
  uint64_t datagrams_late;
  /* Octets or datagrams that are not what was sent. */
  uint64_t wrong;
  /* Nanoseconds: of handshakes, sessions, whole streams or datagrams. */
  sim_histogram times;
} sim_load;

typedef struct sim_worker sim_worker;

/* The callbacks that a worker's client needs; |user| is the worker. */
extern const sim_callbacks sim_worker_callbacks;

/* |load| must outlive the worker.  Returns NULL for want of memory. */
sim_worker *sim_worker_new(sim_load *load);
void sim_worker_free(sim_worker *worker);

/* Ties the worker to |client|, made at |now|; again for each new client. */
void sim_worker_begin(sim_worker *worker, sim_client *client, uint64_t now);

/* The time of the packets that are given to the client next. */
void sim_worker_tick(sim_worker *worker, uint64_t now);

/* Starts what is due.  Call before sim_client_send(). */
void sim_worker_run(sim_worker *worker, uint64_t now);

/* When sim_worker_run() has something to do; UINT64_MAX: when packets come. */
uint64_t sim_worker_deadline(const sim_worker *worker);

/* 1: the connection is up, and the session too if there is one. */
int sim_worker_ready(const sim_worker *worker);

/* Datagrams that have neither come back nor been given up. */
size_t sim_worker_outstanding(const sim_worker *worker);

#endif
