/* SPDX-License-Identifier: Apache-2.0 */
/* One kernel socket of a udp_socket: bound to one address, and tuned. */
#ifndef SERVER_UDP_PORT_POSIX_H
#define SERVER_UDP_PORT_POSIX_H

#include "server/udp.h"

/* linux/udp.h has them; older C libraries do not. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

typedef struct udp_port {
  int fd;
  udp_address local;
  /* 1 if bound to the unspecified address: then each datagram has to say which
     of our addresses it leaves from. */
  int wildcard;
  /* 0 once the kernel or a device has refused segmentation. */
  int segmentation;
} udp_port;

/* Errors as udp_open(). */
int udp_port_open(udp_port *port, const udp_options *options);
void udp_port_close(udp_port *port);

/* Whether |address| is that of no interface: 0.0.0.0 or ::. */
int udp_is_unspecified(const udp_address *address);

#endif
