/* SPDX-License-Identifier: Apache-2.0 */
/* What a lifecycle does next, how it is doing, and until when it may wait. */
#include "certmgr/lifecycle.h"

#include "certmgr/lifecycle_internal.h"

#define MINUTE 60
#define WAIT_MAX 3600

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int is_due(const cm_lifecycle *lc, cm_action action) {
  return lc->mono >= lc->retry[action].at;
}

static int swap_is_due(const cm_lifecycle *lc, const cm_slot *active,
                       const cm_slot *standby) {
  int ready = standby->state == CM_CERT_READY;

  /* In the guard there is no time to wait for caches. */
  if (standby->state == CM_CERT_PUBLISHED) {
    ready = lc->rotate_wanted == 2 || lc->now >= active->guard_at;
  }
  return ready && cm_slot_valid(standby, lc->now) &&
         (lc->now >= active->retire_at || lc->rotate_wanted != 0);
}

/* The certificate to install now, or NULL. */
static const cm_slot *to_activate(const cm_lifecycle *lc) {
  const cm_slot *active = cm_lifecycle_active(lc);
  const cm_slot *standby = cm_lifecycle_standby(lc);

  if (active == NULL) {
    return standby != NULL && standby->state >= CM_CERT_PUBLISHED ? standby
                                                                  : NULL;
  }
  if (standby != NULL && swap_is_due(lc, active, standby)) {
    return standby;
  }
  return active->id != lc->installed ? active : NULL;
}

static int is_held(const cm_input *in, uint64_t id) {
  for (size_t i = 0; i < in->nheld; i++) {
    if (in->held[i] == id) {
      return 1;
    }
  }
  return 0;
}

/* The certificate whose time to be destroyed has come, or NULL. */
static const cm_slot *to_destroy(const cm_step *s) {
  const cm_lifecycle *lc = s->lc;

  /* What has led to it must be durable. */
  if (lc->saved != lc->version) {
    return NULL;
  }
  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_slot *slot = &lc->slots[i];
    if (slot->state == CM_CERT_REVOKED && slot->closed) {
      return slot; /* By the operator's word, not by the clock's. */
    }
    if (cm_lifecycle_trusts(lc) && !is_held(s->in, slot->id) &&
        (slot->state == CM_CERT_QUARANTINED ||
         (slot->state == CM_CERT_RETIRED &&
          (!slot->parked || slot->keep == 0)))) {
      return slot;
    }
  }
  return NULL;
}

/* All slots are in use: the one to give up, or NULL.  Connections that hold a
   retired certificate have a context of their own and go on. */
static const cm_slot *to_evict(const cm_lifecycle *lc) {
  const cm_slot *best = NULL;
  int best_rank = 4;

  for (size_t i = 0; i < CM_SLOTS; i++) {
    const cm_slot *slot = &lc->slots[i];
    int rank;

    if (slot->state == CM_CERT_DESTROYED) {
      return NULL; /* One is about to become free. */
    }
    if (slot->state == CM_CERT_QUARANTINED ||
        (slot->state == CM_CERT_RETIRED && !slot->parked)) {
      rank = 1;
    } else if (slot->state == CM_CERT_RETIRED &&
               (slot->doubtful || slot->outlived)) {
      rank = 2;
    } else if (slot->state == CM_CERT_RETIRED && cm_lifecycle_trusts(lc)) {
      rank = 3;
    } else {
      continue;
    }
    if (rank < best_rank || (rank == best_rank && slot->id < best->id)) {
      best = slot;
      best_rank = rank;
    }
  }
  return best;
}

static void ask(cm_step *s, cm_action action, uint64_t id) {
  s->lc->pending = action;
  s->lc->pending_id = id;
  s->out->action = action;
  s->out->id = id;
}

static void ask_generate(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  const cm_profile *profile = &lc->profile;
  const cm_slot *active = cm_lifecycle_active(lc);
  int64_t at = lc->now;

  if (active != NULL && active->retire_at > at) {
    at = min64(active->retire_at, at + profile->active + active->jitter);
  }
  lc->pending_active_at = at;
  lc->pending_not_before = at - profile->standby - profile->backdate;
  if (lc->pending_not_before < 0) {
    lc->pending_not_before = 0;
  }
  lc->pending_not_after = lc->pending_not_before + cm_profile_validity(profile);
  ask(s, CM_ACTION_GENERATE, lc->next_id++);
  s->out->not_before = lc->pending_not_before;
  s->out->not_after = lc->pending_not_after;
}

static void ask_persist(cm_step *s) {
  cm_lifecycle *lc = s->lc;

  lc->pending_version = lc->version;
  lc->pending_limit = cm_seq_reserved(lc);
  ask(s, CM_ACTION_PERSIST, 0);
}

/* Whether the image, or the one before it, is not what it should be. */
static int must_persist(const cm_lifecycle *lc) {
  if (lc->saved != lc->version || lc->seq_limit <= lc->seq) {
    return 1;
  }
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (lc->slots[i].state == CM_CERT_DESTROYED) {
      return 1;
    }
  }
  return 0;
}

/* Asks for the publication of the current document, if that is another one
   than before. */
static int ask_publish(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  cm_document doc;
  uint64_t active, standby;

  cm_lifecycle_document(lc, &doc);
  active = doc.active != NULL ? doc.active->id : 0;
  standby = doc.standby != NULL ? doc.standby->id : 0;
  if (lc->doc_known ? active == lc->doc_active && standby == lc->doc_standby &&
                          lc->epoch == lc->doc_epoch
                    : active == 0) {
    return 0;
  }
  lc->pending_doc_active = active;
  lc->pending_doc_standby = standby;
  lc->pending_doc_epoch = lc->epoch;
  ask(s, CM_ACTION_PUBLISH, 0);
  s->out->seq = lc->seq + 1;
  return 1;
}

void cm_step_choose(cm_step *s) {
  cm_lifecycle *lc = s->lc;
  const cm_slot *slot = to_activate(lc);

  if (slot != NULL && is_due(lc, CM_ACTION_ACTIVATE)) {
    ask(s, CM_ACTION_ACTIVATE, slot->id);
    return;
  }
  for (size_t i = 0; i < CM_SLOTS && is_due(lc, CM_ACTION_CLOSE); i++) {
    if (lc->slots[i].state == CM_CERT_REVOKED && !lc->slots[i].closed) {
      ask(s, CM_ACTION_CLOSE, lc->slots[i].id);
      return;
    }
  }
  if (cm_lifecycle_standby(lc) == NULL && !lc->no_time &&
      is_due(lc, CM_ACTION_GENERATE)) {
    if (cm_lifecycle_find(lc, 0) != NULL) {
      ask_generate(s);
      return;
    }
    slot = to_evict(lc);
    if (slot != NULL && is_due(lc, CM_ACTION_DESTROY)) {
      ask(s, CM_ACTION_DESTROY, slot->id);
      return;
    }
  }
  if (must_persist(lc) && is_due(lc, CM_ACTION_PERSIST)) {
    ask_persist(s);
    return;
  }
  if (lc->seq < lc->seq_limit && is_due(lc, CM_ACTION_PUBLISH) &&
      ask_publish(s)) {
    return;
  }
  slot = to_destroy(s);
  if (slot != NULL && is_due(lc, CM_ACTION_DESTROY)) {
    ask(s, CM_ACTION_DESTROY, slot->id);
  }
}

/* --- how it is doing ---------------------------------------------------- */

cm_manager_state cm_lifecycle_judge(const cm_lifecycle *lc) {
  const cm_slot *active = cm_lifecycle_active(lc);
  const cm_slot *standby = cm_lifecycle_standby(lc);

  if (lc->no_time) {
    return CM_STATE_WAITING_FOR_TIME;
  }
  if (active == NULL) {
    return lc->served ? CM_STATE_EXPIRED : CM_STATE_BOOTSTRAP;
  }
  if (lc->now >= active->guard_at) {
    return CM_STATE_GUARD;
  }
  if (lc->retry[CM_ACTION_PERSIST].failures > 0) {
    return CM_STATE_STORE_FAILED;
  }
  if (lc->suspect) {
    return CM_STATE_CLOCK_SUSPECT;
  }
  return standby != NULL && standby->state == CM_CERT_READY
             ? CM_STATE_HEALTHY
             : CM_STATE_NO_STANDBY;
}

/* Lowers |*wait| to |left|, if that is still to come. */
static void until(int64_t *wait, int64_t left) {
  if (left > 0 && left < *wait) {
    *wait = left;
  }
}

int64_t cm_lifecycle_wait(const cm_lifecycle *lc) {
  const cm_slot *active = cm_lifecycle_active(lc);
  const cm_slot *standby = cm_lifecycle_standby(lc);
  int64_t wait = WAIT_MAX;

  if (lc->no_time) {
    wait = MINUTE;
  }
  for (int i = 0; i < CM_ACTION_COUNT; i++) {
    until(&wait, lc->retry[i].at - lc->mono);
  }
  if (active != NULL) {
    until(&wait, active->retire_at - lc->now);
    until(&wait, active->guard_at - lc->now);
    until(&wait, active->not_after - lc->now);
  }
  if (standby != NULL) {
    until(&wait, standby->settle);
    until(&wait, standby->not_before - lc->now);
    until(&wait, standby->retire_at - lc->now);
  }
  until(&wait, lc->doubt);
  return wait;
}
