/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "server/udp_port_posix.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_BUFFER (4 << 20)

static int udp_error_from_errno(int error) {
  switch (error) {
  case EADDRINUSE:
    return UDP_ERR_PORT_BUSY;
  case EACCES:
  case EPERM:
    return UDP_ERR_PERMISSION;
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT:
  case EINVAL:
    return UDP_ERR_ADDRESS_NOT_AVAILABLE;
  case ENOMEM:
  case ENOBUFS:
    return UDP_ERR_NOMEM;
  default:
    return UDP_ERR_IO;
  }
}

static int set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value));
}

/* All of these improve the service and none is worth failing for. */
static void tune(udp_port *port) {
  int family = port->local.sa.sa_family;
  int fd = port->fd;

  /* The forced kind goes past the system's limit, and needs a privilege. */
  if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, KERNEL_BUFFER) != 0) {
    (void)set_option(fd, SOL_SOCKET, SO_RCVBUF, KERNEL_BUFFER);
  }
  if (set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, KERNEL_BUFFER) != 0) {
    (void)set_option(fd, SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER);
  }

  if (family == AF_INET6) {
    (void)set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    (void)set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    /* QUIC must not be fragmented (RFC 9000, section 14): set DF, and leave
       it to the endpoint to find the path's MTU. */
    (void)set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  }
  /* Also for the IPv4 peers of a dual-stack socket. */
  (void)set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
  (void)set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  if (family == AF_INET) {
    (void)set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }

  (void)set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  port->segmentation = set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;
}

int udp_is_unspecified(const udp_address *address) {
  return address->sa.sa_family == AF_INET6
             ? IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr)
             : address->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

int udp_port_open(udp_port *port, const udp_options *options) {
  socklen_t len = sizeof(port->local);
  int rv;

  if (!options->address ||
      udp_address_parse(&port->local, options->address, options->port) != 0) {
    return UDP_ERR_INVALID;
  }
  port->wildcard = udp_is_unspecified(&port->local);
  port->fd = socket(port->local.sa.sa_family,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (port->fd < 0) {
    return udp_error_from_errno(errno);
  }
  if (port->local.sa.sa_family == AF_INET6 &&
      set_option(port->fd, IPPROTO_IPV6, IPV6_V6ONLY, !port->wildcard) != 0) {
    rv = UDP_ERR_IO;
    goto fail_bind;
  }
  tune(port);
  if (bind(port->fd, &port->local.sa, udp_address_len(&port->local)) != 0) {
    rv = udp_error_from_errno(errno);
    goto fail_bind;
  }
  if (getsockname(port->fd, &port->local.sa, &len) != 0) {
    rv = UDP_ERR_IO;
    goto fail_bind;
  }
  return 0;

fail_bind:
  close(port->fd);
  return rv;
}

void udp_port_close(udp_port *port) { close(port->fd); }
