/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, the part of udp.h that is the same on every platform. */
#include "server/udp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

socklen_t udp_address_len(const udp_address *address) {
  return address->sa.sa_family == AF_INET6 ? (socklen_t)sizeof(address->in6)
                                           : (socklen_t)sizeof(address->in);
}

int udp_address_eq(const udp_address *a, const udp_address *b) {
  if (a->sa.sa_family != b->sa.sa_family) {
    return 0;
  }
  if (a->sa.sa_family == AF_INET6) {
    return a->in6.sin6_port == b->in6.sin6_port &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
           memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
                  sizeof(a->in6.sin6_addr)) == 0;
  }
  return a->in.sin_port == b->in.sin_port &&
         a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

const char *udp_address_text(char text[UDP_ADDRESS_TEXT_MAX],
                             const udp_address *address) {
  char host[INET6_ADDRSTRLEN];

  if (address->sa.sa_family == AF_INET6) {
    if (!inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof(host))) {
      host[0] = '\0';
    }
    snprintf(text, UDP_ADDRESS_TEXT_MAX, "[%s]:%u", host,
             (unsigned)ntohs(address->in6.sin6_port));
  } else {
    if (!inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host))) {
      host[0] = '\0';
    }
    snprintf(text, UDP_ADDRESS_TEXT_MAX, "%s:%u", host,
             (unsigned)ntohs(address->in.sin_port));
  }
  return text;
}

int udp_address_parse(udp_address *address, const char *text, uint16_t port) {
  memset(address, 0, sizeof(*address));
  if (inet_pton(AF_INET, text, &address->in.sin_addr) == 1) {
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons(port);
    return 0;
  }
  if (inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1) {
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons(port);
    return 0;
  }
  return UDP_ERR_INVALID;
}
