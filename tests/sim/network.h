/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network that is not there: one server, any number of clients, and packets
 * that take their time, all in virtual nanoseconds.  What a link loses, delays,
 * doubles, reorders or corrupts is drawn from the network's own seed, so a run
 * can be repeated.
 *
 * The server is given as functions over udp_batch (server/udp.h); the network
 * never looks inside.  If anybody asks to be called over and over at the same
 * moment, the network gives up and says who: sim_network_spinning().
 */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include "server/udp.h"
#include "tests/sim/client.h"
#include "tests/sim/random.h"

#define SIM_MILLISECOND UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)

/* What may happen to packets in one direction. */
typedef struct sim_link {
  /* Nanoseconds on the way; plus up to |jitter| more, each packet its own
     (which reorders). */
  uint64_t delay;
  uint64_t jitter;
  /* Chances in a million. */
  uint32_t loss;
  uint32_t duplicate;
  uint32_t corrupt;
  /* Larger payloads vanish; 0: none. */
  size_t mtu;
} sim_link;

/* The server under test. */
typedef struct sim_server {
  void (*receive)(void *server, udp_batch *in, uint64_t now);
  /* Fills |out|; 1: there is more. */
  int (*send)(void *server, udp_batch *out, uint64_t now);
  uint64_t (*deadline)(void *server);
  void *server;
} sim_server;

typedef struct sim_network sim_network;

/* One datagram, as a filter sees it. */
typedef struct sim_packet {
  /* 1: from a client to the server. */
  int to_server;
  /* The client's side of the path. */
  const udp_address *client;
  const uint8_t *data;
  size_t len;
} sim_packet;

/* Asked for each packet before the link is: 0: let it go; 1: take it out (the
   filter may give it back later by sim_network_inject()). */
typedef int (*sim_filter)(sim_network *network, const sim_packet *packet,
                          void *user);

/* The time begins at 1 s.  NULL for want of memory. */
sim_network *sim_network_new(const sim_server *server, uint64_t seed);
/* Frees the clients too. */
void sim_network_free(sim_network *network);

uint64_t sim_network_now(const sim_network *network);
sim_random *sim_network_random(sim_network *network);
/* The address that the server is known by. */
const udp_address *sim_network_server_address(const sim_network *network);

/* Both directions; may be changed at any time.  At first 10 ms, no faults. */
void sim_network_set_link(sim_network *network, const sim_link *up,
                          const sim_link *down);
void sim_network_set_filter(sim_network *network, sim_filter filter,
                            void *user);

/*
 * Makes a client with an address of its own.  |path| and |random| of |config|
 * are set here.  It belongs to the network.  Errors as sim_client_new().
 */
int sim_network_add_client(sim_network *network,
                           const sim_client_config *config,
                           sim_client **pclient);

/* Takes a client away without a word: its packets, and those to it, vanish. */
void sim_network_remove_client(sim_network *network, sim_client *client);

/* The address of |client|; NULL if it is not here. */
const udp_address *sim_network_address(const sim_network *network,
                                       const sim_client *client);

/* Gives |client| another port, as a NAT does that forgot.  The client does not
   know. */
void sim_network_rebind(sim_network *network, sim_client *client);

/* The same, knowingly: another host and port, as a phone does that leaves its
   WLAN.  Errors as sim_client_migrate(). */
int sim_network_migrate(sim_network *network, sim_client *client);

/* An address that no client has; each call another one. */
udp_address sim_network_spare_address(sim_network *network);

/* Puts a datagram on the way to the server (arriving |delay| from now), as if
   it came from |from|.  0, or SIM_ERR_NOMEM. */
int sim_network_inject(sim_network *network, const udp_address *from,
                       const uint8_t *data, size_t len, uint64_t delay);

/* What the server sent to |address| so far. */
typedef struct sim_heard {
  uint64_t datagrams;
  uint64_t octets;
  /* The last one. */
  uint8_t data[UDP_RECEIVE_MAX];
  size_t len;
} sim_heard;

/* Counts from now on what goes to |address| (no client's); NULL for want of
   memory.  Belongs to the network. */
const sim_heard *sim_network_listen(sim_network *network,
                                    const udp_address *address);

/*
 * Lets time pass until |until| says 1 (0 is returned), or for at most |time|
 * nanoseconds (1 is returned).  |until| NULL: for all of |time|.  Returns -1
 * if somebody spins.
 */
int sim_network_run(sim_network *network, int (*until)(void *user), void *user,
                    uint64_t time);

/* NULL, or who would not let time pass: "server" or "client". */
const char *sim_network_spinning(const sim_network *network);

/* Datagrams delivered to the server and by it. */
uint64_t sim_network_delivered(const sim_network *network, int to_server);

#endif
