/* SPDX-License-Identifier: Apache-2.0 */
#include "server/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <emscripten.h>

#include "directsockets/directsockets.h"

/* Longer than anything here takes, in milliseconds: a time-out, not a pace. */
#define PATIENCE 10000

/* clang-format off */

/* The class, where the platform has none: on Node. */
EM_ASYNC_JS(void, provide_udp_socket, (void), {
  globalThis.UDPSocket = globalThis.UDPSocket || (await import(
    '../../../directsockets/node/udp_socket.mjs')).UDPSocket;
});

/* clang-format on */

static udp_socket *open_at(const char *address) {
  udp_options options = {.address = address};
  udp_socket *socket;

  assert_int_equal(udp_open(&socket, &options), 0);
  return socket;
}

static uint16_t port_of(const udp_socket *socket) {
  const udp_address *local = udp_local_address(socket, 0);

  return ntohs(local->sa.sa_family == AF_INET6 ? local->in6.sin6_port
                                               : local->in.sin_port);
}

static udp_address address_of(const char *text, uint16_t port) {
  udp_address address;

  assert_int_equal(udp_address_parse(&address, text, port), 0);
  return address;
}

/* Waits until something is there. */
static void receive(udp_socket *socket, udp_batch *in) {
  for (;;) {
    assert_int_equal(udp_receive(socket, in), 0);
    if (in->count > 0) {
      return;
    }
    assert_true(ds_wait(PATIENCE) > 0);
  }
}

static void fill(udp_batch *out, size_t i, const udp_address *remote,
                 size_t len, unsigned int number) {
  udp_datagram *d = &out->datagrams[i];

  d->remote = *remote;
  d->len = len;
  memset(d->data, 0x5a, len);
  d->data[0] = (uint8_t)(number >> 8);
  d->data[1] = (uint8_t)number;
}

static void test_open_refused(void **state) {
  static const struct {
    const char *address;
    uint16_t port;
    int rv;
  } cases[] = {
      {NULL, 0, UDP_ERR_INVALID},
      {"", 0, UDP_ERR_INVALID},
      {"localhost", 0, UDP_ERR_INVALID},
      {"127.1", 0, UDP_ERR_INVALID},
      {"[::1]", 0, UDP_ERR_INVALID},
      {"198.51.100.1", 0, UDP_ERR_ADDRESS_NOT_AVAILABLE},
      {"2001:db8::1", 0, UDP_ERR_ADDRESS_NOT_AVAILABLE},
      {"127.0.0.1", 80, UDP_ERR_PERMISSION},
  };
  udp_socket *first = open_at("127.0.0.1");
  udp_options busy = {.address = "127.0.0.1", .port = port_of(first)};
  udp_socket *socket = first;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    udp_options options = {.address = cases[i].address, .port = cases[i].port};

    assert_int_equal(udp_open(&socket, &options), cases[i].rv);
    assert_null(socket);
  }
  assert_int_equal(udp_open(&socket, &busy), UDP_ERR_PORT_BUSY);
  assert_null(socket);
  udp_close(first);
  assert_int_equal(udp_open(&socket, &busy), 0);
  /* There is one socket to wait for. */
  busy.port = 0;
  assert_int_equal(udp_add(socket, &busy), UDP_ERR_FULL);
  assert_null(udp_local_address(socket, 1));
  udp_close(socket);
  udp_close(NULL);
}

static void there_and_back(const char *server_at, const char *client_at,
                           const char *target, const char *seen) {
  udp_socket *server = open_at(server_at);
  udp_socket *client = open_at(client_at);
  udp_address to = address_of(target, port_of(server));
  udp_address from = address_of(seen, port_of(client));
  udp_address peer;
  udp_batch in;
  udp_batch out;

  udp_send_begin(client, &out);
  assert_true(out.capacity > 0);
  fill(&out, 0, &to, UDP_SEND_MAX, 1);
  out.count = 1;
  assert_int_equal(udp_send(client, &out), 0);

  receive(server, &in);
  assert_int_equal(in.count, 1);
  assert_true(udp_address_eq(&in.datagrams[0].remote, &from));
  /* The platform cannot tell: the bound address. */
  assert_true(
      udp_address_eq(&in.datagrams[0].local, udp_local_address(server, 0)));
  assert_int_equal(in.datagrams[0].len, UDP_SEND_MAX);
  assert_int_equal(in.datagrams[0].ecn, 0);
  memset(in.datagrams[0].data, 0, in.datagrams[0].len);

  peer = in.datagrams[0].remote;
  udp_send_begin(server, &out);
  fill(&out, 0, &peer, 20, 2);
  out.datagrams[0].local = in.datagrams[0].local;
  out.count = 1;
  assert_int_equal(udp_send(server, &out), 0);
  receive(client, &in);
  assert_true(udp_address_eq(&in.datagrams[0].remote, &to));
  assert_int_equal(in.datagrams[0].len, 20);
  assert_int_equal(in.datagrams[0].data[1], 2);

  assert_int_equal(udp_dropped(server), 0);
  assert_int_equal(udp_dropped(client), 0);
  udp_close(client);
  udp_close(server);
}

static void test_there_and_back(void **state) {
  (void)state;
  there_and_back("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1");
  there_and_back("0.0.0.0", "127.0.0.1", "127.0.0.1", "127.0.0.1");
  there_and_back("::1", "::1", "::1", "::1");
  there_and_back("::", "127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1");
}

/* As much as there are slots, and no more; in order. */
static void test_capacity(void **state) {
  udp_socket *client = open_at("127.0.0.1");
  udp_socket *server = open_at("127.0.0.1");
  udp_address to = *udp_local_address(server, 0);
  unsigned int number = 0;
  unsigned int expected = 0;
  udp_batch in;
  udp_batch out;
  size_t i;

  (void)state;
  for (;;) {
    udp_send_begin(client, &out);
    if (out.capacity == 0) {
      break;
    }
    while (out.count < out.capacity) {
      fill(&out, out.count++, &to, 500, number++);
    }
    assert_int_equal(udp_send(client, &out), 0);
    assert_true(udp_send_pending(client));
    assert_true(number < 10000);
  }
  /* More than was given is not taken. */
  out.count = 5;
  assert_int_equal(udp_send(client, &out), 0);
  while (expected < number) {
    receive(server, &in);
    for (i = 0; i < in.count; i++, expected++) {
      assert_int_equal(in.datagrams[i].data[0] << 8 | in.datagrams[i].data[1],
                       expected);
    }
  }
  while (udp_send_pending(client)) {
    ds_wait(1);
  }
  udp_close(client);
  udp_close(server);
}

static void test_dropped(void **state) {
  udp_socket *client = open_at("127.0.0.1");
  udp_socket *server = open_at("127.0.0.1");
  udp_address to = *udp_local_address(server, 0);
  udp_address bad[] = {
      address_of("127.0.0.1", 0), address_of("255.255.255.255", 5000),
      address_of("198.51.100.1", 5000), address_of("::1", 5000)};
  udp_batch in;
  udp_batch out;
  size_t i;

  (void)state;
  udp_send_begin(client, &out);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    fill(&out, out.count++, &bad[i], 100, 0);
  }
  fill(&out, out.count++, &to, 100, 7);
  assert_int_equal(udp_send(client, &out), 0);
  assert_int_equal(udp_dropped(client), sizeof(bad) / sizeof(bad[0]));
  receive(server, &in);
  assert_int_equal(in.count, 1);
  assert_int_equal(in.datagrams[0].data[1], 7);
  udp_close(client);
  udp_close(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_refused),
      cmocka_unit_test(test_there_and_back),
      cmocka_unit_test(test_capacity),
      cmocka_unit_test(test_dropped),
  };

  provide_udp_socket();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
