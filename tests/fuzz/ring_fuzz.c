/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of the Direct Sockets shim, with C playing the part of
 * libdirectsockets.js: what a peer sends comes out as it was and in order, and
 * what must not be sent is not.
 *
 * The layout that JavaScript relies on is that of 32-bit pointers; here they
 * are longer, and nobody relies on it.
 */
#define _Static_assert(CONDITION, WHY) struct fuzz_no_assertion
#include "directsockets/directsockets.c"
#undef _Static_assert

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#define SLOTS 4u

static ds_socket *open_socket;
static const uint8_t *local_ip;
static int local_ipv6;
/* Datagrams put in and taken out, sent and seen by "JavaScript". */
static uint32_t put, got, given, seen;

int ds_js_open(ds_socket *socket, const char *address, int port, int ipv6_only,
               uint32_t receive_buffer, uint32_t send_buffer) {
  (void)address;
  (void)ipv6_only;
  (void)receive_buffer;
  (void)send_buffer;
  open_socket = socket;
  socket->local_port = (uint32_t)port;
  socket->ipv6 = (uint32_t)local_ipv6;
  memcpy(socket->local_ip, local_ip, 16);
  return port == 1 ? DS_ERR_PERMISSION : 0;
}

void ds_js_close(ds_socket *socket) {
  FUZZ_CHECK(socket == open_socket);
  open_socket = NULL;
}

void ds_js_send(ds_socket *socket) { FUZZ_CHECK(socket == open_socket); }

/* A datagram comes in, if there is room. */
static void arrive(ds_socket *socket, fuzz_input *in) {
  ds_datagram *slot;

  FUZZ_CHECK(socket->receive_head - socket->receive_tail <= SLOTS);
  if (socket->receive_head - socket->receive_tail == SLOTS) {
    return;
  }
  slot = &socket->receive[socket->receive_head & (SLOTS - 1)];
  slot->port = put;
  slot->len = fuzz_u16(in) % (DS_DATA_MAX + 1);
  memset(slot->data, (int)(put & 0xff), slot->len);
  ++put;
  ++socket->receive_head;
}

static void receive(ds_socket *socket, size_t n) {
  ds_datagram *datagrams[2 * SLOTS];
  size_t i, m = ds_receive(socket, datagrams, n);

  FUZZ_CHECK(m <= n && m <= SLOTS);
  for (i = 0; i < m; ++i, ++got) {
    FUZZ_CHECK(datagrams[i]->port == got && datagrams[i]->len <= DS_DATA_MAX);
    if (datagrams[i]->len) {
      FUZZ_CHECK(datagrams[i]->data[datagrams[i]->len - 1] == (got & 0xff));
      datagrams[i]->data[0] = 0;
    }
  }
  FUZZ_CHECK(got <= put && put - got <= SLOTS);
}

static void send_some(ds_socket *socket, fuzz_input *in) {
  ds_datagram *datagrams[2 * SLOTS];
  size_t want = fuzz_u8(in) % (2 * SLOTS + 1), i, m, n;

  m = ds_send_begin(socket, datagrams, want);
  FUZZ_CHECK(m <= want && m <= SLOTS);
  for (i = 0; i < m; ++i) {
    const uint8_t *ip;
    size_t len = fuzz_take(in, &ip, 16);

    memset(datagrams[i]->ip, 0, 16);
    if (len) {
      memcpy(datagrams[i]->ip, ip, len);
    }
    datagrams[i]->port = fuzz_u32(in) >> 8;
    datagrams[i]->len = fuzz_u16(in);
    memset(datagrams[i]->data, 7, DS_DATA_MAX);
  }
  n = fuzz_u8(in) % (2 * SLOTS + 1);
  ds_send(socket, n);
  given += (uint32_t)(n < m ? n : m);
  FUZZ_CHECK(ds_unsent(socket) == given - seen);
}

/* "JavaScript" takes one, or finds that there is none. */
static void depart(ds_socket *socket) {
  const ds_datagram *slot;

  if (socket->send_tail == socket->send_head) {
    return;
  }
  slot = &socket->send[socket->send_tail & (SLOTS - 1)];
  if (slot->len) {
    const uint8_t *ip = slot->ip;

    FUZZ_CHECK(slot->len <= DS_DATA_MAX);
    FUZZ_CHECK(slot->port >= 1 && slot->port <= 65535);
    FUZZ_CHECK(socket->ipv6 || is_mapped(ip));
    FUZZ_CHECK(!is_unspecified(ip));
    FUZZ_CHECK(!socket->loopback || is_loopback(ip));
    if (is_mapped(ip)) {
      FUZZ_CHECK(ip[12] != 0 && memcmp(ip + 12, "\xff\xff\xff\xff", 4) != 0);
      FUZZ_CHECK(socket->multicast || (ip[12] & 0xf0) != 0xe0);
      FUZZ_CHECK(!socket->ipv6 || !socket->ipv6_only);
    } else {
      FUZZ_CHECK(socket->multicast || ip[0] != 0xff);
    }
  }
  ++socket->send_tail;
  ++seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t addresses[][16] = {
      {0},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1},
      {[15] = 1},
      {0x20, 1, 0xd, 0xb8, [15] = 9}};
  fuzz_input in = {data, size};
  ds_options options;
  ds_counters counters;
  ds_socket *socket;
  uint8_t flags = fuzz_u8(&in);
  int rv;

  memset(&options, 0, sizeof(options));
  options.address = "::";
  options.port = flags == 0xff ? 1 : 4433;
  options.receive_slots = options.send_slots = SLOTS;
  options.ipv6_only = flags & 1;
  options.multicast = (flags & 2) != 0;
  local_ip = addresses[(flags >> 2) % 6];
  local_ipv6 = memcmp(local_ip, mapped_prefix, sizeof(mapped_prefix)) != 0;
  put = got = given = seen = 0;
  rv = ds_open(&socket, &options);
  FUZZ_CHECK((rv == 0) == (socket != NULL));
  if (rv != 0) {
    return 0;
  }
  while (in.len) {
    uint8_t op = fuzz_u8(&in);

    switch (op % 5) {
    case 0:
    case 1:
      arrive(socket, &in);
      break;
    case 2:
      receive(socket, (op >> 3) % (2 * SLOTS + 1));
      break;
    case 3:
      send_some(socket, &in);
      break;
    default:
      depart(socket);
    }
  }
  while (got < put) {
    receive(socket, SLOTS);
  }
  while (seen < given) {
    depart(socket);
  }
  ds_count(socket, &counters);
  FUZZ_CHECK(counters.dropped_out <= given);
  ds_close(socket);
  return 0;
}
