/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected UDP socket for the load generator: batches in, batches out.  Not
 * the server's udp_posix.c, which serves all peers from one socket; here every
 * client has a port of its own, as real clients have.
 */
#ifndef TESTS_SIM_SOCKET_POSIX_H
#define TESTS_SIM_SOCKET_POSIX_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SIM_BATCH 64
#define SIM_BATCH_OCTETS 2048

/* The kernel may hand over a run of datagrams in one buffer. */
#define SIM_BUFFERS 16
#define SIM_BUFFER_OCTETS 65536
#define SIM_ARRIVALS ((size_t)SIM_BUFFERS * 64)

typedef union sim_address {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_storage storage;
} sim_address;

/* Datagrams on their way out; one of these is enough for a program. */
typedef struct sim_batch {
  size_t count;
  size_t len[SIM_BATCH];
  uint8_t data[SIM_BATCH][SIM_BATCH_OCTETS];
} sim_batch;

/* Datagrams that have come, until the next are asked for; one of these is
   enough for a program. */
typedef struct sim_arrivals {
  size_t count;
  /* Whether there may be others by now. */
  int more;
  size_t len[SIM_ARRIVALS];
  const uint8_t *data[SIM_ARRIVALS];
  uint8_t octets[SIM_BUFFERS][SIM_BUFFER_OCTETS];
} sim_arrivals;

typedef struct sim_socket {
  int fd;
  /* Whether the kernel takes runs (UDP_SEGMENT). */
  int segments;
  sim_address local;
  sim_address remote;
  socklen_t address_len;
} sim_socket;

/* Resolves |host| (a name or a literal address).  0, or -1. */
int sim_address_resolve(sim_address *address, socklen_t *len, const char *host,
                        const char *port);

/* Opens a socket connected to |remote|.  0, or -1 with errno. */
int sim_socket_open(sim_socket *sock, const sim_address *remote, socklen_t len);
void sim_socket_close(sim_socket *sock);

/* Fills |arrivals| with what is there, without waiting; the errors of the
   network are losses. */
void sim_socket_receive(sim_socket *sock, sim_arrivals *arrivals);

/* Sends |batch| and empties it.  Returns the datagrams that the kernel took;
   it waits for room in the socket's buffer, at most a second. */
size_t sim_socket_send(sim_socket *sock, sim_batch *batch);

#endif
