/* SPDX-License-Identifier: Apache-2.0 */
/* recvmmsg(2) and sendmmsg(2) */
#define _GNU_SOURCE

#include "tests/sim/socket_posix.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int sim_address_resolve(sim_address *address, socklen_t *len, const char *host,
                        const char *port) {
  struct addrinfo hints, *info;

  memset(&hints, 0, sizeof(hints));
  hints.ai_socktype = SOCK_DGRAM;
  /* localhost may have both families where the server has one. */
  hints.ai_family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
  if (getaddrinfo(host, port, &hints, &info) != 0) {
    return -1;
  }
  memcpy(address, info->ai_addr, info->ai_addrlen);
  *len = info->ai_addrlen;
  freeaddrinfo(info);
  return 0;
}

int sim_socket_open(sim_socket *sock, const sim_address *remote,
                    socklen_t len) {
  const int buffer = 4 * 1024 * 1024;

  memset(sock, 0, sizeof(*sock));
  sock->remote = *remote;
  sock->address_len = len;
  sock->fd = socket(remote->sa.sa_family,
                    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (sock->fd < 0) {
    return -1;
  }
  /* As much as the system gives; a refusal costs losses, not correctness. */
  (void)setsockopt(sock->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
  (void)setsockopt(sock->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  if (connect(sock->fd, &remote->sa, len) != 0) {
    goto fail;
  }
  len = sizeof(sock->local);
  if (getsockname(sock->fd, &sock->local.sa, &len) != 0) {
    goto fail;
  }
  return 0;

fail:
  sim_socket_close(sock);
  return -1;
}

void sim_socket_close(sim_socket *sock) {
  int saved = errno;

  if (sock->fd >= 0) {
    close(sock->fd);
    sock->fd = -1;
  }
  errno = saved;
}

size_t sim_socket_receive(sim_socket *sock, sim_batch *batch) {
  struct mmsghdr messages[SIM_BATCH];
  struct iovec vectors[SIM_BATCH];
  int i, n;

  memset(messages, 0, sizeof(messages));
  for (i = 0; i < SIM_BATCH; ++i) {
    vectors[i].iov_base = batch->data[i];
    vectors[i].iov_len = SIM_BATCH_OCTETS;
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  n = recvmmsg(sock->fd, messages, SIM_BATCH, MSG_DONTWAIT, NULL);
  batch->count = n > 0 ? (size_t)n : 0;
  for (i = 0; i < n; ++i) {
    batch->len[i] = messages[i].msg_len;
  }
  return batch->count;
}

size_t sim_socket_send(sim_socket *sock, sim_batch *batch) {
  struct mmsghdr messages[SIM_BATCH];
  struct iovec vectors[SIM_BATCH];
  struct pollfd pollfd = {sock->fd, POLLOUT, 0};
  size_t i, sent = 0, tries = 0, count = batch->count;
  int n;

  memset(messages, 0, sizeof(messages));
  for (i = 0; i < count; ++i) {
    vectors[i].iov_base = batch->data[i];
    vectors[i].iov_len = batch->len[i];
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  batch->count = 0;
  while (sent < count) {
    n = sendmmsg(sock->fd, messages + sent, (unsigned int)(count - sent), 0);
    if (n > 0) {
      sent += (size_t)n;
      continue;
    }
    if ((errno == EAGAIN || errno == EWOULDBLOCK) &&
        poll(&pollfd, 1, 1000) > 0) {
      continue;
    }
    /* An ICMP error of an earlier datagram is told once, then gone. */
    if (errno != ECONNREFUSED || ++tries > 2) {
      break;
    }
  }
  return sent;
}
