/* SPDX-License-Identifier: Apache-2.0 */
/* What udp.h leaves out because only a kernel has it. */
#ifndef SERVER_UDP_POSIX_H
#define SERVER_UDP_POSIX_H

#include "server/udp.h"

/* The descriptor to poll(2): POLLIN before udp_receive(), and POLLOUT while
   udp_send_pending().  It belongs to |socket|. */
int udp_posix_fd(const udp_socket *socket);

#endif
