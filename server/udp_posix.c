/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp.h over the Linux kernel: recvmmsg(2), sendmmsg(2), and segmentation
 * offload both ways.
 *
 * Receiving.  With UDP_GRO the kernel may hand over a run of datagrams of one
 * peer as one long buffer and tell their size; each is given out on its own,
 * pointing into that buffer.
 *
 * Sending.  Slots are sent in order.  What the kernel would not take stays at
 * the front of the slots and goes out first the next time.  Consecutive slots
 * to one peer, of one size (the last may be shorter), become one message with
 * UDP_SEGMENT.  Where a device or route refuses that, the run is sent singly.
 *
 * Several addresses are as many kernel sockets, in turn.  What is sent leaves
 * by the one that is bound to its local address.
 */
#define _GNU_SOURCE
#include "server/udp_posix.h"

#include "server/udp_port_posix.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

/* Slots for sending, and messages of one system call. */
#define SEND_SLOTS 256

/* What the kernel takes in one message: segments, and octets of UDP payload
   that still fit an IP packet (RFC 768, RFC 791). */
#define SEGMENTS_MAX 64
#define SEGMENTS_OCTETS_MAX 65000

/* Buffers for receiving, each as long as an IP packet. */
#define RECEIVE_BUFFERS 16
#define RECEIVE_BUFFER_SIZE 65536

/* Datagrams of one udp_receive(): a buffer holds at most 64. */
#define RECEIVE_DATAGRAMS (RECEIVE_BUFFERS * SEGMENTS_MAX)

/* Room for the control messages of one message, aligned. */
typedef union control_in {
  struct cmsghdr align;
  char octets[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
              3 * CMSG_SPACE(sizeof(int))];
} control_in;

typedef union control_out {
  struct cmsghdr align;
  char octets[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
              CMSG_SPACE(sizeof(uint16_t))];
} control_out;

struct udp_socket {
  udp_port ports[UDP_ADDRESSES_MAX];
  size_t nports;
  /* The one to be asked first for what has come. */
  size_t turn;
  uint64_t dropped;

  uint8_t *in_octets;
  struct mmsghdr in_messages[RECEIVE_BUFFERS];
  struct iovec in_vectors[RECEIVE_BUFFERS];
  udp_address in_names[RECEIVE_BUFFERS];
  control_in in_controls[RECEIVE_BUFFERS];
  udp_datagram in[RECEIVE_DATAGRAMS];

  uint8_t *out_octets;
  /* The first |kept| slots wait for the kernel. */
  udp_datagram out[SEND_SLOTS];
  size_t kept;
  struct mmsghdr out_messages[SEND_SLOTS];
  struct iovec out_vectors[SEND_SLOTS];
  control_out out_controls[SEND_SLOTS];
};

int udp_open(udp_socket **psocket, const udp_options *options) {
  udp_socket *s;
  size_t i;
  int rv;

  *psocket = NULL;
  s = calloc(1, sizeof(*s));
  if (!s) {
    return UDP_ERR_NOMEM;
  }
  s->in_octets = malloc((size_t)RECEIVE_BUFFERS * RECEIVE_BUFFER_SIZE);
  if (!s->in_octets) {
    rv = UDP_ERR_NOMEM;
    goto fail_in;
  }
  s->out_octets = malloc((size_t)SEND_SLOTS * UDP_SEND_MAX);
  if (!s->out_octets) {
    rv = UDP_ERR_NOMEM;
    goto fail_out;
  }
  for (i = 0; i < SEND_SLOTS; i++) {
    s->out[i].data = s->out_octets + i * UDP_SEND_MAX;
  }
  rv = udp_add(s, options);
  if (rv != 0) {
    goto fail_port;
  }
  *psocket = s;
  return 0;

fail_port:
  free(s->out_octets);
fail_out:
  free(s->in_octets);
fail_in:
  free(s);
  return rv;
}

int udp_add(udp_socket *socket, const udp_options *options) {
  int rv;

  if (socket->nports == UDP_ADDRESSES_MAX) {
    return UDP_ERR_FULL;
  }
  rv = udp_port_open(&socket->ports[socket->nports], options);
  if (rv == 0) {
    ++socket->nports;
  }
  return rv;
}

void udp_close(udp_socket *socket) {
  size_t i;

  if (!socket) {
    return;
  }
  for (i = 0; i < socket->nports; i++) {
    udp_port_close(&socket->ports[i]);
  }
  free(socket->out_octets);
  free(socket->in_octets);
  free(socket);
}

const udp_address *udp_local_address(const udp_socket *socket, size_t i) {
  return i < socket->nports ? &socket->ports[i].local : NULL;
}

uint64_t udp_dropped(const udp_socket *socket) { return socket->dropped; }

/* --- receiving ----------------------------------------------------------- */

/* Reads the control messages of |message| into |d|; returns the size of its
   segments, or 0 if it is a single datagram. */
static size_t read_control(const udp_port *port, struct msghdr *message,
                           udp_datagram *d) {
  struct cmsghdr *c;
  size_t segment = 0;

  d->local = port->local;
  d->ecn = 0;
  for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;

      memcpy(&info, CMSG_DATA(c), sizeof(info));
      d->local.in.sin_addr = info.ipi_spec_dst;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;

      memcpy(&info, CMSG_DATA(c), sizeof(info));
      d->local.in6.sin6_addr = info.ipi6_addr;
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
        d->local.in6.sin6_scope_id = (uint32_t)info.ipi6_ifindex;
      }
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      d->ecn = *CMSG_DATA(c) & IPTOS_ECN_MASK;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      int tclass;

      memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
      d->ecn = (uint8_t)(tclass & IPTOS_ECN_MASK);
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int size;

      memcpy(&size, CMSG_DATA(c), sizeof(size));
      segment = size > 0 ? (size_t)size : 0;
    }
  }
  return segment;
}

/* Gives out the datagrams of one message of |port|. */
static void take_message(udp_socket *socket, const udp_port *port, size_t i,
                         udp_batch *in) {
  struct msghdr *message = &socket->in_messages[i].msg_hdr;
  uint8_t *data = socket->in_vectors[i].iov_base;
  size_t left = socket->in_messages[i].msg_len;
  udp_datagram d;
  size_t segment;

  d.remote = socket->in_names[i];
  segment = read_control(port, message, &d);
  if (segment == 0) {
    segment = left;
  }
  if (segment > UDP_RECEIVE_MAX || (message->msg_flags & MSG_TRUNC) ||
      d.remote.in.sin_port == 0) {
    /* Too long; or from port 0, where nobody can be answered. */
    socket->dropped += segment ? (left + segment - 1) / segment : 1;
    return;
  }
  /* A datagram without octets is one, too. */
  do {
    d.data = data;
    d.len = left < segment ? left : segment;
    if (in->count == RECEIVE_DATAGRAMS) {
      socket->dropped++;
    } else {
      socket->in[in->count++] = d;
    }
    data += d.len;
    left -= d.len;
  } while (left > 0);
}

/* Asks |port| for what has come.  0, or UDP_ERR_IO. */
static int receive_at(udp_socket *socket, const udp_port *port, udp_batch *in) {
  size_t i;
  int n;

  for (i = 0; i < RECEIVE_BUFFERS; i++) {
    struct msghdr *message = &socket->in_messages[i].msg_hdr;

    socket->in_vectors[i].iov_base =
        socket->in_octets + i * RECEIVE_BUFFER_SIZE;
    socket->in_vectors[i].iov_len = RECEIVE_BUFFER_SIZE;
    message->msg_name = &socket->in_names[i];
    message->msg_namelen = sizeof(socket->in_names[i]);
    message->msg_iov = &socket->in_vectors[i];
    message->msg_iovlen = 1;
    message->msg_control = &socket->in_controls[i];
    message->msg_controllen = sizeof(socket->in_controls[i]);
    message->msg_flags = 0;
  }

  do {
    n = recvmmsg(port->fd, socket->in_messages, RECEIVE_BUFFERS, 0, NULL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    switch (errno) {
    case EBADF:
    case ENOTSOCK:
    case EFAULT:
    case EINVAL:
      return UDP_ERR_IO;
    default:
      /* Nothing there, or an error of one peer. */
      return 0;
    }
  }
  for (i = 0; i < (size_t)n; i++) {
    take_message(socket, port, i, in);
  }
  return 0;
}

int udp_receive(udp_socket *socket, udp_batch *in) {
  size_t i;
  int rv = 0;

  in->datagrams = socket->in;
  in->count = 0;
  in->capacity = 0;
  /* One after the other, since they share their buffers; and none can keep the
     others from their turn. */
  for (i = 0; i < socket->nports && in->count == 0 && rv == 0; i++) {
    size_t turn = socket->turn;

    socket->turn = (turn + 1) % socket->nports;
    rv = receive_at(socket, &socket->ports[turn], in);
  }
  return rv;
}

/* --- sending ------------------------------------------------------------- */

void udp_send_begin(udp_socket *socket, udp_batch *out) {
  out->datagrams = socket->out + socket->kept;
  out->count = 0;
  out->capacity = SEND_SLOTS - socket->kept;
}

int udp_send_pending(const udp_socket *socket) { return socket->kept > 0; }

static void add_control(struct msghdr *message, int level, int type,
                        const void *data, size_t len) {
  struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)message->msg_control +
                                                 message->msg_controllen);

  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(len);
  memcpy(CMSG_DATA(c), data, len);
  message->msg_controllen += CMSG_SPACE(len);
}

static void write_control(const udp_port *port, struct msghdr *message,
                          const udp_datagram *d, size_t segment) {
  int ipv6 = d->remote.sa.sa_family == AF_INET6;

  message->msg_controllen = 0;
  if (port->wildcard && d->local.sa.sa_family == d->remote.sa.sa_family &&
      !udp_is_unspecified(&d->local)) {
    if (ipv6) {
      struct in6_pktinfo info = {.ipi6_addr = d->local.in6.sin6_addr};

      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
        info.ipi6_ifindex = d->local.in6.sin6_scope_id;
      }
      add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    } else {
      struct in_pktinfo info = {.ipi_spec_dst = d->local.in.sin_addr};

      add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
  }
  if (d->ecn & IPTOS_ECN_MASK) {
    int tos = d->ecn & IPTOS_ECN_MASK;

    if (ipv6 && !IN6_IS_ADDR_V4MAPPED(&d->remote.in6.sin6_addr)) {
      add_control(message, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    } else {
      add_control(message, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    }
  }
  if (segment > 0) {
    uint16_t size = (uint16_t)segment;

    add_control(message, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
  }
  if (message->msg_controllen == 0) {
    message->msg_control = NULL;
  }
}

static in_port_t number_of(const udp_address *address) {
  return address->sa.sa_family == AF_INET6 ? address->in6.sin6_port
                                           : address->in.sin_port;
}

/* The one that |d| leaves by: bound to its local address, or to every address
   of that port. */
static udp_port *port_for(udp_socket *socket, const udp_datagram *d) {
  udp_port *best = &socket->ports[0];
  size_t i;

  for (i = 0; socket->nports > 1 && i < socket->nports; i++) {
    udp_port *port = &socket->ports[i];

    if (udp_address_eq(&port->local, &d->local)) {
      return port;
    }
    if (port->wildcard && port->local.sa.sa_family == d->local.sa.sa_family &&
        number_of(&port->local) == number_of(&d->local)) {
      best = port;
    }
  }
  return best;
}

/* How many of the |n| datagrams at |d| leave by |port|, without another one
   between them. */
static size_t count_for(udp_socket *socket, const udp_port *port,
                        const udp_datagram *d, size_t n) {
  size_t i;

  for (i = 1; i < n && (socket->nports == 1 || port_for(socket, d + i) == port);
       i++) {
  }
  return i;
}

/* How many of the |n| datagrams at |d| make one message. */
static size_t run_length(const udp_datagram *d, size_t n) {
  size_t octets = d->len;
  size_t i;

  for (i = 1; i < n && i < SEGMENTS_MAX; i++) {
    if (d[i].len > d->len || d[i].len == 0 ||
        octets + d[i].len > SEGMENTS_OCTETS_MAX || d[i].ecn != d->ecn ||
        !udp_address_eq(&d[i].remote, &d->remote) ||
        !udp_address_eq(&d[i].local, &d->local)) {
      break;
    }
    octets += d[i].len;
    if (d[i].len < d->len) {
      /* Only the last one may be shorter. */
      return i + 1;
    }
  }
  return i;
}

/* Builds messages for |port| out of the |n| slots at |d|, of which the first
   |single| are not to be joined; returns how many messages there are. */
static size_t build_messages(udp_socket *socket, const udp_port *port,
                             udp_datagram *d, size_t n, size_t single) {
  size_t nmessages = 0;
  size_t i = 0;

  while (i < n) {
    struct msghdr *message = &socket->out_messages[nmessages].msg_hdr;
    size_t run =
        port->segmentation && i >= single ? run_length(d + i, n - i) : 1;
    size_t k;

    memset(message, 0, sizeof(*message));
    for (k = 0; k < run; k++) {
      socket->out_vectors[i + k].iov_base = d[i + k].data;
      socket->out_vectors[i + k].iov_len = d[i + k].len;
    }
    message->msg_name = &d[i].remote;
    message->msg_namelen = udp_address_len(&d[i].remote);
    message->msg_iov = &socket->out_vectors[i];
    message->msg_iovlen = run;
    message->msg_control = &socket->out_controls[nmessages];
    write_control(port, message, &d[i], run > 1 ? d[i].len : 0);
    nmessages++;
    i += run;
  }
  return nmessages;
}

/*
 * Sends the first |n| slots.  Returns how many are done with (sent or
 * dropped), or UDP_ERR_IO.
 */
static ptrdiff_t send_slots(udp_socket *socket, size_t n) {
  size_t done = 0;
  size_t single = 0;

  while (done < n) {
    udp_datagram *d = socket->out + done;
    udp_port *port = port_for(socket, d);
    size_t nmessages = build_messages(
        socket, port, d, count_for(socket, port, d, n - done), single);
    int sent =
        sendmmsg(port->fd, socket->out_messages, (unsigned int)nmessages, 0);
    size_t first;
    int i;

    if (sent >= 0) {
      for (i = 0; i < sent; i++) {
        size_t run = socket->out_messages[i].msg_hdr.msg_iovlen;

        done += run;
        single = single > run ? single - run : 0;
      }
      continue;
    }

    first = socket->out_messages[0].msg_hdr.msg_iovlen;
    switch (errno) {
    case EINTR:
      continue;
    case EAGAIN:
      return (ptrdiff_t)done;
    case EBADF:
    case ENOTSOCK:
    case EFAULT:
      return UDP_ERR_IO;
    case EIO:
      /* The device cannot compute the checksums that segments need. */
      if (first > 1) {
        port->segmentation = 0;
        continue;
      }
      break;
    default:
      break;
    }
    if (first > 1) {
      /* Longer than the route takes, or a target that will fail singly, too:
         find out one by one. */
      single = first;
      continue;
    }
    socket->dropped++;
    done++;
    single = single > 1 ? single - 1 : 0;
  }
  return (ptrdiff_t)done;
}

int udp_send(udp_socket *socket, udp_batch *out) {
  size_t room = SEND_SLOTS - socket->kept;
  size_t n = socket->kept + (out->count < room ? out->count : room);
  ptrdiff_t done = send_slots(socket, n);
  size_t i;

  out->count = 0;
  out->capacity = 0;
  if (done < 0) {
    socket->kept = 0;
    return (int)done;
  }
  socket->kept = n - (size_t)done;
  if (done > 0) {
    for (i = 0; i < socket->kept; i++) {
      /* A swap: every slot keeps octets of its own. */
      udp_datagram d = socket->out[i];

      socket->out[i] = socket->out[i + (size_t)done];
      socket->out[i + (size_t)done] = d;
    }
  }
  return 0;
}

/* --- waiting ------------------------------------------------------------- */

size_t udp_posix_pollfds(udp_socket *socket,
                         struct pollfd fds[UDP_ADDRESSES_MAX]) {
  const udp_port *blocked =
      socket->kept > 0 ? port_for(socket, &socket->out[0]) : NULL;
  size_t i;

  for (i = 0; i < socket->nports; i++) {
    fds[i].fd = socket->ports[i].fd;
    fds[i].events = POLLIN;
    fds[i].revents = 0;
    if (&socket->ports[i] == blocked) {
      fds[i].events |= POLLOUT;
    }
  }
  return socket->nports;
}
