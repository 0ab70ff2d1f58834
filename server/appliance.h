/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole appliance without its host: certificates, QUIC endpoint,
 * applications.
 *
 * Free of I/O.  A host (main.c, main_web.c) opens the socket, keeps the two
 * clocks, calls appliance_step() whenever datagrams have come or the deadline
 * is over, and carries commands in and events out.  Not to be entered from
 * its own callbacks.
 */
#ifndef SERVER_APPLIANCE_H
#define SERVER_APPLIANCE_H

#include "certmgr/certmgr.h"
#include "server/quic/endpoint.h"
#include "server/tls.h"
#include "server/udp.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#define APPLIANCE_DEFAULT_PATH "/echo"

typedef struct appliance appliance;

/* Both clocks at one moment. */
typedef struct appliance_time {
  uint64_t mono; /* nanoseconds; never runs backwards */
  int64_t wall;  /* seconds since 1970 UTC; may jump */
} appliance_time;

typedef struct appliance_config {
  /* What the certificates are for; the first that is no
     wildcard is the host of the link. */
  const char *const *hosts;
  size_t nhosts;
  /* The port that clients connect to. */
  uint16_t port;
  /* The path of the link; NULL: APPLIANCE_DEFAULT_PATH. */
  const char *path;
  /* NULL: malloc and friends; NULL: cm_random_system. */
  const ngtcp2_mem *mem;
  const cm_random *random;
  quic_conn_limits limits;
  size_t connections_max;
  size_t sessions_max; /* per connection */
  tls_cipher_preference prefer;
  tls_keylog keylog; /* may be NULL */
  void *keylog_user;
  /* |event| is an object with "type"; it is deleted when this returns.
     May be NULL. */
  void (*on_event)(void *user, cJSON *event);
  void *user;
} appliance_config;

/* Fills in what suits a server; hosts, port and on_event are left empty. */
void appliance_config_default(appliance_config *config);

/*
 * Mints the first certificates and makes ready to serve.  Everything that
 * |config| points to but |random| and |mem| is copied.  Returns 0, or
 * CM_ERR_* or TLS_ERR_* or QUIC_ERR_*, for appliance_strerror().
 */
int appliance_new(appliance **pappliance, const appliance_config *config,
                  const appliance_time *now);

/* Frees everything without a word to anybody; NULL is allowed. */
void appliance_free(appliance *appliance);

/*
 * Takes in the datagrams of |in| (NULL: none), does what is due, and fills
 * free slots of |out|.  Returns 1 if there is more to send: call again with
 * new slots, else 0.
 */
int appliance_step(appliance *appliance, const appliance_time *now,
                   udp_batch *in, udp_batch *out);

/* When appliance_step() is to be called if nothing is received until then, in
   nanoseconds of the monotonic clock. */
uint64_t appliance_deadline(const appliance *appliance);

/*
 * Carries out a command and returns the reply, which the caller deletes; NULL
 * for want of memory.
 *
 *   {"command":"status"}  {"command":"hashes"}  {"command":"rotate"}
 *   {"command":"close","session":N,"code":N,"reason":"..."}
 *   {"command":"stop"}
 *
 * A command that fails is answered {"error":"..."}.  Packets that result go
 * out with the next appliance_step().
 */
cJSON *appliance_command(appliance *appliance, const cJSON *command,
                         const appliance_time *now);

/* {"url","link","hashes":[{"use","hex","b64url"}]}; the caller deletes it.
   NULL for want of memory. */
cJSON *appliance_describe(const appliance *appliance);

/* Closes all connections; the packets go out with appliance_step(). */
void appliance_shutdown(appliance *appliance, const appliance_time *now);

/* Whether "stop" was commanded or appliance_shutdown() called. */
int appliance_is_stopping(const appliance *appliance);

/* The text for an error of appliance_new(): static, without a full stop. */
const char *appliance_strerror(int error);

/* The endpoint, for tests and counters. */
quic_endpoint *appliance_endpoint(appliance *appliance);
/* The certificate in service. */
const cm_certificate *appliance_certificate(const appliance *appliance);

#endif
