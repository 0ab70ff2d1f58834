/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ceiling for downloads: asks directsockets/bare_echo.c for a flood, and
 * counts what comes; and by the numbers of what comes, what was sent.
 *
 *   bare_sink ADDRESS PORT SECONDS [MICROSECONDS]
 *
 * prints one object of JSON.  It looks after the microseconds at what came
 * meanwhile; without them it is woken by each datagram.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sim/wait_posix.h"

#define ASK "flood"
#define SECOND UINT64_C(1000000000)
#define ASK_AGAIN (SECOND / 10)
#define RECEIVE_BUFFER (8 * 1024 * 1024)

static int open_socket(const char *address, const char *port) {
  struct sockaddr_in remote = {.sin_family = AF_INET};
  int size = RECEIVE_BUFFER;
  int fd;

  remote.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
  if (inet_pton(AF_INET, address, &remote.sin_addr) != 1) {
    errno = EINVAL;
    return -1;
  }
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  /* As large as the kernel lets it be. */
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  if (connect(fd, (struct sockaddr *)&remote, sizeof(remote)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int main(int argc, char **argv) {
  uint64_t end, ask = 0, now, octets = 0, datagrams = 0;
  uint64_t first = 0, last = 0, first_at = 0, last_at = 0;
  static uint8_t buf[65536];
  struct epoll_event event = {.events = EPOLLIN};
  uint64_t gather = 0;
  double seconds, sent;
  int fd, epoll_fd;

  if (argc < 4 || argc > 5 || (seconds = strtod(argv[3], NULL)) <= 0) {
    fprintf(stderr, "usage: bare_sink ADDRESS PORT SECONDS [MICROSECONDS]\n");
    return 2;
  }
  if (argc == 5) {
    gather = 1000 * strtoull(argv[4], NULL, 10);
  }
  fd = open_socket(argv[1], argv[2]);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0 || epoll_fd < 0 ||
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    perror("bare_sink");
    return 1;
  }
  end = sim_monotonic() + (uint64_t)(seconds * (double)SECOND);
  while ((now = sim_monotonic()) < end) {
    ssize_t n;

    if (now >= ask) {
      /* If it is lost, the next is not. */
      (void)send(fd, ASK, strlen(ASK), 0);
      ask = now + ASK_AGAIN;
    }
    (void)sim_wait(epoll_fd, &event, 1, now + ASK_AGAIN, gather);
    while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0) {
      /* The echo of what was asked is none of it. */
      if ((size_t)n > strlen(ASK) && (size_t)n >= sizeof(last)) {
        memcpy(&last, buf, sizeof(last));
        last_at = sim_monotonic();
        if (datagrams == 0) {
          first = last;
          first_at = last_at;
        }
        octets += (uint64_t)n;
        ++datagrams;
      }
    }
  }
  close(epoll_fd);
  close(fd);
  sent = last_at > first_at ? (double)(last - first) /
                                  (double)(last_at - first_at) * (double)SECOND
                            : 0;
  printf("{\"mode\":\"flood\",\"served\":%s,\"wrong\":0,\"seconds\":%.3f,"
         "\"octets\":%llu,\"datagrams\":%llu,\"sent_per_second\":%.1f,"
         "\"arrived_megabytes_per_second\":%.2f,"
         "\"megabytes_per_second\":%.2f}\n",
         datagrams ? "true" : "false", seconds, (unsigned long long)octets,
         (unsigned long long)datagrams, sent, (double)octets / seconds / 1e6,
         datagrams ? sent * (double)octets / (double)datagrams / 1e6 : 0);
  return 0;
}
