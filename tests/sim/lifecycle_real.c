/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host with a cm_manager: certificates, keys, signatures and the state are
 * real, the disk is memory.  Where the power fails, everything that the manager
 * does from then on fails and leaves nothing behind, until it is thrown away
 * and another one begins with what is on the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "certmgr/certmgr.h"
#include "certmgr/hashset_signed.h"
#include "tests/sim/lifecycle_world.h"

/* Certificates whose serials a browser remembers. */
#define SEEN 64
/* Seconds after which a process that could not begin is begun again. */
#define RESTART 10

typedef struct disk {
  uint8_t body[CM_STORE_BODY_MAX];
  size_t len; /* 0: there is nothing. */
} disk;

typedef struct real {
  cm_store store; /* First: the store's functions get a pointer to it. */
  world *w;
  cm_manager *mgr;
  cm_random random;
  int dead; /* The power has failed. */
  disk safe;
  disk doubtful; /* Written, and not flushed: it may be there, or not. */
  disk pending;  /* What a store is at that takes its time. */
  uint8_t last_random[64];
  /* The certificate that the host serves. */
  cm_certificate installed;
  int is_installed;
  struct {
    uint8_t der[CM_CERTIFICATE_MAX];
    size_t len;
  } seen[SEEN];
  unsigned nseen;
  char thumbprint[CM_THUMBPRINT_LEN + 1];
  cm_signed_set last; /* |last.seq| is 0 before the first. */
} real;

/* Whether the power fails now; then |*after| says whether what is to be done
   is done before. */
static int power_fails(real *r, int *after) {
  if (!r->dead && world_crashes(r->w)) {
    r->dead = 1;
    *after = world_chance(r->w, 500);
    return 1;
  }
  *after = 0;
  return r->dead;
}

/* --- the disk ----------------------------------------------------------- */

static int load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len) {
  real *r = (real *)store;

  if (r->doubtful.len > 0 && world_chance(r->w, 500)) {
    r->safe = r->doubtful;
  }
  r->doubtful.len = 0;
  if (r->safe.len > destlen) {
    return CM_ERR_NOBUF;
  }
  memcpy(dest, r->safe.body, r->safe.len);
  *len = r->safe.len;
  return 0;
}

static void put(disk *d, const uint8_t *body, size_t len) {
  memcpy(d->body, body, len);
  d->len = len;
}

static int save(cm_store *store, const uint8_t *body, size_t len) {
  real *r = (real *)store;
  int after;

  if (power_fails(r, &after) && !after) {
    return CM_ERR_STORE;
  }
  if (world_fault(r->w, LIFECYCLE_SIM_DISK)) {
    return CM_ERR_STORE;
  }
  if (world_fault(r->w, LIFECYCLE_SIM_FSYNC)) {
    put(&r->doubtful, body, len);
    return CM_ERR_STORE;
  }
  put(&r->safe, body, len);
  r->doubtful.len = 0;
  return r->dead ? CM_ERR_STORE : 0;
}

static int begin(cm_store *store, const uint8_t *body, size_t len) {
  put(&((real *)store)->pending, body, len);
  return 0;
}

static int poll(cm_store *store, int *result) {
  real *r = (real *)store;

  if (!r->dead && world_chance(r->w, 300)) {
    return 0;
  }
  *result = save(store, r->pending.body, r->pending.len);
  r->pending.len = 0;
  return 1;
}

static void close_nothing(cm_store *store) { (void)store; }

/* --- randomness --------------------------------------------------------- */

static int fill(void *user, uint8_t *dest, size_t len) {
  real *r = user;

  if (world_fault(r->w, LIFECYCLE_SIM_RANDOM)) {
    if (world_chance(r->w, 400)) {
      return -1;
    }
    if (len <= sizeof(r->last_random) && world_chance(r->w, 300)) {
      /* A generator that is stuck. */
      memcpy(dest, r->last_random, len);
      return 0;
    }
  }
  sim_random_fill(&r->w->random, dest, len);
  if (len <= sizeof(r->last_random)) {
    memcpy(r->last_random, dest, len);
  }
  return 0;
}

/* --- what the manager asks for ------------------------------------------ */

/* What browsers make of it, now, and at both ends of its validity. */
static void check_certificate(real *r, const cm_certificate *cert) {
  const int64_t wall = r->w->truth + r->w->error;
  cm_certificate copy;

  for (int i = 0; i < CM_BROWSER_COUNT; i++) {
    const cm_browser browser = (cm_browser)i;
    if (cm_x509_check(cert->der, cert->der_len, browser, cert->not_before) !=
            CM_ACCEPTED ||
        cm_x509_check(cert->der, cert->der_len, browser, cert->not_after - 1) !=
            CM_ACCEPTED) {
      (void)world_violated(r->w, "a browser would refuse the certificate");
    }
    if (wall >= BUILD_DATE &&
        cm_x509_check(cert->der, cert->der_len, browser, wall) != CM_ACCEPTED) {
      (void)world_violated(r->w, "a browser would refuse it at this time");
    }
    for (size_t j = 0; j < SEEN; j++) {
      if (r->seen[j].len > 0 &&
          cm_x509_check_reuse(cert->der, cert->der_len, r->seen[j].der,
                              r->seen[j].len, browser) != CM_ACCEPTED) {
        (void)world_violated(r->w, "a serial number is used twice");
      }
    }
  }
  if (cm_x509_load(&copy, cert->der, cert->der_len, cert->key_der,
                   cert->key_der_len) != 0) {
    (void)world_violated(r->w, "the certificate's key is not its key");
  }
  cm_certificate_wipe(&copy);
}

static int activate(void *user, const cm_certificate *cert) {
  real *r = user;
  int after;

  check_certificate(r, cert);
  if (world_fault(r->w, LIFECYCLE_SIM_ACTIVATE)) {
    return CM_ERR_NOMEM;
  }
  if (power_fails(r, &after) && !after) {
    return CM_ERR_NOMEM;
  }
  r->installed = *cert;
  r->is_installed = 1;
  memcpy(r->seen[r->nseen % SEEN].der, cert->der, cert->der_len);
  r->seen[r->nseen++ % SEEN].len = cert->der_len;
  r->w->report->swaps++;
  return r->dead ? CM_ERR_NOMEM : 0;
}

static void check_document(real *r, const cm_publication *pub) {
  cm_signed_set set;

  if (r->last.seq != 0 && strcmp(r->thumbprint, pub->set.identity) != 0) {
    (void)world_violated(r->w, "the identity is another one");
  }
  memcpy(r->thumbprint, pub->set.identity, sizeof(r->thumbprint));
  if (cm_signed_set_read(&set, pub->jws, pub->jws_len, r->thumbprint) != 0) {
    (void)world_violated(r->w, "a document's signature is wrong");
    return;
  }
  if (r->last.seq != 0 && !cm_signed_set_supersedes(&set, &r->last)) {
    (void)world_violated(r->w, "the number of the document did not grow");
  }
  r->last = set;
  if (set.seq != pub->seq || set.epoch != pub->epoch ||
      set.valid_until != pub->valid_until ||
      set.nhashes != (pub->set.standby != NULL ? 2 : 1) ||
      memcmp(set.hashes[0].sha256, pub->set.active, CM_HASH_LEN) != 0 ||
      (set.nhashes == 2 &&
       memcmp(set.hashes[1].sha256, pub->set.standby, CM_HASH_LEN) != 0)) {
    (void)world_violated(r->w, "a document is not what it should be");
  }
}

static int publish(void *user, const cm_publication *pub) {
  real *r = user;
  document doc = {.refresh_after = pub->refresh_after,
                  .valid_until = pub->valid_until};
  int after;

  if (world_fault(r->w, LIFECYCLE_SIM_PUBLISH)) {
    return CM_ERR_STORE;
  }
  if (power_fails(r, &after) && !after) {
    return CM_ERR_STORE;
  }
  if (pub->set.active != NULL) {
    check_document(r, pub);
    doc.keys[0] = world_key(pub->set.active);
    doc.keys[1] = pub->set.standby != NULL ? world_key(pub->set.standby) : 0;
  }
  world_published(r->w, &doc);
  return r->dead ? CM_ERR_STORE : 0;
}

static int close_all(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  int after;

  (void)sha256;
  return power_fails(user, &after) ? CM_ERR_NOMEM : 0;
}

static int holds(void *user, const uint8_t sha256[CM_HASH_LEN]) {
  const real *r = user;

  /* Half of them are held until the next week. */
  return (sha256[0] + r->w->truth / (7 * DAY)) % 2 == 0;
}

static void event(void *user, const cm_journal_entry *entry) {
  const real *r = user;

  world_trace_event(r->w, entry->event, entry->id,
                    entry->from != NULL ? entry->from : "",
                    entry->to != NULL ? entry->to : "", entry->value);
}

/* --- the host ----------------------------------------------------------- */

static void stop(real *r) {
  if (r->mgr != NULL) {
    r->w->report->certificates += cm_manager_counters(r->mgr)->minted;
  }
  cm_manager_free(r->mgr);
  r->mgr = NULL;
  r->w->lc = NULL;
}

static int boot(world *w) {
  static const cm_store_ops ops = {load, save, close_nothing, NULL, NULL};
  static const cm_store_ops slow = {load, save, close_nothing, begin, poll};
  static const char *const hosts[] = {"localhost", "192.0.2.1"};
  real *r = w->host;
  cm_config config;
  int rv;

  if (r == NULL) {
    r = w->host = calloc(1, sizeof(*r));
    if (r == NULL) {
      return world_violated(w, "there is no memory");
    }
    r->w = w;
    r->store.ops = world_chance(w, 500) ? &ops : &slow;
    r->random = (cm_random){fill, r};
  }
  stop(r);
  r->dead = 0;
  r->is_installed = 0;
  if (r->pending.len > 0) {
    r->doubtful = r->pending;
    r->pending.len = 0;
  }
  memset(&config, 0, sizeof(config));
  config.hosts = hosts;
  config.nhosts = 2;
  config.port = 4433;
  config.profile = w->options->profile;
  config.random = &r->random;
  config.store = &r->store;
  config.build_date = BUILD_DATE;
  config.callbacks = (cm_callbacks){activate, publish, close_all, holds, event};
  config.user = r;
  while ((rv = cm_manager_new(&r->mgr, &config)) == CM_ERR_RANDOM) {
    /* It cannot begin without, nor can TLS. */
    w->truth += RESTART;
  }
  if (rv != 0) {
    return world_violated(w, "a state that was written cannot be read");
  }
  w->lc = cm_manager_lifecycle(r->mgr);
  return 0;
}

static int serving(world *w, served *now) {
  const real *r = w->host;
  const int64_t wall = w->truth + w->error;
  const cm_certificate *cert = cm_manager_serving(r->mgr, wall);

  if ((cert != NULL) != (cm_lifecycle_serving(w->lc, wall) != NULL)) {
    (void)world_violated(w, "something is served whose key is gone");
  }
  if (cert == NULL) {
    return 0;
  }
  if (!r->is_installed ||
      memcmp(cert->sha256, r->installed.sha256, CM_HASH_LEN) != 0) {
    (void)world_violated(w, "what is served has not been installed");
  }
  *now = (served){world_key(cert->sha256), cert->not_before, cert->not_after};
  return 1;
}

static int settle(world *w, cm_command command) {
  real *r = w->host;

  for (int n = 0; n < STEPS_AT_ONCE; n++) {
    const cm_time now = {w->truth + w->error, w->mono};
    served what;
    int more = 1;

    if (n == 0 && command != CM_COMMAND_NONE) {
      w->refused = cm_manager_command(r->mgr, command, &now);
    } else {
      more = cm_manager_step(r->mgr, &now, &w->wait);
    }
    if (r->dead) {
      world_crashed(w, (int)w->lc->pending);
      if (boot(w) != 0) {
        return -1;
      }
      continue;
    }
    (void)serving(w, &what);
    if (world_check(w) != 0) {
      return -1;
    }
    if (!more) {
      w->busy = cm_manager_is_saving(r->mgr);
      return 0;
    }
  }
  return world_violated(w, "it turns in circles");
}

static void end(world *w) {
  if (w->host != NULL) {
    stop(w->host);
  }
  free(w->host);
  w->host = NULL;
}

const host_ops lifecycle_real = {boot, settle, serving, end};
