/* SPDX-License-Identifier: Apache-2.0 */
/* What udp.h leaves out because only a kernel has it. */
#ifndef SERVER_UDP_POSIX_H
#define SERVER_UDP_POSIX_H

#include "server/udp.h"

#include <poll.h>

/* Fills |fds| with what to poll(2) for before udp_receive(), and before
   udp_send() while udp_send_pending().  Returns how many; the descriptors
   belong to |socket|. */
size_t udp_posix_pollfds(udp_socket *socket,
                         struct pollfd fds[UDP_ADDRESSES_MAX]);

#endif
