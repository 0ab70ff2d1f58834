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
#include "server/documents.h"
#include "server/quic/endpoint.h"
#include "server/tls.h"
#include "server/udp.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* Applications that a host may bring. */
#define APPLIANCE_APPS_MAX 32

typedef struct appliance appliance;
struct app;

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
  /* The path of the link; NULL: /echo, or of what is served in its place. */
  const char *path;
  /* An https URL at which the signed hash set can be had too, or NULL. */
  const char *mirror;
  /* NULL: cm_profile_hot_standby. */
  const cm_profile *profile;
  /* Where certificates and identity are kept; must outlive the appliance.
     NULL: they end with it. */
  cm_store *store;
  /* NULL: malloc and friends; NULL: cm_random_system. */
  const ngtcp2_mem *mem;
  const cm_random *random;
  quic_conn_limits limits;
  size_t connections_max;
  size_t sessions_max; /* per connection */
  /* The host's own applications, which come before those of the appliance; at
     most APPLIANCE_APPS_MAX.  They must outlive it. */
  const struct app *const *apps;
  size_t napps;
  /* The appliance's own that are not served: bits of appliance_app_bit(). */
  unsigned omitted;
  /* See quic_endpoint_config. */
  quic_retry retry;
  size_t retry_above;
  size_t handshakes_max;
  size_t memory_max;
  /* Those of a start before this one, or NULL; copied. */
  const quic_endpoint_keys *keys;
  /* Nanoseconds in which a new connection has to make a request; 0: for ever.
   */
  uint64_t request_timeout;
  /* The origins whose pages may have a session, in an array that ends with
     NULL; NULL: all.  Must outlive the appliance. */
  const char *const *origins;
  /* Nanoseconds that sessions get to end by themselves when it stops; 0: they
     are closed at once. */
  uint64_t drain_timeout;
  tls_cipher_preference prefer;
  tls_keylog keylog; /* may be NULL */
  void *keylog_user;
  /* |event| is an object with "type"; it is deleted when this returns.
     May be NULL. */
  void (*on_event)(void *user, cJSON *event);
  /* A document was published, and belongs to the appliance; its |jws| is empty
     if the one before is withdrawn.  May be NULL. */
  void (*on_publish)(void *user, const cm_publication *publication);
  /* A line for the journal.  May be NULL. */
  void (*on_journal)(void *user, const cm_journal_entry *entry);
  /* What the host has to say to "status", as an object that the appliance
     takes over; may return NULL.  May be NULL. */
  cJSON *(*on_health)(void *user);
  void *user;
} appliance_config;

/* Fills in what suits a server; hosts, port and on_event are left empty. */
void appliance_config_default(appliance_config *config);

/* Of the applications that may be left out, in bits. */
#define APPLIANCE_APPS_OWN 7u

/* The bit of "echo" (which raw QUIC has too), "room" or "measure" (/sink and
   /source); 0 for any other name: the hash feed is always there. */
unsigned appliance_app_bit(const char *name);

/*
 * Takes up the certificates of |config->store|, makes those that are missing,
 * and serves; if that cannot be done at once, it is tried again, and
 * appliance_is_ready() says when.  Everything that |config| points to but
 * |random|, |mem|, |store|, |origins| and the applications is copied.  Returns
 * 0, or CM_ERR_* or TLS_ERR_* or QUIC_ERR_*, for appliance_strerror().
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
 *   {"command":"status"}
 *   {"command":"hashes"}   with "form": that form alone, as {"text"}
 *   {"command":"rotate"}   refused until the standby is READY, unless "force":
 *                          "can_force" beside the error says if that would help
 *   {"command":"revoke"}   the standby takes over, the old hash is gone
 *   {"command":"reset"}    a new epoch: every client needs a new link
 *   {"command":"identity"} {"thumbprint"}; with "backup": true, the secret too;
 *                          with "restore": "...", takes that one
 *   {"command":"close","session":N,"code":N,"reason":"..."}
 *   {"command":"stop"}     appliance_drain(); twice if "now"
 *
 * A command that fails is answered {"error":"..."}.  Packets that result go
 * out with the next appliance_step().
 */
cJSON *appliance_command(appliance *appliance, const cJSON *command,
                         const appliance_time *now);

/* What is published: {"state","identity","epoch","seq","url","link","hashes":
   [{"use","hex","b64url","not_before","not_after","active_from",
   "active_until"}]}.  |url| and |link| are null if there is nothing to connect
   with.  The caller deletes it.  NULL for want of memory. */
cJSON *appliance_describe(const appliance *appliance);

/* Whether clients are served, and told with what hash. */
int appliance_is_ready(const appliance *appliance);

/*
 * Stops gracefully, as "stop" does: sessions and connections are asked to end,
 * after drain_timeout sessions are closed, and then all connections; steps do
 * that, and appliance_is_stopping() says when it is done.  Asked again, it
 * waits for nobody.
 */
void appliance_drain(appliance *appliance, const appliance_time *now);

/* Closes all connections; the packets go out with appliance_step(). */
void appliance_shutdown(appliance *appliance, const appliance_time *now);

/* Whether it has stopped: after the next appliance_step(), its packets have
   gone out. */
int appliance_is_stopping(const appliance *appliance);

/* Fills in all of |source| but the hooks and the version, as of the last step;
   what it points to stays until the next call without const. */
void appliance_documents(appliance *appliance, documents_source *source);

/* The text for an error of appliance_new(): static, without a full stop. */
const char *appliance_strerror(int error);

/* The endpoint, for tests and counters. */
quic_endpoint *appliance_endpoint(appliance *appliance);
/*
 * Whether nothing is left to be done for the certificates now.  With a store
 * that saves in a thread (cm_store_open_thread_posix()), what follows from
 * rotate, revoke, reset and restore goes on in the background: a host steps
 * until this is so, and then appliance_describe() is the reply that tells all.
 * appliance_step() is to be called when the store's descriptor can be read.
 */
int appliance_is_settled(const appliance *appliance);

const cm_manager *appliance_certificates(const appliance *appliance);
/* The certificate in service; NULL if there is none. */
const cm_certificate *appliance_certificate(const appliance *appliance);

#endif
