/* SPDX-License-Identifier: Apache-2.0 */
#include "server/host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Turns of receiving before others than the socket are looked at. */
#define ROUNDS_MAX 16

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static int is_loopback(const udp_address *address) {
  return address->sa.sa_family == AF_INET6
             ? IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr)
             : ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int is_every(const udp_address *address) {
  return address->sa.sa_family == AF_INET6
             ? IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr)
             : address->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

int host_listen_parse(host_listen *listen, const char *text) {
  size_t len = strlen(text);
  const char *colon = NULL;
  udp_address parsed;

  memset(listen, 0, sizeof(*listen));
  /* Nothing else that ends with a number is an IPv6 address. */
  if (udp_address_parse(&parsed, text, 0) != 0) {
    const char *end = strrchr(text, ':');

    if (end && (text[0] != '[' || end[-1] == ']')) {
      colon = end;
      len = (size_t)(end - text);
    }
    if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
      ++text;
      len -= 2;
      if (!memchr(text, ':', len)) {
        return UDP_ERR_INVALID;
      }
    } else if (memchr(text, ':', len)) {
      return UDP_ERR_INVALID;
    }
  }
  if (len >= sizeof(listen->address)) {
    return UDP_ERR_INVALID;
  }
  memcpy(listen->address, text, len);
  if (udp_address_parse(&parsed, listen->address, 0) != 0) {
    return UDP_ERR_INVALID;
  }
  if (colon) {
    size_t digits = strspn(colon + 1, DIGITS);
    long port = strtol(colon + 1, NULL, 10);

    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' ||
        port > 65535) {
      return UDP_ERR_INVALID;
    }
    listen->port = (uint16_t)port;
    listen->has_port = 1;
  }
  return 0;
}

int host_listen_overlaps(const host_listen *a, const host_listen *b) {
  udp_address first, second;

  if (a->port != b->port || a->port == 0 ||
      udp_address_parse(&first, a->address, 0) != 0 ||
      udp_address_parse(&second, b->address, 0) != 0) {
    return 0;
  }
  if (udp_address_eq(&first, &second)) {
    return 1;
  }
  /* :: is IPv4 too. */
  return (is_every(&first) &&
          (first.sa.sa_family == AF_INET6 || second.sa.sa_family == AF_INET)) ||
         (is_every(&second) &&
          (second.sa.sa_family == AF_INET6 || first.sa.sa_family == AF_INET));
}

size_t host_default_names(const char *names[HOST_NAMES_MAX],
                          const char *address) {
  udp_address parsed;
  int ipv6;

  /* An address has many spellings. */
  if (udp_address_parse(&parsed, address, 0) != 0) {
    names[0] = address;
    return 1;
  }
  ipv6 = parsed.sa.sa_family == AF_INET6;
  if (!ipv6 && is_every(&parsed)) {
    /* Not localhost first: a browser takes it for ::1, which is not served. */
    names[0] = "127.0.0.1";
    names[1] = "localhost";
    return 2;
  }
  if (ipv6 && is_every(&parsed)) {
    names[0] = "localhost";
    names[1] = "127.0.0.1";
    names[2] = "::1";
    return 3;
  }
  names[0] = address;
  if (is_loopback(&parsed)) {
    names[1] = "localhost";
    return 2;
  }
  return 1;
}

size_t host_add_default_names(const char *names[HOST_NAMES_MAX], size_t n,
                              const char *address) {
  const char *more[HOST_NAMES_MAX];
  size_t i, k, nmore = host_default_names(more, address);

  for (i = 0; i < nmore && n < HOST_NAMES_MAX; ++i) {
    for (k = 0; k < n && strcmp(names[k], more[i]) != 0; ++k) {
    }
    if (k == n) {
      names[n++] = more[i];
    }
  }
  return n;
}

int host_doubt(char *text, size_t textlen, const char *address,
               const char *const *names, size_t n) {
  udp_address bound, named;
  const char *name;
  size_t i = 0;

  while (i < n && names[i][0] == '*') {
    ++i;
  }
  if (i == n || udp_address_parse(&bound, address, 0) != 0) {
    return 0;
  }
  name = names[i];
  if (strcasecmp(name, "localhost") == 0) {
    if (bound.sa.sa_family == AF_INET6) {
      return 0;
    }
    snprintf(text, textlen,
             "a browser takes localhost for ::1, and this listens on %s: take "
             "127.0.0.1 as host, or listen on ::",
             address);
    return 1;
  }
  if (!is_loopback(&bound) ||
      (udp_address_parse(&named, name, 0) == 0 && is_loopback(&named))) {
    return 0;
  }
  snprintf(text, textlen,
           "only programs of this machine can reach %.100s: this listens on %s "
           "alone, and :: is every network",
           name, address);
  return 1;
}

/* ---- Options ---- */

static void set_idle(appliance_config *config, long seconds) {
  config->limits.idle_timeout = (uint64_t)seconds * NGTCP2_SECONDS;
}

static void set_connections(appliance_config *config, long n) {
  config->connections_max = (size_t)n;
}

static void set_sessions(appliance_config *config, long n) {
  config->sessions_max = (size_t)n;
}

static void set_handshakes(appliance_config *config, long n) {
  config->handshakes_max = (size_t)n;
  /* Who is not at its address must not fill all places before anybody is asked
     for proof. */
  if (n / 2 < QUIC_RETRY_ABOVE) {
    config->retry_above = (size_t)n / 2;
  }
}

static void set_retry_above(appliance_config *config, long n) {
  config->retry_above = (size_t)n;
}

static void set_drain(appliance_config *config, long seconds) {
  config->drain_timeout = (uint64_t)seconds * NGTCP2_SECONDS;
}

/* Set in this order: a later one may undo what an earlier one implies.  Half of
   the handshakes may be of one address: of one there would be none. */
const host_limit host_limits[HOST_LIMIT_COUNT] = {
    [HOST_LIMIT_IDLE] = {"idle", "idle", " of seconds", 1, 86400, set_idle},
    [HOST_LIMIT_CONNECTIONS] = {"max-connections", "max_connections", "", 1,
                                1000000, set_connections},
    [HOST_LIMIT_SESSIONS] = {"max-sessions", "max_sessions", "", 1, 10000,
                             set_sessions},
    [HOST_LIMIT_HANDSHAKES] = {"max-handshakes", "max_handshakes", "", 2,
                               1000000, set_handshakes},
    [HOST_LIMIT_RETRY_ABOVE] = {"retry-above", "retry_above", "", 1, 1000000,
                                set_retry_above},
    [HOST_LIMIT_DRAIN] = {"drain", "drain", " of seconds", 0, 3600, set_drain},
};

int host_retry(quic_retry *retry, const char *name) {
  static const struct {
    const char *name;
    quic_retry retry;
  } all[] = {{"always", QUIC_RETRY_ALWAYS},
             {"busy", QUIC_RETRY_WHEN_BUSY},
             {"never", QUIC_RETRY_NEVER}};
  size_t i;

  for (i = 0; i < sizeof(all) / sizeof(all[0]); ++i) {
    if (strcmp(name, all[i].name) == 0) {
      *retry = all[i].retry;
      return 0;
    }
  }
  return -1;
}

/* Octets of the host at |text|; 0 if there is none. */
static size_t origin_host_len(const char *text) {
  char address[UDP_ADDRESS_TEXT_MAX];
  udp_address parsed;
  size_t len;

  if (text[0] != '[') {
    return strspn(text, LOWER DIGITS "._-");
  }
  len = strspn(text + 1, DIGITS "abcdef:.");
  if (text[1 + len] != ']' || len >= sizeof(address)) {
    return 0;
  }
  memcpy(address, text + 1, len);
  address[len] = '\0';
  return udp_address_parse(&parsed, address, 0) == 0 &&
                 parsed.sa.sa_family == AF_INET6
             ? len + 2
             : 0;
}

int host_is_origin(const char *text) {
  size_t scheme = strspn(text, LOWER DIGITS "+-.");
  const char *port;
  size_t len;
  long n;

  if (text[0] < 'a' || text[0] > 'z' || strncmp(text + scheme, "://", 3) != 0) {
    return 0;
  }
  port = text + scheme + 3;
  len = origin_host_len(port);
  port += len;
  if (len == 0 || *port == '\0') {
    return len != 0;
  }
  len = strspn(port + 1, DIGITS);
  if (port[0] != ':' || port[1] == '0' || len == 0 || len > 5 ||
      port[1 + len] != '\0') {
    return 0;
  }
  n = strtol(port + 1, NULL, 10);
  return n <= 65535 && !(n == 443 && strncmp(text, "https:", 6) == 0) &&
         !(n == 80 && strncmp(text, "http:", 5) == 0);
}

/* ---- The loop ---- */

void host_now(appliance_time *now) {
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  now->mono = (uint64_t)ts.tv_sec * NGTCP2_SECONDS + (uint64_t)ts.tv_nsec;
  clock_gettime(CLOCK_REALTIME, &ts);
  now->wall = ts.tv_sec;
}

int host_turn(appliance *a, udp_socket *socket, appliance_time *now) {
  udp_batch in, out;
  int i, more, rv;

  for (i = 0; i < ROUNDS_MAX; ++i) {
    rv = udp_receive(socket, &in);
    if (rv != 0) {
      return rv;
    }
    host_now(now);
    udp_send_begin(socket, &out);
    more = appliance_step(a, now, &in, &out);
    rv = udp_send(socket, &out);
    while (rv == 0 && more) {
      udp_send_begin(socket, &out);
      if (out.capacity == 0) {
        break;
      }
      more = appliance_step(a, now, NULL, &out);
      rv = udp_send(socket, &out);
    }
    if (rv != 0) {
      return rv;
    }
    if (in.count == 0) {
      return 0;
    }
  }
  return 1;
}

uint16_t host_port(const udp_address *address) {
  return ntohs(address->sa.sa_family == AF_INET6 ? address->in6.sin6_port
                                                 : address->in.sin_port);
}

host_exit host_exit_code(int error) {
  switch (error) {
  case UDP_ERR_INVALID:
  case CM_ERR_HOST:
  case CM_ERR_HOST_COUNT:
  case CM_ERR_INVALID:
  case CM_ERR_NOBUF:
    return HOST_EXIT_OPTION;
  case UDP_ERR_PORT_BUSY:
    return HOST_EXIT_PORT_BUSY;
  case UDP_ERR_PERMISSION:
    return HOST_EXIT_PERMISSION;
  case UDP_ERR_ADDRESS_NOT_AVAILABLE:
    return HOST_EXIT_ADDRESS;
  case CM_ERR_STORE:
  case CM_ERR_STORE_LOCKED:
  case CM_ERR_STORE_PERMISSIONS:
  case CM_ERR_STORE_BAD:
    return HOST_EXIT_STATE;
  default:
    return HOST_EXIT_INTERNAL;
  }
}

const char *host_exit_name(host_exit code) {
  switch (code) {
  case HOST_EXIT_OPTION:
    return "bad-option";
  case HOST_EXIT_PORT_BUSY:
    return "port-busy";
  case HOST_EXIT_PERMISSION:
    return "permission-denied";
  case HOST_EXIT_ADDRESS:
    return "address-not-available";
  case HOST_EXIT_CONTROL:
    return "control-refused";
  case HOST_EXIT_STATE:
    return "state-refused";
  default:
    return "internal";
  }
}

void host_explain(char *text, size_t textlen, int error, const char *address,
                  unsigned port) {
  switch (error) {
  case UDP_ERR_INVALID:
    snprintf(text, textlen,
             "cannot listen on %s port %u: give a literal address, such as "
             "127.0.0.1 or ::, and a port up to 65535",
             address, port);
    break;
  case UDP_ERR_PORT_BUSY:
    snprintf(text, textlen,
             "port %u of %s is in use by another program: end it, or choose "
             "another with --port (0: any free one)",
             port, address);
    break;
  case UDP_ERR_PERMISSION:
    snprintf(text, textlen,
             "not permitted to open UDP port %u of %s: choose a port from "
             "1024 up, and grant the network permissions where there are any",
             port, address);
    break;
  case UDP_ERR_ADDRESS_NOT_AVAILABLE:
    snprintf(text, textlen,
             "%s is no address of this machine: choose one that is, or :: for "
             "all of them",
             address);
    break;
  case UDP_ERR_IO:
    snprintf(text, textlen, "the UDP socket failed");
    break;
  case CM_ERR_HOST:
    snprintf(text, textlen,
             "--host takes a DNS name or a literal address, such as "
             "example.org or 192.0.2.1; one of them is no wildcard, for the "
             "link");
    break;
  case CM_ERR_INVALID:
  case CM_ERR_NOBUF:
    snprintf(text, textlen,
             "the path begins with \"/\", has no \"#\", and is not longer than "
             "a link can be");
    break;
  default:
    snprintf(text, textlen, "%s", appliance_strerror(error));
    break;
  }
}
