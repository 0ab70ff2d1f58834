/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp.h over Direct Sockets (directsockets/directsockets.h).
 *
 * There is no ECN, no local address of a single datagram, and no GSO on the
 * web.  What is received and what is sent stays in the rings of ds_socket: a
 * batch is a list of pointers into them.
 */
#include "server/udp.h"

#include <stdlib.h>
#include <string.h>

#include "directsockets/directsockets.h"

#define BATCH 64

_Static_assert(UDP_RECEIVE_MAX <= DS_DATA_MAX, "slots are too small");
_Static_assert(UDP_SEND_MAX <= DS_DATA_MAX, "slots are too small");

struct udp_socket {
  ds_socket *ds;
  udp_address local;
  int ipv6;
  uint64_t dropped;
  size_t given;
  udp_datagram in[BATCH];
  udp_datagram out[BATCH];
  ds_datagram *out_slots[BATCH];
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xff, 0xff};

static void address_from_ds(udp_address *address, const uint8_t ip[16],
                            uint16_t port, int ipv6) {
  memset(address, 0, sizeof(*address));
  if (ipv6) {
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons(port);
    memcpy(&address->in6.sin6_addr, ip, 16);
  } else {
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons(port);
    memcpy(&address->in.sin_addr, ip + 12, 4);
  }
}

static void address_to_ds(ds_datagram *d, const udp_address *address) {
  if (address->sa.sa_family == AF_INET6) {
    memcpy(d->ip, &address->in6.sin6_addr, 16);
    d->port = ntohs(address->in6.sin6_port);
  } else {
    memcpy(d->ip, mapped_prefix, sizeof(mapped_prefix));
    memcpy(d->ip + 12, &address->in.sin_addr, 4);
    d->port = ntohs(address->in.sin_port);
  }
}

static int udp_error_from_ds(int rv) {
  switch (rv) {
  case DS_ERR_NOMEM:
    return UDP_ERR_NOMEM;
  case DS_ERR_INVALID:
    return UDP_ERR_INVALID;
  case DS_ERR_PORT_BUSY:
    return UDP_ERR_PORT_BUSY;
  case DS_ERR_PERMISSION:
    return UDP_ERR_PERMISSION;
  case DS_ERR_ADDRESS_NOT_AVAILABLE:
    return UDP_ERR_ADDRESS_NOT_AVAILABLE;
  default:
    return UDP_ERR_IO;
  }
}

int udp_open(udp_socket **psocket, const udp_options *options) {
  ds_options ds = {.address = options->address, .port = options->port};
  udp_address address;
  udp_socket *socket;
  uint8_t ip[16];
  uint16_t port;
  int rv;

  *psocket = NULL;
  if (!options->address ||
      udp_address_parse(&address, options->address, options->port) != 0) {
    return UDP_ERR_INVALID;
  }
  socket = calloc(1, sizeof(*socket));
  if (!socket) {
    return UDP_ERR_NOMEM;
  }
  rv = ds_open(&socket->ds, &ds);
  if (rv != 0) {
    free(socket);
    return udp_error_from_ds(rv);
  }
  ds_local(socket->ds, ip, &port, &socket->ipv6);
  address_from_ds(&socket->local, ip, port, socket->ipv6);
  *psocket = socket;
  return 0;
}

void udp_close(udp_socket *socket) {
  if (!socket) {
    return;
  }
  ds_close(socket->ds);
  free(socket);
}

int udp_add(udp_socket *socket, const udp_options *options) {
  (void)socket;
  (void)options;
  return UDP_ERR_FULL;
}

const udp_address *udp_local_address(const udp_socket *socket, size_t i) {
  return i == 0 ? &socket->local : NULL;
}

int udp_receive(udp_socket *socket, udp_batch *in) {
  ds_datagram *slots[BATCH];
  size_t n;
  size_t i;

  in->datagrams = socket->in;
  in->count = 0;
  in->capacity = 0;
  if (ds_status(socket->ds) != 0) {
    return UDP_ERR_IO;
  }
  n = ds_receive(socket->ds, slots, BATCH);
  for (i = 0; i < n; i++) {
    udp_datagram *d;

    if (slots[i]->port == 0) {
      /* Nobody can be answered there. */
      socket->dropped++;
      continue;
    }
    d = &socket->in[in->count++];
    address_from_ds(&d->remote, slots[i]->ip, (uint16_t)slots[i]->port,
                    socket->ipv6);
    d->local = socket->local;
    d->data = slots[i]->data;
    d->len = slots[i]->len;
    d->ecn = 0;
  }
  return 0;
}

void udp_send_begin(udp_socket *socket, udp_batch *out) {
  size_t n = ds_send_begin(socket->ds, socket->out_slots, BATCH);
  size_t i;

  for (i = 0; i < n; i++) {
    udp_datagram *d = &socket->out[i];

    d->data = socket->out_slots[i]->data;
    d->len = 0;
    d->ecn = 0;
  }
  socket->given = n;
  out->datagrams = socket->out;
  out->count = 0;
  out->capacity = n;
}

int udp_send(udp_socket *socket, udp_batch *out) {
  size_t n = out->count < socket->given ? out->count : socket->given;
  size_t i;

  for (i = 0; i < n; i++) {
    address_to_ds(socket->out_slots[i], &socket->out[i].remote);
    socket->out_slots[i]->len = (uint32_t)socket->out[i].len;
  }
  ds_send(socket->ds, n);
  socket->given = 0;
  out->count = 0;
  out->capacity = 0;
  return ds_status(socket->ds) == 0 ? 0 : UDP_ERR_IO;
}

int udp_send_pending(const udp_socket *socket) {
  return ds_unsent(socket->ds) > 0;
}

uint64_t udp_dropped(const udp_socket *socket) {
  ds_counters counters;

  ds_count(socket->ds, &counters);
  return socket->dropped + counters.dropped_in + counters.dropped_out;
}
