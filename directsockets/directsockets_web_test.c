/* SPDX-License-Identifier: Apache-2.0 */
#include "directsockets/directsockets.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <emscripten.h>

/* Longer than anything here takes, in milliseconds: a time-out, not a pace. */
#define PATIENCE 10000

/* clang-format off */

/* The class, where the platform has none: on Node. */
EM_ASYNC_JS(void, provide_udp_socket, (void), {
  globalThis.UDPSocket = globalThis.UDPSocket || (await import(
    '../../../directsockets/node/udp_socket.mjs')).UDPSocket;
});

/* Wakes ds_wait() after the program has gone to sleep. */
EM_JS(void, wake_later, (void), {
  setTimeout(Module.dsWake);
});

EM_JS(void, wake_now, (void), {
  Module.dsWake();
});

/* Sends datagrams of `size` octets to 127.0.0.1:`port`. */
EM_ASYNC_JS(void, send_from_outside, (int port, int size, int count), {
  const socket = new UDPSocket({localAddress : '127.0.0.1'});
  const {writable} = await socket.opened;
  const writer = writable.getWriter();
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(size);
    new DataView(data.buffer).setUint32(0, i, true);
    await writer.write({data, remoteAddress : '127.0.0.1', remotePort : port});
  }
  writer.releaseLock();
  await socket.close();
});

/* clang-format on */

static const uint8_t localhost4[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
static const uint8_t localhost6[16] = {[15] = 1};

static ds_socket *open_at(const char *address) {
  ds_options options = {.address = address};
  ds_socket *socket;

  assert_int_equal(ds_open(&socket, &options), 0);
  return socket;
}

static uint16_t port_of(const ds_socket *socket) {
  uint8_t ip[16];
  uint16_t port;

  ds_local(socket, ip, &port, NULL);
  return port;
}

/* Sends |len| octets, the first of which is |value|. */
static void send_one(ds_socket *socket, const uint8_t ip[16], uint16_t port,
                     uint8_t value, size_t len) {
  ds_datagram *out;

  while (ds_send_begin(socket, &out, 1) == 0) {
    assert_true(ds_wait(PATIENCE) > 0);
  }
  memcpy(out->ip, ip, 16);
  out->port = port;
  out->len = (uint32_t)len;
  memset(out->data, value, len);
  ds_send(socket, 1);
}

/* Waits for a datagram. */
static ds_datagram *receive_one(ds_socket *socket) {
  ds_datagram *in;

  while (ds_receive(socket, &in, 1) == 0) {
    assert_true(ds_wait(PATIENCE) > 0);
  }
  return in;
}

static void counters_are(const ds_socket *socket, uint32_t in, uint32_t out,
                         uint32_t reopened) {
  ds_counters counters;

  ds_count(socket, &counters);
  assert_int_equal(counters.dropped_in, in);
  assert_int_equal(counters.dropped_out, out);
  assert_int_equal(counters.reopened, reopened);
}

static void test_open_refused(void **state) {
  static const struct {
    ds_options options;
    int rv;
  } cases[] = {
      {{.address = NULL}, DS_ERR_INVALID},
      {{.address = "localhost"}, DS_ERR_INVALID},
      {{.address = ""}, DS_ERR_INVALID},
      {{.address = "127.0.0.1", .ipv6_only = 1}, DS_ERR_INVALID},
      {{.address = "127.0.0.1", .receive_slots = 3}, DS_ERR_INVALID},
      {{.address = "127.0.0.1", .send_slots = 8192}, DS_ERR_INVALID},
      {{.address = "127.0.0.1", .port = 80}, DS_ERR_PERMISSION},
      {{.address = "198.51.100.1"}, DS_ERR_ADDRESS_NOT_AVAILABLE},
      {{.address = "2001:db8::1"}, DS_ERR_ADDRESS_NOT_AVAILABLE},
  };
  ds_socket *first = open_at("127.0.0.1");
  ds_options busy = {.address = "127.0.0.1", .port = port_of(first)};
  ds_socket *socket = first;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ds_open(&socket, &cases[i].options), cases[i].rv);
    assert_null(socket);
  }
  assert_int_equal(ds_open(&socket, &busy), DS_ERR_PORT_BUSY);
  assert_null(socket);
  ds_close(first);
  /* Now it is free. */
  assert_int_equal(ds_open(&socket, &busy), 0);
  assert_int_equal(port_of(socket), busy.port);
  ds_close(socket);
  ds_close(NULL);
}

/* There and back between two bound addresses; |seen| is how the server sees
   the client. */
static void there_and_back(const char *server_at, const char *client_at,
                           const uint8_t target[16], const uint8_t seen[16]) {
  ds_socket *server = open_at(server_at);
  ds_socket *client = open_at(client_at);
  ds_datagram *in;
  uint8_t ip[16];
  size_t i;

  send_one(client, target, port_of(server), 0xa5, 1200);
  in = receive_one(server);
  assert_memory_equal(in->ip, seen, 16);
  assert_int_equal(in->port, port_of(client));
  assert_int_equal(in->len, 1200);
  for (i = 0; i < in->len; i++) {
    assert_int_equal(in->data[i], 0xa5);
  }
  /* Answered by the address as it was seen. */
  memcpy(ip, in->ip, 16);
  send_one(server, ip, (uint16_t)in->port, 0x5a, DS_DATA_MAX);
  in = receive_one(client);
  assert_memory_equal(in->ip, target, 16);
  assert_int_equal(in->port, port_of(server));
  assert_int_equal(in->len, DS_DATA_MAX);
  assert_int_equal(in->data[DS_DATA_MAX - 1], 0x5a);
  counters_are(server, 0, 0, 0);
  counters_are(client, 0, 0, 0);
  ds_close(client);
  ds_close(server);
}

static void test_there_and_back(void **state) {
  (void)state;
  there_and_back("127.0.0.1", "127.0.0.1", localhost4, localhost4);
  there_and_back("0.0.0.0", "127.0.0.1", localhost4, localhost4);
  there_and_back("::1", "::1", localhost6, localhost6);
  there_and_back("::", "::1", localhost6, localhost6);
  /* An IPv4 peer of a dual-stack socket. */
  there_and_back("::", "127.0.0.1", localhost4, localhost4);
}

static void test_local(void **state) {
  ds_socket *socket = open_at("127.0.0.1");
  uint8_t ip[16];
  uint16_t port;
  int ipv6;

  (void)state;
  ds_local(socket, ip, &port, &ipv6);
  assert_memory_equal(ip, localhost4, 16);
  assert_true(port >= 1024);
  assert_int_equal(ipv6, 0);
  ds_close(socket);
  socket = open_at("::1");
  ds_local(socket, ip, &port, &ipv6);
  assert_memory_equal(ip, localhost6, 16);
  assert_int_equal(ipv6, 1);
  ds_close(socket);
}

/* Many more datagrams than either ring has slots, in order. */
static void test_rings_wrap(void **state) {
  ds_options options = {
      .address = "127.0.0.1", .receive_slots = 16, .send_slots = 8};
  ds_socket *server;
  ds_socket *client;
  uint32_t sent = 0;
  uint32_t received = 0;

  (void)state;
  assert_int_equal(ds_open(&server, &options), 0);
  assert_int_equal(ds_open(&client, &options), 0);
  while (received < 2000) {
    ds_datagram *v[16];
    size_t n = ds_send_begin(client, v, 16);
    size_t i;

    assert_true(n <= 8);
    for (i = 0; i < n && sent < 2000; i++, sent++) {
      memcpy(v[i]->ip, localhost4, 16);
      v[i]->port = port_of(server);
      v[i]->len = sizeof(sent);
      memcpy(v[i]->data, &sent, sizeof(sent));
    }
    ds_send(client, i);
    while ((n = ds_receive(server, v, 5)) > 0) {
      for (i = 0; i < n; i++) {
        assert_int_equal(v[i]->len, sizeof(received));
        assert_memory_equal(v[i]->data, &received, sizeof(received));
        received++;
      }
    }
    assert_true(ds_wait(PATIENCE) > 0 || received == 2000);
  }
  counters_are(server, 0, 0, 0);
  ds_close(client);
  ds_close(server);
}

/* Datagrams that nobody takes wait outside of the ring. */
static void test_receive_ring_full(void **state) {
  ds_options options = {.address = "127.0.0.1", .receive_slots = 4};
  ds_socket *server;
  uint32_t i;

  (void)state;
  assert_int_equal(ds_open(&server, &options), 0);
  send_from_outside(port_of(server), 100, 60);
  /* Told once, and not again while they are left where they are. */
  assert_int_equal(ds_wait(PATIENCE), DS_READY_RECEIVE);
  assert_int_equal(ds_wait(20), 0);
  for (i = 0; i < 60; i++) {
    ds_datagram *in = receive_one(server);

    assert_int_equal(in->len, 100);
    assert_memory_equal(in->data, &i, sizeof(i));
  }
  ds_close(server);
}

static void test_send_ring_full(void **state) {
  ds_options options = {.address = "127.0.0.1", .send_slots = 4};
  ds_socket *client;
  ds_socket *server = open_at("127.0.0.1");
  ds_datagram *v[8];
  int rv;
  int i;

  (void)state;
  assert_int_equal(ds_open(&client, &options), 0);
  for (i = 0; i < 4; i++) {
    send_one(client, localhost4, port_of(server), 1, 1);
  }
  assert_int_equal(ds_unsent(client), 4);
  assert_int_equal(ds_send_begin(client, v, 8), 0);
  /* The server's datagrams may be told before. */
  do {
    rv = ds_wait(PATIENCE);
    assert_true(rv > 0);
  } while (!(rv & DS_READY_SEND));
  assert_true(ds_send_begin(client, v, 8) >= 2);
  /* Slots that are not sent are free again. */
  ds_send(client, 0);
  while (ds_unsent(client) > 0) {
    ds_wait(1);
  }
  assert_int_equal(ds_send_begin(client, v, 8), 4);
  /* More than were given are not sent. */
  for (i = 0; i < 4; i++) {
    v[i]->len = 0;
  }
  ds_send(client, 8);
  counters_are(client, 0, 4, 0);
  assert_int_equal(ds_unsent(client), 0);
  ds_close(client);
  ds_close(server);
}

static void test_too_long(void **state) {
  ds_socket *server = open_at("127.0.0.1");

  (void)state;
  send_from_outside(port_of(server), DS_DATA_MAX + 1, 1);
  send_from_outside(port_of(server), DS_DATA_MAX, 1);
  assert_int_equal(receive_one(server)->len, DS_DATA_MAX);
  counters_are(server, 1, 0, 0);
  ds_close(server);
}

static void test_wait(void **state) {
  ds_socket *socket = open_at("127.0.0.1");
  double start;
  int i;

  (void)state;
  start = emscripten_get_now();
  assert_int_equal(ds_wait(5), 0);
  assert_true(emscripten_get_now() - start >= 5);
  assert_int_equal(ds_wait(0), 0);
  /* The timer of a wait that ended early is still armed: a shorter wait must
     not take it for its own, nor a longer one. */
  wake_later();
  assert_int_equal(ds_wait(1e9), DS_READY_WAKE);
  start = emscripten_get_now();
  assert_int_equal(ds_wait(0.25), 0);
  assert_true(emscripten_get_now() - start >= 0.25);
  wake_later();
  assert_int_equal(ds_wait(50), DS_READY_WAKE);
  start = emscripten_get_now();
  assert_int_equal(ds_wait(200), 0);
  assert_true(emscripten_get_now() - start >= 200);
  /* Without end. */
  wake_later();
  assert_int_equal(ds_wait(-1), DS_READY_WAKE);
  /* A wake-up that comes before the wait is kept; two of them are one. */
  wake_now();
  wake_now();
  assert_int_equal(ds_wait(-1), DS_READY_WAKE);
  assert_int_equal(ds_wait(0), 0);
  /* However busy the program keeps itself, the event loop turns. */
  wake_later();
  for (i = 0; i < 1000 && ds_wait(0) == 0; i++) {
  }
  assert_true(i < 1000);
  ds_close(socket);
  /* Without any socket it is a sleep. */
  assert_int_equal(ds_wait(1), 0);
}

/* A program that is woken each time must not keep the reads from settling. */
static void test_no_starvation(void **state) {
  ds_socket *socket = open_at("127.0.0.1");
  ds_datagram *in;
  int i;

  (void)state;
  send_one(socket, localhost4, port_of(socket), 7, 1);
  for (i = 0; i < 100000 && ds_receive(socket, &in, 1) == 0; i++) {
    wake_now();
    assert_true(ds_wait(-1) & DS_READY_WAKE);
  }
  assert_true(i < 100000);
  assert_int_equal(in->data[0], 7);
  ds_close(socket);
}

typedef struct target {
  uint8_t ip[16];
  uint32_t port;
  uint32_t len;
} target;

/* The versions of clang-format differ in this. */
/* clang-format off */
#define V4(a, b, c, d) {[10] = 0xff, 0xff, a, b, c, d}
/* clang-format on */

/* What would kill the stream never reaches it. */
static void refused_at(const char *address, const target *targets, size_t n) {
  ds_socket *socket = open_at(address);
  ds_socket *peer = open_at("127.0.0.1");
  ds_counters counters;
  uint8_t ip[16];
  int ipv6;
  uint16_t port;
  uint32_t i;

  for (i = 0; i < n; i++) {
    ds_datagram *out;

    assert_int_equal(ds_send_begin(socket, &out, 1), 1);
    memcpy(out->ip, targets[i].ip, 16);
    out->port = targets[i].port;
    out->len = targets[i].len;
    ds_send(socket, 1);
    ds_count(socket, &counters);
    if (counters.dropped_out != i + 1) {
      fail_msg("%s: target %u was not refused", address, i);
    }
  }
  /* It still sends, in order, and was not opened again. */
  ds_local(socket, ip, &port, &ipv6);
  if (strcmp(address, "::1") == 0) {
    send_one(socket, localhost6, port, 3, 3);
    assert_int_equal(receive_one(socket)->data[0], 3);
  } else {
    send_one(socket, localhost4, port_of(peer), 3, 3);
    assert_int_equal(receive_one(peer)->data[0], 3);
  }
  counters_are(socket, 0, (uint32_t)n, 0);
  ds_close(peer);
  ds_close(socket);
}

static void test_refused_targets(void **state) {
  static const target everywhere[] = {
      {V4(127, 0, 0, 1), 0, 3},
      {V4(127, 0, 0, 1), 65536, 3},
      {V4(127, 0, 0, 1), 5000, 0},
      {V4(127, 0, 0, 1), 5000, DS_DATA_MAX + 1},
      {V4(0, 0, 0, 0), 5000, 3},
      {V4(0, 0, 0, 1), 5000, 3},
      {V4(255, 255, 255, 255), 5000, 3},
      {V4(127, 255, 255, 255), 5000, 3},
      {V4(224, 0, 0, 251), 5000, 3},
      {V4(239, 255, 255, 255), 5000, 3},
      {{0}, 5000, 3},
      {{0xff, 0x02, [15] = 1}, 5000, 3},
      {{0xfe, 0x80, [15] = 1}, 5000, 3},
      {{0xfe, 0xbf, [15] = 1}, 5000, 3},
  };
  static const target off_loopback[] = {
      {V4(198, 51, 100, 1), 5000, 3},
      {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 5000, 3},
  };
  static const target ipv6[] = {{{[15] = 1}, 5000, 3}};
  static const target ipv4[] = {{V4(127, 0, 0, 1), 5000, 3}};
  size_t n = sizeof(everywhere) / sizeof(everywhere[0]);

  (void)state;
  refused_at("127.0.0.1", everywhere, n);
  refused_at("0.0.0.0", everywhere, n);
  refused_at("::1", everywhere, n);
  refused_at("::", everywhere, n);
  refused_at("127.0.0.1", off_loopback, 2);
  refused_at("::1", off_loopback, 2);
  refused_at("127.0.0.1", ipv6, 1);
  refused_at("::1", ipv4, 1);
}

static void test_ipv6_only(void **state) {
  ds_options options = {.address = "::", .ipv6_only = 1};
  ds_socket *socket;

  (void)state;
  assert_int_equal(ds_open(&socket, &options), 0);
  send_one(socket, localhost4, port_of(socket), 1, 1);
  counters_are(socket, 0, 1, 0);
  send_one(socket, localhost6, port_of(socket), 2, 1);
  assert_int_equal(receive_one(socket)->data[0], 2);
  ds_close(socket);
}

static const uint8_t group[16] = V4(224, 0, 0, 251);

/* A target that gets past the first fence errors the writable: the socket is
   opened again on its port, and only that datagram is lost. */
static void test_opened_again(void **state) {
  ds_options options = {.address = "0.0.0.0", .multicast = 1};
  ds_socket *peer = open_at("127.0.0.1");
  ds_socket *socket;
  ds_datagram *in;
  uint16_t port;
  int i;

  (void)state;
  assert_int_equal(ds_open(&socket, &options), 0);
  port = port_of(socket);
  for (i = 0; i < 40; i++) {
    send_one(socket, localhost4, port_of(peer), (uint8_t)i, 1);
    if (i == 19) {
      send_one(socket, group, 5000, 0xff, 1);
    }
  }
  for (i = 0; i < 40; i++) {
    in = receive_one(peer);
    assert_int_equal(in->data[0], i);
    assert_int_equal(in->port, port);
  }
  counters_are(socket, 0, 1, 1);
  assert_int_equal(port_of(socket), port);
  /* It also receives again. */
  send_one(peer, localhost4, port, 77, 1);
  assert_int_equal(receive_one(socket)->data[0], 77);
  /* The group is shunned: it cannot do so twice in a row. */
  send_one(socket, group, 5000, 0xff, 1);
  send_one(socket, localhost4, port_of(peer), 78, 1);
  assert_int_equal(receive_one(peer)->data[0], 78);
  counters_are(socket, 0, 2, 1);
  assert_int_equal(ds_status(socket), 0);
  ds_close(socket);
  ds_close(peer);
}

/* Whoever forges ever new addresses gets a few re-openings, and no more:
   after that only those who have been reached before are sent to. */
static void test_strangers_wait(void **state) {
  ds_options options = {.address = "0.0.0.0", .multicast = 1};
  static const uint8_t stranger_ip[16] = V4(127, 0, 0, 2);
  ds_socket *peer = open_at("127.0.0.1");
  ds_socket *stranger = open_at("127.0.0.2");
  ds_socket *socket;
  ds_counters counters;
  uint8_t ip[16];
  uint8_t i;

  (void)state;
  memcpy(ip, group, 16);
  assert_int_equal(ds_open(&socket, &options), 0);
  send_one(socket, localhost4, port_of(peer), 0, 1);
  assert_int_equal(receive_one(peer)->data[0], 0);
  for (i = 1; i <= 10; i++) {
    ip[15] = i;
    send_one(socket, ip, 5000, 0xff, 1);
    send_one(socket, localhost4, port_of(peer), i, 1);
    assert_int_equal(receive_one(peer)->data[0], i);
  }
  ds_count(socket, &counters);
  assert_int_equal(counters.reopened, 4);
  assert_int_equal(counters.dropped_out, 10);
  send_one(socket, stranger_ip, port_of(stranger), 1, 1);
  send_one(socket, localhost4, port_of(peer), 11, 1);
  assert_int_equal(receive_one(peer)->data[0], 11);
  ds_count(socket, &counters);
  assert_int_equal(counters.dropped_out, 11);
  assert_int_equal(ds_status(socket), 0);
  ds_close(socket);
  ds_close(stranger);
  ds_close(peer);
}

/* clang-format off */
EM_JS(void, take_class_away, (void), {
  globalThis.takenOfModule = Module.UDPSocket;
  globalThis.takenOfGlobal = globalThis.UDPSocket;
  Module.UDPSocket = undefined;
  globalThis.UDPSocket = undefined;
});

EM_JS(void, give_class_back, (void), {
  Module.UDPSocket = globalThis.takenOfModule;
  globalThis.UDPSocket = globalThis.takenOfGlobal;
});
/* clang-format on */

/* It breaks, and the platform gives no other: that is no socket any more. */
static void test_given_up(void **state) {
  ds_options options = {.address = "0.0.0.0", .multicast = 1};
  ds_socket *socket;
  ds_socket *other;
  int rv;

  (void)state;
  assert_int_equal(ds_open(&socket, &options), 0);
  take_class_away();
  assert_int_equal(ds_open(&other, &options), DS_ERR_NOT_SUPPORTED);
  assert_null(other);
  send_one(socket, group, 5000, 0xff, 1);
  send_one(socket, localhost4, 5000, 1, 1);
  do {
    rv = ds_wait(PATIENCE);
    assert_true(rv > 0);
  } while (!(rv & DS_READY_ERROR));
  assert_int_equal(ds_status(socket), DS_ERR_IO);
  /* It says so as long as it is asked; and closes without waiting for what
     cannot be sent. */
  assert_int_equal(ds_wait(-1), DS_READY_ERROR);
  ds_close(socket);
  give_class_back();
}

/* What was sent before ds_close() is sent. */
static void test_close_flushes(void **state) {
  ds_socket *peer = open_at("127.0.0.1");
  ds_socket *socket = open_at("127.0.0.1");
  int i;

  (void)state;
  for (i = 0; i < 100; i++) {
    send_one(socket, localhost4, port_of(peer), (uint8_t)i, 1);
  }
  ds_close(socket);
  for (i = 0; i < 100; i++) {
    assert_int_equal(receive_one(peer)->data[0], i);
  }
  ds_close(peer);
}

/* The memory grows while reads and writes are outstanding: no view of the old
   one may be left. */
static void test_memory_grows(void **state) {
  ds_socket *socket = open_at("127.0.0.1");
  size_t grown = 0;
  int i;
  int k;

  (void)state;
  for (i = 0; i < 20; i++) {
    size_t before = (size_t)EM_ASM_PTR({ return HEAPU8.length; });
    void *block;

    /* More than are written at a time: some wait while it grows. */
    for (k = 0; k < 8; k++) {
      send_one(socket, localhost4, port_of(socket), (uint8_t)(i + k), 1000);
    }
    block = malloc(8 << 20);
    assert_non_null(block);
    memset(block, 0xee, 8 << 20);
    grown += (size_t)EM_ASM_PTR({ return HEAPU8.length; }) - before;
    for (k = 0; k < 8; k++) {
      assert_int_equal(receive_one(socket)->data[999], i + k);
    }
    if (i % 4 == 3) {
      free(block);
    }
  }
  assert_true(grown > 0);
  counters_are(socket, 0, 0, 0);
  ds_close(socket);
}

/* clang-format off */

/* A socket whose datagrams come and go as the test wants it. */
EM_JS(void, stage_socket, (void), {
  const stage = globalThis.stage = {left : 0, leaving : [], real : Module.UDPSocket};
  Module.UDPSocket = class {
    constructor() {
      const {promise, resolve} = Promise.withResolvers();
      this.closed = promise;
      this.opened = Promise.resolve({
        readable : new ReadableStream({
          start : (controller) => { stage.incoming = controller; },
          cancel : () => resolve(),
        }, {highWaterMark : 32}),
        writable : new WritableStream({
          write : () => new Promise((done) => { stage.leaving.push(done); }),
        }),
        localAddress : '127.0.0.1', localPort : 5000,
      });
    }
  };
});

EM_JS(void, unstage_socket, (void), {
  Module.UDPSocket = globalThis.stage.real;
});

EM_JS(void, staged_come, (int n), {
  for (let i = 0; i < n; i++) {
    globalThis.stage.incoming.enqueue({data : new Uint8Array(1),
      remoteAddress : '127.0.0.1', remotePort : 5001});
  }
});

/* From now on what is sent leaves, one in each turn of the event loop, or as
   soon as it is there. */
EM_JS(void, staged_leave, (int n), {
  const {stage} = globalThis;
  const next = () => {
    const first = n > 0 ? stage.leaving.shift() : undefined;
    if (first) {
      n--;
      stage.left++;
      first();
    }
    if (n > 0) {
      setTimeout(next);
    }
  };
  setTimeout(next);
});

/* How long what comes may be held back, in milliseconds. */
EM_JS(void, hold_for, (double ms), {
  DS.HELD_MS = ms;
});

EM_JS(int, staged_left, (void), {
  return globalThis.stage.left;
});

/* clang-format on */

/* While there is much to be sent, what comes and what is due waits for that,
   and is told at once then. */
static void test_backlog(void **state) {
  ds_datagram *in[8];
  ds_socket *socket;
  int i;

  (void)state;
  stage_socket();
  hold_for(INFINITY);
  socket = open_at("127.0.0.1");
  /* A few do not matter. */
  for (i = 0; i < 4; i++) {
    send_one(socket, localhost4, 5001, 1, 1);
  }
  staged_come(1);
  assert_int_equal(ds_wait(PATIENCE), DS_READY_RECEIVE);
  assert_int_equal(staged_left(), 0);
  assert_int_equal(ds_receive(socket, in, 8), 1);

  for (i = 0; i < 60; i++) {
    send_one(socket, localhost4, 5001, 1, 1);
  }
  staged_come(3);
  staged_leave(30);
  assert_int_equal(ds_wait(PATIENCE), DS_READY_RECEIVE);
  assert_true(staged_left() >= 12);
  assert_true(staged_left() < 20);
  assert_int_equal(ds_receive(socket, in, 8), 3);
  i = staged_left();
  assert_int_equal(ds_wait(0.001), 0);
  assert_true(staged_left() >= i + 12);
  hold_for(20);
  while (ds_unsent(socket) > 34) {
    ds_wait(1);
  }
  /* JavaScript waits too: most of what it has is to be sent. */
  hold_for(INFINITY);
  wake_later();
  staged_leave(20);
  assert_int_equal(ds_wait(PATIENCE), DS_READY_WAKE);
  assert_true(staged_left() >= 30 + 12);
  assert_true(staged_left() < 30 + 20);
  hold_for(20);
  while (ds_unsent(socket) > 14) {
    ds_wait(1);
  }

  /* Nothing waits long for what does not leave. */
  staged_come(2);
  assert_int_equal(ds_wait(PATIENCE), DS_READY_RECEIVE);
  assert_int_equal(ds_receive(socket, in, 8), 2);
  assert_int_equal(ds_wait(1), 0);
  wake_later();
  assert_int_equal(ds_wait(PATIENCE), DS_READY_WAKE);
  assert_int_equal(staged_left(), 50);
  staged_leave(14);
  while (ds_unsent(socket) > 0) {
    ds_wait(1);
  }
  counters_are(socket, 0, 0, 0);
  ds_close(socket);
  unstage_socket();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_refused),
      cmocka_unit_test(test_there_and_back),
      cmocka_unit_test(test_local),
      cmocka_unit_test(test_rings_wrap),
      cmocka_unit_test(test_receive_ring_full),
      cmocka_unit_test(test_send_ring_full),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_wait),
      cmocka_unit_test(test_no_starvation),
      cmocka_unit_test(test_refused_targets),
      cmocka_unit_test(test_ipv6_only),
      cmocka_unit_test(test_opened_again),
      cmocka_unit_test(test_strangers_wait),
      cmocka_unit_test(test_given_up),
      cmocka_unit_test(test_close_flushes),
      cmocka_unit_test(test_memory_grows),
      cmocka_unit_test(test_backlog),
  };

  provide_udp_socket();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
