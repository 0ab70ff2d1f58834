/* SPDX-License-Identifier: Apache-2.0 */
/* recvmmsg(2) and sendmmsg(2), with segmentation offload both ways */
#define _GNU_SOURCE

#include "tests/sim/socket_posix.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What the kernel takes as one message. */
#define SEGMENTS_OCTETS_MAX 65000

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
  const int buffer = 4 * 1024 * 1024, yes = 1, none = 0;

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
  (void)setsockopt(sock->fd, IPPROTO_UDP, UDP_GRO, &yes, sizeof(yes));
  sock->segments =
      setsockopt(sock->fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof(none)) == 0;
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

typedef union control {
  struct cmsghdr align;
  char octets[CMSG_SPACE(sizeof(int))];
} control;

/* The size of the datagrams in |message|, which has |len| octets. */
static size_t size_of(struct msghdr *message, size_t len) {
  struct cmsghdr *c;
  int size;

  for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      memcpy(&size, CMSG_DATA(c), sizeof(size));
      return size > 0 ? (size_t)size : len;
    }
  }
  return len;
}

void sim_socket_receive(sim_socket *sock, sim_arrivals *arrivals) {
  struct mmsghdr messages[SIM_BUFFERS];
  struct iovec vectors[SIM_BUFFERS];
  control controls[SIM_BUFFERS];
  int i, n;

  memset(messages, 0, sizeof(messages));
  for (i = 0; i < SIM_BUFFERS; ++i) {
    vectors[i].iov_base = arrivals->octets[i];
    vectors[i].iov_len = SIM_BUFFER_OCTETS;
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = &controls[i];
    messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
  }
  n = recvmmsg(sock->fd, messages, SIM_BUFFERS, MSG_DONTWAIT, NULL);
  arrivals->count = 0;
  arrivals->more = n == SIM_BUFFERS;
  for (i = 0; i < n; ++i) {
    const uint8_t *data = arrivals->octets[i];
    size_t left = messages[i].msg_len;
    size_t size = size_of(&messages[i].msg_hdr, left);

    while (left > 0 && arrivals->count < SIM_ARRIVALS) {
      size_t len = left < size ? left : size;

      arrivals->data[arrivals->count] = data;
      arrivals->len[arrivals->count++] = len;
      data += len;
      left -= len;
    }
  }
}

/* How many datagrams of |batch| from |first| on are one message: all of one
   size, of which the last may fall short. */
static size_t run_length(const sim_socket *sock, const sim_batch *batch,
                         size_t first, size_t count) {
  size_t size = batch->len[first], octets = size, i;

  for (i = first + 1; sock->segments && i < count; ++i) {
    if (batch->len[i] > size || octets + batch->len[i] > SEGMENTS_OCTETS_MAX) {
      break;
    }
    octets += batch->len[i];
    if (batch->len[i] < size) {
      return i + 1 - first;
    }
  }
  return i - first;
}

/* Messages for the datagrams of |batch| from |first| on; |ends| is the datagram
   after each.  Their number. */
static size_t compose(const sim_socket *sock, sim_batch *batch, size_t first,
                      size_t count, struct mmsghdr *messages,
                      struct iovec *vectors, control *controls, size_t *ends) {
  size_t n = 0, run, i;

  memset(messages, 0, SIM_BATCH * sizeof(*messages));
  for (; first < count; first += run) {
    struct msghdr *message = &messages[n].msg_hdr;

    run = run_length(sock, batch, first, count);
    for (i = first; i < first + run; ++i) {
      vectors[i].iov_base = batch->data[i];
      vectors[i].iov_len = batch->len[i];
    }
    message->msg_iov = &vectors[first];
    message->msg_iovlen = run;
    if (run > 1) {
      uint16_t size = (uint16_t)batch->len[first];
      struct cmsghdr *c = &controls[n].align;

      c->cmsg_level = IPPROTO_UDP;
      c->cmsg_type = UDP_SEGMENT;
      c->cmsg_len = CMSG_LEN(sizeof(size));
      memcpy(CMSG_DATA(c), &size, sizeof(size));
      message->msg_control = c;
      message->msg_controllen = CMSG_SPACE(sizeof(size));
    }
    ends[n++] = first + run;
  }
  return n;
}

size_t sim_socket_send(sim_socket *sock, sim_batch *batch) {
  struct mmsghdr messages[SIM_BATCH];
  struct iovec vectors[SIM_BATCH];
  control controls[SIM_BATCH];
  size_t ends[SIM_BATCH];
  struct pollfd pollfd = {sock->fd, POLLOUT, 0};
  size_t sent = 0, tries = 0, count = batch->count;

  batch->count = 0;
  while (sent < count) {
    size_t composed =
        compose(sock, batch, sent, count, messages, vectors, controls, ends);
    int n = sendmmsg(sock->fd, messages, (unsigned int)composed, 0);

    if (n > 0) {
      sent = ends[n - 1];
      continue;
    }
    if ((errno == EAGAIN || errno == EWOULDBLOCK) &&
        poll(&pollfd, 1, 1000) > 0) {
      continue;
    }
    /* A device that cannot take runs apart. */
    if ((errno == EIO || errno == EINVAL) && sock->segments) {
      sock->segments = 0;
      continue;
    }
    /* An ICMP error of an earlier datagram is told once, then gone. */
    if (errno != ECONNREFUSED || ++tries > 2) {
      break;
    }
  }
  return sent;
}
