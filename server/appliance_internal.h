/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the appliance share with each other, and nobody else. */
#ifndef SERVER_APPLIANCE_INTERNAL_H
#define SERVER_APPLIANCE_INTERNAL_H

#include "certmgr/certmgr.h"
#include "server/appliance.h"
#include "server/apps/hash_feed.h"
#include "server/apps/room.h"
#include "server/http3/h3.h"
#include "server/refusal.h"
#include "server/webtransport/session.h"

/* Ends of sessions that "status" tells about. */
#define APPLIANCE_CLOSED_MAX 64
#define APPLIANCE_TEXT_MAX 4096

typedef struct open_session {
  struct open_session *next;
  wt_session *session;
  uint64_t opened; /* monotonic, nanoseconds */
} open_session;

/* Hashes whose publication is remembered; those of certificates that clients
   may still be shown. */
#define APPLIANCE_FIRST_MAX 4

typedef struct first_publication {
  uint8_t sha256[CM_HASH_LEN];
  int64_t time; /* wall clock; 0: a free place */
} first_publication;

/* The contexts of certificates that were ever served and are not forgotten
   yet, for who holds on to them. */
typedef struct served_context {
  uint8_t sha256[CM_HASH_LEN];
  tls_context *tls; /* NULL: a free place */
} served_context;

typedef enum appliance_phase {
  APPLIANCE_SERVING,
  /* Sessions are asked to end. */
  APPLIANCE_DRAINING,
  /* They were ended, and their peers are being told. */
  APPLIANCE_CLOSING,
  APPLIANCE_STOPPED
} appliance_phase;

/* A certificate that is no more, and connections made under it that go on. */
typedef struct orphaned_certificate {
  struct orphaned_certificate *next;
  uint8_t sha256[CM_HASH_LEN];
} orphaned_certificate;

struct appliance {
  cm_manager *certificates;
  quic_endpoint *endpoint;
  tls_config tls;
  const app *apps[5 + APPLIANCE_APPS_MAX];
  size_t napps;
  hash_feed feed;
  rooms rooms;
  h3_service h3;
  quic_service services[2];
  void (*on_event)(void *user, cJSON *event);
  void (*on_publish)(void *user, const cm_publication *publication);
  void (*on_journal)(void *user, const cm_journal_entry *entry);
  cJSON *(*on_health)(void *user);
  void *user;
  appliance_time now;
  appliance_time started;
  /* When the certificates are looked after next. */
  uint64_t certificates_deadline;
  appliance_phase phase;
  uint64_t drain_timeout;
  /* When the phase ends at the latest; UINT64_MAX: never. */
  uint64_t stop_deadline;
  /* The certificate that new handshakes get, if |is_serving|. */
  int is_serving;
  uint8_t served[CM_HASH_LEN];
  served_context contexts[CM_SLOTS + 1];
  orphaned_certificate *orphans;
  uint64_t sessions_total;
  open_session *sessions;
  cJSON *closed; /* array of objects, oldest first */
  refusals refusals;
  documents_count handshakes[REFUSAL_KIND_COUNT];
  first_publication first[APPLIANCE_FIRST_MAX]; /* a ring */
  size_t nfirst;
};

/* ---- appliance.c ---- */

/* It is |now|.  The certificates are looked after at once if the wall clock has
   jumped. */
void appliance_set_time(appliance *a, const appliance_time *now);

/* An object with "type"; NULL for want of memory. */
cJSON *appliance_event(const char *type);
/* Tells |event| to the host and deletes it. */
void appliance_emit(appliance *a, cJSON *event);
/* |level|: "error", "warning" or "info". */
void appliance_log(appliance *a, const char *level, const char *text);
void appliance_add_peer(cJSON *object, const wt_session *session);

/* Seconds since |then|, of the monotonic clock. */
double appliance_age(const appliance *a, uint64_t then);

/* ---- appliance_certificates.c ---- */

/* As appliance_describe(), of |pub|, which may be NULL. */
cJSON *appliance_describe_publication(const appliance *a,
                                      const cm_publication *pub);

/* What the manager calls. */
extern const cm_callbacks appliance_callbacks;

cm_time appliance_cm_time(const appliance *a);

/* Lets go of all contexts. */
void appliance_forget_contexts(appliance *a);

/* Does one thing that is due for the certificates, and says when to come
   again. */
void appliance_tend_certificates(appliance *a);

/* Does all that is due. */
void appliance_settle_certificates(appliance *a);

/* quic_endpoint_config.on_initial: a certificate that is valid now is served,
   or the Initial is ignored. */
int appliance_on_initial(void *user);

/* ---- appliance_stop.c ---- */

/* Goes on with stopping, if that is under way. */
void appliance_tend_stop(appliance *a);

/* ---- appliance_refusal.c ---- */

/* |sha256| is published, for the first time ever if it is not known yet. */
void appliance_note_publication(appliance *a, const uint8_t *sha256);

/* quic_endpoint_config.on_end: counts it, and tells why if somebody refused. */
void appliance_on_end(void *user, const quic_conn *conn,
                      const quic_conn_end *end);

/* Tells what was held back so as not to fill the log. */
void appliance_tell_refusals(appliance *a);

/* The latest refusals first, as an array; NULL for want of memory. */
cJSON *appliance_refusals(const appliance *a);

/* ---- appliance_command.c ---- */

/* {"error": |text|}; NULL for want of memory. */
cJSON *appliance_refuse(const char *text);

/* rotate, revoke, reset, hashes, identity; NULL if |name| is none of these. */
cJSON *appliance_certificate_command(appliance *a, const char *name,
                                     const cJSON *command);

#endif
