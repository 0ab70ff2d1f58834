/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/certmgr.h"

#include "certmgr/certmgr_internal.h"
#include "certmgr/hashset_signed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The wall clock may jump, so nothing waits for longer. */
#define WAIT_MAX 60
/* More actions than a command can lead to. */
#define STEPS_MAX 200

/* --- making and freeing ------------------------------------------------- */

static char *copy_of(const char *text) {
  return text != NULL ? strdup(text) : NULL;
}

static int copy_config(cm_manager *mgr, const cm_config *config) {
  mgr->hosts = calloc(config->nhosts, sizeof(*mgr->hosts));
  if (mgr->hosts == NULL) {
    return CM_ERR_NOMEM;
  }
  for (size_t i = 0; i < config->nhosts; i++) {
    if (config->hosts[i] == NULL || cm_x509_check_host(config->hosts[i]) != 0) {
      return CM_ERR_HOST;
    }
    mgr->hosts[mgr->nhosts] = strdup(config->hosts[i]);
    if (mgr->hosts[mgr->nhosts] == NULL) {
      return CM_ERR_NOMEM;
    }
    if (mgr->host == NULL && config->hosts[i][0] != '*') {
      mgr->host = mgr->hosts[mgr->nhosts];
    }
    mgr->nhosts++;
  }
  if (mgr->host == NULL) {
    return CM_ERR_HOST;
  }
  mgr->path = copy_of(config->path != NULL ? config->path : "/");
  mgr->mirror = copy_of(config->mirror);
  if (mgr->path == NULL || (config->mirror != NULL && mgr->mirror == NULL)) {
    return CM_ERR_NOMEM;
  }
  mgr->port = config->port;
  mgr->random = config->random != NULL ? *config->random : cm_random_system;
  mgr->store = config->store;
  mgr->callbacks = config->callbacks;
  mgr->user = config->user;
  return 0;
}

/* The part of |set| that stays the same. */
static void address_of(const cm_manager *mgr, cm_hashset *set) {
  memset(set, 0, sizeof(*set));
  set->host = mgr->host;
  set->port = mgr->port;
  set->path = mgr->path;
  set->mirror = mgr->mirror;
  set->identity = mgr->thumbprint;
}

/* Whether a link can be made at all, so that nobody finds out later. */
static int check_link(const cm_manager *mgr) {
  static const uint8_t hash[CM_HASH_LEN] = {0};
  char text[CM_LINK_MAX];
  cm_hashset set;
  int rv;

  address_of(mgr, &set);
  set.active = set.standby = hash;
  rv = cm_hashset_url(text, CM_SIGNED_URL_MAX, &set);
  if (rv >= 0) {
    rv = cm_hashset_link(text, sizeof(text), &set);
  }
  return rv < 0 ? rv : 0;
}

static int take_identity(cm_manager *mgr, const cm_identity *identity) {
  int rv = cm_identity_thumbprint(mgr->thumbprint, sizeof(mgr->thumbprint),
                                  identity);

  if (rv < 0) {
    return rv;
  }
  mgr->identity = *identity;
  return 0;
}

/* Tells of the certificates in the store that failed their check. */
static void tell_quarantined(cm_manager *mgr, int64_t wall) {
  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_slot *slot = &mgr->lc.slots[i];

    if (slot->state == CM_CERT_QUARANTINED &&
        cm_keyring_find(&mgr->ring, slot->id) == NULL) {
      mgr->counters.quarantined++;
      cm_manager_tell(
          mgr, &(cm_journal_entry){.time = wall,
                                   .event = "quarantined",
                                   .id = slot->id,
                                   .text = "its stored copy failed its check"});
    }
  }
}

static int load(cm_manager *mgr, const cm_profile *profile,
                int64_t build_date) {
  cm_identity identity;
  size_t len = 0;
  uint64_t seed;
  int rv = 0;

  if (mgr->random.fill(mgr->random.user, (uint8_t *)&seed, sizeof(seed)) != 0) {
    return CM_ERR_RANDOM;
  }
  if (mgr->store != NULL) {
    rv = cm_store_load(mgr->store, mgr->body, sizeof(mgr->body), &len);
  }
  if (rv != 0) {
    return rv;
  }
  if (len == 0) {
    rv = cm_identity_generate(&identity, &mgr->random);
    cm_lifecycle_init(&mgr->lc, profile, build_date, seed);
  } else {
    rv = cm_state_decode(&mgr->lc, &identity, &mgr->ring, mgr->body, len);
    explicit_bzero(mgr->body, sizeof(mgr->body));
    cm_lifecycle_resume(&mgr->lc, profile, build_date, seed);
    if (rv == CM_ERR_STORE_BAD) {
      snprintf(mgr->store->message, sizeof(mgr->store->message),
               "the state is whole, but this program cannot read it: it may be "
               "from a later version");
    }
  }
  if (rv == 0) {
    rv = take_identity(mgr, &identity);
  }
  cm_identity_wipe(&identity);
  return rv;
}

int cm_manager_new(cm_manager **pmgr, const cm_config *config) {
  const cm_profile *profile;
  cm_manager *mgr;
  int rv;

  if (pmgr == NULL) {
    return CM_ERR_INVALID;
  }
  *pmgr = NULL;
  if (config == NULL || config->hosts == NULL ||
      config->callbacks.activate == NULL) {
    return CM_ERR_INVALID;
  }
  if (config->nhosts == 0 || config->nhosts > CM_HOSTS_MAX) {
    return CM_ERR_HOST_COUNT;
  }
  profile = config->profile != NULL ? config->profile : &cm_profile_hot_standby;
  if (cm_profile_check(profile) != NULL) {
    return CM_ERR_INVALID;
  }
  mgr = calloc(1, sizeof(*mgr));
  if (mgr == NULL) {
    return CM_ERR_NOMEM;
  }
  mgr->told = CM_STATE_BOOTSTRAP;
  rv = copy_config(mgr, config);
  if (rv != 0) {
    goto fail;
  }
  rv = load(mgr, profile,
            config->build_date != 0 ? config->build_date : CM_BUILD_DATE);
  if (rv != 0) {
    goto fail;
  }
  rv = check_link(mgr);
  if (rv != 0) {
    goto fail;
  }
  *pmgr = mgr;
  return 0;

fail:
  cm_manager_free(mgr);
  return rv;
}

void cm_manager_free(cm_manager *mgr) {
  if (mgr == NULL) {
    return;
  }
  for (size_t i = 0; i < mgr->nhosts; i++) {
    free(mgr->hosts[i]);
  }
  free(mgr->hosts);
  free(mgr->path);
  free(mgr->mirror);
  explicit_bzero(mgr, sizeof(*mgr));
  free(mgr);
}

/* --- the actions -------------------------------------------------------- */

static int generate(cm_manager *mgr, cm_result *result) {
  uint8_t octets[4];
  cm_certificate *cert;
  int rv;

  cert = cm_keyring_add(&mgr->ring, mgr->todo.id);
  if (cert == NULL) {
    return CM_ERR_NOBUF;
  }
  rv = cm_x509_mint(cert, (const char *const *)mgr->hosts, mgr->nhosts,
                    mgr->todo.not_before, mgr->todo.not_after, &mgr->random);
  if (rv == 0) {
    rv = cm_x509_key_id(result->key_id, cert);
  }
  if (rv == 0 &&
      mgr->random.fill(mgr->random.user, octets, sizeof(octets)) != 0) {
    rv = CM_ERR_RANDOM;
  }
  if (rv != 0) {
    cm_keyring_remove(&mgr->ring, mgr->todo.id);
    return rv;
  }
  memcpy(&result->random, octets, sizeof(octets));
  memcpy(result->sha256, cert->sha256, sizeof(result->sha256));
  memcpy(result->serial, cert->serial, sizeof(result->serial));
  mgr->counters.minted++;
  return 0;
}

/* |store| is cm_store_save() or cm_store_begin(). */
static int save(cm_manager *mgr, const cm_identity *identity,
                int (*store)(cm_store *, const uint8_t *, size_t)) {
  int len, rv;

  if (mgr->store == NULL) {
    return 0;
  }
  len = cm_state_encode(mgr->body, sizeof(mgr->body), &mgr->lc, identity,
                        &mgr->ring);
  if (len < 0) {
    return len;
  }
  rv = store(mgr->store, mgr->body, (size_t)len);
  explicit_bzero(mgr->body, (size_t)len);
  return rv;
}

static int publish(cm_manager *mgr) {
  cm_edition *edition = &mgr->editions[!mgr->edition];
  cm_publication *pub = &edition->publication;
  char url[CM_SIGNED_URL_MAX];
  cm_signed_set set;
  cm_document doc;
  int rv;

  memset(edition, 0, sizeof(*edition));
  cm_lifecycle_document(&mgr->lc, &doc);
  pub->epoch = doc.epoch;
  pub->seq = doc.seq;
  pub->issued_at = doc.issued_at;
  pub->refresh_after = doc.refresh_after;
  pub->valid_until = doc.valid_until;
  pub->max_age = mgr->lc.profile.max_age;
  pub->jws = edition->jws;
  address_of(mgr, &pub->set);
  if (doc.active != NULL) {
    memcpy(edition->active, doc.active->sha256, CM_HASH_LEN);
    pub->set.active = edition->active;
    if (doc.standby != NULL) {
      memcpy(edition->standby, doc.standby->sha256, CM_HASH_LEN);
      pub->set.standby = edition->standby;
    }
    rv = cm_hashset_url(url, sizeof(url), &pub->set);
    if (rv >= 0) {
      rv = cm_signed_set_from(&set, &doc, url);
    }
    if (rv >= 0) {
      rv = cm_signed_set_write(edition->jws, sizeof(edition->jws), &set,
                               &mgr->identity);
    }
    if (rv < 0) {
      return rv;
    }
    pub->jws_len = (size_t)rv;
  }
  rv = mgr->callbacks.publish != NULL ? mgr->callbacks.publish(mgr->user, pub)
                                      : 0;
  if (rv == 0) {
    mgr->edition = !mgr->edition;
    mgr->has_edition = 1;
    mgr->counters.published++;
  }
  return rv;
}

static int activate(cm_manager *mgr) {
  const cm_certificate *cert = cm_keyring_find(&mgr->ring, mgr->todo.id);

  return cert != NULL ? mgr->callbacks.activate(mgr->user, cert)
                      : CM_ERR_SELF_CHECK;
}

static int close_connections(cm_manager *mgr) {
  const cm_slot *slot = cm_lifecycle_find(&mgr->lc, mgr->todo.id);

  return slot != NULL && mgr->callbacks.close != NULL
             ? mgr->callbacks.close(mgr->user, slot->sha256)
             : 0;
}

static int carry_out(cm_manager *mgr, cm_result *result) {
  switch (mgr->todo.action) {
  case CM_ACTION_NONE:
    break;
  case CM_ACTION_GENERATE:
    return generate(mgr, result);
  case CM_ACTION_PERSIST:
    return save(mgr, &mgr->identity, cm_store_begin);
  case CM_ACTION_PUBLISH:
    return publish(mgr);
  case CM_ACTION_ACTIVATE:
    return activate(mgr);
  case CM_ACTION_CLOSE:
    return close_connections(mgr);
  case CM_ACTION_DESTROY:
    cm_keyring_remove(&mgr->ring, mgr->todo.id);
    mgr->counters.destroyed++;
    break;
  }
  return 0;
}

/* --- stepping ----------------------------------------------------------- */

/* The retired certificates that connections were made under. */
static size_t find_held(const cm_manager *mgr, uint64_t held[CM_SLOTS]) {
  size_t n = 0;

  for (size_t i = 0; i < CM_SLOTS && mgr->callbacks.holds != NULL; i++) {
    const cm_slot *slot = &mgr->lc.slots[i];

    if (slot->state == CM_CERT_RETIRED &&
        mgr->callbacks.holds(mgr->user, slot->sha256)) {
      held[n++] = slot->id;
    }
  }
  return n;
}

static void advance(cm_manager *mgr, const cm_time *now,
                    const cm_result *result, cm_command command,
                    cm_output *out) {
  uint64_t held[CM_SLOTS];
  cm_input in;

  memset(&in, 0, sizeof(in));
  in.wall = now->wall;
  in.mono = now->mono;
  if (result != NULL) {
    in.result = *result;
  }
  in.command = command;
  in.held = held;
  in.nheld = find_held(mgr, held);
  cm_lifecycle_step(&mgr->lc, &in, out);
  if (result != NULL || mgr->todo.action == CM_ACTION_NONE) {
    mgr->todo.action = out->action;
    mgr->todo.id = out->id;
    mgr->todo.not_before = out->not_before;
    mgr->todo.not_after = out->not_after;
  }
  cm_manager_relay(mgr, out, now->wall);
  if (mgr->todo.action == CM_ACTION_NONE) {
    cm_manager_tell_state(mgr, now->wall);
  }
}

/* Carries out what is to be done, or asks how far it is.  Returns 1 if there
   is a result. */
static int work(cm_manager *mgr, cm_result *result) {
  memset(result, 0, sizeof(*result));
  result->action = mgr->todo.action;
  if (mgr->saving) {
    if (!cm_store_poll(mgr->store, &result->status)) {
      return 0;
    }
    mgr->saving = 0;
  } else {
    result->status = carry_out(mgr, result);
    if (result->action == CM_ACTION_PERSIST &&
        result->status == CM_STORE_PENDING) {
      mgr->saving = 1;
      return 0;
    }
  }
  mgr->counters.saved +=
      result->action == CM_ACTION_PERSIST && result->status == 0;
  return 1;
}

int cm_manager_step(cm_manager *mgr, const cm_time *now, int64_t *wait) {
  cm_output out;

  memset(&out, 0, sizeof(out));
  if (!mgr->started) {
    mgr->started = 1;
    tell_quarantined(mgr, now->wall);
  }
  if (mgr->todo.action == CM_ACTION_NONE) {
    advance(mgr, now, NULL, CM_COMMAND_NONE, &out);
  }
  if (mgr->todo.action != CM_ACTION_NONE) {
    uint64_t id = mgr->todo.id;
    cm_result result;

    if (!work(mgr, &result)) {
      goto done;
    }
    if (result.status != 0) {
      cm_manager_note_failure(mgr, result.action, result.status);
    }
    advance(mgr, now, &result, CM_COMMAND_NONE, &out);
    if (result.action == CM_ACTION_GENERATE && result.status == 0 &&
        cm_lifecycle_find(&mgr->lc, id) == NULL) {
      /* The lifecycle would not have it: its serial was seen before. */
      cm_keyring_remove(&mgr->ring, id);
    }
  }
  if (mgr->todo.action != CM_ACTION_NONE) {
    return 1;
  }

done:
  if (wait != NULL) {
    *wait = out.wait < 1 ? 1 : out.wait > WAIT_MAX ? WAIT_MAX : out.wait;
  }
  return 0;
}

int cm_manager_is_saving(const cm_manager *mgr) { return mgr->saving; }

/* What the lifecycle will ask for when the store is done: nobody who is revoked
   is to stay for as long as a disk hangs.  A failure is its business then. */
static void close_revoked(cm_manager *mgr) {
  for (size_t i = 0; i < CM_SLOTS && mgr->callbacks.close != NULL; i++) {
    const cm_slot *slot = &mgr->lc.slots[i];

    if (slot->state == CM_CERT_REVOKED && !slot->closed) {
      (void)mgr->callbacks.close(mgr->user, slot->sha256);
    }
  }
}

cm_refused cm_manager_command(cm_manager *mgr, cm_command command,
                              const cm_time *now) {
  cm_output out;

  advance(mgr, now, NULL, command, &out);
  if (mgr->saving) {
    close_revoked(mgr);
  }
  for (int i = 0; i < STEPS_MAX && cm_manager_step(mgr, now, NULL) == 1; i++) {
  }
  return out.refused;
}

/* --- asking ------------------------------------------------------------- */

static const cm_certificate *certificate_of(const cm_manager *mgr,
                                            const cm_slot *slot) {
  return slot != NULL ? cm_keyring_find(&mgr->ring, slot->id) : NULL;
}

const cm_certificate *cm_manager_serving(const cm_manager *mgr, int64_t wall) {
  return certificate_of(mgr, cm_lifecycle_serving(&mgr->lc, wall));
}

const cm_certificate *cm_manager_active(const cm_manager *mgr) {
  return certificate_of(mgr, cm_lifecycle_active(&mgr->lc));
}

const cm_certificate *cm_manager_standby(const cm_manager *mgr) {
  return certificate_of(mgr, cm_lifecycle_standby(&mgr->lc));
}

const cm_publication *cm_manager_publication(const cm_manager *mgr) {
  return mgr->has_edition ? &mgr->editions[mgr->edition].publication : NULL;
}

const cm_lifecycle *cm_manager_lifecycle(const cm_manager *mgr) {
  return &mgr->lc;
}

const cm_counters *cm_manager_counters(const cm_manager *mgr) {
  return &mgr->counters;
}

const char *cm_manager_thumbprint(const cm_manager *mgr) {
  return mgr->thumbprint;
}

int cm_manager_backup(const cm_manager *mgr, char *dest, size_t destlen) {
  return cm_identity_backup(dest, destlen, &mgr->identity);
}

int cm_manager_restore(cm_manager *mgr, const char *backup,
                       const cm_time *now) {
  char thumbprint[CM_THUMBPRINT_LEN + 1];
  uint64_t before = mgr->lc.epoch;
  cm_identity identity;
  int rv = cm_identity_restore(&identity, backup);

  if (rv != 0) {
    return rv;
  }
  rv = cm_identity_thumbprint(thumbprint, sizeof(thumbprint), &identity);
  if (rv >= 0) {
    /* Whoever had this identity has published under numbers that are not known
       here, and clients take higher ones alone: so this epoch is later than any
       of another machine, which began as this one does. */
    mgr->lc.epoch++;
    if (now->wall > 0 && mgr->lc.epoch < (uint64_t)now->wall) {
      mgr->lc.epoch = (uint64_t)now->wall;
    }
    rv = save(mgr, &identity, cm_store_save);
    if (rv != 0) {
      /* It may have come to the disk all the same, where the next start would
         find it: what holds is to be saved again. */
      mgr->lc.epoch = before;
      mgr->lc.version++;
    }
  }
  if (rv == 0) {
    mgr->identity = identity;
    memcpy(mgr->thumbprint, thumbprint, sizeof(thumbprint));
    cm_manager_tell(mgr, &(cm_journal_entry){.time = now->wall,
                                             .event = "identity",
                                             .text = mgr->thumbprint});
    /* What was published is signed by another: it is to be done again. */
    mgr->lc.doc_known = 0;
    for (int i = 0; i < STEPS_MAX && cm_manager_step(mgr, now, NULL) == 1;
         i++) {
    }
  }
  cm_identity_wipe(&identity);
  return rv;
}
