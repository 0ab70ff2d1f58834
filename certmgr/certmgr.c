/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/certmgr.h"

#include <stdlib.h>
#include <string.h>

/* 9999-12-31T23:59:59Z less a certificate's life. */
#define WALL_MAX (INT64_C(253402300799) - CM_VALIDITY_MAX)

/* After a failure, the next attempt comes this many seconds later. */
#define RETRY 60

struct cm_manager {
  char **hosts;
  size_t nhosts;
  cm_random random;
  cm_certificate active;
  cm_certificate standby;
  /* When |active| became active. */
  int64_t active_since;
  uint64_t sequence;
};

/* The first second at which |cert| may no longer be served. */
static int64_t guard_of(const cm_certificate *cert) {
  return cert->not_after - CM_GUARD_TIME;
}

static int can_serve(const cm_certificate *cert, int64_t wall) {
  return wall >= cert->not_before && wall < guard_of(cert);
}

static int check_wall(int64_t wall) {
  return wall >= CM_BACKDATE && wall <= WALL_MAX ? 0 : CM_ERR_CLOCK;
}

static int mint(const cm_manager *mgr, cm_certificate *cert,
                int64_t not_before) {
  return cm_x509_mint(cert, (const char *const *)mgr->hosts, mgr->nhosts,
                      not_before, not_before + CM_VALIDITY_MAX, &mgr->random);
}

/* A certificate that becomes standby at |wall|. */
static int mint_standby(const cm_manager *mgr, cm_certificate *cert,
                        int64_t wall) {
  return mint(mgr, cert, wall - CM_BACKDATE);
}

/*
 * A certificate that becomes active at |wall| without having been standby.
 * That it was not standby for 6 days is put into the backdating, so that it
 * ends when its time as active ends, and clients' clocks may be slow by a
 * week.  A clock near 1970 leaves less to take off.
 */
static int mint_active(const cm_manager *mgr, cm_certificate *cert,
                       int64_t wall) {
  int64_t not_before = wall - CM_BACKDATE - CM_STANDBY_TIME;

  return mint(mgr, cert, not_before > 0 ? not_before : 0);
}

/* Mints a new standby, and with |new_active| a new active too; without it the
   standby of before becomes active.  On failure nothing has changed. */
static int swap(cm_manager *mgr, int64_t wall, int new_active) {
  cm_certificate active, standby;
  int rv = 0;

  if (new_active) {
    rv = mint_active(mgr, &active, wall);
  } else {
    active = mgr->standby;
  }
  if (rv == 0) {
    rv = mint_standby(mgr, &standby, wall);
  }
  if (rv == 0) {
    mgr->active = active;
    mgr->standby = standby;
    mgr->active_since = wall;
    mgr->sequence++;
    cm_certificate_wipe(&standby);
  }
  cm_certificate_wipe(&active);
  return rv;
}

/* Mints a new standby and leaves the active as it is. */
static int renew_standby(cm_manager *mgr, int64_t wall) {
  cm_certificate standby;
  int rv = mint_standby(mgr, &standby, wall);

  if (rv == 0) {
    mgr->standby = standby;
    mgr->sequence++;
    cm_certificate_wipe(&standby);
  }
  return rv;
}

static int copy_hosts(cm_manager *mgr, const cm_config *config) {
  mgr->hosts = calloc(config->nhosts, sizeof(*mgr->hosts));
  if (mgr->hosts == NULL) {
    return CM_ERR_NOMEM;
  }
  mgr->nhosts = config->nhosts;
  for (size_t i = 0; i < mgr->nhosts; i++) {
    if (config->hosts[i] == NULL) {
      return CM_ERR_HOST;
    }
    mgr->hosts[i] = strdup(config->hosts[i]);
    if (mgr->hosts[i] == NULL) {
      return CM_ERR_NOMEM;
    }
  }
  return 0;
}

int cm_manager_new(cm_manager **pmgr, const cm_config *config, int64_t wall) {
  cm_manager *mgr;
  int rv;

  if (pmgr == NULL) {
    return CM_ERR_INVALID;
  }
  *pmgr = NULL;
  if (config == NULL || config->hosts == NULL) {
    return CM_ERR_INVALID;
  }
  if (config->nhosts == 0 || config->nhosts > CM_HOSTS_MAX) {
    return CM_ERR_HOST_COUNT;
  }
  rv = check_wall(wall);
  if (rv != 0) {
    return rv;
  }
  mgr = calloc(1, sizeof(*mgr));
  if (mgr == NULL) {
    return CM_ERR_NOMEM;
  }
  mgr->random = config->random != NULL ? *config->random : cm_random_system;
  rv = copy_hosts(mgr, config);
  if (rv != 0) {
    goto fail_hosts;
  }
  rv = swap(mgr, wall, 1);
  if (rv != 0) {
    goto fail_hosts;
  }
  *pmgr = mgr;
  return 0;

fail_hosts:
  cm_manager_free(mgr);
  return rv;
}

void cm_manager_free(cm_manager *mgr) {
  if (mgr == NULL) {
    return;
  }
  for (size_t i = 0; mgr->hosts != NULL && i < mgr->nhosts; i++) {
    free(mgr->hosts[i]);
  }
  free(mgr->hosts);
  explicit_bzero(mgr, sizeof(*mgr));
  free(mgr);
}

const cm_certificate *cm_manager_active(const cm_manager *mgr) {
  return &mgr->active;
}

const cm_certificate *cm_manager_standby(const cm_manager *mgr) {
  return &mgr->standby;
}

uint64_t cm_manager_sequence(const cm_manager *mgr) { return mgr->sequence; }

int cm_manager_rotate(cm_manager *mgr, int64_t wall) {
  int rv = check_wall(wall);

  if (rv != 0) {
    return rv;
  }
  return swap(mgr, wall, !can_serve(&mgr->standby, wall));
}

/* When the active certificate gives way: 6 days after it became active.  If it
   has been standby for longer than 6 days, its guard comes before that. */
static int64_t swap_time(const cm_manager *mgr) {
  int64_t planned = mgr->active_since + CM_ACTIVE_TIME;
  int64_t guard = guard_of(&mgr->active);

  return planned < guard ? planned : guard;
}

int cm_manager_tick(cm_manager *mgr, int64_t wall, int64_t *next) {
  int rv = check_wall(wall);

  if (rv == 0) {
    if (wall >= swap_time(mgr) || !can_serve(&mgr->active, wall)) {
      rv = cm_manager_rotate(mgr, wall);
    } else if (!can_serve(&mgr->standby, wall)) {
      rv = renew_standby(mgr, wall);
    } else {
      *next = swap_time(mgr);
      return 0;
    }
  }
  if (rv != 0) {
    *next = wall > INT64_MAX - RETRY ? wall : wall + RETRY;
    return rv;
  }
  *next = swap_time(mgr);
  return 1;
}
