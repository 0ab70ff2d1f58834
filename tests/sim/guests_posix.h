/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of a server whose certificate is changed under them: some come
 * at the beginning and stay, sending datagrams and a stream for ever; others
 * come at a steady rate, have a stream echoed, and go.
 *
 * Each has a socket of its own.  All of them wait in one epoll instance, which
 * is the caller's.
 */
#ifndef TESTS_SIM_GUESTS_POSIX_H
#define TESTS_SIM_GUESTS_POSIX_H

#include "tests/sim/client.h"
#include "tests/sim/histogram.h"
#include "tests/sim/socket_posix.h"
#include "tests/sim/windows.h"

#define GUESTS_STAY_MAX 256
#define GUESTS_VISIT_MAX 512
/* Octets. */
#define GUESTS_DATAGRAM_MIN 16
#define GUESTS_DATAGRAM_MAX 1200

/* What was published, and when: |number| grows by one with each. */
typedef struct guests_hashes {
  uint8_t sha256[2][32];
  size_t count;
  uint64_t number;
} guests_hashes;

typedef struct guests_config {
  sim_address remote;
  socklen_t remote_len;
  /* For the CONNECT. */
  char authority[272];
  char path[512];
  size_t stay;
  /* Octets of a datagram. */
  size_t size;
  /* A second: of datagrams, over all who stay; of new visitors. */
  double rate;
  double visits;
  /* Nanoseconds after which a visitor that was not served has failed. */
  uint64_t patience;
  int epoll_fd;
} guests_config;

typedef struct guests_counts {
  /* Those who stay, and whose session ended all the same. */
  uint64_t dropped;
  uint64_t visits;
  /* Whose stream came back; of them, by the second hash that they knew. */
  uint64_t served;
  uint64_t by_second;
  uint64_t failed;
  /* Not even begun: too many were on their way. */
  uint64_t unstarted;
  uint64_t datagrams_offered;
  uint64_t datagrams_echoed;
  uint64_t stream_octets;
  /* Octets that are not what was sent. */
  uint64_t wrong;
  /* Of the last that failed or was dropped. */
  sim_closed last;
  /* Nanoseconds since it was due: until a visitor was served; until a datagram
     was back. */
  sim_histogram visit;
  sim_histogram datagram;
} guests_counts;

typedef struct guests guests;

/* |config| is copied; |windows| is borrowed, and takes the latencies of all
   datagrams.  Returns 0, or -1 for want of memory. */
int guests_new(guests **pguests, const guests_config *config,
               sim_windows *windows);
/* Says goodbye to the server; whoever is still being served has failed. */
void guests_end(guests *guests, uint64_t now);
void guests_free(guests *guests);

/* Lets in those who stay.  0, or -1 with errno. */
int guests_begin(guests *guests, const guests_hashes *known, uint64_t now);
/* Whether all of them have their sessions. */
int guests_are_up(const guests *guests);

/*
 * Sends what is due, and lets in the visitors that are due and know |known|;
 * nothing is due before |windows->start| or from |stop| on.  Returns when it is
 * to be called again.
 */
uint64_t guests_run(guests *guests, const guests_hashes *known, uint64_t stop,
                    uint64_t now);

/* Something came: |tag| is what epoll has told. */
void guests_receive(guests *guests, void *tag);

/* How many visitors are there; how many of them have no session yet and know
   nothing of |number|. */
size_t guests_visiting(const guests *guests);
size_t guests_behind(const guests *guests, uint64_t number);

const guests_counts *guests_count(const guests *guests);

#endif
