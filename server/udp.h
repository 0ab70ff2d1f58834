/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of UDP datagrams in, a batch out.
 *
 * This is the floor of the server: everything above it is free of system
 * calls and takes the time as an argument.  udp_posix.c carries it out with
 * recvmmsg and sendmmsg, udp_web.c with Direct Sockets.  Nothing here blocks
 * or suspends except udp_open(); waiting is the host's business (poll(2) on
 * udp_posix_pollfds() in main.c, ds_wait() in main_web.c).
 */
#ifndef SERVER_UDP_H
#define SERVER_UDP_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room in each slot for sending: no QUIC packet of ours is larger. */
#define UDP_SEND_MAX 1500

/* Room in each slot for receiving: larger datagrams are dropped whole. */
#define UDP_RECEIVE_MAX 2048

/* Addresses that one udp_socket can be bound to; on the web only one. */
#define UDP_ADDRESSES_MAX 8

/* Text of an address and port: "[" 45 octets "]:" 5 digits NUL. */
#define UDP_ADDRESS_TEXT_MAX 64

typedef enum udp_error {
  UDP_ERR_NOMEM = -501,
  /* The options are unusable: not an address, or a port out of range. */
  UDP_ERR_INVALID = -502,
  UDP_ERR_PORT_BUSY = -503,
  UDP_ERR_PERMISSION = -504,
  UDP_ERR_ADDRESS_NOT_AVAILABLE = -505,
  /* The socket is beyond use and could not be opened again. */
  UDP_ERR_IO = -506,
  /* It has as many addresses as it can have. */
  UDP_ERR_FULL = -507
} udp_error;

typedef union udp_address {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} udp_address;

/* One datagram.  |data| points into the socket's own memory. */
typedef struct udp_datagram {
  /* The peer's address; when sending, where the datagram goes. */
  udp_address remote;
  /* The address of ours that it came to; when sending, the one it leaves
     from.  Where the platform cannot tell: the bound address. */
  udp_address local;
  uint8_t *data;
  /* Octets in |data|. */
  size_t len;
  /* The two ECN bits of the IP header (RFC 3168), 0 where unknown. */
  uint8_t ecn;
} udp_datagram;

typedef struct udp_batch {
  udp_datagram *datagrams;
  /* How many are filled. */
  size_t count;
  /* How many may be filled (sending only). */
  size_t capacity;
} udp_batch;

typedef struct udp_options {
  /* A literal IPv4 or IPv6 address; "::" is dual-stack. */
  const char *address;
  /* 0: any free port. */
  uint16_t port;
} udp_options;

typedef struct udp_socket udp_socket;

/*
 * Opens and binds a socket.  On the web this suspends.  The caller frees it
 * with udp_close().  Fails with UDP_ERR_NOMEM, _INVALID, _PORT_BUSY,
 * _PERMISSION, _ADDRESS_NOT_AVAILABLE or _IO.
 */
int udp_open(udp_socket **psocket, const udp_options *options);

/* Binds |socket| to one more address: what comes there is received with the
   rest, and what is sent leaves by the one that is its local address.  Fails as
   udp_open(), and with UDP_ERR_FULL; |socket| is as before then. */
int udp_add(udp_socket *socket, const udp_options *options);

/* Closes |socket| and frees it; NULL is allowed.  On the web this suspends
   until the port is free again. */
void udp_close(udp_socket *socket);

/* The bound address number |i|, in the order of udp_open() and udp_add(), with
   the real port; NULL if there are not so many.  Lives as long as |socket|. */
const udp_address *udp_local_address(const udp_socket *socket, size_t i);

/*
 * Fills |in| with the datagrams that are there, without waiting; |in->count|
 * may be 0.  They stay valid until the next udp_receive() on |socket|, and
 * may be written to.  |in->datagrams| belongs to the socket.  Errors that
 * concern one peer (ICMP) are not errors of the socket and are swallowed.
 * Fails with UDP_ERR_IO.
 */
int udp_receive(udp_socket *socket, udp_batch *in);

/*
 * Hands out the slots that are free for sending: |out->capacity| of them, each
 * with UDP_SEND_MAX octets at |data|; |out->count| is 0.  A capacity of 0
 * means that the socket's queue is full: wait until it is writable.
 */
void udp_send_begin(udp_socket *socket, udp_batch *out);

/*
 * Sends the first |out->count| slots of the batch that udp_send_begin() gave.
 * What the kernel will not take now is kept and sent by a later call; what
 * it will never take (a peer that is unreachable, a target that would kill
 * the socket) is dropped and counted.  Calling it with a count of 0 retries
 * what was kept.  Fails with UDP_ERR_IO.
 */
int udp_send(udp_socket *socket, udp_batch *out);

/* Whether something that udp_send() kept still waits to be sent. */
int udp_send_pending(const udp_socket *socket);

/* Datagrams that udp_send() or udp_receive() dropped so far. */
uint64_t udp_dropped(const udp_socket *socket);

/* Octets in |address| that count for the system: its family's size. */
socklen_t udp_address_len(const udp_address *address);

/* 1 if both are the same family, address and port, else 0. */
int udp_address_eq(const udp_address *a, const udp_address *b);

/* Writes "127.0.0.1:443" or "[::1]:443" into |text|; returns |text|. */
const char *udp_address_text(char text[UDP_ADDRESS_TEXT_MAX],
                             const udp_address *address);

/* Parses a literal address without a port.  UDP_ERR_INVALID if it is none. */
int udp_address_parse(udp_address *address, const char *text, uint16_t port);

#endif
