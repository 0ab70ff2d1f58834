/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front door: carries out what the lifecycle (lifecycle.h) asks for.
 *
 * The manager owns the certificates with their keys, the identity, and the
 * document that is published.  It makes and stores them itself, and asks its
 * host, by callbacks, to serve one, to hand out a document, and to close
 * connections.  It reads no clock: the time comes with each call.
 *
 *   cm_manager_new(&mgr, &config);
 *   while (cm_manager_step(mgr, &now, &wait) == 1) {}    // one action each
 *   ... again after |wait| seconds, and at each new Initial that finds
 *   cm_manager_serving() to be another certificate than the one installed.
 *
 * Not to be entered from its own callbacks.
 */
#ifndef CERTMGR_CERTMGR_H
#define CERTMGR_CERTMGR_H

#include "certmgr/error.h"
#include "certmgr/hashset.h"
#include "certmgr/identity.h"
#include "certmgr/journal.h"
#include "certmgr/lifecycle.h"
#include "certmgr/profile.h"
#include "certmgr/random.h"
#include "certmgr/store.h"
#include "certmgr/x509.h"

#include <stddef.h>
#include <stdint.h>

/* A time that is certainly past, in seconds since 1970 UTC: 2026-01-01.  No
   certificate is made while the wall clock stands before it. */
#define CM_BUILD_DATE INT64_C(1767225600)

/* Room for any link, with its NUL. */
#define CM_LINK_MAX 4096

/* Both clocks at one moment, in seconds. */
typedef struct cm_time {
  int64_t wall; /* Since 1970 UTC; may jump. */
  int64_t mono; /* Since any moment; never runs backwards. */
} cm_time;

/* What is published.  All pointers belong to the manager, and stay until the
   next call that takes it without const. */
typedef struct cm_publication {
  uint64_t epoch;
  uint64_t seq;
  /* Seconds since 1970 UTC. */
  int64_t issued_at;
  int64_t refresh_after;
  int64_t valid_until;
  /* For how many seconds a cache may keep it. */
  int64_t max_age;
  /* For the plain forms.  |set.active| is NULL if there is nothing to connect
     with any more: what was published before is to be withdrawn. */
  cm_hashset set;
  /* The signed document (hashset_signed.h), NUL-terminated; "" if |set.active|
     is NULL. */
  const char *jws;
  size_t jws_len;
} cm_publication;

/* What the host does for the manager.  Each but |activate| may be NULL. */
typedef struct cm_callbacks {
  /*
   * Serves |certificate| to all new handshakes, once it has been proved by one
   * in memory.  It is the manager's, and to be copied.  Returns 0;
   * CM_ERR_SELF_CHECK if the certificate is at fault, another CM_ERR_*
   * otherwise: then what was served goes on being served.
   */
  int (*activate)(void *user, const cm_certificate *certificate);
  /* Hands |publication| out.  Returns 0, or CM_ERR_*: it is tried again. */
  int (*publish)(void *user, const cm_publication *publication);
  /* Closes all connections made under the certificate with this hash, and
     forgets all keys of session tickets.  0, or CM_ERR_*. */
  int (*close)(void *user, const uint8_t sha256[CM_HASH_LEN]);
  /* Whether a connection made under that certificate is still there. */
  int (*holds)(void *user, const uint8_t sha256[CM_HASH_LEN]);
  /* Something has happened: a line for the journal.  |entry| is gone when this
     returns. */
  void (*event)(void *user, const cm_journal_entry *entry);
} cm_callbacks;

typedef struct cm_config {
  /* What the certificates are for; see cm_x509_mint().  The first that is no
     wildcard is the host of the link.  Copied. */
  const char *const *hosts;
  size_t nhosts;
  /* The rest of the link; |path| NULL: "/".  Copied. */
  uint16_t port;
  const char *path;
  /* An https URL from which the signed document can be had, or NULL.  Copied.
   */
  const char *mirror;
  /* NULL: cm_profile_hot_standby.  Copied. */
  const cm_profile *profile;
  /* The structure is copied; what its |user| points to must outlive the
     manager.  NULL: cm_random_system. */
  const cm_random *random;
  /* Borrowed; must outlive the manager.  NULL: nothing outlives it. */
  cm_store *store;
  /* Seconds since 1970 UTC; 0: CM_BUILD_DATE. */
  int64_t build_date;
  /* Copied. */
  cm_callbacks callbacks;
  void *user;
} cm_config;

/* Since the manager was made. */
typedef struct cm_counters {
  uint64_t minted;
  uint64_t saved;
  uint64_t published;
  /* Swaps from one certificate in service to the next. */
  uint64_t rotations;
  uint64_t revocations;
  uint64_t destroyed;
  uint64_t quarantined;
  uint64_t clock_jumps;
  /* By action. */
  uint64_t failures[CM_ACTION_COUNT];
} cm_counters;

/* What lies ahead. */
typedef enum cm_milestone {
  CM_MILESTONE_STANDBY_READY,
  /* The standby takes over. */
  CM_MILESTONE_ROTATION,
  /* The certificate in service enters its guard, and ends. */
  CM_MILESTONE_GUARD,
  CM_MILESTONE_EXPIRY,
  /* What failed last is tried again. */
  CM_MILESTONE_RETRY
} cm_milestone;

#define CM_MILESTONE_COUNT 5

typedef struct cm_manager cm_manager;

/*
 * Makes a manager, with what |config->store| holds; a certificate in it that
 * fails its check is quarantined and told as an event.  Nothing is made yet:
 * that begins with the first step.  The caller frees it with cm_manager_free().
 *
 * Returns 0, or CM_ERR_INVALID (a NULL argument, a port of 0, a path or mirror
 * that no link can carry, a profile that fails its check), CM_ERR_HOST,
 * CM_ERR_HOST_COUNT, CM_ERR_NOBUF (the names are too long for a link),
 * CM_ERR_NOMEM, CM_ERR_RANDOM, CM_ERR_CRYPTO, or an error of cm_store_load()
 * (see its message), among them CM_ERR_STORE_BAD if what is stored is whole but
 * cannot be read; then |*pmgr| is NULL.
 */
int cm_manager_new(cm_manager **pmgr, const cm_config *config);

/* Zeroes the keys and frees |mgr|; NULL is allowed.  Nothing is saved: all that
   counts was. */
void cm_manager_free(cm_manager *mgr);

/*
 * Carries out one action, if one is due at |now|.  Returns 1 if another may be
 * due: call again, after other work if there is any.  Returns 0 if not; then
 * |*wait| (may be NULL) is after how many seconds to call again at the latest,
 * at least 1 and at most 60.
 */
int cm_manager_step(cm_manager *mgr, const cm_time *now, int64_t *wait);

/* Whether the store is at work: cm_manager_step() is to be called when it is
   done, and does nothing until then. */
int cm_manager_is_saving(const cm_manager *mgr);

/*
 * Gives |command|, and carries out what follows from it at once; where the
 * store takes its time, up to that.  A failure there is told as an event and
 * tried again.  Returns why it was refused, or CM_COMMAND_ACCEPTED.
 */
cm_refused cm_manager_command(cm_manager *mgr, cm_command command,
                              const cm_time *now);

/*
 * The certificate that a new handshake at |wall| is to be served with, or NULL:
 * see cm_lifecycle_serving().  It belongs to |mgr| and stays until its next
 * call without const.
 */
const cm_certificate *cm_manager_serving(const cm_manager *mgr, int64_t wall);

/* The ACTIVE certificate, and the one that follows; NULL if there is none. */
const cm_certificate *cm_manager_active(const cm_manager *mgr);
const cm_certificate *cm_manager_standby(const cm_manager *mgr);

/* NULL before the first. */
const cm_publication *cm_manager_publication(const cm_manager *mgr);

/* To be read alone. */
const cm_lifecycle *cm_manager_lifecycle(const cm_manager *mgr);
const cm_counters *cm_manager_counters(const cm_manager *mgr);

/* Seconds until |milestone|, 0 if it is past; -1 if it does not lie ahead. */
int64_t cm_manager_until(const cm_manager *mgr, cm_milestone milestone);

/* "standby_ready", "rotation", "guard", "expiry", "retry": static. */
const char *cm_milestone_name(cm_milestone milestone);

/* What failed and has not been mended yet, for a person; "" if nothing.  Stays
   until the next call without const. */
const char *cm_manager_problem(const cm_manager *mgr);

/* The identity's thumbprint (RFC 7638). */
const char *cm_manager_thumbprint(const cm_manager *mgr);

/* The identity's backup (cm_identity_backup()): a secret.  Its length, or an
   error of that function. */
int cm_manager_backup(const cm_manager *mgr, char *dest, size_t destlen);

/* Takes the identity of |backup| from now on, durably, and publishes anew, in
   an epoch that is later than any in which it was published elsewhere (the wall
   clock's second, if that is more than one further).  0, or an error of
   cm_identity_restore() or cm_store_save(); then nothing has changed. */
int cm_manager_restore(cm_manager *mgr, const char *backup, const cm_time *now);

/* Where the manager stands: state, problem, certificates, times, in English and
   for a program.  See docs/status.md for the members.  The caller deletes it;
   NULL for want of memory. */
struct cJSON *cm_manager_status(const cm_manager *mgr);

#endif
