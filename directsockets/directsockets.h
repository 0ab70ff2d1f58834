/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP for WebAssembly, over the Direct Sockets API (a UDPSocket) and JSPI.
 *
 * A program owns its sockets from one thread, in a loop of this shape:
 *
 *   ds_open(&socket, &options);
 *   for (;;) {
 *     ds_wait(milliseconds until my next deadline);
 *     while ((n = ds_receive(socket, in, 64)) > 0)
 *       ... look at in[0..n-1] ...
 *     n = ds_send_begin(socket, out, 64);
 *     ... fill out[0..m-1], m <= n ...
 *     ds_send(socket, m);
 *   }
 *
 * Only ds_open(), ds_wait() and ds_close() suspend (JSPI: the caller must be
 * below an export named in -sJSPI_EXPORTS).  Datagrams travel through two
 * rings in WASM memory, so ds_receive() and ds_send_begin() are plain C and
 * call nothing.  While the program is suspended nothing enters it; JavaScript
 * that wants its attention calls Module.dsWake().
 *
 * What stands behind this is told at the head of libdirectsockets.js.
 */
#ifndef DIRECTSOCKETS_DIRECTSOCKETS_H
#define DIRECTSOCKETS_DIRECTSOCKETS_H

#include <stddef.h>
#include <stdint.h>

/* Room for the octets of one datagram.  Longer ones are dropped whole when
   they arrive, and cannot be sent. */
#define DS_DATA_MAX 2048

typedef enum ds_error {
  DS_ERR_NOMEM = -601,
  /* Options that no socket can have. */
  DS_ERR_INVALID = -602,
  DS_ERR_PORT_BUSY = -603,
  /* Refused by a policy, or by the user: also each port below 1024. */
  DS_ERR_PERMISSION = -604,
  DS_ERR_ADDRESS_NOT_AVAILABLE = -605,
  /* The socket broke and could not be opened again. */
  DS_ERR_IO = -606,
  /* There is no UDPSocket here, or no JSPI. */
  DS_ERR_NOT_SUPPORTED = -607,
  /* Another call of ds_wait() is suspended already. */
  DS_ERR_BUSY = -608
} ds_error;

/* One datagram: a slot of a ring. */
typedef struct ds_datagram {
  /* The peer's address in network byte order; an IPv4 address as
     ::ffff:a.b.c.d. */
  uint8_t ip[16];
  /* The peer's port, in host byte order. */
  uint32_t port;
  /* Octets in |data|. */
  uint32_t len;
  uint8_t data[DS_DATA_MAX];
} ds_datagram;

typedef struct ds_options {
  /* A literal address.  "::" takes IPv4 peers as well. */
  const char *address;
  /* 0: any free port. */
  uint16_t port;
  /* Slots of the rings, powers of two; 0: 256 to receive, 128 to send. */
  uint32_t receive_slots;
  uint32_t send_slots;
  /* Octets asked of the kernel's buffers, which may give less; 0: 1 MiB. */
  uint32_t receive_buffer;
  uint32_t send_buffer;
  /* 1: with "::", no IPv4 peers. */
  int ipv6_only;
  /* 1: datagrams to multicast groups are sent, not dropped.  Chromium errors
     the stream for them unless it runs with multicast allowed. */
  int multicast;
} ds_options;

typedef struct ds_counters {
  /* Datagrams dropped on their way in (too long) and out (a target that would
     kill the stream, or did). */
  uint32_t dropped_in;
  uint32_t dropped_out;
  /* How often a broken socket was opened again. */
  uint32_t reopened;
} ds_counters;

typedef struct ds_socket ds_socket;

/*
 * Opens a socket bound to |options->address|.  Suspends.  The caller frees it
 * with ds_close().  A port that this module closed in the last second and that
 * the browser still holds is waited for.  Fails with DS_ERR_NOMEM, _INVALID,
 * _PORT_BUSY, _PERMISSION, _ADDRESS_NOT_AVAILABLE, _IO or _NOT_SUPPORTED.
 */
int ds_open(ds_socket **psocket, const ds_options *options);

/*
 * Waits, at most a second, until what was sent is on its way, closes |socket|,
 * waits until its port is free, and frees it.  Suspends.  NULL is allowed.
 */
void ds_close(ds_socket *socket);

/* The bound address: 16 octets in |ip|, an IPv4 one as ::ffff:a.b.c.d.
   |*ipv6| (may be NULL) tells the socket's family: 1 for IPv6. */
void ds_local(const ds_socket *socket, uint8_t ip[16], uint16_t *port,
              int *ipv6);

/* The answer of ds_wait(), or-ed. */
typedef enum ds_ready {
  /* A socket has datagrams that ds_receive() has not given yet.  Those that
     the caller left there once are told again only when more have come. */
  DS_READY_RECEIVE = 1,
  /* A socket whose ring was full (ds_send_begin() gave fewer slots than were
     asked for) has room in half of it again. */
  DS_READY_SEND = 2,
  /* Module.dsWake() was called. */
  DS_READY_WAKE = 4,
  /* A socket is beyond repair: ds_status() tells. */
  DS_READY_ERROR = 8
} ds_ready;

/*
 * Suspends until a socket of this module is ready, somebody calls
 * Module.dsWake(), or |timeout| milliseconds are over (rounded up to whole
 * ones: the timer of a worker knows no less).  A negative |timeout| is
 * without end, 0 lets the event loop turn once.  A socket that has more than a
 * few datagrams to send holds back what comes, who calls, and the end of the
 * time, until some have left, though no longer than 20 ms: what gathered is
 * taken up at once then.  Returns what is ready, or-ed from ds_ready; 0 when
 * the time is over.  Fails with DS_ERR_BUSY or DS_ERR_NOT_SUPPORTED.
 */
int ds_wait(double timeout);

/*
 * Takes up to |n| received datagrams: pointers into the ring are written to
 * |datagrams|, and their count is returned.  They may be written to and stay
 * valid until the next ds_receive() or ds_close() on |socket|.
 */
size_t ds_receive(ds_socket *socket, ds_datagram **datagrams, size_t n);

/*
 * Hands out up to |n| slots for sending, and returns how many there are.
 * The caller fills |ip|, |port|, |len| and |data|, in order, and calls
 * ds_send().  Slots that it does not send are free again.
 */
size_t ds_send_begin(ds_socket *socket, ds_datagram **datagrams, size_t n);

/*
 * Sends the first |n| slots that ds_send_begin() gave.  A datagram whose
 * target would kill the stream is dropped and counted: port 0, no octets, the
 * unspecified address, broadcast, multicast (unless opened for it), link-local
 * (Direct Sockets has no scopes), anything but loopback from a loopback bind,
 * and the other family where the socket has but one.
 */
void ds_send(ds_socket *socket, size_t n);

/* Datagrams that ds_send() took and the stream has not yet. */
size_t ds_unsent(const ds_socket *socket);

/* 0, or DS_ERR_IO once the socket could not be opened again. */
int ds_status(const ds_socket *socket);

void ds_count(const ds_socket *socket, ds_counters *counters);

#endif
