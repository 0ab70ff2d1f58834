/* SPDX-License-Identifier: Apache-2.0 */
#include "server/udp_posix.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* Longer than loopback takes, in milliseconds: a time-out, not a pace. */
#define PATIENCE 10000

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
  struct pollfd fds[UDP_ADDRESSES_MAX];

  assert_true(poll(fds, udp_posix_pollfds(socket, fds), PATIENCE) > 0);
  assert_int_equal(udp_receive(socket, in), 0);
}

/* Fills slot |i| with |len| octets, the first two of which count. */
static void fill(udp_batch *out, size_t i, const udp_address *remote,
                 size_t len, unsigned int number) {
  udp_datagram *d = &out->datagrams[i];

  memset(&d->local, 0, sizeof(d->local));
  d->remote = *remote;
  d->ecn = 0;
  d->len = len;
  memset(d->data, 0x5a, len);
  if (len > 1) {
    d->data[0] = (uint8_t)(number >> 8);
    d->data[1] = (uint8_t)number;
  }
}

static void send_one(udp_socket *socket, const udp_address *remote, size_t len,
                     unsigned int number) {
  udp_batch out;

  udp_send_begin(socket, &out);
  assert_true(out.capacity > 0);
  fill(&out, 0, remote, len, number);
  out.count = 1;
  assert_int_equal(udp_send(socket, &out), 0);
}

/* The least port that anybody may bind here. */
static int least_port(void) {
  FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
  int port = 1024;

  if (file) {
    if (fscanf(file, "%d", &port) != 1) {
      port = 0;
    }
    fclose(file);
  }
  return port;
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
      {"127.0.0.1:80", 0, UDP_ERR_INVALID},
      {"[::1]", 0, UDP_ERR_INVALID},
      {"198.51.100.1", 0, UDP_ERR_ADDRESS_NOT_AVAILABLE},
      {"2001:db8::1", 0, UDP_ERR_ADDRESS_NOT_AVAILABLE},
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
  udp_close(socket);
  udp_close(NULL);
  if (geteuid() != 0 && least_port() > 80) {
    busy.port = 80;
    assert_int_equal(udp_open(&socket, &busy), UDP_ERR_PERMISSION);
  }
}

static void test_nothing_there(void **state) {
  udp_socket *socket = open_at("127.0.0.1");
  udp_batch in = {.count = 77};
  udp_batch out;

  (void)state;
  assert_int_equal(udp_receive(socket, &in), 0);
  assert_int_equal(in.count, 0);
  udp_send_begin(socket, &out);
  assert_int_equal(out.count, 0);
  assert_int_equal(udp_send(socket, &out), 0);
  assert_int_equal(udp_send_pending(socket), 0);
  assert_int_equal(udp_dropped(socket), 0);
  udp_close(socket);
}

/* There and back with each ECN mark.  |seen| is the client as the server sees
   it, |local| the server's address that the datagram came to. */
static void there_and_back(const char *server_at, const char *client_at,
                           const char *target, const char *seen,
                           const char *local) {
  udp_socket *server = open_at(server_at);
  udp_socket *client = open_at(client_at);
  udp_address to = address_of(target, port_of(server));
  udp_address from = address_of(seen, port_of(client));
  udp_address here = address_of(local, port_of(server));
  uint8_t ecn;

  for (ecn = 0; ecn < 4; ecn++) {
    udp_batch in;
    udp_batch out;
    udp_datagram got;

    udp_send_begin(client, &out);
    fill(&out, 0, &to, UDP_SEND_MAX, ecn);
    out.datagrams[0].ecn = ecn;
    out.count = 1;
    assert_int_equal(udp_send(client, &out), 0);

    receive(server, &in);
    assert_int_equal(in.count, 1);
    got = in.datagrams[0];
    assert_true(udp_address_eq(&got.remote, &from));
    assert_true(udp_address_eq(&got.local, &here));
    assert_int_equal(got.len, UDP_SEND_MAX);
    assert_int_equal(got.ecn, ecn);

    /* It may be written to, and is answered from where it came to. */
    memset(got.data, 0, got.len);
    udp_send_begin(server, &out);
    fill(&out, 0, &got.remote, 20, ecn);
    out.datagrams[0].local = got.local;
    out.datagrams[0].ecn = ecn;
    out.count = 1;
    assert_int_equal(udp_send(server, &out), 0);

    receive(client, &in);
    assert_int_equal(in.count, 1);
    assert_true(udp_address_eq(&in.datagrams[0].remote, &to));
    assert_int_equal(in.datagrams[0].len, 20);
    assert_int_equal(in.datagrams[0].ecn, ecn);
  }
  assert_int_equal(udp_dropped(server), 0);
  assert_int_equal(udp_dropped(client), 0);
  udp_close(client);
  udp_close(server);
}

static void test_there_and_back(void **state) {
  (void)state;
  there_and_back("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1",
                 "127.0.0.1");
  there_and_back("::1", "::1", "::1", "::1", "::1");
  /* Bound to any address: the one that was meant is told, and answers. */
  there_and_back("0.0.0.0", "127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2");
  there_and_back("::", "::1", "::1", "::1", "::1");
  /* An IPv4 peer of a dual-stack socket. */
  there_and_back("::", "127.0.0.1", "127.0.0.3", "::ffff:127.0.0.1",
                 "::ffff:127.0.0.3");
}

/* Runs of one size and target, which go as segments of one message, mixed
   with others: all come, in order and whole. */
static void test_runs(void **state) {
  static const size_t lengths[] = {
      1200, 1200, 1200, 1200, 700,  1200, 1200, 1,    1200, 1300, 1300,
      20,   20,   20,   1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500,
      1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500,
      1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500,
      1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500,
      1500, 1500, 1500, 1500, 1500, 1500, 1500};
  const size_t n = sizeof(lengths) / sizeof(lengths[0]);
  udp_socket *server = open_at("127.0.0.1");
  udp_socket *other = open_at("127.0.0.1");
  udp_socket *client = open_at("127.0.0.1");
  udp_address to = address_of("127.0.0.1", port_of(server));
  udp_address elsewhere = address_of("127.0.0.1", port_of(other));
  unsigned int number = 0;
  unsigned int expected = 0;
  size_t nother = 0;
  udp_batch out;
  udp_batch in;
  size_t i;

  (void)state;
  udp_send_begin(client, &out);
  assert_true(out.capacity >= n + 2);
  for (i = 0; i < n; i++) {
    fill(&out, out.count++, &to, lengths[i], number++);
    if (i % 31 == 30) {
      /* In the midst of a run. */
      fill(&out, out.count++, &elsewhere, lengths[i], 0);
      nother++;
    }
  }
  assert_int_equal(udp_send(client, &out), 0);
  assert_int_equal(udp_send_pending(client), 0);

  while (expected < n) {
    receive(server, &in);
    for (i = 0; i < in.count; i++, expected++) {
      const udp_datagram *d = &in.datagrams[i];

      assert_int_equal(d->len, lengths[expected]);
      if (d->len > 1) {
        assert_int_equal(d->data[0] << 8 | d->data[1], expected);
        assert_int_equal(d->data[d->len - 1],
                         d->len > 2 ? 0x5a : (uint8_t)expected);
      }
    }
  }
  while (nother > 0) {
    receive(other, &in);
    assert_true(in.count <= nother);
    nother -= in.count;
  }
  assert_int_equal(udp_dropped(client), 0);
  assert_int_equal(udp_dropped(server), 0);
  udp_close(client);
  udp_close(other);
  udp_close(server);
}

/* What the kernel will never take is dropped, and what is around it sent:
   also where it stands in the midst of a run. */
static void test_dropped(void **state) {
  static const struct {
    const char *address;
    uint16_t port;
  } bad[] = {
      {"127.0.0.1", 0},
      {"255.255.255.255", 5000},
      {"127.255.255.255", 5000},
      {"198.51.100.1", 5000},
      {"::1", 5000},
  };
  udp_socket *server = open_at("127.0.0.1");
  udp_socket *client = open_at("127.0.0.1");
  udp_address to = address_of("127.0.0.1", port_of(server));
  unsigned int good = 0;
  unsigned int expected = 0;
  size_t nbad = 0;
  udp_batch out;
  udp_batch in;
  size_t i;

  (void)state;
  udp_send_begin(client, &out);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    udp_address target = address_of(bad[i].address, bad[i].port);
    int k;

    fill(&out, out.count++, &to, 1000, good++);
    fill(&out, out.count++, &to, 1000, good++);
    for (k = 0; k < 3; k++, nbad++) {
      fill(&out, out.count++, &target, 1000, 0);
    }
  }
  fill(&out, out.count++, &to, 1000, good++);
  assert_int_equal(udp_send(client, &out), 0);
  assert_int_equal(udp_send_pending(client), 0);
  assert_int_equal(udp_dropped(client), nbad);
  while (expected < good) {
    receive(server, &in);
    for (i = 0; i < in.count; i++, expected++) {
      assert_int_equal(in.datagrams[i].data[0] << 8 | in.datagrams[i].data[1],
                       expected);
    }
  }
  udp_close(client);
  udp_close(server);
}

/* Too long for a slot, without octets, and longer ones around it. */
static void test_lengths(void **state) {
  udp_socket *server = open_at("127.0.0.1");
  udp_address to = *udp_local_address(server, 0);
  static uint8_t octets[65507];
  static const size_t lengths[] = {UDP_RECEIVE_MAX, 0, UDP_RECEIVE_MAX + 1,
                                   sizeof(octets), 1};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  size_t expected[] = {UDP_RECEIVE_MAX, 0, 1};
  size_t n = 0;
  udp_batch in;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    assert_int_equal(
        sendto(fd, octets, lengths[i], 0, &to.sa, udp_address_len(&to)),
        lengths[i]);
  }
  while (n < 3) {
    receive(server, &in);
    for (i = 0; i < in.count; i++) {
      assert_int_equal(in.datagrams[i].len, expected[n++]);
    }
  }
  assert_int_equal(udp_dropped(server), 2);
  close(fd);
  udp_close(server);
}

/* A call of udp_send() in a thread for which the kernel has no room. */
typedef struct full_kernel {
  udp_socket *socket;
  udp_batch out;
  /* Fewer messages than this at a time are answered EAGAIN. */
  uint32_t least;
  int rv;
} full_kernel;

/* Loopback never has too little room; so the thread has its sendmmsg(2)
   refused by a filter of its own. */
static void *send_to_full_kernel(void *user) {
  full_kernel *f = user;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmmsg, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
               offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, f->least, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]),
                               .filter = filter};

  f->rv = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0
              ? 1
              : udp_send(f->socket, &f->out);
  return NULL;
}

static int send_when_full(udp_socket *socket, udp_batch *out, uint32_t least) {
  full_kernel f = {.socket = socket, .out = *out, .least = least};
  pthread_t thread;

  assert_int_equal(pthread_create(&thread, NULL, send_to_full_kernel, &f), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  *out = f.out;
  return f.rv;
}

/* What the kernel has no room for is kept, in order, and goes out before what
   comes later. */
static void test_kept(void **state) {
  udp_socket *client = open_at("127.0.0.1");
  udp_socket *server = open_at("127.0.0.1");
  udp_address to = *udp_local_address(server, 0);
  udp_address bad = address_of("127.0.0.1", 0);
  unsigned int number = 0;
  unsigned int expected = 0;
  size_t capacity;
  udp_batch out;
  udp_batch in;
  size_t i;

  (void)state;
  udp_send_begin(client, &out);
  capacity = out.capacity;
  while (out.count < capacity) {
    /* The kernel stops at the bad one, and is "full" when asked again. */
    int is_bad = out.count == capacity / 2;

    fill(&out, out.count, is_bad ? &bad : &to, 1000, number);
    /* Each unlike the one before: no runs. */
    out.datagrams[out.count].ecn = out.count % 2;
    out.count++;
    number += !is_bad;
  }
  assert_int_equal(send_when_full(client, &out, (uint32_t)capacity), 0);
  assert_int_equal(out.count, 0);
  assert_true(udp_send_pending(client));
  assert_int_equal(udp_dropped(client), 0);

  /* Behind what is kept there is room for the rest alone. */
  udp_send_begin(client, &out);
  assert_int_equal(out.capacity, capacity / 2);
  fill(&out, out.count++, &to, 1000, number++);
  fill(&out, out.count++, &to, 1000, number++);
  assert_int_equal(send_when_full(client, &out, UINT32_MAX), 0);
  udp_send_begin(client, &out);
  assert_int_equal(out.capacity, capacity / 2 - 2);
  while (out.count < out.capacity) {
    fill(&out, out.count++, &to, 1000, number++);
  }
  assert_int_equal(send_when_full(client, &out, UINT32_MAX), 0);
  udp_send_begin(client, &out);
  assert_int_equal(out.capacity, 0);
  /* More than there is room for is not taken. */
  out.count = 5;
  assert_int_equal(udp_send(client, &out), 0);
  assert_false(udp_send_pending(client));
  assert_int_equal(udp_dropped(client), 1);

  while (expected < number) {
    receive(server, &in);
    for (i = 0; i < in.count; i++, expected++) {
      assert_int_equal(in.datagrams[i].len, 1000);
      assert_int_equal(in.datagrams[i].data[0] << 8 | in.datagrams[i].data[1],
                       expected);
    }
  }
  udp_close(client);
  udp_close(server);
}

/* An ICMP error of one peer is nobody else's. */
static void test_peer_is_gone(void **state) {
  udp_socket *gone = open_at("127.0.0.1");
  udp_socket *client = open_at("127.0.0.1");
  udp_socket *server = open_at("127.0.0.1");
  udp_address nobody = *udp_local_address(gone, 0);
  udp_address to = *udp_local_address(server, 0);
  udp_batch in;
  unsigned int i;

  (void)state;
  udp_close(gone);
  for (i = 0; i < 5; i++) {
    send_one(client, &nobody, 100, i);
    assert_int_equal(udp_receive(client, &in), 0);
    assert_int_equal(in.count, 0);
    send_one(client, &to, 100, i);
    receive(server, &in);
    assert_int_equal(in.datagrams[0].data[1], i);
  }
  udp_close(client);
  udp_close(server);
}

/* Everybody is answered from where they asked, all in one batch. */
static void test_several_addresses(void **state) {
  static const struct {
    const char *bound, *client, *target;
  } cases[] = {
      {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
      {"127.0.0.2", "127.0.0.1", "127.0.0.2"},
      {"::1", "::1", "::1"},
      {"::", "127.0.0.1", "127.0.0.3"},
      {"::", "::1", "::1"},
      {"0.0.0.0", "127.0.0.1", "127.0.0.4"},
  };
  enum { N = sizeof(cases) / sizeof(cases[0]), EACH = 3 };
  udp_socket *clients[N], *server = open_at(cases[0].bound);
  udp_address asked[N * EACH], from[N * EACH], to[N];
  uint8_t numbers[N * EACH];
  size_t i, k, seen = 0;
  udp_batch in, out;

  (void)state;
  for (i = 0; i < N; ++i) {
    const udp_options options = {.address = cases[i].bound};

    assert_int_equal(i == 0 ? 0 : udp_add(server, &options), 0);
    clients[i] = open_at(cases[i].client);
    assert_non_null(udp_local_address(server, i));
    to[i] = address_of(cases[i].target, 0);
    to[i].in.sin_port = udp_local_address(server, i)->in.sin_port;
  }
  assert_null(udp_local_address(server, N));
  for (k = 0; k < EACH; ++k) {
    for (i = 0; i < N; ++i) {
      send_one(clients[i], &to[i], 100 + k, (unsigned int)(i * EACH + k));
    }
  }
  while (seen < N * EACH) {
    receive(server, &in);
    for (i = 0; i < in.count; ++i, ++seen) {
      assert_in_range(seen, 0, N * EACH - 1);
      asked[seen] = in.datagrams[i].local;
      from[seen] = in.datagrams[i].remote;
      numbers[seen] = in.datagrams[i].data[1];
    }
  }
  /* One of each after the other, and all of each. */
  udp_send_begin(server, &out);
  for (i = 0; i < 2 * N * EACH; ++i) {
    k = i < N * EACH ? i * EACH % (N * EACH) + i * EACH / (N * EACH)
                     : i - N * EACH;
    fill(&out, out.count, &from[k], 50, numbers[k]);
    out.datagrams[out.count++].local = asked[k];
  }
  assert_int_equal(udp_send(server, &out), 0);
  assert_false(udp_send_pending(server));
  assert_int_equal(udp_dropped(server), 0);
  for (i = 0; i < N; ++i) {
    unsigned int counts[EACH] = {0};

    for (seen = 0; seen < 2 * EACH;) {
      receive(clients[i], &in);
      for (k = 0; k < in.count; ++k, ++seen) {
        assert_true(udp_address_eq(&in.datagrams[k].remote, &to[i]));
        assert_int_equal(in.datagrams[k].data[1] / EACH, i);
        ++counts[in.datagrams[k].data[1] % EACH];
      }
    }
    for (k = 0; k < EACH; ++k) {
      assert_int_equal(counts[k], 2);
    }
    udp_close(clients[i]);
  }
  udp_close(server);
}

static void test_addresses_refused(void **state) {
  udp_socket *first = open_at("127.0.0.1");
  udp_socket *server = open_at("127.0.0.1");
  const udp_options free_one = {.address = "127.0.0.1"};
  const udp_options busy = {.address = "127.0.0.1", .port = port_of(first)};
  const udp_options nonsense = {.address = "localhost"};
  udp_address to = *udp_local_address(server, 0);
  udp_batch in;
  size_t i;

  (void)state;
  assert_int_equal(udp_add(server, &busy), UDP_ERR_PORT_BUSY);
  assert_int_equal(udp_add(server, &nonsense), UDP_ERR_INVALID);
  assert_null(udp_local_address(server, 1));
  for (i = 1; i < UDP_ADDRESSES_MAX; ++i) {
    assert_int_equal(udp_add(server, &free_one), 0);
  }
  assert_int_equal(udp_add(server, &free_one), UDP_ERR_FULL);
  send_one(first, &to, 100, 7);
  receive(server, &in);
  assert_int_equal(in.datagrams[0].data[1], 7);
  udp_close(server);
  udp_close(first);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_refused),
      cmocka_unit_test(test_nothing_there),
      cmocka_unit_test(test_there_and_back),
      cmocka_unit_test(test_runs),
      cmocka_unit_test(test_dropped),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_kept),
      cmocka_unit_test(test_peer_is_gone),
      cmocka_unit_test(test_several_addresses),
      cmocka_unit_test(test_addresses_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
