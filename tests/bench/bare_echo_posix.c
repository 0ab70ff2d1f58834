/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ceiling for the benchmarks natively: an echo with nothing above udp.h.
 *
 *   bare_echo_posix [ADDRESS [PORT]]
 *
 * prints "ready ADDRESS:PORT", and stops at SIGTERM or SIGINT.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/udp_posix.h"

static volatile sig_atomic_t stopped;

static void on_signal(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

static int echo(udp_socket *socket) {
  udp_batch in;
  udp_batch out = {0};
  size_t i = 0;
  int rv = udp_receive(socket, &in);

  while (rv == 0 && i < in.count) {
    udp_send_begin(socket, &out);
    if (out.capacity == 0) {
      /* The kernel is full: as good a place to lose them as any. */
      break;
    }
    for (; i < in.count && out.count < out.capacity; i++) {
      udp_datagram *to;

      if (in.datagrams[i].len == 0 || in.datagrams[i].len > UDP_SEND_MAX) {
        continue;
      }
      to = &out.datagrams[out.count++];
      to->remote = in.datagrams[i].remote;
      to->local = in.datagrams[i].local;
      to->ecn = in.datagrams[i].ecn;
      to->len = in.datagrams[i].len;
      memcpy(to->data, in.datagrams[i].data, to->len);
    }
    rv = udp_send(socket, &out);
  }
  return rv;
}

int main(int argc, char **argv) {
  udp_options options = {.address = argc > 1 ? argv[1] : "127.0.0.1"};
  struct sigaction action = {.sa_handler = on_signal};
  char text[UDP_ADDRESS_TEXT_MAX];
  udp_socket *socket;
  int rv;

  if (argc > 2) {
    options.port = (uint16_t)strtoul(argv[2], NULL, 10);
  }
  rv = udp_open(&socket, &options);
  if (rv != 0) {
    fprintf(stderr, "bare_echo_posix: cannot open %s: error %d\n",
            options.address, rv);
    return 1;
  }
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  printf("ready %s\n", udp_address_text(text, udp_local_address(socket, 0)));
  fflush(stdout);

  while (rv == 0 && !stopped) {
    struct pollfd fds[UDP_ADDRESSES_MAX];
    udp_batch none = {0};

    if (poll(fds, udp_posix_pollfds(socket, fds), -1) < 0) {
      if (errno != EINTR) {
        rv = UDP_ERR_IO;
      }
      continue;
    }
    if (fds[0].revents & POLLOUT) {
      udp_send_begin(socket, &none);
      rv = udp_send(socket, &none);
    }
    if (rv == 0) {
      rv = echo(socket);
    }
  }
  udp_close(socket);
  return rv == 0 ? 0 : 1;
}
