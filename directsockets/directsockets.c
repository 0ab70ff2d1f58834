/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of the shim that is C: the rings, and what may be sent where.
 * The other half is libdirectsockets.js, which tells the design.
 */
#include "directsockets/directsockets.h"

#include <stdlib.h>
#include <string.h>

#define RECEIVE_SLOTS 256u
#define SEND_SLOTS 128u
#define SLOTS_MAX 4096u
#define KERNEL_BUFFER (1u << 20)

/* JavaScript reads and writes this by index (DS_FIELD in the library): 32-bit
   words, in this order. */
struct ds_socket {
  uint32_t receive_head;  /* 0: counted up by JavaScript */
  uint32_t receive_tail;  /* 1: counted up here, when slots are free again */
  uint32_t send_head;     /* 2: counted up here */
  uint32_t send_tail;     /* 3: counted up by JavaScript */
  int32_t error;          /* 4: set by JavaScript */
  uint32_t blocked;       /* 5: set here, cleared by JavaScript */
  uint32_t dropped_in;    /* 6: counted by JavaScript */
  uint32_t dropped_out;   /* 7: counted by both */
  uint32_t reopened;      /* 8: counted by JavaScript */
  uint32_t ipv6;          /* 9: the rest is set when it opens */
  uint32_t local_port;    /* 10 */
  uint8_t local_ip[16];   /* 11 to 14 */
  uint32_t receive_slots; /* 15: how many */
  uint32_t send_slots;    /* 16 */
  ds_datagram *receive;   /* 17: where */
  ds_datagram *send;      /* 18 */
  uint32_t receive_next;  /* 19: counted up here, when slots are handed out */
  /* What follows is not JavaScript's business. */
  uint32_t given; /* slots behind send_head that the caller fills */
  int ipv6_only;
  int multicast;
  int loopback;
};

_Static_assert(offsetof(ds_socket, local_ip) == 44, "DS_FIELD");
_Static_assert(offsetof(ds_socket, receive_next) == 76, "DS_FIELD");
_Static_assert(offsetof(ds_datagram, data) == 24, "DS_SLOT");
_Static_assert(sizeof(ds_datagram) == 24 + DS_DATA_MAX, "DS_SLOT");

/* libdirectsockets.js */
int ds_js_open(ds_socket *socket, const char *address, int port, int ipv6_only,
               uint32_t receive_buffer, uint32_t send_buffer);
void ds_js_close(ds_socket *socket);
void ds_js_send(ds_socket *socket);

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xff, 0xff};
static const uint8_t unspecified[16];
static const uint8_t loopback6[16] = {[15] = 1};

static int is_mapped(const uint8_t *ip) {
  return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static int is_loopback(const uint8_t *ip) {
  return is_mapped(ip) ? ip[12] == 127 : memcmp(ip, loopback6, 16) == 0;
}

static int is_unspecified(const uint8_t *ip) {
  return memcmp(ip, unspecified, 16) == 0 ||
         (is_mapped(ip) && memcmp(ip + 12, unspecified, 4) == 0);
}

static int is_power_of_two(uint32_t n) { return n != 0 && (n & (n - 1)) == 0; }

int ds_open(ds_socket **psocket, const ds_options *options) {
  uint32_t nreceive =
      options->receive_slots ? options->receive_slots : RECEIVE_SLOTS;
  uint32_t nsend = options->send_slots ? options->send_slots : SEND_SLOTS;
  ds_socket *socket;
  int rv;

  *psocket = NULL;
  if (!options->address || !is_power_of_two(nreceive) ||
      !is_power_of_two(nsend) || nreceive > SLOTS_MAX || nsend > SLOTS_MAX) {
    return DS_ERR_INVALID;
  }

  socket = calloc(1, sizeof(*socket));
  if (!socket) {
    return DS_ERR_NOMEM;
  }
  socket->receive_slots = nreceive;
  socket->send_slots = nsend;
  socket->ipv6_only = options->ipv6_only;
  socket->multicast = options->multicast;
  socket->receive = malloc(nreceive * sizeof(*socket->receive));
  if (!socket->receive) {
    rv = DS_ERR_NOMEM;
    goto fail_receive;
  }
  socket->send = malloc(nsend * sizeof(*socket->send));
  if (!socket->send) {
    rv = DS_ERR_NOMEM;
    goto fail_send;
  }

  rv = ds_js_open(socket, options->address, options->port, options->ipv6_only,
                  options->receive_buffer ? options->receive_buffer
                                          : KERNEL_BUFFER,
                  options->send_buffer ? options->send_buffer : KERNEL_BUFFER);
  if (rv != 0) {
    goto fail_open;
  }
  socket->loopback = is_loopback(socket->local_ip);
  *psocket = socket;
  return 0;

fail_open:
  free(socket->send);
fail_send:
  free(socket->receive);
fail_receive:
  free(socket);
  return rv;
}

void ds_close(ds_socket *socket) {
  if (!socket) {
    return;
  }
  ds_js_close(socket);
  free(socket->send);
  free(socket->receive);
  free(socket);
}

void ds_local(const ds_socket *socket, uint8_t ip[16], uint16_t *port,
              int *ipv6) {
  memcpy(ip, socket->local_ip, 16);
  *port = (uint16_t)socket->local_port;
  if (ipv6) {
    *ipv6 = (int)socket->ipv6;
  }
}

size_t ds_receive(ds_socket *socket, ds_datagram **datagrams, size_t n) {
  uint32_t ready;
  uint32_t i;

  socket->receive_tail = socket->receive_next;
  ready = socket->receive_head - socket->receive_next;
  if (n < ready) {
    ready = (uint32_t)n;
  }
  for (i = 0; i < ready; i++) {
    datagrams[i] = &socket->receive[(socket->receive_next + i) &
                                    (socket->receive_slots - 1)];
  }
  socket->receive_next += ready;
  return ready;
}

size_t ds_send_begin(ds_socket *socket, ds_datagram **datagrams, size_t n) {
  uint32_t room = socket->send_slots - (socket->send_head - socket->send_tail);
  uint32_t i;

  socket->blocked = room < n;
  if (n < room) {
    room = (uint32_t)n;
  }
  for (i = 0; i < room; i++) {
    datagrams[i] =
        &socket->send[(socket->send_head + i) & (socket->send_slots - 1)];
  }
  socket->given = room;
  return room;
}

/* Whether a write to |d|'s target would error the stream, see the table in
   the library's header. */
static int refused(const ds_socket *socket, const ds_datagram *d) {
  const uint8_t *ip = d->ip;
  int mapped = is_mapped(ip);

  if (d->len == 0 || d->len > DS_DATA_MAX || d->port == 0 || d->port > 65535 ||
      is_unspecified(ip)) {
    return 1;
  }
  if (mapped) {
    if (socket->ipv6 &&
        (socket->ipv6_only ||
         (!is_unspecified(socket->local_ip) && !is_mapped(socket->local_ip)))) {
      return 1;
    }
    /* "This network" (RFC 1122, section 3.2.1.3), the limited broadcast, and
       the broadcast address of the loopback network. */
    if (ip[12] == 0 || memcmp(ip + 12, "\xff\xff\xff\xff", 4) == 0 ||
        memcmp(ip + 12, "\x7f\xff\xff\xff", 4) == 0) {
      return 1;
    }
    if ((ip[12] & 0xf0) == 0xe0 && !socket->multicast) {
      return 1;
    }
  } else {
    if (!socket->ipv6 || is_mapped(socket->local_ip)) {
      return 1;
    }
    if (ip[0] == 0xff && !socket->multicast) {
      return 1;
    }
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
      return 1;
    }
  }
  return socket->loopback && !is_loopback(ip);
}

void ds_send(ds_socket *socket, size_t n) {
  uint32_t i;

  if (n > socket->given) {
    n = socket->given;
  }
  socket->given = 0;
  for (i = 0; i < n; i++) {
    ds_datagram *d =
        &socket->send[(socket->send_head + i) & (socket->send_slots - 1)];
    if (refused(socket, d)) {
      /* An empty slot: JavaScript steps over it. */
      d->len = 0;
      socket->dropped_out++;
    }
  }
  socket->send_head += (uint32_t)n;
  if (n > 0) {
    ds_js_send(socket);
  }
}

size_t ds_unsent(const ds_socket *socket) {
  return socket->send_head - socket->send_tail;
}

int ds_status(const ds_socket *socket) { return socket->error; }

void ds_count(const ds_socket *socket, ds_counters *counters) {
  counters->dropped_in = socket->dropped_in;
  counters->dropped_out = socket->dropped_out;
  counters->reopened = socket->reopened;
}
