/* SPDX-License-Identifier: Apache-2.0 */
/* What main.c and main_web.c have in common. */
#ifndef SERVER_HOST_H
#define SERVER_HOST_H

#include "server/appliance.h"
#include "server/udp.h"

#include <stddef.h>

typedef enum host_exit {
  HOST_EXIT_OK = 0,
  HOST_EXIT_INTERNAL = 1,
  HOST_EXIT_OPTION = 2,
  HOST_EXIT_PORT_BUSY = 3,
  HOST_EXIT_PERMISSION = 4,
  HOST_EXIT_ADDRESS = 5,
  HOST_EXIT_CONTROL = 6,
  HOST_EXIT_STATE = 7
} host_exit;

#define HOST_DEFAULT_ADDRESS "127.0.0.1"
#define HOST_DEFAULT_PORT 4433
#define HOST_NAMES_MAX (UDP_ADDRESSES_MAX + 3)
#define HOST_ORIGINS_MAX 32

/* Limits that whoever runs a server may set. */
typedef enum host_limit_id {
  HOST_LIMIT_IDLE,
  HOST_LIMIT_CONNECTIONS,
  HOST_LIMIT_SESSIONS,
  HOST_LIMIT_HANDSHAKES,
  HOST_LIMIT_RETRY_ABOVE,
  HOST_LIMIT_DRAIN
} host_limit_id;

#define HOST_LIMIT_COUNT 6

typedef struct host_limit {
  const char *option; /* on the command line */
  const char *member; /* of the web's options */
  const char *unit;   /* behind "a number"; "" if it is one of things */
  long min, max;
  void (*set)(appliance_config *config, long value);
} host_limit;

/* In the order in which they are to be set. */
extern const host_limit host_limits[HOST_LIMIT_COUNT];

/* A place to listen at. */
typedef struct host_listen {
  char address[UDP_ADDRESS_TEXT_MAX]; /* literal */
  uint16_t port;
  int has_port;
} host_listen;

/* Reads "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]" or
   "[2001:db8::1]:443"; |port| is 0 if there is none in |text|.  0, or
   UDP_ERR_INVALID. */
int host_listen_parse(host_listen *listen, const char *text);

/* Whether a socket at |a| takes what another one at |b| would: they are the
   same, or one of them is every address of that port. */
int host_listen_overlaps(const host_listen *a, const host_listen *b);

/* What "always", "busy" and "never" mean.  0, or -1 for any other |name|. */
int host_retry(quic_retry *retry, const char *name);

/*
 * Whether |text| is an origin as a browser serializes it (RFC 6454 section
 * 6.2), and so can ever be equal to one: scheme://host or scheme://host:port,
 * in lower case, without the port that is the scheme's own.
 */
int host_is_origin(const char *text);

/* The names that a certificate is for if nobody said so, by the |address| that
   is bound; the first is for the link.  Returns how many of |names| are set;
   they are static, or |address| itself. */
size_t host_default_names(const char *names[HOST_NAMES_MAX],
                          const char *address);

/* The same of several: appends to the |n| |names| those of |address| that are
   not among them, while there is room. */
size_t host_add_default_names(const char *names[HOST_NAMES_MAX], size_t n,
                              const char *address);

/*
 * Whether a server that is bound to |address|, for the |n| |names|, hands out a
 * link by which clients are bound to fail.  Returns 1, and one line for a
 * person with what to do in |text|; or 0.
 */
int host_doubt(char *text, size_t textlen, const char *address,
               const char *const *names, size_t n);

/* Reads both clocks. */
void host_now(appliance_time *now);

/*
 * Receives and sends until there is nothing to do, or for a while; |*now| is
 * the time of the last step.  Returns 1 if there is more to receive, 0 if not,
 * or UDP_ERR_IO.
 */
int host_turn(appliance *a, udp_socket *socket, appliance_time *now);

/* The port of |address|, in host byte order. */
uint16_t host_port(const udp_address *address);

/* The exit code for an error of udp_open() or appliance_new(). */
host_exit host_exit_code(int error);

/* "port-busy" …: what the events of the web call it. */
const char *host_exit_name(host_exit code);

/* One line for a person about why |address| and |port| could not be had, with
   what to do; or about another error.  NUL-terminated in |text|. */
void host_explain(char *text, size_t textlen, int error, const char *address,
                  unsigned port);

#endif
