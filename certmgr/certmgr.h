/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front door: holds the certificate in service and the one that can take
 * over this second, and says when that happens.
 *
 * Profile `hot-standby`: each certificate lives 14 days less one second.  At
 * minting it is backdated by 1 day; then it is standby for 6 days, active for
 * 6 days, and the last day is a guard in which it is never served.
 *
 *   minted                  becomes active            successor takes over
 *   |<------ 6 days ------->|<-------- 6 days ------->|<-- 1 day guard -->|
 *   ^ not_before + 1 day                                       not_after ^
 *
 * This is the thin form: everything is in memory.  The full lifecycle (states,
 * journal, store) replaces the inside; the functions here stay.
 */
#ifndef CERTMGR_CERTMGR_H
#define CERTMGR_CERTMGR_H

#include "certmgr/error.h"
#include "certmgr/random.h"
#include "certmgr/x509.h"

#include <stddef.h>
#include <stdint.h>

/* The parts of a certificate's life, in seconds. */
#define CM_BACKDATE 86400
#define CM_STANDBY_TIME 518400
#define CM_ACTIVE_TIME 518400
/* What is left: 1 day less the second by which 14 days are too long. */
#define CM_GUARD_TIME                                                          \
  (CM_VALIDITY_MAX - CM_BACKDATE - CM_STANDBY_TIME - CM_ACTIVE_TIME)

typedef struct cm_config {
  /* What the certificates are for; see cm_x509_mint().  Copied. */
  const char *const *hosts;
  size_t nhosts;
  /* The structure is copied; what its |user| points to must outlive the
     manager.  NULL: cm_random_system. */
  const cm_random *random;
} cm_config;

typedef struct cm_manager cm_manager;

/*
 * Makes a manager with an active and a standby certificate, both valid at
 * |wall| (seconds since 1970 UTC).  The caller frees it with
 * cm_manager_free().  Returns 0, or CM_ERR_INVALID, CM_ERR_CLOCK, CM_ERR_NOMEM
 * or an error of cm_x509_mint(); then |*pmgr| is NULL.
 */
int cm_manager_new(cm_manager **pmgr, const cm_config *config, int64_t wall);

/* Zeroes the keys and frees |mgr|; NULL is allowed. */
void cm_manager_free(cm_manager *mgr);

/* The certificate to serve, and the one that comes next.  They belong to
   |mgr| and stay until the next rotate or tick that returns 1. */
const cm_certificate *cm_manager_active(const cm_manager *mgr);
const cm_certificate *cm_manager_standby(const cm_manager *mgr);

/* The number of the current pair of hashes: 1 at first, and one more with each
   new pair. */
uint64_t cm_manager_sequence(const cm_manager *mgr);

/*
 * Makes the standby active now, and mints a new standby.  If the clock has
 * jumped so that the standby cannot serve at |wall|, both are minted.  Returns
 * 0, or CM_ERR_CLOCK, CM_ERR_NOMEM or an error of cm_x509_mint(); then nothing
 * has changed.
 */
int cm_manager_rotate(cm_manager *mgr, int64_t wall);

/*
 * Does what is due at |wall| (seconds since 1970 UTC) and sets |*next| to the
 * time when to call again, at the latest; calling sooner does no harm.
 *
 * The active certificate gives way 6 days after it became active, and never
 * enters its guard.  If the clock has jumped out of what a certificate covers,
 * that one is minted anew.
 *
 * Returns 1 if the pair of certificates is another one than before, 0 if
 * nothing has changed, or an error as cm_manager_rotate(); then the pair is
 * still the old one, and |*next| is a minute from now.
 */
int cm_manager_tick(cm_manager *mgr, int64_t wall, int64_t *next);

#endif
